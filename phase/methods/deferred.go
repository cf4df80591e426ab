package methods

import (
	"slices"

	"phase/phase/train"
)

// The methods of this file train the whole network to the end and begin to
// reweigh where the learning rate first drops: there the features are good, and
// what weights do to them small (deferred reweighting, Cao et al., NeurIPS 2019).

var (
	drw = train.Preset{Name: "drw", Doc: "cross-entropy, or another loss, its weights deferred: effective numbers from the first milestone on (DRW, Cao et al., NeurIPS 2019), the whole network throughout", Set: func(c *train.Config) {
		deferred(c, "effective")
	}}
	adrw = train.Preset{Name: "adrw", Doc: "cross-entropy, or another loss, with deferred weights (N_j/N)^-gamma (ADRW, Wang et al., NeurIPS 2023), the whole network throughout", Set: func(c *train.Config) {
		deferred(c, "adrw")
	}}
	area = train.Preset{Name: "area", Doc: "cross-entropy, then AREA's class weights, recomputed every epoch (Chen et al., ICCV 2023), the whole network throughout", Set: func(c *train.Config) {
		deferred(c, "area")
		c.Recompute = true
	}}
)

// deferred makes stage 2 the same training with weights.
func deferred(c *train.Config, weights string) {
	c.Stage2Loss, c.Stage2Weights = c.Loss, weights
	c.Whole()
}

func init() {
	train.AddPreset(drw, adrw, area,
		train.Preset{Name: "ldam-drw", Doc: "label-distribution-aware margins, then also DRW's weights (Cao et al., NeurIPS 2019), the whole network throughout", Set: func(c *train.Config) {
			c.Loss = "ldam"
			deferred(c, "effective")
		}},
		train.Preset{Name: "vs-adrw", Doc: "vector scaling, then also ADRW's weights with gamma 0.25 (Wang et al., NeurIPS 2023), the whole network throughout", Set: func(c *train.Config) {
			c.Loss = "vs"
			deferred(c, "adrw")
			c.Use("gamma", .25)
		}},
		train.Preset{Name: "vs-adrw-tla", Doc: "vector scaling, then ADRW's weights with gamma 0.25 and logits that are shifted only (TLA, Wang et al., NeurIPS 2023), the whole network throughout", Set: func(c *train.Config) {
			c.Loss = "vs"
			deferred(c, "adrw")
			c.Use("gamma", .25)
			c.Stage2Loss = "logit-adjust"
		}},
		// Park et al.'s program begins with the influence after 100 of 200 epochs,
		// with a hundredth of the learning rate, and has the usual drops to another
		// hundredth, twice.
		train.Preset{Name: "ib", Doc: "cross-entropy for half of the epochs, then the influence-balanced loss at a hundredth of the rate (IB, Park et al., ICCV 2021), the whole network throughout", Set: func(c *train.Config) {
			c.Stage2Loss, c.LRFactor = "ib", .01
			c.Milestones = slices.Compact([]int{c.Epochs / 2, c.Epochs * 8 / 10, c.Epochs * 9 / 10})
			c.Whole()
		}},
	)
}
