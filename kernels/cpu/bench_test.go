package cpu

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"phase/kernels"
	"phase/tensor"
)

// rate reports how many floating-point operations a second b's loop did, each
// turn doing flops of them.
func rate(b *testing.B, flops int) {
	b.ReportMetric(float64(flops)*float64(b.N)/b.Elapsed().Seconds()/1e9, "GFLOP/s")
}

// benchEach runs f as a benchmark with every variant.
func benchEach(b *testing.B, f func(b *testing.B, k *Backend)) {
	for _, name := range Variants() {
		k, err := New(name)
		if err != nil {
			b.Fatal(err)
		}
		b.Run(name, func(b *testing.B) { f(b, k) })
	}
}

func BenchmarkGemm(b *testing.B) {
	r := rand.New(rand.NewPCG(1, 1))
	for _, n := range []int{256, 512, 1024} {
		x, y, z := fill(r, tensor.New(tensor.CPU, tensor.F32, n, n)), fill(r, tensor.New(tensor.CPU, tensor.F32, n, n)), tensor.New(tensor.CPU, tensor.F32, n, n)
		for _, g := range []kernels.Gemm{{}, {TransB: true}, {TransA: true}} {
			b.Run(fmt.Sprintf("%d/A%s·B%s", n, prime(g.TransA), prime(g.TransB)), func(b *testing.B) {
				benchEach(b, func(b *testing.B, k *Backend) {
					b.ReportAllocs()
					for b.Loop() {
						k.Gemm(g, z, x, y)
					}
					rate(b, 2*n*n*n)
				})
			})
		}
	}
}

func prime(transposed bool) string {
	if transposed {
		return "ᵀ"
	}
	return ""
}
