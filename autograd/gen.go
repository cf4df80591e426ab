package autograd

import (
	"math/rand/v2"

	"phase/tensor"
)

// Gen makes the tensors of samples, F64 and row-major. Drawing is part of an
// op's rule: values stay away from the kinks and poles of the op under test.
type Gen struct{ *rand.Rand }

// NewGen is a Gen whose draws depend on seed alone.
func NewGen(seed uint64) *Gen { return &Gen{rand.New(rand.NewPCG(seed, 0))} }

// Normal draws from the normal distribution, at least 0.01 away from zero.
func (g *Gen) Normal(shape ...int) *tensor.Tensor {
	d := make([]float64, tensor.Shape(shape).Size())
	for i := range d {
		for d[i] = g.NormFloat64(); d[i]*d[i] < 1e-4; d[i] = g.NormFloat64() {
		}
	}
	return tensor.Of(d, shape...)
}

// Positive draws numbers of at least 0.5.
func (g *Gen) Positive(shape ...int) *tensor.Tensor {
	t := g.Normal(shape...)
	for i, v := range tensor.Data[float64](t) {
		tensor.Data[float64](t)[i] = 0.5 + v*v
	}
	return t
}

// Distinct draws a permutation of equally spaced numbers, so that no two are
// closer than 0.1: for maxima, which have kinks where two inputs are equal.
func (g *Gen) Distinct(shape ...int) *tensor.Tensor {
	d := make([]float64, tensor.Shape(shape).Size())
	for i, j := range g.Perm(len(d)) {
		d[i] = 0.1*float64(j-len(d)/2) + 0.05
	}
	return tensor.Of(d, shape...)
}

// Labels draws n class indices below classes.
func (g *Gen) Labels(n, classes int) *tensor.Tensor {
	d := make([]int64, n)
	for i := range d {
		d[i] = g.Int64N(int64(classes))
	}
	return tensor.Of(d, n)
}
