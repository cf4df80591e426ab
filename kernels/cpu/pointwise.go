package cpu

import (
	"math"

	"phase/kernels"
	"phase/tensor"
)

// block is the number of floats that one item of elementwise work has: small
// enough to stay in the second-level cache, some 10 µs of memory traffic.
const block = 1 << 14

// spread cuts n elements into blocks and calls f(lo, hi) for each.
func spread(n int, f func(lo, hi int)) {
	if n <= block {
		f(0, n)
		return
	}
	par((n+block-1)/block, func(i int) { f(i*block, min((i+1)*block, n)) })
}

// part is elements lo:hi of a packed tensor, in memory order.
func part(t *tensor.Tensor, lo, hi int) []float32 { return tensor.Data[float32](t)[lo:hi] }

// A curve is a function of one number and its derivative by x, given x and
// y = f(x).
type curve struct {
	f  func(x float64) float64
	df func(x, y float64) float64
}

// curves lists the functions that are computed one number at a time; ReLU is
// not among them.
var curves = [kernels.NumFn]curve{
	kernels.Exp:     {math.Exp, func(_, y float64) float64 { return y }},
	kernels.Log:     {math.Log, func(x, _ float64) float64 { return 1 / x }},
	kernels.Tanh:    {math.Tanh, func(_, y float64) float64 { return 1 - y*y }},
	kernels.Sigmoid: {func(x float64) float64 { return 1 / (1 + math.Exp(-x)) }, func(_, y float64) float64 { return y - y*y }},
	kernels.GELU:    {func(x float64) float64 { return x * cdf(x) }, geluSlope},
	kernels.Sqrt:    {math.Sqrt, func(_, y float64) float64 { return .5 / y }},
	kernels.Rsqrt:   {func(x float64) float64 { return 1 / math.Sqrt(x) }, func(_, y float64) float64 { return -.5 * y * y * y }},
	kernels.Square:  {func(x float64) float64 { return x * x }, func(x, _ float64) float64 { return x + x }},
	kernels.Abs:     {math.Abs, sign},
}

// cdf is Φ, the standard normal distribution.
func cdf(x float64) float64 { return math.Erfc(-x*(math.Sqrt2/2)) / 2 }

// geluSlope is Φ(x) + x·φ(x), φ being the standard normal density.
func geluSlope(x, _ float64) float64 {
	return cdf(x) + x*math.Exp(-x*x/2)/math.Sqrt(2*math.Pi)
}

// sign is -1, 0 or 1; a NaN has a NaN's.
func sign(x, _ float64) float64 {
	if x == 0 || x != x {
		return x
	}
	return math.Copysign(1, x)
}

// known reports whether f is computed here; what is not is left to ref.
func known(f kernels.Fn) bool { return f == kernels.ReLU || curves[f].f != nil }

// Map is y = f(x).
func (b *Backend) Map(f kernels.Fn, y, x *tensor.Tensor) {
	if x.DType() != tensor.F32 || !known(f) {
		b.Backend.Map(f, y, x)
		return
	}
	spread(y.Size(), func(lo, hi int) {
		y, x := part(y, lo, hi), part(x, lo, hi)
		if f == kernels.ReLU {
			b.point.relu(y, x)
			return
		}
		fn := curves[f].f
		for i, v := range x {
			y[i] = float32(fn(float64(v)))
		}
	})
}

// MapGrad is dx += f'(x)·dy.
func (b *Backend) MapGrad(f kernels.Fn, dx kernels.Acc, x, y, dy *tensor.Tensor) {
	switch {
	case !dx.Wanted():
		return
	case dy.DType() != tensor.F32 || !known(f):
		b.Backend.MapGrad(f, dx, x, y, dy)
		return
	}
	spread(dy.Size(), func(lo, hi int) {
		d, x, y, dy := part(dx.T, lo, hi), part(x, lo, hi), part(y, lo, hi), part(dy, lo, hi)
		if f == kernels.ReLU {
			b.reluGrad(d, dx.Fresh, y, dy)
			return
		}
		df := curves[f].df
		for i, v := range x {
			g := df(float64(v), float64(y[i])) * float64(dy[i])
			if !dx.Fresh {
				g += float64(d[i])
			}
			d[i] = float32(g)
		}
	})
}

func (b *Backend) reluGrad(d []float32, fresh bool, y, dy []float32) {
	if fresh {
		b.point.reluGrad(d, y, dy)
	} else {
		b.point.reluGradAdd(d, y, dy)
	}
}

// Affine is y = Mul·x + Add.
func (b *Backend) Affine(p kernels.Affine, y, x *tensor.Tensor) {
	if x.DType() != tensor.F32 {
		b.Backend.Affine(p, y, x)
		return
	}
	m, a := float32(p.Mul), float32(p.Add)
	if n := y.Size(); n <= block { // a norm's statistics: no closure
		b.point.affine(part(y, 0, n), part(x, 0, n), m, a)
		return
	}
	spread(y.Size(), func(lo, hi int) { b.point.affine(part(y, lo, hi), part(x, lo, hi), m, a) })
}

// AXPY is y += a·x.
func (b *Backend) AXPY(a float64, y kernels.Acc, x *tensor.Tensor) {
	switch {
	case !y.Wanted():
		return
	case x.DType() != tensor.F32:
		b.Backend.AXPY(a, y, x)
		return
	}
	if n := x.Size(); n <= block {
		b.addScaled(part(y.T, 0, n), y.Fresh, part(x, 0, n), float32(a))
		return
	}
	spread(x.Size(), func(lo, hi int) { b.addScaled(part(y.T, lo, hi), y.Fresh, part(x, lo, hi), float32(a)) })
}

// addScaled is y += a·x, or y = a·x if y is fresh.
func (b *Backend) addScaled(y []float32, fresh bool, x []float32, a float32) {
	switch {
	case fresh && a == 1:
		copy(y, x)
	case fresh:
		b.point.affine(y, x, a, 0)
	default:
		b.point.axpy(y, x, a)
	}
}

// Binary is z = f(x, y), element by element.
func (b *Backend) Binary(f kernels.Fn2, z, x, y *tensor.Tensor) {
	switch {
	case z.DType() != tensor.F32:
		b.Backend.Binary(f, z, x, y)
		return
	case z.SameLayout(x) && z.SameLayout(y):
		op := b.point.binary[f]
		spread(z.Size(), func(lo, hi int) { op(part(z, lo, hi), part(x, lo, hi), part(y, lo, hi)) })
		return
	}
	op, slow := b.point.binary[f], pointwiseGo.binary[f]
	zs, xs, ys := tensor.Window[float32](z), tensor.Window[float32](x), tensor.Window[float32](y)
	w := newWalk(z.Shape(), z.Strides(), x.Strides(), y.Strides())
	sx, sy := w.stride(1), w.stride(2)
	w.rows(func(at [maxOperands]int, n int) {
		z := zs[at[0]:][:n]
		if sx == 1 && sy == 1 {
			op(z, xs[at[1]:][:n], ys[at[2]:][:n])
			return
		}
		var bx, by [64]float32
		for lo := 0; lo < n; lo += len(bx) {
			m := min(len(bx), n-lo)
			for i := range m {
				bx[i], by[i] = xs[at[1]+(lo+i)*sx], ys[at[2]+(lo+i)*sy]
			}
			slow(z[lo:lo+m], bx[:m], by[:m])
		}
	})
	walks.Put(w)
}

// BinaryGrad is d += Σ ∂f/∂arg·dz, the sum being over the axes along which the
// argument was broadcast.
func (b *Backend) BinaryGrad(f kernels.Fn2, arg int, d kernels.Acc, x, y, dz *tensor.Tensor) {
	other := y
	if arg == 1 {
		other = x
	}
	switch {
	case !d.Wanted():
		return
	case dz.DType() != tensor.F32 || f == kernels.Div || dz.Size() == 0:
		b.Backend.BinaryGrad(f, arg, d, x, y, dz)
		return
	case f == kernels.Mul && d.T.SameLayout(dz) && other.SameLayout(dz):
		spread(dz.Size(), func(lo, hi int) {
			if d.Fresh {
				b.point.binary[kernels.Mul](part(d.T, lo, hi), part(other, lo, hi), part(dz, lo, hi))
			} else {
				b.point.mulAdd(part(d.T, lo, hi), part(other, lo, hi), part(dz, lo, hi))
			}
		})
		return
	case f != kernels.Mul && d.T.SameLayout(dz):
		a := 1.0
		if f == kernels.Sub && arg == 1 {
			a = -1
		}
		b.AXPY(a, d, dz)
		return
	}
	strides, scale := expanded(d.T, dz.Shape()), 1.0
	if f == kernels.Sub && arg == 1 {
		scale = -1
	}
	if f != kernels.Mul {
		other = nil
	}
	b.sumInto(d.T, strides[:dz.Dims()], d.Fresh, scale, dz, other)
}

// Dropout is y = x/(1-Rate), or 0 where the element is dropped.
func (b *Backend) Dropout(p kernels.Dropout, y, x *tensor.Tensor) {
	if x.DType() != tensor.F32 {
		b.Backend.Dropout(p, y, x)
		return
	}
	spread(y.Size(), func(lo, hi int) {
		y, x, keep := part(y, lo, hi), part(x, lo, hi), float32(1-p.Rate)
		for i, v := range x {
			y[i] = 0
			if p.Keep(lo + i) {
				y[i] = v / keep
			}
		}
	})
}

// DropoutGrad is dx += dy/(1-Rate) where the element was kept.
func (b *Backend) DropoutGrad(p kernels.Dropout, dx kernels.Acc, dy *tensor.Tensor) {
	switch {
	case !dx.Wanted():
		return
	case dy.DType() != tensor.F32:
		b.Backend.DropoutGrad(p, dx, dy)
		return
	}
	spread(dy.Size(), func(lo, hi int) {
		d, dy, keep := part(dx.T, lo, hi), part(dy, lo, hi), float32(1-p.Rate)
		for i, v := range dy {
			if dx.Fresh {
				d[i] = 0
			}
			if p.Keep(lo + i) {
				d[i] += v / keep
			}
		}
	})
}
