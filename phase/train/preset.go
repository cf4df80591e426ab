package train

import (
	"fmt"
	"slices"
	"strings"
)

// A Preset is a named method: what it changes in a data set's recipe.
type Preset struct {
	Name, Doc string
	Set       func(c *Config)
}

var presets []Preset

// AddPreset adds methods to the list. A name that is taken panics.
func AddPreset(list ...Preset) {
	for _, p := range list {
		if slices.ContainsFunc(presets, func(q Preset) bool { return q.Name == p.Name }) {
			panic("train: a second method called " + p.Name)
		}
		presets = append(presets, p)
	}
}

// Presets lists the methods, by name.
func Presets() []Preset {
	return slices.SortedFunc(slices.Values(presets), func(a, b Preset) int { return strings.Compare(a.Name, b.Name) })
}

// FindPreset is the preset of that name; phase-paper is another name of phase.
func FindPreset(name string) (Preset, error) {
	if name == "phase-paper" {
		name = "phase"
	}
	var names []string
	for _, p := range Presets() {
		if p.Name == name {
			return p, nil
		}
		names = append(names, p.Name)
	}
	return Preset{}, fmt.Errorf("--method %q: want one of %s", name, strings.Join(names, ", "))
}

// Whole makes stage 2 go on with the whole network and with stage 1's schedule,
// as LDAM's deferred reweighting and its descendants do.
func (c *Config) Whole() { c.Freeze, c.Stage2LR, c.Stage2Augment = false, 0, "same" }
