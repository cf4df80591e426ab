package methods

import (
	"math"
	"slices"

	"phase/autograd"
	"phase/phase"
	"phase/phase/kind"
)

// VS is the vector-scaling loss of Kini et al., "Label-Imbalanced and
// Group-Sensitive Classification under Overparameterization" (NeurIPS 2021):
// cross-entropy of
//
//	(N_j/max_k N_k)^γ·z_j + τ·log π_j.
//
// γ = 0 is LogitAdjust, τ = 0 the class-dependent temperatures of Ye et al.,
// "Identifying and Compensating for Feature Deviation in Imbalanced Deep
// Learning" (2020). Where the factors differ, the loss knows where zero is: adding
// a number to all logits changes it.
type VS struct {
	Gamma float64 `name:"vs-gamma" range:"0.." help:"exponent of the class's count in what its logit is multiplied by"`
	Tau   float64 `name:"tau" range:"0.." help:"how much of the logarithm of the class's share is added to its logit"`
}

// UsesCounts says that logits are adjusted by counts.
func (VS) UsesCounts() {}

// Adjust is (N_j/max N)^γ·z_j + τ·log π_j.
func (l VS) Adjust(b phase.Batch) *autograd.Var {
	most := float64(slices.Max(counts(b)))
	scale := byCount(b, func(n float64) float64 { return math.Pow(n/most, l.Gamma) })
	return autograd.Add(autograd.Mul(b.Logits, b.Classes(scale)), b.Classes(logPriors(b, l.Tau)))
}

// Each is the loss of each sample times its weight.
func (l VS) Each(b phase.Batch) *autograd.Var { return margin(l, b) }

func init() {
	add(kind.Kind[phase.Loss]{Name: "vs", Doc: "cross-entropy of logits scaled and shifted by class, vector scaling (Kini et al., NeurIPS 2021)", Of: VS{.3, 1}})
}
