package train_test

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"phase/phase/data"
	"phase/phase/train"
	"phase/tensor"
)

// A stage 2 on another run's stage 1 gives the bits of a run that trained both,
// whether the network is frozen or goes on whole, with its momentum.
func TestStage1OfAnotherRun(t *testing.T) {
	for name, change := range map[string]func(c *train.Config){
		"frozen": nil,
		"whole": func(c *train.Config) {
			c.Stage2Weights = "inverse"
			c.Whole()
			c.Milestones, c.Stage2Epochs = []int{3}, 1
		},
		"scales": func(c *train.Config) { c.Stage2Weights, c.ClassScales = "none", "alone" },
	} {
		t.Run(name, func(t *testing.T) {
			c, s := small(t, change)
			alone, donor, other := filepath.Join(t.TempDir(), "alone"), filepath.Join(t.TempDir(), "donor"), filepath.Join(t.TempDir(), "other")
			want := mustRun(t, c, s, train.Options{Dir: alone})
			// The donor has one stage, as long as both, and looks at the test set seldom.
			one, _ := small(t, func(c *train.Config) {
				if change != nil {
					change(c)
				}
				c.Stage2Weights, c.ClassScales, c.Stage2Epochs, c.EvalEvery = "none", "none", 0, 100
			})
			one.Milestones = c.Milestones
			if name != "whole" {
				one.Epochs = c.Epochs - c.Stage2Epochs // its end, and not a checkpoint under way
			}
			mustRun(t, one, s, train.Options{Dir: donor})
			got := mustRun(t, c, s, train.Options{Dir: other, Stage1: donor})
			if !bytes.Equal(model(t, alone), model(t, other)) {
				t.Error("the models differ")
			}
			if len(got.Stages) != 2 || got.Stages[0].Name != want.Stages[0].Name || got.Stages[0].Accuracy.Overall != want.Stages[0].Accuracy.Overall || got.Stages[0].Epochs != want.Stages[0].Epochs {
				t.Errorf("stages %+v, want %+v", got.Stages, want.Stages)
			}
			for i, line := range bytes.Split(bytes.TrimSpace(must2(t, filepath.Join(other, train.MetricsFile))), []byte("\n")) {
				if !bytes.Contains(line, []byte(`"epoch":`)) {
					t.Errorf("line %d of the metrics: %s", i, line)
				}
			}
		})
	}
}

func must2(t *testing.T, path string) []byte {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestStage1Refusals(t *testing.T) {
	c, s := small(t, nil)
	donor := filepath.Join(t.TempDir(), "donor")
	whole := mustRun(t, c, s, train.Options{Dir: donor})
	for _, f := range []struct {
		change func(c *train.Config)
		want   string
	}{
		{func(c *train.Config) { c.Use("gamma-pos", 2) }, "gamma-pos is 1 there and 2 here"},
		{func(c *train.Config) { c.Loss = "ce" }, `loss is "daw" there and "ce" here`},
		{func(c *train.Config) { c.LR = .05 }, "learning rate is"},
		{func(c *train.Config) { c.Epochs = 6 }, "its stage 1 has 3 epochs, and this run's has 4"},
		{func(c *train.Config) { c.Limit = 60 }, "other images"},
		{func(c *train.Config) { c.Stage2Weights, c.Stage2Epochs = "none", 0 }, "one stage"},
	} {
		other, from := small(t, f.change)
		dir := filepath.Join(t.TempDir(), "run")
		_, err := train.Run(t.Context(), other, from, train.Options{Dir: dir, Stage1: donor})
		if err == nil || !strings.Contains(err.Error(), f.want) {
			t.Errorf("got %v, want %q", err, f.want)
		}
		if _, err := os.Stat(dir); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s: the directory of a run that was refused is left: %v", f.want, err)
		}
	}
	// What stage 2 does is no part of stage 1.
	other, from := small(t, func(c *train.Config) { c.Use("alpha", .3); c.Stage2LR = .02; c.Method = "mine" })
	mustRun(t, other, from, train.Options{Dir: filepath.Join(t.TempDir(), "run"), Stage1: donor})
	// Nor does the seed of stage 2 have to be the same: stage 1 is then what it was,
	// stage 2 another, and config.json says of which seed stage 1 is.
	var models []string
	for _, seed := range []uint64{1, 7, 7} {
		other, from := small(t, func(c *train.Config) { c.Seed = seed })
		dir := filepath.Join(t.TempDir(), "run")
		r := mustRun(t, other, from, train.Options{Dir: dir, Stage1: donor})
		models = append(models, string(model(t, dir)))
		if !reflect.DeepEqual(r.Stages[0], whole.Stages[0]) || r.Seed != seed {
			t.Errorf("seed %d: stage 1 ended with %v, there with %v", seed, r.Stages[0], whole.Stages[0])
		}
		if h := string(must2(t, filepath.Join(dir, train.ConfigFile))); !strings.Contains(h, "\"epoch\": 3,\n  \"seed\": 1\n") {
			t.Errorf("seed %d: config.json does not say of which seed stage 1 is: %s", seed, h)
		}
	}
	if models[0] == models[1] || models[1] != models[2] {
		t.Error("stage 2 is not drawn by the run's own seed")
	}
	if _, err := train.Run(t.Context(), c, s, train.Options{Dir: filepath.Join(t.TempDir(), "run"), Stage1: t.TempDir()}); err == nil || !strings.Contains(err.Error(), "not a run directory") {
		t.Errorf("no run: %v", err)
	}
}

// A run that was forked and killed before its first checkpoint, and one that
// was interrupted after, go on from the fork.
func TestForkResumes(t *testing.T) {
	c, s := small(t, nil)
	donor, want, dir := filepath.Join(t.TempDir(), "donor"), filepath.Join(t.TempDir(), "want"), filepath.Join(t.TempDir(), "run")
	mustRun(t, c, s, train.Options{Dir: donor})
	c.Seed = 1
	mustRun(t, c, s, train.Options{Dir: want, Stage1: donor})
	mustRun(t, c, s, train.Options{Dir: dir, Stage1: donor})
	if err := os.Remove(filepath.Join(dir, train.CheckpointFile)); err != nil {
		t.Fatal(err)
	}
	r := mustRun(t, c, s, train.Options{Dir: dir, Resume: true})
	if !bytes.Equal(model(t, want), model(t, dir)) || len(r.Stages) != 2 {
		t.Errorf("resumed to another model, stages %+v", r.Stages)
	}
}

// Calibration images are no training images, every class of more than one image
// has some and keeps some, and a class of one keeps it.
func TestCalibrationIsApart(t *testing.T) {
	_, s := small(t, func(c *train.Config) { c.Calibration, c.Limit = .2, 70 })
	_, all := small(t, func(c *train.Config) { c.Limit = 70 })
	train, apart := data.Counts(s.Train), data.Counts(s.Calibration)
	for j, n := range data.Counts(all.Train) {
		want := max(1, int(.2*float64(n)+.5))
		if n == 1 {
			want = 0
		}
		if apart[j] != want || train[j] != n-want || s.Counts[j] != train[j] {
			t.Errorf("class %d of %d images: %d apart and %d left, counted %d, want %d apart", j, n, apart[j], train[j], s.Counts[j], want)
		}
	}
	var first []byte
	pixels := func(ds data.Dataset, i int) []byte {
		b := make([]byte, ds.Shape().Size())
		if err := ds.(data.Images).Pixels(i, b); err != nil {
			t.Fatal(err)
		}
		return b
	}
	first = pixels(s.Calibration, 0)
	for i := range s.Train.Len() {
		if bytes.Equal(first, pixels(s.Train, i)) {
			t.Errorf("training image %d is a calibration image", i)
		}
	}
}

// A learned scale for each class is what a run's model ends with, folded into
// its classifier: the rows keep their directions, the extractor its numbers. So
// they do beside a classifier that hardly moves.
func TestClassScalesFold(t *testing.T) {
	for _, change := range []func(c *train.Config){
		func(c *train.Config) { c.ClassScales = "alone" },
		func(c *train.Config) { c.ClassScales, c.Stage2HeadRate = "with-head", 1e-9 },
	} {
		classScalesFold(t, change)
	}
}

func classScalesFold(t *testing.T, change func(c *train.Config)) {
	c, s := small(t, func(c *train.Config) { c.Stage2Weights = "inverse"; change(c) })
	dir := filepath.Join(t.TempDir(), "run")
	mustRun(t, c, s, train.Options{Dir: dir})
	before, after := tensors(t, filepath.Join(dir, "epoch-3.safetensors")), tensors(t, filepath.Join(dir, train.ModelFile))
	w0, w1 := tensor.Values(before["model.linear.weight"]), tensor.Values(after["linear.weight"])
	b0, b1 := tensor.Values(before["model.linear.bias"]), tensor.Values(after["linear.bias"])
	d, moved := len(w0)/len(b0), false
	for j := range b0 {
		f := b1[j] / b0[j]
		moved = moved || f < .9999 || f > 1.0001
		for k := range d {
			if got, want := w1[j*d+k], f*w0[j*d+k]; got-want > 1e-5 || want-got > 1e-5 {
				t.Fatalf("row %d: weight %d became %g, want %g", j, k, got, want)
			}
		}
	}
	if !moved {
		t.Error("no scale moved")
	}
	if !slices.Equal(tensor.Values(before["model.conv1.weight"]), tensor.Values(after["conv1.weight"])) {
		t.Error("the extractor moved")
	}
}

// Each epoch of stage 2 has the next pass of augmented features.
func TestFeaturePasses(t *testing.T) {
	passes := func(n int) []byte {
		c, s := small(t, func(c *train.Config) { c.Epochs, c.Stage2Epochs, c.FeaturePasses = 5, 2, n })
		dir := filepath.Join(t.TempDir(), "run")
		mustRun(t, c, s, train.Options{Dir: dir})
		return model(t, dir)
	}
	if bytes.Equal(passes(1), passes(2)) {
		t.Error("one pass and two train the same classifier")
	}
}
