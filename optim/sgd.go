package optim

import (
	"maps"

	"phase/kernels"
	"phase/tensor"
)

// SGD is stochastic gradient descent as PyTorch does it (kernels.SGD has the
// formula): weight decay joins the gradient, then momentum, then the step.
type SGD struct {
	Params
	Momentum float64
	Decay    float64 // of every parameter, biases and batch norms too
	Nesterov bool

	velocity memory
}

// Step moves the parameters; those without a gradient stay.
func (o *SGD) Step(lr float64, grad Gradient) float64 {
	o.ZeroGrad()
	loss := grad(0)
	var moves batches[move]
	for i, p := range o.Params {
		if p.Var.Grad == nil {
			continue
		}
		k := kernels.SGD{LR: p.rate(lr), Momentum: o.Momentum, Decay: o.Decay, Nesterov: o.Nesterov}
		var v *tensor.Tensor
		if o.Momentum != 0 {
			v, k.First = o.velocity.at(o.Params, i)
		}
		moves.add(move{k}, p.Var.Value, v, p.Var.Grad)
	}
	moves.run()
	return loss.Item()
}

// State is momentum.NAME of every parameter that has moved.
func (o *SGD) State() map[string]*tensor.Tensor {
	s := map[string]*tensor.Tensor{}
	o.velocity.save(o.Params, "momentum", s)
	return s
}

// Load takes a State.
func (o *SGD) Load(state map[string]*tensor.Tensor) error {
	state = maps.Clone(state)
	v, err := load(o.Params, "momentum", state)
	if err == nil {
		err = taken(state)
	}
	if err == nil {
		o.velocity = v
	}
	return err
}
