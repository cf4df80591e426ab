package autograd_test

import (
	"testing"

	"phase/autograd"
	"phase/kernels"
	"phase/tensor"
)

// Images that lie channels-last stay so, in value and gradient, through
// whatever a network does with them: otherwise every layer would copy.
func TestImagesStayImages(t *testing.T) {
	g := autograd.NewGen(1)
	images := func(t *tensor.Tensor) *tensor.Tensor {
		n := tensor.NewImages(tensor.CPU, tensor.F64, t.Dim(0), t.Dim(1), t.Dim(2), t.Dim(3))
		kernels.For(n).Copy(n, t)
		return n
	}
	x, other := images(g.Normal(2, 3, 4, 4)), images(g.Normal(2, 3, 4, 4))
	c3 := func() *autograd.Var { return autograd.Const(g.Positive(3)) }
	bn := autograd.BatchNormParam{BatchNorm: kernels.BatchNorm{Eps: 1e-5}}
	for name, f := range map[string]func(x *autograd.Var) *autograd.Var{
		"relu":    autograd.ReLU,
		"affine":  func(x *autograd.Var) *autograd.Var { return autograd.Affine(x, 2, 1) },
		"dropout": func(x *autograd.Var) *autograd.Var { return autograd.Dropout(x, .5, 1) },
		"add":     func(x *autograd.Var) *autograd.Var { return autograd.Add(x, autograd.Const(other)) },
		"bias":    func(x *autograd.Var) *autograd.Var { return autograd.Add(x, autograd.Const(g.Normal(3, 1, 1))) },
		"conv2d": func(x *autograd.Var) *autograd.Var {
			return autograd.Conv2D(x, autograd.Const(g.Normal(2, 3, 3, 3)), kernels.Conv2D{})
		},
		"batch_norm": func(x *autograd.Var) *autograd.Var { return autograd.BatchNorm(x, c3(), c3(), bn) },
		"max_pool":   func(x *autograd.Var) *autograd.Var { return autograd.MaxPool(x, kernels.Pool2D{Size: 2}) },
		"avg_pool":   func(x *autograd.Var) *autograd.Var { return autograd.AvgPool(x, kernels.Pool2D{Size: 2}) },
		"pad":        func(x *autograd.Var) *autograd.Var { return autograd.Pad(x, 1, 1, 1) },
		"concat":     func(x *autograd.Var) *autograd.Var { return autograd.Concat(1, x, autograd.Const(other)) },
	} {
		var tape autograd.Tape
		v := tape.Watch(x).Want()
		y := f(v)
		tape.BackwardFrom(y, tensor.Like(y.Value))
		for what, t2 := range map[string]*tensor.Tensor{"value": y.Value, "gradient": v.Grad} {
			if !t2.IsImages() {
				t.Errorf("%s: the %s %v has strides %v, not channels-last", name, what, t2.Shape(), t2.Strides())
			}
		}
	}
}

// The statistics that a layer keeps are the batch's mean and biased variance.
func TestBatchNormLeavesStatistics(t *testing.T) {
	x := tensor.Of([]float64{1, 5, 2, 5, 3, 5, 6, 9}, 4, 2)
	ones := tensor.Of([]float64{1, 1}, 2)
	p := autograd.BatchNormParam{Mean: tensor.New(tensor.CPU, tensor.F64, 2), Var: tensor.New(tensor.CPU, tensor.F64, 2)}
	autograd.BatchNorm(autograd.Const(x), autograd.Const(ones), autograd.Const(ones), p)
	compare(t, "mean", p.Mean, tensor.Of([]float64{3, 6}, 2), 1e-14, 1)
	compare(t, "variance", p.Var, tensor.Of([]float64{3.5, 3}, 2), 1e-14, 1)
}
