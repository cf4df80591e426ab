package ref

import (
	"math"

	"phase/kernels"
	"phase/tensor"
)

// window calls f(i, j) for the places of a plane (h,w) that output (oi,oj) of
// a pooling looks at, row by row; padding is left out.
func window(p kernels.Pool2D, h, w, oi, oj int, f func(i, j int)) {
	top, left := oi*p.S()-p.Pad, oj*p.S()-p.Pad
	for i := max(top, 0); i < min(top+p.Size, h); i++ {
		for j := max(left, 0); j < min(left+p.Size, w); j++ {
			f(i, j)
		}
	}
}

// outputs calls f for every element (n,c,i,j) of a tensor of shape s.
func outputs(s tensor.Shape, f func(n, c, i, j int)) {
	for n := range s[0] {
		for c := range s[1] {
			for i := range s[2] {
				for j := range s[3] {
					f(n, c, i, j)
				}
			}
		}
	}
}

// MaxPool is y = max over the window; arg says where in the plane. Of equal
// maxima the first wins, and the first NaN wins over everything.
func (Backend) MaxPool(p kernels.Pool2D, y, arg, x *tensor.Tensor) {
	xs, ys, args := tensor.Values(x), make([]float64, y.Size()), make([]float64, y.Size())
	s, h, w := x.Shape(), x.Dim(2), x.Dim(3)
	outputs(y.Shape(), func(n, c, oi, oj int) {
		best, where := math.Inf(-1), -1
		window(p, h, w, oi, oj, func(i, j int) {
			v := xs[at(s, n, c, i, j)]
			if where < 0 || v > best || v != v && best == best {
				best, where = v, i*w+j
			}
		})
		k := at(y.Shape(), n, c, oi, oj)
		ys[k], args[k] = best, float64(where)
	})
	store(y, ys)
	store(arg, args)
}

// MaxPoolGrad gives each dy to the place its maximum came from.
func (Backend) MaxPoolGrad(p kernels.Pool2D, dx kernels.Acc, arg, dy *tensor.Tensor) {
	if !dx.Wanted() {
		return
	}
	g, args, s := tensor.Values(dy), tensor.Values(arg), dx.T.Shape()
	d := make([]float64, s.Size())
	outputs(dy.Shape(), func(n, c, oi, oj int) {
		k := at(dy.Shape(), n, c, oi, oj)
		d[at(s, n, c, 0, 0)+int(args[k])] += g[k]
	})
	add(dx, d)
}

// AvgPool is y = (Σ over the window)/Size²: padding counts as zeros.
func (Backend) AvgPool(p kernels.Pool2D, y, x *tensor.Tensor) {
	xs, ys, s := tensor.Values(x), make([]float64, y.Size()), x.Shape()
	area := float64(p.Size * p.Size)
	outputs(y.Shape(), func(n, c, oi, oj int) {
		sum := 0.0
		window(p, s[2], s[3], oi, oj, func(i, j int) { sum += xs[at(s, n, c, i, j)] })
		ys[at(y.Shape(), n, c, oi, oj)] = sum / area
	})
	store(y, ys)
}

// AvgPoolGrad gives dy/Size² to every place of the window.
func (Backend) AvgPoolGrad(p kernels.Pool2D, dx kernels.Acc, dy *tensor.Tensor) {
	if !dx.Wanted() {
		return
	}
	g, s := tensor.Values(dy), dx.T.Shape()
	d, area := make([]float64, s.Size()), float64(p.Size*p.Size)
	outputs(dy.Shape(), func(n, c, oi, oj int) {
		share := g[at(dy.Shape(), n, c, oi, oj)] / area
		window(p, s[2], s[3], oi, oj, func(i, j int) { d[at(s, n, c, i, j)] += share })
	})
	add(dx, d)
}

// GlobalAvgPool is y[n,c] = Σ_{i,j} x[n,c,i,j] / (h·w).
func (b Backend) GlobalAvgPool(y, x *tensor.Tensor) {
	b.Reduce(kernels.Reduce{Axes: []int{2, 3}, Mean: true}, y, x)
}

// GlobalAvgPoolGrad gives dy/(h·w) to every pixel.
func (b Backend) GlobalAvgPoolGrad(dx kernels.Acc, dy *tensor.Tensor) {
	b.ReduceGrad(kernels.Reduce{Axes: []int{2, 3}, Mean: true}, dx, dy)
}
