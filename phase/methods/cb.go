package methods

import (
	"slices"

	"phase/autograd"
	"phase/kernels"
	"phase/phase"
	"phase/phase/kind"
	"phase/tensor"
)

// CB is the class-balanced loss of Cui et al., "Class-Balanced Loss Based on
// Effective Number of Samples" (CVPR 2019),
//
//	L = w_y·(-log p_y),  w_j ∝ (1-β)/(1-β^N_j),  Σ_j w_j = C.
//
// The weight is part of the loss, which phase.WeightedMean does not divide by.
// LDAM's program and its descendants do divide by it: that is cross-entropy
// under the weighting "effective".
type CB struct {
	Beta float64 `name:"beta" range:"0..1" help:"of the effective number of samples"`
}

// UsesCounts says that w is made of counts.
func (CB) UsesCounts() {}

// Each is the loss of each sample times its weight.
func (l CB) Each(b phase.Batch) *autograd.Var {
	return autograd.Mul(phase.CrossEntropy{}.Each(b), b.OfLabels(effective(b, l.Beta)))
}

// CBFocal is the class-balanced focal loss, in one of three forms that go by that
// name. With CB's w they are
//
//	class    w_y·(1-p_y)^γ·(-log p_y), focal loss with softmax, weighted;
//	ldam     (1-p_y^w_y)^γ·w_y·(-log p_y), which the program of LDAM computes: it
//	         takes e^(-loss) for p_y after the loss has been weighted;
//	sigmoid  w_y·Σ_j (1-q_j)^γ·(-log q_j), q_y = σ(z_y) and q_j = 1-σ(z_j) of the
//	         others, Cui et al.'s own: each class against nothing.
type CBFocal struct {
	Beta  float64 `name:"beta" range:"0..1" help:"of the effective number of samples"`
	Gamma float64 `name:"gamma-pos" range:"0.." help:"exponent of the true class, focal loss's gamma"`
	Form  string  `name:"form" of:"class,ldam,sigmoid" help:"what is weighted: the softmax focal loss, the cross-entropy inside it, or the focal loss of a sigmoid a class"`
}

// UsesCounts says that w is made of counts.
func (CBFocal) UsesCounts() {}

// Each is the loss of each sample times its weight.
func (l CBFocal) Each(b phase.Batch) *autograd.Var {
	w := b.OfLabels(effective(b, l.Beta))
	switch l.Form {
	case "class":
		return autograd.Mul(phase.Focal{Gamma: l.Gamma}.Each(b), w)
	case "ldam":
		return autograd.Mul(focus(autograd.Mul(surprise(b), w), l.Gamma), autograd.Const(b.Weights))
	case "sigmoid":
		return autograd.Mul(sigmoidFocal(b, l.Gamma), autograd.Mul(w, autograd.Const(b.Weights)))
	}
	panic(tensor.Errorf("cb-focal", "form %q: want class, ldam or sigmoid", l.Form))
}

// sigmoidFocal is Σ_j (1-q_j)^γ·(-log q_j). As σ(z) is the softmax of (z, 0), it
// is the softmax focal loss of n·C rows of two: of class 0 the label's, of class
// 1 the others.
func sigmoidFocal(b phase.Batch, gamma float64) *autograd.Var {
	z := b.Logits.Value
	n, c := z.Dim(0), z.Dim(1)
	against := tensor.New(z.Device(), z.DType(), n*c, 1)
	pairs := autograd.Concat(1, autograd.Reshape(b.Logits, n*c, 1), autograd.Const(against))
	which := slices.Repeat([]int64{1}, n*c)
	for i, y := range tensor.Values(b.Labels) {
		which[i*c+int(y)] = 0
	}
	rows := phase.Batch{Logits: pairs, Labels: tensor.Of(which, n*c)}
	rows.Weights = ones(rows)
	each := autograd.SoftmaxLoss(pairs, rows.Labels, rows.Weights, kernels.SoftmaxLoss{GammaPos: gamma})
	return autograd.Sum(autograd.Reshape(each, n, c), 1)
}

func init() {
	add(
		kind.Kind[phase.Loss]{Name: "cb", Doc: "cross-entropy times the class's weight by effective numbers (Cui et al., CVPR 2019)", Of: CB{.9999}},
		kind.Kind[phase.Loss]{Name: "cb-focal", Doc: "focal loss times the class's weight by effective numbers (Cui et al., CVPR 2019)", Of: CBFocal{.9999, 1, "class"}},
	)
}
