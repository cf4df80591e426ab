package methods

import "phase/phase/train"

// The methods of this file learn features on the images as they come, and then
// a classifier on frozen features (decoupling, Kang et al., ICLR 2020).

var (
	// Kang et al. train ImageNet-LT's classifiers at a rate of 0.2 with batches of
	// 512, 10 epochs of cRT and 5 of LWS.
	crt = train.Preset{Name: "crt", Doc: "cross-entropy, then a new classifier on frozen features and class-balanced images (cRT, Kang et al., ICLR 2020)", Set: func(c *train.Config) {
		retrain(c, 10, .2/512)
		c.Reinit = true
	}}
	lws = train.Preset{Name: "lws", Doc: "cross-entropy, then a learned factor for each class's logit, all else frozen, on class-balanced images (LWS, Kang et al., ICLR 2020)", Set: func(c *train.Config) {
		retrain(c, 5, .2/512)
		c.ClassScales = "alone"
	}}
)

// retrain makes stage 2 one of a frozen extractor and class-balanced images, of
// so many epochs or, if that is fewer, a quarter of all. rate is the learning
// rate of an image: it grows with the batch, and falls along a cosine.
func retrain(c *train.Config, epochs int, rate float64) {
	c.Stage2Epochs = min(epochs, (c.Epochs+3)/4, max(c.Epochs-1, 0)) // one epoch is stage 1's
	c.Stage2LR, c.Stage2Schedule = rate*float64(c.Batch), "cosine"
	c.Stage2Sampler, c.Freeze = "balanced", true
}

func init() {
	train.AddPreset(crt, lws,
		// Zhong et al. train CIFAR-100-LT's stage 2 at a rate of 0.1 with batches of
		// 128, the classifier at a fifth of it.
		train.Preset{Name: "mislas", Doc: "mixup, then classifier and factors on frozen filters whose norms follow class-balanced images, with label-aware smoothing (MiSLAS, Zhong et al., CVPR 2021)", Set: func(c *train.Config) {
			c.Objective, c.Stage2Loss = "mixup", "las"
			retrain(c, 10, .1/128)
			c.NormShift = true
			c.ClassScales, c.Stage2HeadRate = "with-head", .2
		}},
	)
}
