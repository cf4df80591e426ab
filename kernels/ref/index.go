package ref

import (
	"phase/kernels"
	"phase/tensor"
)

// Gather is y[i,...] = x[index[i],...].
func (Backend) Gather(y, x, index *tensor.Tensor) {
	xs, ys, row := tensor.Values(x), make([]float64, y.Size()), x.Shape()[1:].Size()
	for i, r := range tensor.Values(index) {
		copy(ys[i*row:(i+1)*row], xs[int(r)*row:])
	}
	store(y, ys)
}

// GatherGrad is dx[index[i],...] += dy[i,...]; rows picked twice receive the
// sum.
func (Backend) GatherGrad(dx kernels.Acc, index, dy *tensor.Tensor) {
	if !dx.Wanted() {
		return
	}
	g, d, row := tensor.Values(dy), make([]float64, dx.T.Size()), dx.T.Shape()[1:].Size()
	for i, r := range tensor.Values(index) {
		for j := range row {
			d[int(r)*row+j] += g[i*row+j]
		}
	}
	add(dx, d)
}

// OneHot is y[i,j] = 1 where j = label[i], else 0.
func (Backend) OneHot(y, label *tensor.Tensor) {
	ys, classes := make([]float64, y.Size()), y.Dim(-1)
	for i, j := range tensor.Values(label) {
		ys[i*classes+int(j)] = 1
	}
	store(y, ys)
}
