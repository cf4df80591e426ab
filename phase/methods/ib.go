package methods

import (
	"phase/autograd"
	"phase/phase"
	"phase/phase/kind"
	"phase/tensor"
)

// IB is the influence-balanced loss of Park et al., "Influence-Balanced Loss for
// Imbalanced Visual Classification" (ICCV 2021). The gradient of cross-entropy by
// the classifier's parameters is (p-t)hᵀ, h the features; its 1-norm tells how
// much a sample moves the boundary, and the loss is divided by it:
//
//	L = α·v / (‖p-t‖₁·‖h‖₁ + 0.001),  v = -w_y·log p_y,  w_j ∝ 1/N_j,  Σ_j w_j = C.
//
// With γ > 0 the focal (1-e^-v)^γ·v takes the place of v. The gradient flows
// through the divisor too, to the logits and to the features, as in the program
// of Park et al. (there is no constant of 10 in it, which their focal loss
// without influence has).
type IB struct {
	Alpha float64 `name:"ib-alpha" range:"(0.." help:"what the influence-balanced loss is multiplied by"`
	Gamma float64 `name:"gamma-pos" range:"0.." help:"exponent of the true class, focal loss's gamma"`
}

// UsesCounts says that w is made of counts.
func (IB) UsesCounts() {}

// UsesFeatures says that ‖h‖₁ is that of features.
func (IB) UsesFeatures() {}

// Each is the loss of each sample times its weight.
func (l IB) Each(b phase.Batch) *autograd.Var {
	if b.Features == nil {
		panic(tensor.Errorf("ib", "no features, which it divides by"))
	}
	w, err := phase.Inverse(counts(b))
	if err != nil {
		panic(tensor.Errorf("ib", "%v", err))
	}
	v := autograd.Mul(surprise(b), b.OfLabels(w))
	if l.Gamma > 0 {
		v = focus(v, l.Gamma)
	}
	// ‖p-t‖₁ is 2(1-p_y): the sum over the other classes is exact near p_y = 1.
	others := autograd.Affine(autograd.OneHot(b.Labels, len(w), b.Logits.Value.DType()), -1, 1)
	wrong := autograd.Sum(autograd.Mul(autograd.Exp(autograd.LogSoftmax(b.Logits)), others), 1)
	influence := autograd.Mul(autograd.Scale(wrong, 2), autograd.Sum(autograd.Abs(b.Features), 1))
	each := autograd.Scale(autograd.Div(v, autograd.Affine(influence, 1, .001)), l.Alpha)
	return autograd.Mul(each, autograd.Const(b.Weights))
}

func init() {
	add(
		kind.Kind[phase.Loss]{Name: "ib", Doc: "cross-entropy divided by the sample's influence, weighted by 1/N (Park et al., ICCV 2021)", Of: IB{1000, 0}},
		kind.Kind[phase.Loss]{Name: "ib-focal", Doc: "focal loss divided by the sample's influence, weighted by 1/N (Park et al., ICCV 2021)", Of: IB{1000, 1}},
	)
}
