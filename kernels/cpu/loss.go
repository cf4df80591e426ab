package cpu

import (
	"math"

	"phase/kernels"
	"phase/tensor"
)

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

// A class is one softmax probability p and its complement q, with their
// logarithms.
type class struct{ p, logp, q, logq float64 }

// term is what the class c of k, which is the label's or not, adds to the loss
// of its row, and its derivative by log p, which is a + b/q: see kernels.Form.
// logq matters to Eq1's negatives alone.
func (c class) term(f kernels.SoftmaxLoss, k int, label bool) (loss, a, b float64) {
	s, γ := f.Smooth/float64(k), f.GammaNeg
	switch {
	case f.Form == kernels.Eq1 && !label: // p^γ·(-log(1-p))
		m := power(c.p, γ)
		if !f.Detach {
			a = -timesLog(m*γ, c.logq)
		}
		return -timesLog(m, c.logq), a, m * c.p
	case f.Form == kernels.Eq1:
		s, γ = 1, f.GammaPos
	case label:
		s, γ = 1-f.Smooth+s, f.GammaPos
	case s == 0:
		return 0, 0, 0
	case f.Form == kernels.ASL: // s·p^γ·(-log p)
		m := s * power(c.p, γ)
		if !f.Detach {
			a = -timesLog(m*γ, c.logp)
		}
		return -timesLog(m, c.logp), a - m, 0
	}
	// s·(1-p)^γ·(-log p), whose derivative has the factor -log p/(1-p), 1 at p = 1
	m, ratio := s*power(c.q, γ), 1.0
	if c.q > 0 {
		ratio = -c.logp / c.q
	}
	if f.Detach {
		γ = 0
	}
	return -timesLog(m, c.logp), -m * (1 + timesLog(γ*c.p, ratio)), 0
}

// lossRowCost is what a row costs beside its numbers, in numbers, of which one takes
// half a nanosecond to one: a batch of 128 rows of 100 makes two items of work.
const lossRowCost = 128

// SoftmaxLoss is loss[i] = weight[i]·(the loss of row i), and slope its
// derivative by x. A row is computed in float32 vectors, except for its most
// probable class and its label's, which decide how exact the result is; where
// that does not do, and in forms other than ASL, all of it in float64.
func (b *Backend) SoftmaxLoss(p kernels.SoftmaxLoss, loss, slope, x, label, weight *tensor.Tensor) {
	if x.DType() != tensor.F32 || x.Size() == 0 {
		b.Backend.SoftmaxLoss(p, loss, slope, x, label, weight)
		return
	}
	k := x.Dim(-1)
	planes(x.Size()/k, k+lossRowCost, func(first, last int) {
		s := b.pool.get(3 * paddedRow(k))
		r := newLossRow(s, k)
		labels, weights, losses := tensor.Data[int64](label), tensor.Data[float32](weight), tensor.Data[float32](loss)
		xs, slopes := tensor.Data[float32](x), tensor.Data[float32](slope)
		for i := first; i < last; i++ {
			x, slope := xs[i*k:(i+1)*k], slopes[i*k:(i+1)*k]
			r.next, r.out = &xs[min(i+1, last-1)*k], &slope[0]
			y, w := int(labels[i]), float64(weights[i])
			v, ok := 0.0, false
			if p.Form == kernels.ASL {
				v, ok = r.asl(b, p, slope, x, y, w)
			}
			if !ok {
				wide := b.borrowRow(k)
				v = wide.exact(p, slope, x, y, w)
				b.returnRow(wide)
			}
			losses[i] = float32(v * w)
		}
		b.pool.put(s)
	})
}

// exact is the loss of a row of logits x with label y; slope becomes w times its
// derivative by x. With u_j = ∂loss/∂log p_j that is u_m - p_m·Σ_j u_j. The most
// probable class t has u_t = a + b/(1-p_t), perhaps huge; it is kept out of the
// sum others and enters as u_t·(1-p_t) = a·(1-p_t) + b at m = t, as -u_t·p_m
// elsewhere.
func (r *softRow) exact(p kernels.SoftmaxLoss, slope, x []float32, y int, w float64) (loss float64) {
	widen(r.logp, x)
	r.softmax()
	k, binary := len(x), p.Form == kernels.Eq1
	loss, ta, tb := r.class(r.top, binary).term(p, k, r.top == y)
	others := 0.0
	// From here on r.logp[m] becomes the derivative by logit m.
	for m := range r.p {
		if m == r.top {
			continue
		}
		c := r.class(m, binary)
		l, a, b := c.term(p, k, m == y)
		loss += l
		if b != 0 {
			a += b / c.q
		}
		others += a
		switch {
		case tb == 0:
		case r.q < tiny:
			a -= tb * math.Exp(c.logp-r.logq)
		default:
			a -= tb * (c.p / r.q)
		}
		r.logp[m] = a
	}
	for m, p := range r.p {
		d := r.logp[m] - p*(others+ta)
		if m == r.top {
			d = ta*r.q + tb - p*others
		}
		slope[m] = float32(w * d)
	}
	return loss
}

// asl is softRow.exact in float32 vectors, of the form ASL; ok says whether
// float32 was enough. The label's class and the most probable one are taken out
// of the vectors, as is the padding: where e is 0 and l is log nothing is added,
// except that with γ = 0 each counts for one in the sum.
func (r *lossRow) asl(b *Backend, p kernels.SoftmaxLoss, slope, x []float32, y int, w float64) (loss float64, ok bool) {
	k, n := len(x), r.n
	l, e, u := r.rows()
	copy(l, x)
	for j := k; j < n; j++ {
		l[j] = -math.MaxFloat32
	}
	b.loss.exps(r)
	rest, t := float64(r.rest), r.top
	if !(rest >= faint) {
		return 0, false
	}
	log, inv := math.Log1p(rest), 1/(1+rest)
	top := class{p: inv, logp: -log, q: rest * inv}
	at := class{p: float64(e[y]) * inv, logp: float64(l[y]) - log}
	at.q = 1 - at.p
	r.log, r.inv = float32(log), float32(inv)
	out := func(j int) { e[j], l[j] = 0, r.log }
	for j := k; j < n; j++ {
		out(j)
	}
	out(t)
	out(y)

	s, γ, others := p.Smooth/float64(k), p.GammaNeg, 0.0
	if s > 0 {
		r.power, r.slope = -1, float32(γ)
		if p.Detach {
			r.slope = 0
		}
		switch γ {
		case 0, 1, 2, 4:
			r.power, r.floor = int(γ), powerFloors[int(γ)]
		default:
			r.gamma = float32(γ)
			b.loss.powers(r)
		}
		b.loss.terms(r)
		loss, others = -s*float64(r.loss), -s*float64(r.sum)
		if γ == 0 {
			others = -s * float64(k-1)
			if y != t {
				others += s
			}
		}
	}
	tl, ta, _ := top.term(p, k, t == y)
	loss += tl
	ya := 0.0
	if y != t {
		var yl float64
		yl, ya, _ = at.term(p, k, true)
		loss += yl
		others += ya
	}
	all := w * (others + ta)
	if r.scale, r.all = float32(-s*w), float32(all*inv); s > 0 {
		b.loss.slopes(r)
	} else {
		b.point.affine(u, e, -r.all, 0)
	}
	copy(slope, u[:k])
	slope[y] = float32(w*ya - at.p*all)
	slope[t] = float32(w * (ta*top.q - top.p*others))
	return loss, loss-loss == 0 && all-all == 0
}

// powerFloors are probabilities whose powers are some 1e-30: numbers so small
// that float32 has but few digits for them, or none, would cost a processor a
// hundred times what others do.
var powerFloors = [5]float32{1: 1e-30, 2: 1e-15, 4: 3e-8}

// SoftmaxLossGrad is dx_ij += dloss_i·slope_ij.
func (b *Backend) SoftmaxLossGrad(dx kernels.Acc, slope, dloss *tensor.Tensor) {
	switch {
	case !dx.Wanted():
		return
	case slope.DType() != tensor.F32 || slope.Size() == 0:
		b.Backend.SoftmaxLossGrad(dx, slope, dloss)
		return
	}
	k := slope.Dim(-1)
	planes(slope.Size()/k, k, func(first, last int) {
		d, slope, dloss := tensor.Data[float32](dx.T), tensor.Data[float32](slope), tensor.Data[float32](dloss)
		for i := first; i < last; i++ {
			b.addScaled(d[i*k:(i+1)*k], dx.Fresh, slope[i*k:(i+1)*k], dloss[i])
		}
	})
}
