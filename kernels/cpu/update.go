package cpu

import (
	"math"

	"phase/kernels"
	"phase/tensor"
)

// SGD is one step of stochastic gradient descent with momentum.
func (b *Backend) SGD(p kernels.SGD, w, v, g *tensor.Tensor) {
	if w.DType() != tensor.F32 {
		b.Backend.SGD(p, w, v, g)
		return
	}
	if n := w.Size(); n <= block { // most parameters: no closure
		b.sgd(p, w, v, g, 0, n)
		return
	}
	spread(w.Size(), func(lo, hi int) { b.sgd(p, w, v, g, lo, hi) })
}

// sgd is the step of elements lo to hi-1.
func (b *Backend) sgd(p kernels.SGD, w, v, g *tensor.Tensor, lo, hi int) {
	ws, gs := part(w, lo, hi), part(g, lo, hi)
	lr, mom, decay := float32(p.LR), float32(p.Momentum), float32(p.Decay)
	if p.Momentum == 0 {
		b.point.sgd(ws, gs, lr, decay)
		return
	}
	vs := part(v, lo, hi)
	if p.First {
		clear(vs)
	}
	if p.Nesterov {
		b.point.sgdNesterov(ws, vs, gs, lr, mom, decay)
	} else {
		b.point.sgdMomentum(ws, vs, gs, lr, mom, decay)
	}
}

// Rescale is AXPY with the factor that the sum of squares gives.
func (b *Backend) Rescale(p kernels.Rescale, y kernels.Acc, x, squares *tensor.Tensor) {
	if a := p.By(tensor.Data[float64](squares)[0]); a != 1 || !y.Fresh || y.T != x {
		b.AXPY(a, y, x)
	}
}

// AdamW is one step of Adam with decoupled weight decay.
func (b *Backend) AdamW(p kernels.AdamW, w, m, v, g *tensor.Tensor) {
	if w.DType() != tensor.F32 {
		b.Backend.AdamW(p, w, m, v, g)
		return
	}
	bias1 := 1 - math.Pow(p.Beta1, float64(p.Step))
	bias2 := 1 - math.Pow(p.Beta2, float64(p.Step))
	step := &adamStep{
		g1: float32(1 - p.Beta1), b2: float32(p.Beta2), g2: float32(1 - p.Beta2),
		shrink: float32(1 - p.LR*p.Decay),
		rate:   float32(p.LR / bias1), root: float32(1 / math.Sqrt(bias2)), eps: float32(p.Eps),
	}
	spread(w.Size(), func(lo, hi int) {
		b.point.adamW(part(w, lo, hi), part(m, lo, hi), part(v, lo, hi), part(g, lo, hi), step)
	})
}
