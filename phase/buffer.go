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

// The loops below go in steps of eight through pointers to arrays, which need one
// check of bounds a step.

func (b block[T]) square(at int, mu []float64) float64 {
	x, k := b.row(at), 0
	var s0, s1, s2, s3 float64
	if mu == nil {
		for ; k+8 <= len(x); k += 8 {
			x := (*[8]T)(x[k:])
			d0, d1, d2, d3 := float64(x[0]), float64(x[1]), float64(x[2]), float64(x[3])
			s0, s1, s2, s3 = s0+d0*d0, s1+d1*d1, s2+d2*d2, s3+d3*d3
			d0, d1, d2, d3 = float64(x[4]), float64(x[5]), float64(x[6]), float64(x[7])
			s0, s1, s2, s3 = s0+d0*d0, s1+d1*d1, s2+d2*d2, s3+d3*d3
		}
		for ; k < len(x); k++ {
			s0 += float64(x[k]) * float64(x[k])
		}
		return (s0 + s1) + (s2 + s3)
	}
	for ; k+8 <= len(x); k += 8 {
		x, mu := (*[8]T)(x[k:]), (*[8]float64)(mu[k:])
		d0, d1, d2, d3 := float64(x[0])-mu[0], float64(x[1])-mu[1], float64(x[2])-mu[2], float64(x[3])-mu[3]
		s0, s1, s2, s3 = s0+d0*d0, s1+d1*d1, s2+d2*d2, s3+d3*d3
		d0, d1, d2, d3 = float64(x[4])-mu[4], float64(x[5])-mu[5], float64(x[6])-mu[6], float64(x[7])-mu[7]
		s0, s1, s2, s3 = s0+d0*d0, s1+d1*d1, s2+d2*d2, s3+d3*d3
	}
	for ; k < len(x); k++ {
		d := float64(x[k]) - mu[k]
		s0 += d * d
	}
	return (s0 + s1) + (s2 + s3)
}

func (b block[T]) squareDot(at int, mu, s []float64) (square, dot float64) {
	x, k := b.row(at), 0
	var s0, s1, s2, s3, p0, p1, p2, p3 float64
	for ; k+8 <= len(x); k += 8 {
		x, mu, s := (*[8]T)(x[k:]), (*[8]float64)(mu[k:]), (*[8]float64)(s[k:])
		d0, d1, d2, d3 := float64(x[0])-mu[0], float64(x[1])-mu[1], float64(x[2])-mu[2], float64(x[3])-mu[3]
		s0, s1, s2, s3 = s0+d0*d0, s1+d1*d1, s2+d2*d2, s3+d3*d3
		p0, p1, p2, p3 = p0+d0*s[0], p1+d1*s[1], p2+d2*s[2], p3+d3*s[3]
		d0, d1, d2, d3 = float64(x[4])-mu[4], float64(x[5])-mu[5], float64(x[6])-mu[6], float64(x[7])-mu[7]
		s0, s1, s2, s3 = s0+d0*d0, s1+d1*d1, s2+d2*d2, s3+d3*d3
		p0, p1, p2, p3 = p0+d0*s[4], p1+d1*s[5], p2+d2*s[6], p3+d3*s[7]
	}
	for ; k < len(x); k++ {
		d := float64(x[k]) - mu[k]
		s0 += d * d
		p0 += d * s[k]
	}
	return (s0 + s1) + (s2 + s3), (p0 + p1) + (p2 + p3)
}

func (b block[T]) add(sum []float64, a float64, at, column int, mu []float64) {
	x, k := b.row(at)[column:][:len(sum)], 0
	if mu == nil {
		for ; k+8 <= len(x); k += 8 {
			sum, x := (*[8]float64)(sum[k:]), (*[8]T)(x[k:])
			sum[0] += a * float64(x[0])
			sum[1] += a * float64(x[1])
			sum[2] += a * float64(x[2])
			sum[3] += a * float64(x[3])
			sum[4] += a * float64(x[4])
			sum[5] += a * float64(x[5])
			sum[6] += a * float64(x[6])
			sum[7] += a * float64(x[7])
		}
		for ; k < len(x); k++ {
			sum[k] += a * float64(x[k])
		}
		return
	}
	for ; k+8 <= len(x); k += 8 {
		sum, x, mu := (*[8]float64)(sum[k:]), (*[8]T)(x[k:]), (*[8]float64)(mu[k:])
		sum[0] += a * (float64(x[0]) - mu[0])
		sum[1] += a * (float64(x[1]) - mu[1])
		sum[2] += a * (float64(x[2]) - mu[2])
		sum[3] += a * (float64(x[3]) - mu[3])
		sum[4] += a * (float64(x[4]) - mu[4])
		sum[5] += a * (float64(x[5]) - mu[5])
		sum[6] += a * (float64(x[6]) - mu[6])
		sum[7] += a * (float64(x[7]) - mu[7])
	}
	for ; k < len(x); k++ {
		sum[k] += a * (float64(x[k]) - mu[k])
	}
}
