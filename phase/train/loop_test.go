package train_test

import (
	"math/rand/v2"
	"path/filepath"
	"slices"
	"testing"

	"phase/autograd"
	"phase/nn"
	"phase/optim"
	"phase/phase"
	"phase/phase/data"
	"phase/phase/train"
	"phase/tensor"
)

// TestRunIsThisLoop holds what a run is: both stages written down as one would
// on a page, without checkpoints, caches or memory used again, give its bits.
func TestRunIsThisLoop(t *testing.T) {
	for name, change := range map[string]func(c *train.Config){
		"phase":         nil,
		"cached":        func(c *train.Config) { c.Stage2Augment = "none" },
		"clipped":       func(c *train.Config) { c.Clip = .5 },
		"mean":          func(c *train.Config) { c.Reduction = "mean" },
		"inverse":       func(c *train.Config) { c.Stage1Weights, c.Stage2LR = "inverse", .05 },
		"reinitialised": func(c *train.Config) { c.Reinit, c.Nesterov = true, true },
	} {
		t.Run(name, func(t *testing.T) {
			c, s := small(t, change)
			dir := filepath.Join(t.TempDir(), "run")
			mustRun(t, c, s, train.Options{Dir: dir})
			got := tensors(t, filepath.Join(dir, train.ModelFile))
			for name, want := range nn.State(loop(t, c, s)) {
				if !slices.Equal(tensor.Values(got[name]), tensor.Values(want)) {
					t.Errorf("%s differs from the loop's", name)
				}
			}
		})
	}
}

// loop trains as c says: stage 1 the whole network, stage 2 its head alone.
func loop(t *testing.T, c train.Config, s *train.Source) nn.Model {
	shape := s.Train.Shape()
	m, err := nn.New(c.Model, nn.Config{Width: c.Width, Classes: len(s.Counts), Channels: shape[0], Size: shape[1], Seed: c.Seed})
	must(t, err)
	augment, err := data.ParseAugment(c.Augment, shape[1])
	must(t, err)
	weights := make([]float64, s.Train.Len())
	for i := range weights {
		weights[i] = 1
	}
	if c.Stage1Weights == "inverse" {
		class, err := phase.Inverse(s.Counts)
		must(t, err)
		for i := range weights {
			weights[i] = class[s.Train.Label(i)]
		}
	}
	loss, err := c.Loss1()
	must(t, err)
	whole := true
	opt := &optim.SGD{Params: optim.All(nn.Params(m)), Momentum: c.Momentum, Decay: c.WeightDecay, Nesterov: c.Nesterov}
	for epoch := range c.Epochs {
		if epoch == c.Epochs-c.Stage2Epochs {
			if c.Reinit {
				m.Head().Reset(rand.New(rand.NewPCG(c.Seed, 2)))
			}
			weights = msrWeights(t, c, s, m)
			loss, whole = phase.CrossEntropy{}, false
			opt = &optim.SGD{Params: optim.All(nn.Params(m.Head())), Momentum: c.Momentum, Decay: c.WeightDecay, Nesterov: c.Nesterov}
			if c.Stage2Augment == "none" {
				augment = data.Augment{}
			}
		}
		l := data.Loader{Data: s.Train, Batch: c.Batch, Shuffle: true, Seed: c.Seed, Normalize: s.Normalize, Augment: augment}
		for b, err := range l.Epoch(t.Context(), epoch, 0) {
			must(t, err)
			w, sum := make([]float32, len(b.Index)), 0.
			for i, at := range b.Index {
				w[i] = float32(weights[at])
				sum += float64(w[i])
			}
			if c.Reduction == "mean" {
				sum = float64(len(w))
			}
			opt.Step(c.LearningRate(epoch), func(int) *autograd.Var {
				var tape autograd.Tape
				var logits *autograd.Var
				if whole {
					logits = m.Forward(&nn.Pass{Train: true}, tape.Watch(b.X))
				} else {
					f := m.Features(&nn.Pass{}, autograd.Const(b.X))
					logits = m.Head().Forward(&nn.Pass{Train: true}, tape.Watch(f.Value))
				}
				v := autograd.Scale(autograd.Sum(loss.Each(phase.Batch{Logits: logits, Labels: b.Y, Weights: tensor.Of(w, len(w))})), 1/sum)
				tape.Backward(v)
				if c.Clip > 0 {
					opt.ClipNorm(c.Clip)
				}
				return v
			})
		}
	}
	return m
}

// msrWeights is the weight of each training sample, from features of images
// that are not augmented.
func msrWeights(t *testing.T, c train.Config, s *train.Source, m nn.Model) []float64 {
	l := data.Loader{Data: s.Train, Batch: s.Train.Len(), Normalize: s.Normalize}
	for b, err := range l.Epoch(t.Context(), 0, 0) {
		must(t, err)
		f := m.Features(&nn.Pass{}, autograd.Const(b.X)).Value
		w, err := c.Weighting2()
		must(t, err)
		r, err := w.Weigh(phase.Samples{Counts: s.Counts, Labels: data.Labels(s.Train), Features: phase.Rows(f)})
		must(t, err)
		return r.Sample
	}
	panic("no batch")
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
