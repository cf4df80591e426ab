package methods

import (
	"math/rand/v2"

	"phase/autograd"
	"phase/nn"
	"phase/phase"
	"phase/phase/kind"
	"phase/phase/train"
	"phase/tensor"
)

// glmc mixes each batch with a second one in two ways and asks the network to
// see the same in both (Du et al., "Global and Local Mixture Consistency
// Cumulative Learning for Long-tailed Visual Recognitions", CVPR 2023). With x
// and x' images of the first and the second batch, each augmented twice, and
// λ ~ Beta(α, α),
//
//	global view λ·x + (1-λ)·x',  local view x with a box of x', 1-λ of the area,
//
// and with a = 1-(e/E)² in epoch e of E, counted from 0, the loss is the sum over
// both views of
//
//	a·[λ·L(u, y) + (1-λ)·L(u, y')] + (1-a)·(1/n)·Σ_i [λ·w_y·l_i(z, y) + (1-λ)·w_y'·l_i(z, y')] - γ·cos(p, p̂)
//
// where z is the model's own head, with which images are classified, u a second
// one, L the run's loss, l_i that of a sample, w_j ∝ N_j^-k with Σ_j w_j = C, p a
// prediction of a projection of the features and p̂ the other view's projection,
// taken as a constant (SimSiam).
//
// The second batch has class j with a probability proportional to N_j^(1-q). The
// paper's is drawn in reverse, q = 2, as BBN's; but with k = 1.2 a class then counts
// as N_j^-2.2 in it, and nothing but the rarest is learned. Its program draws
// images with N_j^-q and q 0 or 0.2, nearly as they come. The values here are those
// of that program for CIFAR-100 at imbalance 100: q 0, k 1.2, γ 4; for other sets
// its k is 1 or 1.2 and its γ 1 to 10. As there, λ is not corrected where a box
// hangs over the edge.
type glmc struct {
	Alpha       float64 `name:"mix-alpha" range:"0.05.." help:"of the proportion in which two images are mixed, which is drawn from Beta(alpha, alpha)"`
	Consistency float64 `name:"consistency" range:"0.." help:"GLMC's gamma, the weight of the similarity of two views"`
	LabelPower  float64 `name:"label-power" range:"0.." help:"GLMC's k: classes weigh N^-k in the loss of its own head"`
	Resample    float64 `name:"resample" range:"0.." help:"GLMC's q: its second batch draws classes by N^(1-q)"`
}

// heads are what GLMC trains beside the model.
type heads struct {
	FC         nn.Head    `name:"fc"` // features to the logits u, of the kind of the model's own
	Projection *nn.Linear `name:"projection_head"`
	Prediction *nn.Linear `name:"contrast_head"`
}

// hidden is the length of projections.
const hidden = 128

// Begin wants images, and asks for a second batch and a second view of both.
func (g glmc) Begin(s *train.Setup) (func(*train.Step) (loss, logits *autograd.Var), error) {
	if err := wantImages(s); err != nil {
		return nil, err
	}
	class, err := phase.ADRW(s.Counts, g.LabelPower)
	if err != nil {
		return nil, err
	}
	h := newHeads(s.Rand, s.Model.Head())
	s.Beside = []train.Part{{Name: "glmc", Module: h}}
	s.Other = &train.Draws{By: power{1 - g.Resample}}
	s.Twice = true
	return func(s *train.Step) (loss, logits *autograd.Var) {
		r := s.Rand()
		lambda := proportion(r, g.Alpha)
		watch := s.Tape.Watch
		global := h.look(s, blend(lambda, watch(s.X), watch(s.Other.X)))
		local := h.look(s, drawBox(r, lambda, s.X.Shape()).paste(watch(s.XAgain), watch(s.OtherAgain)))
		rebalance := autograd.Add(global.rebalanced(s, lambda, class), local.rebalanced(s, lambda, class))
		loss = blend(falling(s), autograd.Add(global.plain(s, lambda), local.plain(s, lambda)), rebalance)
		alike := autograd.Add(cosine(global.p, watch(local.z.Value)), cosine(local.p, watch(global.z.Value)))
		return autograd.Sub(loss, autograd.Scale(alike, g.Consistency)), global.logits
	}, nil
}

// newHeads makes the heads that go with a model's own.
func newHeads(r *rand.Rand, own nn.Head) *heads {
	linear := func(in, out int) *nn.Linear {
		l := nn.NewLinear(r, in, out)
		l.Kaiming = true
		l.Reset(r)
		return l
	}
	var h heads
	var d int
	switch own := own.(type) {
	case *nn.Linear:
		w := own.Weight.Shape()
		d, h.FC = w[1], linear(w[1], w[0])
	case *nn.CosineLinear:
		w := own.Weight.Shape()
		d, h.FC = w[1], nn.NewCosineLinear(r, w[1], w[0], own.Scale)
	}
	h.Projection, h.Prediction = linear(d, hidden), linear(hidden, hidden)
	return &h
}

// A view is what the network makes of one mixture of the batches.
type view struct {
	features, logits, fc *autograd.Var
	z, p                 *autograd.Var // a projection (n,hidden), and what it predicts of the other view's
}

func (h *heads) look(s *train.Step, x *autograd.Var) (v view) {
	v.features, v.logits = s.Forward(x.Value)
	v.fc = h.FC.Forward(s.Pass, v.features)
	v.z = h.Projection.Forward(s.Pass, v.features)
	v.p = h.Prediction.Forward(s.Pass, v.z)
	return v
}

// plain is the loss of the second head.
func (v view) plain(s *train.Step, lambda float64) *autograd.Var {
	return blend(lambda, s.Loss(v.features, v.fc, s.Y, s.Weights), s.Loss(v.features, v.fc, s.Other.Y, s.OtherWeights))
}

// rebalanced is the loss of the model's own head, samples weighing by class.
func (v view) rebalanced(s *train.Step, lambda float64, class []float64) *autograd.Var {
	mean := func(labels *tensor.Tensor, weights []float32) *autograd.Var {
		w := make([]float32, len(weights))
		for i, y := range tensor.Data[int64](labels) {
			w[i] = weights[i] * float32(class[y])
		}
		return autograd.Mean(s.Each(v.features, v.logits, labels, w))
	}
	return blend(lambda, mean(s.Y, s.Weights), mean(s.Other.Y, s.OtherWeights))
}

// cosine is the mean cosine of rows of a and b (n,d).
func cosine(a, b *autograd.Var) *autograd.Var {
	return autograd.Mean(autograd.Sum(autograd.Mul(autograd.Normalize(a), autograd.Normalize(b)), 1))
}

func init() {
	train.Objectives.Add(kind.Kind[train.Objective]{Name: "glmc", Doc: "two mixtures of two batches, two heads and their consistency (Du et al., CVPR 2023)", Of: glmc{1, 4, 1.2, 0}})
	train.AddPreset(train.Preset{Name: "glmc", Doc: "global and local mixture consistency: mixup and CutMix of two batches, a head for each of two losses, views that must agree; at a cosine rate from 0.01, weight decay 5e-3, batch 64 as its program has it (Du et al., CVPR 2023), one stage", Set: func(c *train.Config) {
		c.Objective = "glmc"
		c.LR, c.Schedule, c.Warmup, c.WeightDecay, c.Batch = .01, "cosine", 0, 5e-3, 64
	}})
}
