package ref

import (
	"slices"

	"phase/kernels"
	"phase/tensor"
)

// homes lists, for every element of a tensor of shape s in row-major order, the
// element that receives it when p's axes are summed, and how many each
// receives.
func homes(p kernels.Reduce, s tensor.Shape) (home []int, count float64) {
	kept := slices.Clone(s)
	count = 1
	for _, a := range p.Axes {
		kept[a] = 1
		count *= float64(s[a])
	}
	if s.Size() == 0 {
		return nil, count
	}
	return places(tensor.Of(make([]float64, kept.Size()), kept...).Expand(s...)), count
}

// Reduce is y = Σ x over p.Axes, divided by the number of terms for the mean.
func (Backend) Reduce(p kernels.Reduce, y, x *tensor.Tensor) {
	home, count := homes(p, x.Shape())
	sum := make([]float64, y.Size())
	for k, v := range tensor.Values(x) {
		sum[home[k]] += v
	}
	if p.Mean {
		for k := range sum {
			sum[k] /= count
		}
	}
	store(y, sum)
}

// ReduceGrad gives dy (for the mean, its share of it) to every term.
func (Backend) ReduceGrad(p kernels.Reduce, dx kernels.Acc, dy *tensor.Tensor) {
	if !dx.Wanted() {
		return
	}
	home, count := homes(p, dx.T.Shape())
	g, d := tensor.Values(dy), make([]float64, dx.T.Size())
	for k := range d {
		d[k] = g[home[k]]
		if p.Mean {
			d[k] /= count
		}
	}
	add(dx, d)
}

// SumSquares adds Σx² to dst.
func (Backend) SumSquares(dst, x *tensor.Tensor) {
	sum := 0.0
	for _, v := range tensor.Values(x) {
		sum += v * v
	}
	add(kernels.Acc{T: dst}, []float64{sum})
}
