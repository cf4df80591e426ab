package cpu

import (
	"phase/kernels"
	"phase/tensor"
)

// reduced are the strides with which the reduced tensor lies under one of shape
// s, 0 along the axes that are summed, and the number of terms of each sum.
func reduced(p kernels.Reduce, s tensor.Shape) (strides [tensor.MaxDims]int, count int) {
	count = 1
	next, last := 1, len(p.Axes)-1
	for i := len(s) - 1; i >= 0; i-- {
		if last >= 0 && p.Axes[last] == i {
			last--
			count *= s[i]
			continue
		}
		strides[i] = next
		next *= s[i]
	}
	return strides, count
}

// Reduce is y = Σ x over p.Axes, divided by the number of terms for the mean.
func (b *Backend) Reduce(p kernels.Reduce, y, x *tensor.Tensor) {
	if x.DType() != tensor.F32 || x.Size() == 0 {
		b.Backend.Reduce(p, y, x)
		return
	}
	strides, count := reduced(p, x.Shape())
	scale := 1.0
	if p.Mean {
		scale = 1 / float64(count)
	}
	b.sumInto(y, strides[:x.Dims()], true, scale, x, nil)
}

// ReduceGrad gives dy (for the mean, its share of it) to every term.
func (b *Backend) ReduceGrad(p kernels.Reduce, dx kernels.Acc, dy *tensor.Tensor) {
	switch {
	case !dx.Wanted():
		return
	case dy.DType() != tensor.F32 || dx.T.Size() == 0:
		b.Backend.ReduceGrad(p, dx, dy)
		return
	}
	strides, count := reduced(p, dx.T.Shape())
	share := float32(1)
	if p.Mean {
		share = 1 / float32(count)
	}
	d, g := tensor.Data[float32](dx.T), tensor.Data[float32](dy)
	w := newWalk(dx.T.Shape(), dx.T.Strides(), strides[:dx.T.Dims()])
	step := w.stride(1)
	w.rows(func(at [maxOperands]int, n int) {
		d, g := d[at[0]:][:n], g[at[1]:]
		if step == 1 {
			b.addScaled(d, dx.Fresh, g[:n], share)
			return
		}
		v := g[0] * share // one sum's terms lie in a row
		for i := range d {
			if dx.Fresh {
				d[i] = v
			} else {
				d[i] += v
			}
		}
	})
	walks.Put(w)
}

// SumSquares adds Σx² to dst.
func (b *Backend) SumSquares(dst, x *tensor.Tensor) {
	if x.DType() != tensor.F32 || x.Size() == 0 {
		b.Backend.SumSquares(dst, x)
		return
	}
	items := (x.Size() + block - 1) / block
	s := b.pool.get(2 * 16 * items)
	sums := doubles(s.f) // 16 of each item
	clear(sums)
	if n := x.Size(); n <= block { // without a closure, which is allocated
		b.point.sumSquares((*[16]float64)(sums), part(x, 0, n))
	} else {
		spread(n, func(lo, hi int) {
			b.point.sumSquares((*[16]float64)(sums[lo/block*16:]), part(x, lo, hi))
		})
	}
	total := &tensor.Data[float64](dst)[0]
	for _, v := range sums {
		*total += v
	}
	b.pool.put(s)
}
