package optim

import (
	"fmt"
	"maps"

	"phase/kernels"
	"phase/tensor"
)

// AdamW is Adam with weight decay apart from the gradient (Loshchilov and
// Hutter, 2019; kernels.AdamW has the formula). Zero fields take PyTorch's
// defaults, but for Decay, whose default there is 0.01.
type AdamW struct {
	Params
	Beta1, Beta2 float64 // 0.9, 0.999
	Eps          float64 // 1e-8
	Decay        float64

	steps       int64
	mean, power memory // of the gradient and of its square
}

// Step moves the parameters; those without a gradient stay.
func (o *AdamW) Step(lr float64, grad Gradient) float64 {
	o.ZeroGrad()
	loss := grad(0)
	o.steps++
	k := kernels.AdamW{Beta1: or(o.Beta1, .9), Beta2: or(o.Beta2, .999), Eps: or(o.Eps, 1e-8), Decay: o.Decay, Step: int(o.steps)}
	for i, p := range o.Params {
		if p.Var.Grad == nil {
			continue
		}
		m, _ := o.mean.at(o.Params, i)
		v, _ := o.power.at(o.Params, i)
		k.LR = p.rate(lr)
		kernels.For(p.Var.Value).AdamW(k, p.Var.Value, m, v, p.Var.Grad)
	}
	return loss.Item()
}

func or(v, otherwise float64) float64 {
	if v == 0 {
		return otherwise
	}
	return v
}

// State is exp_avg.NAME and exp_avg_sq.NAME of every parameter that has moved,
// and step (I64), how often.
func (o *AdamW) State() map[string]*tensor.Tensor {
	s := map[string]*tensor.Tensor{"step": tensor.Scalar(o.steps)}
	o.mean.save(o.Params, "exp_avg", s)
	o.power.save(o.Params, "exp_avg_sq", s)
	return s
}

// Load takes a State.
func (o *AdamW) Load(state map[string]*tensor.Tensor) error {
	state = maps.Clone(state)
	step, ok := state["step"]
	if !ok || step.DType() != tensor.I64 || step.Size() != 1 || tensor.Values(step)[0] < 0 {
		return fmt.Errorf("optimizer state: want step, one i64 of at least 0")
	}
	delete(state, "step")
	m, err := load(o.Params, "exp_avg", state)
	if err != nil {
		return err
	}
	v, err := load(o.Params, "exp_avg_sq", state)
	if err == nil {
		err = taken(state)
	}
	if err == nil {
		o.mean, o.power, o.steps = m, v, tensor.Window[int64](step)[0]
	}
	return err
}
