package launch

import (
	"phase/kernels"
	"phase/tensor"
)

// Gather is y[i,...] = x[index[i],...].
func (b Backend) Gather(y, x, index *tensor.Tensor) {
	b.run(func(w *Work) {
		w.each(floats("gather", x), y.Size(), at(y), at(x), at(index), whole(x.Shape()[1:].Size()), whole(y.Size()))
	})
}

// GatherGrad is dx[index[i],...] += dy[i,...]; rows picked twice receive the sum.
func (b Backend) GatherGrad(dx kernels.Acc, index, dy *tensor.Tensor) {
	if dx.Wanted() {
		b.run(func(w *Work) {
			w.each(floats("gather_grad", dy), dx.T.Size(), at(dx.T), truth(dx.Fresh), at(index), at(dy),
				whole(dx.T.Shape()[1:].Size()), whole(index.Size()), whole(dx.T.Size()))
		})
	}
}

// OneHot is y[i,j] = 1 where j = label[i], else 0.
func (b Backend) OneHot(y, label *tensor.Tensor) {
	b.run(func(w *Work) {
		w.each(floats("one_hot", y), y.Size(), at(y), at(label), whole(y.Dim(-1)), whole(y.Size()))
	})
}
