package train

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"phase/autograd"
	"phase/nn"
	"phase/phase/kind"
	"phase/tensor"
)

// A Posthoc changes a trained linear classifier without training it.
type Posthoc interface {
	// Apply changes the classifier in place. counts are the training images of
	// each class.
	Apply(h *nn.Linear, counts []int)
	// Choose is what its parameters are chosen from on the calibration images if
	// nothing says what they are, as --choose has it; "" leaves them as they
	// usually are.
	Choose() string
	// Score is how good logits of calibration images (n rows of len(counts)) are;
	// the highest is the best.
	Score(logits []float32, labels, counts []int) (float64, error)
	// String says what it is, with its parameter: "tau-norm 0.7".
	String() string
}

// Posthocs is the table of what can be done to a trained classifier.
var Posthocs = &kind.Table[Posthoc]{What: "posthoc"}

// Adjust does to the model's classifier, before the model is used, what --posthoc
// does at the end of a run, and says what that is. A parameter that a run would
// choose on its calibration images has to be among params.
func (m *Model) Adjust(name string, params Params) (what string, err error) {
	head, linear := m.Model.Head().(*nn.Linear)
	if !linear {
		return "", fmt.Errorf("--posthoc %s changes a linear classifier, and this model's is a cosine one", name)
	}
	c := Config{Posthoc: name, Params: params}
	p, err := c.posthoc()
	if err != nil {
		return "", err
	}
	k, _ := Posthocs.Find(name) // found just now
	knows := use{params: k.Params()}.has
	for _, of := range slices.Sorted(maps.Keys(params)) {
		if !knows(of) {
			return "", fmt.Errorf("--%s has no meaning for --posthoc %s", of, name)
		}
	}
	for word := range strings.FieldsSeq(p.Choose()) {
		if of, _, _ := strings.Cut(word, "="); params[of] == "" {
			return "", fmt.Errorf("--posthoc %s: want --%s too: there are no calibration images to choose it by", name, of)
		}
	}
	p.Apply(head, m.Counts)
	return fmt.Sprint(p), nil
}

// adjust changes the trained classifier without training it, where the run says
// so, and evaluates it once more. It is a stage of no epochs.
func (r *run) adjust(ctx context.Context) error {
	if r.c.Posthoc == "none" {
		return nil
	}
	head := r.model.Head().(*nn.Linear)
	if r.c.choices(3) != nil {
		x, labels, err := r.features(ctx, r.s.Calibration, false, 0)
		if err != nil {
			return err
		}
		back := put(head)
		err = r.choose(3, func(c Config) (float64, error) {
			defer back()
			p, err := c.posthoc()
			if err != nil {
				return 0, err
			}
			onHost(r.o.Device, head, func() { p.Apply(head, r.s.Counts) })
			pass := r.c.pass()
			return p.Score(tensor.Fetch[float32](head.Forward(&pass, autograd.Const(x)).Value), labels, r.s.Counts)
		})
		if err != nil {
			return err
		}
	}
	p, err := r.c.posthoc()
	if err != nil {
		return err
	}
	onHost(r.o.Device, head, func() { p.Apply(head, r.s.Counts) })
	if r.last, err = r.evaluate(ctx); err != nil {
		return err
	}
	r.stages = append(r.stages, StageResult{Name: fmt.Sprint(p), Accuracy: summary(r.last)})
	return nil
}
