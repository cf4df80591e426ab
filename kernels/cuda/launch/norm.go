package launch

import (
	"phase/kernels"
	"phase/tensor"
)

// A strip says how a matrix of rows × c channels is shared out: threads side by
// side take channels side by side, and each block goes down some rows.
type strip struct {
	rows, c, each int
	grid, block   [3]int
}

// stripOf cuts x (n,c,...) into slices of rows, a thread least rows or more, the
// slices not more than most.
func stripOf(x *tensor.Tensor, least, most int) strip {
	c := x.Dim(1)
	s := strip{rows: x.Size() / c, c: c}
	wide := min(32, above(c))
	s.block = [3]int{wide, blockSize / wide, 1}
	count := max(1, min(most, s.rows/(least*s.block[1])))
	s.each = ceil(s.rows, count)
	s.grid = [3]int{ceil(c, wide), count, 1}
	return s
}

func (s strip) args() []Arg { return []Arg{whole(s.rows), whole(s.c), whole(s.each)} }

// Rows of a thread: of one that adds up, whose sums cost memory, and of one that
// only maps.
const (
	sumRows = 16
	mapRows = 8
)

func summing(x *tensor.Tensor) strip {
	return stripOf(x, sumRows, max(1, 2*enoughBlocks/ceil(x.Dim(1), 32)))
}
func mapping(x *tensor.Tensor) strip { return stripOf(x, mapRows, most) }

// given plans the lines of a norm by given statistics.
func (w *Work) given(p kernels.BatchNorm, mean, variance, gamma, beta *tensor.Tensor) (lines *tensor.Tensor) {
	c := mean.Size()
	lines = w.flat(mean.DType(), 3*c)
	w.each(floats("norm_lines", mean), c, at(lines), at(mean), at(variance), at(gamma), at(beta), real(p.Eps), whole(c))
	return lines
}

// apply plans y = relu(line of x + residual).
func (w *Work) apply(p kernels.BatchNorm, y, x, residual, lines *tensor.Tensor) {
	s := mapping(x)
	w.launch(form("norm_apply", y.DType()), s.grid, s.block, append([]Arg{at(y), at(x), at(residual), at(lines), truth(p.ReLU)}, s.args()...)...)
}

func (w *Work) norm(p kernels.BatchNorm, y, mean, variance, x, gamma, beta, residual *tensor.Tensor) {
	s := summing(x)
	count := s.grid[1]
	part, lines := w.flat(tensor.F64, count*2*s.c), w.flat(mean.DType(), 3*s.c)
	w.launch(form("norm_moments", x.DType()), s.grid, s.block, append([]Arg{at(part), at(x)}, s.args()...)...)
	w.each(form("norm_settle", x.DType()), s.c, at(lines), at(mean), at(variance), at(part), whole(count), at(x), at(gamma), at(beta), real(p.Eps),
		whole(s.rows), whole(s.c))
	w.apply(p, y, x, residual, lines)
}

func (w *Work) normEval(p kernels.BatchNorm, y, x, gamma, beta, mean, variance, residual *tensor.Tensor) {
	w.apply(p, y, x, residual, w.given(p, mean, variance, gamma, beta))
}

// normGrad is the derivative, through the statistics or with them held.
func (w *Work) normGrad(p kernels.BatchNorm, through bool, dx, dgamma, dbeta, dresidual kernels.Acc, x, y, gamma, mean, variance, dy *tensor.Tensor) {
	s := summing(x)
	count := 0
	var part *tensor.Tensor
	if dgamma.Wanted() || dbeta.Wanted() || through && dx.Wanted() {
		count = s.grid[1]
		part = w.flat(tensor.F64, count*2*s.c)
		w.launch(form("norm_slopes", x.DType()), s.grid, s.block, append([]Arg{at(part), at(x), at(y), at(dy), at(mean), truth(p.ReLU)}, s.args()...)...)
	}
	lines := w.flat(mean.DType(), 3*s.c)
	w.each(floats("norm_grad_settle", mean), s.c, at(lines), at(dgamma.T), truth(dgamma.Fresh), at(dbeta.T), truth(dbeta.Fresh), at(part), whole(count),
		at(variance), at(gamma), real(p.Eps), whole(s.rows), whole(s.c))
	if dx.Wanted() || dresidual.Wanted() {
		s = mapping(x)
		w.launch(form("norm_grad_apply", x.DType()), s.grid, s.block, append([]Arg{at(dx.T), truth(dx.Fresh), at(dresidual.T), truth(dresidual.Fresh),
			at(x), at(y), at(dy), at(mean), at(lines), truth(p.ReLU), truth(through)}, s.args()...)...)
	}
}

// BatchNorm normalises by the batch's own statistics.
func (b Backend) BatchNorm(p kernels.BatchNorm, y, mean, variance, x, gamma, beta, residual *tensor.Tensor) {
	b.run(func(w *Work) { w.norm(p, y, mean, variance, x, gamma, beta, residual) })
}

// BatchNormGrad is its derivative, through the statistics too.
func (b Backend) BatchNormGrad(p kernels.BatchNorm, dx, dgamma, dbeta, dresidual kernels.Acc, x, y, gamma, mean, variance, dy *tensor.Tensor) {
	b.run(func(w *Work) { w.normGrad(p, true, dx, dgamma, dbeta, dresidual, x, y, gamma, mean, variance, dy) })
}

// BatchNormEval normalises by the given statistics.
func (b Backend) BatchNormEval(p kernels.BatchNorm, y, x, gamma, beta, mean, variance, residual *tensor.Tensor) {
	b.run(func(w *Work) { w.normEval(p, y, x, gamma, beta, mean, variance, residual) })
}

// BatchNormEvalGrad is its derivative with the statistics held.
func (b Backend) BatchNormEvalGrad(p kernels.BatchNorm, dx, dgamma, dbeta, dresidual kernels.Acc, x, y, gamma, mean, variance, dy *tensor.Tensor) {
	b.run(func(w *Work) {
		w.normGrad(p, false, dx, dgamma, dbeta, dresidual, x, y, gamma, mean, variance, dy)
	})
}
