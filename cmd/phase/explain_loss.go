package main

import (
	"fmt"
	"math"
	"slices"

	"phase/autograd"
	"phase/kernels"
	"phase/phase"
	"phase/phase/kind"
	"phase/tensor"
)

// explainedLoss is a batch under a loss.
type explainedLoss struct {
	Kind       string             `json:"kind"`
	Loss       *lossSetting       `json:"loss_setting"` // null for a loss that is not of the softmax family
	Parameters map[string]any     `json:"parameters"`   // of the loss, by name
	Samples    []explainedSample  `json:"samples"`      // those shown in detail
	PerSample  []float64          `json:"per_sample"`   // weight·loss of every sample of the batch
	Weights    []float64          `json:"weights"`
	Reduction  string             `json:"reduction"`
	Reduced    float64            `json:"loss"`
	Others     map[string]float64 `json:"other_reductions"`

	doc string // what the loss is, in a sentence
}

type lossSetting struct {
	GammaPos float64 `json:"gamma_pos"`
	GammaNeg float64 `json:"gamma_neg"`
	Smooth   float64 `json:"smooth"`
	Form     string  `json:"form"`
	Detach   bool    `json:"detach"`
}

// explainedSample is the loss of one sample, without its weight.
type explainedSample struct {
	Index        int              `json:"index"` // row of the batch, or place in the training set
	Label        int              `json:"label"`
	Name         string           `json:"class"`
	Weight       float64          `json:"weight"`
	Classes      []explainedClass `json:"classes"`
	Loss         float64          `json:"loss"`
	CrossEntropy float64          `json:"cross_entropy"`       // -log p of the label, by the logits as they are
	Difference   float64          `json:"relative_difference"` // largest, of gradient and quotient
}

// explainedClass is one class's part. A loss of the softmax family is the sum of
// the terms -target·modulation·log p, or in form eq1 for the others log(1-p); one
// with margins has adjusted logits, which p is of. What a loss has not is null.
type explainedClass struct {
	Class       int      `json:"class"`
	Logit       float64  `json:"logit"`
	Adjusted    *float64 `json:"adjusted"`
	Probability float64  `json:"probability"`
	Modulation  *float64 `json:"modulation"`
	Target      *float64 `json:"target"`
	Term        *float64 `json:"term"`
	Gradient    float64  `json:"gradient"`
	Quotient    float64  `json:"quotient"`
}

// explainTol is the largest relative difference between a gradient and its
// difference quotient.
const explainTol = 1e-5

// explainLoss takes the batch apart under a loss.
func (in *inputs) explainLoss(of kind.Kind[phase.Loss], r phase.Reduction) (explainedLoss, error) {
	l := of.Of
	x := explainedLoss{Kind: of.Name, doc: of.Doc, Parameters: parameters(of), Reduction: string(r), Weights: tensor.Values(in.batch.weights), Others: map[string]float64{}}
	for _, other := range phase.Reductions() {
		if other == phase.None {
			continue
		}
		res, _, err := in.batch.loss(l, other)
		if err != nil {
			return x, err
		}
		x.PerSample = res.PerSample
		if other == r {
			x.Reduced = *res.Loss
		} else {
			x.Others[string(other)] = *res.Loss
		}
	}
	// What is shown of each sample is of its own loss, which has no weight.
	alone := in.batch
	alone.weights = ones(alone.labels.Size())
	res, grad, err := alone.loss(l, phase.Sum)
	if err != nil {
		return x, err
	}
	// The softmax family and the losses with margins are sums of terms, of the
	// logits as they are or adjusted.
	var family *kernels.SoftmaxLoss
	seen := autograd.Const(in.batch.logits)
	plain := tensor.Values(autograd.LogSoftmax(seen).Value)
	switch l := l.(type) {
	case phase.Softmax:
		s, form := l.Softmax(), "asl"
		if a, ok := l.(phase.Asymmetric); ok {
			form = a.Form
		}
		family, x.Loss = &s, &lossSetting{s.GammaPos, s.GammaNeg, s.Smooth, form, s.Detach}
	case phase.Margin:
		family, seen = &kernels.SoftmaxLoss{}, l.Adjust(alone.as(seen))
	}
	c := res.Classes
	z, adjusted, g := tensor.Values(in.batch.logits), tensor.Values(seen.Value), tensor.Values(grad)
	logp := tensor.Values(autograd.LogSoftmax(seen).Value)
	for i := range in.shown {
		y := int(tensor.Data[int64](in.batch.labels)[i])
		s := explainedSample{Index: in.index[i], Label: y, Name: in.classes[y], Weight: x.Weights[i], Loss: res.PerSample[i], CrossEntropy: -plain[i*c+y]}
		q := alone.lossQuotients(l, i)
		for j := range c {
			if math.IsNaN(q[j]) || math.IsInf(q[j], 0) {
				return x, fmt.Errorf("sample %d: the difference quotient by the logit of class %d is %v: the logits are too far apart to check a gradient by", s.Index, j, q[j])
			}
			k := explainedClass{Class: j, Logit: z[i*c+j], Probability: math.Exp(logp[i*c+j]), Gradient: g[i*c+j], Quotient: q[j]}
			if x.Loss == nil && family != nil {
				k.Adjusted = &adjusted[i*c+j]
			}
			s.Classes = append(s.Classes, k)
		}
		if family != nil {
			for j, t := range lossTerms(*family, logp[i*c:(i+1)*c], y) {
				s.Classes[j].Modulation, s.Classes[j].Target, s.Classes[j].Term = &t.Modulation, &t.Target, &t.Term
			}
		}
		s.Difference = difference(s)
		x.Samples = append(x.Samples, s)
	}
	return x, nil
}

// lossQuotients is the central difference quotient of the loss of row i by each of
// its logits. A detached modulation is held where it is.
func (b batch) lossQuotients(l phase.Loss, i int) []float64 {
	c := b.logits.Dim(1)
	twice := func(t *tensor.Tensor) *tensor.Tensor {
		if t == nil {
			return nil
		}
		row := tensor.Values(t)[i*t.Dim(1) : (i+1)*t.Dim(1)]
		return tensor.Of(slices.Concat(row, row), 2, t.Dim(1))
	}
	y := tensor.Data[int64](b.labels)[i]
	pair := batch{twice(b.logits), tensor.Of([]int64{y, y}, 2), ones(2), twice(b.features), b.counts}
	f := func(in ...*autograd.Var) *autograd.Var { return l.Each(pair.as(in[0])) }
	if s, ok := l.(phase.Softmax); ok && s.Softmax().Detach {
		f = heldLoss(s.Softmax(), twice(b.logits), pair.labels, pair.weights)
	}
	q, v := make([]float64, c), tensor.Data[float64](pair.logits)
	for j := range c {
		home := v[j]
		h := 1e-5 * max(1, math.Abs(home))
		v[j], v[c+j] = home+h, home-h
		at := tensor.Values(f(autograd.Const(pair.logits)).Value)
		q[j] = (at[0] - at[1]) / (v[j] - v[c+j])
		v[j], v[c+j] = home, home
	}
	return q
}

// difference is the largest relative difference of gradient and quotient. A
// thousandth of the largest gradient and 1e-4 of the loss count as no smaller
// than that: below, a quotient is rounding.
func difference(s explainedSample) float64 {
	most, far := 1e-4*math.Abs(s.Loss), 0.0
	for _, c := range s.Classes {
		most = max(most, 1e-3*math.Abs(c.Gradient), 1e-3*math.Abs(c.Quotient))
	}
	for _, c := range s.Classes {
		if d := math.Abs(c.Gradient - c.Quotient); d > 0 {
			far = max(far, d/max(math.Abs(c.Gradient), math.Abs(c.Quotient), most))
		}
	}
	return far
}
