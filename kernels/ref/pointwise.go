package ref

import (
	"math"

	"phase/kernels"
	"phase/tensor"
)

// A curve is a function of one number and its derivative, which may be written
// in terms of the argument x and the value y.
type curve struct {
	f  func(x float64) float64
	df func(x, y float64) float64
}

// cdf and pdf are the standard normal distribution Φ and its density φ.
func cdf(x float64) float64 { return math.Erfc(-x/math.Sqrt2) / 2 }
func pdf(x float64) float64 { return math.Exp(-x*x/2) / math.Sqrt(2*math.Pi) }

var curves = [kernels.NumFn]curve{
	kernels.ReLU:    {relu, reluSlope},
	kernels.Exp:     {math.Exp, func(x, y float64) float64 { return y }},
	kernels.Log:     {log, func(x, y float64) float64 { return 1 / x }},
	kernels.Tanh:    {math.Tanh, func(x, y float64) float64 { return 1 - y*y }},
	kernels.Sigmoid: {func(x float64) float64 { return 1 / (1 + math.Exp(-x)) }, func(x, y float64) float64 { return y * (1 - y) }},
	kernels.GELU:    {func(x float64) float64 { return x * cdf(x) }, func(x, y float64) float64 { return cdf(x) + x*pdf(x) }},
	kernels.Sqrt:    {math.Sqrt, func(x, y float64) float64 { return 1 / (2 * y) }},
	kernels.Rsqrt:   {func(x float64) float64 { return 1 / math.Sqrt(x) }, func(x, y float64) float64 { return -y * y * y / 2 }},
	kernels.Square:  {func(x float64) float64 { return x * x }, func(x, y float64) float64 { return 2 * x }},
	kernels.Abs:     {math.Abs, sign},
}

// log is ln x. Below the smallest normal number math.Log is wrong on amd64, by up
// to 36.
func log(x float64) float64 {
	if x < 0x1p-1022 {
		return math.Log(x*0x1p52) - 52*math.Ln2
	}
	return math.Log(x)
}

// relu is max(x, 0); a NaN stays one.
func relu(x float64) float64 { return max(x, 0) }

// reluSlope is 1 where the output is positive, else 0: at zero too.
func reluSlope(_, y float64) float64 {
	if y > 0 {
		return 1
	}
	return 0
}

func sign(x, _ float64) float64 {
	switch {
	case x > 0:
		return 1
	case x < 0:
		return -1
	}
	return x // 0 and NaN
}

// Map is y = f(x).
func (Backend) Map(f kernels.Fn, y, x *tensor.Tensor) {
	v := tensor.Values(x)
	for i := range v {
		v[i] = curves[f].f(v[i])
	}
	store(y, v)
}

// MapGrad is dx += f'(x)·dy. Where f' is exactly zero because ReLU cut, nothing
// passes, not even an infinity.
func (Backend) MapGrad(f kernels.Fn, dx kernels.Acc, x, y, dy *tensor.Tensor) {
	xs, ys, g := tensor.Values(x), tensor.Values(y), tensor.Values(dy)
	for i := range g {
		slope := curves[f].df(xs[i], ys[i])
		if f == kernels.ReLU && slope == 0 {
			g[i] = 0
			continue
		}
		g[i] *= slope
	}
	add(dx, g)
}

// Affine is y = Mul·x + Add.
func (Backend) Affine(p kernels.Affine, y, x *tensor.Tensor) {
	v := tensor.Values(x)
	for i := range v {
		v[i] = p.Mul*v[i] + p.Add
	}
	store(y, v)
}

// AXPY is y += a·x.
func (Backend) AXPY(a float64, y kernels.Acc, x *tensor.Tensor) {
	v := tensor.Values(x)
	for i := range v {
		v[i] *= a
	}
	add(y, v)
}

// Binary is z = f(x, y), element by element.
func (Backend) Binary(f kernels.Fn2, z, x, y *tensor.Tensor) {
	v, ys := tensor.Values(x), tensor.Values(y)
	for i := range v {
		switch f {
		case kernels.Add:
			v[i] += ys[i]
		case kernels.Sub:
			v[i] -= ys[i]
		case kernels.Mul:
			v[i] *= ys[i]
		case kernels.Div:
			v[i] /= ys[i]
		}
	}
	store(z, v)
}

// partial is ∂f/∂x (arg 0) or ∂f/∂y (arg 1) at (x, y).
func partial(f kernels.Fn2, arg int, x, y float64) float64 {
	switch {
	case f == kernels.Sub && arg == 1:
		return -1
	case f == kernels.Mul && arg == 0:
		return y
	case f == kernels.Mul:
		return x
	case f == kernels.Div && arg == 0:
		return 1 / y
	case f == kernels.Div:
		return -x / (y * y)
	}
	return 1
}

// BinaryGrad is d += Σ ∂f/∂arg·dz, the sum being over the axes along which the
// argument was broadcast.
func (Backend) BinaryGrad(f kernels.Fn2, arg int, d kernels.Acc, x, y, dz *tensor.Tensor) {
	if !d.Wanted() {
		return
	}
	xs, ys := tensor.Values(x), tensor.Values(y)
	// home[k] is the element of d that element k of dz came from.
	home := places(tensor.Of(make([]float64, d.T.Size()), d.T.Shape()...).Expand(dz.Shape()...))
	g := make([]float64, d.T.Size())
	for k, v := range tensor.Values(dz) {
		g[home[k]] += partial(f, arg, xs[k], ys[k]) * v
	}
	add(d, g)
}

// Copy is dst = src, bit for bit.
func (Backend) Copy(dst, src *tensor.Tensor) {
	switch dst.DType() {
	case tensor.F32:
		copyAs[float32](dst, src)
	case tensor.F64:
		copyAs[float64](dst, src)
	case tensor.BF16:
		copyAs[tensor.BFloat16](dst, src)
	default:
		copyAs[int64](dst, src)
	}
}

func copyAs[T tensor.Number](dst, src *tensor.Tensor) {
	d, s, from := tensor.Window[T](dst), tensor.Window[T](src), places(src)
	for k, i := range places(dst) {
		d[i] = s[from[k]]
	}
}

// Cast is y = x, rounded to y's dtype.
func (Backend) Cast(y, x *tensor.Tensor) { store(y, tensor.Values(x)) }

// CastGrad is dx += dy.
func (Backend) CastGrad(dx kernels.Acc, dy *tensor.Tensor) { add(dx, tensor.Values(dy)) }

// CopyGrad is dx += dy; elements of dx that share a place receive the sum.
func (Backend) CopyGrad(dx, dy *tensor.Tensor) {
	home, sum := places(dx), map[int]float64{}
	for k, g := range tensor.Values(dy) {
		sum[home[k]] += g
	}
	v := tensor.Values(dx)
	for k := range v {
		v[k] += sum[home[k]]
	}
	store(dx, v)
}

// Dropout is y = x/(1-Rate), or 0 where the element is dropped. Whether it is
// depends on its place in memory.
func (Backend) Dropout(p kernels.Dropout, y, x *tensor.Tensor) {
	v := tensor.Values(x)
	dropout(p, v, places(x))
	store(y, v)
}

// DropoutGrad is dx += dy/(1-Rate) where the element was kept.
func (Backend) DropoutGrad(p kernels.Dropout, dx kernels.Acc, dy *tensor.Tensor) {
	g := tensor.Values(dy)
	dropout(p, g, places(dy))
	add(dx, g)
}

func dropout(p kernels.Dropout, v []float64, at []int) {
	for k := range v {
		if p.Keep(at[k]) {
			v[k] /= 1 - p.Rate
		} else {
			v[k] = 0
		}
	}
}
