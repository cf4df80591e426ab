package optim_test

import (
	"math"
	"slices"
	"testing"

	"phase/autograd"
	"phase/optim"
	"phase/tensor"
)

// parabola is f = ½w² with the places and passes it was asked at. Every pass leaves its
// loss in the same memory, as on a tape.
func parabola(p *autograd.Var, at *[]float64, passes *[]int) optim.Gradient {
	loss := constant(0)
	return func(pass int) *autograd.Var {
		w := tensor.Data[float64](p.Value)[0]
		*at, *passes = append(*at, w), append(*passes, pass)
		if p.Grad == nil {
			p.Grad = tensor.Like(p.Value)
		}
		tensor.Data[float64](p.Grad)[0] += w
		tensor.Data[float64](loss.Value)[0] = w * w / 2
		return loss
	}
}

// TestSAMOnAParabola: the step on f = ½w² is w - lr·(w + ρ·sign w).
func TestSAMOnAParabola(t *testing.T) {
	const lr, rho = .1, .05
	for _, w := range []float64{2, -.3, 0} {
		var at []float64
		var passes []int
		p := autograd.Param(tensor.Of([]float64{w}, 1))
		opt := &optim.SAM{Base: &optim.SGD{Params: optim.Params{{Name: "w", Var: p}}}, Rho: rho}
		sign := 0.
		if w != 0 {
			sign = math.Copysign(1, w)
		}
		for range 2 {
			loss := opt.Step(lr, parabola(p, &at, &passes))
			if math.Abs(loss-w*w/2) > 1e-12 {
				t.Errorf("at %g the loss is %g: it is to be that of the first pass", w, loss)
			}
			w -= lr * (w + rho*sign)
			if got := tensor.Values(p.Value)[0]; math.Abs(got-w) > 1e-12 {
				t.Errorf("step to %.15g, want %.15g", got, w)
			}
		}
		if !slices.Equal(passes, []int{0, 1, 0, 1}) {
			t.Errorf("passes %v", passes)
		}
		if want := tensor.Values(p.Value)[0]; w != 0 && math.Abs(at[1]-at[0]-rho*sign) > 1e-9 {
			t.Errorf("second pass at %g from %g, now %g", at[1], at[0], want)
		}
	}
}

// TestSAMNorm: the distance is shared by all parameters.
func TestSAMNorm(t *testing.T) {
	g := read(t)
	ps := g.params()
	grad := g.gradient(ps, 0)
	var first, second []float64
	flat := func() (v []float64) {
		for _, p := range ps {
			v = append(v, tensor.Values(p.Var.Value)...)
		}
		return v
	}
	opt := &optim.SAM{Base: &optim.SGD{Params: ps, Momentum: .9}, Rho: .25}
	opt.Step(.1, func(pass int) *autograd.Var {
		if pass == 0 {
			first = flat()
		} else {
			second = flat()
		}
		return grad(pass)
	})
	d := 0.
	for i := range first {
		d += (second[i] - first[i]) * (second[i] - first[i])
	}
	if math.Abs(math.Sqrt(d)-.25) > 1e-9 {
		t.Errorf("the second pass stood %g away, want 0.25", math.Sqrt(d))
	}
}

// TestSAMComesHome: with a learning rate of 0 the parameters are bit for bit
// what they were, in f32 and although the way out rounds.
func TestSAMComesHome(t *testing.T) {
	w := []float32{1, -1e-8, 3e7, 1. / 3, 5e-40}
	p := autograd.Param(tensor.Of(slices.Clone(w), 5))
	p.Grad = tensor.Like(p.Value)
	opt := &optim.SAM{Base: &optim.SGD{Params: optim.Params{{Name: "w", Var: p}}}, Rho: .7}
	moved := false
	opt.Step(0, func(pass int) *autograd.Var {
		copy(tensor.Data[float32](p.Grad), []float32{.1, .2, .3, .4, .5})
		moved = pass == 1 && !slices.Equal(tensor.Data[float32](p.Value), w)
		return constant(0)
	})
	if !moved || !slices.Equal(tensor.Data[float32](p.Value), w) {
		t.Errorf("moved %v, then %v, want %v", moved, p.Value, w)
	}
}

// TestSAMWithoutRho is its base, and asks for one gradient.
func TestSAMWithoutRho(t *testing.T) {
	g := read(t)
	a, b := g.params(), g.params()
	base := &optim.SGD{Params: a, Momentum: .9, Decay: .1}
	sam := &optim.SAM{Base: &optim.SGD{Params: b, Momentum: .9, Decay: .1}}
	calls := 0
	for step := range 5 {
		base.Step(rate(step), g.gradient(a, step))
		grad := g.gradient(b, step)
		sam.Step(rate(step), func(pass int) *autograd.Var { calls++; return grad(pass) })
	}
	for i := range a {
		if !slices.Equal(tensor.Values(a[i].Var.Value), tensor.Values(b[i].Var.Value)) {
			t.Errorf("%s differs from the base's", a[i].Name)
		}
	}
	if calls != 5 {
		t.Errorf("%d gradients for 5 steps", calls)
	}
}
