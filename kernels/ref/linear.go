package ref

import (
	"phase/kernels"
	"phase/tensor"
)

// Gemm is c[i,j] = Σ_l op(a)[i,l]·op(b)[l,j], added to c when g.Add is set.
func (Backend) Gemm(g kernels.Gemm, c, a, b *tensor.Tensor) {
	if g.TransA {
		a = a.Permute(1, 0)
	}
	if g.TransB {
		b = b.Permute(1, 0)
	}
	m, k, n := a.Dim(0), a.Dim(1), b.Dim(1)
	as, bs, sum := tensor.Values(a), tensor.Values(b), make([]float64, m*n)
	for i := range m {
		for l := range k {
			for j := range n {
				sum[i*n+j] += as[i*k+l] * bs[l*n+j]
			}
		}
	}
	add(kernels.Acc{T: c, Fresh: !g.Add}, sum)
}
