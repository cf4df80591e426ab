package autograd

import (
	"fmt"

	"phase/kernels"
	"phase/tensor"
)

var logSoftmax = Define(Rule[none]{
	Name: "log_softmax",
	Doc:  "log_softmax(x)[...,j] = x_j - log Σ_k exp x_k, over the last axis.",
	Shape: func(_ none, in []tensor.Shape) (tensor.Shape, error) {
		if len(in[0]) < 1 || in[0][len(in[0])-1] == 0 {
			return nil, fmt.Errorf("x %v: want a last axis of at least 1", in[0])
		}
		return in[0], nil
	},
	Forward:  func(c *Ctx, _ none) { c.K.LogSoftmax(c.Out, c.In[0]) },
	Backward: func(c *Ctx, _ none) { c.K.LogSoftmaxGrad(c.DIn(0), c.Out, c.DOut) },
	Samples: func(g *Gen) []Sample[none] {
		return []Sample[none]{
			{In: []*tensor.Tensor{g.Normal(3, 4)}},
			{In: []*tensor.Tensor{g.Normal(2, 3, 5)}},
			{In: []*tensor.Tensor{g.Normal()}, Err: "want a last axis"},
		}
	},
})

// LogSoftmax is log softmax(x) over the last axis.
func LogSoftmax(x *Var) *Var { return logSoftmax(none{}, x) }

var softmaxLoss = Define(Rule[kernels.SoftmaxLoss]{
	Name: "softmax_loss",
	Doc:  "softmax_loss(x, label, w)[i] = -w_i·Σ_j s_ij·A_ij·log softmax(x_i)_j, with A the modulation of DAW and s the smoothed label.",
	Ints: []int{1}, Held: []int{2},
	Shape: func(p kernels.SoftmaxLoss, in []tensor.Shape) (tensor.Shape, error) {
		x, l, w := in[0], in[1], in[2]
		switch {
		case len(x) != 2 || x[1] < 1 || len(l) != 1 || l[0] != x[0] || !w.Equal(l):
			return nil, fmt.Errorf("logits %v, labels %v, weights %v: want (n,k), (n), (n)", x, l, w)
		case !(p.GammaPos >= 0 && p.GammaNeg >= 0):
			return nil, fmt.Errorf("gamma+ %g, gamma- %g: want none negative", p.GammaPos, p.GammaNeg)
		case !(p.Smooth >= 0 && p.Smooth <= 1):
			return nil, fmt.Errorf("smoothing %g: want 0 to 1", p.Smooth)
		}
		return l, nil
	},
	Forward: func(c *Ctx, p kernels.SoftmaxLoss) {
		c.inRange("softmax_loss", "label", 1, c.In[0].Dim(1))
		slope := c.Keep(c.New(c.In[0].DType(), c.In[0].Shape()...))
		c.K.SoftmaxLoss(p, c.Out, slope, c.In[0], c.In[1], c.In[2])
	},
	Backward: func(c *Ctx, _ kernels.SoftmaxLoss) { c.K.SoftmaxLossGrad(c.DIn(0), c.Kept[0], c.DOut) },
	Samples: func(g *Gen) (s []Sample[kernels.SoftmaxLoss]) {
		in := []*tensor.Tensor{g.Normal(5, 4), g.Labels(5, 4), g.Positive(5)}
		for _, p := range []kernels.SoftmaxLoss{
			{}, {Smooth: .1}, {GammaPos: 2}, {GammaPos: .5}, {GammaPos: 1, GammaNeg: 4, Smooth: .1}, {GammaPos: 2, GammaNeg: 2, Smooth: .2},
			{GammaPos: 1, GammaNeg: 4, Smooth: .1, Form: kernels.Eq3}, {GammaPos: 1, GammaNeg: 4, Form: kernels.Eq1}, {Form: kernels.Eq1},
		} {
			s = append(s, Sample[kernels.SoftmaxLoss]{P: p, In: in})
		}
		return append(s,
			Sample[kernels.SoftmaxLoss]{In: []*tensor.Tensor{in[0], g.Labels(3, 3), in[2]}, Err: "want (n,k), (n), (n)"},
			Sample[kernels.SoftmaxLoss]{In: []*tensor.Tensor{in[0], tensor.Of([]int64{0, 1, 4, 0, 0}, 5), in[2]}, Err: "label[2] is 4, want 0 to 3"},
			Sample[kernels.SoftmaxLoss]{P: kernels.SoftmaxLoss{GammaPos: -1}, In: in, Err: "want none negative"},
			Sample[kernels.SoftmaxLoss]{P: kernels.SoftmaxLoss{Smooth: 2}, In: in, Err: "smoothing 2: want 0 to 1"})
	},
})

// SoftmaxLoss is the loss that p describes of each row of logits (n,k), times
// the row's weight: of shape (n). The labels (n) are I64. It is the whole
// method in two arguments: stage 1 (DAW) sets p, stage 2 (MSR) the weights.
// Sum or average it to train.
//
// Detach is not differentiated honestly on purpose (the modulation counts as a
// constant), so it stands in no sample that is checked by finite differences.
func SoftmaxLoss(logits *Var, label, weight *tensor.Tensor, p kernels.SoftmaxLoss) *Var {
	return softmaxLoss(p, logits, Const(label), Const(weight))
}

// CrossEntropy is the mean over rows of -log softmax(logits)[label], for
// logits (n,k) and labels (n).
func CrossEntropy(logits *Var, label *tensor.Tensor) *Var {
	w := tensor.New(logits.Value.Device(), logits.Value.DType(), label.Shape()...)
	one := kernels.Affine{Add: 1}
	kernels.For(w).Affine(one, w, w)
	return Mean(SoftmaxLoss(logits, label, w, kernels.SoftmaxLoss{}))
}
