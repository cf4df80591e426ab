package train

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"

	"phase/autograd"
	"phase/nn"
	"phase/phase/data"
	"phase/phase/longtail"
	"phase/tensor"
)

// A Model is a trained network read back, with what it was trained on.
type Model struct {
	nn.Saved
	Config Config // of the run
	Counts []int  // training images of each class

	plans nn.Plans // of Model, which does not change
}

// trainedKey is where a model's file says how it was trained.
const trainedKey = "trained"

type trained struct {
	Schema int    `json:"schema"`
	Config Config `json:"config"`
	Counts []int  `json:"counts"`
}

func saveModel(path string, c Config, s *Source, m nn.Model) error {
	text, err := json.Marshal(trained{Schema, c, s.Counts})
	if err != nil {
		return err
	}
	shape, norm, order := s.Train.Shape(), s.Normalize, "rgb"
	switch {
	case len(shape) == 1:
		order, shape = "none", tensor.Shape{shape[0], 1, 1}
	case shape[0] == 1:
		order = "gray"
	}
	if len(norm.Mean) == 0 {
		norm.Mean, norm.Std = make([]float32, shape[0]), slices.Repeat([]float32{1}, shape[0])
	}
	return nn.Save(path, &nn.Saved{Model: m, Meta: map[string]string{trainedKey: string(text)}, About: nn.About{
		Name: c.Model, Config: nn.Config{Classes: len(s.Counts), Channels: shape[0], Size: shape[1], Width: c.Width, Cosine: c.cosine(), Seed: c.Seed},
		Classes: s.Train.Classes(), Input: nn.Input{Order: order, Mean: norm.Mean, Std: norm.Std}}})
}

// LoadModel reads the model of a run directory, or a model.safetensors file.
func LoadModel(path string) (*Model, error) {
	if info, err := os.Stat(path); err == nil && info.IsDir() {
		dir := path
		path = filepath.Join(dir, ModelFile)
		if _, err := os.Stat(path); err != nil {
			if _, err := os.Stat(filepath.Join(dir, CheckpointFile)); err == nil {
				return nil, fmt.Errorf("%s holds no model yet: its training was interrupted, and train --resume --out %s ends it", dir, dir)
			}
			return nil, fmt.Errorf("%s is no run directory: it has no %s", dir, ModelFile)
		}
	}
	s, err := nn.Open(path)
	if err != nil {
		return nil, err
	}
	m := &Model{Saved: *s}
	var t trained
	if err := json.Unmarshal([]byte(s.Meta[trainedKey]), &t); err != nil {
		return nil, fmt.Errorf("%s: metadata %q, which says how the model was trained: %v", path, trainedKey, err)
	}
	if t.Schema != Schema || len(t.Counts) != len(s.About.Classes) {
		return nil, fmt.Errorf("%s: metadata %q: schema %d with %d classes, want %d with %d", path, trainedKey, t.Schema, len(t.Counts), Schema, len(s.About.Classes))
	}
	m.Config, m.Counts = t.Config, t.Counts
	return m, nil
}

// On moves the model to a device, before it is used.
func (m *Model) On(dev tensor.Device) { nn.To(m.Model, dev) }

// normalize is the model's own normalisation of its input.
func (m *Model) normalize() data.Normalize {
	return data.Normalize{Mean: m.About.Input.Mean, Std: m.About.Input.Std}
}

// Evaluate is the model's accuracy on ds. Classes are matched by name, not by
// position: a class of the model that ds lacks counts as absent, one that the
// model does not know is an error. Images must have the model's size.
func (m *Model) Evaluate(ctx context.Context, ds data.Dataset, t longtail.Thresholds, workers int) (acc longtail.Accuracy, err error) {
	if failed := caught(func() { acc, err = m.evaluate(ctx, ds, t, workers) }); failed != nil {
		err = failed
	}
	return acc, err
}

func (m *Model) evaluate(ctx context.Context, ds data.Dataset, t longtail.Thresholds, workers int) (longtail.Accuracy, error) {
	var none longtail.Accuracy
	c := m.About.Config
	want := tensor.Shape{c.Channels, c.Size, c.Size}
	if m.About.Input.Order == "none" {
		want = tensor.Shape{c.Channels}
	}
	if !ds.Shape().Equal(want) {
		return none, fmt.Errorf("the data are of shape %v, and the model takes %v", ds.Shape(), want)
	}
	class := make([]int, len(ds.Classes()))
	have := data.Counts(ds)
	for i, name := range ds.Classes() {
		class[i] = slices.Index(m.About.Classes, name)
		if class[i] < 0 && have[i] > 0 {
			return none, fmt.Errorf("class %q of the data is none of the model's %d, which begin with %q", name, len(m.About.Classes), m.About.Classes[0])
		}
	}
	labels := data.Labels(ds)
	for i, y := range labels {
		labels[i] = class[y]
	}
	var predictions []int
	tape := autograd.Tape{Eval: true}
	l := &data.Loader{Data: ds, Batch: evalBatch, Workers: workers, Normalize: m.normalize()}
	for b, err := range l.Epoch(ctx, 0, 0) {
		if err != nil {
			return none, err
		}
		tape.Reset()
		p := m.pass()
		predictions = append(predictions, argmax(m.Model.Forward(&p, tape.Watch(b.X)).Value)...)
	}
	return longtail.Evaluate(predictions, labels, m.Counts, t)
}

// pass is a pass of the model, which is evaluated only.
func (m *Model) pass() nn.Pass {
	p := m.Config.pass()
	p.Plans = &m.plans
	return p
}

// A Guess is one class and its probability.
type Guess struct {
	Class       string  `json:"class"`
	Probability float64 `json:"probability"`
}

// Decoder decodes image files as the model takes them.
func (m *Model) Decoder(maxPixels int) (data.Decoder, error) {
	if m.About.Input.Order == "none" {
		return data.Decoder{}, fmt.Errorf("the model takes rows of %d features, not images", m.About.Config.Channels)
	}
	return data.Decoder{H: m.About.Config.Size, W: m.About.Config.Size, C: m.About.Config.Channels, MaxPixels: maxPixels}, nil
}

// Predict is the n most probable classes of each image, most probable first.
// Each image is as Decoder decodes it.
func (m *Model) Predict(images [][]uint8, n int) (guesses [][]Guess, err error) {
	if failed := caught(func() { guesses, err = m.predict(images, n) }); failed != nil {
		err = failed
	}
	return guesses, err
}

func (m *Model) predict(images [][]uint8, n int) ([][]Guess, error) {
	c := m.About.Config
	size := c.Channels * c.Size * c.Size
	x := make([]float32, len(images)*size)
	for i, pix := range images {
		if err := m.normalize().Pixels(x[i*size:(i+1)*size], pix, c.Channels); err != nil {
			return nil, err
		}
	}
	tape := autograd.Tape{Eval: true}
	p := m.pass()
	logits := m.Model.Forward(&p, tape.Watch(tensor.OfImages(x, len(images), c.Channels, c.Size, c.Size)))
	logp := tensor.Fetch[float32](autograd.LogSoftmax(logits).Value)
	out := make([][]Guess, len(images))
	for i := range out {
		row := logp[i*c.Classes : (i+1)*c.Classes]
		order := make([]int, len(row))
		for j := range order {
			order[j] = j
		}
		slices.SortStableFunc(order, func(a, b int) int {
			switch {
			case row[a] > row[b]:
				return -1
			case row[a] < row[b]:
				return 1
			}
			return 0
		})
		for _, j := range order[:min(n, len(order))] {
			out[i] = append(out[i], Guess{m.About.Classes[j], math.Exp(float64(row[j]))})
		}
	}
	return out, nil
}
