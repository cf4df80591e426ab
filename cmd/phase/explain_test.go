package main

import (
	"fmt"
	"math"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"phase/autograd"
	"phase/kernels"
	"phase/phase"
	"phase/tensor"
	"phase/tensor/npy"
)

// TestExplainAddsUp: the factors shown multiply to the terms, the terms add up to
// the loss, the gradient is that of phase loss, and the reduced loss too.
func TestExplainAddsUp(t *testing.T) {
	t.Chdir("testdata/oracle")
	grad := filepath.Join(t.TempDir(), "g.npy")
	for _, c := range []struct{ method, kind, args, weights string }{
		{"ce", "ce", "", ""}, {"label-smoothing", "label-smoothing", "", "w.npy"}, {"focal", "focal", "--gamma-pos 2", ""},
		{"daw", "daw", "", "w.npy"}, {"daw", "daw", "--detach", ""}, {"daw", "daw", "--form eq3", ""}, {"daw", "daw", "--form eq3 --detach", ""},
		{"daw", "daw", "--form eq1 --gamma-pos 0.5", ""}, {"daw", "daw", "--form eq1 --detach", "w.npy"},
	} {
		args := append([]string{"explain", "--method", c.method, "--logits", "z64.npy", "--labels", "y_int8.npy", "--samples", "7", "--reduction", "mean"}, strings.Fields(c.args)...)
		oracle := append([]string{"loss", "--kind", c.kind, "--logits", "z64.npy", "--labels", "y_int8.npy", "--reduction", "mean", "--grad", grad}, strings.Fields(c.args)...)
		if c.weights != "" {
			args, oracle = append(args, "--weights", c.weights), append(oracle, "--weights", c.weights)
		}
		var x explained
		var l lossJSON
		succeedJSON(t, &x, args...)
		succeedJSON(t, &l, oracle...)
		slope, err := npy.ReadFile(grad)
		if err != nil {
			t.Fatal(err)
		}
		if x.Stage2 != nil {
			t.Errorf("%s: stage 2 out of nothing", c.method)
		}
		what := strings.Join(args, " ")
		wantNear(t, what+": reduced", []float64{x.Stage1.Reduced}, []float64{*l.Loss}, 1e-12, 0)
		wantNear(t, what+": per sample", x.Stage1.PerSample, l.PerSample, 1e-12, 0)
		for i, s := range x.Stage1.Samples {
			loss := 0.0
			for j, k := range s.Classes {
				log := math.Log(k.Probability)
				if x.Stage1.Loss.Form == "eq1" && j != s.Label {
					log = math.Log1p(-k.Probability)
				}
				if want := -*k.Target * *k.Modulation * log; !near(*k.Term, want, 1e-12, 1e-15) {
					t.Errorf("%s: sample %d class %d: term %g, but its factors give %g", what, i, j, *k.Term, want)
				}
				loss += *k.Term
				if got := k.Gradient * s.Weight / 7; !near(got, tensor.Values(slope)[i*5+j], 1e-12, 1e-9) {
					t.Errorf("%s: sample %d class %d: gradient %g, phase loss has %g", what, i, j, got, tensor.Values(slope)[i*5+j])
				}
				if !near(k.Gradient, k.Quotient, 1e-6, 1e-3) {
					t.Errorf("%s: sample %d class %d: gradient %g, quotient %g", what, i, j, k.Gradient, k.Quotient)
				}
			}
			if !near(loss, s.Loss, 1e-12, 0) || !near(s.Loss*s.Weight, l.PerSample[i], 1e-12, 0) {
				t.Errorf("%s: sample %d: terms add up to %g, loss %g, phase loss has %g", what, i, loss, s.Loss, l.PerSample[i])
			}
			if s.Difference > 1e-6 {
				t.Errorf("%s: sample %d: gradient and quotient differ by %g", what, i, s.Difference)
			}
		}
	}
}

// TestExplainEveryLoss: for each kind of loss the losses and gradients shown are
// those of phase loss, and margins, factors and terms are what they are called.
func TestExplainEveryLoss(t *testing.T) {
	t.Chdir("testdata/oracle")
	grad := filepath.Join(t.TempDir(), "g.npy")
	h := put(t, []float64{1, 2, 0, 3, .5, 0, 1, 1, 2, 0, 0, .1, 4, 1}, 7, 2)
	counts := []float64{90, 40, 12, 5, 2}
	for _, k := range variants(phase.Losses) {
		base, _ := phase.Losses.Find(strings.TrimSuffix(k.Name, "-"+fmt.Sprint(parameters(k)["form"])))
		files := []string{"--logits", "z64.npy", "--labels", "y_int8.npy", "--weights", "w.npy", "--reduction", "mean"}
		if base.Name != k.Name {
			files = append(files, "--form", fmt.Sprint(parameters(k)["form"]))
		}
		if phase.UsesCounts(k.Of) {
			files = append(files, "--counts", "90,40,12,5,2")
		}
		args, oracle := slices.Concat([]string{"explain", "--method", "ce", "--loss", base.Name, "--samples", "7"}, files), slices.Concat([]string{"loss", "--kind", base.Name, "--grad", grad}, files)
		if phase.UsesFeatures(k.Of) {
			args, oracle = append(args, "--features", h), append(oracle, "--hidden", h)
		}
		var x explained
		var l lossJSON
		succeedJSON(t, &x, args...)
		succeedJSON(t, &l, oracle...)
		slope, err := npy.ReadFile(grad)
		if err != nil {
			t.Fatal(err)
		}
		scale := 1.0
		if c, ok := k.Of.(phase.CosineUser); ok { // whose gradient phase loss gives by the cosines
			scale = c.CosineScale()
		}
		if len(x.Stage1.Samples) != 7 || x.Stage1.Kind != base.Name || len(x.Stage1.Parameters) != len(k.Params()) {
			t.Fatalf("%s: %+v", k.Name, x.Stage1)
		}
		wantNear(t, k.Name+": reduced", []float64{x.Stage1.Reduced}, []float64{*l.Loss}, 1e-12, 0)
		wantNear(t, k.Name+": per sample", x.Stage1.PerSample, l.PerSample, 1e-12, 0)
		_, margin := k.Of.(phase.Margin)
		_, softmax := k.Of.(phase.Softmax)
		for i, s := range x.Stage1.Samples {
			var logits, adjusted []float64
			terms := 0.0
			for j, c := range s.Classes {
				logits = append(logits, c.Logit)
				if got := c.Gradient * s.Weight / 7 * scale; !near(got, tensor.Values(slope)[i*5+j], 1e-11, 1e-9) {
					t.Errorf("%s: sample %d class %d: gradient %g, phase loss has %g", k.Name, i, j, got, tensor.Values(slope)[i*5+j])
				}
				if !near(c.Gradient, c.Quotient, 1e-6, 1e-3*math.Abs(s.Loss)) {
					t.Errorf("%s: sample %d class %d: gradient %g, quotient %g", k.Name, i, j, c.Gradient, c.Quotient)
				}
				if (c.Adjusted != nil) != margin || (c.Term != nil) != (margin || softmax) {
					t.Fatalf("%s: class %+v", k.Name, c)
				}
				if margin {
					adjusted = append(adjusted, *c.Adjusted)
				}
				if c.Term != nil {
					terms += *c.Term
				}
			}
			if want := logSumExp(logits, nil) - logits[s.Label]; !near(s.CrossEntropy, want, 1e-12, 1e-3) {
				t.Errorf("%s: sample %d: cross-entropy %g, want %g", k.Name, i, s.CrossEntropy, want)
			}
			if margin && !near(s.Loss, logSumExp(adjusted, nil)-adjusted[s.Label], 1e-12, 1e-3) || (margin || softmax) && !near(terms, s.Loss, 1e-12, 1e-9) {
				t.Errorf("%s: sample %d: loss %g, terms add up to %g, adjusted logits %v", k.Name, i, s.Loss, terms, adjusted)
			}
			if k.Name == "balanced-softmax" && !near(adjusted[1]-logits[1], math.Log(counts[1]), 1e-12, 0) {
				t.Errorf("sample %d: logit 1 of %g becomes %g", i, logits[1], adjusted[1])
			}
		}
		for line := range strings.Lines(succeed(t, args...)) {
			if len([]rune(strings.TrimRight(line, "\n"))) > 80 {
				t.Errorf("%s: more than 80 columns: %s", k.Name, line)
			}
		}
	}
	refuse(t, exitUsage, []string{"--counts"}, "explain", "--loss", "vs", "--logits", "z64.npy", "--labels", "y_int8.npy")
	refuse(t, exitUsage, []string{"--counts: class 1"}, "explain", "--loss", "vs", "--counts", "1,0,1,1,1", "--logits", "z64.npy", "--labels", "y_int8.npy")
	refuse(t, exitFailed, []string{"--counts: 2 classes for the 5"}, "explain", "--loss", "vs", "--counts", "1,1", "--logits", "z64.npy", "--labels", "y_int8.npy")
	refuse(t, exitUsage, []string{"--features"}, "explain", "--loss", "ib", "--counts", "1,1,1,1,1", "--logits", "z64.npy", "--labels", "y_int8.npy")
	refuse(t, exitUsage, []string{"--counts goes with --logits"}, "explain", "--example", "--counts", "1,1,1,1")
}

// TestExplainStage2: any weighting, and stage 2's own loss, with weights and
// without.
func TestExplainStage2(t *testing.T) {
	t.Chdir("testdata/oracle")
	z := put(t, slices.Repeat([]float64{.5, -1, 0, 2, 1, .3}, 71), 71, 6)
	files := []string{"--logits", z, "--labels", "labels.npy", "--features", "f64.npy", "--counts", "40,17,8,3,2,1"}
	for _, k := range phase.Weightings.All() {
		var x explained
		succeedJSON(t, &x, slices.Concat([]string{"explain", "--method", "ce", "--stage2-weights", k.Name, "--stage2-loss", "las"}, files)...)
		args := []string{"weights", "--kind", k.Name, "--labels", "labels.npy"}
		if phase.UsesFeatures(k.Of) {
			args = append(args, "--features", "f64.npy", "--seed", "1")
		}
		var w weightsJSON
		succeedJSON(t, &w, args...)
		var l lossJSON
		succeedJSON(t, &l, "loss", "--kind", "las", "--logits", z, "--labels", "labels.npy", "--counts", "40,17,8,3,2,1")
		if x.Stage2 == nil || x.Stage2.Kind != k.Name || len(x.Stage2.Parameters) != len(k.Params()) || x.Stage2.Batch == nil || x.Stage2.Batch.Kind != "las" {
			t.Fatalf("%s: %+v", k.Name, x.Stage2)
		}
		for j, c := range x.Stage2.Classes {
			if !near(float64(c.Weight), w.Class[j], 1e-12, 0) {
				t.Errorf("%s: class %d weighs %g, want %g", k.Name, j, float64(c.Weight), w.Class[j])
			}
		}
		for i, v := range x.Stage2.Batch.PerSample {
			if !near(v, w.Sample[i]*l.PerSample[i], 1e-11, 0) {
				t.Errorf("%s: sample %d costs %g, its weight is %g and its loss %g", k.Name, i, v, w.Sample[i], l.PerSample[i])
			}
		}
	}
	var x explained
	succeedJSON(t, &x, slices.Concat([]string{"explain", "--method", "ce", "--stage2-loss", "las"}, files)...)
	if x.Stage2 == nil || x.Stage2.Kind != "none" || x.Stage2.Classes != nil || x.Stage2.Batch == nil || x.Stage2.Batch.Kind != "las" || x.Stage1.Kind != "ce" {
		t.Errorf("without weights: %+v", x.Stage2)
	}
}

// TestExplainSeesWrongGradient: the difference that explain reports is not of
// its own making.
func TestExplainSeesWrongGradient(t *testing.T) {
	s := explainedSample{Loss: 1, Classes: []explainedClass{{Gradient: .5, Quotient: .5}, {Gradient: -.5, Quotient: -.49}}}
	if d := difference(s); !near(d, .02, 1e-9, 0) {
		t.Errorf("difference %g, want 0.02", d)
	}
}

// TestExplainWeights: what stage 2 shows multiplies and adds up to what phase
// weights computes from the same features.
func TestExplainWeights(t *testing.T) {
	t.Chdir("testdata/oracle")
	n := 71
	z := make([]float64, n*6)
	for i := range z {
		z[i] = math.Sin(float64(i))
	}
	logits := put(t, z, n, 6)
	for _, local := range []string{"area-shift", "area", "shift", "clamp", "abs", "rms"} {
		var x explained
		succeedJSON(t, &x, "explain", "--logits", logits, "--labels", "labels.npy", "--features", "f64.npy", "--samples", "40", "--class", "0", "--local", local, "--block", "16")
		var w weightsJSON
		succeedJSON(t, &w, "weights", "--kind", "msr", "--labels", "labels.npy", "--features", "f64.npy", "--local", local, "--block", "16", "--seed", "1")
		if x.Stage2 == nil || len(x.Stage2.Samples) != 40 || len(x.Stage2.Classes) != 6 {
			t.Fatalf("%s: %+v", local, x.Stage2)
		}
		for j, c := range x.Stage2.Classes {
			if !near(float64(c.Weight), w.Class[j], 1e-12, 0) {
				t.Errorf("%s: class %d weighs %g, want %g", local, j, c.Weight, w.Class[j])
			}
		}
		c := x.Stage2.Classes[0]
		for _, s := range x.Stage2.Samples {
			if !near(float64(s.Weight), w.Sample[s.Index], 1e-12, 0) || !near(float64(s.Weight), float64(.8**c.Global+.2**s.Local), 1e-12, 0) {
				t.Errorf("%s: sample %d weighs %g, want %g", local, s.Index, s.Weight, w.Sample[s.Index])
			}
			if local == "area-shift" && (!near(float64(*s.Local), float64(*c.Of**s.Shape), 1e-12, 0) || !near(float64(*s.Shift), 2/(1+float64(*s.Mean)), 1e-12, 0)) {
				t.Errorf("sample %d: w^e %g, w^A %g, q/mean %g, q %g, m %g", s.Index, *s.Local, *c.Of, *s.Shape, *s.Shift, *s.Mean)
			}
		}
		if b := x.Stage2.Batch; b == nil || !near(b.Weights[3], w.Sample[3], 1e-12, 0) {
			t.Errorf("%s: the batch does not have stage 2's weights", local)
		}
	}
}

// TestTermsFarApart: terms add up to the loss however sure the model is.
func TestTermsFarApart(t *testing.T) {
	for _, far := range []float64{0, 1, 30, 40, 700, 1e4} {
		for y := range 3 {
			logits := tensor.Of([]float64{far, 0, -1}, 1, 3)
			for _, form := range []kernels.Form{kernels.ASL, kernels.Eq3, kernels.Eq1} {
				l := phase.DAW
				l.Form = form
				want := tensor.Values(autograd.SoftmaxLoss(autograd.Const(logits), tensor.Of([]int64{int64(y)}, 1), ones(1), l).Value)[0]
				got := 0.0
				for _, term := range lossTerms(l, tensor.Values(autograd.LogSoftmax(autograd.Const(logits)).Value), y) {
					got += term.Term
				}
				if !near(got, want, 1e-9, 1e-300) {
					t.Errorf("logit %g, label %d, form %d: terms add up to %g, the loss is %g", far, y, form, got, want)
				}
			}
		}
	}
	z, y := put(t, []float64{1000, 0}, 1, 2), put(t, []int64{1}, 1)
	succeed(t, "explain", "--logits", z, "--labels", y, "--form", "eq1")
	refuse(t, exitFailed, []string{"too far apart"}, "explain", "--logits", z, "--labels", y, "--form", "eq1", "--detach")
}

// TestExplainData: without flags the batch goes from the most frequent class to
// the rarest, each sample is of its class, and the text fits 80 columns.
func TestExplainData(t *testing.T) {
	var x explained
	args := []string{"explain", "--limit", "300", "--width", "4"}
	succeedJSON(t, &x, args...)
	if x.Stage2 == nil || len(x.Stage1.Samples) != 3 || x.Stage2.Kind != "msr" {
		t.Fatalf("%+v", x)
	}
	n := 0
	var counts []int
	for _, c := range x.Stage2.Classes {
		counts = append(counts, c.Count)
		n += c.Count
	}
	var labels []int
	for k, s := range x.Stage1.Samples {
		labels = append(labels, s.Label)
		at := 0 // the subset lies class by class
		for j := range s.Label {
			at += counts[j]
		}
		if s.Index < at || s.Index >= at+counts[s.Label] || s.Name != x.Stage2.Classes[s.Label].Name {
			t.Errorf("sample %d of class %d %s is number %d of %v", k, s.Label, s.Name, s.Index, counts)
		}
		if len(s.Classes) != 10 || s.Loss <= 0 || s.Loss > 10 {
			t.Errorf("sample %d: %d classes, loss %g", k, len(s.Classes), s.Loss)
		}
	}
	if labels[0] != slices.Index(counts, slices.Max(counts)) || counts[labels[2]] != slices.Min(counts) || counts[labels[1]] >= counts[labels[0]] || counts[labels[1]] <= counts[labels[2]] {
		t.Errorf("classes %v of %v: want a frequent, a middling and a rare one", labels, counts)
	}
	if n < 250 || n > 350 {
		t.Errorf("%d samples in stage 2 with --limit 300", n)
	}
	out := succeed(t, args...)
	for line := range strings.Lines(out) {
		if len([]rune(strings.TrimRight(line, "\n"))) > 80 {
			t.Errorf("more than 80 columns: %s", line)
		}
	}
	if again := succeed(t, append(args, "--threads", "1")...); again != out {
		t.Error("one thread prints other numbers")
	}
	if other := succeed(t, append(args, "--seed", "2")...); other == out {
		t.Error("another seed gives the same model")
	}
	var more explained
	succeedJSON(t, &more, "explain", "--limit", "30", "--width", "2", "--samples", "100", "--method", "cb")
	if m := len(more.Stage1.Samples); m < 20 || m > 40 || more.Stage2 != nil {
		t.Errorf("%d of about 30 samples, stage 2 %v", m, more.Stage2)
	}
	seen := map[int]bool{}
	for _, s := range more.Stage1.Samples {
		if seen[s.Index] {
			t.Errorf("sample %d twice", s.Index)
		}
		seen[s.Index] = true
	}
	if w := more.Stage1.Samples; w[0].Weight >= w[len(w)-1].Weight {
		t.Errorf("effective weights %g and %g: want the rare class to weigh more", w[0].Weight, w[len(w)-1].Weight)
	}
}

// TestExplainRun: a trained model's loss on its own data, with the settings of
// the run unless flags say otherwise.
func TestExplainRun(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "run")
	trainQuick(t, dir, "--gamma-neg", "3")
	var x, y explained
	succeedJSON(t, &x, "explain", "--run", dir)
	if x.Stage1.Loss.GammaNeg != 3 || x.Method != "phase" || !strings.Contains(x.Source, dir) || x.Stage2 == nil {
		t.Errorf("%+v", x.Stage1.Loss)
	}
	succeedJSON(t, &y, "explain", "--run", dir, "--form", "eq3", "--alpha", "1", "--samples", "1")
	if y.Stage1.Loss.Form != "eq3" || y.Stage1.Loss.GammaNeg != 3 || len(y.Stage1.Samples) != 1 {
		t.Errorf("%+v", y.Stage1)
	}
	for j, c := range y.Stage2.Classes {
		if !near(float64(c.Weight), float64(*c.Global), 1e-12, 0) {
			t.Errorf("alpha 1: class %d weighs %g, want its global weight %g", j, c.Weight, *c.Global)
		}
	}
	if a, b := x.Stage1.Samples[0].Classes[0].Logit, y.Stage1.Samples[0].Classes[0].Logit; a != b {
		t.Errorf("the same sample has the logits %g and %g", a, b)
	}
	refuse(t, exitFailed, []string{"no run directory"}, "explain", "--run", t.TempDir())
	refuse(t, exitFailed, []string{"nowhere"}, "explain", "--run", "nowhere")
	refuse(t, exitUsage, []string{"--data has no meaning with --run"}, "explain", "--run", dir, "--data", "fashion")
}
