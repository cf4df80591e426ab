package nn

import (
	"math/rand/v2"

	"phase/autograd"
)

// A Head is the classifier on top of an extractor: features (n,d) to logits
// (n,classes).
type Head interface {
	Module
	// Reset draws the parameters anew, as when the head was made.
	Reset(r *rand.Rand)
}

// Linear is y = x·Wᵀ + b, from (n,in) to (n,out).
type Linear struct {
	Weight  *autograd.Var // (out,in)
	Bias    *autograd.Var // (out)
	Kaiming bool          // Reset draws the weights from N(0, 2/in)
}

// NewLinear makes a layer as PyTorch does, weights and bias from
// U(±1/√in).
func NewLinear(r *rand.Rand, in, out int) *Linear {
	l := &Linear{Weight: param(out, in), Bias: param(out)}
	l.Reset(r)
	return l
}

// Reset draws weights, unless Kaiming is set, and bias from U(±1/√in).
func (l *Linear) Reset(r *rand.Rand) {
	in := l.Weight.Value.Dim(1)
	if l.Kaiming {
		KaimingNormal(r, l.Weight.Value, FanIn, GainReLU)
	} else {
		byFanIn(r, l.Weight.Value, in)
	}
	byFanIn(r, l.Bias.Value, in)
}

// Forward is x·Wᵀ + b.
func (l *Linear) Forward(p *Pass, x *autograd.Var) *autograd.Var {
	return p.saw(l, autograd.Linear(x, l.Weight, l.Bias))
}

// CosineLinear is the classifier without lengths: logits Scale·cos(x, w_j),
// from (n,in) to (n,out). LDAM calls it NormedLinear and scales by 30.
type CosineLinear struct {
	Weight *autograd.Var // (out,in); only the directions of its rows matter
	Scale  float64
}

// NewCosineLinear makes a layer; its rows point anywhere with equal chance.
func NewCosineLinear(r *rand.Rand, in, out int, scale float64) *CosineLinear {
	l := &CosineLinear{Weight: param(out, in), Scale: scale}
	l.Reset(r)
	return l
}

// Reset draws the weights from N(0, 1/in).
func (l *CosineLinear) Reset(r *rand.Rand) { KaimingNormal(r, l.Weight.Value, FanIn, GainLinear) }

// Forward is Scale·cos(x, w_j).
func (l *CosineLinear) Forward(p *Pass, x *autograd.Var) *autograd.Var {
	return p.saw(l, autograd.CosineLogits(x, l.Weight, l.Scale))
}
