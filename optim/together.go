package optim

import (
	"slices"

	"phase/kernels"
	"phase/tensor"
)

// An action is what is done to a tensor w by g, and v where it has one.
type action interface {
	comparable
	one(k kernels.Backend, w, v, g *tensor.Tensor)
	many(k kernels.ManyUpdater, w, v, g []*tensor.Tensor) // v is nil without
}

// batches are tensors for actions of a kind, together where the backend can.
type batches[A action] []*batch[A]

// A batch is tensors of one device and dtype for the same action.
type batch[A action] struct {
	by      A
	w, v, g []*tensor.Tensor
}

// add does something to w, at run at the latest.
func (bs *batches[A]) add(by A, w, v, g *tensor.Tensor) {
	k := kernels.For(w)
	if _, ok := k.(kernels.ManyUpdater); !ok {
		by.one(k, w, v, g)
		return
	}
	i := slices.IndexFunc(*bs, func(b *batch[A]) bool {
		return b.by == by && b.w[0].Device() == w.Device() && b.w[0].DType() == w.DType()
	})
	if i < 0 {
		i, *bs = len(*bs), append(*bs, &batch[A]{by: by})
	}
	b := (*bs)[i]
	b.w, b.g = append(b.w, w), append(b.g, g)
	if v != nil {
		b.v = append(b.v, v)
	}
}

func (bs batches[A]) run() {
	for _, b := range bs {
		b.by.many(kernels.For(b.w[0]).(kernels.ManyUpdater), b.w, b.v, b.g)
	}
}

// A move is a step of SGD.
type move struct{ kernels.SGD }

func (p move) one(k kernels.Backend, w, v, g *tensor.Tensor) { k.SGD(p.SGD, w, v, g) }
func (p move) many(k kernels.ManyUpdater, w, v, g []*tensor.Tensor) {
	k.SGDMany(p.SGD, w, v, g)
}

// A replace is w = g.
type replace struct{}

func (replace) one(k kernels.Backend, w, _, g *tensor.Tensor)        { k.Copy(w, g) }
func (replace) many(k kernels.ManyUpdater, w, _, g []*tensor.Tensor) { k.CopyMany(w, g) }

// A rescale is w += a·g, or w = a·g if w is fresh, where the squares of all of the
// vector say what a is.
type rescale struct {
	kernels.Rescale
	fresh   bool
	squares *tensor.Tensor
}

func (p rescale) one(k kernels.Backend, w, _, g *tensor.Tensor) {
	k.Rescale(p.Rescale, kernels.Acc{T: w, Fresh: p.fresh}, g, p.squares)
}

func (p rescale) many(k kernels.ManyUpdater, w, _, g []*tensor.Tensor) {
	k.RescaleMany(p.Rescale, p.fresh, w, g, p.squares)
}

// A square adds Σg² to what it has; w is g.
type square struct{ sum *tensor.Tensor }

func (p square) one(k kernels.Backend, _, _, g *tensor.Tensor) { k.SumSquares(p.sum, g) }
func (p square) many(k kernels.ManyUpdater, _, _, g []*tensor.Tensor) {
	k.SumSquaresMany(p.sum, g)
}
