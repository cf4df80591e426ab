package launch

import (
	"phase/kernels"
	"phase/tensor"
)

// Branch is one block after the other.
func (b Backend) Branch(p kernels.Branch, y []*tensor.Tensor, u []kernels.Unit, x, shortcut *tensor.Tensor) {
	b.run(func(w *Work) {
		each := len(u) / len(y)
		for k, out := range y {
			w.briefly(func() { w.block(p.Block(k, len(y)), out, u[k*each:][:each], x, shortcut) })
			x, shortcut = out, out
		}
	})
}

// block is one convolution and one norm after the other.
func (w *Work) block(p kernels.Branch, y *tensor.Tensor, u []kernels.Unit, x, shortcut *tensor.Tensor) {
	for i, v := range u {
		w.conv2D(p.Convs[i], v.Z, x, v.W)
		a, residual := y, shortcut
		if i < len(u)-1 {
			a, residual = w.like(v.Z), nil
		}
		w.norm(p.Norm(i), a, v.Mean, v.Var, v.Z, v.Gamma, v.Beta, residual)
		x = a
	}
}

// BranchEval is a block with the statistics given.
func (b Backend) BranchEval(p kernels.Branch, y *tensor.Tensor, u []kernels.Unit, x, shortcut *tensor.Tensor) {
	b.run(func(w *Work) {
		for i, v := range u {
			xs, filter, c := x.Shape(), v.W.Shape(), p.Convs[i]
			z := tensor.NewImages(w, x.DType(), xs[0], filter[0], c.Out(xs[2], filter[2]), c.Out(xs[3], filter[3]))
			w.conv2D(c, z, x, v.W)
			residual := (*tensor.Tensor)(nil)
			x = z
			if i == len(u)-1 {
				x, residual = y, shortcut
			}
			w.normEval(p.Norm(i), x, z, v.Gamma, v.Beta, v.Mean, v.Var, residual)
		}
	})
}

// BranchGrad goes through the blocks backwards.
func (b Backend) BranchGrad(p kernels.Branch, dx, dshortcut kernels.Acc, du []kernels.UnitGrad, u []kernels.Unit, x *tensor.Tensor, y []*tensor.Tensor, dy *tensor.Tensor) {
	b.run(func(w *Work) {
		each := len(u) / len(y)
		var between [2]*tensor.Tensor // gradients of the blocks' outputs, by turns
		for k := range min(len(y)-1, len(between)) {
			between[k] = w.like(y[k])
		}
		for k := len(y) - 1; k >= 0; k-- {
			from, dfrom, dshort := x, dx, dshortcut
			if k > 0 {
				g := between[(k-1)%len(between)]
				from, dfrom, dshort = y[k-1], kernels.Acc{T: g}, kernels.Acc{T: g, Fresh: true}
			}
			w.briefly(func() {
				w.blockGrad(p.Block(k, len(y)), dfrom, dshort, du[k*each:][:each], u[k*each:][:each], from, y[k], dy)
			})
			dy = dfrom.T
		}
	})
}

// blockGrad goes through the units backwards; the inputs of the convolutions are
// computed again from the units' Z.
func (w *Work) blockGrad(p kernels.Branch, dx, dshortcut kernels.Acc, du []kernels.UnitGrad, u []kernels.Unit, x, y, dy *tensor.Tensor) {
	last := len(u) - 1
	a := []*tensor.Tensor{x} // the convolutions' inputs
	for i, v := range u[:last] {
		out := w.like(v.Z)
		w.normEval(p.Norm(i), out, v.Z, v.Gamma, v.Beta, v.Mean, v.Var, nil)
		a = append(a, out)
	}
	for i := last; i >= 0; i-- {
		v, dz, out, dres := u[i], w.like(u[i].Z), y, dshortcut
		if i < last {
			out, dres = a[i+1], kernels.Acc{}
		}
		w.normGrad(p.Norm(i), true, kernels.Acc{T: dz, Fresh: true}, du[i].Gamma, du[i].Beta, dres, v.Z, out, v.Gamma, v.Mean, v.Var, dy)
		if du[i].W.Wanted() {
			w.conv2DGradW(p.Convs[i], du[i].W, a[i], dz)
		}
		da := dx
		if i > 0 {
			dy = w.like(a[i])
			da = kernels.Acc{T: dy, Fresh: true}
		}
		if da.Wanted() {
			w.conv2DGradX(p.Convs[i], da, v.W, dz)
		}
	}
}
