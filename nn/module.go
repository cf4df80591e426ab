// Package nn says what a model is made of: plain structs of parameters,
// buffers and other modules.
//
// There are only a few types: a Module maps a batch to a batch, a Pass is what
// one forward pass has to know, a Model is a classifier in two parts, extractor
// and head.
//
//	model, err := nn.New("resnet32", nn.Config{Classes: 100})
//	logits := model.Forward(&nn.Pass{Train: true}, tape.Watch(images))
//
// In a module's struct an exported field of type *autograd.Var is a parameter,
// one of type *tensor.Tensor a buffer, and structs, slices and Modules are
// walked into: Params and Buffers name what they find as a PyTorch state dict
// does.
package nn

import (
	"phase/autograd"
	"phase/tensor"
)

// A Module maps a batch to a batch.
type Module interface {
	Forward(p *Pass, x *autograd.Var) *autograd.Var
}

// A Pass is what one forward pass has to know. The zero Pass evaluates. A Pass
// is of one step and one goroutine; what goes through it next meets other dropout
// masks.
type Pass struct {
	// Train normalises by the batch's statistics, updates the running ones and
	// drops out.
	Train bool
	// Frozen leaves running statistics as they are although Train is set: for
	// the second pass of a step, which must not count the batch twice.
	Frozen bool
	// Precision is the form in which a ResNet keeps images, and their gradients,
	// between its ops: tensor.BF16 halves what passes over memory. Sums and
	// statistics stay F32, as do the parameters and all that belongs to them; products
	// too, unless the processor has some for BF16 (kernels/cpu/tiles.go). Other
	// models refuse BF16.
	Precision tensor.DType
	// Plans, where not nil, makes evaluation keep what the kernels prepare of the
	// parameters for the next pass with the same Plans.
	Plans *Plans
	// Seed draws the dropout masks: passes of one seed draw the same ones.
	Seed uint64

	drops uint64 // dropout layers met so far
	trace func(layer Module, y *autograd.Var)
}

// saw tells Summary that layer's output is y, and returns y.
func (p *Pass) saw(layer Module, y *autograd.Var) *autograd.Var {
	if p.trace != nil {
		p.trace(layer, y)
	}
	return y
}

// narrow is x in the form in which images are kept.
func (p *Pass) narrow(x *autograd.Var) *autograd.Var {
	if p.Precision == tensor.BF16 {
		x = autograd.Cast(x, tensor.BF16)
	}
	return x
}

// wide is x in the form for modules that do not take narrow images.
func (p *Pass) wide(x *autograd.Var) *autograd.Var {
	if p.Precision == tensor.BF16 {
		x = autograd.Cast(x, tensor.F32)
	}
	return x
}

// Func makes a function a Module, as in Seq{NewLinear(r, 2, 16),
// Func(autograd.Tanh)}.
type Func func(x *autograd.Var) *autograd.Var

// Forward is f(x).
func (f Func) Forward(_ *Pass, x *autograd.Var) *autograd.Var { return f(x) }

// Seq applies modules one after the other.
type Seq []Module

// Forward is the last module's output. Residual blocks that follow one another are
// trained in one op, where that can be.
func (s Seq) Forward(p *Pass, x *autograd.Var) *autograd.Var {
	for len(s) > 0 {
		n := 1
		if b, ok := s[0].(residual); ok && p.Train {
			x, n = forwardBlocks(p, x, b, s[1:])
		} else {
			x = s[0].Forward(p, x)
		}
		s = s[n:]
	}
	return x
}
