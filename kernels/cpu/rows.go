package cpu

import "phase/kernels"

var _ kernels.Summer = (*Backend)(nil)

// rowKernels are sums over rows of float32 in float64, in whole steps; the rest of
// a row is Go's in every variant.
type rowKernels struct {
	sum    func(p *rowSums) // square[l] += x
	square func(p *rowSums) // square[l] += (x-mu)²
	dot    func(p *rowSums) // and dot[l] += (x-mu)·s
	add    func(p *rowSums) // s += a·(x-mu)
}

// rowSums is n steps, at least 1, of sumStep numbers of a row. Number i adds to
// lane i%8 of the sums, or i%4 where vectors are shorter.
type rowSums struct {
	x, next     []float32 // next is fetched into the cache
	mu, s       []float64
	n           int
	a           float64
	square, dot [8]float64
}

// sumStep is the numbers of a step; sumAtOnce bounds one call of assembly, for
// some 5 µs.
const (
	sumStep   = 16
	sumAtOnce = 1 << 14
)

// each calls kernel for the whole steps in x and the next row, with mu and s where
// they are there, and returns how many numbers that were.
func (p *rowSums) each(kernel func(p *rowSums), x, next []float32, mu, s []float64) int {
	whole := len(x) - len(x)%sumStep
	for at := 0; at < whole; at += p.n * sumStep {
		p.n = min(whole-at, sumAtOnce) / sumStep
		p.x, p.next = x[at:], next[at:]
		if mu != nil {
			p.mu = mu[at:]
		}
		if s != nil {
			p.s = s[at:]
		}
		kernel(p)
	}
	return whole
}

// ahead is how many rows before its turn a row is fetched into the cache.
const ahead = 4

// next is the row to fetch while row k is looked at.
func next(r *kernels.Rows, k int) []float32 { return r.Row(min(k+ahead, len(r.List)-1)) }

// folded adds up lanes, and clears them for the next row.
func folded(lanes *[8]float64) float64 {
	v := *lanes
	*lanes = [8]float64{}
	return ((v[0] + v[4]) + (v[2] + v[6])) + ((v[1] + v[5]) + (v[3] + v[7]))
}

// SumAll is Σ x in float64.
func (b *Backend) SumAll(x []float32) float64 {
	var p rowSums
	at := p.each(b.rows.sum, x, x, nil, nil)
	sum := folded(&p.square)
	for _, v := range x[at:] {
		sum += float64(v)
	}
	return sum
}

// RowSquares is square[k] = |x_k - mu[j]|².
func (b *Backend) RowSquares(square []float64, r kernels.Rows, mu [][]float64) {
	var p rowSums
	for k, j := range r.Class {
		x, mu := r.Row(k), mu[j][r.From:r.To]
		at := p.each(b.rows.square, x, next(&r, k), mu, nil)
		sum := folded(&p.square)
		for ; at < len(x); at++ {
			e := float64(x[at]) - mu[at]
			sum += e * e
		}
		square[k] = sum
	}
}

// RowDots is square[k] = |x_k - mu[j]|² and dot[k] = (x_k - mu[j])·s[j].
func (b *Backend) RowDots(square, dot []float64, r kernels.Rows, mu, s [][]float64) {
	var p rowSums
	for k, j := range r.Class {
		x, mu, s := r.Row(k), mu[j][r.From:r.To], s[j][r.From:r.To]
		at := p.each(b.rows.dot, x, next(&r, k), mu, s)
		sum, product := folded(&p.square), folded(&p.dot)
		for ; at < len(x); at++ {
			e := float64(x[at]) - mu[at]
			sum += e * e
			product += e * s[at]
		}
		square[k], dot[k] = sum, product
	}
}

// AddRows is sum[j] += a[k]·(x_k - mu[j]).
func (b *Backend) AddRows(sum [][]float64, a []float64, r kernels.Rows, mu [][]float64) {
	var p rowSums
	for k, j := range r.Class {
		if a[k] == 0 {
			continue
		}
		x, mu, sum := r.Row(k), mu[j][r.From:r.To], sum[j][r.From:r.To]
		p.a = a[k]
		at := p.each(b.rows.add, x, next(&r, k), mu, sum)
		for ; at < len(x); at++ {
			sum[at] += a[k] * (float64(x[at]) - mu[at])
		}
	}
}

var rowsGo = rowKernels{sum: rowSumGo, square: rowSquareGo, dot: rowDotGo, add: rowAddGo}

func rowSumGo(p *rowSums) {
	var s0, s1, s2, s3 float64
	for i := range p.n * sumStep / 4 {
		x := (*[4]float32)(p.x[4*i:])
		s0, s1, s2, s3 = s0+float64(x[0]), s1+float64(x[1]), s2+float64(x[2]), s3+float64(x[3])
	}
	addLanes(&p.square, s0, s1, s2, s3)
}

func rowSquareGo(p *rowSums) {
	var s0, s1, s2, s3 float64
	for i := range p.n * sumStep / 4 {
		x, mu := (*[4]float32)(p.x[4*i:]), (*[4]float64)(p.mu[4*i:])
		e0, e1, e2, e3 := float64(x[0])-mu[0], float64(x[1])-mu[1], float64(x[2])-mu[2], float64(x[3])-mu[3]
		s0, s1, s2, s3 = s0+e0*e0, s1+e1*e1, s2+e2*e2, s3+e3*e3
	}
	addLanes(&p.square, s0, s1, s2, s3)
}

func rowDotGo(p *rowSums) {
	var s0, s1, s2, s3, d0, d1, d2, d3 float64
	for i := range p.n * sumStep / 4 {
		x, mu, s := (*[4]float32)(p.x[4*i:]), (*[4]float64)(p.mu[4*i:]), (*[4]float64)(p.s[4*i:])
		e0, e1, e2, e3 := float64(x[0])-mu[0], float64(x[1])-mu[1], float64(x[2])-mu[2], float64(x[3])-mu[3]
		s0, s1, s2, s3 = s0+e0*e0, s1+e1*e1, s2+e2*e2, s3+e3*e3
		d0, d1, d2, d3 = d0+e0*s[0], d1+e1*s[1], d2+e2*s[2], d3+e3*s[3]
	}
	addLanes(&p.square, s0, s1, s2, s3)
	addLanes(&p.dot, d0, d1, d2, d3)
}

func rowAddGo(p *rowSums) {
	for i := range p.n * sumStep / 4 {
		x, mu, s := (*[4]float32)(p.x[4*i:]), (*[4]float64)(p.mu[4*i:]), (*[4]float64)(p.s[4*i:])
		s[0] += p.a * (float64(x[0]) - mu[0])
		s[1] += p.a * (float64(x[1]) - mu[1])
		s[2] += p.a * (float64(x[2]) - mu[2])
		s[3] += p.a * (float64(x[3]) - mu[3])
	}
}

// addLanes adds to the first four of lanes.
func addLanes(lanes *[8]float64, s0, s1, s2, s3 float64) {
	lanes[0] += s0
	lanes[1] += s1
	lanes[2] += s2
	lanes[3] += s3
}
