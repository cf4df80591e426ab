package train_test

import (
	"encoding/json"
	"math"
	"strings"
	"testing"

	"phase/phase/train"
)

func TestRanges(t *testing.T) {
	for _, f := range []struct {
		change func(c *train.Config)
		want   string
	}{
		{func(c *train.Config) { c.Imbalance = .5 }, "--imbalance 0.5: want at least 1"},
		{func(c *train.Config) { c.LR = 0 }, "--lr 0: want more than 0"},
		{func(c *train.Config) { c.LR = math.NaN() }, "--lr NaN: want more than 0"},
		{func(c *train.Config) { c.LR = math.Inf(1) }, "--lr +Inf"},
		{func(c *train.Config) { c.Momentum = 1 }, "--momentum 1: want 0 to below 1"},
		{func(c *train.Config) { c.Use("alpha", 1.5) }, "--alpha 1.5: want 0 to 1"},
		{func(c *train.Config) { c.Epochs = 0 }, "--epochs 0: want at least 1"},
		{func(c *train.Config) { c.Epochs, c.Stage2Epochs = 1, 1 }, "--epochs 1: want at least 2"},
		{func(c *train.Config) { c.Use("smooth", -.1) }, "--smooth -0.1: want 0 to 1"},
		{func(c *train.Config) { c.Model = "resnet31" }, `--model "resnet31": want one of resnet8, resnet20`},
		{func(c *train.Config) { c.Use("local", "area-shft") }, `--local "area-shft": want one of area-shift`},
		{func(c *train.Config) { c.Use("form", "eq2") }, `"eq2"`},
		{func(c *train.Config) { c.Augment = "flop" }, `--augment "flop"`},
		{func(c *train.Config) { c.Milestones = []int{9, 3} }, "--milestones [9 3]: want ascending"},
		{func(c *train.Config) { c.Stage2Epochs = 40 }, "no epoch is left for stage 1"},
		{func(c *train.Config) { c.SAM, c.Clip = .1, 1 }, "--clip 1"},
		{func(c *train.Config) { c.Precision = "f16" }, `--precision "f16": want one of f32, tf32, bf16`},
		{func(c *train.Config) { c.Precision, c.Model = "bf16", "mlp" }, "--precision bf16: model mlp keeps no images"},
		{func(c *train.Config) { c.Stage2HeadRate = 0 }, "--stage2-head-rate 0: want more than 0"},
		{func(c *train.Config) { c.Stage2HeadRate = .2 }, "--stage2-head-rate 0.2: goes with --class-scales with-head"},
		{func(c *train.Config) { c.Head, c.Loss = "linear", "ldam" }, "--head linear: ldam is a loss of cosines: want cosine"},
		{func(c *train.Config) { c.Head, c.Stage2Loss = "linear", "ldam" }, "ldam is a loss of cosines"},
		{func(c *train.Config) { c.Posthoc, c.Loss = "logit-adjust", "ldam" }, "--head cosine: --class-scales and --posthoc change"},
		{func(c *train.Config) { c.Device = "gpu" }, `--device "gpu": want cpu, cuda, or cuda:1`},
	} {
		c, err := train.Defaults("phase", "fashion")
		if err != nil {
			t.Fatal(err)
		}
		f.change(&c)
		if err := c.Resolve(); err == nil || !strings.Contains(err.Error(), f.want) {
			t.Errorf("got %v, want %q", err, f.want)
		}
	}
	if _, err := train.Defaults("phaze", "fashion"); err == nil || !strings.Contains(err.Error(), "phase-area") {
		t.Errorf("an unknown method: %v", err)
	}
}

// The paper's learning rates on CIFAR: 0.1 with a linear warm-up, 1e-3 from
// epoch 160 and 1e-5 from 180 of 200, where stage 2 begins at 160.
func TestPaperSchedule(t *testing.T) {
	c, err := train.Defaults("phase", "cifar100")
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Resolve(); err != nil {
		t.Fatal(err)
	}
	if c.Stage2Epochs != 40 || c.Model != "resnet32" || c.Batch != 128 || c.WeightDecay != 5e-4 {
		t.Errorf("recipe %+v", c)
	}
	for epoch, want := range map[int]float64{0: .02, 4: .1, 5: .1, 159: .1, 160: 1e-3, 179: 1e-3, 180: 1e-5, 199: 1e-5} {
		if got := c.LearningRate(epoch); math.Abs(got-want) > 1e-12 {
			t.Errorf("epoch %d: %g, want %g", epoch, got, want)
		}
	}
	c.Stage2LR = .01
	for epoch, want := range map[int]float64{159: .1, 160: .01, 179: .01, 180: 1e-4} {
		if got := c.LearningRate(epoch); math.Abs(got-want) > 1e-12 {
			t.Errorf("with a rate of its own, epoch %d: %g, want %g", epoch, got, want)
		}
	}
}

// Where the kinds of two stages have one parameter with different usual values,
// each keeps its own, unless one is given for both.
func TestParametersOfTwoKinds(t *testing.T) {
	c, err := train.Defaults("daw", "fashion")
	if err != nil {
		t.Fatal(err)
	}
	c.Stage2Loss = "cb-focal"
	if err := c.Resolve(); err != nil {
		t.Fatal(err)
	}
	if _, ok := c.Params["form"]; ok || c.Params["gamma-neg"] != "4" {
		t.Errorf("parameters %v", c.Params)
	}
	b, err := json.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	var back train.Config
	if err := json.Unmarshal(b, &back); err != nil || len(back.Differences(c)) > 0 {
		t.Errorf("read back with %v, %v", back.Differences(c), err)
	}
	c.Use("gamma-pos", 3)
	if err := c.Resolve(); err != nil || c.Params["gamma-pos"] != "3" {
		t.Errorf("one for both: %v, %v", c.Params, err)
	}
}

func TestConfigJSON(t *testing.T) {
	c, _ := train.Defaults("phase-area", "cifar10")
	if err := c.Resolve(); err != nil {
		t.Fatal(err)
	}
	b, err := json.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	var back train.Config
	if err := json.Unmarshal(b, &back); err != nil || len(c.Differences(back)) > 0 {
		t.Errorf("%v, %v", err, c.Differences(back))
	}
	for text, want := range map[string]string{
		strings.Replace(string(b), `"lr":`, `"lrr":`, 1): "lr",
		`{}`: "is missing",
		strings.Replace(string(b), `"epochs":200`, `"epochs":"many"`, 1): `"epochs"`,
	} {
		if err := json.Unmarshal([]byte(text), &back); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.60s: got %v, want %q", text, err, want)
		}
	}
	other := c
	other.LR, other.Seed = .2, 7
	if d := c.Differences(other); len(d) != 2 || d[1] != "--lr: 0.1, 0.2" {
		t.Errorf("%q", d)
	}
}

func FuzzConfigJSON(f *testing.F) {
	c, _ := train.Defaults("phase", "fashion")
	b, _ := json.Marshal(c)
	f.Add(b)
	f.Add([]byte(`{"epochs":1e99}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		var c train.Config
		if json.Unmarshal(b, &c) != nil || c.Resolve() != nil {
			return
		}
		// What passes the checks has a learning rate for every epoch of a short run.
		for e := range min(c.Epochs, 100) {
			if lr := c.LearningRate(e); !(lr >= 0) {
				t.Errorf("epoch %d has learning rate %g", e, lr)
			}
		}
	})
}
