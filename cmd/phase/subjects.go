package main

import (
	"fmt"
	"math"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"

	"phase/autograd"
	"phase/autograd/gradcheck"
	"phase/kernels"
	"phase/nn"
	"phase/phase"
	"phase/phase/kind"
	"phase/tensor"
)

// A subject is something whose gradient gradcheck checks.
type subject struct {
	name  string
	check func(gradcheck.Config) checked
}

// function is what gradcheck takes.
type function = func(in ...*autograd.Var) *autograd.Var

// subjects lists every op that has a derivative, every loss and every module.
func subjects(seed uint64) (s []subject) {
	for _, op := range autograd.Ops() {
		if op.Differentiable {
			s = append(s, subject{op.Name, func(c gradcheck.Config) checked {
				t := tally{name: op.Name}
				c.Held = op.Held
				for _, sample := range op.Cases(seed) {
					if sample.Err == "" {
						t.add(c, sample.Call, sample.In...)
					}
				}
				return t.result(c)
			}})
		}
	}
	return append(append(s, losses(seed)...), modules(seed)...)
}

// A tally gathers the checks of one subject; the worst stands for all.
type tally struct {
	name    string
	worst   gradcheck.Report
	entries int
	err     error // of the first check that failed
}

func (t *tally) add(c gradcheck.Config, f function, in ...*tensor.Tensor) {
	r, err := c.Check(f, in...)
	t.entries += r.Checked
	if r.Error >= t.worst.Error {
		t.worst = r
	}
	if t.err == nil {
		t.err = err
	}
}

func (t *tally) result(c gradcheck.Config) checked {
	r := checked{Name: t.name, Error: t.worst.Error, Entries: t.entries, Passed: t.err == nil && t.entries > 0, Where: t.worst.String()}
	if t.err != nil {
		r.Where = t.err.Error()
	}
	return r
}

// losses lists every kind of loss, and each with every other word that one of its
// parameters may be, with and without weights and under every reduction. One that
// can count its modulation as a constant is checked so as well.
func losses(seed uint64) (s []subject) {
	for _, l := range variants(phase.Losses) {
		name := "loss/" + l.Name
		s = append(s, subject{name, func(c gradcheck.Config) checked { return checkLoss(name, c, lossBatch(seed), l.Of) }})
	}
	for _, l := range variants(phase.Losses) {
		if !slices.ContainsFunc(l.Params(), func(p kind.Param) bool { return p.Name == "detach" }) {
			continue
		}
		name, held := "loss/"+l.Name+"-detach", vary(l, "detach", "true").Of.(phase.Softmax).Softmax()
		s = append(s, subject{name, func(c gradcheck.Config) checked { return checkDetached(name, c, lossBatch(seed), held) }})
	}
	return s
}

// variants lists the kinds of a table, and each with every other word that one of
// its parameters may be.
func variants[T any](table *kind.Table[T]) (all []kind.Kind[T]) {
	for _, k := range table.All() {
		all = append(all, k)
		for _, p := range k.Params() {
			for _, word := range p.Of {
				if word != p.Usual {
					v := vary(k, p.Name, word)
					v.Name += "-" + word
					all = append(all, v)
				}
			}
		}
	}
	return all
}

// vary is the kind with one parameter set, to what it may be.
func vary[T any](k kind.Kind[T], name, text string) kind.Kind[T] {
	of, err := k.With(func(n string) (string, bool) { return text, n == name })
	if err != nil {
		panic(err)
	}
	k.Of = of
	return k
}

// lossBatch is random samples of four classes.
func lossBatch(seed uint64) batch {
	g := autograd.NewGen(seed)
	return batch{g.Normal(5, 4), g.Labels(5, 4), g.Positive(5), g.Normal(5, 3), []int{60, 20, 7, 2}}
}

// checkLoss checks a loss's gradients by the logits and, if it looks at them, by
// the features.
func checkLoss(name string, c gradcheck.Config, b batch, l phase.Loss) checked {
	t := tally{name: name}
	in, names := []*tensor.Tensor{b.logits}, []string{"the logits"}
	if phase.UsesFeatures(l) {
		in, names = append(in, b.features), append(names, "the features")
	}
	weight := b.weights
	for _, w := range []*tensor.Tensor{ones(weight.Size()), weight} {
		for _, reduction := range phase.Reductions() {
			b.weights = w
			f := func(in ...*autograd.Var) *autograd.Var {
				p := b.as(in[0])
				if len(in) > 1 {
					p.Features = in[1]
				}
				return reduce(l.Each(p), tensor.Values(w), reduction)
			}
			t.add(c, f, in...)
			if t.err == nil {
				t.err = reached(autograd.NewGen(1), f, in, names)
			}
		}
	}
	return t.result(c)
}

func ones(n int) *tensor.Tensor { return tensor.Of(slices.Repeat([]float64{1}, n), n) }

// reduce makes one number of the weighted losses l, or leaves them as they are
// for phase.None. Weights that the reduction does not take panic.
func reduce(l *autograd.Var, weights []float64, r phase.Reduction) *autograd.Var {
	if r == phase.None {
		return l
	}
	scale, err := r.Scale(weights)
	if err != nil {
		panic(tensor.Errorf("loss", "%v", err))
	}
	return autograd.Scale(autograd.Sum(l), scale)
}

// checkDetached checks a loss whose modulation counts as a constant: difference
// quotients of the loss itself do not see its gradient, those of the loss with
// the modulation held do.
func checkDetached(name string, c gradcheck.Config, b batch, l kernels.SoftmaxLoss) checked {
	t := tally{name: name}
	z, label, weight := b.logits, b.labels, b.weights
	held := heldLoss(l, z, label, weight)
	t.add(c, held, z)
	if t.err == nil {
		want := gradient(held, z)
		got := gradient(func(in ...*autograd.Var) *autograd.Var { return autograd.SoftmaxLoss(in[0], label, weight, l) }, z)
		far, most := 0.0, slices.MaxFunc(want, func(a, b float64) int { return compareAbs(a, b) })
		for i := range want {
			far = max(far, math.Abs(got[i]-want[i])/max(math.Abs(want[i]), 1e-3*math.Abs(most)))
		}
		t.worst.Error = max(t.worst.Error, far)
		if !(far <= c.Tol) {
			t.err = fmt.Errorf("the detached gradient is off by %.2g, relative, from that with the modulation held", far)
		}
	}
	return t.result(c)
}

func compareAbs(a, b float64) int {
	switch d := math.Abs(a) - math.Abs(b); {
	case d < 0:
		return -1
	case d > 0:
		return 1
	}
	return 0
}

// gradient is that of the sum of f at x.
func gradient(f function, x *tensor.Tensor) []float64 {
	var tape autograd.Tape
	v := tape.Watch(x).Want()
	tape.Backward(autograd.Sum(f(v)))
	return tensor.Values(v.Grad)
}

// heldLoss is the loss l as a function of the logits, with the modulation that
// it has at z.
func heldLoss(l kernels.SoftmaxLoss, z, label, weight *tensor.Tensor) function {
	n, k := z.Dim(0), z.Dim(1)
	logp, y, w := tensor.Values(autograd.LogSoftmax(autograd.Const(z)).Value), tensor.Values(label), tensor.Values(weight)
	ofP, ofRest := make([]float64, n*k), make([]float64, n*k) // factors of log p and log(1-p)
	for i := range n {
		for j, t := range lossTerms(l, logp[i*k:(i+1)*k], int(y[i])) {
			to := ofP
			if t.binary {
				to = ofRest
			}
			to[i*k+j] = -w[i] * t.Target * t.Modulation
		}
	}
	a, b := autograd.Const(tensor.Of(ofP, n, k)), autograd.Const(tensor.Of(ofRest, n, k))
	return func(in ...*autograd.Var) *autograd.Var {
		logp := autograd.LogSoftmax(in[0])
		rest := autograd.Log(autograd.Affine(autograd.Exp(logp), -1, 1))
		return autograd.Sum(autograd.Add(autograd.Mul(a, logp), autograd.Mul(b, rest)), 1)
	}
}

// modules lists every module of package nn that has parameters, as a function
// of its input and its parameters.
func modules(seed uint64) (s []subject) {
	r := func() *rand.Rand { return rand.New(rand.NewPCG(seed, 2)) }
	model := func(name string, c nn.Config) func() nn.Module {
		return func() nn.Module {
			c.Seed = seed
			m, err := nn.New(name, c)
			if err != nil {
				panic(err)
			}
			return m
		}
	}
	for _, m := range []struct {
		name  string
		train bool
		make  func() nn.Module
		in    []int
	}{
		{"nn/linear", true, func() nn.Module { return nn.NewLinear(r(), 5, 3) }, []int{4, 5}},
		{"nn/cosine-linear", true, func() nn.Module { return nn.NewCosineLinear(r(), 5, 3, 30) }, []int{4, 5}},
		{"nn/conv2d", true, func() nn.Module {
			return nn.NewConv2D(r(), nn.Conv2DConfig{In: 3, Out: 4, Kernel: 3, Stride: 2, Pad: 1, Bias: true})
		}, []int{2, 3, 5, 6}},
		{"nn/conv2d-groups", true, func() nn.Module {
			return nn.NewConv2D(r(), nn.Conv2DConfig{In: 4, Out: 6, Kernel: 3, Pad: 2, Dilation: 2, Groups: 2})
		}, []int{2, 4, 5, 6}},
		{"nn/batch-norm", true, func() nn.Module { return nn.NewBatchNorm(3) }, []int{4, 3, 2, 3}},
		{"nn/batch-norm-eval", false, func() nn.Module { return nn.NewBatchNorm(3) }, []int{4, 3, 2, 3}},
		{"nn/mlp", true, model("mlp", nn.Config{Classes: 3, Channels: 2, Size: 3, Width: 6, Dropout: .3}), []int{4, 2, 3, 3}},
		{"nn/basic-block", true, func() nn.Module {
			m := model("resnet8", nn.Config{Classes: 3, Channels: 2, Size: 8, Width: 2})()
			return m.(*nn.CIFARResNet).Layer2[0] // of stride 2, so that its shortcut pads
		}, []int{3, 2, 6, 6}},
		{"nn/bottleneck", true, func() nn.Module {
			m := model("resnet50", nn.Config{Classes: 3, Channels: 2, Size: 8, Width: 1})()
			return m.(*nn.ResNet).Layer2[0]
		}, []int{3, 4, 6, 6}},
		{"nn/resnet8", true, model("resnet8", nn.Config{Classes: 3, Channels: 2, Size: 8, Width: 2}), []int{3, 2, 8, 8}},
		{"nn/resnet8-eval", false, model("resnet8", nn.Config{Classes: 3, Channels: 2, Size: 8, Width: 2}), []int{3, 2, 8, 8}},
		{"nn/resnet8-cosine", true, model("resnet8", nn.Config{Classes: 3, Channels: 2, Size: 8, Width: 2, Cosine: 4}), []int{3, 2, 8, 8}},
	} {
		s = append(s, subject{m.name, func(c gradcheck.Config) checked {
			t := tally{name: m.name}
			c.Entries = 100 // entry by entry what is small; the rest along random directions
			module := m.make()
			nn.Cast(module, tensor.F64)
			g := autograd.NewGen(seed)
			unkink(g, module)
			in, names := []*tensor.Tensor{g.Normal(m.in...)}, []string{"input"}
			for name, v := range nn.Params(module) {
				in, names = append(in, v.Value), append(names, name)
			}
			f := func(in ...*autograd.Var) *autograd.Var {
				hold(module, in[1:])
				return module.Forward(&nn.Pass{Train: m.train, Frozen: true, Seed: seed}, in[0])
			}
			t.add(c, f, in...)
			if t.err == nil {
				t.err = reached(g, f, in, names)
			}
			return t.result(c)
		}})
	}
	return s
}

// reached says to which input of f no gradient comes: one that f does not look at
// would pass every comparison.
func reached(g *autograd.Gen, f function, in []*tensor.Tensor, names []string) error {
	var tape autograd.Tape
	vars := make([]*autograd.Var, len(in))
	for i, t := range in {
		vars[i] = tape.Watch(t).Want()
	}
	y := f(vars...)
	tape.BackwardFrom(y, g.Normal(y.Shape()...))
	for i, v := range vars {
		if v.Grad == nil || !slices.ContainsFunc(tensor.Values(v.Grad), func(x float64) bool { return x != 0 }) {
			return fmt.Errorf("no gradient reaches %s", names[i])
		}
	}
	return nil
}

// unkink draws the scales, shifts and running statistics of m's batch norms, and
// the other layers' shifts, so that what meets a ReLU is far from its kink, where
// a difference quotient means nothing: channels are shifted up or down by much
// more than they vary.
func unkink(g *autograd.Gen, m nn.Module) {
	for name, v := range nn.Params(m) {
		if v.Value.Dims() != 1 {
			continue
		}
		d := tensor.Data[float64](v.Value)
		for i := range d {
			switch {
			case strings.HasSuffix(name, "weight"): // only batch norms have them in one dimension
				d[i] = .05 + .05*g.Float64()
			case i%2 == 0:
				d[i] = 4 + .1*g.Float64()
			default:
				d[i] = -32 - .1*g.Float64() // in a residual block, more than the other branch has
			}
		}
	}
	for name, t := range nn.Buffers(m) {
		if t.DType() != tensor.F64 {
			continue
		}
		for i, d := 0, tensor.Data[float64](t); i < len(d); i++ {
			if strings.HasSuffix(name, "running_var") {
				d[i] = 1 + g.Float64()
			} else {
				d[i] = .1 * g.NormFloat64()
			}
		}
	}
}

// hold puts vars in the place of m's parameters, in nn.Params' order.
func hold(m nn.Module, vars []*autograd.Var) {
	place := map[*autograd.Var]*autograd.Var{}
	for _, v := range nn.Params(m) {
		place[v], vars = vars[0], vars[1:]
	}
	var walk func(v reflect.Value)
	walk = func(v reflect.Value) {
		switch p, ok := v.Interface().(*autograd.Var); {
		case ok && p != nil:
			v.Set(reflect.ValueOf(place[p]))
		case ok:
		case v.Kind() == reflect.Pointer || v.Kind() == reflect.Interface:
			if !v.IsNil() {
				walk(v.Elem())
			}
		case v.Kind() == reflect.Slice:
			for i := range v.Len() {
				walk(v.Index(i))
			}
		case v.Kind() == reflect.Struct && v.Type() != reflect.TypeFor[tensor.Tensor]():
			for i := range v.NumField() {
				if v.Type().Field(i).IsExported() {
					walk(v.Field(i))
				}
			}
		}
	}
	walk(reflect.ValueOf(m))
}
