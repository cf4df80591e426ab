package train

import (
	"fmt"
	"strings"

	"phase/phase"
)

// A Preset is a named method: what it changes in a data set's recipe.
type Preset struct {
	Name, Doc string
	Set       func(c *Config)
}

// Presets lists the methods. Each is a setting of the same two arguments of
// one loss: how a sample's difficulty modulates it, and what it weighs.
func Presets() []Preset { return presets }

// FindPreset is the preset of that name; phase-paper is another name of phase.
func FindPreset(name string) (Preset, error) {
	if name == "phase-paper" {
		name = "phase"
	}
	var names []string
	for _, p := range presets {
		if p.Name == name {
			return p, nil
		}
		names = append(names, p.Name)
	}
	return Preset{}, fmt.Errorf("--method %q: want one of %s", name, strings.Join(names, ", "))
}

var presets = []Preset{
	{"phase", "DAW, then a frozen extractor and a classifier trained with MSR's weights", func(c *Config) {
		daw(c)
		c.Stage2 = "msr"
	}},
	{"phase-area", "DAW, then the whole network with MSR of AREA's class weight, recomputed every epoch, as AREA's own program does it", func(c *Config) {
		daw(c)
		c.Stage2, c.Local, c.Recompute = "msr", string(phase.Area), true
		whole(c)
	}},
	{"phase-literal", "the equations as printed, where they can be run at all: DAW by Eq 3, Eq 12 clamped to positive weights, Eq 14's 1/N; for study, expected to do badly", func(c *Config) {
		daw(c)
		c.Form, c.Stage2, c.Local, c.Reduction = "eq3", "msr", string(phase.Clamp), string(phase.Mean)
	}},
	{"ce", "cross-entropy, one stage", func(c *Config) {}},
	{"daw", "DAW, one stage", daw},
	{"msr", "cross-entropy, then MSR as in phase", func(c *Config) { c.Stage2 = "msr" }},
	{"focal", "focal loss with gamma 1 (Lin et al., ICCV 2017; LDAM's setting), one stage", func(c *Config) { c.GammaPos = 1 }},
	{"label-smoothing", "cross-entropy with labels smoothed by 0.1 (Szegedy et al., CVPR 2016), one stage", func(c *Config) { c.Smooth = .1 }},
	{"cb", "cross-entropy weighted by effective numbers of samples (Cui et al., CVPR 2019), one stage", func(c *Config) { c.Stage1Weight = "effective" }},
	{"cb-focal", "focal loss with gamma 1, weighted by effective numbers (Cui et al., CVPR 2019), one stage", func(c *Config) {
		c.GammaPos, c.Stage1Weight = 1, "effective"
	}},
	{"drw", "cross-entropy, its weights deferred: effective numbers from the first milestone on (Cao et al., NeurIPS 2019), the whole network throughout", func(c *Config) {
		c.Stage2 = "effective"
		whole(c)
	}},
	{"area", "cross-entropy, then AREA's class weights, recomputed every epoch (Chen et al., ICCV 2023), the whole network throughout", func(c *Config) {
		c.Stage2, c.Recompute = "area", true
		whole(c)
	}},
}

// daw sets DAW's loss.
func daw(c *Config) {
	c.GammaPos, c.GammaNeg, c.Smooth = phase.DAW.GammaPos, phase.DAW.GammaNeg, phase.DAW.Smooth
}

// whole makes stage 2 go on with the whole network and with stage 1's schedule,
// as LDAM's deferred reweighting and its descendants do.
func whole(c *Config) { c.Freeze, c.Stage2LR, c.Stage2Augment = false, 0, "same" }
