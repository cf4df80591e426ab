package methods

import (
	"phase/phase"
	"phase/phase/train"
)

func init() {
	train.AddPreset(
		train.Preset{Name: "phase", Doc: "DAW, then a frozen extractor and a classifier trained with MSR's weights (PHASE, Symmetry 2025)", Set: func(c *train.Config) {
			c.Loss, c.Stage2Weights = "daw", "msr"
		}},
		train.Preset{Name: "phase-area", Doc: "DAW, then the whole network with MSR (PHASE, Symmetry 2025) of AREA's class weight, recomputed every epoch, as AREA's own program does it", Set: func(c *train.Config) {
			c.Loss, c.Stage2Weights, c.Recompute = "daw", "msr", true
			c.Use("local", phase.Area)
			c.Whole()
		}},
		train.Preset{Name: "phase-literal", Doc: "PHASE's equations as printed (Symmetry 2025), where they can be run at all: DAW by Eq 3, Eq 12 clamped to positive weights, Eq 14's 1/N; for study, expected to do badly", Set: func(c *train.Config) {
			c.Loss, c.Stage2Weights, c.Reduction = "daw", "msr", string(phase.Mean)
			c.Use("form", "eq3")
			c.Use("local", phase.Clamp)
		}},
		train.Preset{Name: "daw", Doc: "DAW (PHASE, Symmetry 2025), one stage", Set: func(c *train.Config) { c.Loss = "daw" }},
		train.Preset{Name: "msr", Doc: "cross-entropy, or another loss, then MSR as in phase (PHASE, Symmetry 2025)", Set: func(c *train.Config) { c.Stage2Weights = "msr" }},
	)
	for _, p := range []train.Preset{drw, adrw, area, crt, lws, tauNorm, posthocAdjust} {
		train.AddPreset(train.Preset{Name: "daw-" + p.Name, Doc: "DAW in place of cross-entropy in stage 1 (PHASE, Symmetry 2025), then as " + p.Name, Set: func(c *train.Config) {
			c.Loss = "ce"
			p.Set(c)
			c.Loss = "daw"
		}})
	}
}
