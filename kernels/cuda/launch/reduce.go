package launch

import (
	"slices"

	"phase/kernels"
	"phase/tensor"
)

// A sum is out += Σ ∂f/∂arg(x, y)·dz / terms over the axes on which out has stride
// 0. The strides of its axes are those of out, x, y and dz. For Add it is the plain
// sum of dz, and x and y play no part.
type sum struct {
	f        kernels.Fn2
	arg      int
	out      kernels.Acc
	x, y, dz *tensor.Tensor
	terms    int
	axes     []axis
}

// The most that slices are cut for, and the least that one is worth.
const (
	enoughBlocks = 256 // keep a large GPU busy
	leastTerms   = 16  // of a thread
)

// sum plans it. Threads of a warp stand side by side where dz does: along the
// elements of out, or along the terms. Sums of many terms and few elements are cut
// into slices.
func (w *Work) sum(s sum) {
	kept, reduced := s.axes[:0:0], s.axes[:0:0]
	for _, a := range s.axes {
		if a.s[0] == 0 && a.n != 1 {
			a.s = [4]int{a.s[1], a.s[2], a.s[3]}
			reduced = append(reduced, a)
		} else {
			kept = append(kept, a)
		}
	}
	kept, reduced = joined(sorted(kept, 0)), joined(sorted(reduced, 2))
	outs, terms := sizeOf(kept), sizeOf(reduced)
	if outs == 0 {
		return
	}
	side := 8 // threads that share an element
	if len(reduced) > 0 && reduced[len(reduced)-1].s[2] == 1 {
		side = blockSize
	}
	side = min(side, above(terms))
	block := [3]int{blockSize / side, side, 1}
	columns := ceil(outs, block[0])
	count := max(1, min(ceil(enoughBlocks, columns), terms/(leastTerms*side)))
	each := ceil(terms, count)
	d := s.out.T.DType()
	var part *tensor.Tensor
	if count > 1 {
		part = w.flat(wide(d), count*outs)
	}
	w.launch(form("sum", d), [3]int{columns, count, 1}, block, slices.Concat(
		[]Arg{at(s.out.T), truth(s.out.Fresh), at(part), at(s.x), at(s.y), at(s.dz), whole(int(s.f)), whole(s.arg), real(float64(s.terms)),
			whole(outs), whole(terms), whole(each)},
		extents(kept), strides(kept, 0), strides(kept, 1), strides(kept, 2), strides(kept, 3),
		extents(reduced), strides(reduced, 0), strides(reduced, 1), strides(reduced, 2))...)
	if count > 1 {
		w.sumSlices(s.out, part, count, s.terms, kept)
	}
}

// sumSlices plans out += Σ part / terms, where part is slices of the elements along
// axes, on which out has strides.
func (w *Work) sumSlices(out kernels.Acc, part *tensor.Tensor, count, terms int, axes []axis) {
	n := sizeOf(axes)
	w.each(form("sum_slices", out.T.DType()), n, slices.Concat(
		[]Arg{at(out.T), truth(out.Fresh), at(part), whole(count), real(float64(terms)), whole(n)}, extents(axes), strides(axes, 0))...)
}

// BinaryGrad is d += Σ ∂f/∂arg·dz, the sum being over the axes along which the
// argument was broadcast.
func (b Backend) BinaryGrad(f kernels.Fn2, arg int, d kernels.Acc, x, y, dz *tensor.Tensor) {
	if d.Wanted() {
		floats("sum", d.T)
		home := d.T.Expand(dz.Shape()...)
		b.run(func(w *Work) {
			w.sum(sum{f, arg, d, x, y, dz, 1, axesOf(dz.Shape(), home.Strides(), x.Strides(), y.Strides(), dz.Strides())})
		})
	}
}

// CopyGrad is dx += dy; elements of dx that share a place receive the sum.
func (b Backend) CopyGrad(dx, dy *tensor.Tensor) {
	none := make([]int, dx.Dims())
	b.run(func(w *Work) {
		w.sum(sum{out: kernels.Acc{T: dx}, dz: dy, terms: 1, axes: axesOf(dx.Shape(), dx.Strides(), none, none, dy.Strides())})
	})
}

// homes are the strides of p's result, which is row-major, along the axes of what
// it sums: 0 along those that are summed. count is how many terms a sum has.
func homes(p kernels.Reduce, s tensor.Shape) (home []int, count int) {
	home, count = make([]int, len(s)), 1
	for i, step := len(s)-1, 1; i >= 0; i-- {
		if slices.Contains(p.Axes, i) {
			count *= s[i]
			continue
		}
		home[i] = step
		step *= s[i]
	}
	return home, count
}

// Reduce is y = Σ x over p.Axes, divided by the number of terms for the mean.
func (b Backend) Reduce(p kernels.Reduce, y, x *tensor.Tensor) {
	home, count := homes(p, x.Shape())
	if !p.Mean {
		count = 1
	}
	none := make([]int, x.Dims())
	floats("sum", y)
	b.run(func(w *Work) {
		w.sum(sum{out: kernels.Acc{T: y, Fresh: true}, dz: x, terms: count, axes: axesOf(x.Shape(), home, none, none, x.Strides())})
	})
}

// ReduceGrad gives dy (for the mean, its share of it) to every term.
func (b Backend) ReduceGrad(p kernels.Reduce, dx kernels.Acc, dy *tensor.Tensor) {
	if !dx.Wanted() {
		return
	}
	home, count := homes(p, dx.T.Shape())
	if !p.Mean {
		count = 1
	}
	axes := joined(sorted(axesOf(dx.T.Shape(), dx.T.Strides(), home), 0))
	b.run(func(w *Work) {
		w.each(floats("share", dy), dx.T.Size(), slices.Concat(
			[]Arg{at(dx.T), truth(dx.Fresh), at(dy), real(float64(count)), whole(dx.T.Size())}, extents(axes), strides(axes, 1))...)
	})
}

// SumSquares adds Σx² to dst.
func (b Backend) SumSquares(dst, x *tensor.Tensor) {
	n := x.Size()
	blocks := min(enoughBlocks, ceil(n, leastTerms*blockSize))
	if n == 0 {
		return
	}
	b.run(func(w *Work) {
		part := w.flat(tensor.F64, blocks)
		w.launch(floats("squares", x), [3]int{blocks, 1, 1}, [3]int{1, blockSize, 1}, at(part), at(x), whole(n), whole(ceil(n, blocks)))
		w.sumSlices(kernels.Acc{T: dst}, part, blocks, 1, nil)
	})
}
