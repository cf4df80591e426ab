package train_test

import (
	"fmt"
	"path/filepath"
	"slices"
	"testing"

	"phase/autograd"
	"phase/phase"
	"phase/phase/data"
	"phase/phase/kind"
	"phase/phase/train"
	"phase/tensor"
)

// A probe is the plain objective, which asks for all there is and looks at what
// it gets.
type probe struct {
	ask  func(s *train.Setup)
	look func(s *train.Step)
}

func (p probe) Begin(s *train.Setup) (func(*train.Step) (loss, logits *autograd.Var), error) {
	p.ask(s)
	return func(s *train.Step) (loss, logits *autograd.Var) {
		p.look(s)
		features, logits := s.Forward(s.X)
		return s.Loss(features, logits, s.Y, s.Weights), logits
	}, nil
}

// probed is a probe of this test's own, by its name.
func probed(p probe) string {
	name := fmt.Sprintf("probe %d", len(train.Objectives.All()))
	train.Objectives.Add(kind.Kind[train.Objective]{Name: name, Of: p})
	return name
}

// third draws class 2 alone.
type third struct{}

func (third) Classes(counts []int, _ float64) []float64 {
	p := make([]float64, len(counts))
	p[2] = 1
	return p
}

// What an objective asks for comes: a second batch as its sampler draws it, with
// its samples' weights, and second views that are augmented anew.
func TestBesideTheBatch(t *testing.T) {
	for _, augment := range []string{"crop-flip", "none"} {
		t.Run(augment, func(t *testing.T) {
			steps, views := 0, 0
			name := probed(probe{
				func(s *train.Setup) { s.Other, s.Twice = &train.Draws{By: third{}}, true },
				func(s *train.Step) {
					steps++
					weights, err := phase.Inverse(s.Counts)
					must(t, err)
					y := tensor.Data[int64](s.Other.Y)
					for i, w := range s.OtherWeights {
						if y[i] != 2 || w != float32(weights[2]) {
							t.Fatalf("a sample of class %d weighs %g in the second batch, want class 2 at %g", y[i], w, weights[2])
						}
					}
					if len(y) != len(s.Weights) {
						t.Errorf("a second batch of %d beside one of %d", len(y), len(s.Weights))
					}
					for _, v := range [][2]*tensor.Tensor{{s.X, s.XAgain}, {s.Other.X, s.OtherAgain}} {
						if !slices.Equal(tensor.Values(v[0]), tensor.Values(v[1])) {
							views++
						}
					}
				}})
			c, s := small(t, func(c *train.Config) {
				c.Objective, c.Stage1Weights, c.Stage2Weights, c.Augment, c.Epochs = name, "inverse", "none", augment, 2
			})
			mustRun(t, c, s, train.Options{Dir: filepath.Join(t.TempDir(), "run"), Workers: 1})
			if want := map[string]int{"crop-flip": 2 * steps, "none": 0}[augment]; steps == 0 || views != want {
				t.Errorf("%d of %d second views differ, want %d", views, 2*steps, want)
			}
		})
	}
}

// A second batch of calibration images is as large as the first, not augmented,
// and weighs nothing but ones.
func TestSecondBatchOfCalibration(t *testing.T) {
	c, s := small(t, func(c *train.Config) {
		c.Calibration, c.Stage2Weights, c.Stage1Weights, c.Epochs = .2, "none", "inverse", 2
	})
	apart := map[string]bool{}
	all := data.Loader{Data: s.Calibration, Batch: 1, Normalize: s.Normalize}
	for b, err := range all.Epoch(t.Context(), 0, 0) {
		must(t, err)
		apart[text(tensor.Data[float32](b.X))] = true
	}
	steps := 0
	c.Objective = probed(probe{
		func(p *train.Setup) { p.Other = &train.Draws{By: third{}, From: p.Calibration} },
		func(s *train.Step) {
			steps++
			x := tensor.Data[float32](s.Other.X)
			size := len(x) / len(s.OtherWeights)
			for i, w := range s.OtherWeights {
				if w != 1 || !apart[text(x[i*size:(i+1)*size])] {
					t.Fatalf("sample %d of the second batch weighs %g, or is no calibration image as it is", i, w)
				}
			}
			if len(s.OtherWeights) != len(s.Weights) || s.OtherAgain != nil {
				t.Errorf("a second batch of %d beside one of %d, a second view %v", len(s.OtherWeights), len(s.Weights), s.OtherAgain)
			}
		}})
	mustRun(t, c, s, train.Options{Dir: filepath.Join(t.TempDir(), "run")})
	if steps == 0 {
		t.Error("no step")
	}
}

// text is numbers as a key.
func text(v []float32) string {
	var b []byte
	for _, x := range v {
		b = append(b, byte(int32(1000*x)), byte(int32(1000*x)>>8))
	}
	return string(b)
}
