package train_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"phase/phase/train"
)

// The best of the candidates is taken: the run is the one whose parameters are
// given, and each score is the accuracy on the calibration images that such a
// run has.
func TestChooseStage2(t *testing.T) {
	choose := func(c *train.Config) {
		c.Limit, c.Calibration, c.Stage2Augment, c.Stage2LR = 300, .2, "none", .3
		c.Choose = "alpha=1,0 gamma=0:1:0.5"
	}
	c, s := small(t, choose)
	dir := filepath.Join(t.TempDir(), "chosen")
	got := mustRun(t, c, s, train.Options{Dir: dir})
	if len(got.Chosen) != 1 || len(got.Chosen[0].Among) != 6 || got.Chosen[0].Images != s.Calibration.Len() {
		t.Fatalf("chosen %+v", got.Chosen)
	}
	d := got.Chosen[0]
	for _, x := range d.Among {
		if x.Score > d.Score {
			t.Errorf("%v is better than %v, which was chosen", x, d.Candidate)
		}
		given, _ := small(t, func(c *train.Config) {
			choose(c)
			c.Choose = ""
			for name, v := range x.Values {
				c.Use(name, v)
			}
		})
		of := filepath.Join(t.TempDir(), "given")
		mustRun(t, given, s, train.Options{Dir: of, Stage1: dir})
		m, err := train.LoadModel(of)
		if err != nil {
			t.Fatal(err)
		}
		a, err := m.Evaluate(t.Context(), s.Calibration, c.Thresholds(), 0)
		if err != nil || a.Balanced != x.Score {
			t.Errorf("%v: score %v, but the run that is given it has %v, %v", x, x.Score, a.Balanced, err)
		}
		if x.String() == d.Candidate.String() && !bytes.Equal(model(t, dir), model(t, of)) {
			t.Errorf("the run that chose %v is not the one that is given it", x)
		}
	}
	if first, last := d.Among[0], d.Among[5]; first.Score == d.Score || last.Score == d.Score {
		t.Errorf("the first or the last is as good, which shows little: %v", d.Among)
	}
	// The test set has no say.
	other := *s
	other.Test = s.Train
	again := mustRun(t, c, &other, train.Options{Dir: filepath.Join(t.TempDir(), "again"), Stage1: dir})
	if fmt.Sprint(again.Chosen) != fmt.Sprint(got.Chosen) {
		t.Errorf("on another test set %+v", again.Chosen)
	}
}

// What is not chosen must be said, and only once.
func TestChoose(t *testing.T) {
	for _, f := range []struct {
		choose string
		change func(c *train.Config)
		want   string
	}{
		{"alpha", nil, `--choose "alpha": want NAME=VALUES`},
		{"alpha=", nil, "want NAME=VALUES"},
		{"alpha=a,b", nil, "want NAME=VALUES"},
		{"alpha=0:1", nil, "want NAME=VALUES"},
		{"alpha=1:0:.1", nil, "want NAME=VALUES"},
		{"alpha=0:1:0", nil, "want NAME=VALUES"},
		{"alpha=NaN", nil, "want NAME=VALUES"},
		{"alpha=0:1:0.0001", nil, "want NAME=VALUES"},
		{"alpha=0:1:0.01 gamma=0:1:0.01", nil, "more than 1000 combinations"},
		{"alpha=0 alpha=1", nil, "alpha is there twice"},
		{"alpha=0,1.5", nil, "--choose alpha: --alpha 1.5: want 0 to 1"},
		{"alfa=0,1", nil, "--choose alfa: nothing that the run names has such a parameter"},
		{"scale=1,2", nil, "nothing that the run names"},
		{"gamma-pos=0,1", nil, "stage 1 depends on it"},
		{"alpha=0,1", func(c *train.Config) { c.Whole() }, "goes with --freeze and without --norm-shift"},
		{"alpha=0,1", func(c *train.Config) { c.NormShift = true }, "goes with --freeze and without --norm-shift"},
		{"alpha=0,1", func(c *train.Config) { c.Calibration = 0 }, "--calibration keeps a share"},
		{"alpha=0,1", func(c *train.Config) { c.Use("alpha", .3) }, "but --alpha 0.3 says what it is"},
		{"", func(c *train.Config) { c.Posthoc, c.Calibration = "tau-norm", 0 }, "--choose posthoc-tau: chooses on images that are not trained on"},
	} {
		c, err := train.Defaults("phase", "fashion")
		if err != nil {
			t.Fatal(err)
		}
		c.Choose, c.Calibration = f.choose, .1
		if f.change != nil {
			f.change(&c)
		}
		if err := c.Resolve(); err == nil || !strings.Contains(err.Error(), f.want) {
			t.Errorf("%q: got %v, want %q", f.choose, err, f.want)
		}
	}
	for _, f := range []struct {
		choose, tau string
		want, left  string // of Choose, and of the parameter
	}{
		{"", "", "posthoc-tau=0:2:0.1", ""},
		{"posthoc-tau=0,1", "", "posthoc-tau=0,1", ""},
		{"alpha=0:1:.5", "", "alpha=0:1:.5 posthoc-tau=0:2:0.1", ""},
		{"", "0.7", "", "0.7"},
	} {
		c, err := train.Defaults("phase", "fashion")
		if err != nil {
			t.Fatal(err)
		}
		c.Choose, c.Calibration, c.Posthoc = f.choose, .1, "tau-norm"
		if f.tau != "" {
			c.Use("posthoc-tau", f.tau)
		}
		for range 2 { // what is resolved stays
			if err := c.Resolve(); err != nil || c.Choose != f.want || c.Params["posthoc-tau"] != f.left {
				t.Errorf("choose %q, tau %q: %v, choose %q, tau %q", f.choose, f.tau, err, c.Choose, c.Params["posthoc-tau"])
			}
		}
	}
}

func TestCalibrationOfSingles(t *testing.T) {
	c, err := train.Defaults("ce", "fashion")
	if err == nil {
		c.Limit, c.Calibration = 1, .5
		err = c.Resolve()
	}
	if err != nil {
		t.Fatal(err)
	}
	if _, err := train.OpenSource(t.Context(), c, nil, 0, nil); err == nil || !strings.Contains(err.Error(), "--calibration 0.5 of fashion: every class has one image, and none to spare") {
		t.Errorf("got %v", err)
	}
}

// A run that is interrupted while it chooses chooses anew, and ends with the
// same bits.
func TestInterruptedWhileChoosing(t *testing.T) {
	c, s := small(t, func(c *train.Config) { c.Limit, c.Calibration, c.Reinit, c.Choose = 100, .2, true, "alpha=0,1" })
	whole, dir := filepath.Join(t.TempDir(), "whole"), filepath.Join(t.TempDir(), "run")
	want := mustRun(t, c, s, train.Options{Dir: whole})
	ctx, cancel := context.WithCancel(t.Context())
	_, err := train.Run(ctx, c, s, train.Options{Dir: dir, Report: func(e train.Event) {
		if e.Done != nil && e.Epoch == c.Epochs-c.Stage2Epochs {
			cancel()
		}
	}})
	if !errors.Is(err, train.ErrInterrupted) {
		t.Fatal(err)
	}
	got := mustRun(t, c, s, train.Options{Dir: dir, Resume: true})
	if !bytes.Equal(model(t, whole), model(t, dir)) || fmt.Sprint(got.Chosen) != fmt.Sprint(want.Chosen) {
		t.Errorf("chosen %+v, want %+v", got.Chosen, want.Chosen)
	}
}
