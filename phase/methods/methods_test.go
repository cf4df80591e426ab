package methods_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"os"
	"slices"
	"testing"

	"phase/autograd"
	_ "phase/kernels/cpu"
	"phase/phase"
	"phase/phase/kind"
	"phase/phase/methods"
	"phase/tensor"
)

// goldens are what testdata/make_methods.py wrote.
type goldens struct {
	Logits, Cosines, Hidden, Weights []float64
	Labels                           []int64
	Counts                           []int
	Losses                           []struct {
		Kind       string
		Params     map[string]string
		Each, Grad []float64
		HiddenGrad []float64 `json:"hidden_grad"`
	}
	Owner      []int
	Features   []float64
	Weightings []struct {
		Kind          string
		Params        map[string]string
		Class, Sample []float64 // null where it is refused
	}
}

func readGoldens(t *testing.T) (g goldens) {
	b, err := os.ReadFile("testdata/methods.json")
	if err == nil {
		err = json.Unmarshal(b, &g)
	}
	if err != nil {
		t.Fatal(err)
	}
	return g
}

// set is the kind's value with these parameters.
func set[T any](t *testing.T, table *kind.Table[T], name string, params map[string]string) (v T) {
	t.Helper()
	k, err := table.Find(name)
	if err == nil {
		v, err = k.With(func(name string) (string, bool) { text, ok := params[name]; return text, ok })
	}
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// near fails unless got is want within tol, relative; numbers below floor count
// as that large.
func near(t *testing.T, what string, got, want []float64, tol, floor float64) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%s: %d numbers, want %d", what, len(got), len(want))
	}
	for i := range want {
		if !(math.Abs(got[i]-want[i]) <= tol*max(math.Abs(want[i]), floor)) {
			t.Fatalf("%s: number %d is %.17g, want %.17g", what, i, got[i], want[i])
		}
	}
}

// A problem is what a loss is computed of.
type problem struct {
	logits, hidden, weights []float64 // (n,C), (n,d), (n); no weights are ones
	labels                  []int64
	counts                  []int
	dtype                   tensor.DType
}

func (p problem) tensor(v []float64, shape ...int) *tensor.Tensor {
	if p.dtype == tensor.F64 {
		return tensor.Of(v, shape...)
	}
	short := make([]float32, len(v))
	for i, x := range v {
		short[i] = float32(x)
	}
	return tensor.Of(short, shape...)
}

// loss is each sample's loss and the gradient of their sum by logits and hidden
// features; of cosines if the loss is one of cosines and cosines is set.
func (p problem) loss(l phase.Loss, cosines bool) (each, dz, dh []float64) {
	n := len(p.labels)
	if p.weights == nil {
		p.weights = slices.Repeat([]float64{1}, n)
	}
	var tape autograd.Tape
	z := tape.Watch(p.tensor(p.logits, n, len(p.logits)/n)).Want()
	b := phase.Batch{Logits: z, Labels: tensor.Of(p.labels, n), Weights: p.tensor(p.weights, n), Counts: p.counts}
	if c, ok := l.(phase.CosineUser); ok && cosines {
		b.Logits = autograd.Scale(z, c.CosineScale())
	}
	if phase.UsesFeatures(l) {
		b.Features = tape.Watch(p.tensor(p.hidden, n, len(p.hidden)/n)).Want()
	}
	y := l.Each(b)
	each = tensor.Values(y.Value)
	tape.Backward(autograd.Sum(y))
	if b.Features != nil {
		dh = tensor.Values(b.Features.Grad)
	}
	return each, tensor.Values(z.Grad), dh
}

// Each loss and its gradients are PyTorch's.
func TestLossesEqualPyTorch(t *testing.T) {
	g := readGoldens(t)
	for _, c := range g.Losses {
		l := set(t, phase.Losses, c.Kind, c.Params)
		p := problem{g.Logits, g.Hidden, g.Weights, g.Labels, g.Counts, tensor.F64}
		if _, ok := l.(phase.CosineUser); ok {
			p.logits = g.Cosines
		}
		each, dz, dh := p.loss(l, true)
		what := fmt.Sprint(c.Kind, c.Params)
		near(t, what, each, c.Each, 1e-9, 1e-6) // PyTorch subtracts, so that what is small is not exact
		near(t, what+": gradient", dz, c.Grad, 1e-9, 1e-4)
		near(t, what+": gradient by features", dh, c.HiddenGrad, 1e-9, 1e-4)

		p.dtype = tensor.F32
		each, dz, dh = p.loss(l, true)
		near(t, what+" in float32", each, c.Each, 2e-5, 1e-2)
		near(t, what+" in float32: gradient", dz, c.Grad, 1e-4, 1e-1)
		near(t, what+" in float32: gradient by features", dh, c.HiddenGrad, 1e-4, 1e-1)
	}
	complete(t, phase.Losses, func(name string) (all []map[string]string) {
		for _, c := range g.Losses {
			if c.Kind == name {
				all = append(all, c.Params)
			}
		}
		return all
	})
}

// Each weighting is NumPy's.
func TestWeightingsEqualNumPy(t *testing.T) {
	g := readGoldens(t)
	counts := make([]int, len(g.Counts))
	for _, j := range g.Owner {
		counts[j]++
	}
	n := len(g.Owner)
	s := phase.Samples{Counts: counts, Labels: g.Owner, Features: phase.Rows(tensor.Of(g.Features, n, len(g.Features)/n))}
	for _, c := range g.Weightings {
		what := fmt.Sprint(c.Kind, c.Params)
		r, err := set(t, phase.Weightings, c.Kind, c.Params).Weigh(s)
		if (err != nil) != (c.Sample == nil) {
			t.Fatalf("%s: error %v, but there are %d golden weights", what, err, len(c.Sample))
		}
		if err == nil {
			near(t, what+": classes", r.Class, c.Class, 1e-9, 0)
			near(t, what+": samples", r.Sample, c.Sample, 1e-9, 0)
		}
	}
	complete(t, phase.Weightings, func(name string) (all []map[string]string) {
		for _, c := range g.Weightings {
			if c.Kind == name {
				all = append(all, c.Params)
			}
		}
		return all
	})
}

// complete fails unless there are golden values of each kind as it usually is, of
// each of its parameters changed and of each word that one may be.
func complete[T any](t *testing.T, table *kind.Table[T], settings func(name string) []map[string]string) {
	t.Helper()
	for _, k := range table.All() {
		all := settings(k.Name)
		if !slices.ContainsFunc(all, func(m map[string]string) bool { return len(m) == 0 }) {
			t.Errorf("no golden values of %s as it usually is", k.Name)
		}
		for _, p := range k.Params() {
			values := map[any]bool{}
			for _, m := range all {
				if text, ok := m[p.Name]; ok {
					v, err := p.Parse(text)
					if err != nil {
						t.Fatal(err)
					}
					values[v] = true
				}
			}
			delete(values, p.Usual)
			if len(values) == 0 {
				t.Errorf("no golden values of %s with another %s than %v", k.Name, p.Name, p.Usual)
			}
			values[p.Usual] = true
			for _, word := range p.Of {
				if !values[word] {
					t.Errorf("no golden values of %s with %s %s, only %v", k.Name, p.Name, word, slices.Collect(maps.Keys(values)))
				}
			}
		}
	}
}

// The losses of four logits as they were worked out by hand, to the printed
// digits: z = (2, -1, .5, 0), y = 2, N = (100, 50, 10, 5), h = (1, 2, .5, 0).
func TestWorkedExample(t *testing.T) {
	p := problem{logits: []float64{2, -1, .5, 0}, hidden: []float64{1, 2, .5, 0}, labels: []int64{2}, counts: []int{100, 50, 10, 5}, dtype: tensor.F64}
	for _, c := range []struct {
		of    phase.Loss
		want  float64
		after int // decimals
	}{
		{phase.CrossEntropy{}, 1.8423495824, 10},
		{phase.LabelSmoothing{Smooth: .1}, 1.8548495824, 10},
		{phase.Focal{Gamma: 1}, 1.5504390380, 10},
		{phase.Focal{Gamma: 2}, 1.3047801750, 10},
		{methods.CB{Beta: .9999}, 2.2329135473, 10},
		{methods.CBFocal{Beta: .9999, Gamma: 1, Form: "class"}, 1.8791202090, 10},
		{methods.CBFocal{Beta: .9999, Gamma: 1, Form: "ldam"}, 1.9935103885, 10},
		{methods.IB{Alpha: 1000}, 379.0213553, 7},
		{methods.BalancedSoftmax{}, 3.8551522243, 10},
		{methods.LogitAdjust{Tau: 1}, 3.8551522243, 10},
		{methods.LogitAdjust{Tau: .5}, 2.7788292953, 10},
		{methods.VS{Gamma: .3, Tau: 1}, 4.1047634613, 10},
		{methods.VS{Gamma: .15, Tau: .75}, 3.4511057845, 10},
		{methods.VS{Gamma: .05, Tau: 1}, 3.9092247178, 10},
		{methods.LAS{Head: .4, Tail: .1}, 1.8579463078, 10},
	} {
		each, _, _ := p.loss(c.of, true)
		near(t, fmt.Sprintf("%T%+v", c.of, c.of), each, []float64{c.want}, .51*math.Pow(10, -float64(c.after)), 1e300)
	}
	p.logits = []float64{.4, -.2, .1, 0}
	each, _, _ := p.loss(methods.LDAM{Margin: .5, Scale: 30}, true)
	near(t, "ldam", each, []float64{21.6134523886}, 5.1e-11, 1e300)
}
