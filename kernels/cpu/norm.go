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

	y, x, res, dy    numbers   // y, res: none where they play no part
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
	return b.normingBy(p, x.Dim(1), numbersOf(x), x.Size(), x.Size())
}

// normingBy is norming for size numbers, x or none, of c channels, with items
// that do not reach across multiples of span numbers, which are whole pixels.
func (b *Backend) normingBy(p kernels.BatchNorm, c int, x numbers, size, span int) *norming {
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
	return lo, min(lo+n, first+j.span, j.pixels*j.c)
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

// statistics leaves the mean and Σ(x-mean)² of each channel of x, an item, in
// the item's partials. It adds up distances from k, the mean of the first quarter, and
// their squares. As that quarter is itself part of the item, Σ(x-k)² is at most
// some five times Σ(x-mean)²: hardly a digit is lost, whatever the mean is. kept,
// if not nil, receives x.
func (j *norming) statistics(item int, x []float32, kept []tensor.BFloat16) {
	mean, squares := j.partials(item)
	s := j.pool.get(3 * j.row)
	k, s1, s2 := s.f[:j.row], s.f[j.row:2*j.row], s.f[2*j.row:]
	clear(s.f)
	rows := (len(x) + j.row - 1) / j.row
	quarter := min((rows+3)/4*j.row, len(x))
	for i := 0; i < quarter; i += j.row {
		n := min(j.row, quarter-i)
		j.point.add(s1[:n], s1[:n], x[i:i+n])
	}
	j.fold(mean, s1)
	for c, sum := range mean {
		j.repeat(k, c, sum*float64(j.c)/float64(quarter))
	}
	clear(s1)
	for i := 0; i < len(x); i += j.row {
		n := min(j.row, len(x)-i)
		j.norm.moments(s1[:n], s2[:n], x[i:i+n], k[:n])
		if kept != nil {
			j.point.narrow(kept[i:i+n], x[i:i+n])
		}
	}
	j.fold(mean, s1)
	j.fold(squares, s2)
	m := float64(len(x) / j.c)
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
	j.applyTo(j.y.part(lo, hi-lo), j.x.part(lo, hi-lo), j.res.part(lo, hi-lo))
}

// applyTo normalises whole pixels; res or none, in the form of y. If y is in
// halves, so is x.
func (j *norming) applyTo(y, x, res numbers) {
	floor := float32(math.Inf(-1))
	if j.p.ReLU {
		floor = 0
	}
	switch {
	case y.h != nil:
		applyRows(j, j.norm.half.apply, y.h, x.h, res.h, floor)
	case x.h != nil:
		for i := 0; i < len(y.f); i += j.row {
			n := min(j.row, len(y.f)-i)
			j.norm.applyWide(y.f[i:i+n], x.h[i:i+n], j.mean, j.scale, j.shift, floor)
		}
	default:
		applyRows(j, j.norm.apply, y.f, x.f, res.f, floor)
	}
}

func applyRows[T float32 | tensor.BFloat16](j *norming, apply func(y, x, res []T, mean, scale, shift []float32, floor float32), y, x, res []T, floor float32) {
	for i := 0; i < len(y); i += j.row {
		n := min(j.row, len(y)-i)
		var r []T
		if res != nil {
			r = res[i : i+n]
		}
		apply(y[i:i+n], x[i:i+n], r, j.mean, j.scale, j.shift, floor)
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
	xs := j.x.f
	par(j.items, func(item int) {
		lo, hi := j.part(item)
		j.statistics(item, xs[lo:hi], nil)
	})
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
	j.y, j.res = numbersOf(y), numbersOf(residual)
	par(j.items, j.apply)
}
