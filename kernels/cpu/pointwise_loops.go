package cpu

import (
	"math"

	"phase/kernels"
	"phase/tensor"
)

// pointwiseKernels are the innermost loops of the elementwise kernels. Each
// runs along slices of one length; a destination may be one of the inputs. An
// assembly variant differs from the Go loops by rounding alone: it fuses
// multiply and add.
type pointwiseKernels struct {
	binary [kernels.NumFn2]func(z, x, y []float32) // z = x∘y
	mulAdd func(z, x, y []float32)                 // z += x·y

	axpy   func(y, x []float32, a float32)    // y += a·x
	affine func(y, x []float32, m, a float32) // y = m·x + a

	relu        func(y, x []float32)      // y = max(x, 0)
	reluGrad    func(dx, y, dy []float32) // dx = dy where y > 0, else 0
	reluGradAdd func(dx, y, dy []float32) // dx += the same

	widen  func(y []float32, x []tensor.BFloat16) // y = x
	narrow func(y []tensor.BFloat16, x []float32) // y = x, rounded to the nearest, ties to even

	// maxTap: best = x, where = pixel if x > best, or if x is the first NaN.
	maxTap func(best []float32, where []int32, x []float32, pixel int32)

	exp func(y, x []float32, p *expSeries) // y = e^x, 0 below p.low, e^p.high above p.high

	sumSquares func(acc *[16]float64, x []float32) // acc[i%16] += x[i]²

	sgd         func(w, g []float32, lr, decay float32)         // w -= lr·(g + decay·w)
	sgdMomentum func(w, v, g []float32, lr, mom, decay float32) // v = mom·v + g + decay·w; w -= lr·v
	sgdNesterov func(w, v, g []float32, lr, mom, decay float32) // the same v; w -= lr·(g + decay·w + mom·v)
	adamW       func(w, m, v, g []float32, p *adamStep)
}

// add is z = x + y.
func (p *pointwiseKernels) add(z, x, y []float32) { p.binary[kernels.Add](z, x, y) }

// expSeries is what the exponential is computed from: the range of x, ln 2 in a
// part of few digits, whose multiples are exact, and the rest, and the
// coefficients of the series.
type expSeries struct{ low, high, log2e, ln2, ln2Rest, c7, c6, c5, c4, c3, c2, c1 float32 }

// series begins where a float32 begins to lose digits.
var series = expSeries{
	low: -87, high: 88, log2e: math.Log2E, ln2: 0x1.62e4p-1, ln2Rest: math.Ln2 - 0x1.62e4p-1,
	c7: 1. / 5040, c6: 1. / 720, c5: 1. / 120, c4: 1. / 24, c3: 1. / 6, c2: 1. / 2, c1: 1,
}

// adamStep is what a step of AdamW knows before it sees an element:
// m += g1·(g-m); v = b2·v + g2·g²; w = shrink·w - rate·m/(√v·root + eps).
type adamStep struct{ g1, b2, g2, shrink, rate, root, eps float32 }

var pointwiseGo = pointwiseKernels{
	binary: [...]func(z, x, y []float32){kernels.Add: addGo, kernels.Sub: subGo, kernels.Mul: mulGo, kernels.Div: divGo},
	mulAdd: func(z, x, y []float32) {
		x, y = x[:len(z)], y[:len(z)]
		for i := range z {
			z[i] += x[i] * y[i]
		}
	},
	axpy: func(y, x []float32, a float32) {
		x = x[:len(y)]
		for i := range y {
			y[i] += a * x[i]
		}
	},
	affine: func(y, x []float32, m, a float32) {
		x = x[:len(y)]
		for i := range y {
			y[i] = m*x[i] + a
		}
	},
	exp: func(y, x []float32, p *expSeries) {
		x = x[:len(y)]
		for i, v := range x {
			y[i] = 0
			if !(v < p.low) {
				y[i] = float32(math.Exp(float64(min(v, p.high))))
			}
		}
	},
	relu: func(y, x []float32) {
		x = x[:len(y)]
		for i := range y {
			y[i] = max(x[i], 0)
		}
	},
	reluGrad: func(dx, y, dy []float32) {
		y, dy = y[:len(dx)], dy[:len(dx)]
		for i := range dx {
			dx[i] = kept(y[i], dy[i])
		}
	},
	reluGradAdd: func(dx, y, dy []float32) {
		y, dy = y[:len(dx)], dy[:len(dx)]
		for i := range dx {
			dx[i] += kept(y[i], dy[i])
		}
	},
	widen:  widenGo,
	narrow: narrowGo,
	maxTap: func(best []float32, where []int32, x []float32, pixel int32) {
		where, x = where[:len(best)], x[:len(best)]
		for i, v := range x {
			if v > best[i] || v != v && best[i] == best[i] {
				best[i], where[i] = v, pixel
			}
		}
	},
	sumSquares: func(acc *[16]float64, x []float32) {
		for i, v := range x {
			acc[i%16] += float64(v) * float64(v)
		}
	},
	sgd: func(w, g []float32, lr, decay float32) {
		g = g[:len(w)]
		for i := range w {
			w[i] -= lr * (g[i] + decay*w[i])
		}
	},
	sgdMomentum: func(w, v, g []float32, lr, mom, decay float32) {
		v, g = v[:len(w)], g[:len(w)]
		for i := range w {
			v[i] = mom*v[i] + (g[i] + decay*w[i])
			w[i] -= lr * v[i]
		}
	},
	sgdNesterov: func(w, v, g []float32, lr, mom, decay float32) {
		v, g = v[:len(w)], g[:len(w)]
		for i := range w {
			d := g[i] + decay*w[i]
			v[i] = mom*v[i] + d
			w[i] -= lr * (d + mom*v[i])
		}
	},
	adamW: func(w, m, v, g []float32, p *adamStep) {
		m, v, g = m[:len(w)], v[:len(w)], g[:len(w)]
		for i := range w {
			m[i] += p.g1 * (g[i] - m[i])
			v[i] = p.b2*v[i] + p.g2*g[i]*g[i]
			w[i] = p.shrink*w[i] - p.rate*m[i]/(float32(math.Sqrt(float64(v[i])))*p.root+p.eps)
		}
	},
}

func widenGo(y []float32, x []tensor.BFloat16) {
	x = x[:len(y)]
	for i := range y {
		y[i] = x[i].Float32()
	}
}

func narrowGo(y []tensor.BFloat16, x []float32) {
	x = x[:len(y)]
	for i := range y {
		y[i] = tensor.ToBFloat16(x[i])
	}
}

func addGo(z, x, y []float32) {
	x, y = x[:len(z)], y[:len(z)]
	for i := range z {
		z[i] = x[i] + y[i]
	}
}

func subGo(z, x, y []float32) {
	x, y = x[:len(z)], y[:len(z)]
	for i := range z {
		z[i] = x[i] - y[i]
	}
}

func mulGo(z, x, y []float32) {
	x, y = x[:len(z)], y[:len(z)]
	for i := range z {
		z[i] = x[i] * y[i]
	}
}

func divGo(z, x, y []float32) {
	x, y = x[:len(z)], y[:len(z)]
	for i := range z {
		z[i] = x[i] / y[i]
	}
}

// kept is dy where ReLU let its input pass, y > 0, else 0. It does not branch,
// as no processor foresees which way: the bits of the numbers above 0, in order,
// are 1 to those of +Inf.
func kept(y, dy float32) float32 {
	const inf = 0x7f800000
	above := int64(math.Float32bits(y)-1) - inf
	return math.Float32frombits(math.Float32bits(dy) & uint32(above>>63))
}
