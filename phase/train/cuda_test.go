//go:build cuda && linux && amd64

package train_test

import (
	"context"
	"errors"
	"math"
	"path/filepath"
	"testing"

	"phase/kernels/cuda/cudatest"
	"phase/phase/train"
	"phase/tensor"
)

// A run that is interrupted on one device ends on the other as if nothing had
// happened.
func TestResumeOnCUDA(t *testing.T) {
	dev := cudatest.Device(t)
	c, s := small(t, func(c *train.Config) { c.Epochs, c.Limit, c.Batch, c.SAM = 2, 20, 10, .05 })
	want := mustRun(t, c, s, train.Options{Dir: filepath.Join(t.TempDir(), "whole")})
	for _, from := range []struct{ first, then tensor.Device }{{nil, dev}, {dev, nil}} {
		dir := filepath.Join(t.TempDir(), "run")
		ctx, cancel := context.WithCancel(t.Context())
		_, err := train.Run(ctx, c, s, train.Options{Dir: dir, Device: from.first, Report: func(e train.Event) {
			if e.Epoch == 1 && e.Step == 1 {
				cancel()
			}
		}})
		if !errors.Is(err, train.ErrInterrupted) {
			t.Fatal(err)
		}
		got := mustRun(t, c, s, train.Options{Dir: dir, Resume: true, Device: from.then})
		for i, st := range want.Stages {
			if !(math.Abs(got.Stages[i].Loss-st.Loss) <= 1e-4) {
				t.Errorf("from %v to %v, stage %s: loss %g, want %g", from.first, from.then, st.Name, got.Stages[i].Loss, st.Loss)
			}
		}
		if !(math.Abs(got.Calibration.NLL-want.Calibration.NLL) <= 1e-4) {
			t.Errorf("from %v to %v: negative log-likelihood %g, want %g", from.first, from.then, got.Calibration.NLL, want.Calibration.NLL)
		}
	}
}
