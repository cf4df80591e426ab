package ref

import (
	"math"

	"phase/kernels"
	"phase/tensor"
)

// rows calls f(i, lo, hi) for each row of t's last axis, whose elements are
// lo:hi in row-major order.
func rows(t *tensor.Tensor, f func(i, lo, hi int)) {
	k := t.Dim(-1)
	for lo := 0; lo < t.Size(); lo += k {
		f(lo/k, lo, lo+k)
	}
}

// top is the place of the largest element.
func top(v []float64) int {
	best := 0
	for j := range v {
		if v[j] > v[best] {
			best = j
		}
	}
	return best
}

// logSumOthers is log Σ_{j≠skip} e^v_j.
func logSumOthers(v []float64, skip int) float64 {
	most := math.Inf(-1)
	for j, x := range v {
		if j != skip {
			most = max(most, x)
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

// logSoftmax replaces the row v by v_j - log Σ e^v. The largest element is
// counted apart, log(1+rest), so that a probability near 1 keeps its distance
// from 1.
func logSoftmax(v []float64) {
	m := top(v)
	most := v[m]
	rest := math.Log1p(math.Exp(logSumOthers(v, m) - most))
	for j := range v {
		v[j] = v[j] - most - rest
	}
}

// LogSoftmax is y_j = x_j - log Σ_l e^x_l.
func (Backend) LogSoftmax(y, x *tensor.Tensor) {
	v := tensor.Values(x)
	rows(x, func(_, lo, hi int) { logSoftmax(v[lo:hi]) })
	store(y, v)
}

// LogSoftmaxGrad is dx_j += dy_j - e^y_j Σ_l dy_l.
func (Backend) LogSoftmaxGrad(dx kernels.Acc, y, dy *tensor.Tensor) {
	ys, g := tensor.Values(y), tensor.Values(dy)
	rows(y, func(_, lo, hi int) {
		sum := 0.0
		for j := lo; j < hi; j++ {
			sum += g[j]
		}
		for j := lo; j < hi; j++ {
			g[j] -= math.Exp(ys[j]) * sum
		}
	})
	add(dx, g)
}

// times is a·b where a zero a wins over an infinite b: a class of weight zero
// adds nothing, however improbable it is.
func times(a, b float64) float64 {
	if a == 0 {
		return 0
	}
	return a * b
}

// A class is one softmax probability p with what a loss needs of it: its
// logarithm, and its complement q = 1-p with its logarithm. q comes from the
// sum of the other probabilities wherever 1-p would cancel.
type class struct{ p, logp, q, logq float64 }

// classes reads a row of log-probabilities, and says which class is the most
// probable. Only that one can have p > 1/2, so the others' 1-p is harmless.
func classes(logp []float64) (cs []class, first int) {
	cs = make([]class, len(logp))
	for j, l := range logp {
		p := math.Exp(l)
		cs[j] = class{p, l, 1 - p, math.Log1p(-p)}
	}
	first = top(logp)
	c := &cs[first]
	c.logq = logSumOthers(logp, first)
	c.q = math.Exp(c.logq)
	if c.q < 0.5 {
		c.logp = math.Log1p(-c.q)
	}
	return cs, first
}

// A term is what one class adds to the loss of a row, -s·A·log(p or 1-p), and
// its derivative by that class's log-probability, kept as a + b/q: with q
// vanishing, b/q alone may overflow where what multiplies it is tiny.
type term struct{ loss, a, b float64 }

// derivative is ∂loss/∂log p of the class c.
func (t term) derivative(c class) float64 {
	if t.b == 0 {
		return t.a
	}
	return t.a + t.b/c.q
}

// positive is the term s·A·(-log p) with A = (1-p)^γ:
//
//	∂/∂log p = -s·((1-p)^γ - γ·p·(1-p)^(γ-1)·log p) = -s·(1-p)^γ·(1 + γ·p·r)
//
// where r = -log p/(1-p) tends to 1 as p does.
func positive(s, γ float64, detach bool, c class) term {
	A := math.Pow(c.q, γ)
	r := 1.0
	if c.q > 0 {
		r = -c.logp / c.q
	}
	if detach {
		γ = 0
	}
	return term{loss: -times(s*A, c.logp), a: -s * A * (1 + times(γ*c.p, r))}
}

// negative is the term s·A·(-log p) with A = p^γ:
//
//	∂/∂log p = -s·p^γ·(γ·log p + 1)
func negative(s, γ float64, detach bool, c class) term {
	A := math.Pow(c.p, γ)
	if detach {
		return term{loss: -times(s*A, c.logp), a: -s * A}
	}
	return term{loss: -times(s*A, c.logp), a: -s * (times(A*γ, c.logp) + A)}
}

// binary is the term A·(-log(1-p)) with A = p^γ, Eq 1's negative:
//
//	∂/∂log p = -γ·p^γ·log(1-p) + p^(γ+1)/(1-p)
func binary(γ float64, detach bool, c class) term {
	A := math.Pow(c.p, γ)
	t := term{loss: -times(A, c.logq), b: A * c.p}
	if !detach {
		t.a = -times(A*γ, c.logq)
	}
	return t
}

// termOf is what class j of k, j being the label's or not, adds to a row's
// loss. The modulation's exponent goes by the hard label, the weight s by the
// smoothed one (method of ASLSingleLabel; Eqs 1, 3, 5 and 6 of the PHASE
// paper).
func termOf(p kernels.SoftmaxLoss, k int, label bool, c class) term {
	s := p.Smooth / float64(k)
	switch {
	case p.Form == kernels.Eq1 && label:
		return positive(1, p.GammaPos, p.Detach, c)
	case p.Form == kernels.Eq1:
		return binary(p.GammaNeg, p.Detach, c)
	case label:
		return positive(1-p.Smooth+s, p.GammaPos, p.Detach, c)
	case p.Form == kernels.Eq3:
		return positive(s, p.GammaNeg, p.Detach, c)
	}
	return negative(s, p.GammaNeg, p.Detach, c)
}

// SoftmaxLoss is loss[i] = weight[i]·Σ_j termOf(j). The slope is that of u_j =
// ∂loss/∂log p_j times the derivative of log softmax, ∂log p_j/∂x_m = δ_jm - p_m:
//
//	∂loss/∂x_m = u_m - p_m Σ_j u_j
//
// The most probable class f is kept out of the sum, as u_f·(1-p_f) at m = f and
// as -u_f·p_m elsewhere: there 1-p_f may be tiny, and Eq 1's u_f = a + b/(1-p_f)
// huge, while both products stay moderate.
func (Backend) SoftmaxLoss(p kernels.SoftmaxLoss, loss, slope, x, label, weight *tensor.Tensor) {
	v, labels, weights := tensor.Values(x), tensor.Values(label), tensor.Values(weight)
	sums := make([]float64, loss.Size())
	rows(x, func(i, lo, hi int) {
		logSoftmax(v[lo:hi])
		cs, f := classes(v[lo:hi])
		u, others := make([]float64, len(cs)), 0.0
		for j, c := range cs {
			t := termOf(p, hi-lo, j == int(labels[i]), c)
			sums[i] += t.loss
			if j != f {
				u[j] = t.derivative(c)
				others += u[j]
			}
		}
		sums[i] *= weights[i]
		first := termOf(p, hi-lo, f == int(labels[i]), cs[f])
		for m, c := range cs {
			d := first.a*cs[f].q + first.b - c.p*others
			if m != f {
				d = u[m] - c.p*others - first.a*c.p - times(first.b, math.Exp(c.logp-cs[f].logq))
			}
			v[lo+m] = weights[i] * d
		}
	})
	store(slope, v)
	store(loss, sums)
}

// SoftmaxLossGrad is dx_ij += dloss_i·slope_ij.
func (Backend) SoftmaxLossGrad(dx kernels.Acc, slope, dloss *tensor.Tensor) {
	g, dlosses := tensor.Values(slope), tensor.Values(dloss)
	rows(slope, func(i, lo, hi int) {
		for j := lo; j < hi; j++ {
			g[j] *= dlosses[i]
		}
	})
	add(dx, g)
}
