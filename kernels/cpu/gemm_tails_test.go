package cpu

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"phase/kernels"
	"phase/kernels/ref"
	"phase/tensor"
)

// TestGemmTails has every width up to two panels and a column, and every height
// up to a tile and a row: a tile that is one too wide or too high spoils the
// row below or leaves the matrix.
func TestGemmTails(t *testing.T) {
	each(t, func(t *testing.T, b *Backend) {
		r := rand.New(rand.NewPCG(7, 8))
		const k, tallest = 3, 14
		check := func(m, n int) {
			x, y := fill(r, tensor.New(tensor.CPU, tensor.F32, m, k)), fill(r, tensor.New(tensor.CPU, tensor.F32, k, n))
			got := fill(r, tensor.New(tensor.CPU, tensor.F32, m, n))
			want := copyOf(got)
			b.Gemm(kernels.Gemm{Add: true}, got, x, y)
			ref.Backend{}.Gemm(kernels.Gemm{Add: true}, want, x, y)
			agree(t, fmt.Sprintf("%d rows of %d columns", m, n), got, want, 1e-6)
		}
		for n := 1; n <= 2*panel+1; n++ {
			check(tallest+1, n)
		}
		for m := 1; m <= 3*tallest; m++ {
			check(m, panel+1)
		}
	})
}
