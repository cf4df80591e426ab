package methods

import "phase/phase/train"

func init() {
	train.AddPreset(
		train.Preset{Name: "ce", Doc: "cross-entropy, one stage", Set: func(*train.Config) {}},
		train.Preset{Name: "focal", Doc: "focal loss with gamma 1 (Lin et al., ICCV 2017; LDAM's setting), one stage", Set: func(c *train.Config) { c.Loss = "focal" }},
		train.Preset{Name: "label-smoothing", Doc: "cross-entropy with labels smoothed by 0.1 (Szegedy et al., CVPR 2016), one stage", Set: func(c *train.Config) { c.Loss = "label-smoothing" }},
		train.Preset{Name: "drw", Doc: "cross-entropy, its weights deferred: effective numbers from the first milestone on (Cao et al., NeurIPS 2019), the whole network throughout", Set: func(c *train.Config) {
			c.Stage2Weights = "effective"
			c.Whole()
		}},
		train.Preset{Name: "area", Doc: "cross-entropy, then AREA's class weights, recomputed every epoch (Chen et al., ICCV 2023), the whole network throughout", Set: func(c *train.Config) {
			c.Stage2Weights, c.Recompute = "area", true
			c.Whole()
		}},
		train.Preset{Name: "cb", Doc: "cross-entropy weighted by effective numbers of samples (Cui et al., CVPR 2019), one stage", Set: func(c *train.Config) { c.Stage1Weights = "effective" }},
		train.Preset{Name: "cb-focal", Doc: "focal loss with gamma 1, weighted by effective numbers (Cui et al., CVPR 2019), one stage", Set: func(c *train.Config) {
			c.Loss, c.Stage1Weights = "focal", "effective"
		}},
	)
}
