package methods

import (
	"math"

	"phase/phase/kind"
	"phase/phase/train"
)

// A power draws class j with a probability proportional to N_j^exponent: 1 draws
// every image alike, 0 every class, and a negative one the rare classes more
// often than the frequent.
type power struct{ exponent float64 }

// Classes is N_j^exponent, normalised.
func (p power) Classes(counts []int, _ float64) []float64 {
	return shares(counts, func(n float64) float64 { return math.Pow(n, p.exponent) })
}

// progressive goes from images to classes as the stage goes on: at progress t
// class j is drawn with probability
//
//	(1-t)·N_j/N + t/C
//
// (Kang et al., "Decoupling Representation and Classifier for Long-Tailed
// Recognition", ICLR 2020, eq 2).
type progressive struct{}

// Classes is the mixture of the two.
func (progressive) Classes(counts []int, progress float64) []float64 {
	p := power{1}.Classes(counts, 0)
	for j, every := range (power{0}).Classes(counts, 0) {
		p[j] = (1-progress)*p[j] + progress*every
	}
	return p
}

// effectiveNumber draws each image with a probability proportional to
// (1-β)/(1-β^N_y), the inverse effective number of its class (Cui et al., CVPR
// 2019), as the sampler of LDAM's program does: class j with one proportional to
// N_j·(1-β)/(1-β^N_j). β 0 draws every image alike, 1, the limit, every class.
type effectiveNumber struct {
	Beta float64 `name:"beta" range:"0..1" help:"of the effective number of samples"`
}

// Classes is N_j·(1-β)/(1-β^N_j), normalised.
func (e effectiveNumber) Classes(counts []int, _ float64) []float64 {
	if e.Beta == 1 {
		return power{0}.Classes(counts, 0)
	}
	return shares(counts, func(n float64) float64 { return n * (1 - e.Beta) / (1 - math.Pow(e.Beta, n)) })
}

// shares is f of each class's count, scaled to a sum of 1. A class without
// images has none.
func shares(counts []int, f func(n float64) float64) []float64 {
	p, sum := make([]float64, len(counts)), 0.
	for j, n := range counts {
		if n > 0 {
			p[j] = f(float64(n))
			sum += p[j]
		}
	}
	for j := range p {
		p[j] /= sum
	}
	return p
}

func init() {
	for _, k := range []kind.Kind[train.Sampler]{
		{Name: "balanced", Doc: "every class alike", Of: power{0}},
		{Name: "sqrt", Doc: "classes by the square root of their counts", Of: power{.5}},
		{Name: "progressive", Doc: "from every image to every class alike as the stage goes on (Kang et al., ICLR 2020)", Of: progressive{}},
		{Name: "reversed", Doc: "classes by the inverse of their counts, as BBN's second branch draws (Zhou et al., CVPR 2020)", Of: power{-1}},
		{Name: "effective", Doc: "images by the inverse effective number of their class, nearly every class alike (Cao et al., NeurIPS 2019)", Of: effectiveNumber{.9999}},
	} {
		train.Samplers.Add(k)
	}
	train.AddPreset(
		train.Preset{Name: "balanced-sampling", Doc: "cross-entropy on images drawn so that every class is seen alike (class-balanced sampling, as compared by Kang et al., ICLR 2020), one stage", Set: func(c *train.Config) { c.Sampler = "balanced" }},
		train.Preset{Name: "sqrt-sampling", Doc: "cross-entropy on images drawn by the square root of class counts (Mahajan et al., ECCV 2018), one stage", Set: func(c *train.Config) { c.Sampler = "sqrt" }},
		train.Preset{Name: "progressive-sampling", Doc: "cross-entropy on images drawn alike at first and by class in the end (progressively balanced sampling, Kang et al., ICLR 2020), one stage", Set: func(c *train.Config) { c.Sampler = "progressive" }},
	)
}
