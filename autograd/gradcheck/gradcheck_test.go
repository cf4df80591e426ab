package gradcheck_test

import (
	"math"
	"regexp"
	"testing"

	"phase/autograd"
	"phase/autograd/gradcheck"
	"phase/kernels"
	"phase/kernels/ref"
	"phase/tensor"
)

func TestMain(m *testing.M) {
	kernels.Register(ref.Backend{})
	m.Run()
}

// off is x², whose derivative is wrong in one element by the factor 1+slip.
func off(slip float64, element int) func(...*autograd.Var) *autograd.Var {
	f := autograd.Define(autograd.Rule[struct{}]{
		Name:    "off",
		Shape:   func(_ struct{}, in []tensor.Shape) (tensor.Shape, error) { return in[0], nil },
		Forward: func(c *autograd.Ctx, _ struct{}) { c.K.Map(kernels.Square, c.Out, c.In[0]) },
		Backward: func(c *autograd.Ctx, _ struct{}) {
			dx := c.DIn(0).Zeroed()
			c.K.MapGrad(kernels.Square, kernels.Acc{T: dx}, c.In[0], c.Out, c.DOut)
			tensor.Data[float64](dx)[element] *= 1 + slip
		},
	})
	return func(in ...*autograd.Var) *autograd.Var { return f(struct{}{}, in...) }
}

func draw(shape ...int) *tensor.Tensor { return autograd.NewGen(1).Normal(shape...) }

func TestAgreement(t *testing.T) {
	for name, f := range map[string]func(in ...*autograd.Var) *autograd.Var{
		"two inputs": func(in ...*autograd.Var) *autograd.Var { return autograd.Mul(in[0], autograd.Tanh(in[1])) },
		"fan-out":    func(in ...*autograd.Var) *autograd.Var { return autograd.Add(autograd.Exp(in[0]), in[0]) },
		"unused":     func(in ...*autograd.Var) *autograd.Var { return autograd.Sigmoid(in[1]) },
		"identity":   func(in ...*autograd.Var) *autograd.Var { return in[0] },
		"scalar":     func(in ...*autograd.Var) *autograd.Var { return autograd.Mean(autograd.Mul(in[0], in[1])) },
	} {
		x, y := draw(3, 4), draw(3, 4)
		home := tensor.Values(x)
		r, err := gradcheck.Config{}.Check(f, x, y)
		if err != nil || r.Checked != 24 || r.Error > 1e-6 {
			t.Errorf("%s: %v, %v", name, r, err)
		}
		for i, v := range tensor.Values(x) {
			if v != home[i] {
				t.Errorf("%s: the input was changed", name)
			}
		}
	}
}

// Images keep their memory form, views need not be dense, and neither changes
// which element is which.
func TestForms(t *testing.T) {
	x := tensor.OfImages(tensor.Values(draw(48)), 2, 3, 4, 2)
	view := draw(4, 3).Permute(1, 0)
	conv := func(in ...*autograd.Var) *autograd.Var {
		return autograd.Conv2D(in[0], autograd.Reshape(in[1], 2, 3, 2, 1), kernels.Conv2D{})
	}
	if r, err := (gradcheck.Config{}).Check(conv, x, view); err != nil || r.Checked != 60 {
		t.Errorf("%v, %v", r, err)
	}
	found, _ := gradcheck.Config{}.Check(func(in ...*autograd.Var) *autograd.Var { return off(.5, 7)(in[0]) }, view)
	if found.Element[0] != 1 || found.Element[1] != 3 {
		t.Errorf("element 7 of (3,4) is (1,3), the report says %v", found.Element)
	}
}

func TestWrongDerivatives(t *testing.T) {
	half := func(in ...*autograd.Var) *autograd.Var { return autograd.Scale(in[0], .5) }
	for name, c := range map[string]struct {
		f    func(in ...*autograd.Var) *autograd.Var
		in   []*tensor.Tensor
		want string
	}{
		"one element": {off(.25, 4), []*tensor.Tensor{draw(2, 3)}, `^gradcheck: input 0 \(2,3\) element \(1,1\): derivative .*, difference quotient .*, relative error 0.2 of 6 checked, want at most 1e-06$`},
		"small error": {off(3e-6, 0), []*tensor.Tensor{draw(2, 3)}, `input 0 \(2,3\) element \(0,0\).*relative error 3e-06`},
		"second input": {func(in ...*autograd.Var) *autograd.Var { return autograd.Add(in[0], off(-.1, 0)(in[1])) },
			[]*tensor.Tensor{draw(3), draw(3)}, `input 1 \(3\) element \(0\)`},
		"one of a thousand": {off(1e-3, 777), []*tensor.Tensor{draw(1000)}, `input 0 \(1000\) along a random direction`},
		"missing": {func(in ...*autograd.Var) *autograd.Var {
			return autograd.Add(in[0], autograd.Const(in[1].Value))
		}, []*tensor.Tensor{draw(3), draw(3)}, `input 1 \(3\) .*no gradient reached this input, but the value depends on it`},
		"all missing": {func(in ...*autograd.Var) *autograd.Var { return autograd.Const(in[0].Value) },
			[]*tensor.Tensor{draw(3)}, "nothing that led to this value wants a gradient"},
		"gradient nan":  {off(math.NaN(), 1), []*tensor.Tensor{draw(3)}, `input 0 \(3\) element \(1\): derivative NaN.*not finite`},
		"value nan":     {func(in ...*autograd.Var) *autograd.Var { return autograd.Log(in[0]) }, []*tensor.Tensor{tensor.Of([]float64{1, -1}, 2)}, `the value \(2\) is NaN at element \(1\)`},
		"f32":           {half, []*tensor.Tensor{tensor.Of([]float32{1}, 1)}, "input 0 .* is f32, .*: want f64"},
		"no float":      {half, []*tensor.Tensor{tensor.Of([]int64{1}, 1)}, "none of the 1 inputs is f64"},
		"value's dtype": {func(in ...*autograd.Var) *autograd.Var { return autograd.Const(tensor.Scalar(float32(1))) }, []*tensor.Tensor{draw(2)}, "the value is f32, want f64"},
		"misuse":        {func(in ...*autograd.Var) *autograd.Var { return autograd.MatMul(in[0], in[0]) }, []*tensor.Tensor{draw(2, 3)}, "gradcheck: matmul: a .2,3."},
	} {
		err := gradcheck.Check(c.f, c.in...)
		if err == nil || !regexp.MustCompile(c.want).MatchString(err.Error()) {
			t.Errorf("%s: error %v, want one like %s", name, err, c.want)
		}
	}
}

func TestChangingFunction(t *testing.T) {
	seed := uint64(0)
	err := gradcheck.Check(func(in ...*autograd.Var) *autograd.Var {
		seed++
		return autograd.Dropout(in[0], .5, seed)
	}, draw(10))
	if err == nil || !regexp.MustCompile("different values").MatchString(err.Error()) {
		t.Errorf("a function that draws anew: %v", err)
	}
}

func TestHeld(t *testing.T) {
	f := func(in ...*autograd.Var) *autograd.Var {
		return autograd.Mul(in[0], autograd.Const(in[1].Value))
	}
	r, err := gradcheck.Config{Held: []int{1}}.Check(f, draw(3), draw(3))
	if err != nil || r.Checked != 3 {
		t.Errorf("%v, %v", r, err)
	}
}

// The upstream gradient must not be uniform: a derivative that forgets it and
// passes on ones is right for a plain sum.
func TestUpstreamIsNotUniform(t *testing.T) {
	ones := autograd.Define(autograd.Rule[struct{}]{
		Name:    "ones",
		Shape:   func(_ struct{}, in []tensor.Shape) (tensor.Shape, error) { return in[0], nil },
		Forward: func(c *autograd.Ctx, _ struct{}) { c.K.Copy(c.Out, c.In[0]) },
		Backward: func(c *autograd.Ctx, _ struct{}) {
			dx := c.DIn(0).Zeroed()
			c.K.Affine(kernels.Affine{Add: 1}, dx, dx)
		},
	})
	f := func(in ...*autograd.Var) *autograd.Var { return ones(struct{}{}, in[0]) }
	if err := gradcheck.Check(f, draw(4)); err == nil {
		t.Error("a derivative that ignores what comes from above passed")
	}
}

func TestGradientOfAnotherForm(t *testing.T) {
	var leaf *autograd.Var
	swap := autograd.Define(autograd.Rule[struct{}]{
		Name:     "swap",
		Shape:    func(_ struct{}, in []tensor.Shape) (tensor.Shape, error) { return in[0], nil },
		Forward:  func(c *autograd.Ctx, _ struct{}) { c.K.Copy(c.Out, c.In[0]) },
		Backward: func(c *autograd.Ctx, _ struct{}) { leaf.Grad = tensor.New(tensor.CPU, tensor.F64, 5) },
	})
	err := gradcheck.Check(func(in ...*autograd.Var) *autograd.Var {
		if in[0].Wants() {
			leaf = in[0]
		}
		return swap(struct{}{}, in[0])
	}, draw(4))
	if err == nil || !regexp.MustCompile(`input 0 is f64 \(4\) but its gradient f64 \(5\)`).MatchString(err.Error()) {
		t.Errorf("%v", err)
	}
}
