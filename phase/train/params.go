package train

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"

	"phase/phase"
	"phase/phase/kind"
)

// Params are the parameters of the kinds that a Config names, as text by name.
// They are changed through Config.Use, which copies: two Configs share none.
type Params map[string]string

// Use sets a parameter of whichever kinds know it.
func (c *Config) Use(name string, value any) {
	p := maps.Clone(c.Params)
	if p == nil {
		p = Params{}
	}
	p[name] = fmt.Sprint(value)
	c.Params = p
}

// A group is the parameters of the kinds of one table, under a heading.
type group struct {
	heading string
	params  []kind.Param
}

func groups() []group {
	return []group{
		{"Stage 1: the loss", phase.Losses.Params()},
		{"Stage 1: what a step minimises", Objectives.Params()},
		{"Stage 2: the weights", phase.Weightings.Params()},
		{"Stage 1: what a step minimises", Samplers.Params()},
		{"After training", Posthocs.Params()},
	}
}

// lookup is the text of a setting that a kind has as its parameter: one of the
// kinds' own, or one of every run, such as the seed.
func (c Config) lookup(name string) (text string, ok bool) {
	if text, ok = c.Params[name]; ok {
		return text, true
	}
	switch name {
	case "seed": // of the order of samples, which longtail.Permutation draws
		return strconv.FormatUint(uint64(uint32(c.Seed)), 10), true
	case "scale":
		return strconv.FormatFloat(c.Scale, 'g', -1, 64), true
	}
	return "", false
}

// shared are the settings that kinds have among their parameters.
var shared = []string{"seed", "scale"}

// with is the kind of that name with the run's parameters.
func with[T any](c Config, t *kind.Table[T], setting, name string) (of T, err error) {
	k, err := t.Find(name)
	if err != nil {
		return of, fmt.Errorf("--%s: %v", setting, err)
	}
	return k.With(c.lookup)
}

// Loss1 is stage 1's loss.
func (c Config) Loss1() (phase.Loss, error) { return with(c, phase.Losses, "loss", c.Loss) }

// Loss2 is stage 2's.
func (c Config) Loss2() (phase.Loss, error) {
	return with(c, phase.Losses, "stage2-loss", c.Stage2Loss)
}

// Weighting1 is what samples weigh in stage 1, or nil.
func (c Config) Weighting1() (phase.Weighting, error) {
	return c.weighting("stage1-weights", c.Stage1Weights)
}

// Weighting2 is what they weigh in stage 2, or nil.
func (c Config) Weighting2() (phase.Weighting, error) {
	return c.weighting("stage2-weights", c.Stage2Weights)
}

func (c Config) weighting(setting, name string) (phase.Weighting, error) {
	if name == "none" {
		return nil, nil
	}
	return with(c, phase.Weightings, setting, name)
}

func (c Config) objective() (Objective, error) { return with(c, Objectives, "objective", c.Objective) }

func (c Config) posthoc() (Posthoc, error) {
	if c.Posthoc == "none" {
		return nil, nil
	}
	return with(c, Posthocs, "posthoc", c.Posthoc)
}

// A use is a kind that the run names, with its parameters.
type use struct {
	params []kind.Param
	stage  int // 1 or 2, or 3 for what follows training
}

// has reports whether the kind has the parameter.
func (u use) has(name string) bool {
	return slices.ContainsFunc(u.params, func(p kind.Param) bool { return p.Name == name })
}

// uses lists the kinds that the run names, and checks their parameters.
func (c Config) uses() (all []use, err error) {
	add := func(stage int, params []kind.Param, e error) {
		all = append(all, use{params, stage})
		if err == nil {
			err = e
		}
	}
	name := func(n string) bool { return n != "none" }
	k, e := find(phase.Losses, "loss", c.Loss, c)
	add(1, k, e)
	k, e = find(Objectives, "objective", c.Objective, c)
	add(1, k, e)
	k, e = find(Samplers, "sampler", c.Sampler, c)
	add(1, k, e)
	if name(c.Stage1Weights) {
		k, e = find(phase.Weightings, "stage1-weights", c.Stage1Weights, c)
		add(1, k, e)
	}
	if c.TwoStages() {
		k, e = find(phase.Losses, "stage2-loss", c.Stage2Loss, c)
		add(2, k, e)
		k, e = find(Samplers, "stage2-sampler", c.Stage2Sampler, c)
		add(2, k, e)
		if name(c.Stage2Weights) {
			k, e = find(phase.Weightings, "stage2-weights", c.Stage2Weights, c)
			add(2, k, e)
		}
	}
	if name(c.Posthoc) {
		k, e = find(Posthocs, "posthoc", c.Posthoc, c)
		add(3, k, e)
	}
	return all, err
}

// find is the parameters of the kind of that name.
func find[T any](t *kind.Table[T], setting, name string, c Config) ([]kind.Param, error) {
	k, err := t.Find(name)
	if err != nil {
		return nil, fmt.Errorf("--%s: %v", setting, err)
	}
	_, err = k.With(c.lookup)
	return k.Params(), err
}

// Knows reports whether some kind that the run names has the parameter.
func (c Config) Knows(name string) bool {
	all, _ := c.uses()
	return slices.ContainsFunc(all, func(u use) bool { return u.has(name) })
}

// fillParams makes Params those of the kinds that the run names, each with its
// value: what was left open is what the kind usually has. Where two of the kinds
// differ in that, it stays open, and each has its own. So does what is chosen.
func (c *Config) fillParams() error {
	all, err := c.uses()
	if err != nil {
		return err
	}
	p, open := Params{}, map[string]bool{}
	for _, u := range all {
		for _, q := range u.params {
			text, given := c.Params[q.Name]
			if !given {
				text = fmt.Sprint(q.Usual)
			}
			if other, ok := p[q.Name]; ok && other != text {
				open[q.Name] = true
			}
			p[q.Name] = text
		}
	}
	for _, x := range c.choices(0) {
		open[x.name] = true
	}
	maps.DeleteFunc(p, func(name, _ string) bool { return open[name] || slices.Contains(shared, name) })
	c.Params = p
	return nil
}

// A param is a parameter of the kinds as one of the settings of a Config: a
// flag by its methods String, Set and Type. It is "" where it is left open.
type param struct {
	c *Config
	kind.Param
}

func (p *param) String() string { return p.c.Params[p.Name] }

// Set sets the text; what it may be depends on the kind, and Resolve sees to it.
func (p *param) Set(text string) error { p.c.Use(p.Name, text); return nil }

// Default is the usual value for help texts, where the kinds agree in it.
func (p *param) Default() string {
	if p.Varies {
		return "by kind"
	}
	return fmt.Sprint(p.Usual)
}

// Type is a word for help texts.
func (p *param) Type() string {
	switch p.Usual.(type) {
	case float64:
		return "float"
	case int:
		return "int"
	case uint32:
		return "uint32"
	case bool:
		return "bool"
	}
	return "string"
}

// IsBoolFlag lets a flag stand without a value.
func (p *param) IsBoolFlag() bool { _, ok := p.Usual.(bool); return ok }

// Value is the parameter as a value, nil where it is left open.
func (p *param) Value() any {
	text, ok := p.c.Params[p.Name]
	if !ok {
		return nil
	}
	q := p.Param
	q.Of = nil
	if v, err := q.Parse(text); err == nil {
		return v
	}
	return text
}

// MarshalJSON writes the value.
func (p *param) MarshalJSON() ([]byte, error) { return json.Marshal(p.Value()) }

// UnmarshalJSON reads it.
func (p *param) UnmarshalJSON(b []byte) error {
	var v any
	if err := json.Unmarshal(b, &v); err != nil {
		return err
	}
	switch v := v.(type) {
	case string:
		p.c.Use(p.Name, v)
	case float64, bool:
		p.c.Use(p.Name, string(b)) // as it was written: no digit is lost
	default:
		return fmt.Errorf("want a number, a word, true or false")
	}
	return nil
}
