// Package example_test is a loss with a derivative of its own, as somebody
// would write it outside the tree, and all the testing that it needs.
package example_test

import (
	"fmt"
	"testing"

	"phase/autograd"
	"phase/autograd/optest"
	"phase/kernels"
	_ "phase/kernels/cpu"
	"phase/tensor"
)

// generalized is the generalized cross-entropy of Zhang and Sabuncu (NeurIPS
// 2018, eq 6), which wrong labels harm less: L_i = (1 - p_y^q)/q. With p_y^q =
// exp(-q·CE_i) its gradient is that of cross-entropy, times p_y^q:
//
//	∂L_i/∂z = p_y^q·(p - t)
//
// so that hard images weigh little, where DAW makes them weigh much. The
// parameter is q.
var generalized = autograd.Define(autograd.Rule[float64]{
	Name: "generalized_cross_entropy",
	Doc:  "generalized_cross_entropy(x, label)[i] = (1 - p^q)/q, p the probability of the label.",
	Ints: []int{1},
	Shape: func(q float64, in []tensor.Shape) (tensor.Shape, error) {
		x, l := in[0], in[1]
		switch {
		case len(x) != 2 || x[1] < 1 || len(l) != 1 || l[0] != x[0]:
			return nil, fmt.Errorf("logits %v, labels %v: want (n,k), (n)", x, l)
		case !(q > 0 && q <= 1):
			return nil, fmt.Errorf("q %g: want more than 0, at most 1", q)
		}
		return l, nil
	},
	Forward: func(c *autograd.Ctx, q float64) {
		x, label := c.In[0], c.In[1]
		for i, y := range tensor.Values(label) {
			if !(y >= 0 && y < float64(x.Dim(1))) {
				panic(tensor.Errorf("generalized_cross_entropy", "label[%d] is %g, want 0 to %d", i, y, x.Dim(1)-1))
			}
		}
		slope := c.Keep(c.New(x.DType(), x.Shape()...))
		power := c.Keep(c.New(x.DType(), x.Dim(0)))
		one := tensor.New(x.Device(), x.DType(), x.Dim(0)) // zeros, unlike c.New
		c.K.Affine(kernels.Affine{Add: 1}, one, one)
		c.K.SoftmaxLoss(kernels.SoftmaxLoss{}, power, slope, x, label, one)
		c.K.Affine(kernels.Affine{Mul: -q}, power, power)
		c.K.Map(kernels.Exp, power, power)
		c.K.Affine(kernels.Affine{Mul: -1 / q, Add: 1 / q}, c.Out, power)
	},
	Backward: func(c *autograd.Ctx, q float64) {
		slope, power := c.Kept[0], c.Kept[1]
		step := c.New(power.DType(), power.Dim(0))
		c.K.Binary(kernels.Mul, step, power, c.DOut)
		c.K.SoftmaxLossGrad(c.DIn(0), slope, step)
	},
	Samples: func(g *autograd.Gen) []autograd.Sample[float64] {
		x, label := g.Normal(5, 4), g.Labels(5, 4)
		return []autograd.Sample[float64]{
			{P: .7, In: []*tensor.Tensor{x, label}},
			{P: 1, In: []*tensor.Tensor{x, label}},
			{P: .7, In: []*tensor.Tensor{x, g.Labels(3, 4)}, Err: "want (n,k), (n)"},
			{P: .7, In: []*tensor.Tensor{x, tensor.Of([]int64{0, 1, 4, 0, 0}, 5)}, Err: "label[2] is 4, want 0 to 3"},
			{P: 2, In: []*tensor.Tensor{x, label}, Err: "q 2: want more than 0"},
		}
	},
})

// GeneralizedCrossEntropy is the loss of each row of logits (n,k), of shape (n).
func GeneralizedCrossEntropy(logits *autograd.Var, label *tensor.Tensor, q float64) *autograd.Var {
	return generalized(q, logits, autograd.Const(label))
}

// The battery asks twelve questions of every op, those of package autograd
// too; -run TestOps/generalized asks them of this one alone.
func TestOps(t *testing.T) { optest.Run(t) }

func Example() {
	logits := autograd.Const(tensor.Of([]float64{2, -1, .5, 0}, 1, 4))
	label := tensor.Of([]int64{2}, 1)
	for _, q := range []float64{1e-6, .7, 1} {
		fmt.Printf("q = %-5g  loss %.3f\n", q, GeneralizedCrossEntropy(logits, label, q).Item())
	}
	fmt.Printf("cross-entropy  %.3f\n", autograd.CrossEntropy(logits, label).Item())
	// Output:
	// q = 1e-06  loss 1.842
	// q = 0.7    loss 1.035
	// q = 1      loss 0.842
	// cross-entropy  1.842
}
