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

	home []*tensor.Tensor // w, while the parameters are away
}

// Step takes Base's step with the gradient found a distance Rho uphill.
func (o *SAM) Step(lr float64, grad Gradient) float64 {
	if o.Rho == 0 {
		return o.Base.Step(lr, grad)
	}
	ps := o.Parameters()
	ps.ZeroGrad()
	loss := tensor.Of([]float64{grad(0).Item()}, 1)
	o.leave(ps, o.Rho/(ps.GradNorm()+1e-12))
	return o.Base.Step(lr, func(pass int) *autograd.Var {
		grad(pass + 1)
		o.comeHome(ps) // bit for bit: subtracting what was added would round
		return autograd.Const(loss)
	})
}

// leave moves the parameters by a times their gradients.
func (o *SAM) leave(ps Params, a float64) {
	if o.home == nil {
		for _, p := range ps {
			o.home = append(o.home, tensor.Like(p.Var.Value))
		}
	}
	var together batches
	for i, p := range ps {
		together.copy(o.home[i], p.Var.Value)
		if p.Var.Grad != nil {
			together.add(kernels.SGD{LR: -a}, p.Var.Value, nil, p.Var.Grad) // a step uphill
		}
	}
	together.run()
}

func (o *SAM) comeHome(ps Params) {
	var together batches
	for i, p := range ps {
		together.copy(p.Var.Value, o.home[i])
	}
	together.run()
}

// Parameters is Base's.
func (o *SAM) Parameters() Params { return o.Base.Parameters() }

// State is Base's: SAM itself remembers nothing between steps.
func (o *SAM) State() map[string]*tensor.Tensor { return o.Base.State() }

// Load takes a State.
func (o *SAM) Load(state map[string]*tensor.Tensor) error { return o.Base.Load(state) }
