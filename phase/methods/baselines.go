package methods

import "phase/phase/train"

// The methods of this file have one stage and one loss.

func init() {
	for _, p := range []struct{ name, doc, loss, weights string }{
		{"ce", "cross-entropy", "ce", "none"},
		{"focal", "focal loss with gamma 1 (Lin et al., ICCV 2017; LDAM's setting)", "focal", "none"},
		{"label-smoothing", "cross-entropy with labels smoothed by 0.1 (Szegedy et al., CVPR 2016)", "label-smoothing", "none"},
		{"cs-ce", "cross-entropy weighted by inverse frequency (cost-sensitive learning, as compared by Zhang et al., AAAI 2021)", "ce", "inverse"},
		{"cb", "cross-entropy weighted by effective numbers of samples (Cui et al., CVPR 2019)", "ce", "effective"},
		{"cb-focal", "focal loss with gamma 1, weighted by effective numbers (Cui et al., CVPR 2019)", "focal", "effective"},
		{"ldam", "label-distribution-aware margins on cosines (LDAM, Cao et al., NeurIPS 2019)", "ldam", "none"},
		{"balanced-softmax", "cross-entropy of logits plus the logarithms of the counts (Ren et al., NeurIPS 2020)", "balanced-softmax", "none"},
		{"logit-adjust", "cross-entropy of logits plus the logarithms of the classes' shares (Menon et al., ICLR 2021)", "logit-adjust", "none"},
		{"vs", "cross-entropy of logits scaled and shifted by class (vector scaling, Kini et al., NeurIPS 2021)", "vs", "none"},
		{"las", "label-aware smoothing, more for the frequent classes (Zhong et al., CVPR 2021)", "las", "none"},
	} {
		train.AddPreset(train.Preset{Name: p.name, Doc: p.doc + ", one stage", Set: func(c *train.Config) { c.Loss, c.Stage1Weights = p.loss, p.weights }})
	}
}
