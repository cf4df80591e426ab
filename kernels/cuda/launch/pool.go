package launch

import (
	"phase/kernels"
	"phase/tensor"
)

// poolArgs are what all four kernels take at the end: the sizes of x and y, the
// window, and how many numbers the result has.
func poolArgs(p kernels.Pool2D, x, y, result tensor.Shape) []Arg {
	return []Arg{whole(x[2]), whole(x[3]), whole(x[1]), whole(y[2]), whole(y[3]), whole(p.Size), whole(p.S()), whole(p.Pad), whole(result.Size())}
}

// MaxPool is y = max over the window; arg says where in the plane.
func (b Backend) MaxPool(p kernels.Pool2D, y, arg, x *tensor.Tensor) {
	b.run(func(w *Work) {
		w.each(floats("max_pool", y), y.Size(), append([]Arg{at(y), at(arg), at(x)}, poolArgs(p, x.Shape(), y.Shape(), y.Shape())...)...)
	})
}

// MaxPoolGrad gives each dy to the place its maximum came from.
func (b Backend) MaxPoolGrad(p kernels.Pool2D, dx kernels.Acc, arg, dy *tensor.Tensor) {
	if dx.Wanted() {
		b.run(func(w *Work) {
			w.each(floats("max_pool_grad", dy), dx.T.Size(), append([]Arg{at(dx.T), truth(dx.Fresh), at(arg), at(dy)},
				poolArgs(p, dx.T.Shape(), dy.Shape(), dx.T.Shape())...)...)
		})
	}
}

// AvgPool is y = (Σ over the window)/Size²: padding counts as zeros.
func (b Backend) AvgPool(p kernels.Pool2D, y, x *tensor.Tensor) {
	b.run(func(w *Work) {
		w.each(floats("avg_pool", y), y.Size(), append([]Arg{at(y), at(x)}, poolArgs(p, x.Shape(), y.Shape(), y.Shape())...)...)
	})
}

// AvgPoolGrad gives dy/Size² to every place of the window.
func (b Backend) AvgPoolGrad(p kernels.Pool2D, dx kernels.Acc, dy *tensor.Tensor) {
	if dx.Wanted() {
		b.run(func(w *Work) {
			w.each(floats("avg_pool_grad", dy), dx.T.Size(), append([]Arg{at(dx.T), truth(dx.Fresh), at(dy)},
				poolArgs(p, dx.T.Shape(), dy.Shape(), dx.T.Shape())...)...)
		})
	}
}

var plane = kernels.Reduce{Axes: []int{2, 3}, Mean: true}

// GlobalAvgPool is the mean over h and w.
func (b Backend) GlobalAvgPool(y, x *tensor.Tensor) { b.Reduce(plane, y, x) }

// GlobalAvgPoolGrad gives dy/(h·w) to every pixel.
func (b Backend) GlobalAvgPoolGrad(dx kernels.Acc, dy *tensor.Tensor) { b.ReduceGrad(plane, dx, dy) }
