package cpu

import (
	"math"

	"phase/kernels"
	"phase/tensor"
)

// gradSums leaves an item's Σg and Σg·(x-mean) in its partials, where g is dy
// where ReLU let it pass.
func (j *norming) gradSums(item int) { j.gradSumsOf(item, nil) }

// gradSumsOf is gradSums; before it sees them, it calls ready, if not nil, for
// the numbers from lo to hi-1.
func (j *norming) gradSumsOf(item int, ready func(lo, hi int)) {
	lo, hi := j.part(item)
	s := j.pool.get(2 * j.row)
	s1, s2 := s.f[:j.row], s.f[j.row:]
	clear(s.f)
	if j.x.h != nil {
		gradSumsRows(j, j.norm.half.gradSums, s1, s2, j.x.h, j.output().h, j.dy.h, lo, hi, ready)
	} else {
		gradSumsRows(j, j.norm.gradSums, s1, s2, j.x.f, j.output().f, j.dy.f, lo, hi, ready)
	}
	a, b := j.partials(item)
	j.fold(a, s1)
	j.fold(b, s2)
	j.pool.put(s)
}

func gradSumsRows[T float32 | tensor.BFloat16](j *norming, gradSums func(s1, s2 []float32, x, y, dy []T, mean []float32), s1, s2 []float32, x, y, dy []T, lo, hi int, ready func(lo, hi int)) {
	for i := lo; i < hi; i += j.row {
		n := min(j.row, hi-i)
		if ready != nil {
			ready(i, i+n)
		}
		var out []T
		if y != nil {
			out = y[i : i+n]
		}
		gradSums(s1[:n], s2[:n], x[i:i+n], out, dy[i:i+n], j.mean[:n])
	}
}

// output is y where ReLU's mask is needed, else none.
func (j *norming) output() numbers {
	if !j.p.ReLU {
		return numbers{}
	}
	return j.y
}

// grad writes an item's gradients.
func (j *norming) grad(item int) {
	lo, hi := j.part(item)
	x, output, dy := j.x.f[lo:hi], j.output().part(lo, hi-lo).f, j.dy.f[lo:hi]
	if j.dx != nil {
		grad := j.norm.gradAdd
		if j.freshX {
			grad = j.norm.grad
		}
		gradRows(j, grad, j.dx[lo:hi], x, output, dy)
	}
	switch {
	case j.dres == nil:
	case output != nil:
		j.reluGrad(j.dres[lo:hi], j.freshRes, output, dy)
	default:
		j.addScaled(j.dres[lo:hi], j.freshRes, dy, 1)
	}
}

func gradRows[T float32 | tensor.BFloat16](j *norming, grad func(dx []float32, x, y, dy []T, mean, k1, k2, k3 []float32), dx []float32, x, y, dy []T) {
	for i := 0; i < len(dx); i += j.row {
		n := min(j.row, len(dx)-i)
		var out []T
		if y != nil {
			out = y[i : i+n]
		}
		grad(dx[i:i+n], x[i:i+n], out, dy[i:i+n], j.mean, j.k1, j.k2, j.k3)
	}
}

// BatchNormGrad is the derivative of BatchNorm, through the statistics.
func (b *Backend) BatchNormGrad(p kernels.BatchNorm, dx, dgamma, dbeta, dresidual kernels.Acc, x, y, gamma, mean, variance, dy *tensor.Tensor) {
	if x.DType() != tensor.F32 || x.Size() == 0 {
		b.Backend.BatchNormGrad(p, dx, dgamma, dbeta, dresidual, x, y, gamma, mean, variance, dy)
		return
	}
	b.batchNormGrad(p, true, dx, dgamma, dbeta, dresidual, x, y, gamma, mean, variance, dy)
}

// BatchNormEvalGrad is the derivative of BatchNormEval: the statistics are
// constants.
func (b *Backend) BatchNormEvalGrad(p kernels.BatchNorm, dx, dgamma, dbeta, dresidual kernels.Acc, x, y, gamma, mean, variance, dy *tensor.Tensor) {
	if x.DType() != tensor.F32 || x.Size() == 0 {
		b.Backend.BatchNormEvalGrad(p, dx, dgamma, dbeta, dresidual, x, y, gamma, mean, variance, dy)
		return
	}
	b.batchNormGrad(p, false, dx, dgamma, dbeta, dresidual, x, y, gamma, mean, variance, dy)
}

// batchNormGrad writes dx as k1·g + k3·(x-mean) + k2: with r = 1/√(σ²+ε) and m
// values a channel, k1 = γr and, through the statistics, k2 = -γr·Σg/m and
// k3 = -γr³·Σg(x-mean)/m.
func (b *Backend) batchNormGrad(p kernels.BatchNorm, through bool, dx, dgamma, dbeta, dresidual kernels.Acc, x, y, gamma, mean, variance, dy *tensor.Tensor) {
	j := b.norming(p, x)
	j.y, j.dy = numbersOf(y), numbersOf(dy)
	j.centre(mean)
	sums := dgamma.Wanted() || dbeta.Wanted() || through && dx.Wanted()
	if sums {
		par(j.items, j.gradSums)
	}
	j.coefficients(through, sums, gamma, variance, dgamma, dbeta)
	if dx.Wanted() {
		j.dx, j.freshX = tensor.Data[float32](dx.T), dx.Fresh
	}
	if dresidual.Wanted() {
		j.dres, j.freshRes = tensor.Data[float32](dresidual.T), dresidual.Fresh
	}
	if j.dx != nil || j.dres != nil {
		par(j.items, j.grad)
	}
	j.done()
}

// centre prepares the mean that the derivative is taken around.
func (j *norming) centre(mean *tensor.Tensor) {
	for c, μ := range tensor.Data[float32](mean) {
		j.repeat(j.mean, c, float64(μ))
	}
}

// gradTo writes dx for the whole pixels from lo on that fill it.
func (j *norming) gradTo(dx []float32, lo int) {
	x, y, dy := j.x.part(lo, len(dx)), j.output().part(lo, len(dx)), j.dy.part(lo, len(dx))
	if x.h != nil {
		gradRows(j, j.norm.half.grad, dx, x.h, y.h, dy.h)
	} else {
		gradRows(j, j.norm.grad, dx, x.f, y.f, dy.f)
	}
}

// inSpan calls f for the items of a span, with where they begin and end.
func (j *norming) inSpan(span int, f func(item, lo, hi int)) {
	for item := span * j.each; item < min((span+1)*j.each, j.items); item++ {
		lo, hi := j.part(item)
		f(item, lo, hi)
	}
}

// coefficients adds up the items' sums, if there are any, prepares k1, k2 and k3
// and adds to the gradients of γ and β.
func (j *norming) coefficients(through, sums bool, gamma, variance *tensor.Tensor, dgamma, dbeta kernels.Acc) {
	gammas, variances := tensor.Data[float32](gamma), tensor.Data[float32](variance)
	clear(j.totals)
	for item := 0; sums && item < j.items; item++ {
		for k, v := range j.sums[2*item*j.c:][:2*j.c] {
			j.totals[k] += v
		}
	}
	for c := range j.c {
		g, gx := j.totals[c], j.totals[j.c+c]
		r := 1 / math.Sqrt(float64(variances[c])+j.p.Eps)
		k1, k2, k3 := float64(gammas[c])*r, 0., 0.
		if through {
			k2 = -k1 * g / float64(j.pixels)
			k3 = -k1 * r * r * gx / float64(j.pixels)
		}
		j.repeat(j.k1, c, k1)
		j.repeat(j.k2, c, k2)
		j.repeat(j.k3, c, k3)
		addTo(dgamma, c, gx*r)
		addTo(dbeta, c, g)
	}
}

// addTo adds v to element i of a gradient that may not be wanted.
func addTo(a kernels.Acc, i int, v float64) {
	if !a.Wanted() {
		return
	}
	d := tensor.Data[float32](a.T)
	if !a.Fresh {
		v += float64(d[i])
	}
	d[i] = float32(v)
}
