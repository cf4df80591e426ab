package train_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	_ "phase/kernels/cpu"
	_ "phase/phase/methods"
	"phase/phase/train"
)

// small is a run of some tenths of a second with everything in it: DAW, a
// frozen stage 2 on augmented images, momentum.
func small(t *testing.T, change func(c *train.Config)) (train.Config, *train.Source) {
	t.Helper()
	c, err := train.Defaults("phase", "fashion")
	if err != nil {
		t.Fatal(err)
	}
	c.Width, c.Epochs, c.Batch, c.Limit, c.Stage2Augment = 4, 4, 16, 80, "same"
	if change != nil {
		change(&c)
	}
	if err := c.Resolve(); err != nil {
		t.Fatal(err)
	}
	s, err := train.OpenSource(t.Context(), c, nil, 0, nil)
	if err != nil {
		t.Fatal(err)
	}
	return c, s
}

// model is the bytes of the run's model.
func model(t *testing.T, dir string) []byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(dir, train.ModelFile))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func mustRun(t *testing.T, c train.Config, s *train.Source, o train.Options) *train.Result {
	t.Helper()
	r, err := train.Run(t.Context(), c, s, o)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// One seed gives the same bits for any number of processors and workers.
func TestSameBitsForAnyProcessorsAndWorkers(t *testing.T) {
	for _, precision := range []string{"f32", "bf16"} {
		t.Run(precision, func(t *testing.T) {
			sameBits(t, func(c *train.Config) { c.SAM, c.Precision = .05, precision })
		})
	}
}

func sameBits(t *testing.T, change func(c *train.Config)) {
	c, s := small(t, change)
	var first []byte
	for i, o := range []struct{ procs, workers int }{{2, 1}, {1, 0}, {2, 4}} {
		old := runtime.GOMAXPROCS(o.procs)
		dir := filepath.Join(t.TempDir(), "run")
		mustRun(t, c, s, train.Options{Dir: dir, Workers: o.workers})
		runtime.GOMAXPROCS(old)
		if i == 0 {
			first = model(t, dir)
		} else if !bytes.Equal(first, model(t, dir)) {
			t.Errorf("%d processors and %d workers give another model than 2 and 1", o.procs, o.workers)
		}
	}
}

// A run that is interrupted after any step, again and again, ends with the
// bits of one that was not.
func TestResumeIsBitEqual(t *testing.T) {
	for name, change := range map[string]func(c *train.Config){
		"frozen":          nil,
		"cached features": func(c *train.Config) { c.Stage2Augment = "none" },
		"whole, recomputed, SAM": func(c *train.Config) {
			c.Freeze, c.Recompute, c.SAM = false, true, .05
			c.Use("local", "area")
		},
		"one stage, adamw":  func(c *train.Config) { c.Stage2Weights, c.Optimizer, c.LR = "none", "adamw", .01 },
		"bf16":              func(c *train.Config) { c.Model, c.Width, c.Precision = "resnet8", 4, "bf16" },
		"reinitialised":     func(c *train.Config) { c.Reinit = true },
		"rare checkpoints":  func(c *train.Config) { c.CheckpointEvery = 3 },
		"class-balanced ce": func(c *train.Config) { c.Stage1Weights = "effective" },
		"chosen": func(c *train.Config) {
			c.Calibration, c.Choose, c.Stage2Augment, c.Posthoc = .2, "alpha=0,1 gamma=0,1", "none", "tau-norm"
		},
		"scales beside the head": func(c *train.Config) { c.ClassScales, c.Stage2HeadRate, c.NormShift = "with-head", .2, true },
	} {
		if testing.Short() && name != "frozen" && name != "whole, recomputed, SAM" {
			continue
		}
		t.Run(name, func(t *testing.T) {
			c, s := small(t, change)
			whole := filepath.Join(t.TempDir(), "whole")
			want := mustRun(t, c, s, train.Options{Dir: whole, Workers: 1})
			for _, every := range []int{1, 4, 7} {
				if testing.Short() && every != 4 {
					continue
				}
				dir := filepath.Join(t.TempDir(), "run")
				var got *train.Result
				for resume, done := false, false; !done; resume = true {
					ctx, cancel := context.WithCancel(t.Context())
					steps := 0
					r, err := train.Run(ctx, c, s, train.Options{Dir: dir, Resume: resume, Workers: 1, Report: func(e train.Event) {
						if e.Step > 0 && e.Done == nil {
							if steps++; steps == every {
								cancel()
							}
						}
					}})
					cancel()
					switch {
					case err == nil:
						got, done = r, true
					case !errors.Is(err, train.ErrInterrupted):
						t.Fatal(err)
					}
				}
				if !bytes.Equal(model(t, whole), model(t, dir)) {
					t.Errorf("stopping every %d steps gives another model", every)
				}
				if got.Accuracy.Overall != want.Accuracy.Overall || len(got.Stages) != len(want.Stages) || got.Stages[0].Loss != want.Stages[0].Loss {
					t.Errorf("stopping every %d steps gives another result: %+v, want %+v", every, got.Stages, want.Stages)
				}
			}
		})
	}
}

// TestHelperRun is the process that TestResumeAfterKill kills.
func TestHelperRun(t *testing.T) {
	dir := os.Getenv("PHASE_TEST_RUN")
	if dir == "" {
		return // only meant to be started by TestResumeAfterKill
	}
	c, s := small(t, func(c *train.Config) { c.Epochs = 6 })
	_, err := os.Stat(filepath.Join(dir, train.ConfigFile))
	mustRun(t, c, s, train.Options{Dir: dir, Resume: err == nil, Force: true, Workers: 1})
}

// kill -9 at any moment loses nothing that was checkpointed, and the run that
// is resumed ends with the same bits.
func TestResumeAfterKill(t *testing.T) {
	if runtime.GOOS == "js" || runtime.GOOS == "wasip1" {
		t.Skip("no processes on this platform; TestResumeIsBitEqual covers resuming")
	}
	c, s := small(t, func(c *train.Config) { c.Epochs = 6 })
	whole := filepath.Join(t.TempDir(), "whole")
	began := time.Now()
	mustRun(t, c, s, train.Options{Dir: whole, Workers: 1})
	took := time.Since(began)
	dir := filepath.Join(t.TempDir(), "run")
	kills := 0
	for i := 1; ; i++ {
		cmd := exec.Command(os.Args[0], "-test.run=^TestHelperRun$")
		cmd.Env = append(os.Environ(), "PHASE_TEST_RUN="+dir)
		var out bytes.Buffer
		cmd.Stdout, cmd.Stderr = &out, &out
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		ended := make(chan error, 1)
		go func() { ended <- cmd.Wait() }()
		// Later and later, so that the run moves on whatever the machine's load.
		select {
		case err := <-ended:
			if err != nil {
				t.Fatalf("%v: %s", err, out.Bytes())
			}
			if kills < 3 {
				t.Fatalf("only %d kills in a run of %v", kills, took)
			}
			if !bytes.Equal(model(t, whole), model(t, dir)) {
				t.Errorf("after %d kills the model is another", kills)
			}
			return
		case <-time.After(took * time.Duration(i) / 10):
			cmd.Process.Kill()
			<-ended
			kills++
		}
	}
}

func TestOneWriter(t *testing.T) {
	c, s := small(t, nil)
	dir := filepath.Join(t.TempDir(), "run")
	var inside error
	mustRun(t, c, s, train.Options{Dir: dir, Report: func(e train.Event) {
		if inside == nil {
			_, inside = train.Run(t.Context(), c, s, train.Options{Dir: dir, Resume: true})
		}
	}})
	if inside == nil || !strings.Contains(inside.Error(), "being written by another process") {
		t.Errorf("a second writer got %v", inside)
	}
}

func TestRefusals(t *testing.T) {
	c, s := small(t, nil)
	dir := filepath.Join(t.TempDir(), "run")
	mustRun(t, c, s, train.Options{Dir: dir})
	other := c
	other.LR = .2
	for _, f := range []struct {
		what string
		c    train.Config
		o    train.Options
		want string
	}{
		{"a run that exists", c, train.Options{Dir: dir}, "--resume goes on with it, --force starts it anew"},
		{"other settings", other, train.Options{Dir: dir, Resume: true}, "--lr: 0.1, 0.2"},
		{"nothing to resume", c, train.Options{Dir: filepath.Join(t.TempDir(), "none"), Resume: true}, "nothing to go on with"},
	} {
		if _, err := train.Run(t.Context(), f.c, s, f.o); err == nil || !strings.Contains(err.Error(), f.want) {
			t.Errorf("%s: got %v, want %q", f.what, err, f.want)
		}
	}
	// Killed after config.json and before the first checkpoint.
	early := filepath.Join(t.TempDir(), "early")
	mustRun(t, c, s, train.Options{Dir: early})
	if err := os.Remove(filepath.Join(early, train.CheckpointFile)); err != nil {
		t.Fatal(err)
	}
	mustRun(t, c, s, train.Options{Dir: early, Resume: true})
	if !bytes.Equal(model(t, dir), model(t, early)) {
		t.Error("a run that begins anew without a checkpoint gives another model")
	}
	again := mustRun(t, c, s, train.Options{Dir: dir, Resume: true})
	if r, err := train.ReadResult(dir); err != nil || r.Accuracy.Overall != again.Accuracy.Overall {
		t.Errorf("resuming a finished run: %v, %v", r.Accuracy.Overall, err)
	}
	path := filepath.Join(dir, train.CheckpointFile)
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for what, damage := range map[string]func([]byte) []byte{
		"cut short": func(b []byte) []byte { return b[:len(b)/2] },
		"altered":   func(b []byte) []byte { b[len(b)-9] ^= 1; return b },
		"empty":     func([]byte) []byte { return nil },
	} {
		if err := os.WriteFile(path, damage(bytes.Clone(b)), 0o644); err != nil {
			t.Fatal(err)
		}
		if _, err := train.Run(t.Context(), c, s, train.Options{Dir: dir, Resume: true}); err == nil || !strings.Contains(err.Error(), "checkpoint.safetensors") {
			t.Errorf("a checkpoint %s: got %v", what, err)
		}
	}
}

// A loss that is not finite stops the run in words, and the last checkpoint
// holds only finite numbers.
func TestNotFinite(t *testing.T) {
	c, s := small(t, func(c *train.Config) { c.LR, c.Warmup, c.WeightDecay = 1e25, 0, 0 })
	dir := filepath.Join(t.TempDir(), "run")
	_, err := train.Run(t.Context(), c, s, train.Options{Dir: dir})
	if err == nil || !strings.Contains(err.Error(), "epoch 1, step") || !strings.Contains(err.Error(), "learning rate 1e+25") {
		t.Errorf("got %v", err)
	}
	// The end of a stage is saved whatever --checkpoint-every says, and named.
	c, s = small(t, func(c *train.Config) { c.Stage2LR, c.CheckpointEvery = 1e25, 2 })
	_, err = train.Run(t.Context(), c, s, train.Options{Dir: filepath.Join(t.TempDir(), "late")})
	if err == nil || !strings.Contains(err.Error(), "in epoch 4, step") || !strings.Contains(err.Error(), "checkpoint, after epoch 3,") {
		t.Errorf("in stage 2: got %v", err)
	}
}

// What is right in training is counted where the parameters stood, not where SAM goes
// from there: if they hardly move, as without it.
func TestHitsWithSAM(t *testing.T) {
	var got []float64
	for _, rho := range []float64{0, 50} {
		c, s := small(t, func(c *train.Config) { c.Epochs, c.LR, c.SAM = 1, 1e-30, rho })
		dir := filepath.Join(t.TempDir(), "run")
		mustRun(t, c, s, train.Options{Dir: dir})
		var e train.Epoch
		if b, err := os.ReadFile(filepath.Join(dir, train.MetricsFile)); err != nil || json.Unmarshal(b, &e) != nil {
			t.Fatalf("metrics: %v\n%s", err, b)
		}
		got = append(got, e.TrainAccuracy)
	}
	if got[0] != got[1] || got[0] == 0 {
		t.Errorf("training accuracies %v without SAM and with it", got)
	}
}

func TestModelRoundTrip(t *testing.T) {
	c, s := small(t, nil)
	dir := filepath.Join(t.TempDir(), "run")
	want := mustRun(t, c, s, train.Options{Dir: dir})
	m, err := train.LoadModel(dir)
	if err != nil {
		t.Fatal(err)
	}
	got, err := m.Evaluate(t.Context(), s.Test, c.Thresholds(), 0)
	if err != nil {
		t.Fatal(err)
	}
	if fmt.Sprint(got.Confusion) != fmt.Sprint(want.Accuracy.Confusion) {
		t.Errorf("the model read back predicts otherwise: %v, trained %v", got.Confusion, want.Accuracy.Confusion)
	}
}
