package phase

import (
	"fmt"
	"math"

	"phase/kernels"
	"phase/tensor"
)

// A buffer is some rows of features, of the type they were written with; sums
// over a row are made in float64. Vectors by class are of a row's length.
type buffer interface {
	// read fetches n rows of f from row lo on to row at.
	read(f Features, lo, at, n int) error
	// check is the error that a row has a number that is NaN, infinite or
	// beyond largest, or nil.
	check(at int) error
	// sum is the sum of n rows from row at on.
	sum(at, n int) float64
	// squares is square[k] = |x_k - mu[j]|², j the class of the row x_k.
	squares(square []float64, s some, mu [][]float64)
	// dots is that, and dot[k] = (x_k - mu[j])·v[j].
	dots(square, dot []float64, s some, mu, v [][]float64)
	// add is sum[j] += a[k]·(x_k - mu[j]), row after row, without those whose
	// a is 0.
	add(sum [][]float64, a []float64, s some, mu [][]float64)
}

// some are rows of a buffer that starts with row first, or the columns from to
// to-1 of them. list has their numbers, class their classes; what list has
// beyond these is looked at next.
type some struct {
	first, from, to int
	list, class     []int
}

// largest is the greatest magnitude of a feature: squares of what lies below
// can be added up in float64.
const largest = 1e150

type block[T tensor.Float] struct {
	x []T
	d int
	v kernels.Summer // for float32 the host's, if it has one
}

// bufferOf makes buffers for rows of f.
func bufferOf(f Features) func(rows, d int) buffer {
	if f.DType() == tensor.F32 {
		return newBuffer[float32]
	}
	return newBuffer[float64]
}

func newBuffer[T tensor.Float](rows, d int) buffer { return blockOf(make([]T, rows*d), d) }

func blockOf[T tensor.Float](x []T, d int) block[T] {
	b := block[T]{x: x, d: d}
	if _, ok := any(x).([]float32); ok {
		b.v, _ = kernels.Registered(tensor.CPU).(kernels.Summer)
	}
	return b
}

// rows is s for b.v.
func (b block[T]) rows(s some) kernels.Rows {
	return kernels.Rows{X: any(b.x).([]float32), Stride: b.d, First: s.first, From: s.from, To: s.to, List: s.list, Class: s.class}
}

// part is row k of s.
func (b block[T]) part(s some, k int) []T { return b.row(s.list[k] - s.first)[s.from:s.to] }

func (b block[T]) row(at int) []T { return b.x[at*b.d:][:b.d] }

func (b block[T]) read(f Features, lo, at, n int) error {
	return f.Read(lo, tensor.Of(b.x[at*b.d:(at+n)*b.d], n, b.d))
}

func (b block[T]) check(at int) error {
	for k, v := range b.row(at) {
		if !(math.Abs(float64(v)) <= largest) {
			return fmt.Errorf("feature %d is %v, want a number between ±%v", k, v, largest)
		}
	}
	return nil
}

func (b block[T]) sum(at, n int) float64 {
	x := b.x[at*b.d : (at+n)*b.d]
	if b.v != nil {
		return b.v.SumAll(any(x).([]float32))
	}
	var s0, s1, s2, s3 float64
	for ; len(x) >= 4; x = x[4:] {
		s0, s1, s2, s3 = s0+float64(x[0]), s1+float64(x[1]), s2+float64(x[2]), s3+float64(x[3])
	}
	for _, v := range x {
		s0 += float64(v)
	}
	return (s0 + s1) + (s2 + s3)
}

func (b block[T]) squares(square []float64, s some, mu [][]float64) {
	if b.v != nil {
		b.v.RowSquares(square, b.rows(s), mu)
		return
	}
	for k, j := range s.class {
		x, mu := b.part(s, k), mu[j][s.from:s.to]
		var s0, s1, s2, s3 float64
		at := 0
		for ; at+4 <= len(x); at += 4 {
			x, mu := (*[4]T)(x[at:]), (*[4]float64)(mu[at:])
			d0, d1, d2, d3 := float64(x[0])-mu[0], float64(x[1])-mu[1], float64(x[2])-mu[2], float64(x[3])-mu[3]
			s0, s1, s2, s3 = s0+d0*d0, s1+d1*d1, s2+d2*d2, s3+d3*d3
		}
		for ; at < len(x); at++ {
			d := float64(x[at]) - mu[at]
			s0 += d * d
		}
		square[k] = (s0 + s1) + (s2 + s3)
	}
}

func (b block[T]) dots(square, dot []float64, s some, mu, v [][]float64) {
	if b.v != nil {
		b.v.RowDots(square, dot, b.rows(s), mu, v)
		return
	}
	b.squares(square, s, mu)
	for k, j := range s.class {
		x, mu, v := b.part(s, k), mu[j][s.from:s.to], v[j][s.from:s.to]
		var p0, p1, p2, p3 float64
		at := 0
		for ; at+4 <= len(x); at += 4 {
			x, mu, v := (*[4]T)(x[at:]), (*[4]float64)(mu[at:]), (*[4]float64)(v[at:])
			p0, p1 = p0+(float64(x[0])-mu[0])*v[0], p1+(float64(x[1])-mu[1])*v[1]
			p2, p3 = p2+(float64(x[2])-mu[2])*v[2], p3+(float64(x[3])-mu[3])*v[3]
		}
		for ; at < len(x); at++ {
			p0 += (float64(x[at]) - mu[at]) * v[at]
		}
		dot[k] = (p0 + p1) + (p2 + p3)
	}
}

func (b block[T]) add(sum [][]float64, a []float64, s some, mu [][]float64) {
	if b.v != nil {
		b.v.AddRows(sum, a, b.rows(s), mu)
		return
	}
	for k, j := range s.class {
		a := a[k]
		if a == 0 {
			continue
		}
		x, mu, sum := b.part(s, k), mu[j][s.from:s.to], sum[j][s.from:s.to]
		at := 0
		for ; at+4 <= len(x); at += 4 {
			sum, x, mu := (*[4]float64)(sum[at:]), (*[4]T)(x[at:]), (*[4]float64)(mu[at:])
			sum[0] += a * (float64(x[0]) - mu[0])
			sum[1] += a * (float64(x[1]) - mu[1])
			sum[2] += a * (float64(x[2]) - mu[2])
			sum[3] += a * (float64(x[3]) - mu[3])
		}
		for ; at < len(x); at++ {
			sum[at] += a * (float64(x[at]) - mu[at])
		}
	}
}
