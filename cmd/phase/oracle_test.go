package main

import (
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"phase/phase"
	"phase/tensor"
	"phase/tensor/npy"
)

// lossJSON is what phase loss prints.
type lossJSON struct {
	Schema    int
	Kind      string
	Loss      *float64
	PerSample []float64 `json:"per_sample"`
}

// weightsJSON is what phase weights prints.
type weightsJSON struct {
	Schema                      int
	Kind                        string
	Class, Sample, Means, Areas []float64
	Local                       []*float64
	NonPositive                 int `json:"non_positive"`
}

// goldens are what make_oracle.py wrote.
type goldens struct {
	Losses []struct {
		Args      []string
		Logits    string
		Weighted  bool
		Loss      *float64
		PerSample []float64 `json:"per_sample"`
		Grad      []float64
	}
	Weights []struct {
		Args          []string
		Features      *string
		Class, Sample []float64
	}
}

func readGoldens(t *testing.T) (g goldens) {
	b, err := os.ReadFile("testdata/oracle/oracle.json")
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(b, &g); err != nil {
		t.Fatal(err)
	}
	return g
}

func TestLossEqualsPyTorch(t *testing.T) {
	g := readGoldens(t)
	t.Chdir("testdata/oracle")
	labels := []string{"int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64"}
	grad := filepath.Join(t.TempDir(), "g.npy")
	for i, c := range g.Losses {
		args := append([]string{"loss", "--logits", c.Logits, "--labels", "y_" + labels[i%len(labels)] + ".npy", "--grad", grad}, c.Args...)
		if c.Weighted {
			args = append(args, "--weights", "w.npy")
		}
		var got lossJSON
		succeedJSON(t, &got, args...)
		what := strings.Join(args, " ")
		if (got.Loss == nil) != (c.Loss == nil) {
			t.Fatalf("%s: loss %v, want %v", what, got.Loss, c.Loss)
		}
		if c.Loss != nil {
			wantNear(t, what, []float64{*got.Loss}, []float64{*c.Loss}, 1e-9, 0)
		}
		wantNear(t, what, got.PerSample, c.PerSample, 1e-9, 0)
		read, err := npy.ReadFile(grad)
		if err != nil {
			t.Fatal(err)
		}
		if read.DType() != tensor.F64 || !read.Shape().Equal(tensor.Shape{7, 5}) {
			t.Fatalf("%s: gradient is %v %v", what, read.DType(), read.Shape())
		}
		wantNear(t, what+": gradient", tensor.Values(read), c.Grad, 1e-9, 1e-6)
	}
	if len(g.Losses) < 200 {
		t.Fatalf("%d golden losses only", len(g.Losses))
	}
}

func TestWeightsEqualNumPy(t *testing.T) {
	g := readGoldens(t)
	t.Chdir("testdata/oracle")
	out := filepath.Join(t.TempDir(), "w.npy")
	for _, c := range g.Weights {
		args := append([]string{"weights", "--out", out}, c.Args...)
		if c.Features != nil {
			args = append(args, "--features", *c.Features)
		}
		var got weightsJSON
		succeedJSON(t, &got, args...)
		what := strings.Join(args, " ")
		wantNear(t, what+": class", got.Class, c.Class, 1e-9, 0)
		wantNear(t, what+": sample", got.Sample, c.Sample, 1e-9, 0)
		read, err := npy.ReadFile(out)
		if err != nil {
			t.Fatal(err)
		}
		want := c.Sample
		if want == nil {
			want = c.Class
		}
		if read.DType() != tensor.F64 || read.Dims() != 1 {
			t.Fatalf("%s: weights are %v %v", what, read.DType(), read.Shape())
		}
		wantNear(t, what+": file", tensor.Values(read), want, 1e-9, 0)
	}
	if len(g.Weights) < 40 {
		t.Fatalf("%d golden weights only", len(g.Weights))
	}
}

// methodGoldens are what phase/methods/testdata/make_methods.py wrote: each kind
// of loss and weighting, and each of its parameters changed.
type methodGoldens struct {
	Logits, Cosines, Hidden, Weights []float64
	Labels, Owner                    []int64
	Counts                           []int
	Losses                           []struct {
		Kind       string
		Params     map[string]string
		Each, Grad []float64
	}
	Features   []float64
	Weightings []struct {
		Kind          string
		Params        map[string]string
		Class, Sample []float64
	}
}

// flagsOf is a kind and its parameters as flags.
func flagsOf(name string, params map[string]string) []string {
	args := []string{"--kind", name}
	for _, p := range slices.Sorted(maps.Keys(params)) {
		args = append(args, "--"+p+"="+params[p])
	}
	return args
}

// TestEveryKind: the commands know every kind and every parameter by its flag,
// and compute what PyTorch and NumPy do.
func TestEveryKind(t *testing.T) {
	b, err := os.ReadFile("../../phase/methods/testdata/methods.json")
	var g methodGoldens
	if err == nil {
		err = json.Unmarshal(b, &g)
	}
	if err != nil {
		t.Fatal(err)
	}
	n := len(g.Labels)
	classes := len(g.Logits) / n
	z, cosines, h := put(t, g.Logits, n, classes), put(t, g.Cosines, n, classes), put(t, g.Hidden, n, len(g.Hidden)/n)
	y, w := put(t, g.Labels, n), put(t, g.Weights, n)
	counts := strings.Trim(strings.ReplaceAll(fmt.Sprint(g.Counts), " ", ","), "[]")
	grad := filepath.Join(t.TempDir(), "g.npy")
	seen := map[string]bool{}
	for _, c := range g.Losses {
		k, err := phase.Losses.Find(c.Kind)
		if err != nil {
			t.Fatal(err)
		}
		seen[c.Kind] = true
		args := append([]string{"loss", "--labels", y, "--weights", w, "--reduction", "sum", "--grad", grad, "-q"}, flagsOf(c.Kind, c.Params)...)
		if _, ok := k.Of.(phase.CosineUser); ok {
			args = append(args, "--logits", cosines)
		} else {
			args = append(args, "--logits", z)
		}
		if phase.UsesCounts(k.Of) {
			args = append(args, "--counts", counts)
		}
		if phase.UsesFeatures(k.Of) {
			args = append(args, "--hidden", h)
		}
		var got lossJSON
		succeedJSON(t, &got, args...)
		what := strings.Join(flagsOf(c.Kind, c.Params), " ")
		sum := 0.0
		for _, v := range c.Each {
			sum += v
		}
		wantNear(t, what, got.PerSample, c.Each, 1e-9, 1e-6)
		wantNear(t, what+": sum", []float64{*got.Loss}, []float64{sum}, 1e-9, 0)
		read, err := npy.ReadFile(grad)
		if err != nil {
			t.Fatal(err)
		}
		wantNear(t, what+": gradient", tensor.Values(read), c.Grad, 1e-9, 1e-4)
	}
	owner, f := put(t, g.Owner, len(g.Owner)), put(t, g.Features, len(g.Owner), len(g.Features)/len(g.Owner))
	for _, c := range g.Weightings {
		k, err := phase.Weightings.Find(c.Kind)
		if err != nil {
			t.Fatal(err)
		}
		seen[c.Kind] = true
		args := append([]string{"weights", "--labels", owner}, flagsOf(c.Kind, c.Params)...)
		if phase.UsesFeatures(k.Of) {
			args = append(args, "--features", f)
		}
		if c.Sample == nil {
			refuse(t, exitFailed, nil, args...)
			continue
		}
		var got weightsJSON
		succeedJSON(t, &got, args...)
		wantNear(t, strings.Join(args, " ")+": class", got.Class, c.Class, 1e-9, 0)
		wantNear(t, strings.Join(args, " ")+": sample", got.Sample, c.Sample, 1e-9, 0)
	}
	for _, name := range append(phase.Losses.Names(), phase.Weightings.Names()...) {
		if !seen[name] {
			t.Errorf("no golden values of %s", name)
		}
	}
}

// TestLossVectors holds the command to values worked out in float64 from the
// closed form for z = (2, -1, .5, 0), y = 2.
func TestLossVectors(t *testing.T) {
	z, y := put(t, []float64{2, -1, .5, 0}, 1, 4), put(t, []int64{2}, 1)
	ce := []float64{.71009992, .03535379, -.84155529, .09610157}
	grad := filepath.Join(t.TempDir(), "g.npy")
	for _, c := range []struct {
		args string
		loss float64
		grad []float64 // nil: not known
	}{
		{"--kind ce", 1.8423495824, ce},
		{"--kind daw --gamma-pos 0 --gamma-neg 0 --smooth 0", 1.8423495824, ce},
		{"--kind label-smoothing", 1.8548495824, []float64{.68509992, .01035379, -.76655529, .07110157}},
		{"--kind daw --gamma-pos 0 --gamma-neg 0", 1.8548495824, []float64{.68509992, .01035379, -.76655529, .07110157}},
		{"--kind daw --gamma-pos 0 --smooth 0 -q", 1.8423495824, ce},
		{"--kind daw --gamma-pos 0", 1.7063546332, []float64{.65751012, .03261908, -.77881359, .08868439}},
		{"--kind daw --gamma-pos 0 --form eq3", 1.8156784889, []float64{.70317899, .00279279, -.76792800, .06195622}},
		{"--kind daw", 1.4363373796, []float64{.74517614, .03698371, -.88270855, .10054869}},
		{"--kind daw --form eq3", 1.5456612353, []float64{.79084501, .00715742, -.87182297, .07382053}},
		{"--kind daw --gamma-pos 2 --gamma-neg 2", 1.2118825962, []float64{.78602167, .03950923, -.93329604, .10776513}},
		{"--kind focal", 1.5504390380, nil},
		{"--kind focal --gamma-pos 2", 1.3047801750, nil},
		{"--kind daw --form eq1 --gamma-pos 0 --gamma-neg 0", 3.2176007153, nil},
		{"--kind daw --form eq1 --gamma-pos 0", 2.1571876828, nil},
		{"--kind daw --form eq1", 1.8652771383, nil},
		{"--kind daw --form eq1 --gamma-pos 2 --gamma-neg 2", 1.9301201940, nil},
		{"--kind cb --counts 100,50,10,5", 2.2329135473, nil},
		{"--kind cb-focal --counts 100,50,10,5", 1.8791202090, nil},
		{"--kind cb-focal --form ldam --counts 100,50,10,5", 1.9935103885, nil},
		{"--kind balanced-softmax --counts 100,50,10,5", 3.8551522243, nil},
		{"--kind logit-adjust --tau .5 --counts 100,50,10,5", 2.7788292953, nil},
		{"--kind las --counts 100,50,10,5", 1.8579463078, nil},
	} {
		var got lossJSON
		succeedJSON(t, &got, append([]string{"loss", "--logits", z, "--labels", y, "--grad", grad}, strings.Fields(c.args)...)...)
		if math.Abs(*got.Loss-c.loss) > 6e-11 {
			t.Errorf("%s: %.12f, want %.10f", c.args, *got.Loss, c.loss)
		}
		read, err := npy.ReadFile(grad)
		if err != nil {
			t.Fatal(err)
		}
		sum := 0.0
		for i, v := range tensor.Values(read) {
			sum += v
			if c.grad != nil && math.Abs(v-c.grad[i]) > 6e-9 {
				t.Errorf("%s: gradient %d is %.10f, want %.8f", c.args, i, v, c.grad[i])
			}
		}
		if math.Abs(sum) > 1e-14 {
			t.Errorf("%s: the gradient adds up to %g, want 0", c.args, sum)
		}
	}
	var got lossJSON
	succeedJSON(t, &got, "loss", "--logits", z, "--labels", y, "--grad", grad, "--kind", "daw", "--detach")
	read, err := npy.ReadFile(grad)
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []float64{.550928, .027746, -.654092, .075418} {
		if v := tensor.Values(read)[i]; math.Abs(v-want) > 6e-7 {
			t.Errorf("detached gradient %d is %.8f, want %.6f", i, v, want)
		}
	}
}

// TestWeightVectors holds the command to the worked example of one class with
// features (1,0), (0,1), (-1,0), (3,3), and to the class weights of 100, 50, 10
// and 5 images.
func TestWeightVectors(t *testing.T) {
	f, y := put(t, []float64{1, 0, 0, 1, -1, 0, 3, 3}, 4, 2), put(t, []int64{0, 0, 0, 0}, 4)
	q := []float64{1.75248139, 1.63991615, 1.55025572, 2.84617827}
	m := []float64{.14123894, .21957455, .29010973, -.29730333}
	var got weightsJSON
	msr := func(args ...string) weightsJSON {
		got = weightsJSON{}
		succeedJSON(t, &got, append([]string{"weights", "--kind", "msr", "--alpha", "0", "--labels", y, "--features", f}, args...)...)
		return got
	}
	check := func(what string, got, want []float64) {
		t.Helper()
		for i := range want {
			if math.Abs(got[i]-want[i]) > 6e-9 {
				t.Errorf("%s %d is %.10f, want %.8f", what, i, got[i], want[i])
			}
		}
	}
	check("shift", msr("--local", "shift").Sample, q)
	check("m", got.Means, m)
	check("area-shift", msr().Sample, []float64{.89999707, .84218853, .79614290, 1.46167150})
	check("area", got.Areas, []float64{11.31158090})
	check("abs", msr("--local", "abs").Sample, []float64{2.02374315, 1.39948803, 1.28306354, 1.25422780})
	o := invoke(t, "weights", "--kind", "msr", "--alpha", "0", "--labels", y, "--features", f, "--local", "literal", "--force", "--json")
	got = weightsJSON{}
	if err := json.Unmarshal([]byte(o.out), &got); err != nil || o.code != 0 || !strings.Contains(o.err, "1 of 4 weights") {
		t.Fatal(o, err)
	}
	for i, want := range []float64{7.0802, 4.5543, 3.4470, -3.3636} {
		if math.Abs(got.Sample[i]-want) > 6e-5 {
			t.Errorf("literal %d is %.6f, want %.4f", i, got.Sample[i], want)
		}
	}
	for _, c := range []struct {
		args string
		want []float64
	}{
		{"--kind effective", []float64{.121745, .242884, 1.211992, 2.423379}},
		{"--kind effective --beta .99", []float64{.180418, .289572, 1.196212, 2.333798}},
		{"--kind adrw --gamma .25", []float64{.657654, .782086, 1.169492, 1.390768}},
		{"--kind adrw", []float64{.121212, .242424, 1.212121, 2.424242}},
		{"--kind inverse", []float64{.121212, .242424, 1.212121, 2.424242}},
	} {
		got = weightsJSON{}
		succeedJSON(t, &got, append([]string{"weights", "--counts", "100,50,10,5"}, strings.Fields(c.args)...)...)
		if got.Sample != nil {
			t.Errorf("%s: samples %v from counts alone, want null", c.args, got.Sample)
		}
		for i, want := range c.want {
			if math.Abs(got.Class[i]-want) > 6e-7 {
				t.Errorf("%s: class %d weighs %.8f, want %.6f", c.args, i, got.Class[i], want)
			}
		}
	}
}

// TestLiteralInfinite: a class of two has m = 0, and 1/m is no JSON number.
func TestLiteralInfinite(t *testing.T) {
	f, y := put(t, []float64{1, 2, 0, 5}, 2, 2), put(t, []int64{0, 0}, 2)
	o := invoke(t, "weights", "--kind", "msr", "--local", "literal", "--force", "--labels", y, "--features", f, "--json", "-q")
	var got struct{ Local []*float64 }
	if err := json.Unmarshal([]byte(o.out), &got); err != nil || o.code != 0 || len(got.Local) != 2 {
		t.Fatal(o, err)
	}
	for i, v := range got.Local {
		if v != nil && math.Abs(*v) < 1e12 {
			t.Errorf("local weight %d of a class of two is %v", i, *v)
		}
	}
}

// TestGradcheckCovers: every op with a derivative, loss and module is a subject,
// and a wrong gradient is found.
func TestGradcheckCovers(t *testing.T) {
	var got struct {
		Failed int
		Checks []checked
	}
	succeedJSON(t, &got, "gradcheck")
	seen := map[string]bool{}
	for _, c := range got.Checks {
		if seen[c.Name] {
			t.Errorf("%s twice", c.Name)
		}
		seen[c.Name] = true
		if !c.Passed || c.Entries < 6 || !(c.Error < 1e-6) {
			t.Errorf("%+v", c)
		}
	}
	var losses []string
	for _, name := range phase.Losses.Names() {
		losses = append(losses, "loss/"+name)
	}
	for _, name := range append(losses, "conv2d", "softmax_loss", "matmul", "loss/daw-eq1", "loss/daw-detach", "loss/daw-eq3-detach", "loss/cb-focal-ldam", "loss/cb-focal-sigmoid", "nn/linear", "nn/conv2d", "nn/batch-norm", "nn/batch-norm-eval", "nn/cosine-linear", "nn/basic-block", "nn/bottleneck", "nn/resnet8") {
		if !seen[name] {
			t.Errorf("%s is not checked", name)
		}
	}
	o := invoke(t, "gradcheck", "nn/resnet8", "conv2d", "--tol", "1e-15")
	if o.code != exitFailed || !strings.Contains(o.out, "FAILED") || !oneErrorLine(o.err) {
		t.Errorf("exit %d\n%s%s", o.code, o.out, o.err)
	}
}

// TestOpsListed: the table has the ops that gradcheck checks.
func TestOpsListed(t *testing.T) {
	var got struct{ Ops []opInfo }
	succeedJSON(t, &got, "ops")
	seen := map[string]bool{}
	for _, o := range got.Ops {
		seen[o.Name] = true
		if o.Name == "" || o.About == "" || o.Shapes == "" {
			t.Errorf("incomplete: %+v", o)
		}
	}
	for _, name := range []string{"conv2d", "softmax_loss", "one_hot"} {
		if !seen[name] {
			t.Errorf("%s is not listed", name)
		}
	}
}
