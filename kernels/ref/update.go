package ref

import (
	"math"

	"phase/kernels"
	"phase/tensor"
)

// SGD is torch.optim.SGD: weight decay joins the gradient before momentum does.
//
//	g ← g + Decay·w;  v ← Momentum·v + g (v ← g at first)
//	w ← w - LR·v, or with Nesterov w - LR·(g + Momentum·v)
func (Backend) SGD(p kernels.SGD, w, v, g *tensor.Tensor) {
	ws, step := tensor.Values(w), tensor.Values(g)
	for i := range step {
		step[i] += p.Decay * ws[i]
	}
	if p.Momentum != 0 {
		vs := make([]float64, len(step))
		if !p.First {
			vs = tensor.Values(v)
		}
		for i := range step {
			vs[i] = p.Momentum*vs[i] + step[i]
			if p.Nesterov {
				step[i] += p.Momentum * vs[i]
			} else {
				step[i] = vs[i]
			}
		}
		store(v, vs)
	}
	for i := range ws {
		ws[i] -= p.LR * step[i]
	}
	store(w, ws)
}

// Rescale is AXPY with the factor that the sum of squares gives.
func (b Backend) Rescale(p kernels.Rescale, y kernels.Acc, x, squares *tensor.Tensor) {
	b.AXPY(p.By(tensor.Values(squares)[0]), y, x)
}

// AdamW is torch.optim.AdamW: weight decay shrinks the weights directly.
//
//	w ← w·(1 - LR·Decay);  m ← β₁m + (1-β₁)g;  v ← β₂v + (1-β₂)g²
//	w ← w - LR·m̂/(√v̂ + Eps),  m̂ = m/(1-β₁^Step),  v̂ = v/(1-β₂^Step)
func (Backend) AdamW(p kernels.AdamW, w, m, v, g *tensor.Tensor) {
	ws, ms, vs := tensor.Values(w), tensor.Values(m), tensor.Values(v)
	bias1 := 1 - math.Pow(p.Beta1, float64(p.Step))
	bias2 := 1 - math.Pow(p.Beta2, float64(p.Step))
	for i, g := range tensor.Values(g) {
		ms[i] = p.Beta1*ms[i] + (1-p.Beta1)*g
		vs[i] = p.Beta2*vs[i] + (1-p.Beta2)*g*g
		ws[i] *= 1 - p.LR*p.Decay
		ws[i] -= p.LR * (ms[i] / bias1) / (math.Sqrt(vs[i]/bias2) + p.Eps)
	}
	store(w, ws)
	store(m, ms)
	store(v, vs)
}
