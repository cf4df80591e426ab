package cpu

import (
	"math"
	"sync"

	"phase/kernels"
	"phase/tensor"
)

// A softRow is a row of probabilities in float64, with what a loss needs to
// stay exact near 0 and 1: only the most probable class can have p > 1/2, so
// its complement is the sum of the others and not 1-p.
type softRow struct {
	p, logp []float64
	top     int     // the most probable class
	q, logq float64 // 1-p[top] and its logarithm

	e   []float32 // to take exponentials in
	exp func(y, x []float32, p *expSeries)
	s   *scratch
}

var softRowPool = sync.Pool{New: func() any { return new(softRow) }}

// tiny is where a sum of exponentials begins to lose digits to underflow, faint
// where one of exponentials in float32 does.
const (
	tiny  = 1e-280
	faint = 1e-25
)

// largest is the place of the row's largest number.
func largest(v []float64) int {
	best := 0
	for j, x := range v {
		if x > v[best] {
			best = j
		}
	}
	return best
}

// logSum is log Σ e^v over all but the element skip, without overflow or
// underflow.
func logSum(v []float64, skip int) float64 {
	most := math.Inf(-1)
	for j, x := range v {
		if j != skip && x > most {
			most = x
		}
	}
	if math.IsInf(most, -1) {
		return most
	}
	sum := 0.0
	for j, x := range v {
		if j != skip {
			sum += math.Exp(x - most)
		}
	}
	return most + math.Log(sum)
}

// softmax makes r the softmax of the logits in r.logp. The largest logit counts
// as e⁰, the others sum to rest: log Σ = largest + log(1+rest).
func (r *softRow) softmax() {
	r.top = largest(r.logp)
	most := r.logp[r.top]
	rest := r.exps(most)
	log := math.Log1p(rest)
	r.logq = math.Log(rest) - log
	if rest < tiny {
		r.logq = logSum(r.logp, r.top) - most - log
	}
	for j := range r.p {
		r.p[j] /= 1 + rest
		r.logp[j] = r.logp[j] - most - log
	}
	r.q = rest / (1 + rest)
	if r.q < .5 {
		r.logp[r.top] = -log
	}
}

// exps makes r.p the exponentials of r.logp less shift, and returns the sum of
// all but the most probable class's.
func (r *softRow) exps(shift float64) (others float64) {
	for j, x := range r.logp {
		r.e[j] = float32(x - shift)
	}
	r.exp(r.e, r.e, &series)
	widen(r.p, r.e)
	for j, v := range r.p {
		if j != r.top {
			others += v
		}
	}
	if others >= faint || len(r.p) == 1 {
		return others
	}
	others = 0
	for j, x := range r.logp {
		r.p[j] = math.Exp(x - shift)
		if j != r.top {
			others += r.p[j]
		}
	}
	return others
}

// class is what a loss needs of class j; binary says that it needs log(1-p).
func (r *softRow) class(j int, binary bool) (c class) {
	switch c = (class{p: r.p[j], logp: r.logp[j]}); {
	case j == r.top:
		c.q, c.logq = r.q, r.logq
	case binary:
		c.logq = math.Log1p(-c.p)
		fallthrough
	default:
		c.q = 1 - c.p
	}
	return c
}

// borrowRow lends a softRow of k classes.
func (b *Backend) borrowRow(k int) *softRow {
	r := softRowPool.Get().(*softRow)
	r.s = b.pool.get(5 * k)
	r.p, r.logp = doubles(r.s.f[:4*k])[:k], doubles(r.s.f[:4*k])[k:]
	r.e, r.exp = r.s.f[4*k:], b.point.exp
	return r
}

// returnRow takes r back.
func (b *Backend) returnRow(r *softRow) {
	b.pool.put(r.s)
	*r = softRow{}
	softRowPool.Put(r)
}

// softRows calls f for each row of a (n,k) tensor, in parallel, with a softRow
// to work in.
func (b *Backend) softRows(n, k int, f func(i int, r *softRow)) {
	planes(n, 16*k, func(first, last int) { // a number here is worth some 16 of plain arithmetic
		r := b.borrowRow(k)
		for i := first; i < last; i++ {
			f(i, r)
		}
		b.returnRow(r)
	})
}

func widen(to []float64, from []float32) {
	for i, v := range from {
		to[i] = float64(v)
	}
}

func narrow(to []float32, from []float64) {
	for i, v := range from {
		to[i] = float32(v)
	}
}

// LogSoftmax is y_j = x_j - log Σ_l e^x_l, over the last axis.
func (b *Backend) LogSoftmax(y, x *tensor.Tensor) {
	if x.DType() != tensor.F32 || x.Size() == 0 {
		b.Backend.LogSoftmax(y, x)
		return
	}
	k := x.Dim(-1)
	b.softRows(x.Size()/k, k, func(i int, r *softRow) {
		widen(r.logp, part(x, i*k, (i+1)*k))
		r.softmax()
		narrow(part(y, i*k, (i+1)*k), r.logp)
	})
}

// LogSoftmaxGrad is dx_j += dy_j - e^y_j Σ_l dy_l.
func (b *Backend) LogSoftmaxGrad(dx kernels.Acc, y, dy *tensor.Tensor) {
	switch {
	case !dx.Wanted():
		return
	case dy.DType() != tensor.F32 || dy.Size() == 0:
		b.Backend.LogSoftmaxGrad(dx, y, dy)
		return
	}
	k := y.Dim(-1)
	b.softRows(y.Size()/k, k, func(i int, r *softRow) {
		dy, sum := part(dy, i*k, (i+1)*k), 0.0
		for _, g := range dy {
			sum += float64(g)
		}
		r.exp(r.e, part(y, i*k, (i+1)*k), &series)
		for j, p := range r.e {
			r.p[j] = float64(dy[j]) - float64(p)*sum
		}
		addRow(part(dx.T, i*k, (i+1)*k), dx.Fresh, r.p, 1)
	})
}

// addRow is d += a·g, or d = a·g if d is fresh.
func addRow(d []float32, fresh bool, g []float64, a float64) {
	for j, v := range g {
		v *= a
		if !fresh {
			v += float64(d[j])
		}
		d[j] = float32(v)
	}
}
