package cpu

import (
	"sync"

	"phase/kernels"
)

var _ kernels.Summer = (*Backend)(nil)

// rowKernels are sums over rows of float32 in float64, in whole steps of sumStep
// numbers; the rest of a row is Go's in every variant.
type rowKernels struct {
	sum     func(p *wideSum)
	squares func(p *rowSums) // square[k] += |x-mu|²
	dots    func(p *rowSums) // and dot[k] += (x-mu)·s
	adds    func(p *rowSums) // s += a[k]·(x-mu), where a[k] is not 0
}

// A wideSum is the sum of some steps, at least 1, of x.
type wideSum struct {
	x     []float32
	steps int
	sum   float64
}

// rowSums are n rows x, at least 1, of kernels.Rows: of each the steps, at least
// 1, from column from on, with the vectors of its class in mu and s. The row that
// stands ahead places further in list is fetched into the cache.
type rowSums struct {
	x                   []float32
	first, stride, from int
	list, class         []int
	n, steps, ahead     int
	mu, s               [][]float64
	a, square, dot      []float64
}

// sumStep is the numbers of a step; sumAtOnce bounds one call of assembly, for
// some 10 µs. A row is fetched ahead of its turn: a cache miss takes longer than
// a short row.
const (
	sumStep   = 16
	sumAtOnce = 1 << 14
	ahead     = 4
)

var rowArguments = sync.Pool{New: func() any { return new(rowSums) }}

// over calls kernel for the whole steps of the rows and returns the column
// after them. What it reads and writes by row is in a, square and dot.
func (r *rowSums) over(kernel func(p *rowSums), of kernels.Rows) (after int) {
	after = of.To - (of.To-of.From)%sumStep
	r.x, r.first, r.stride = of.X, of.First, of.Stride
	for r.from = of.From; r.from < after; r.from += r.steps * sumStep {
		r.steps = min(after-r.from, sumAtOnce) / sumStep
		a, square, dot := r.a, r.square, r.dot
		for k := 0; k < len(of.Class); k += r.n {
			r.n = min(max(sumAtOnce/(r.steps*sumStep), 1), len(of.Class)-k)
			r.ahead = 0
			if more := len(of.List) - ahead - k; more > 0 {
				r.n, r.ahead = min(r.n, more), ahead
			}
			r.list, r.class = of.List[k:], of.Class[k:]
			if a != nil {
				r.a = a[k:]
			}
			if square != nil {
				r.square = square[k:]
			}
			if dot != nil {
				r.dot = dot[k:]
			}
			kernel(r)
		}
		r.a, r.square, r.dot = a, square, dot
	}
	return after
}

// SumAll is Σ x in float64.
func (b *Backend) SumAll(x []float32) float64 {
	var p wideSum
	sum := 0.
	for ; len(x) >= sumStep; x = x[p.steps*sumStep:] {
		p.x, p.steps = x, min(len(x), sumAtOnce)/sumStep
		b.rows.sum(&p)
		sum += p.sum
	}
	for _, v := range x {
		sum += float64(v)
	}
	return sum
}

// RowSquares is square[k] = |x_k - mu[j]|².
func (b *Backend) RowSquares(square []float64, r kernels.Rows, mu [][]float64) {
	b.rowSquares(b.rows.squares, square, nil, r, mu, nil)
}

// RowDots is square[k] = |x_k - mu[j]|² and dot[k] = (x_k - mu[j])·s[j].
func (b *Backend) RowDots(square, dot []float64, r kernels.Rows, mu, s [][]float64) {
	b.rowSquares(b.rows.dots, square, dot, r, mu, s)
}

func (b *Backend) rowSquares(kernel func(p *rowSums), square, dot []float64, r kernels.Rows, mu, s [][]float64) {
	clear(square[:len(r.Class)])
	p := rowArguments.Get().(*rowSums)
	if *p = (rowSums{mu: mu, s: s, square: square}); dot != nil {
		clear(dot[:len(r.Class)])
		p.dot = dot
	}
	after := p.over(kernel, r)
	rowArguments.Put(p)
	if after == r.To {
		return
	}
	for k, j := range r.Class {
		x := r.Row(k)
		for i := after; i < r.To; i++ {
			e := float64(x[i-r.From]) - mu[j][i]
			square[k] += e * e
			if dot != nil {
				dot[k] += e * s[j][i]
			}
		}
	}
}

// AddRows is sum[j] += a[k]·(x_k - mu[j]).
func (b *Backend) AddRows(sum [][]float64, a []float64, r kernels.Rows, mu [][]float64) {
	p := rowArguments.Get().(*rowSums)
	*p = rowSums{mu: mu, s: sum, a: a}
	after := p.over(b.rows.adds, r)
	rowArguments.Put(p)
	if after == r.To {
		return
	}
	for k, j := range r.Class {
		if a[k] == 0 {
			continue
		}
		x := r.Row(k)
		for i := after; i < r.To; i++ {
			sum[j][i] += a[k] * (float64(x[i-r.From]) - mu[j][i])
		}
	}
}

var rowsGo = rowKernels{sum: wideSumGo, squares: rowSquaresGo, dots: rowDotsGo, adds: rowAddsGo}

func wideSumGo(p *wideSum) {
	var s0, s1, s2, s3 float64
	for i := range p.steps * sumStep / 4 {
		x := (*[4]float32)(p.x[4*i:])
		s0, s1, s2, s3 = s0+float64(x[0]), s1+float64(x[1]), s2+float64(x[2]), s3+float64(x[3])
	}
	p.sum = (s0 + s1) + (s2 + s3)
}

// row is what there is of row k, and its class's vector among v.
func (p *rowSums) row(k int, v [][]float64) ([]float32, []float64) {
	at := (p.list[k]-p.first)*p.stride + p.from
	return p.x[at : at+p.steps*sumStep], v[p.class[k]][p.from:]
}

func rowSquaresGo(p *rowSums) {
	for k := range p.n {
		var s0, s1, s2, s3 float64
		x, mu := p.row(k, p.mu)
		for i := 0; i < len(x); i += 4 {
			x, mu := (*[4]float32)(x[i:]), (*[4]float64)(mu[i:])
			e0, e1, e2, e3 := float64(x[0])-mu[0], float64(x[1])-mu[1], float64(x[2])-mu[2], float64(x[3])-mu[3]
			s0, s1, s2, s3 = s0+e0*e0, s1+e1*e1, s2+e2*e2, s3+e3*e3
		}
		p.square[k] += (s0 + s1) + (s2 + s3)
	}
}

func rowDotsGo(p *rowSums) {
	rowSquaresGo(p)
	for k := range p.n {
		var d0, d1, d2, d3 float64
		x, mu := p.row(k, p.mu)
		_, s := p.row(k, p.s)
		for i := 0; i < len(x); i += 4 {
			x, mu, s := (*[4]float32)(x[i:]), (*[4]float64)(mu[i:]), (*[4]float64)(s[i:])
			d0, d1 = d0+(float64(x[0])-mu[0])*s[0], d1+(float64(x[1])-mu[1])*s[1]
			d2, d3 = d2+(float64(x[2])-mu[2])*s[2], d3+(float64(x[3])-mu[3])*s[3]
		}
		p.dot[k] += (d0 + d1) + (d2 + d3)
	}
}

func rowAddsGo(p *rowSums) {
	for k := range p.n {
		a := p.a[k]
		if a == 0 {
			continue
		}
		x, mu := p.row(k, p.mu)
		_, s := p.row(k, p.s)
		for i := 0; i < len(x); i += 4 {
			x, mu, s := (*[4]float32)(x[i:]), (*[4]float64)(mu[i:]), (*[4]float64)(s[i:])
			s[0] += a * (float64(x[0]) - mu[0])
			s[1] += a * (float64(x[1]) - mu[1])
			s[2] += a * (float64(x[2]) - mu[2])
			s[3] += a * (float64(x[3]) - mu[3])
		}
	}
}
