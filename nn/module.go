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

import "phase/autograd"

// A Module maps a batch to a batch.
type Module interface {
	Forward(p *Pass, x *autograd.Var) *autograd.Var
}

// A Pass is what one forward pass has to know. The zero Pass evaluates. A Pass
// is used once, by one goroutine.
type Pass struct {
	// Train normalises by the batch's statistics, updates the running ones and
	// drops out.
	Train bool
	// Frozen leaves running statistics as they are although Train is set: for
	// the second pass of a step, which must not count the batch twice.
	Frozen bool
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

// Func makes a function a Module, as in Seq{NewLinear(r, 2, 16),
// Func(autograd.Tanh)}.
type Func func(x *autograd.Var) *autograd.Var

// Forward is f(x).
func (f Func) Forward(_ *Pass, x *autograd.Var) *autograd.Var { return f(x) }

// Seq applies modules one after the other.
type Seq []Module

// Forward is the last module's output.
func (s Seq) Forward(p *Pass, x *autograd.Var) *autograd.Var {
	for _, m := range s {
		x = m.Forward(p, x)
	}
	return x
}
