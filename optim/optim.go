// Package optim changes parameters to make a loss smaller.
//
// There are only a few types: an Optimizer takes a step, Params are what it
// moves, a Schedule is the learning rate over time.
//
//	opt := &optim.SAM{Rho: .05, Base: &optim.SGD{Params: optim.All(nn.Params(model)), Momentum: .9}}
//	loss := opt.Step(lr(epoch), func(pass int) *autograd.Var {
//		tape.Reset()
//		l := lossOf(&nn.Pass{Train: true, Frozen: pass > 0, Seed: step}, batch)
//		tape.Backward(l)
//		return l
//	})
package optim

import (
	"fmt"
	"iter"
	"maps"
	"math"
	"slices"

	"phase/autograd"
	"phase/kernels"
	"phase/tensor"
)

// A Gradient computes the loss and adds its gradient to the parameters, which
// the optimizer has cleared. Pass counts the calls within one step, from 0.
// From pass 1 on the parameters stand elsewhere, and everything else must be as
// it was: the same batch, augmentation and dropout, running statistics left
// alone. The loss has one element; it is read once the parameters are under way,
// so that a device need not be waited for in between.
type Gradient func(pass int) (loss *autograd.Var)

// An Optimizer moves parameters against the gradient of a loss.
type Optimizer interface {
	// Step makes one update with the learning rate lr and returns the loss
	// that the first call of grad found, where the parameters stood.
	Step(lr float64, grad Gradient) (loss float64)
	// Parameters is what the optimizer moves.
	Parameters() Params
	// State is what the optimizer remembers between steps, by name: the
	// tensors themselves, not copies.
	State() map[string]*tensor.Tensor
	// Load makes a new optimizer go on where the one that had this State
	// stood. The error says what does not fit; nothing is then changed.
	Load(state map[string]*tensor.Tensor) error
}

// A Param is a parameter with its name, which its state is saved by.
type Param struct {
	Name string
	Var  *autograd.Var
	Rate float64 // its learning rate as a multiple of the step's; 0 means 1
}

// rate is the parameter's learning rate in a step of rate lr.
func (p Param) rate(lr float64) float64 { return lr * or(p.Rate, 1) }

// Params are the parameters that an optimizer moves. An optimizer embeds them.
// Those that are to stay as they are do not stand here. All are on one device.
type Params []Param

// All collects what nn.Params yields.
func All(named iter.Seq2[string, *autograd.Var]) (ps Params) {
	for name, v := range named {
		ps = append(ps, Param{Name: name, Var: v})
	}
	return ps
}

// Parameters is ps itself.
func (ps Params) Parameters() Params { return ps }

// ZeroGrad clears every gradient.
func (ps Params) ZeroGrad() {
	for _, p := range ps {
		p.Var.ZeroGrad()
	}
}

// GradNorm is the Euclidean norm of all gradients as one vector.
func (ps Params) GradNorm() float64 { return math.Sqrt(tensor.Values(ps.squares())[0]) }

// squares is Σg² over all gradients: one element, F64, where the parameters are.
func (ps Params) squares() *tensor.Tensor {
	dev := tensor.CPU
	if len(ps) > 0 {
		dev = ps[0].Var.Value.Device()
	}
	sum := tensor.New(dev, tensor.F64)
	var squares batches[square]
	for _, p := range ps {
		if g := p.Var.Grad; g != nil {
			squares.add(square{sum}, g, nil, g)
		}
	}
	squares.run()
	return sum
}

// ClipNorm scales the gradients, where their norm is larger than most, down to
// a norm of most. A Gradient calls it at its end. As in PyTorch the factor is
// most/(norm+1e-6), and at most 1. It does not wait for a device; GradNorm does.
func (ps Params) ClipNorm(most float64) {
	by := rescale{kernels.Rescale{Length: most, Eps: 1e-6, Shrink: true}, true, ps.squares()}
	var clips batches[rescale]
	for _, p := range ps {
		if g := p.Var.Grad; g != nil {
			clips.add(by, g, nil, g)
		}
	}
	clips.run()
}

// A memory is what an optimizer keeps beside each parameter: tensors like it,
// nil until its first gradient.
type memory []*tensor.Tensor

// at is the tensor beside parameter i; fresh says that it is new, and zero.
func (m *memory) at(ps Params, i int) (t *tensor.Tensor, fresh bool) {
	if len(*m) == 0 {
		*m = make(memory, len(ps))
	}
	if (*m)[i] == nil {
		(*m)[i], fresh = tensor.Like(ps[i].Var.Value), true
	}
	return (*m)[i], fresh
}

// save puts the tensors into state as prefix.name.
func (m memory) save(ps Params, prefix string, state map[string]*tensor.Tensor) {
	for i, t := range m {
		if t != nil {
			state[prefix+"."+ps[i].Name] = t
		}
	}
}

// load is what save saved, copied; it removes from state what it took.
func load(ps Params, prefix string, state map[string]*tensor.Tensor) (memory, error) {
	m := make(memory, len(ps))
	for i, p := range ps {
		name := prefix + "." + p.Name
		from, ok := state[name]
		if !ok {
			continue
		}
		delete(state, name)
		to := tensor.Like(p.Var.Value)
		if !from.Shape().Equal(to.Shape()) || from.DType() != to.DType() {
			return nil, fmt.Errorf("optimizer state %s is %v %v, want %v %v", name, from.DType(), from.Shape(), to.DType(), to.Shape())
		}
		kernels.For(to).Copy(to, from.To(to.Device()))
		m[i] = to
	}
	return m, nil
}

// taken is the error for what is left of a state when all was loaded.
func taken(state map[string]*tensor.Tensor) error {
	if len(state) == 0 {
		return nil
	}
	return fmt.Errorf("optimizer state: %d tensors belong to no parameter, the first is %s", len(state), slices.Min(slices.Collect(maps.Keys(state))))
}
