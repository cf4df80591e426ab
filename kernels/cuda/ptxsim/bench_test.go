package ptxsim

import (
	"math/rand/v2"
	"testing"
)

func BenchmarkGemm(b *testing.B) {
	r := rand.New(rand.NewPCG(1, 2))
	const n = 64
	for _, c := range []struct {
		name string
		skip Check
	}{{"checked", 0}, {"unchecked", Race | Uninitialized}} {
		b.Run(c.name, func(b *testing.B) {
			k := loaded(b, basic, "gemm")
			var m Memory
			x, y, z := given(b, &m, normals(r, n*n)), given(b, &m, normals(r, n*n)), m.Alloc(4*n*n)
			for b.Loop() {
				if err := k.Run(&m, Launch{Grid: [3]int{n / 16, n / 16}, Block: [3]int{16, 16}, Skip: c.skip}, x, y, z, n, n, n); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(k.Executed())/b.Elapsed().Seconds()/1e6, "Mlanes/s")
		})
	}
}
