package train_test

import (
	"bytes"
	"context"
	"errors"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"phase/phase/train"
	"phase/tensor"
	"phase/tensor/safetensors"
)

// tensors reads a file of tensors.
func tensors(t *testing.T, path string) map[string]*tensor.Tensor {
	t.Helper()
	f, err := safetensors.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return f.Tensors
}

// trained is the tensors of the model that a run of c ends with.
func trained(t *testing.T, c train.Config, s *train.Source) map[string]*tensor.Tensor {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "run")
	mustRun(t, c, s, train.Options{Dir: dir})
	return tensors(t, filepath.Join(dir, train.ModelFile))
}

// A stage 2 with a frozen extractor leaves each of its numbers, running
// statistics too, as stage 1 left it, and moves the head.
func TestFrozenExtractor(t *testing.T) {
	for _, augment := range []string{"same", "none"} { // through the extractor, and on cached features
		c, s := small(t, func(c *train.Config) { c.Stage2Augment = augment })
		dir := filepath.Join(t.TempDir(), "run")
		var before map[string]*tensor.Tensor
		mustRun(t, c, s, train.Options{Dir: dir, Report: func(e train.Event) {
			if e.Done != nil && e.Epoch == c.Epochs-c.Stage2Epochs {
				before = tensors(t, filepath.Join(dir, train.CheckpointFile))
			}
		}})
		for name, after := range tensors(t, filepath.Join(dir, train.ModelFile)) {
			moved := !slices.Equal(tensor.Values(before["model."+name]), tensor.Values(after))
			if head := strings.HasPrefix(name, "linear."); moved != head {
				t.Errorf("augmentation %s: stage 2 moved %s: %v, want %v", augment, name, moved, head)
			}
		}
	}
}

// DAW is the loss of stage 1 alone: a run that begins with stage 2 does not
// know its exponents, one that has only stage 1 does.
func TestStage2IsCrossEntropy(t *testing.T) {
	for stage2, same := range map[string]bool{"inverse": true, "none": false} {
		var models []map[string]*tensor.Tensor
		for _, gamma := range []float64{0, 2} {
			c, s := small(t, func(c *train.Config) {
				c.Freeze, c.Epochs, c.Stage2Weights, c.Stage2Epochs = false, 2, stage2, 2
				if stage2 == "none" {
					c.Stage2Epochs = 0
				}
				c.Loss = "daw"
				c.Use("gamma-pos", gamma)
				c.Use("gamma-neg", gamma)
				c.Use("smooth", gamma/10)
			})
			models = append(models, trained(t, c, s))
		}
		if got := slices.Equal(tensor.Values(models[0]["conv1.weight"]), tensor.Values(models[1]["conv1.weight"])); got != same {
			t.Errorf("stage 2 %s: models equal with and without DAW: %v, want %v", stage2, got, same)
		}
	}
}

// SAM's second pass is no new batch: running statistics move once a step.
func TestSAMShowsEachBatchOnce(t *testing.T) {
	c, s := small(t, func(c *train.Config) { c.Stage2Weights, c.SAM, c.Epochs = "none", .05, 2 })
	steps := c.Epochs * ((s.Train.Len() + c.Batch - 1) / c.Batch)
	if n := tensor.Values(trained(t, c, s)["bn1.num_batches_tracked"]); n[0] != float64(steps) {
		t.Errorf("batch norm has seen %g batches in %d steps", n[0], steps)
	}
}

// A run that is interrupted between the stages goes on, whatever stage 1 trained
// beside the model.
func TestInterruptedBetweenStages(t *testing.T) {
	c, s := small(t, func(c *train.Config) { c.Objective = "glmc" })
	whole, dir := filepath.Join(t.TempDir(), "whole"), filepath.Join(t.TempDir(), "run")
	mustRun(t, c, s, train.Options{Dir: whole})
	ctx, cancel := context.WithCancel(t.Context())
	_, err := train.Run(ctx, c, s, train.Options{Dir: dir, Report: func(e train.Event) {
		if e.Done != nil && e.Epoch == c.Epochs-c.Stage2Epochs {
			cancel()
		}
	}})
	if !errors.Is(err, train.ErrInterrupted) {
		t.Fatal(err)
	}
	mustRun(t, c, s, train.Options{Dir: dir, Resume: true})
	if !bytes.Equal(model(t, whole), model(t, dir)) {
		t.Error("another model than without the interrupt")
	}
}
