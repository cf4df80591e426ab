package optim

import (
	"phase/autograd"
	"phase/kernels"
	"phase/tensor"
)

// SAM is sharpness-aware minimization (Foret et al., 2021, Algorithm 1): Base
// steps from w with the gradient found at
//
//	w + Rho·g/(‖g‖₂ + 1e-12),   g the gradient at w,
//
// the norm taken over all parameters at once. It calls the Gradient twice a
// step. With Rho 0 it is Base.
type SAM struct {
	Base Optimizer
	Rho  float64

	home memory         // w, while the parameters are away
	loss *tensor.Tensor // where they were
}

// Step takes Base's step with the gradient found a distance Rho uphill.
func (o *SAM) Step(lr float64, grad Gradient) float64 {
	if o.Rho == 0 {
		return o.Base.Step(lr, grad)
	}
	ps := o.Parameters()
	ps.ZeroGrad()
	loss := grad(0).Value
	if o.loss == nil {
		o.loss = tensor.Like(loss)
	}
	kernels.For(loss).Copy(o.loss, loss) // the second pass may take its memory
	o.leave(ps)
	return o.Base.Step(lr, func(pass int) *autograd.Var {
		grad(pass + 1)
		o.comeHome(ps) // bit for bit: subtracting what was added would round
		return autograd.Const(o.loss)
	})
}

// leave moves the parameters a distance Rho uphill.
func (o *SAM) leave(ps Params) {
	uphill := rescale{kernels.Rescale{Length: o.Rho, Eps: 1e-12}, false, ps.squares()}
	var copies batches[replace]
	var moves batches[rescale]
	for i, p := range ps {
		home, _ := o.home.at(ps, i)
		copies.add(replace{}, home, nil, p.Var.Value)
		if p.Var.Grad != nil {
			moves.add(uphill, p.Var.Value, nil, p.Var.Grad)
		}
	}
	copies.run()
	moves.run()
}

func (o *SAM) comeHome(ps Params) {
	var copies batches[replace]
	for i, p := range ps {
		copies.add(replace{}, p.Var.Value, nil, o.home[i])
	}
	copies.run()
}

// Parameters is Base's.
func (o *SAM) Parameters() Params { return o.Base.Parameters() }

// State is Base's: SAM itself remembers nothing between steps.
func (o *SAM) State() map[string]*tensor.Tensor { return o.Base.State() }

// Load takes a State.
func (o *SAM) Load(state map[string]*tensor.Tensor) error { return o.Base.Load(state) }
