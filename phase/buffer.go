package phase

import (
	"fmt"
	"math"

	"phase/tensor"
)

// A buffer is some rows of features, of the type they were written with; sums
// over a row are made in float64.
type buffer interface {
	// read fetches n rows of f from row lo on to row at.
	read(f Features, lo, at, n int) error
	// check is the error that a row has a number that is NaN, infinite or
	// beyond largest, or nil.
	check(at int) error
	// sum is the sum of a row's numbers.
	sum(at int) float64
	// square is |row - mu|², mu nil being zero.
	square(at int, mu []float64) float64
	// squareDot is that, and the product (row - mu)·s.
	squareDot(at int, mu, s []float64) (square, dot float64)
	// add is sum += a·(row - mu), of the row's numbers from column on.
	add(sum []float64, a float64, at, column int, mu []float64)
}

// largest is the greatest magnitude of a feature: squares of what lies below
// can be added up in float64.
const largest = 1e150

type block[T tensor.Float] struct {
	x []T
	d int
}

// bufferOf makes buffers for rows of f.
func bufferOf(f Features) func(rows, d int) buffer {
	if f.DType() == tensor.F32 {
		return newBuffer[float32]
	}
	return newBuffer[float64]
}

func newBuffer[T tensor.Float](rows, d int) buffer { return block[T]{make([]T, rows*d), d} }

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

func (b block[T]) sum(at int) float64 {
	x := b.row(at)
	var s0, s1, s2, s3 float64
	for ; len(x) >= 4; x = x[4:] {
		s0, s1, s2, s3 = s0+float64(x[0]), s1+float64(x[1]), s2+float64(x[2]), s3+float64(x[3])
	}
	for _, v := range x {
		s0 += float64(v)
	}
	return (s0 + s1) + (s2 + s3)
}

func (b block[T]) square(at int, mu []float64) float64 {
	x := b.row(at)
	var s0, s1, s2, s3 float64
	if mu == nil {
		for ; len(x) >= 4; x = x[4:] {
			d0, d1, d2, d3 := float64(x[0]), float64(x[1]), float64(x[2]), float64(x[3])
			s0, s1, s2, s3 = s0+d0*d0, s1+d1*d1, s2+d2*d2, s3+d3*d3
		}
		for _, v := range x {
			s0 += float64(v) * float64(v)
		}
		return (s0 + s1) + (s2 + s3)
	}
	for ; len(x) >= 4 && len(mu) >= 4; x, mu = x[4:], mu[4:] {
		d0, d1, d2, d3 := float64(x[0])-mu[0], float64(x[1])-mu[1], float64(x[2])-mu[2], float64(x[3])-mu[3]
		s0, s1, s2, s3 = s0+d0*d0, s1+d1*d1, s2+d2*d2, s3+d3*d3
	}
	for k, v := range x {
		d := float64(v) - mu[k]
		s0 += d * d
	}
	return (s0 + s1) + (s2 + s3)
}

func (b block[T]) squareDot(at int, mu, s []float64) (square, dot float64) {
	x := b.row(at)
	var s0, s1, p0, p1 float64
	for ; len(x) >= 2 && len(mu) >= 2 && len(s) >= 2; x, mu, s = x[2:], mu[2:], s[2:] {
		d0, d1 := float64(x[0])-mu[0], float64(x[1])-mu[1]
		s0, s1 = s0+d0*d0, s1+d1*d1
		p0, p1 = p0+d0*s[0], p1+d1*s[1]
	}
	for k, v := range x {
		d := float64(v) - mu[k]
		s0 += d * d
		p0 += d * s[k]
	}
	return s0 + s1, p0 + p1
}

func (b block[T]) add(sum []float64, a float64, at, column int, mu []float64) {
	x := b.row(at)[column:][:len(sum)]
	if mu == nil {
		for k, v := range x {
			sum[k] += a * float64(v)
		}
		return
	}
	mu = mu[:len(sum)]
	for k, v := range x {
		sum[k] += a * (float64(v) - mu[k])
	}
}
