package ref

import (
	"phase/kernels"
	"phase/tensor"
)

// Branch is one block after the other.
func (b Backend) Branch(p kernels.Branch, y []*tensor.Tensor, u []kernels.Unit, x, shortcut *tensor.Tensor) {
	each := len(u) / len(y)
	for k, out := range y {
		b.block(p.Block(k, len(y)), out, u[k*each:][:each], x, shortcut)
		x, shortcut = out, out
	}
}

// block is one convolution and one norm after the other.
func (b Backend) block(p kernels.Branch, y *tensor.Tensor, u []kernels.Unit, x, shortcut *tensor.Tensor) {
	for i, v := range u {
		b.Conv2D(p.Convs[i], v.Z, x, v.W)
		a, residual := tensor.Like(v.Z), (*tensor.Tensor)(nil)
		if i == len(u)-1 {
			a, residual = y, shortcut
		}
		b.BatchNorm(p.Norm(i), a, v.Mean, v.Var, v.Z, v.Gamma, v.Beta, residual)
		x = a
	}
}

// BranchEval is a block with the statistics given.
func (b Backend) BranchEval(p kernels.Branch, y *tensor.Tensor, u []kernels.Unit, x, shortcut *tensor.Tensor) {
	for i, v := range u {
		xs, ws, c := x.Shape(), v.W.Shape(), p.Convs[i]
		z := tensor.NewImages(x.Device(), x.DType(), xs[0], ws[0], c.Out(xs[2], ws[2]), c.Out(xs[3], ws[3]))
		b.Conv2D(c, z, x, v.W)
		residual := (*tensor.Tensor)(nil)
		x = z
		if i == len(u)-1 {
			x, residual = y, shortcut
		}
		b.BatchNormEval(p.Norm(i), x, z, v.Gamma, v.Beta, v.Mean, v.Var, residual)
	}
}

// BranchGrad goes through the blocks backwards.
func (b Backend) BranchGrad(p kernels.Branch, dx, dshortcut kernels.Acc, du []kernels.UnitGrad, u []kernels.Unit, x *tensor.Tensor, y []*tensor.Tensor, dy *tensor.Tensor) {
	each := len(u) / len(y)
	for k := len(y) - 1; k >= 0; k-- {
		from, dfrom, dshort := x, dx, dshortcut
		if k > 0 {
			from = y[k-1]
			g := tensor.Like(from)
			dfrom, dshort = kernels.Acc{T: g}, kernels.Acc{T: g, Fresh: true}
		}
		b.blockGrad(p.Block(k, len(y)), dfrom, dshort, du[k*each:][:each], u[k*each:][:each], from, y[k], dy)
		dy = dfrom.T
	}
}

// blockGrad goes through the units backwards; the inputs of the convolutions
// are computed again from the units' Z.
func (b Backend) blockGrad(p kernels.Branch, dx, dshortcut kernels.Acc, du []kernels.UnitGrad, u []kernels.Unit, x, y, dy *tensor.Tensor) {
	last := len(u) - 1
	a := make([]*tensor.Tensor, len(u)) // the convolutions' inputs
	a[0] = x
	for i, v := range u[:last] {
		a[i+1] = tensor.Like(v.Z)
		b.BatchNormEval(p.Norm(i), a[i+1], v.Z, v.Gamma, v.Beta, v.Mean, v.Var, nil)
	}
	for i := last; i >= 0; i-- {
		v, dz, dres := u[i], tensor.Like(u[i].Z), kernels.Acc{}
		out := y
		if i == last {
			dres = dshortcut
		} else {
			out = a[i+1]
		}
		b.BatchNormGrad(p.Norm(i), kernels.Acc{T: dz, Fresh: true}, du[i].Gamma, du[i].Beta, dres, v.Z, out, v.Gamma, v.Mean, v.Var, dy)
		b.Conv2DGradW(p.Convs[i], du[i].W, a[i], dz)
		da := dx
		if i > 0 {
			dy = tensor.Like(a[i])
			da = kernels.Acc{T: dy, Fresh: true}
		}
		b.Conv2DGradX(p.Convs[i], da, v.W, dz)
	}
}
