package cpu

import (
	"math"
	"unsafe"
)

// A lossRow is a row of logits on its way to a loss and its derivative. Its
// three rows are padded with numbers that take no part.
type lossRow struct {
	l      *float32 // logits, then logits less the largest
	e      *float32 // their exponentials
	u      *float32 // derivatives
	n      int      // length of each, a multiple of rowStep
	top    int      // the place of the largest logit
	power  int      // the modulation's: 0, 1, 2, 4, or -1, it lies in u
	series *expSeries

	next *float32 // the row of logits that comes after this one
	out  *float32 // where the derivatives go in the end

	most, rest float32 // the largest logit; Σe without its own, which is 1
	inv, log   float32 // p = e·inv, log p = l - log
	floor      float32 // the least p whose power is worth having
	gamma      float32 // of powers
	huge       float32 // 2^127
	slope      float32 // the derivative of m·log p by log p is m·(1 + slope·log p)
	loss, sum  float32 // Σ m·log p, Σ u
	scale, all float32 // of slopes
}

// rowStep is the number of floats that a loop of assembly takes at a time.
const rowStep = 32

func paddedRow(k int) int { return (k + rowStep - 1) / rowStep * rowStep }

// newLossRow is a row of k classes in s, which has room for three.
func newLossRow(s *scratch, k int) *lossRow {
	n := paddedRow(k)
	s.loss = lossRow{l: &s.f[0], e: &s.f[n], u: &s.f[2*n], n: n, series: &series, huge: 0x1p127}
	return &s.loss
}

// lossKernels are the loops of a row's softmax loss. An assembly variant differs
// from the Go loops by rounding and by the order of its sums.
type lossKernels struct {
	// exps: most = max(l), top = its first place, where l becomes the least
	// float32; l -= most; e = e^l, at least e^series.low; rest = Σe.
	exps func(r *lossRow)
	// powers: u = min(e^(gamma·(l-log)), huge·e): 0 where e is.
	powers func(r *lossRow)
	// terms: with p = max(e·inv, floor), q = l-log, m = p^power or u: loss = Σ m·q;
	// u = m·(1 + slope·q); sum = Σu.
	terms func(r *lossRow)
	// slopes: u = scale·u - all·e.
	slopes func(r *lossRow)
}

// rows is l, e and u.
func (r *lossRow) rows() (l, e, u []float32) {
	return unsafe.Slice(r.l, r.n), unsafe.Slice(r.e, r.n), unsafe.Slice(r.u, r.n)
}

func (r *lossRow) exp(x float32) float32 {
	return float32(math.Exp(float64(max(x, r.series.low)))) // a NaN stays one
}

var lossGo = lossKernels{
	exps: func(r *lossRow) {
		l, e, _ := r.rows()
		r.top = 0
		for j, v := range l {
			if v > l[r.top] {
				r.top = j
			}
		}
		r.most, r.rest = l[r.top], 0
		l[r.top] = -math.MaxFloat32
		for j := range l {
			l[j] -= r.most
			e[j] = r.exp(l[j])
			r.rest += e[j]
		}
	},
	powers: func(r *lossRow) {
		l, e, u := r.rows()
		for j := range u {
			u[j] = min(r.exp(r.gamma*(l[j]-r.log)), r.huge*e[j])
		}
	},
	terms: func(r *lossRow) {
		l, e, u := r.rows()
		r.loss, r.sum = 0, 0
		for j := range u {
			m, q := u[j], l[j]-r.log
			if r.power >= 0 {
				m = float32(power(float64(max(e[j]*r.inv, r.floor)), float64(r.power)))
			}
			r.loss += m * q
			u[j] = m * (1 + r.slope*q)
			r.sum += u[j]
		}
	},
	slopes: func(r *lossRow) {
		_, e, u := r.rows()
		for j := range u {
			u[j] = r.scale*u[j] - r.all*e[j]
		}
	},
}
