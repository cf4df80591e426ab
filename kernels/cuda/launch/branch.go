package launch

import (
	"phase/kernels"
	"phase/tensor"
)

// Branch is one convolution and one norm after the other.
func (b Backend) Branch(p kernels.Branch, y *tensor.Tensor, u []kernels.Unit, x, shortcut *tensor.Tensor) {
	b.run(func(w *Work) {
		for i, v := range u {
			w.conv2D(p.Convs[i], v.Z, x, v.W)
			a, residual := y, shortcut
			if i < len(u)-1 {
				a, residual = w.like(v.Z), nil
			}
			w.norm(p.Norm(i), a, v.Mean, v.Var, v.Z, v.Gamma, v.Beta, residual)
			x = a
		}
	})
}

// BranchEval is the same with the statistics given.
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

// BranchGrad goes through the units backwards; the inputs of the convolutions are
// computed again from the units' Z.
func (b Backend) BranchGrad(p kernels.Branch, dx, dshortcut kernels.Acc, du []kernels.UnitGrad, u []kernels.Unit, x, y, dy *tensor.Tensor) {
	b.run(func(w *Work) {
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
	})
}
