package methods_test

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"testing"

	"phase/phase/train"
)

// tiny is a run of a tenth of a second with a preset.
func tiny(t *testing.T, preset string, change func(*train.Config)) (train.Config, *train.Source) {
	t.Helper()
	given := func(c *train.Config) {
		c.Width, c.Epochs, c.Batch, c.Limit = 4, 3, 16, 60 // four steps an epoch
		c.EvalEvery, c.CheckpointEvery = 3, 3
		if change != nil {
			change(c)
		}
	}
	c := train.Recipe("fashion")
	given(&c)
	c, err := c.For(preset)
	if err != nil {
		t.Fatal(err)
	}
	given(&c)
	if err := c.Resolve(); err != nil {
		t.Fatal(err)
	}
	s, err := train.OpenSource(t.Context(), c, nil, 0, nil)
	if err != nil {
		t.Fatal(err)
	}
	return c, s
}

// Every preset trains, on either number of processors, with workers or without,
// and interrupted or not, to the same bits, and ends with every file of a run.
func TestPresets(t *testing.T) {
	for _, p := range train.Presets() {
		if c, err := train.Defaults(p.Name, "fashion"); err == nil && testing.Short() && c.Objective == "plain" {
			continue // no other code than package train's own tests have run
		}
		t.Run(p.Name, func(t *testing.T) {
			c, s := tiny(t, p.Name, nil)
			var dir string
			run := func(procs, workers, every int) (model []byte, r *train.Result) {
				defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(procs))
				dir = filepath.Join(t.TempDir(), "run")
				for resume := false; r == nil; resume = true {
					ctx, cancel := context.WithCancel(t.Context())
					steps := 0
					var err error
					r, err = train.Run(ctx, c, s, train.Options{Dir: dir, Resume: resume, Workers: workers, Report: func(e train.Event) {
						if e.Step > 0 && e.Done == nil {
							if steps++; steps == every {
								cancel()
							}
						}
					}})
					cancel()
					if err != nil && !errors.Is(err, train.ErrInterrupted) {
						t.Fatal(err)
					}
				}
				model, err := os.ReadFile(filepath.Join(dir, train.ModelFile))
				if err != nil {
					t.Fatal(err)
				}
				return model, r
			}
			want, whole := run(2, 1, 0)
			got, parts := run(1, 0, 3)
			if !bytes.Equal(got, want) {
				t.Error("one processor, interrupted now and then, ends in another model than two")
			}
			for i := range whole.Stages {
				if whole.Stages[i].Loss != parts.Stages[i].Loss {
					t.Errorf("stage %d: loss %g, want %g", i+1, parts.Stages[i].Loss, whole.Stages[i].Loss)
				}
			}
			stages := 1 + min(c.Stage2Epochs, 1)
			if c.Posthoc != "none" {
				stages++
			}
			if len(whole.Stages) != stages {
				t.Errorf("%d stages, want %d", len(whole.Stages), stages)
			}
			for _, f := range []string{train.ConfigFile, train.MetricsFile, train.CheckpointFile, train.ModelFile, train.WeightsFile, train.ResultFile} {
				if _, err := os.Stat(filepath.Join(dir, f)); err != nil {
					t.Error(err)
				}
			}
			if back, err := train.ReadConfig(dir); err != nil || len(back.Differences(c)) > 0 {
				t.Errorf("config.json reads back as %v, %v", back.Differences(c), err)
			}
			if m, err := train.LoadModel(dir); err != nil {
				t.Error(err)
			} else if a, err := m.Evaluate(t.Context(), s.Test, c.Thresholds(), 0); err != nil || a.Overall != whole.Accuracy.Overall {
				t.Errorf("the model's accuracy is %v, %v, the result's %v", a.Overall, err, whole.Accuracy.Overall)
			}
		})
	}
}

// An objective that lacks something says what, before a run is on disk.
func TestObjectivesRefuse(t *testing.T) {
	for _, f := range []struct{ objective, want string }{
		{"l2rw", `^--objective l2rw: .*--calibration`},
		{"bbn", `^--objective bbn: .*--model resnet8 has one: want .*-bbn`},
	} {
		c, s := tiny(t, "ce", func(c *train.Config) { c.Objective = f.objective })
		dir := filepath.Join(t.TempDir(), "run")
		_, err := train.Run(t.Context(), c, s, train.Options{Dir: dir})
		if err == nil || !regexp.MustCompile(f.want).MatchString(err.Error()) {
			t.Errorf("%s: error %v, want %s", f.objective, err, f.want)
		}
		if _, err := os.Stat(filepath.Join(dir, train.ConfigFile)); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("%s: left a config behind: %v", f.objective, err)
		}
	}
}
