package methods

import (
	"math"

	"phase/autograd"
	"phase/phase"
	"phase/phase/kind"
)

// BalancedSoftmax is cross-entropy of z_j + log N_j (Ren et al., "Balanced
// Meta-Softmax for Long-Tailed Visual Recognition", NeurIPS 2020): frequent
// classes have a head start in training that they lack in use. It is
// LogitAdjust with τ = 1.
type BalancedSoftmax struct{}

// UsesCounts says that logits are adjusted by counts.
func (BalancedSoftmax) UsesCounts() {}

// Adjust is z_j + log N_j.
func (BalancedSoftmax) Adjust(b phase.Batch) *autograd.Var {
	return autograd.Add(b.Logits, b.Classes(byCount(b, math.Log)))
}

// Each is the loss of each sample times its weight.
func (l BalancedSoftmax) Each(b phase.Batch) *autograd.Var { return margin(l, b) }

// LogitAdjust is cross-entropy of z_j + τ·log π_j (Menon et al., "Long-Tail
// Learning via Logit Adjustment", ICLR 2021).
type LogitAdjust struct {
	Tau float64 `name:"tau" range:"0.." help:"how much of the logarithm of the class's share is added to its logit"`
}

// UsesCounts says that logits are adjusted by counts.
func (LogitAdjust) UsesCounts() {}

// Adjust is z_j + τ·log π_j.
func (l LogitAdjust) Adjust(b phase.Batch) *autograd.Var {
	return autograd.Add(b.Logits, b.Classes(logPriors(b, l.Tau)))
}

// Each is the loss of each sample times its weight.
func (l LogitAdjust) Each(b phase.Batch) *autograd.Var { return margin(l, b) }

func init() {
	add(
		kind.Kind[phase.Loss]{Name: "balanced-softmax", Doc: "cross-entropy of z + log N (Ren et al., NeurIPS 2020)", Of: BalancedSoftmax{}},
		kind.Kind[phase.Loss]{Name: "logit-adjust", Doc: "cross-entropy of z + tau log share (Menon et al., ICLR 2021)", Of: LogitAdjust{1}},
	)
}
