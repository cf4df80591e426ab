package nn

import (
	"encoding/json"
	"fmt"
	"maps"

	"phase/tensor/safetensors"
)

// A Saved is a model with what is needed to use it elsewhere.
type Saved struct {
	Model Model
	About About
	Meta  map[string]string // further texts for the file, such as how it was trained
}

// About is what a model's file says of it besides the numbers.
type About struct {
	Schema  int      `json:"schema"` // of this struct; Save sets it
	Name    string   `json:"name"`   // as New takes it
	Config  Config   `json:"config"`
	Classes []string `json:"classes"` // name of each class, in the order of the logits
	Input   Input    `json:"input"`
}

// Input is how an image becomes the model's input: brought to Config.Size and
// Config.Channels, then each channel to (v/255 - Mean)/Std.
type Input struct {
	Order string    `json:"order"` // of the channels: rgb or gray; none for feature rows
	Mean  []float32 `json:"mean"`
	Std   []float32 `json:"std"`
}

const (
	aboutKey    = "model" // in the file's metadata
	aboutSchema = 1
)

// check says what in a is contradictory.
func (a *About) check() error {
	c, err := Resolve(a.Name, a.Config)
	switch {
	case a.Schema != aboutSchema:
		return fmt.Errorf("schema %d of a model's description, want %d: it was written by another version", a.Schema, aboutSchema)
	case err != nil:
		return err
	case len(a.Classes) != c.Classes:
		return fmt.Errorf("%d class names for %d classes", len(a.Classes), c.Classes)
	case len(a.Input.Mean) != c.Channels || len(a.Input.Std) != c.Channels:
		return fmt.Errorf("%d means and %d deviations for %d channels", len(a.Input.Mean), len(a.Input.Std), c.Channels)
	case a.Input.Order != "rgb" && a.Input.Order != "gray" && a.Input.Order != "none":
		return fmt.Errorf("channel order %q, want rgb, gray or none", a.Input.Order)
	}
	a.Config = c
	return nil
}

// Save writes s to a safetensors file, whole or not at all. The tensors have
// PyTorch's names; the metadata "model" is About as JSON.
func Save(path string, s *Saved) error {
	about := s.About
	about.Schema = aboutSchema
	if err := about.check(); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	text, err := json.Marshal(about)
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	f := &safetensors.File{Tensors: State(s.Model), Meta: map[string]string{}}
	maps.Copy(f.Meta, s.Meta)
	f.Meta[aboutKey] = string(text)
	return safetensors.WriteFile(path, f)
}

// Open makes the model that Save wrote to path.
func Open(path string) (*Saved, error) {
	f, err := safetensors.ReadFile(path)
	if err != nil {
		return nil, err
	}
	s, err := open(f)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return s, nil
}

func open(f *safetensors.File) (*Saved, error) {
	s := &Saved{Meta: maps.Clone(f.Meta)}
	text, ok := s.Meta[aboutKey]
	if !ok {
		return nil, fmt.Errorf("the metadata has no %q, which describes a model: these are tensors alone", aboutKey)
	}
	delete(s.Meta, aboutKey)
	if err := json.Unmarshal([]byte(text), &s.About); err != nil {
		return nil, fmt.Errorf("metadata %q: %w", aboutKey, err)
	}
	if err := s.About.check(); err != nil {
		return nil, fmt.Errorf("metadata %q: %w", aboutKey, err)
	}
	have := 0
	for _, t := range f.Tensors {
		have += t.Size()
	}
	if least := leastSize(s.About.Name, s.About.Config); have < least {
		return nil, fmt.Errorf("metadata %q describes a model of at least %d numbers, the file has %d", aboutKey, least, have)
	}
	m, err := New(s.About.Name, s.About.Config)
	if err != nil {
		return nil, err
	}
	s.Model = m
	return s, Load(m, f.Tensors)
}

// leastSize is a number of parameters that the model surely has, so that a
// file of a few bytes cannot ask for all memory.
func leastSize(name string, c Config) int {
	switch name {
	case "linear":
		return c.Classes * c.Channels * c.Size * c.Size
	case "mlp":
		return c.Width * (c.Channels*c.Size*c.Size + c.Width + c.Classes)
	}
	return c.Width * (9*c.Channels + 128*c.Width + 4*c.Classes) // CIFAR's conv1, the last convolutions, head
}
