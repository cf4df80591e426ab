package cpu

import (
	"phase/kernels"
	"phase/tensor"
)

// Gather is y[i,...] = x[index[i],...].
func (b *Backend) Gather(y, x, index *tensor.Tensor) {
	if x.DType() != tensor.F32 {
		b.Backend.Gather(y, x, index)
		return
	}
	row := x.Shape()[1:].Size()
	planes(index.Size(), row, func(first, last int) {
		from := tensor.Data[int64](index)
		for i := first; i < last; i++ {
			r := int(from[i]) * row
			copy(part(y, i*row, (i+1)*row), part(x, r, r+row))
		}
	})
}

// GatherGrad is dx[index[i],...] += dy[i,...]; rows picked twice receive the
// sum, in the order of index.
func (b *Backend) GatherGrad(dx kernels.Acc, index, dy *tensor.Tensor) {
	switch {
	case !dx.Wanted():
		return
	case dy.DType() != tensor.F32:
		b.Backend.GatherGrad(dx, index, dy)
		return
	}
	row := dx.T.Shape()[1:].Size()
	d, g, to := tensor.Data[float32](dx.Zeroed()), tensor.Data[float32](dy), tensor.Data[int64](index)
	const width = 1024 // columns of an item
	par((row+width-1)/width, func(column int) {
		lo, hi := column*width, min((column+1)*width, row)
		for i, r := range to {
			d := d[int(r)*row:][lo:hi]
			b.point.add(d, d, g[i*row:][lo:hi])
		}
	})
}
