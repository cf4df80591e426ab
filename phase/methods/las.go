package methods

import (
	"math"
	"slices"

	"phase/autograd"
	"phase/phase"
	"phase/phase/kind"
)

// LAS is label-aware smoothing, the loss of stage 2 of MiSLAS (Zhong et al.,
// "Improving Calibration for Long-Tailed Recognition", CVPR 2021): label
// smoothing by ε_y, more for the frequent classes, which a network is surest of,
//
//	ε_j = ε_tail + (ε_head - ε_tail)·sin(π/2·(N_j - min N)/(max N - min N)).
//
// Where all classes have as many images ε is ε_tail.
type LAS struct {
	Head float64 `name:"smooth-head" range:"0..1" help:"smoothing of the most frequent class"`
	Tail float64 `name:"smooth-tail" range:"0..1" help:"smoothing of the rarest class"`
}

// UsesCounts says that smoothing goes by counts.
func (LAS) UsesCounts() {}

// Each is the loss of each sample times its weight.
func (l LAS) Each(b phase.Batch) *autograd.Var {
	least, most := float64(slices.Min(counts(b))), float64(slices.Max(b.Counts))
	smooth := b.OfLabels(byCount(b, func(n float64) float64 {
		return l.Tail + (l.Head-l.Tail)*math.Sin(math.Pi/2*(n-least)/max(most-least, 1))
	}))
	// Smoothing is linear in ε: a share of cross-entropy, and a share of full smoothing.
	w, sharp, flat := autograd.Const(b.Weights), b, b
	flat.Weights = autograd.Mul(w, smooth).Value
	sharp.Weights = autograd.Mul(w, autograd.Affine(smooth, -1, 1)).Value
	return autograd.Add(phase.CrossEntropy{}.Each(sharp), phase.LabelSmoothing{Smooth: 1}.Each(flat))
}

func init() {
	add(kind.Kind[phase.Loss]{Name: "las", Doc: "label smoothing by class, more for the frequent (Zhong et al., CVPR 2021)", Of: LAS{.4, .1}})
}
