package phase

import (
	"phase/autograd"
	"phase/kernels"
	"phase/phase/kind"
	"phase/tensor"
)

// A Loss says what each sample of a batch costs. Its parameters are fields with
// the tags of package kind, so that a loss in Losses is a flag by its name and
// its parameters are flags by theirs.
type Loss interface {
	// Each is the loss of each sample times its weight, (n), differentiable by
	// the logits and the features.
	Each(b Batch) *autograd.Var
}

// Losses is the table of losses. A method adds its own.
var Losses = &kind.Table[Loss]{What: "loss"}

// A Batch is what a loss sees of n samples of C classes.
type Batch struct {
	Logits   *autograd.Var  // z (n,C), F32 or F64
	Features *autograd.Var  // what the classifier saw (n,d); nil unless the loss is a FeatureUser
	Labels   *tensor.Tensor // I64 (n)
	Weights  *tensor.Tensor // (n), of the type of Logits
	Counts   []int          // N_j, the training images of each class; nil unless the loss is a CountUser
}

// A FeatureUser is a loss or a weighting that looks at features. The marker
// says so beforehand, because they cost time.
type FeatureUser interface{ UsesFeatures() }

// UsesFeatures reports whether a loss or a weighting looks at features.
func UsesFeatures(v any) bool { _, ok := v.(FeatureUser); return ok }

// A CountUser is a loss that looks at Batch.Counts: one for each class, none of
// them 0.
type CountUser interface{ UsesCounts() }

// UsesCounts reports whether a loss looks at counts.
func UsesCounts(v any) bool { _, ok := v.(CountUser); return ok }

// A CosineUser is a loss whose logits are cosines times a scale: its classifier
// is nn.CosineLinear with that scale.
type CosineUser interface{ CosineScale() float64 }

// A Margin is a loss that is cross-entropy once the logits have been adjusted.
type Margin interface {
	Loss
	// Adjust is the logits whose softmax the cross-entropy is of, (n,C).
	Adjust(b Batch) *autograd.Var
}

// Classes are numbers by class as a row (1,C) of the type of the logits, to add
// to them or to multiply them by.
func (b Batch) Classes(v []float64) *autograd.Var {
	t := tensor.Of(v, 1, len(v))
	if b.Logits.Value.DType() == tensor.F32 {
		short := make([]float32, len(v))
		for j, x := range v {
			short[j] = float32(x)
		}
		t = tensor.Of(short, 1, len(v))
	}
	return autograd.Const(t)
}

// OfLabels is each sample's number by its class, v_y, (n).
func (b Batch) OfLabels(v []float64) *autograd.Var {
	return autograd.Gather(autograd.Reshape(b.Classes(v), len(v)), b.Labels)
}

// Softmax is Eq 6's family, the loss -Σ_j s_j·A_j·log softmax(z)_j that the op
// softmax_loss computes in one go: cross-entropy is the zero value, label
// smoothing, the focal loss and DAW are settings of it.
type Softmax interface {
	Loss
	// Softmax is the setting of the op.
	Softmax() kernels.SoftmaxLoss
}

func eachSoftmax(b Batch, p kernels.SoftmaxLoss) *autograd.Var {
	return autograd.SoftmaxLoss(b.Logits, b.Labels, b.Weights, p)
}

// CrossEntropy is -log p_y.
type CrossEntropy struct{}

// Softmax is the zero value.
func (CrossEntropy) Softmax() kernels.SoftmaxLoss { return kernels.SoftmaxLoss{} }

// Each is -w·log p_y of each sample.
func (l CrossEntropy) Each(b Batch) *autograd.Var { return eachSoftmax(b, l.Softmax()) }

// LabelSmoothing is (1-ε)·(-log p_y) - (ε/C) Σ_j log p_j (Szegedy et al.,
// "Rethinking the Inception Architecture for Computer Vision", CVPR 2016).
type LabelSmoothing struct {
	Smooth float64 `name:"smooth" range:"0..1" help:"label smoothing"`
}

// Softmax is the setting of the op.
func (l LabelSmoothing) Softmax() kernels.SoftmaxLoss { return kernels.SoftmaxLoss{Smooth: l.Smooth} }

// Each is the weighted loss of each sample.
func (l LabelSmoothing) Each(b Batch) *autograd.Var { return eachSoftmax(b, l.Softmax()) }

// Focal is -(1-p_y)^γ·log p_y (Lin et al., "Focal Loss for Dense Object
// Detection", ICCV 2017, with softmax in place of the sigmoid).
type Focal struct {
	Gamma  float64 `name:"gamma-pos" range:"0.." help:"exponent of the true class, focal loss's gamma"`
	Detach bool    `name:"detach" help:"no gradient through the modulation"`
}

// Softmax is the setting of the op.
func (l Focal) Softmax() kernels.SoftmaxLoss {
	return kernels.SoftmaxLoss{GammaPos: l.Gamma, Detach: l.Detach}
}

// Each is the weighted loss of each sample.
func (l Focal) Each(b Batch) *autograd.Var { return eachSoftmax(b, l.Softmax()) }

// Asymmetric is DAW's loss, Eq 6 in one of its readings, with any exponents.
type Asymmetric struct {
	GammaPos float64 `name:"gamma-pos" range:"0.." help:"exponent of the true class, focal loss's gamma"`
	GammaNeg float64 `name:"gamma-neg" range:"0.." help:"exponent of the other classes; acts through smoothing only, but in form eq1"`
	Smooth   float64 `name:"smooth" range:"0..1" help:"label smoothing"`
	Form     string  `name:"form" of:"asl,eq3,eq1" help:"reading of DAW's equations"`
	Detach   bool    `name:"detach" help:"no gradient through the modulation"`
}

// Softmax is the setting of the op.
func (l Asymmetric) Softmax() kernels.SoftmaxLoss {
	form, err := Form(l.Form)
	if err != nil {
		panic(tensor.Errorf("asymmetric", "%v", err))
	}
	return kernels.SoftmaxLoss{GammaPos: l.GammaPos, GammaNeg: l.GammaNeg, Smooth: l.Smooth, Form: form, Detach: l.Detach}
}

// Each is the weighted loss of each sample.
func (l Asymmetric) Each(b Batch) *autograd.Var { return eachSoftmax(b, l.Softmax()) }

func init() {
	for _, k := range []kind.Kind[Loss]{
		{Name: "ce", Doc: "cross-entropy", Of: CrossEntropy{}},
		{Name: "label-smoothing", Doc: "cross-entropy with smoothed labels (Szegedy et al., CVPR 2016)", Of: LabelSmoothing{Smooth: .1}},
		{Name: "focal", Doc: "focal loss (Lin et al., ICCV 2017), of gamma 1 as in LDAM's experiments", Of: Focal{Gamma: 1}},
		{Name: "daw", Doc: "difficulty-aware weighting, stage 1 of PHASE", Of: Asymmetric{DAW.GammaPos, DAW.GammaNeg, DAW.Smooth, "asl", false}},
		{Name: "asl-reference", Doc: "the asymmetric loss with the defaults of its own program (Ridnik et al., ICCV 2021)", Of: Asymmetric{0, 4, .1, "asl", false}},
	} {
		Losses.Add(k)
	}
}
