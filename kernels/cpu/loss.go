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

// fromLog makes r the probabilities of the logarithms in r.logp.
func (r *softRow) fromLog() {
	r.top = largest(r.logp)
	r.q = r.exps(0)
	r.logq = math.Log(r.q)
	if r.q < tiny {
		r.logq = logSum(r.logp, r.top)
	}
	if r.q < .5 {
		r.logp[r.top] = math.Log1p(-r.q)
	}
}

// complement is 1-p of class j.
func (r *softRow) complement(j int) float64 {
	if j == r.top {
		return r.q
	}
	return 1 - r.p[j]
}

// logComplement is log(1-p) of class j.
func (r *softRow) logComplement(j int) float64 {
	if j == r.top {
		return r.logq
	}
	return math.Log1p(-r.p[j])
}

// timesLog is a·b where a zero a wins over an infinite b.
func timesLog(a, b float64) float64 {
	if a == 0 {
		return 0
	}
	return a * b
}

// power is x^γ.
func power(x, γ float64) float64 {
	switch γ {
	case 0:
		return 1
	case 1:
		return x
	case 2:
		return x * x
	case 4:
		return x * x * (x * x)
	}
	return math.Pow(x, γ)
}

// term is what class j, which is the label's or not, adds to the loss of row r,
// and its derivative by log p_j, which is a + b/(1-p_j): see kernels.Form.
func (r *softRow) term(f kernels.SoftmaxLoss, j int, label bool) (loss, a, b float64) {
	s, γ := f.Smooth/float64(len(r.p)), f.GammaNeg
	p, logp := r.p[j], r.logp[j]
	switch {
	case f.Form == kernels.Eq1 && !label: // p^γ·(-log(1-p))
		m, logq := power(p, γ), r.logComplement(j)
		if !f.Detach {
			a = -timesLog(m*γ, logq)
		}
		return -timesLog(m, logq), a, m * p
	case f.Form == kernels.Eq1:
		s, γ = 1, f.GammaPos
	case label:
		s, γ = 1-f.Smooth+s, f.GammaPos
	case s == 0:
		return 0, 0, 0
	case f.Form == kernels.ASL: // s·p^γ·(-log p)
		m := s * power(p, γ)
		if !f.Detach {
			a = -timesLog(m*γ, logp)
		}
		return -timesLog(m, logp), a - m, 0
	}
	// s·(1-p)^γ·(-log p), whose derivative has the factor -log p/(1-p), 1 at p = 1
	q, ratio := r.complement(j), 1.0
	m := s * power(q, γ)
	if q > 0 {
		ratio = -logp / q
	}
	if f.Detach {
		γ = 0
	}
	return -timesLog(m, logp), -m * (1 + timesLog(γ*p, ratio)), 0
}

// softRows calls f for each row of a (n,k) tensor, in parallel, with a softRow
// to work in.
func (b *Backend) softRows(n, k int, f func(i int, r *softRow)) {
	planes(n, 16*k, func(first, last int) { // a number here is worth some 16 of plain arithmetic
		s, r := b.pool.get(5*k), softRowPool.Get().(*softRow)
		r.p, r.logp = doubles(s.f[:4*k])[:k], doubles(s.f[:4*k])[k:]
		r.e, r.exp = s.f[4*k:5*k], b.point.exp
		for i := first; i < last; i++ {
			f(i, r)
		}
		*r = softRow{}
		softRowPool.Put(r)
		b.pool.put(s)
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

// SoftmaxLoss is loss[i] = weight[i]·(the loss of row i), with logp = log
// softmax(x).
func (b *Backend) SoftmaxLoss(p kernels.SoftmaxLoss, loss, logp, x, label, weight *tensor.Tensor) {
	if x.DType() != tensor.F32 || x.Size() == 0 {
		b.Backend.SoftmaxLoss(p, loss, logp, x, label, weight)
		return
	}
	k := x.Dim(-1)
	b.softRows(x.Size()/k, k, func(i int, r *softRow) {
		widen(r.logp, part(x, i*k, (i+1)*k))
		r.softmax()
		narrow(part(logp, i*k, (i+1)*k), r.logp)
		y, sum := int(tensor.Data[int64](label)[i]), 0.0
		for j := range r.p {
			l, _, _ := r.term(p, j, j == y)
			sum += l
		}
		tensor.Data[float32](loss)[i] = float32(sum * float64(tensor.Data[float32](weight)[i]))
	})
}

// SoftmaxLossGrad adds dloss[i]·weight[i]·∂(loss of row i)/∂x. With
// u_j = ∂loss/∂log p_j that derivative is u_m - p_m·Σ_j u_j. The most probable
// class t has u_t = a + b/(1-p_t), perhaps huge; it is kept out of the sum u
// and enters as u_t·(1-p_t) = a·(1-p_t) + b at m = t, as -u_t·p_m elsewhere.
func (b *Backend) SoftmaxLossGrad(p kernels.SoftmaxLoss, dx kernels.Acc, logp, label, weight, dloss *tensor.Tensor) {
	switch {
	case !dx.Wanted():
		return
	case logp.DType() != tensor.F32 || logp.Size() == 0:
		b.Backend.SoftmaxLossGrad(p, dx, logp, label, weight, dloss)
		return
	}
	k := logp.Dim(-1)
	b.softRows(logp.Size()/k, k, func(i int, r *softRow) {
		widen(r.logp, part(logp, i*k, (i+1)*k))
		r.fromLog()
		y, others := int(tensor.Data[int64](label)[i]), 0.0
		_, ta, tb := r.term(p, r.top, r.top == y)
		// From here on r.logp[m] becomes the derivative by logit m.
		for m := range r.p {
			if m == r.top {
				continue
			}
			_, a, b := r.term(p, m, m == y)
			if b != 0 {
				a += b / (1 - r.p[m])
			}
			others += a
			switch {
			case tb == 0:
			case r.q < tiny:
				a -= tb * math.Exp(r.logp[m]-r.logq)
			default:
				a -= tb * (r.p[m] / r.q)
			}
			r.logp[m] = a
		}
		for m := range r.p {
			if m == r.top {
				r.logp[m] = ta*r.q + tb - r.p[m]*others
			} else {
				r.logp[m] -= r.p[m] * (others + ta)
			}
		}
		scale := float64(tensor.Data[float32](dloss)[i]) * float64(tensor.Data[float32](weight)[i])
		addRow(part(dx.T, i*k, (i+1)*k), dx.Fresh, r.logp, scale)
	})
}
