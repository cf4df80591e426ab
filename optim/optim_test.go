package optim_test

import (
	"encoding/json"
	"maps"
	"math"
	"os"
	"slices"
	"strings"
	"testing"

	"phase/autograd"
	_ "phase/kernels/cpu"
	"phase/optim"
	"phase/tensor"
)

// golden is what testdata/make.py says.
type golden struct {
	Start map[string][]float64
	Noise []map[string][]float64
	Runs  map[string][]map[string][]float64
}

func read(t *testing.T) (g golden) {
	b, err := os.ReadFile("testdata/golden.json")
	if err == nil {
		err = json.Unmarshal(b, &g)
	}
	if err != nil {
		t.Fatal(err)
	}
	return g
}

func (g golden) params() optim.Params {
	return optim.Params{
		{Name: "a", Var: autograd.Param(tensor.Of(slices.Clone(g.Start["a"]), 3))},
		{Name: "b", Var: autograd.Param(tensor.Of(slices.Clone(g.Start["b"]), 2, 2))},
	}
}

// gradient is make.py's, noise[t] + 0.3·w: it adds, as Backward does.
func (g golden) gradient(ps optim.Params, t int) optim.Gradient {
	return func(int) *autograd.Var {
		for _, p := range ps {
			if p.Var.Grad == nil {
				p.Var.Grad = tensor.Like(p.Var.Value)
			}
			w, d := tensor.Data[float64](p.Var.Value), tensor.Data[float64](p.Var.Grad)
			for i := range d {
				d[i] += g.Noise[t][p.Name][i] + .3*w[i]
			}
		}
		return constant(float64(t))
	}
}

// constant is a loss whose gradient was added by hand.
func constant(loss float64) *autograd.Var { return autograd.Const(tensor.Of([]float64{loss}, 1)) }

func rate(t int) float64 { return .1 / float64(1+t) }

// kinds makes the optimizers of make.py.
var kinds = map[string]func(ps optim.Params) optim.Optimizer{
	"plain":          func(ps optim.Params) optim.Optimizer { return &optim.SGD{Params: ps} },
	"decay":          func(ps optim.Params) optim.Optimizer { return &optim.SGD{Params: ps, Decay: .2} },
	"momentum":       func(ps optim.Params) optim.Optimizer { return &optim.SGD{Params: ps, Momentum: .9} },
	"momentum decay": func(ps optim.Params) optim.Optimizer { return &optim.SGD{Params: ps, Momentum: .9, Decay: .2} },
	"nesterov": func(ps optim.Params) optim.Optimizer {
		return &optim.SGD{Params: ps, Momentum: .8, Decay: .2, Nesterov: true}
	},
	"half rate": func(ps optim.Params) optim.Optimizer {
		return &optim.SGD{Params: rated(ps, "a", .5), Momentum: .9, Decay: .2}
	},
	"clipped": func(ps optim.Params) optim.Optimizer { return &optim.SGD{Params: ps, Momentum: .9} },
	"adamw":   func(ps optim.Params) optim.Optimizer { return &optim.AdamW{Params: ps} },
	"adamw half rate": func(ps optim.Params) optim.Optimizer {
		return &optim.AdamW{Params: rated(ps, "b", .5), Decay: .3}
	},
	"adamw decay": func(ps optim.Params) optim.Optimizer {
		return &optim.AdamW{Params: ps, Beta1: .7, Beta2: .95, Eps: .01, Decay: .3}
	},
}

// rated is ps with a rate of its own for one of them.
func rated(ps optim.Params, name string, rate float64) optim.Params {
	ps = slices.Clone(ps)
	for i := range ps {
		if ps[i].Name == name {
			ps[i].Rate = rate
		}
	}
	return ps
}

func TestStepsOfPyTorch(t *testing.T) {
	g := read(t)
	if len(g.Runs) != len(kinds) {
		t.Fatalf("%d runs, %d kinds", len(g.Runs), len(kinds))
	}
	for name, make := range kinds {
		ps := g.params()
		opt := make(ps)
		for step, want := range g.Runs[name] {
			grad := g.gradient(ps, step)
			loss := opt.Step(rate(step), func(pass int) *autograd.Var {
				l := grad(pass)
				if name == "clipped" {
					ps.ClipNorm(2)
				}
				return l
			})
			if loss != float64(step) {
				t.Errorf("%s: step %d returned the loss %g", name, step, loss)
			}
			for _, p := range ps {
				for i, got := range tensor.Values(p.Var.Value) {
					if w := want[p.Name][i]; !(math.Abs(got-w) <= 1e-13*(1+math.Abs(w))) {
						t.Fatalf("%s: step %d: %s[%d] = %.15g, PyTorch %.15g", name, step, p.Name, i, got, w)
					}
				}
			}
		}
	}
}

// TestState interrupts each optimizer: one that is loaded goes on bit for bit.
func TestState(t *testing.T) {
	g := read(t)
	for name, make := range kinds {
		for stop := range 3 {
			ps := g.params()
			opt := make(ps)
			for step := range stop {
				opt.Step(rate(step), g.gradient(ps, step))
			}
			again := g.params()
			for i := range ps {
				copy(tensor.Data[float64](again[i].Var.Value), tensor.Data[float64](ps[i].Var.Value))
			}
			resumed := optim.SAM{Base: make(again)}
			if err := resumed.Load(opt.State()); err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			for step := stop; step < 5; step++ {
				opt.Step(rate(step), g.gradient(ps, step))
				resumed.Step(rate(step), g.gradient(again, step))
			}
			for i := range ps {
				if !slices.Equal(tensor.Values(ps[i].Var.Value), tensor.Values(again[i].Var.Value)) {
					t.Errorf("%s, interrupted after %d: %s = %v, want %v", name, stop, ps[i].Name, again[i].Var.Value, ps[i].Var.Value)
				}
			}
		}
	}
}

func TestLoadErrors(t *testing.T) {
	g := read(t)
	three := func() *tensor.Tensor { return tensor.Of([]float64{1, 2, 3}, 3) }
	for want, c := range map[string]struct {
		kind  string
		state map[string]*tensor.Tensor
	}{
		"2 tensors belong to no parameter, the first is momentum.c": {"momentum", map[string]*tensor.Tensor{"momentum.a": three(), "momentum.d": three(), "momentum.c": three()}},
		"momentum.b is f64 (3), want f64 (2,2)":                     {"momentum", map[string]*tensor.Tensor{"momentum.b": three()}},
		"momentum.a is i64 (3), want f64 (3)":                       {"momentum", map[string]*tensor.Tensor{"momentum.a": tensor.Of([]int64{1, 2, 3}, 3)}},
		"want step, one i64 of at least 0":                          {"adamw", map[string]*tensor.Tensor{"exp_avg.a": three()}},
		"exp_avg_sq.b is f64 (3), want f64 (2,2)":                   {"adamw", map[string]*tensor.Tensor{"step": tensor.Scalar[int64](1), "exp_avg_sq.b": three()}},
	} {
		opt := kinds[c.kind](g.params())
		before := len(opt.State())
		given := maps.Clone(c.state)
		if err := opt.Load(c.state); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %s", err, want)
		}
		if len(opt.State()) != before || !maps.Equal(given, c.state) {
			t.Errorf("%s: a failed Load changed something", want)
		}
	}
}

func TestClipNorm(t *testing.T) {
	g := read(t)
	ps := g.params()
	ps[1].Var.Grad = tensor.Of([]float64{3, 0, 0, 4}, 2, 2) // a has none
	if ps.ClipNorm(6); ps.GradNorm() != 5 || tensor.Values(ps[1].Var.Grad)[3] != 4 {
		t.Errorf("norm %g, gradient %v: nothing was to be clipped", ps.GradNorm(), ps[1].Var.Grad)
	}
	if ps.ClipNorm(2.5); math.Abs(ps.GradNorm()-2.5) > 1e-6 {
		t.Errorf("norm %g, want 2.5", ps.GradNorm())
	}
	var none optim.Params
	if none.ClipNorm(1); none.GradNorm() != 0 {
		t.Errorf("no parameters have a gradient of norm %g", none.GradNorm())
	}
}

// TestNoGradient: what no gradient has reached stays, decay or not.
func TestNoGradient(t *testing.T) {
	g := read(t)
	for name, make := range kinds {
		ps := g.params()
		opt := &optim.SAM{Base: make(ps), Rho: .1}
		only := g.gradient(ps[1:], 0)
		opt.Step(1, only)
		if !slices.Equal(tensor.Values(ps[0].Var.Value), g.Start["a"]) {
			t.Errorf("%s moved a parameter without a gradient", name)
		}
		if slices.Equal(tensor.Values(ps[1].Var.Value), g.Start["b"]) {
			t.Errorf("%s did not move the other", name)
		}
	}
}

func TestSchedules(t *testing.T) {
	// The long-tail lineage: lr·e/5 in epochs 1 to 5, then drops at 160 and 180.
	lr := optim.Warmup(5, optim.MultiStep(.1, .01, 160, 180))
	for epoch, want := range map[int]float64{0: .02, 3: .08, 4: .1, 5: .1, 159: .1, 160: .001, 179: .001, 180: 1e-5, 199: 1e-5} {
		if got := lr(epoch); math.Abs(got-want) > 1e-15 {
			t.Errorf("epoch %d: %g, want %g", epoch, got, want)
		}
	}
	c := optim.Cosine(2, 10)
	for step, want := range map[int]float64{0: 2, 5: 1, 10: 0, 12: 0} {
		if got := c(step); math.Abs(got-want) > 1e-15 {
			t.Errorf("cosine at %d: %g, want %g", step, got, want)
		}
	}
	if got := optim.Warmup(2, optim.Constant(3))(0); got != 1.5 {
		t.Errorf("warm-up: %g, want 1.5", got)
	}
}
