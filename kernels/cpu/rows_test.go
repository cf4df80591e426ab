package cpu

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"phase/kernels"
)

// TestRows: each variant's sums over rows equal the loops that define them, for
// rows of any length and start, and the bits of a row do not depend on what is
// asked for beside it. Nothing beside the columns is written.
func TestRows(t *testing.T) {
	for _, name := range Variants() {
		b, err := New(name)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range []int{0, 1, 7, 15, 16, 17, 31, 32, 33, 64, 100, sumAtOnce - 1, sumAtOnce + 17, 2*sumAtOnce + 16} {
			const n = 20
			r := rand.New(rand.NewPCG(1, uint64(d)))
			stride := d + 3
			rows := kernels.Rows{X: make([]float32, 1+n*stride)[1:], First: 10, Stride: stride, From: 2, To: d + 2, List: []int{12, 10, 14, 11, 28, 13, 29, 20, 15, 16, 17, 18}, Class: []int{1, 0, 1, 1, 0, 0, 1, 0, 1}}
			for i := range rows.X {
				rows.X[i] = float32(3 + r.NormFloat64())
			}
			vectors := func(mean, spread float64) [][]float64 { // of two classes
				v := [][]float64{make([]float64, d+3), make([]float64, d+3)}
				for i := range d + 3 {
					v[0][i], v[1][i] = mean+spread*r.NormFloat64(), mean-spread*r.NormFloat64()
				}
				return v
			}
			mu, s, sum := vectors(3, .1), vectors(0, 1), vectors(0, 1)
			want := [][]float64{slices.Clone(sum[0]), slices.Clone(sum[1])}
			a := []float64{.7, 0, -.3, 1, 2, -1, .5, 0, .1}
			square, again, dot := make([]float64, 9), make([]float64, 9), make([]float64, 9)
			b.RowSquares(square, rows, mu)
			b.RowDots(again, dot, rows, mu, s)
			near := func(what string, got, want, size float64) {
				if !(math.Abs(got-want) <= 1e-13*(size+1)) {
					t.Errorf("%s, d %d: %s is %v, want %v", name, d, what, got, want)
				}
			}
			for k, j := range rows.Class {
				sq, pr, size := 0., 0., 0.
				for i, x := range rows.Row(k) {
					e := float64(x) - mu[j][2+i]
					sq += e * e
					pr += e * s[j][2+i]
					size += math.Abs(e * s[j][2+i])
					want[j][2+i] += a[k] * e
				}
				near("a square", square[k], sq, sq)
				near("a product", dot[k], pr, size)
				one := rows
				one.List, one.Class = rows.List[k:k+1], rows.Class[k:k+1]
				alone := make([]float64, 1)
				if b.RowSquares(alone, one, mu); square[k] != again[k] || alone[0] != square[k] {
					t.Errorf("%s, d %d: a square is %v, %v with products and %v alone", name, d, square[k], again[k], alone[0])
				}
			}
			b.AddRows(sum, a, rows, mu)
			for j := range sum {
				for i, v := range sum[j] { // those beside the columns, too
					near("an added number", v, want[j][i], 1)
				}
			}
			total := 0.
			for _, x := range rows.X {
				total += float64(x)
			}
			near("the sum", b.SumAll(rows.X), total, total)
			if d == 0 {
				continue
			}
			for _, at := range []int{0, d / 2, d - 1} { // a NaN comes through wherever it is
				x := rows.Row(1)
				old := x[at]
				x[at] = float32(math.NaN())
				b.RowDots(square, dot, rows, mu, s)
				if x[at] = old; !math.IsNaN(square[1]) || !math.IsNaN(dot[1]) || square[0] != again[0] || square[2] != again[2] {
					t.Errorf("%s, d %d: with a NaN at %d the squares are %v and %v", name, d, at, square, dot)
				}
			}
		}
	}
}
