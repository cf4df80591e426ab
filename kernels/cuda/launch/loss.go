package launch

import (
	"phase/kernels"
	"phase/tensor"
)

// rowsOfBlock is how many rows, each a warp, a block of the softmax kernels takes.
const rowsOfBlock = 4

// rows plans a warp for each row of x; its length and their number come last.
func (w *Work) rows(kernel string, x *tensor.Tensor, args ...Arg) {
	if x.Size() > 0 {
		k := x.Dim(-1)
		n := x.Size() / k
		w.launch(floats(kernel, x), [3]int{ceil(n, rowsOfBlock), 1, 1}, [3]int{32 * rowsOfBlock, 1, 1}, append(args, whole(k), whole(n))...)
	}
}

// LogSoftmax is y_j = x_j - log Σ_l e^x_l.
func (b Backend) LogSoftmax(y, x *tensor.Tensor) {
	b.run(func(w *Work) { w.rows("log_softmax", x, at(y), at(x)) })
}

// LogSoftmaxGrad is dx_j += dy_j - e^y_j Σ_l dy_l.
func (b Backend) LogSoftmaxGrad(dx kernels.Acc, y, dy *tensor.Tensor) {
	if dx.Wanted() {
		b.run(func(w *Work) { w.rows("log_softmax_grad", y, at(dx.T), truth(dx.Fresh), at(y), at(dy)) })
	}
}

// SoftmaxLoss is loss[i] = weight[i]·(the loss of row i) and its slope by x.
func (b Backend) SoftmaxLoss(p kernels.SoftmaxLoss, loss, slope, x, label, weight *tensor.Tensor) {
	b.run(func(w *Work) {
		w.rows("softmax_loss", x, at(loss), at(slope), at(x), at(label), at(weight), real(p.GammaPos), real(p.GammaNeg), real(p.Smooth),
			whole(int(p.Form)), truth(p.Detach))
	})
}

// SoftmaxLossGrad is dx_ij += dloss_i·slope_ij.
func (b Backend) SoftmaxLossGrad(dx kernels.Acc, slope, dloss *tensor.Tensor) {
	if dx.Wanted() {
		b.run(func(w *Work) {
			w.each(floats("softmax_loss_grad", slope), slope.Size(), at(dx.T), truth(dx.Fresh), at(slope), at(dloss), whole(slope.Dim(-1)), whole(slope.Size()))
		})
	}
}
