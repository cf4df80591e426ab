package methods_test

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"phase/autograd"
	"phase/phase"
	"phase/phase/methods"
	"phase/tensor"
)

// A variant is a loss with one of the words that its parameters may be.
type variant struct {
	name string
	loss phase.Loss
}

// variants lists the kinds of losses, and each with each other word.
func variants(t *testing.T) (all []variant) {
	for _, k := range phase.Losses.All() {
		all = append(all, variant{k.Name, k.Of})
		for _, p := range k.Params() {
			for _, word := range p.Of {
				if word != p.Usual {
					all = append(all, variant{k.Name + " " + word, set(t, phase.Losses, k.Name, map[string]string{p.Name: word})})
				}
			}
		}
	}
	return all
}

// draw is a random problem of up to 6 classes.
func draw(t *rapid.T) problem {
	c := rapid.IntRange(2, 6).Draw(t, "classes")
	n := rapid.IntRange(1, 4).Draw(t, "samples")
	return problem{
		logits:  rapid.SliceOfN(rapid.Float64Range(-6, 6), n*c, n*c).Draw(t, "logits"),
		hidden:  rapid.SliceOfN(rapid.Float64Range(0, 3), n*2, n*2).Draw(t, "hidden"),
		weights: rapid.SliceOfN(rapid.Float64Range(.1, 5), n, n).Draw(t, "weights"),
		labels:  rapid.SliceOfN(rapid.Int64Range(0, int64(c-1)), n, n).Draw(t, "labels"),
		counts:  rapid.SliceOfN(rapid.IntRange(1, 5000), c, c).Draw(t, "counts"),
		dtype:   tensor.F64,
	}
}

// small is what rounding may come to: losses are sums of terms of that size.
func small(v []float64) float64 {
	most := 1.
	for _, x := range v {
		most = max(most, math.Abs(x))
	}
	return most
}

// Permuting the classes permutes the gradient and changes no loss.
func TestClassesHaveNoOrder(t *testing.T) {
	for _, l := range variants(t) {
		rapid.Check(t, func(t *rapid.T) {
			p := draw(t)
			c := len(p.counts)
			order := rapid.Permutation(indices(c)).Draw(t, "order") // the class at k was at order[k]
			q := p
			q.logits, q.labels, q.counts = make([]float64, len(p.logits)), make([]int64, len(p.labels)), make([]int, c)
			each, dz, dh := p.loss(l.loss, false)
			want := make([]float64, len(dz))
			for k, from := range order {
				q.counts[k] = p.counts[from]
				for i := range p.labels {
					q.logits[i*c+k], want[i*c+k] = p.logits[i*c+from], dz[i*c+from]
					if p.labels[i] == int64(from) {
						q.labels[i] = int64(k)
					}
				}
			}
			each2, dz2, dh2 := q.loss(l.loss, false)
			same(t, l.name, each2, each, 1e-10*small(each))
			same(t, l.name+" gradient", dz2, want, 1e-10*small(dz))
			same(t, l.name+" gradient by features", dh2, dh, 1e-10*small(dh))
		})
	}
}

func indices(n int) []int {
	at := make([]int, n)
	for i := range at {
		at[i] = i
	}
	return at
}

func same(t *rapid.T, what string, got, want []float64, tol float64) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%s: %d numbers, want %d", what, len(got), len(want))
	}
	for i := range want {
		if !(math.Abs(got[i]-want[i]) <= tol) {
			t.Fatalf("%s: number %d is %v, want %v", what, i, got[i], want[i])
		}
	}
}

// knowsZero are the losses that adding a number to all logits changes: a sigmoid
// a class, and classes whose logits are scaled differently.
var knowsZero = []string{"cb-focal sigmoid", "vs"}

// The softmax does not see a number added to all logits, so that a loss made of
// it does not either, and its gradient adds up to nothing.
func TestShift(t *testing.T) {
	for _, l := range variants(t) {
		if slices.Contains(knowsZero, l.name) {
			p := problem{logits: []float64{1, 0, -1}, labels: []int64{0}, counts: []int{10, 5, 1}, dtype: tensor.F64}
			each, dz, _ := p.loss(l.loss, false)
			p.logits = []float64{3, 2, 1}
			shifted, _, _ := p.loss(l.loss, false)
			if math.Abs(each[0]-shifted[0]) < .01 || math.Abs(dz[0]+dz[1]+dz[2]) < .01 {
				t.Errorf("%s does not know where zero is, unlike it is said", l.name)
			}
			continue
		}
		rapid.Check(t, func(t *rapid.T) {
			p := draw(t)
			each, dz, dh := p.loss(l.loss, false)
			c := len(p.counts)
			for i := range p.labels {
				sum := 0.
				for _, v := range dz[i*c : (i+1)*c] {
					sum += v
				}
				if math.Abs(sum) > 1e-11*small(dz) {
					t.Fatalf("%s: the gradient of row %d adds up to %v", l.name, i, sum)
				}
			}
			by := rapid.Float64Range(-20, 20).Draw(t, "by")
			p.logits = slices.Clone(p.logits)
			for i := range p.logits {
				p.logits[i] += by
			}
			each2, dz2, dh2 := p.loss(l.loss, false)
			same(t, l.name, each2, each, 1e-9*small(each))
			same(t, l.name+" gradient", dz2, dz, 1e-9*small(dz))
			same(t, l.name+" gradient by features", dh2, dh, 1e-9*small(dh))
		})
	}
}

// Where all classes have as many images, it does not matter how many, and a loss
// by counts is one without. A sample's loss is its own, times its weight.
func TestBalanced(t *testing.T) {
	twin := map[string]phase.Loss{
		"cb": phase.CrossEntropy{}, "cb-focal": phase.Focal{Gamma: 1}, "cb-focal ldam": phase.Focal{Gamma: 1}, "balanced-softmax": phase.CrossEntropy{},
		"logit-adjust": phase.CrossEntropy{}, "vs": phase.CrossEntropy{}, "las": phase.LabelSmoothing{Smooth: .1},
		"cb-focal sigmoid": nil, "ib": nil, "ib-focal": nil, "ldam": nil, // that no other loss is
	}
	for _, l := range variants(t) {
		other, listed := twin[l.name]
		if phase.UsesCounts(l.loss) && !listed {
			t.Errorf("%s goes by counts: what is it where they are equal?", l.name)
		}
		rapid.Check(t, func(t *rapid.T) {
			p := draw(t)
			for j := range p.counts {
				p.counts[j] = p.counts[0]
			}
			each, dz, dh := p.loss(l.loss, false)
			q := p
			q.counts = slices.Repeat([]int{1 + p.counts[0]%7}, len(p.counts))
			each2, dz2, dh2 := q.loss(l.loss, false)
			same(t, l.name, each2, each, 1e-10*small(each))
			same(t, l.name+" gradient", dz2, dz, 1e-10*small(dz))
			same(t, l.name+" gradient by features", dh2, dh, 1e-10*small(dh))
			if other != nil {
				want, dwant, _ := p.loss(other, false)
				same(t, l.name+" and its twin", each, want, 1e-10*small(want))
				same(t, l.name+" and its twin, gradient", dz, dwant, 1e-10*small(dwant))
			}

			alone := p
			alone.weights = nil
			free, dfree, _ := alone.loss(l.loss, false)
			c := len(p.counts)
			for i, w := range p.weights {
				same(t, l.name+" of weight", []float64{w * free[i]}, each[i:i+1], 1e-10*small(each))
				for j := range c {
					same(t, l.name+" gradient of weight", []float64{w * dfree[i*c+j]}, dz[i*c+j:i*c+j+1], 1e-10*small(dz))
				}
			}
		})
	}
}

// Limits and identities of the papers.
func TestIdentities(t *testing.T) {
	for _, c := range []struct{ a, b phase.Loss }{
		{methods.BalancedSoftmax{}, methods.LogitAdjust{Tau: 1}},
		{methods.VS{Gamma: 0, Tau: .7}, methods.LogitAdjust{Tau: .7}},
		{methods.LogitAdjust{Tau: 0}, phase.CrossEntropy{}},
		{methods.LDAM{Margin: 0, Scale: 30}, phase.CrossEntropy{}},
		{methods.CB{Beta: 0}, phase.CrossEntropy{}},
		{methods.CBFocal{Beta: .9, Gamma: 0, Form: "class"}, methods.CB{Beta: .9}},
		{methods.CBFocal{Beta: .9, Gamma: 0, Form: "ldam"}, methods.CB{Beta: .9}},
		{methods.LAS{Head: .3, Tail: .3}, phase.LabelSmoothing{Smooth: .3}},
	} {
		rapid.Check(t, func(t *rapid.T) {
			p := draw(t)
			a, da, _ := p.loss(c.a, false)
			b, db, _ := p.loss(c.b, false)
			what := fmt.Sprintf("%T%+v and %T%+v", c.a, c.a, c.b, c.b)
			same(t, what, a, b, 1e-10*small(b))
			same(t, what+", gradient", da, db, 1e-10*small(db))
		})
	}
}

// However sure a network is, right or wrong, losses and gradients are finite, in
// float32 as well.
func TestSureNetworks(t *testing.T) {
	for _, l := range variants(t) {
		for _, d := range []tensor.DType{tensor.F32, tensor.F64} {
			for _, far := range []float64{0, 20, 90, 200, 1000} {
				p := problem{logits: []float64{far, 0, -far, far, 0, -far, 0, 0, 0}, hidden: []float64{0, 2, 0, 0, 1, 1}, labels: []int64{0, 2, 1}, counts: []int{5000, 70, 1}, dtype: d}
				each, dz, dh := p.loss(l.loss, false)
				for _, v := range slices.Concat(each, dz, dh) {
					if math.IsNaN(v) || math.IsInf(v, 0) {
						t.Fatalf("%s in %v of logits up to %v: loss %v, gradient %v, by features %v", l.name, d, far, each, dz, dh)
					}
				}
				if far > 0 && (each[0] < 0 || each[1] < each[0]) {
					t.Errorf("%s in %v of logits up to %v: right costs %v, wrong %v", l.name, d, far, each[0], each[1])
				}
			}
		}
	}
}

// Counts that are missing or not positive, and features that are missing, are
// misuse that says so.
func TestMisuse(t *testing.T) {
	refuse := func(l variant, b phase.Batch, words string) {
		defer func() {
			if err, ok := recover().(*tensor.Error); !ok || !strings.Contains(err.Error(), words) {
				t.Errorf("%s: %v, want an error with %q", l.name, err, words)
			}
		}()
		l.loss.Each(b)
	}
	one := tensor.Of([]float64{1}, 1)
	for _, l := range variants(t) {
		b := phase.Batch{Logits: autograd.Const(tensor.Of([]float64{1, 0}, 1, 2)), Labels: tensor.Of([]int64{0}, 1), Weights: one, Counts: []int{3, 1}}
		if phase.UsesFeatures(l.loss) {
			refuse(l, b, "no features")
			b.Features = autograd.Const(tensor.Of([]float64{1}, 1, 1))
		}
		if phase.UsesCounts(l.loss) {
			b.Counts = nil
			refuse(l, b, "0 counts of images for 2 classes")
			b.Counts = []int{3}
			refuse(l, b, "1 counts of images for 2 classes")
			b.Counts = []int{3, 0}
			refuse(l, b, "class 1 has 0 images")
		}
	}
}
