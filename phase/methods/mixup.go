package methods

import (
	"fmt"
	"math"
	"math/rand/v2"

	"phase/autograd"
	"phase/kernels"
	"phase/phase/kind"
	"phase/phase/train"
	"phase/tensor"

	"gonum.org/v1/gonum/stat/distuv"
)

// mixup trains on pairs of images (Zhang et al., "mixup: Beyond Empirical Risk
// Minimization", ICLR 2018). Each image of a batch is mixed with one of the same
// batch, all in one proportion,
//
//	x = λ·x_a + (1-λ)·x_b,  loss λ·L(z, y_a) + (1-λ)·L(z, y_b),  λ ~ Beta(α, α),
//
// with L the run's loss, reduced as the run says. It mixes rows of features too.
type mixup struct {
	Alpha float64 `name:"mix-alpha" range:"0.05.." help:"of the proportion in which two images are mixed, which is drawn from Beta(alpha, alpha)"`
}

// Begin needs nothing besides the batch.
func (m mixup) Begin(*train.Setup) (func(*train.Step) (loss, logits *autograd.Var), error) {
	return m.step, nil
}

func (m mixup) step(s *train.Step) (loss, logits *autograd.Var) {
	r := s.Rand()
	lambda := proportion(r, m.Alpha)
	p := partners(s, r)
	return p.loss(s, lambda, blend(lambda, s.Tape.Watch(s.X), p.x))
}

// cutmix trains on images into which a box of another is pasted (Yun et al.,
// "CutMix", ICCV 2019). The box has a share 1-λ of the area, λ ~ Beta(α, α), and
// its middle anywhere; the losses of the two labels are blended by the area that
// is left of it within the image.
type cutmix struct {
	Alpha float64 `name:"mix-alpha" range:"0.05.." help:"of the proportion in which two images are mixed, which is drawn from Beta(alpha, alpha)"`
}

// Begin wants images.
func (m cutmix) Begin(s *train.Setup) (func(*train.Step) (loss, logits *autograd.Var), error) {
	return m.step, wantImages(s)
}

func (m cutmix) step(s *train.Step) (loss, logits *autograd.Var) {
	r := s.Rand()
	b := drawBox(r, proportion(r, m.Alpha), s.X.Shape())
	p := partners(s, r)
	return p.loss(s, 1-b.share(s.X.Shape()), b.paste(s.Tape.Watch(s.X), p.x))
}

// regMixup adds mixup to the loss of the batch as it is,
//
//	L(z(x), y) + η·mixup's loss,  α large: λ near 1/2
//
// (Pinto et al., "RegMixup: Mixup as a Regularizer Can Surprisingly Improve
// Accuracy and Out Distribution Robustness", NeurIPS 2022). As in SURE's program
// the two go through the network one after the other, each normalised by its own
// statistics.
type regMixup struct {
	Alpha  float64 `name:"mix-alpha" range:"0.05.." help:"of the proportion in which two images are mixed, which is drawn from Beta(alpha, alpha)"`
	Weight float64 `name:"mix-weight" range:"0.." help:"of mixup's loss beside that of the images as they are"`
}

// Begin needs nothing besides the batch.
func (m regMixup) Begin(*train.Setup) (func(*train.Step) (loss, logits *autograd.Var), error) {
	return func(s *train.Step) (loss, logits *autograd.Var) {
		features, logits := s.Forward(s.X)
		mixed, _ := mixup{m.Alpha}.step(s)
		return autograd.Add(s.Loss(features, logits, s.Y, s.Weights), autograd.Scale(mixed, m.Weight)), logits
	}, nil
}

// proportion draws λ from Beta(α, α).
func proportion(r *rand.Rand, alpha float64) float64 {
	return distuv.Beta{Alpha: alpha, Beta: alpha, Src: r}.Rand()
}

// blend is λ·a + (1-λ)·b.
func blend(lambda float64, a, b *autograd.Var) *autograd.Var {
	return autograd.Add(autograd.Scale(a, lambda), autograd.Scale(b, 1-lambda))
}

// A partner set is one sample for each of a batch to be mixed with.
type partnerSet struct {
	x       *autograd.Var
	labels  *tensor.Tensor
	weights []float32
}

// partners draws each sample's partner: the batch in another order.
func partners(s *train.Step, r *rand.Rand) partnerSet {
	n := len(s.Weights)
	index, labels, weights := make([]int64, n), make([]int64, n), make([]float32, n)
	for i, at := range r.Perm(n) {
		index[i], labels[i], weights[i] = int64(at), tensor.Data[int64](s.Y)[at], s.Weights[at]
	}
	return partnerSet{autograd.Gather(s.Tape.Watch(s.X), tensor.Of(index, n)), tensor.Of(labels, n), weights}
}

// loss is that of the mixed images x, λ of the batch's labels and 1-λ of the
// partners'.
func (p partnerSet) loss(s *train.Step, lambda float64, x *autograd.Var) (loss, logits *autograd.Var) {
	features, logits := s.Forward(x.Value)
	return blend(lambda, s.Loss(features, logits, s.Y, s.Weights), s.Loss(features, logits, p.labels, p.weights)), logits
}

// A box is rows y0 to y1-1 and columns x0 to x1-1 of an image.
type box struct{ y0, y1, x0, x1 int }

// drawBox draws a box of a share 1-λ of the images of shape (n,c,h,w). What
// hangs over their edge is cut off.
func drawBox(r *rand.Rand, lambda float64, shape tensor.Shape) (b box) {
	side := math.Sqrt(1 - lambda)
	span := func(n int) (lo, hi int) {
		half, middle := int(side*float64(n))/2, r.IntN(n)
		return max(middle-half, 0), min(middle+half, n)
	}
	b.y0, b.y1 = span(shape[2])
	b.x0, b.x1 = span(shape[3])
	return b
}

// share is the box's share of the images' area.
func (b box) share(shape tensor.Shape) float64 {
	return float64((b.y1-b.y0)*(b.x1-b.x0)) / float64(shape[2]*shape[3])
}

// paste is x with the box of other in it.
func (b box) paste(x, other *autograd.Var) *autograd.Var {
	h, w := x.Shape()[2], x.Shape()[3]
	one := tensor.New(x.Value.Device(), x.Value.DType(), 1, 1, b.y1-b.y0, b.x1-b.x0)
	kernels.For(one).Affine(kernels.Affine{Add: 1}, one, one)
	mask := autograd.Pad(autograd.Pad(autograd.Const(one), 2, b.y0, h-b.y1), 3, b.x0, w-b.x1)
	return autograd.Add(autograd.Mul(x, autograd.Affine(mask, -1, 1)), autograd.Mul(other, mask))
}

// wantImages is an error where the samples have no rows and columns.
func wantImages(s *train.Setup) error {
	if len(s.Shape) != 3 {
		return fmt.Errorf("it cuts boxes out of images, and the data are feature rows of shape %v", s.Shape)
	}
	return nil
}

func init() {
	for _, k := range []kind.Kind[train.Objective]{
		{Name: "mixup", Doc: "the loss of pairs of images mixed (Zhang et al., ICLR 2018)", Of: mixup{1}},
		{Name: "cutmix", Doc: "the loss of images with a box of another (Yun et al., ICCV 2019)", Of: cutmix{1}},
		{Name: "regmixup", Doc: "the loss of the batch and that of pairs mixed in nearly equal parts (Pinto et al., NeurIPS 2022)", Of: regMixup{10, 1}},
	} {
		train.Objectives.Add(k)
	}
	train.AddPreset(
		train.Preset{Name: "mixup", Doc: "cross-entropy of pairs of images mixed in a proportion of Beta(1,1) (Zhang et al., ICLR 2018), one stage", Set: func(c *train.Config) { c.Objective = "mixup" }},
		train.Preset{Name: "cutmix", Doc: "cross-entropy of images into which a box of another is pasted (Yun et al., ICCV 2019), one stage", Set: func(c *train.Config) { c.Objective = "cutmix" }},
		train.Preset{Name: "regmixup", Doc: "cross-entropy plus that of pairs mixed in a proportion of Beta(10,10) (Pinto et al., NeurIPS 2022), one stage", Set: func(c *train.Config) { c.Objective = "regmixup" }},
		train.Preset{Name: "sure", Doc: "RegMixup, a cosine classifier of scale 8 and SAM of rho 0.05 at a cosine rate (SURE: Li et al., CVPR 2024), one stage; its averaging of weights (SWA) and its fine-tuning with new weights are left out, its ranking loss has no weight on long tails", Set: func(c *train.Config) {
			c.Objective, c.Head, c.Scale, c.SAM = "regmixup", "cosine", 8, .05
			c.Schedule, c.Warmup = "cosine", 0
		}},
	)
}
