package methods

import (
	"math"
	"slices"

	"phase/autograd"
	"phase/phase"
	"phase/phase/kind"
)

// LDAM is the label-distribution-aware margin loss of Cao et al., "Learning
// Imbalanced Datasets with Label-Distribution-Aware Margin Loss" (NeurIPS 2019):
// cross-entropy of logits s·(cos_j - m_j·[j=y]), the cosines between features and
// the classes' vectors,
//
//	m_j = margin·(min_k N_k / N_j)^(1/4).
//
// The true class has to win by a margin, the larger the rarer it is. The logits
// of the batch are s·cos.
type LDAM struct {
	Margin float64 `name:"margin" range:"0.." help:"margin of the rarest class, in cosines"`
	Scale  float64 `name:"scale" range:"(0.." help:"what cosines are multiplied by to be logits"`
}

// UsesCounts says that margins are made of counts.
func (LDAM) UsesCounts() {}

// CosineScale is s.
func (l LDAM) CosineScale() float64 { return l.Scale }

// Adjust subtracts s·m_y from the logit of the label.
func (l LDAM) Adjust(b phase.Batch) *autograd.Var {
	rarest := float64(slices.Min(counts(b)))
	shift := byCount(b, func(n float64) float64 { return -l.Scale * l.Margin * math.Pow(rarest/n, .25) })
	label := autograd.OneHot(b.Labels, len(shift), b.Logits.Value.DType())
	return autograd.Add(b.Logits, autograd.Mul(label, b.Classes(shift)))
}

// Each is the loss of each sample times its weight.
func (l LDAM) Each(b phase.Batch) *autograd.Var { return margin(l, b) }

func init() {
	add(kind.Kind[phase.Loss]{Name: "ldam", Doc: "label-distribution-aware margins on cosines (Cao et al., NeurIPS 2019)", Of: LDAM{.5, 30}})
}
