package kerneltest

import (
	"fmt"
	"math"
	"math/rand/v2"

	"phase/kernels"
	"phase/tensor"
)

func convolutions(r *rand.Rand) (cs []call) {
	type conv struct {
		p                   kernels.Conv2D
		n, c, h, w, o, r, s int
	}
	convs := []conv{
		{kernels.Conv2D{}, 1, 1, 1, 1, 1, 1, 1},
		{kernels.Conv2D{Pad: 1}, 0, 3, 4, 4, 5, 3, 3},
		{kernels.Conv2D{Pad: 1}, 2, 16, 8, 8, 16, 3, 3},
		{kernels.Conv2D{Pad: 1}, 3, 16, 4, 4, 32, 3, 3},
		{kernels.Conv2D{Pad: 1}, 1, 32, 4, 12, 16, 3, 3},
		{kernels.Conv2D{Pad: 1}, 1, 3, 32, 32, 4, 3, 3},
		{kernels.Conv2D{Stride: 2, Pad: 1}, 1, 16, 8, 8, 32, 3, 3},
		{kernels.Conv2D{Pad: 1}, 1, 64, 4, 3, 65, 3, 3},
		{kernels.Conv2D{Pad: 1}, 1, 65, 3, 4, 64, 3, 3},
		{kernels.Conv2D{Stride: 2, Pad: 3}, 1, 3, 17, 32, 7, 7, 7},
		{kernels.Conv2D{}, 2, 1031, 2, 1, 5, 1, 1},
		{kernels.Conv2D{}, 2, 5, 1, 2, 1031, 1, 1},
		{kernels.Conv2D{Stride: 2}, 2, 32, 7, 9, 33, 1, 1},
		{kernels.Conv2D{Pad: 1, Groups: 24}, 2, 24, 5, 7, 24, 3, 3},
		{kernels.Conv2D{Pad: 1, Groups: 4}, 1, 32, 5, 5, 16, 3, 3},
		{kernels.Conv2D{Pad: 2, Dilation: 2}, 2, 8, 9, 9, 12, 3, 3},
		{kernels.Conv2D{Pad: 2}, 1, 5, 1, 1, 3, 5, 5},
		{kernels.Conv2D{Pad: 2, Dilation: 2}, 1, 16, 8, 8, 4, 3, 3},
		{kernels.Conv2D{Stride: 3, Pad: 3}, 1, 2, 2, 2, 3, 3, 3},
		{kernels.Conv2D{}, 1, 4, 6, 5, 9, 6, 5},
	}
	for len(convs) < 60 {
		k := []int{1, 1, 2, 3, 3, 3, 5, 7}[r.IntN(8)]
		v := conv{p: kernels.Conv2D{Stride: r.IntN(4), Pad: r.IntN(4), Dilation: r.IntN(3), Groups: 1}, r: k, s: k}
		if r.IntN(4) == 0 {
			v.p.Groups = 1 + r.IntN(4)
		}
		if r.IntN(5) == 0 {
			v.s = 1 + r.IntN(4)
		}
		g := v.p.Groups
		v.n, v.c, v.o = 1+r.IntN(5), g*(1+r.IntN(40/g)), g*(1+r.IntN(40/g))
		v.h, v.w = 1+r.IntN(17), 1+r.IntN(17)
		oh, ow := v.p.Out(v.h, v.r), v.p.Out(v.w, v.s)
		// Small enough for ref, and not without any output.
		if v.h+2*v.p.Pad > v.p.D()*(v.r-1) && v.w+2*v.p.Pad > v.p.D()*(v.s-1) && v.n*v.o*oh*ow*v.c/g*v.r*v.s < 20000 {
			convs = append(convs, v)
		}
	}
	for _, v := range convs {
		x, w := []int{v.n, v.c, v.h, v.w}, []int{v.o, v.c / v.p.G(), v.r, v.s}
		y := []int{v.n, v.o, v.p.Out(v.h, v.r), v.p.Out(v.w, v.s)}
		k := v.c / v.p.G() * v.r * v.s
		detail := fmt.Sprintf("%+v x %v w %v", v.p, tensor.Shape(x), tensor.Shape(w))
		cs = append(cs,
			call{"Conv2D", detail, terms, k, func(o *operands) []any { return []any{v.p, o.out(y...), o.x(0, x...), o.in(w...)} }},
			call{"Conv2DGradX", detail, terms, k * v.o / v.c, func(o *operands) []any {
				return []any{v.p, o.acc(x...), o.in(w...), o.x(0, y...)}
			}},
			call{"Conv2DGradW", detail, terms, v.n * y[2] * y[3], func(o *operands) []any {
				return []any{v.p, o.flatAcc(w...), o.x(0, x...), o.x(0, y...)}
			}})
	}
	// One bad pixel spoils only the outputs that see it.
	for _, bad := range []float64{math.NaN(), math.Inf(-1)} {
		for _, p := range []kernels.Conv2D{{Pad: 1}, {Stride: 2, Pad: 1}} {
			spoiled := func(o *operands, shape ...int) *tensor.Tensor {
				r := o.rand()
				return o.floats("in", true, shape, func(i int) float64 {
					if i == shape[1]*(2*shape[3]+1)+2 {
						return bad
					}
					return r.NormFloat64()
				}).t
			}
			detail := fmt.Sprintf("%+v, %v in one pixel", p, bad)
			cs = append(cs, call{"Conv2D", detail, terms, 36, func(o *operands) []any {
				return []any{p, o.out(2, 5, p.Out(9, 3), p.Out(8, 3)), spoiled(o, 2, 4, 9, 8), o.in(5, 4, 3, 3)}
			}}, call{"Conv2DGradX", detail, terms, 45, func(o *operands) []any {
				return []any{p, o.acc(2, 4, 9, 8), o.in(5, 4, 3, 3), spoiled(o, 2, 5, p.Out(9, 3), p.Out(8, 3))}
			}})
		}
	}
	return cs
}

func norms(r *rand.Rand) (cs []call) {
	shapes := [][]int{{1, 1}, {5, 1}, {7, 33}, {300, 17}, {2, 1000}, {1, 1, 1, 2}, {2, 16, 8, 8}, {3, 64, 4, 5}, {1, 65, 7, 3}, {2, 3, 17, 16}, {1, 1031, 2, 2}, {5, 1, 32, 32}, {2, 32, 32, 32}}
	for range 8 {
		shapes = append(shapes, []int{1 + r.IntN(5), 1 + r.IntN(40), 1 + r.IntN(9), 1 + r.IntN(9)})
	}
	for _, s := range shapes {
		c, m := s[1], tensor.Shape(s).Size()/s[1]
		for i := range 4 {
			if i != 3 && tensor.Shape(s).Size() > 9000 {
				continue // large shapes are there for the threads
			}
			p, residual := kernels.BatchNorm{Eps: 1e-2, ReLU: i&1 != 0}, i&2 != 0
			for _, mean := range []float64{0, 100} {
				if mean > 0 && i > 0 {
					continue
				}
				detail := fmt.Sprintf("%v %+v residual %v mean %v", tensor.Shape(s), p, residual, mean)
				rest := func(o *operands) *tensor.Tensor {
					if residual {
						return o.x(0, s...)
					}
					return nil
				}
				cs = append(cs,
					call{"BatchNorm", detail, largest, m, func(o *operands) []any {
						return []any{p, o.out(s...), o.flat(c), o.flat(c), o.x(mean, s...), o.in(c), o.in(c), rest(o)}
					}},
					call{"BatchNormEval", detail, largest, 1, func(o *operands) []any {
						return []any{p, o.out(s...), o.x(mean, s...), o.in(c), o.in(c), o.in(c), o.positive(c), rest(o)}
					}})
			}
			detail := fmt.Sprintf("%v %+v", tensor.Shape(s), p)
			grad := func(o *operands) []any {
				return []any{p, o.acc(s...), o.flatAcc(c), o.flatAcc(c), o.acc(s...), o.x(.5, s...), o.x(0, s...), o.in(c), o.in(c), o.positive(c), o.x(0, s...)}
			}
			if residual == p.ReLU {
				cs = append(cs, call{"BatchNormGrad", detail, largest, m, grad}, call{"BatchNormEvalGrad", detail, largest, m, grad})
			}
		}
	}
	// A constant channel has variance 0; a bad number spoils its channel only.
	for _, bad := range []float64{7, math.NaN(), math.Inf(1)} {
		cs = append(cs, call{"BatchNorm", fmt.Sprintf("%v in a constant channel", bad), largest, 48, func(o *operands) []any {
			x := o.floats("in", true, []int{3, 5, 4, 4}, func(i int) float64 {
				switch {
				case i == 10*5+1:
					return bad
				case i%5 == 1:
					return 7
				}
				return math.Sin(float64(i))
			}).t
			return []any{kernels.BatchNorm{Eps: 1e-2}, o.out(3, 5, 4, 4), o.flat(5), o.flat(5), x, o.in(5), o.in(5), (*tensor.Tensor)(nil)}
		}})
	}
	return cs
}

func pools(r *rand.Rand) (cs []call) {
	type pool struct {
		p          kernels.Pool2D
		n, c, h, w int
	}
	ps := []pool{
		{kernels.Pool2D{Size: 1}, 1, 1, 1, 1}, {kernels.Pool2D{Size: 2}, 0, 3, 4, 4}, {kernels.Pool2D{Size: 3, Stride: 2, Pad: 1}, 1, 64, 16, 16}, {kernels.Pool2D{Size: 2}, 2, 1031, 2, 3},
		{kernels.Pool2D{Size: 3, Stride: 1, Pad: 1}, 2, 65, 3, 5}, {kernels.Pool2D{Size: 2}, 1, 16, 32, 32}, {kernels.Pool2D{Size: 2, Stride: 3}, 2, 5, 8, 11}, {kernels.Pool2D{Size: 7, Stride: 2, Pad: 3}, 1, 9, 9, 17},
	}
	for len(ps) < 40 {
		v := pool{kernels.Pool2D{Size: 1 + r.IntN(5), Stride: r.IntN(4)}, 1 + r.IntN(5), 1 + r.IntN(40), 1 + r.IntN(17), 1 + r.IntN(17)}
		v.p.Pad = r.IntN(v.p.Size/2 + 1)
		if v.p.Size <= min(v.h, v.w)+2*v.p.Pad && v.n*v.c*v.h*v.w < 12000 {
			ps = append(ps, v)
		}
	}
	for _, v := range ps {
		x, y := []int{v.n, v.c, v.h, v.w}, []int{v.n, v.c, v.p.Out(v.h), v.p.Out(v.w)}
		area, detail := v.p.Size*v.p.Size, fmt.Sprintf("%+v x %v", v.p, tensor.Shape(x))
		// Few values, so that maxima tie.
		ties := func(o *operands) *tensor.Tensor {
			r := o.rand()
			return o.floats("in", true, x, func(int) float64 { return float64(r.IntN(5) - 4) }).t
		}
		cs = append(cs,
			call{"MaxPool", detail, exact, 1, func(o *operands) []any { return []any{v.p, o.out(y...), o.places(y...), o.x(-3, x...)} }},
			call{"MaxPool", detail + " with ties", exact, 1, func(o *operands) []any { return []any{v.p, o.out(y...), o.places(y...), ties(o)} }},
			call{"MaxPool", detail + " with special numbers", exact, 1, func(o *operands) []any {
				return []any{v.p, o.out(y...), o.places(y...), o.floats("in", true, x, pick(o.seed)).t}
			}},
			call{"MaxPoolGrad", detail, terms, area, func(o *operands) []any {
				arg := make([]float64, tensor.Shape(y).Size()) // each output's window has its first place inside the image
				for k := range arg {
					i, j := k/(v.c*y[3])%y[2], k/v.c%y[3]
					arg[k] = float64(max(i*v.p.S()-v.p.Pad, 0)*v.w + max(j*v.p.S()-v.p.Pad, 0))
				}
				a := o.acc(x...)
				return []any{v.p, a, hold(o, "arg", true, arg, y, integer).t, o.x(0, y...)}
			}},
			call{"AvgPool", detail, terms, area, func(o *operands) []any { return []any{v.p, o.out(y...), o.x(0, x...)} }},
			call{"AvgPoolGrad", detail, terms, area, func(o *operands) []any { return []any{v.p, o.acc(x...), o.x(0, y...)} }},
			call{"GlobalAvgPool", detail, terms, v.h * v.w, func(o *operands) []any { return []any{o.flat(v.n, v.c), o.x(0, x...)} }},
			call{"GlobalAvgPoolGrad", detail, terms, 1, func(o *operands) []any { return []any{o.acc(x...), o.in(v.n, v.c)} }})
	}
	return cs
}

func losses(r *rand.Rand) (cs []call) {
	for _, s := range [][]int{{1, 1}, {0, 5}, {1, 2}, {3, 4}, {128, 10}, {7, 100}, {2, 1000}, {3, 1031}, {33, 17}, {2, 3, 5}, {9}} {
		k := s[len(s)-1]
		detail := tensor.Shape(s).String()
		cs = append(cs,
			call{"LogSoftmax", detail, largest, k, func(o *operands) []any { return []any{o.flat(s...), o.in(s...)} }},
			call{"LogSoftmaxGrad", detail, largest, k, func(o *operands) []any { return []any{o.flatAcc(s...), o.in(s...), o.in(s...)} }})
	}
	wide := func(o *operands, n, k int) *tensor.Tensor {
		r := o.rand()
		return o.of(func(int) float64 { return 1e4 * float64(r.IntN(3)-1) }, n, k)
	}
	cs = append(cs,
		call{"LogSoftmax", "logits of ±1e4", largest, 9, func(o *operands) []any { return []any{o.flat(40, 9), wide(o, 40, 9)} }},
		call{"LogSoftmax", "masked and NaN", largest, 4, func(o *operands) []any {
			inf, nan := math.Inf(-1), math.NaN()
			rows := []float64{1, inf, 0, inf, nan, 1, 2, 3, 0, 1, nan, 2, 5, inf, inf, inf}
			return []any{o.flat(4, 4), o.of(func(i int) float64 { return rows[i] }, 4, 4)}
		}})
	gammas := []float64{0, .5, 1, 2, 4}
	sizes := [][2]int{{1, 1}, {0, 3}, {1, 2}, {128, 10}, {5, 100}, {2, 1000}, {2, 1031}, {33, 17}, {7, 3}}
	for i := range 90 {
		p := kernels.SoftmaxLoss{
			GammaPos: gammas[r.IntN(5)], GammaNeg: gammas[r.IntN(5)], Smooth: []float64{0, .1, .5}[r.IntN(3)],
			Form: kernels.Form(i % 3), Detach: r.IntN(2) == 0,
		}
		n, k := sizes[i/3%len(sizes)][0], sizes[i/3%len(sizes)][1]
		for _, spread := range []float64{1, 6} {
			detail := fmt.Sprintf("%+v (%d,%d) spread %v", p, n, k, spread)
			cs = append(cs,
				call{"SoftmaxLoss", detail, largest, k, func(o *operands) []any {
					r := o.rand()
					x := o.of(func(int) float64 { return spread * r.NormFloat64() }, n, k)
					return []any{p, o.flat(n), o.flat(n, k), x, o.ints(k, n), o.positive(n)}
				}},
				call{"SoftmaxLossGrad", detail, terms, 1, func(o *operands) []any { return []any{o.flatAcc(n, k), o.in(n, k), o.in(n)} }})
		}
		cs = append(cs, call{"SoftmaxLoss", fmt.Sprintf("%+v logits of ±1e4", p), largest, 9, func(o *operands) []any {
			return []any{p, o.flat(20), o.flat(20, 9), wide(o, 20, 9), o.ints(9, 20), o.positive(20)}
		}})
	}
	return cs
}
