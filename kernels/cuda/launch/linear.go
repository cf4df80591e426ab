package launch

import (
	"phase/kernels"
	"phase/tensor"
)

// Gemm is c = op(a)·op(b), added to c when g.Add is set.
func (b Backend) Gemm(g kernels.Gemm, c, x, y *tensor.Tensor) {
	t := tile{128, 64, 128}
	if c.DType() == tensor.F64 || t.blocks(c.Dim(0), c.Dim(1)) < enoughBlocks/2 {
		t = tile{64, 32, 128}
	}
	b.run(func(w *Work) { w.gemm(t, g, c, x, y) })
}

func (w *Work) gemm(t tile, g kernels.Gemm, c, x, y *tensor.Tensor) {
	m, n, k := c.Dim(0), c.Dim(1), x.Dim(1)
	xRow, xTerm, yColumn, yTerm := k, 1, 1, n
	variant := []byte("_nn")
	if g.TransA {
		k = x.Dim(0)
		xRow, xTerm, variant[1] = 1, m, 't'
	}
	if g.TransB {
		yColumn, yTerm, variant[2] = k, 1, 't'
	}
	if m == 0 || n == 0 {
		return
	}
	floats("gemm", c)
	w.product("gemm", string(variant), t, c.DType(), m, n, 1, at(c), truth(!g.Add), at(x), at(y), whole(m), whole(n), whole(k),
		whole(xRow), whole(xTerm), whole(yColumn), whole(yTerm))
}
