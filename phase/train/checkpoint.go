package train

import (
	"encoding/json"
	"fmt"
	"math"
	"strconv"
	"strings"

	"phase/nn"
	"phase/phase/longtail"
	"phase/tensor"
	"phase/tensor/safetensors"
)

// A state is what a checkpoint holds besides tensors. The tensors are the
// model's ("model.NAME"), those of modules trained beside it ("beside.NAME"),
// the optimizer's ("optim.NAME") and the weights of the present stage
// ("weights.class", "weights.sample").
type state struct {
	At      position          `json:"at"`
	History []Epoch           `json:"history"`
	Stages  []StageResult     `json:"stages"`
	Last    longtail.Accuracy `json:"last"`    // the last evaluation, by class
	Weights string            `json:"weights"` // their kind; "" without
	Chosen  []Chosen          `json:"chosen,omitempty"`
}

// save writes a checkpoint to the run directory, whole or not at all. A model
// with a number that is not finite is not saved.
func (r *run) save(name string) error {
	f := &safetensors.File{Tensors: map[string]*tensor.Tensor{}, Meta: map[string]string{}}
	for name, t := range nn.State(r.model) {
		if err := finite(name, t); err != nil {
			return fmt.Errorf("after epoch %d, step %d: %v; not saved over the last good checkpoint in %s", r.at.Epoch, r.at.Step, err, r.dir.path)
		}
		f.Tensors["model."+name] = t
	}
	for _, p := range r.parts {
		for name, t := range nn.State(p.Module) {
			f.Tensors["beside."+p.Name+"."+name] = t
		}
	}
	for name, t := range r.opt.State() {
		f.Tensors["optim."+name] = t
	}
	s := state{At: r.at, History: r.history, Stages: r.stages, Last: r.last, Chosen: r.chosen}
	if r.weights != nil {
		s.Weights = r.weights.kind
		f.Tensors["weights.class"] = tensor.Of(r.weights.class, len(r.weights.class))
		f.Tensors["weights.sample"] = tensor.Of(r.weights.sample, len(r.weights.sample))
	}
	text, err := json.Marshal(s)
	if err != nil {
		return err
	}
	f.Meta["state"] = string(text)
	f.Meta["state_schema"] = strconv.Itoa(Schema)
	if err := safetensors.WriteFile(r.dir.file(name), f); err != nil {
		return err
	}
	if name == CheckpointFile {
		r.saved = r.at.Epoch
	}
	return nil
}

func finite(name string, t *tensor.Tensor) error {
	if t.DType() != tensor.F32 {
		return nil
	}
	for i, v := range tensor.Fetch[float32](t) {
		if math.IsNaN(float64(v)) || math.IsInf(float64(v), 0) {
			return fmt.Errorf("%s[%d] is %g", name, i, v)
		}
	}
	return nil
}

// A saved checkpoint is what a file of one holds.
type saved struct {
	path string
	state
	tensors map[string]*tensor.Tensor
}

func readCheckpoint(path string) (*saved, error) {
	f, err := safetensors.ReadFile(path)
	if err != nil {
		return nil, err
	}
	if f.SHA256 == "" {
		return nil, fmt.Errorf("%s: without a checksum: no checkpoint that this program wrote", path)
	}
	if v := f.Meta["state_schema"]; v != strconv.Itoa(Schema) {
		return nil, fmt.Errorf("%s: state schema %q, this program reads %d", path, v, Schema)
	}
	s := &saved{path: path, tensors: f.Tensors}
	if err := json.Unmarshal([]byte(f.Meta["state"]), &s.state); err != nil {
		return nil, fmt.Errorf("%s: its state: %v", path, err)
	}
	return s, nil
}

// under is the tensors whose names begin with prefix, by the rest of the name.
func (s *saved) under(prefix string) map[string]*tensor.Tensor {
	m := map[string]*tensor.Tensor{}
	for name, t := range s.tensors {
		if n, ok := strings.CutPrefix(name, prefix); ok {
			m[n] = t
		}
	}
	return m
}

// restore puts the run where a checkpoint left it.
func (r *run) restore(s *saved) error {
	if err := nn.Load(r.model, s.under("model.")); err != nil {
		return fmt.Errorf("%s: %v", s.path, err)
	}
	if s.At.Epoch < 0 || s.At.Epoch > r.c.Epochs || s.At.Step < 0 || len(s.History) != s.At.Epoch {
		return fmt.Errorf("%s: its position, epoch %d, step %d with %d epochs recorded, is not one of this run", s.path, s.At.Epoch, s.At.Step, len(s.History))
	}
	r.at, r.saved, r.history, r.stages, r.last = s.At, s.At.Epoch, s.History, s.Stages, s.Last
	if s.Weights != "" {
		class, sample := s.tensors["weights.class"], s.tensors["weights.sample"]
		if class == nil || sample == nil || class.Size() != len(r.s.Counts) || sample.Size() != r.s.Train.Len() {
			return fmt.Errorf("%s: its %s weights do not fit the data", s.path, s.Weights)
		}
		r.weights = &weights{kind: s.Weights, class: tensor.Data[float64](class), sample: tensor.Data[float32](sample)}
	}
	// An optimizer is entered at the beginning of a stage, so a checkpoint
	// between the stages still holds that of stage 1. What stage 2 chooses is
	// chosen anew.
	at := r.at.Epoch
	if r.at.Step == 0 && at == r.c.firstOfStage2() && at > 0 {
		r.at.Epoch--
	} else {
		for _, d := range s.Chosen {
			r.decide(d)
		}
	}
	err := r.enter()
	r.at.Epoch = at
	if err != nil {
		return err
	}
	for _, p := range r.parts {
		if err := nn.Load(p.Module, s.under("beside."+p.Name+".")); err != nil {
			return fmt.Errorf("%s: %s: %v", s.path, p.Name, err)
		}
	}
	if err := r.opt.Load(s.under("optim.")); err != nil {
		return fmt.Errorf("%s: %v", s.path, err)
	}
	return nil
}
