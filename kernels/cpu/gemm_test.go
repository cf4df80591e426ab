package cpu

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"phase/kernels"
	"phase/kernels/ref"
	"phase/tensor"
)

// TestGemm compares all transpositions and odd sizes with ref.
func TestGemm(t *testing.T) {
	each(t, func(t *testing.T, b *Backend) {
		r := rand.New(rand.NewPCG(1, 2))
		sizes := [][3]int{{1, 1, 1}, {2, 3, 4}, {12, 16, 5}, {13, 17, 19}, {128, 10, 64}, {10, 64, 128}, {49, 33, 257}, {30, 530, 3}, {5, 40, 600}, {3, 4, 0}, {150, 48, 160}}
		for _, size := range sizes {
			m, n, k := size[0], size[1], size[2]
			for i := range 8 {
				g := kernels.Gemm{TransA: i&1 != 0, TransB: i&2 != 0, Add: i&4 != 0}
				x, y := tensor.New(tensor.CPU, tensor.F32, m, k), tensor.New(tensor.CPU, tensor.F32, k, n)
				if g.TransA {
					x = tensor.New(tensor.CPU, tensor.F32, k, m)
				}
				if g.TransB {
					y = tensor.New(tensor.CPU, tensor.F32, n, k)
				}
				fill(r, x)
				fill(r, y)
				got := fill(r, tensor.New(tensor.CPU, tensor.F32, m, n))
				want := copyOf(got)
				b.Gemm(g, got, x, y)
				ref.Backend{}.Gemm(g, want, x, y)
				agree(t, fmt.Sprintf("%v %+v", size, g), got, want, 1e-6*math.Sqrt(float64(k+1)))
			}
		}
	})
}

// TestGemmSlabs crosses the borders of all blocks, against sums in float64.
func TestGemmSlabs(t *testing.T) {
	each(t, func(t *testing.T, b *Backend) {
		r := rand.New(rand.NewPCG(3, 4))
		m, n, k := 14, slabN+37, blockK+3
		x, y := fill(r, tensor.New(tensor.CPU, tensor.F32, m, k)), fill(r, tensor.New(tensor.CPU, tensor.F32, k, n))
		got := tensor.New(tensor.CPU, tensor.F32, m, n)
		b.Gemm(kernels.Gemm{}, got, x, y)
		want := tensor.New(tensor.CPU, tensor.F64, m, n)
		gemm64(kernels.Gemm{}, m, n, k, tensor.Data[float64](want), tensor.Values(x), tensor.Values(y))
		agree(t, "slabs", got, want, 1e-5)
		sameBits(t, "gemm", func() *tensor.Tensor { b.Gemm(kernels.Gemm{}, got, x, y); return got })
	})
}

func TestGemm64(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	b, err := New("")
	if err != nil {
		t.Fatal(err)
	}
	for i := range 8 {
		g := kernels.Gemm{TransA: i&1 != 0, TransB: i&2 != 0, Add: i&4 != 0}
		x, y := fill(r, tensor.New(tensor.CPU, tensor.F64, 7, 7)), fill(r, tensor.New(tensor.CPU, tensor.F64, 7, 7))
		got := fill(r, tensor.New(tensor.CPU, tensor.F64, 7, 7))
		want := copyOf(got)
		b.Gemm(g, got, x, y)
		ref.Backend{}.Gemm(g, want, x, y)
		agree(t, fmt.Sprintf("%+v", g), got, want, 1e-14)
	}
}

// TestSumChunks checks the kernel that adds partial sums, and that it writes
// nothing beyond its end.
func TestSumChunks(t *testing.T) {
	each(t, func(t *testing.T, b *Backend) {
		s := &chunkSum{dst: make([]float32, 97), src: make([]float32, 5*100), n: 96, chunks: 5, stride: 100}
		for i := range s.src {
			s.src[i] = float32(i)
		}
		b.gemm.sum(s)
		for i, got := range s.dst {
			if want := float32(5*i + 1000); i < 96 && got != want || i == 96 && got != 0 {
				t.Fatalf("element %d is %v", i, got)
			}
		}
	})
}

// TestTurn: transpositions of all sizes write their places and no others.
func TestTurn(t *testing.T) {
	each(t, func(t *testing.T, b *Backend) {
		r := rand.New(rand.NewPCG(6, 1))
		s := b.pool.get(0)
		defer b.pool.put(s)
		for _, rows := range []int{1, 7, 16} {
			for _, n := range []int{1, 8, 15, 16, 17, 40, 4096 + 35} {
				src, dst := newGuarded(r, 15*(n+3)+n), newGuarded(r, (n-1)*19+16)
				want := dst.clone()
				for q := range rows {
					for l := range n {
						want.s[l*19+q] = src.s[q*(n+3)+l]
					}
				}
				b.gemm.turn(s, rows, n, dst.s, 19, src.s, n+3)
				sameGuarded(t, fmt.Sprintf("%d rows of %d", rows, n), dst, want)
			}
		}
	})
}
