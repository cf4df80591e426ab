package cpu

import (
	"unsafe"

	"phase/kernels"
	"phase/tensor"
)

// numbers are a tensor's elements, or some of them in memory order, in the form
// in which they are kept: float32 or bfloat16. Loops see float32 alone; what is
// kept in bfloat16 goes through a buffer in the nearest cache, a row at a time,
// or an item at a time where a convolution reads or writes it.
type numbers struct {
	f []float32
	h []tensor.BFloat16
}

// numbersOf are all elements of t, none if it is nil.
func numbersOf(t *tensor.Tensor) numbers {
	switch {
	case t == nil:
		return numbers{}
	case t.DType() == tensor.BF16:
		return numbers{h: tensor.Data[tensor.BFloat16](t)}
	}
	return numbers{f: tensor.Data[float32](t)}
}

// none reports whether there is no tensor.
func (v numbers) none() bool { return v.f == nil && v.h == nil }

// size is how many there are.
func (v numbers) size() int { return len(v.f) + len(v.h) }

// part is n of them, from lo on.
func (v numbers) part(lo, n int) numbers {
	switch {
	case v.h != nil:
		return numbers{h: v.h[lo:][:n]}
	case v.f != nil:
		return numbers{f: v.f[lo:][:n]}
	}
	return numbers{}
}

// room is where the float32 numbers of v are, or belong: in v itself or at the
// start of buf.
func (v numbers) room(buf []float32) []float32 {
	if v.h != nil {
		return buf[:len(v.h)]
	}
	return v.f
}

// wide are v's values as float32, in room.
func (b *Backend) wide(v numbers, buf []float32) []float32 {
	f := v.room(buf)
	if v.h != nil {
		b.point.widen(f, v.h)
	}
	return f
}

// keep rounds what was computed in room.
func (b *Backend) keep(v numbers, f []float32) {
	if v.h != nil {
		b.point.narrow(v.h, f)
	}
}

// like is scratch memory for n numbers in the form of v.
func (v numbers) like(p *pool, n int) (numbers, *scratch) {
	if v.h == nil {
		s := p.get(n)
		return numbers{f: s.f}, s
	}
	s := p.get((n + 1) / 2)
	return numbers{h: bfloats(s.f)[:n]}, s
}

// bfloats is f as room for twice as many bfloat16.
func bfloats(f []float32) []tensor.BFloat16 {
	return unsafe.Slice((*tensor.BFloat16)(unsafe.Pointer(unsafe.SliceData(f))), 2*len(f))
}

// Cast is y = x, rounded to y's dtype.
func (b *Backend) Cast(y, x *tensor.Tensor) {
	if !keeps(y) || !keeps(x) || !y.SameLayout(x) {
		b.Backend.Cast(y, x)
		return
	}
	ys, xs := numbersOf(y), numbersOf(x)
	spread(y.Size(), func(lo, hi int) {
		y, x := ys.part(lo, hi-lo), xs.part(lo, hi-lo)
		switch {
		case y.h != nil && x.h != nil:
			copy(y.h, x.h)
		case y.h != nil:
			b.point.narrow(y.h, x.f)
		case x.h != nil:
			b.point.widen(y.f, x.h)
		default:
			copy(y.f, x.f)
		}
	})
}

// keeps reports whether numbers can be t's elements.
func keeps(t *tensor.Tensor) bool { return t.DType() == tensor.F32 || t.DType() == tensor.BF16 }

// CastGrad is dx += dy.
func (b *Backend) CastGrad(dx kernels.Acc, dy *tensor.Tensor) {
	switch {
	case !dx.Wanted():
	case dx.Fresh:
		b.Cast(dx.T, dy)
	case !keeps(dx.T) || !keeps(dy) || !dx.T.SameLayout(dy):
		b.Backend.CastGrad(dx, dy)
	default:
		ds, dys := numbersOf(dx.T), numbersOf(dy)
		spread(dy.Size(), func(lo, hi int) { b.addNumbers(ds.part(lo, hi-lo), dys.part(lo, hi-lo)) })
	}
}

// addNumbers is d += v.
func (b *Backend) addNumbers(d, v numbers) {
	if d.h == nil && v.h == nil {
		b.point.add(d.f, d.f, v.f)
		return
	}
	s := b.pool.get(512)
	defer b.pool.put(s)
	sum, more := s.f[:256], s.f[256:]
	for lo := 0; lo < d.size(); lo += len(sum) {
		n := min(len(sum), d.size()-lo)
		d := d.part(lo, n)
		f := b.wide(d, sum)
		b.point.add(f, f, b.wide(v.part(lo, n), more))
		b.keep(d, f)
	}
}
