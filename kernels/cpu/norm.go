package cpu

import (
	"math"
	"sync"

	"phase/kernels"
	"phase/tensor"
)

// A norming is one call of a batch-norm kernel: what its items share. The loops
// run along rows, whole numbers of pixels, because the parameters of few
// channels alone are too short for a vector; the tensor's last row may be
// shorter.
type norming struct {
	*Backend
	p kernels.BatchNorm

	c, pixels int // channels, and values of each
	row       int // floats in a row: a multiple of c
	rows      int // rows of an item
	span      int // floats after which items begin anew
	each      int // items in a span
	items     int

	mean, scale, shift, k1, k2, k3 []float32 // repeated to a row's length
	sums                           []float64 // two of each channel for each item
	totals                         []float64 // two of each channel
	scratch                        *scratch

	y, x, res, dy    []float32 // y, res: nil where they play no part
	dx, dres         []float32 // nil where not wanted
	freshX, freshRes bool
}

var normings = sync.Pool{New: func() any { return new(norming) }}

const (
	shortestRow = 256     // floats in a row, so that a call of a loop pays
	normItem    = 1 << 14 // floats in an item, more or less
	mostRows    = 256     // of an item: lanes add up that many float32 numbers
	leastRows   = 64      // of an item: its sums are partial sums, and cost memory
)

// norming plans a call for x (n,c,...), channels-last or (n,c).
func (b *Backend) norming(p kernels.BatchNorm, x *tensor.Tensor) *norming {
	return b.normingBy(p, x.Dim(1), tensor.Data[float32](x), x.Size(), x.Size())
}

// normingBy is norming for size floats, x or nil, of c channels, with items that
// do not reach across multiples of span floats, which are whole pixels.
func (b *Backend) normingBy(p kernels.BatchNorm, c int, x []float32, size, span int) *norming {
	j := normings.Get().(*norming)
	*j = norming{Backend: b, p: p, c: c, pixels: size / c, x: x}
	pixels := (shortestRow + c - 1) / c
	even := 1
	for c*even%16 != 0 {
		even *= 2
	}
	if rounded := (pixels + even - 1) / even * even; rounded*c <= 16*shortestRow {
		pixels = rounded // a row of whole vectors
	}
	j.row = min(pixels, j.pixels) * c
	j.rows = min(max(normItem/j.row, leastRows), mostRows)
	j.span, j.each = span, ceil(span, j.rows*j.row)
	j.items = (size-1)/span*j.each + ceil((size-1)%span+1, j.rows*j.row)
	j.scratch = b.pool.get(6*j.row + 4*(j.items+1)*c)
	f := j.scratch.f
	for _, s := range []*[]float32{&j.mean, &j.scale, &j.shift, &j.k1, &j.k2, &j.k3} {
		*s, f = f[:j.row:j.row], f[j.row:]
	}
	d := doubles(f)
	j.sums, j.totals = d[2*c:], d[:2*c]
	return j
}

func (j *norming) done() {
	j.pool.put(j.scratch)
	*j = norming{}
	normings.Put(j)
}

// part is where the numbers of an item lie.
func (j *norming) part(item int) (lo, hi int) {
	n, first := j.rows*j.row, item/j.each*j.span
	lo = first + item%j.each*n
	return lo, min(lo+n, first+j.span, len(j.x))
}

// partials are an item's two numbers for each channel.
func (j *norming) partials(item int) (a, b []float64) {
	s := j.sums[2*item*j.c:][:2*j.c]
	return s[:j.c], s[j.c:]
}

// repeat sets channel c of each of a row's pixels to v.
func (j *norming) repeat(row []float32, c int, v float64) {
	for i := c; i < len(row); i += j.c {
		row[i] = float32(v)
	}
}

// fold adds up a row's lanes channel by channel.
func (j *norming) fold(to []float64, row []float32) {
	clear(to)
	for ; len(row) > 0; row = row[j.c:] {
		for c, v := range row[:j.c] {
			to[c] += float64(v)
		}
	}
}

// statistics leaves an item's mean and Σ(x-mean)² of each channel in its
// partials. It adds up distances from k, the mean of the first quarter, and
// their squares. As that quarter is itself part of the item, Σ(x-k)² is at most
// some five times Σ(x-mean)²: hardly a digit is lost, whatever the mean is.
func (j *norming) statistics(item int) {
	lo, hi := j.part(item)
	mean, squares := j.partials(item)
	s := j.pool.get(3 * j.row)
	k, s1, s2 := s.f[:j.row], s.f[j.row:2*j.row], s.f[2*j.row:]
	clear(s.f)
	rows := (hi - lo + j.row - 1) / j.row
	quarter := min(lo+(rows+3)/4*j.row, hi)
	for i := lo; i < quarter; i += j.row {
		n := min(j.row, quarter-i)
		j.point.add(s1[:n], s1[:n], j.x[i:i+n])
	}
	j.fold(mean, s1)
	for c, sum := range mean {
		j.repeat(k, c, sum*float64(j.c)/float64(quarter-lo))
	}
	clear(s1)
	for i := lo; i < hi; i += j.row {
		n := min(j.row, hi-i)
		j.norm.moments(s1[:n], s2[:n], j.x[i:i+n], k[:n])
	}
	j.fold(mean, s1)
	j.fold(squares, s2)
	m := float64((hi - lo) / j.c)
	for c, d := range mean {
		squares[c] -= d * d / m
		mean[c] = float64(k[c])
		if !math.IsInf(mean[c], 0) {
			mean[c] += d / m
		}
	}
	j.pool.put(s)
}

// combine is mean and biased variance of each channel from the items' own:
// Σ(x-μ)² = Σ_items (their own squares + count·(their mean - μ)²).
func (j *norming) combine() (mean, variance []float64) {
	mean, variance = j.totals[:j.c], j.totals[j.c:]
	clear(j.totals)
	weight := func(item int) float64 {
		lo, hi := j.part(item)
		return float64((hi-lo)/j.c) / float64(j.pixels)
	}
	for item := range j.items {
		m, _ := j.partials(item)
		w := weight(item)
		for c, v := range m {
			mean[c] += w * v
		}
	}
	for item := range j.items {
		m, squares := j.partials(item)
		w := weight(item)
		for c, v := range m {
			d := v - mean[c]
			variance[c] += squares[c]/float64(j.pixels) + w*d*d
		}
	}
	return mean, variance
}

// normalizer prepares channel c of y = (x-mean)·scale + shift. The mean is
// rounded to float32, and what it lost goes to the shift.
func (j *norming) normalizer(c int, gamma, beta float32, mean, variance float64) {
	scale := float64(gamma) / math.Sqrt(variance+j.p.Eps)
	rounded := float64(float32(mean))
	j.repeat(j.mean, c, rounded)
	j.repeat(j.scale, c, scale)
	j.repeat(j.shift, c, float64(beta)-(mean-rounded)*scale)
}

// apply normalises an item.
func (j *norming) apply(item int) {
	lo, hi := j.part(item)
	res := j.res
	if res != nil {
		res = res[lo:hi]
	}
	j.applyTo(j.y[lo:hi], j.x[lo:hi], res)
}

// applyTo normalises whole pixels; res or nil.
func (j *norming) applyTo(y, x, res []float32) {
	floor := float32(math.Inf(-1))
	if j.p.ReLU {
		floor = 0
	}
	for i := 0; i < len(y); i += j.row {
		n := min(j.row, len(y)-i)
		var r []float32
		if res != nil {
			r = res[i : i+n]
		}
		j.norm.apply(y[i:i+n], x[i:i+n], r, j.mean, j.scale, j.shift, floor)
	}
}

// BatchNorm is y = γ(x-μ)/√(σ²+ε) + β, with the mean and the biased variance of
// each channel, which it leaves in mean and variance.
func (b *Backend) BatchNorm(p kernels.BatchNorm, y, mean, variance, x, gamma, beta, residual *tensor.Tensor) {
	if x.DType() != tensor.F32 || x.Size() == 0 {
		b.Backend.BatchNorm(p, y, mean, variance, x, gamma, beta, residual)
		return
	}
	j := b.norming(p, x)
	par(j.items, j.statistics)
	j.settle(mean, variance, gamma, beta)
	j.applyAll(y, residual)
	j.done()
}

// settle leaves the items' statistics in mean and variance and prepares to
// normalise by them.
func (j *norming) settle(mean, variance, gamma, beta *tensor.Tensor) {
	means, variances := tensor.Data[float32](mean), tensor.Data[float32](variance)
	gammas, betas := tensor.Data[float32](gamma), tensor.Data[float32](beta)
	μ, σ2 := j.combine()
	for c := range j.c {
		means[c], variances[c] = float32(μ[c]), float32(σ2[c])
		j.normalizer(c, gammas[c], betas[c], μ[c], σ2[c])
	}
}

// given prepares to normalise by given statistics.
func (j *norming) given(mean, variance, gamma, beta *tensor.Tensor) {
	means, variances := tensor.Data[float32](mean), tensor.Data[float32](variance)
	gammas, betas := tensor.Data[float32](gamma), tensor.Data[float32](beta)
	for c := range j.c {
		j.normalizer(c, gammas[c], betas[c], float64(means[c]), float64(variances[c]))
	}
}

// BatchNormEval is the same with the statistics given.
func (b *Backend) BatchNormEval(p kernels.BatchNorm, y, x, gamma, beta, mean, variance, residual *tensor.Tensor) {
	if x.DType() != tensor.F32 || x.Size() == 0 {
		b.Backend.BatchNormEval(p, y, x, gamma, beta, mean, variance, residual)
		return
	}
	j := b.norming(p, x)
	j.given(mean, variance, gamma, beta)
	j.applyAll(y, residual)
	j.done()
}

func (j *norming) applyAll(y, residual *tensor.Tensor) {
	j.y = tensor.Data[float32](y)
	if residual != nil {
		j.res = tensor.Data[float32](residual)
	}
	par(j.items, j.apply)
}

// gradSums leaves an item's Σg and Σg·(x-mean) in its partials, where g is dy
// where ReLU let it pass.
func (j *norming) gradSums(item int) {
	lo, hi := j.part(item)
	s := j.pool.get(2 * j.row)
	s1, s2 := s.f[:j.row], s.f[j.row:]
	clear(s.f)
	for i := lo; i < hi; i += j.row {
		n := min(j.row, hi-i)
		j.norm.gradSums(s1[:n], s2[:n], j.x[i:i+n], j.output(i, n), j.dy[i:i+n], j.mean)
	}
	a, b := j.partials(item)
	j.fold(a, s1)
	j.fold(b, s2)
	j.pool.put(s)
}

// output is y where ReLU's mask is needed, else nil.
func (j *norming) output(i, n int) []float32 {
	if !j.p.ReLU || j.y == nil {
		return nil
	}
	return j.y[i : i+n]
}

// grad writes an item's gradients.
func (j *norming) grad(item int) {
	lo, hi := j.part(item)
	for i := lo; i < hi; i += j.row {
		n := min(j.row, hi-i)
		y, dy := j.output(i, n), j.dy[i:i+n]
		switch {
		case j.dx == nil:
		case j.freshX:
			j.norm.grad(j.dx[i:i+n], j.x[i:i+n], y, dy, j.mean, j.k1, j.k2, j.k3)
		default:
			j.norm.gradAdd(j.dx[i:i+n], j.x[i:i+n], y, dy, j.mean, j.k1, j.k2, j.k3)
		}
		switch {
		case j.dres == nil:
		case y != nil:
			j.reluGrad(j.dres[i:i+n], j.freshRes, y, dy)
		default:
			j.addScaled(j.dres[i:i+n], j.freshRes, dy, 1)
		}
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
	j.y, j.dy = tensor.Data[float32](y), tensor.Data[float32](dy)
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
	for i := 0; i < len(dx); i += j.row {
		n, at := min(j.row, len(dx)-i), lo+i
		j.norm.grad(dx[i:i+n], j.x[at:at+n], j.output(at, n), j.dy[at:at+n], j.mean, j.k1, j.k2, j.k3)
	}
}

// inSpan calls f for the items of a span.
func (j *norming) inSpan(span int, f func(item int)) {
	for item := span * j.each; item < min((span+1)*j.each, j.items); item++ {
		f(item)
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
