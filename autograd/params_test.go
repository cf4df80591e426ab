package autograd_test

import (
	"strings"
	"testing"

	"phase/autograd"
	"phase/kernels"
	"phase/tensor"
)

// Whatever is computed from parameters alone must still reach them: in a
// classifier that normalises its weights, or where an op copies a parameter to
// another memory form.
func TestGradientsReachParameters(t *testing.T) {
	g := autograd.NewGen(3)
	x, w := g.Normal(4, 5), g.Normal(3, 5)
	var tape autograd.Tape
	want := func(f func(in ...*autograd.Var) *autograd.Var, x, w *tensor.Tensor) []float64 {
		xv, wv := tape.Watch(x), tape.Watch(w).Want()
		y := f(xv, wv)
		tape.BackwardFrom(y, ones(y.Shape()))
		return tensor.Values(wv.Grad)
	}
	for name, c := range map[string]struct {
		f    func(in ...*autograd.Var) *autograd.Var
		x, w *tensor.Tensor
	}{
		"cosine logits": {func(in ...*autograd.Var) *autograd.Var { return autograd.CosineLogits(in[0], in[1], 16) }, x, w},
		"cosine logits, data second": {func(in ...*autograd.Var) *autograd.Var {
			return autograd.CosineLogits(in[1], in[0], 16)
		}, x, w},
		"row-major images as a parameter": {func(in ...*autograd.Var) *autograd.Var {
			return autograd.Conv2D(in[1], in[0], kernels.Conv2D{})
		}, g.Normal(2, 3, 2, 2), g.Normal(1, 3, 4, 4)},
		"a view as a parameter": {func(in ...*autograd.Var) *autograd.Var {
			return autograd.MatMul(in[0], in[1])
		}, x, w.Permute(1, 0)},
		"used": {func(in ...*autograd.Var) *autograd.Var {
			return autograd.Mul(in[0], autograd.Square(tape.Use(in[1])))
		}, x, g.Normal(5)},
	} {
		p := autograd.Param(c.w)
		for pass := range 2 {
			y := c.f(tape.Watch(c.x), p)
			tape.BackwardFrom(y, ones(y.Shape()))
			if p.Grad == nil {
				t.Fatalf("%s: no gradient reaches the parameter", name)
			}
			w := want(c.f, c.x, c.w)
			for i, got := range tensor.Values(p.Grad) {
				if d := got - float64(pass+1)*w[i]; d > 1e-12 || d < -1e-12 {
					t.Fatalf("%s, pass %d: element %d is %g instead of %g", name, pass, i, got, float64(pass+1)*w[i])
				}
			}
			tape.Reset()
		}
	}
}

func ones(s tensor.Shape) *tensor.Tensor {
	t := tensor.New(tensor.CPU, tensor.F64, s...)
	for i := range tensor.Data[float64](t) {
		tensor.Data[float64](t)[i] = 1
	}
	return t
}

// A gradient that would be lost without a word is a panic in words.
func TestLostGradients(t *testing.T) {
	var tape autograd.Tape
	w := autograd.Param(tensor.Of([]float64{1, 2}, 2))
	x := func() *autograd.Var { return tape.Watch(tensor.Of([]float64{3, 4}, 2)) }
	penalty := autograd.Sum(autograd.Square(w))
	err := tensor.Catch(func() { autograd.Add(autograd.Sum(autograd.Mul(x(), w)), penalty) })
	if err == nil || !strings.Contains(err.Error(), "add: an input was computed from parameters alone") {
		t.Errorf("a penalty without a tape: %v", err)
	}
	for name, ok := range map[string]func(){
		"detached":   func() { autograd.Add(autograd.Sum(x()), penalty.Detach()) },
		"on a tape":  func() { autograd.Add(autograd.Sum(x()), autograd.Sum(autograd.Square(tape.Use(w)))) },
		"evaluation": func() { eval := autograd.Tape{Eval: true}; autograd.Add(eval.Watch(penalty.Value), penalty) },
	} {
		if err := tensor.Catch(ok); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, op := range autograd.Ops() {
		if op.Name != "softmax_loss" {
			continue
		}
		c := op.Cases(1)[0]
		err := tensor.Catch(func() {
			weight := tape.Watch(c.In[2]).Want()
			c.Call(tape.Watch(c.In[0]), autograd.Const(c.In[1]), weight)
		})
		if err == nil || !strings.Contains(err.Error(), "softmax_loss: input 2 (5) is data") {
			t.Errorf("a wish for the gradient of data: %v", err)
		}
	}
}
