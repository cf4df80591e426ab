package nn

import (
	"phase/autograd"
	"phase/kernels"
	"phase/tensor"
)

// BatchNorm normalises each channel of x, (n,c,h,w) or (n,c): in training by
// the mean and variance of the batch, else by the running ones. It is PyTorch's
// BatchNorm2d and BatchNorm1d.
type BatchNorm struct {
	Weight            *autograd.Var  // γ (c), 1 at first
	Bias              *autograd.Var  // β (c), 0 at first
	RunningMean       *tensor.Tensor // (c)
	RunningVar        *tensor.Tensor // (c), of the unbiased variances
	NumBatchesTracked *tensor.Tensor // I64, on the host: batches seen, for PyTorch's sake

	Eps      float64 // added to the variance; NewBatchNorm sets 1e-5
	Momentum float64 // of a new batch in the running statistics; NewBatchNorm sets 0.1

	mean, variance *tensor.Tensor // of the last batch
	like           *tensor.Tensor // the RunningMean that they were made like
}

// NewBatchNorm makes a layer for c channels.
func NewBatchNorm(c int) *BatchNorm {
	return &BatchNorm{
		Weight: autograd.Param(constant(1, c)), Bias: param(c),
		RunningMean: constant(0, c), RunningVar: constant(1, c),
		NumBatchesTracked: tensor.Scalar[int64](0),
		Eps:               1e-5, Momentum: 0.1,
	}
}

// Forward is γ(x-μ)/√(σ²+Eps) + β.
func (l *BatchNorm) Forward(p *Pass, x *autograd.Var) *autograd.Var {
	return l.apply(p, x, nil, false)
}

// ReLU is max(0, Forward(x)), in one op.
func (l *BatchNorm) ReLU(p *Pass, x *autograd.Var) *autograd.Var { return l.apply(p, x, nil, true) }

// AddReLU is max(0, Forward(x) + residual), the join of a residual block, in
// one op.
func (l *BatchNorm) AddReLU(p *Pass, x, residual *autograd.Var) *autograd.Var {
	return l.apply(p, x, residual, true)
}

func (l *BatchNorm) apply(p *Pass, x, residual *autograd.Var, relu bool) *autograd.Var {
	return p.saw(l, l.normalize(p, kernels.BatchNorm{Eps: l.Eps, ReLU: relu}, x, residual))
}

func (l *BatchNorm) normalize(p *Pass, op kernels.BatchNorm, x, residual *autograd.Var) (y *autograd.Var) {
	if !p.Train {
		if residual != nil {
			return autograd.BatchNormEvalAddReLU(x, l.Weight, l.Bias, residual, l.RunningMean, l.RunningVar, op)
		}
		return autograd.BatchNormEval(x, l.Weight, l.Bias, l.RunningMean, l.RunningVar, op)
	}
	train := autograd.BatchNormParam{BatchNorm: op}
	if !p.Frozen {
		train.Mean, train.Var = l.batch()
	}
	if residual != nil {
		y = autograd.BatchNormAddReLU(x, l.Weight, l.Bias, residual, train)
	} else {
		y = autograd.BatchNorm(x, l.Weight, l.Bias, train)
	}
	if !p.Frozen {
		l.track(x.Value.Size() / x.Shape()[1])
	}
	return y
}

// batch is where a batch's statistics go on their way to track.
func (l *BatchNorm) batch() (mean, variance *tensor.Tensor) {
	if l.like != l.RunningMean { // also after Replace
		l.mean, l.variance, l.like = tensor.Like(l.RunningMean), tensor.Like(l.RunningVar), l.RunningMean
	}
	return l.mean, l.variance
}

// track moves the running statistics towards those of a batch of n values a
// channel. The variance that is kept is the unbiased one, n/(n-1)·σ².
func (l *BatchNorm) track(n int) {
	k := kernels.For(l.RunningMean)
	k.Affine(kernels.Affine{Mul: 1 - l.Momentum}, l.RunningMean, l.RunningMean)
	k.AXPY(l.Momentum, kernels.Acc{T: l.RunningMean}, l.mean)
	k.Affine(kernels.Affine{Mul: 1 - l.Momentum}, l.RunningVar, l.RunningVar)
	k.AXPY(l.Momentum*float64(n)/float64(n-1), kernels.Acc{T: l.RunningVar}, l.variance)
	tensor.Data[int64](l.NumBatchesTracked)[0]++
}
