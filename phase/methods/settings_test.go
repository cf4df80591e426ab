package methods_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"phase/phase"
	"phase/phase/train"
	"phase/tensor"
	"phase/tensor/safetensors"
)

// run trains, and returns what came of it and where.
func run(t *testing.T, c train.Config, s *train.Source) (r *train.Result, dir string) {
	t.Helper()
	dir = filepath.Join(t.TempDir(), "run")
	r, err := train.Run(t.Context(), c, s, train.Options{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	return r, dir
}

// tensors reads a file of tensors.
func tensors(t *testing.T, path string) map[string]*tensor.Tensor {
	t.Helper()
	f, err := safetensors.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return f.Tensors
}

// The methods that the command line promises are there, and say what they are
// and who published them.
func TestPromisedMethods(t *testing.T) {
	for _, name := range strings.Fields(`phase phase-paper phase-area phase-literal ce daw msr focal label-smoothing cb cb-focal ldam ldam-drw drw area
		ib balanced-softmax logit-adjust vs vs-adrw-tla crt lws tau-norm mixup mislas`) {
		if _, err := train.FindPreset(name); err != nil {
			t.Error(err)
		}
	}
	for _, p := range train.Presets() {
		if p.Name != "ce" && !strings.Contains(p.Doc, " 20") {
			t.Errorf("%s: no year in %q", p.Name, p.Doc)
		}
	}
}

// Stage 2's weights go with every loss of stage 1, and every weighting with
// every way of stage 2.
func TestCombinations(t *testing.T) {
	type combination struct {
		method string
		given  func(c *train.Config)
	}
	all := map[string]combination{}
	for _, k := range phase.Losses.Names() {
		all["msr after "+k] = combination{"msr", func(c *train.Config) { c.Loss = k }}
	}
	for _, k := range phase.Weightings.Names() {
		all["crt with "+k] = combination{"crt", func(c *train.Config) { c.Stage2Weights = k }}
	}
	all["drw of ldam"] = combination{"drw", func(c *train.Config) { c.Loss = "ldam" }}
	all["area of vs"] = combination{"area", func(c *train.Config) { c.Loss = "vs" }}
	all["lws with balanced softmax"] = combination{"lws", func(c *train.Config) { c.Stage2Loss = "balanced-softmax" }}
	all["phase, normalized"] = combination{"phase", func(c *train.Config) { c.Posthoc, c.Calibration = "tau-norm", .2 }}
	all["phase, tempered"] = combination{"phase", func(c *train.Config) { c.Posthoc, c.Calibration = "temperature", .2 }}
	all["mean ldam"] = combination{"ldam-drw", func(c *train.Config) { c.Reduction = "mean" }}
	for _, name := range slices.Sorted(maps.Keys(all)) {
		if testing.Short() && name != "msr after ldam" {
			continue
		}
		t.Run(name, func(t *testing.T) {
			c, s := tiny(t, all[name].method, func(c *train.Config) { c.Epochs = 3; all[name].given(c) })
			if r, _ := run(t, c, s); len(r.Stages) < 2 {
				t.Errorf("stages %+v", r.Stages)
			}
		})
	}
}

// DRW of a loss keeps it, as a method of its own does.
func TestDeferredKeepsTheLoss(t *testing.T) {
	by, s := tiny(t, "drw", func(c *train.Config) { c.Loss = "ldam" })
	own, _ := tiny(t, "ldam-drw", nil)
	if by.Head != "cosine" || by.Stage2Loss != "ldam" {
		t.Errorf("drw of ldam: head %s, then %s", by.Head, by.Stage2Loss)
	}
	_, a := run(t, by, s)
	_, b := run(t, own, s)
	if !slices.Equal(tensor.Values(tensors(t, filepath.Join(a, train.ModelFile))["linear.weight"]), tensor.Values(tensors(t, filepath.Join(b, train.ModelFile))["linear.weight"])) {
		t.Error("drw of ldam is not ldam-drw")
	}
}

// What the methods stand for on CIFAR-100, as differences from cross-entropy.
func TestSettings(t *testing.T) {
	const daw = "detach false, form asl, gamma-neg 4, gamma-pos 1, loss daw, smooth 0.1"
	ce := texts(t, "ce")
	for method, want := range map[string]string{
		"focal":            "detach false, gamma-pos 1, loss focal",
		"label-smoothing":  "loss label-smoothing, smooth 0.1",
		"cs-ce":            "stage1-weights inverse",
		"cb":               "beta 0.9999, stage1-weights effective",
		"cb-focal":         "beta 0.9999, detach false, gamma-pos 1, loss focal, stage1-weights effective",
		"ldam":             "head cosine, loss ldam, margin 0.5",
		"balanced-softmax": "loss balanced-softmax",
		"logit-adjust":     "loss logit-adjust, tau 1",
		"vs":               "loss vs, tau 1, vs-gamma 0.3",
		"las":              "loss las, smooth-head 0.4, smooth-tail 0.1",

		"drw":         "beta 0.9999, freeze false, stage2-epochs 40, stage2-weights effective",
		"adrw":        "freeze false, gamma 1, stage2-epochs 40, stage2-weights adrw",
		"area":        "block 128, freeze false, recompute true, stage2-epochs 40, stage2-weights area",
		"ldam-drw":    "beta 0.9999, freeze false, head cosine, loss ldam, margin 0.5, stage2-epochs 40, stage2-loss ldam, stage2-weights effective",
		"vs-adrw":     "freeze false, gamma 0.25, loss vs, stage2-epochs 40, stage2-loss vs, stage2-weights adrw, tau 1, vs-gamma 0.3",
		"vs-adrw-tla": "freeze false, gamma 0.25, loss vs, stage2-epochs 40, stage2-loss logit-adjust, stage2-weights adrw, tau 1, vs-gamma 0.3",
		"ib":          "freeze false, gamma-pos 0, ib-alpha 1000, milestones [100,160,180], stage2-epochs 100, stage2-loss ib",

		"crt":                  "milestones [152,171], reinit true, stage2-epochs 10, stage2-lr 0.05, stage2-sampler balanced, stage2-schedule cosine",
		"lws":                  "class-scales alone, milestones [156,175], stage2-epochs 5, stage2-lr 0.05, stage2-sampler balanced, stage2-schedule cosine",
		"mislas":               "class-scales with-head, milestones [152,171], mix-alpha 1, norm-shift true, objective mixup, smooth-head 0.4, smooth-tail 0.1, stage2-epochs 10, stage2-head-rate 0.2, stage2-loss las, stage2-lr 0.1, stage2-sampler balanced, stage2-schedule cosine",
		"tau-norm":             "calibration 0.1, choose posthoc-tau=0:2:0.1, posthoc tau-norm",
		"logit-adjust-posthoc": "posthoc logit-adjust, posthoc-tau 1",

		"phase":         "alpha 0.8, block 128, detach false, form asl, gamma 1, gamma-neg 4, gamma-pos 1, local area-shift, local-clip 0, loss daw, smooth 0.1, stage2-epochs 40, stage2-weights msr",
		"phase-area":    "alpha 0.8, block 128, detach false, form asl, freeze false, gamma 1, gamma-neg 4, gamma-pos 1, local area, local-clip 0, loss daw, recompute true, smooth 0.1, stage2-epochs 40, stage2-weights msr",
		"phase-literal": "alpha 0.8, block 128, detach false, form eq3, gamma 1, gamma-neg 4, gamma-pos 1, local clamp, local-clip 0, loss daw, reduction mean, smooth 0.1, stage2-epochs 40, stage2-weights msr",
		"msr":           "alpha 0.8, block 128, gamma 1, local area-shift, local-clip 0, stage2-epochs 40, stage2-weights msr",
		"daw":           daw,
		"daw-drw":       "beta 0.9999, " + strings.Replace(daw, "gamma-neg", "freeze false, gamma-neg", 1) + ", stage2-epochs 40, stage2-weights effective",
		"daw-area":      "block 128, " + strings.Replace(strings.Replace(daw, "gamma-neg", "freeze false, gamma-neg", 1), "smooth", "recompute true, smooth", 1) + ", stage2-epochs 40, stage2-weights area",
	} {
		var differ []string
		is := texts(t, method)
		for _, name := range slices.Sorted(maps.Keys(is)) {
			if name != "method" && is[name] != ce[name] {
				differ = append(differ, name+" "+is[name])
			}
		}
		if got := strings.Join(differ, ", "); got != want {
			t.Errorf("%s: %s\nwant %s", method, got, want)
		}
	}
}

// texts are the settings of a method on CIFAR-100, by name.
func texts(t *testing.T, method string) map[string]string {
	t.Helper()
	c, err := train.Defaults(method, "cifar100")
	if err == nil {
		err = c.Resolve()
	}
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]string{}
	c.Fields(func(name, _, _ string, value any) {
		if p, ok := value.(interface{ Value() any }); !ok || p.Value() != nil {
			text, err := json.Marshal(value)
			if err != nil {
				t.Fatal(err)
			}
			all[name] = strings.Trim(string(text), `"`)
		}
	})
	return all
}

// The presets' learning rates on CIFAR are their authors', by epoch, and so is
// the length of stage 2; other numbers of epochs are no obstacle.
func TestSchedules(t *testing.T) {
	half := .5 * (1 + math.Cos(math.Pi/2))
	for _, c := range []struct {
		method string
		data   string
		stage2 int
		rates  map[int]float64 // by epoch, from 0
	}{
		{"drw", "cifar100", 40, map[int]float64{4: .1, 159: .1, 160: 1e-3, 180: 1e-5}},
		{"ib", "cifar100", 100, map[int]float64{4: .1, 99: .1, 100: 1e-3, 160: 1e-5, 180: 1e-7}},
		{"crt", "cifar100", 10, map[int]float64{151: .1, 189: 1e-5, 190: .05, 195: .05 * half}},
		{"lws", "cifar100", 5, map[int]float64{194: 1e-5, 195: .05}},
		{"mislas", "cifar100", 10, map[int]float64{190: .1, 195: .1 * half}},
		{"crt", "fashion", 10, map[int]float64{29: 1e-3, 30: .025}},
		{"lws", "fashion", 5, map[int]float64{34: 1e-3, 35: .025}},
		{"ib", "fashion", 20, map[int]float64{19: .1, 20: 1e-3, 32: 1e-5}},
		{"vs-adrw", "fashion", 12, map[int]float64{27: .1, 28: .01}},
	} {
		x, err := train.Defaults(c.method, c.data)
		if err == nil {
			err = x.Resolve()
		}
		if err != nil {
			t.Fatal(err)
		}
		if x.Stage2Epochs != c.stage2 {
			t.Errorf("%s on %s: stage 2 has %d epochs, want %d", c.method, c.data, x.Stage2Epochs, c.stage2)
		}
		for epoch, want := range c.rates {
			if got := x.LearningRate(epoch); math.Abs(got-want) > 1e-9*want {
				t.Errorf("%s on %s: epoch %d has rate %g, want %g", c.method, c.data, epoch, got, want)
			}
		}
	}
	for _, epochs := range []int{2, 3, 5, 8, 30, 90} {
		for _, p := range train.Presets() {
			c := train.Recipe("cifar10")
			c.Epochs = epochs
			c, err := c.For(p.Name)
			if err == nil {
				err = c.Resolve()
			}
			if err != nil {
				t.Errorf("%s of %d epochs: %v", p.Name, epochs, err)
			}
		}
	}
}

// Decoupled methods and those after training leave each number of the extractor
// as stage 1 left it; only MiSLAS moves the statistics of norms.
func TestExtractorStays(t *testing.T) {
	for method, moves := range map[string]string{"crt": "linear.", "lws": "linear.", "tau-norm": "linear.", "logit-adjust-posthoc": "linear.bias", "mislas": "linear. running_"} {
		c, s := tiny(t, method, func(c *train.Config) {
			if method == "tau-norm" {
				c.Use("posthoc-tau", 1)
			}
		})
		_, dir := run(t, c, s)
		before := tensors(t, filepath.Join(dir, train.CheckpointFile))
		if c.Stage2Epochs > 0 {
			before = tensors(t, filepath.Join(dir, fmt.Sprintf("epoch-%d.safetensors", c.Epochs-c.Stage2Epochs)))
		}
		for name, after := range tensors(t, filepath.Join(dir, train.ModelFile)) {
			if strings.HasSuffix(name, "num_batches_tracked") {
				continue
			}
			may := slices.ContainsFunc(strings.Fields(moves), func(part string) bool { return strings.Contains(name, part) })
			if moved := !slices.Equal(tensor.Values(before["model."+name]), tensor.Values(after)); moved != may {
				t.Errorf("%s: %s moved: %v, want %v", method, name, moved, may)
			}
		}
	}
}

// LWS with equal factors predicts as before: it begins with ones, and without a
// learning rate stays there.
func TestLWSBeginsWithOnes(t *testing.T) {
	c, s := tiny(t, "lws", func(c *train.Config) { c.Stage2LR = 1e-30 })
	r, dir := run(t, c, s)
	before, after := tensors(t, filepath.Join(dir, fmt.Sprintf("epoch-%d.safetensors", c.Epochs-c.Stage2Epochs))), tensors(t, filepath.Join(dir, train.ModelFile))
	if !slices.Equal(tensor.Values(before["model.linear.weight"]), tensor.Values(after["linear.weight"])) || r.Stages[0].Accuracy.Overall != r.Stages[1].Accuracy.Overall {
		t.Errorf("from %v to %v", r.Stages[0].Accuracy.Overall, r.Stages[1].Accuracy.Overall)
	}
}
