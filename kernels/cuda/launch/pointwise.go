package launch

import (
	"fmt"
	"slices"

	"phase/kernels"
	"phase/tensor"
)

// Map is y = f(x).
func (b Backend) Map(f kernels.Fn, y, x *tensor.Tensor) {
	b.run(func(w *Work) { w.each(floats("map", y), y.Size(), at(y), at(x), whole(int(f)), whole(y.Size())) })
}

// MapGrad is dx += f'(x)·dy.
func (b Backend) MapGrad(f kernels.Fn, dx kernels.Acc, x, y, dy *tensor.Tensor) {
	if dx.Wanted() {
		b.run(func(w *Work) {
			w.each(floats("map_grad", x), x.Size(), at(dx.T), truth(dx.Fresh), at(x), at(y), at(dy), whole(int(f)), whole(x.Size()))
		})
	}
}

// Affine is y = Mul·x + Add.
func (b Backend) Affine(p kernels.Affine, y, x *tensor.Tensor) {
	b.run(func(w *Work) {
		w.each(floats("affine", y), y.Size(), at(y), at(x), real(p.Mul), real(p.Add), whole(y.Size()))
	})
}

// AXPY is y += a·x.
func (b Backend) AXPY(a float64, y kernels.Acc, x *tensor.Tensor) {
	if y.Wanted() {
		b.run(func(w *Work) {
			w.each(floats("axpy", x), x.Size(), at(y.T), truth(y.Fresh), at(x), real(a), whole(x.Size()))
		})
	}
}

// Dropout is y = x/(1-Rate), or 0 where the element is dropped.
func (b Backend) Dropout(p kernels.Dropout, y, x *tensor.Tensor) {
	b.DropoutGrad(p, kernels.Acc{T: y, Fresh: true}, x)
}

// DropoutGrad is dx += dy/(1-Rate) where the element was kept.
func (b Backend) DropoutGrad(p kernels.Dropout, dx kernels.Acc, dy *tensor.Tensor) {
	if dx.Wanted() {
		b.run(func(w *Work) {
			w.each(floats("dropout", dy), dy.Size(), at(dx.T), truth(dx.Fresh), at(dy), real(p.Rate), Arg{Bits: p.Seed}, whole(dy.Size()))
		})
	}
}

// Cast is y = x, rounded to y's dtype.
func (b Backend) Cast(y, x *tensor.Tensor) { b.CastGrad(kernels.Acc{T: y, Fresh: true}, x) }

// CastGrad is dx += dy.
func (b Backend) CastGrad(dx kernels.Acc, dy *tensor.Tensor) {
	if dx.Wanted() {
		b.run(func(w *Work) {
			w.each(form(form("cast", dy.DType()), dx.T.DType()), dy.Size(), at(dx.T), truth(dx.Fresh), at(dy), whole(dy.Size()))
		})
	}
}

// Binary is z = f(x, y), element by element.
func (b Backend) Binary(f kernels.Fn2, z, x, y *tensor.Tensor) {
	axes := joined(sorted(axesOf(z.Shape(), z.Strides(), x.Strides(), y.Strides()), 0))
	b.run(func(w *Work) {
		w.each(floats("binary", z), z.Size(), slices.Concat(
			[]Arg{at(z), at(x), at(y), whole(int(f)), whole(z.Size())}, extents(axes), strides(axes, 1), strides(axes, 2))...)
	})
}

// Copy is dst = src, bit for bit.
func (b Backend) Copy(dst, src *tensor.Tensor) {
	b.run(func(w *Work) { w.copy(dst, src, axesOf(dst.Shape(), dst.Strides(), src.Strides())) })
}

// copy copies along axes on which dst and src have strides.
func (w *Work) copy(dst, src *tensor.Tensor, axes []axis) {
	axes = joined(sorted(axes, 0))
	w.each(fmt.Sprintf("copy_%d", dst.DType().Size()), sizeOf(axes), slices.Concat(
		[]Arg{at(dst), at(src), whole(sizeOf(axes))}, extents(axes), strides(axes, 0), strides(axes, 1))...)
}
