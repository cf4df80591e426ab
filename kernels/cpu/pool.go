package cpu

import (
	"math"
	"unsafe"

	"phase/kernels"
	"phase/tensor"
)

// A pooling is the geometry of one call over channels-last images: x (n,c,h,w),
// y (n,c,oh,ow).
type pooling struct {
	kernels.Pool2D
	n, c, h, w, oh, ow int
}

func poolingOf(p kernels.Pool2D, y, x *tensor.Tensor) pooling {
	return pooling{p, x.Dim(0), x.Dim(1), x.Dim(2), x.Dim(3), y.Dim(2), y.Dim(3)}
}

// taps calls f(pixel, at) for the pixels of a plane (h,w) that output (oi,oj)
// looks at, row by row; at is where the pixel's channels start in the image.
func (p *pooling) taps(oi, oj int, f func(pixel, at int)) {
	top, left := oi*p.S()-p.Pad, oj*p.S()-p.Pad
	for i := max(top, 0); i < min(top+p.Size, p.h); i++ {
		for j := max(left, 0); j < min(left+p.Size, p.w); j++ {
			f(i*p.w+j, (i*p.w+j)*p.c)
		}
	}
}

// row calls f(image, o, oi, oj) for one of the n·oh rows of output pixels; image
// and o are where the image's and the output's channels start.
func (p *pooling) row(i int, f func(image, o, oi, oj int)) {
	for oj := range p.ow {
		f(i/p.oh*p.h*p.w*p.c, (i*p.ow+oj)*p.c, i%p.oh, oj)
	}
}

// images calls f(d, o, oi, oj) for every output pixel, in parallel over images,
// with the image's gradient d, which it clears first if it is fresh.
func (p *pooling) images(dx kernels.Acc, f func(d []float32, o, oi, oj int)) {
	all := tensor.Data[float32](dx.T)
	size := p.h * p.w * p.c
	par(p.n, func(n int) {
		d := all[n*size:][:size]
		if dx.Fresh {
			clear(d)
		}
		for oi := range p.oh {
			for oj := range p.ow {
				f(d, ((n*p.oh+oi)*p.ow+oj)*p.c, oi, oj)
			}
		}
	})
}

// MaxPool is y = max over the window; arg says where in the plane.
func (b *Backend) MaxPool(p kernels.Pool2D, y, arg, x *tensor.Tensor) {
	if x.DType() != tensor.F32 {
		b.Backend.MaxPool(p, y, arg, x)
		return
	}
	g := poolingOf(p, y, x)
	xs, ys, args := tensor.Data[float32](x), tensor.Data[float32](y), tensor.Data[int64](arg)
	par(g.n*g.oh, func(item int) {
		s := b.pool.get(g.c)
		where := unsafe.Slice((*int32)(unsafe.Pointer(unsafe.SliceData(s.f))), g.c)
		g.row(item, func(image, o, oi, oj int) {
			best, first := ys[o:][:g.c], true
			for c := range best {
				best[c], where[c] = float32(math.Inf(-1)), -1
			}
			g.taps(oi, oj, func(pixel, at int) {
				x := xs[image+at:][:g.c]
				if !first {
					b.point.maxTap(best, where, x, int32(pixel))
					return
				}
				first = false
				copy(best, x)
				for c := range where {
					where[c] = int32(pixel)
				}
			})
			for c, pixel := range where {
				args[o+c] = int64(pixel)
			}
		})
		b.pool.put(s)
	})
}

// MaxPoolGrad gives each dy to the place its maximum came from.
func (b *Backend) MaxPoolGrad(p kernels.Pool2D, dx kernels.Acc, arg, dy *tensor.Tensor) {
	switch {
	case !dx.Wanted():
		return
	case dy.DType() != tensor.F32:
		b.Backend.MaxPoolGrad(p, dx, arg, dy)
		return
	}
	g := poolingOf(p, dy, dx.T)
	dys, args := tensor.Data[float32](dy), tensor.Data[int64](arg)
	g.images(dx, func(d []float32, o, _, _ int) {
		for c, pixel := range args[o:][:g.c] {
			d[int(pixel)*g.c+c] += dys[o+c]
		}
	})
}

// AvgPool is y = (Σ over the window)/Size².
func (b *Backend) AvgPool(p kernels.Pool2D, y, x *tensor.Tensor) {
	if x.DType() != tensor.F32 {
		b.Backend.AvgPool(p, y, x)
		return
	}
	g := poolingOf(p, y, x)
	xs, ys, share := tensor.Data[float32](x), tensor.Data[float32](y), 1/float32(p.Size*p.Size)
	par(g.n*g.oh, func(item int) {
		g.row(item, func(image, o, oi, oj int) {
			sum := ys[o:][:g.c]
			clear(sum)
			g.taps(oi, oj, func(_, at int) { b.point.add(sum, sum, xs[image+at:][:g.c]) })
			b.point.affine(sum, sum, share, 0)
		})
	})
}

// AvgPoolGrad gives dy/Size² to every place of the window.
func (b *Backend) AvgPoolGrad(p kernels.Pool2D, dx kernels.Acc, dy *tensor.Tensor) {
	switch {
	case !dx.Wanted():
		return
	case dy.DType() != tensor.F32:
		b.Backend.AvgPoolGrad(p, dx, dy)
		return
	}
	g := poolingOf(p, dy, dx.T)
	dys, share := tensor.Data[float32](dy), 1/float32(p.Size*p.Size)
	g.images(dx, func(d []float32, o, oi, oj int) {
		g.taps(oi, oj, func(_, at int) { b.point.axpy(d[at:][:g.c], dys[o:][:g.c], share) })
	})
}

// planes calls f(lo, hi) for groups of the n images of size floats each, in
// parallel.
func planes(n, size int, f func(lo, hi int)) {
	group := max(block/max(size, 1), 1)
	par((n+group-1)/group, func(i int) { f(i*group, min((i+1)*group, n)) })
}

// GlobalAvgPool is y[n,c] = Σ_{i,j} x[n,c,i,j] / (h·w).
func (b *Backend) GlobalAvgPool(y, x *tensor.Tensor) {
	if x.DType() != tensor.F32 || x.Size() == 0 {
		b.Backend.GlobalAvgPool(y, x)
		return
	}
	c, pixels := x.Dim(1), x.Dim(2)*x.Dim(3)
	size := pixels * c
	planes(x.Dim(0), size, func(first, last int) {
		row := (shortestRow + c - 1) / c * c
		s := b.pool.get(row + row%2 + 2*c)
		lanes, sums := s.f[:row], doubles(s.f[row+row%2:])
		for n := first; n < last; n++ {
			image, y := part(x, n*size, (n+1)*size), part(y, n*c, (n+1)*c)
			clear(sums)
			for lo := 0; lo < size; lo += mostRows * row {
				hi := min(lo+mostRows*row, size)
				clear(lanes)
				for i := lo; i < hi; i += row {
					m := min(row, hi-i)
					b.point.add(lanes[:m], lanes[:m], image[i:i+m])
				}
				for k, v := range lanes {
					sums[k%c] += float64(v)
				}
			}
			for k, v := range sums {
				y[k] = float32(v / float64(pixels))
			}
		}
		b.pool.put(s)
	})
}

// GlobalAvgPoolGrad gives dy/(h·w) to every pixel.
func (b *Backend) GlobalAvgPoolGrad(dx kernels.Acc, dy *tensor.Tensor) {
	switch {
	case !dx.Wanted():
		return
	case dy.DType() != tensor.F32 || dy.Size() == 0:
		b.Backend.GlobalAvgPoolGrad(dx, dy)
		return
	}
	c, pixels := dx.T.Dim(1), dx.T.Dim(2)*dx.T.Dim(3)
	size := pixels * c
	planes(dx.T.Dim(0), size, func(first, last int) {
		row := min((shortestRow+c-1)/c, max(pixels, 1)) * c
		s := b.pool.get(row)
		for n := first; n < last; n++ {
			b.point.affine(s.f[:c], part(dy, n*c, (n+1)*c), 1/float32(pixels), 0)
			for i := c; i < row; i += c {
				copy(s.f[i:], s.f[:c])
			}
			d := part(dx.T, n*size, (n+1)*size)
			for i := 0; i < size; i += row {
				m := min(row, size-i)
				b.addScaled(d[i:i+m], dx.Fresh, s.f[:m], 1)
			}
		}
		b.pool.put(s)
	})
}
