package ref

import (
	"phase/kernels"
	"phase/tensor"
)

// taps calls f for every product that a convolution adds up: output y[yi]
// takes x[xi]·w[wi]. It is the whole definition of the convolution; the value
// and both derivatives only differ in which of the three receives.
//
//	y[n,o,i,j] = Σ_{c,r,t} x[n, c₀+c, i·S-Pad+r·D, j·S-Pad+t·D] · w[o,c,r,t]
//
// where c₀ is the first input channel of o's group and places outside x count
// as zero.
func taps(p kernels.Conv2D, x, w, y tensor.Shape, f func(yi, xi, wi int)) {
	perGroup := y[1] / p.G() // output channels of a group
	for n := range y[0] {
		for o := range y[1] {
			for i := range y[2] {
				for j := range y[3] {
					for c := range w[1] {
						for r := range w[2] {
							for t := range w[3] {
								h, v := i*p.S()-p.Pad+r*p.D(), j*p.S()-p.Pad+t*p.D()
								if h >= 0 && h < x[2] && v >= 0 && v < x[3] {
									f(at(y, n, o, i, j), at(x, n, o/perGroup*w[1]+c, h, v), at(w, o, c, r, t))
								}
							}
						}
					}
				}
			}
		}
	}
}

// Conv2D is y = x ⋆ w, the cross-correlation.
func (Backend) Conv2D(p kernels.Conv2D, y, x, w *tensor.Tensor) {
	xs, ws, ys := tensor.Values(x), tensor.Values(w), make([]float64, y.Size())
	taps(p, x.Shape(), w.Shape(), y.Shape(), func(yi, xi, wi int) { ys[yi] += xs[xi] * ws[wi] })
	store(y, ys)
}

// Conv2DGradX is the derivative by the input.
func (Backend) Conv2DGradX(p kernels.Conv2D, dx kernels.Acc, w, dy *tensor.Tensor) {
	if !dx.Wanted() {
		return
	}
	ws, dys, dxs := tensor.Values(w), tensor.Values(dy), make([]float64, dx.T.Size())
	taps(p, dx.T.Shape(), w.Shape(), dy.Shape(), func(yi, xi, wi int) { dxs[xi] += dys[yi] * ws[wi] })
	add(dx, dxs)
}

// Conv2DGradW is the derivative by the filters.
func (Backend) Conv2DGradW(p kernels.Conv2D, dw kernels.Acc, x, dy *tensor.Tensor) {
	if !dw.Wanted() {
		return
	}
	xs, dys, dws := tensor.Values(x), tensor.Values(dy), make([]float64, dw.T.Size())
	taps(p, x.Shape(), dw.T.Shape(), dy.Shape(), func(yi, xi, wi int) { dws[wi] += dys[yi] * xs[xi] })
	add(dw, dws)
}
