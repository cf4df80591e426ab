package train

import (
	"context"
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"

	"phase/autograd"
	"phase/nn"
	"phase/phase/data"
	"phase/tensor"
)

// A Candidate is values of some parameters and how good they were on the
// calibration images.
type Candidate struct {
	Values map[string]float64 `json:"values"` // by the parameters' names
	Score  float64            `json:"score"`  // the higher the better: balanced accuracy, or what the Posthoc says
}

// A Chosen is the best of some candidates, the first of equals, and part of
// result.json.
type Chosen struct {
	Candidate
	Images int         `json:"images"` // on which it was chosen
	Among  []Candidate `json:"among"`
}

// A choice is a parameter and the values it is chosen from.
type choice struct {
	name string
	from []float64
}

// mostCandidates is how many combinations of values are tried at the most.
const mostCandidates = 1000

// parseChoices reads choices as --choose has them, with spaces between:
// "alpha=0:1:0.1 gamma=0.5,1".
func parseChoices(text string) (all []choice, err error) {
	n := 1
	for _, word := range strings.Fields(text) {
		name, list, _ := strings.Cut(word, "=")
		x := choice{name: name}
		for part := range strings.SplitSeq(list, ",") {
			values, ok := parseValues(part)
			if !ok {
				return nil, fmt.Errorf("--choose %q: want NAME=VALUES, numbers with commas between them or FIRST:LAST:STEP", word)
			}
			x.from = append(x.from, values...)
		}
		if slices.ContainsFunc(all, func(y choice) bool { return y.name == name }) {
			return nil, fmt.Errorf("--choose %q: %s is there twice", text, name)
		}
		if n *= len(x.from); n > mostCandidates {
			return nil, fmt.Errorf("--choose %q: more than %d combinations", text, mostCandidates)
		}
		all = append(all, x)
	}
	return all, nil
}

// parseValues reads a number, or FIRST:LAST:STEP.
func parseValues(text string) (values []float64, ok bool) {
	var v []float64
	for s := range strings.SplitSeq(text, ":") {
		x, err := strconv.ParseFloat(s, 64)
		if err != nil || math.IsNaN(x) || math.IsInf(x, 0) {
			return nil, false
		}
		v = append(v, x)
	}
	if len(v) == 1 {
		return v, true
	}
	if len(v) != 3 || !(v[2] > 0) || v[1] < v[0] || (v[1]-v[0])/v[2] > mostCandidates {
		return nil, false
	}
	for i := range 1 + int((v[1]-v[0])/v[2]+1e-9) {
		// As one would write it: 0.3, not 0.30000000000000004.
		x, err := strconv.ParseFloat(strconv.FormatFloat(v[0]+float64(i)*v[2], 'g', 12, 64), 64)
		if err != nil {
			return nil, false
		}
		values = append(values, x)
	}
	return values, true
}

// resolveChoose adds the choices that the posthoc makes unless it is told, and
// checks all.
func (c *Config) resolveChoose() error {
	all, err := parseChoices(c.Choose)
	if err != nil {
		return err
	}
	named := func(name string) bool {
		_, given := c.Params[name]
		return given || slices.ContainsFunc(all, func(x choice) bool { return x.name == name })
	}
	if p, err := c.posthoc(); err != nil {
		return err
	} else if p != nil {
		for word := range strings.FieldsSeq(p.Choose()) {
			if name, _, _ := strings.Cut(word, "="); !named(name) {
				c.Choose = strings.TrimSpace(c.Choose + " " + word)
			}
		}
		if all, err = parseChoices(c.Choose); err != nil {
			return err
		}
	}
	uses, err := c.uses()
	if err != nil {
		return err
	}
	for _, x := range all {
		stage := 0
		for _, u := range uses {
			for _, p := range u.params {
				if p.Name != x.name || slices.Contains(shared, p.Name) {
					continue
				}
				if stage == 0 {
					stage = u.stage
				}
				for _, v := range x.from {
					if _, err := p.Parse(fmt.Sprint(v)); err != nil {
						return fmt.Errorf("--choose %s: %v", x.name, err)
					}
				}
			}
		}
		switch {
		case stage == 0:
			return fmt.Errorf("--choose %s: nothing that the run names has such a parameter", x.name)
		case stage == 1:
			return fmt.Errorf("--choose %s: stage 1 depends on it, which is trained once", x.name)
		case stage == 2 && (!c.Freeze || c.NormShift):
			return fmt.Errorf("--choose %s: goes with --freeze and without --norm-shift: a classifier is trained for each value, on features that stay", x.name)
		case c.Params[x.name] != "":
			return fmt.Errorf("--choose %s: but --%s %s says what it is", x.name, x.name, c.Params[x.name])
		case c.Calibration == 0:
			return fmt.Errorf("--choose %s: chooses on images that are not trained on: --calibration keeps a share of them apart, or --%s says what it is", x.name, x.name)
		}
	}
	return nil
}

// choices are what --choose says of the parameters of a stage, 3 what follows
// training, or for stage 0 all of it.
func (c Config) choices(stage int) (of []choice) {
	all, _ := parseChoices(c.Choose) // checked by Resolve
	uses, _ := c.uses()
	for _, x := range all {
		if stage == 0 || slices.ContainsFunc(uses, func(u use) bool { return u.stage == stage && u.has(x.name) }) {
			of = append(of, x)
		}
	}
	return of
}

// combinations are all ways to take a value of each.
func combinations(of []choice) (all []map[string]float64) {
	if len(of) == 0 {
		return nil
	}
	rest := combinations(of[1:])
	if rest == nil {
		rest = []map[string]float64{{}}
	}
	for _, v := range of[0].from {
		for _, m := range rest {
			m = maps.Clone(m)
			m[of[0].name] = v
			all = append(all, m)
		}
	}
	return all
}

// choose takes the best of a stage's candidates by score, which is given the
// run's configuration with the candidate's values.
func (r *run) choose(stage int, score func(c Config) (float64, error)) error {
	d := Chosen{Images: r.s.Calibration.Len()}
	if d.Images == 0 {
		return fmt.Errorf("--choose %s: no class has an image to spare for --calibration %g", r.c.Choose, r.c.Calibration)
	}
	for _, values := range combinations(r.c.choices(stage)) {
		c := r.c
		for name, v := range values {
			c.Use(name, v)
		}
		s, err := score(c)
		if err == nil && (math.IsNaN(s) || math.IsInf(s, 0)) {
			err = fmt.Errorf("its score is %g", s)
		}
		x := Candidate{values, s}
		if err != nil {
			return fmt.Errorf("--choose: with %s: %w", x, err)
		}
		if d.Among = append(d.Among, x); len(d.Among) == 1 || s > d.Score {
			d.Candidate = x
		}
	}
	r.decide(d)
	r.o.Report(Event{Stage: r.stage(), Epoch: min(r.at.Epoch+1, r.c.Epochs), Epochs: r.c.Epochs,
		Note: fmt.Sprintf("%s, the best of %d on %d calibration images, with a score of %.4g", d.Candidate, len(d.Among), d.Images, d.Score)})
	return nil
}

// decide makes the run go on with what was chosen.
func (r *run) decide(d Chosen) {
	r.chosen = append(r.chosen, d)
	for name, v := range d.Values {
		r.c.Use(name, v)
	}
}

// String is the values, "alpha 0.3, gamma 1".
func (x Candidate) String() string {
	var words []string
	for _, name := range slices.Sorted(maps.Keys(x.Values)) {
		words = append(words, fmt.Sprintf("%s %g", name, x.Values[name]))
	}
	return strings.Join(words, ", ")
}

// chooseStage2 chooses stage 2's parameters before it begins: for each candidate
// the classifier is trained as stage 2 would, on features of images as they are,
// and put back.
func (r *run) chooseStage2(ctx context.Context) (err error) {
	r.chosen = nil
	if r.c.choices(2) == nil {
		return nil
	}
	s := &Source{Counts: r.s.Counts}
	if s.Train, err = r.frozenSet(ctx, r.s.Train, false, 0); err != nil {
		return err
	}
	if s.Test, err = r.frozenSet(ctx, r.s.Calibration, false, 0); err != nil {
		return err
	}
	head := r.model.Head()
	back := put(head)
	return r.choose(2, func(c Config) (float64, error) {
		defer back()
		c.Stage2Augment = "none"
		t := &run{c: c, o: Options{Workers: r.o.Workers, Device: r.o.Device, Report: func(Event) {}}, s: s, dir: r.dir, model: &headOnly{head},
			at: position{Epoch: r.at.Epoch}, frozen: &frozen{[]data.Dataset{s.Train}, s.Test}}
		if err := t.enterStage2(); err != nil {
			return 0, err
		}
		for t.at.Epoch < c.Epochs {
			if _, err := t.train(ctx); err != nil {
				return 0, err
			}
			t.at = position{Epoch: t.at.Epoch + 1}
		}
		a, err := t.evaluate(ctx)
		return a.Balanced, err
	})
}

// put notes the numbers of a module; back puts them back.
func put(m any) (back func()) {
	was := map[string]*tensor.Tensor{}
	for name, t := range nn.State(m) {
		was[name] = t.To(t.Device())
	}
	return func() {
		for name, t := range nn.State(m) {
			tensor.Move(t, was[name])
		}
	}
}

// headOnly is a classifier as a model, of features.
type headOnly struct{ Classifier nn.Head }

func (m *headOnly) Head() nn.Head                                      { return m.Classifier }
func (m *headOnly) Features(_ *nn.Pass, x *autograd.Var) *autograd.Var { return x }
func (m *headOnly) Forward(p *nn.Pass, x *autograd.Var) *autograd.Var {
	return m.Classifier.Forward(p, x)
}
