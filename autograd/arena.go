package autograd

import (
	"math"

	"phase/tensor"
)

// An arena lends the memory of one training step and takes it all back at
// once. After the first step a step of the same shapes allocates next to
// nothing. What it lends is not cleared.
//
// It lends the same tensors in the same order in every step that asks for the same:
// a step then has the addresses of the step before, which a device may make use of.
type arena struct {
	poison bool
	all    map[form][]*tensor.Tensor // in the order in which they were made
	free   map[form][]*tensor.Tensor
	lent   map[*tensor.Tensor]form
}

// A form is what two tensors share when one can take the other's place.
type form struct {
	dev    tensor.Device
	d      tensor.DType
	images bool
	n      int
	dims   [tensor.MaxDims]int
}

// alloc makes a tensor of the form. It stands apart because it moves f to the
// heap, which take must not.
func (f form) alloc() *tensor.Tensor {
	if f.images {
		return tensor.NewImages(f.dev, f.d, f.dims[0], f.dims[1], f.dims[2], f.dims[3])
	}
	return tensor.New(f.dev, f.d, f.dims[:f.n]...)
}

func (a *arena) take(f form) *tensor.Tensor {
	if a.free == nil {
		a.all, a.free, a.lent = map[form][]*tensor.Tensor{}, map[form][]*tensor.Tensor{}, map[*tensor.Tensor]form{}
	}
	var t *tensor.Tensor
	if l := a.free[f]; len(l) > 0 {
		t, a.free[f] = l[len(l)-1], l[:len(l)-1]
	} else {
		t = f.alloc()
		a.all[f] = append(a.all[f], t)
	}
	a.lent[t] = f
	return t
}

// like lends a tensor of t's shape and memory form.
func (a *arena) like(t *tensor.Tensor) *tensor.Tensor {
	return a.take(formOf(t.Device(), t.DType(), t.IsImages() && !t.IsDense(), t.Shape()))
}

func formOf(dev tensor.Device, d tensor.DType, images bool, shape tensor.Shape) form {
	f := form{dev: dev, d: d, images: images, n: len(shape)}
	copy(f.dims[:], shape)
	return f
}

// giveBack ends the life of one lent tensor early. Others are ignored.
func (a *arena) giveBack(t *tensor.Tensor) {
	f, ok := a.lent[t]
	if !ok {
		return
	}
	delete(a.lent, t)
	if a.poison {
		poison(t)
	}
	a.free[f] = append(a.free[f], t)
}

func (a *arena) reset() {
	if a.poison {
		for t := range a.lent {
			poison(t)
		}
	}
	clear(a.lent)
	for f, all := range a.all {
		a.free[f] = append(a.free[f][:0], all...)
	}
}

// poison fills host memory with NaN, so that a use after its end is loud.
func poison(t *tensor.Tensor) {
	if t.Device() != tensor.CPU {
		return
	}
	switch t.DType() {
	case tensor.F32:
		d := tensor.Data[float32](t)
		for i := range d {
			d[i] = float32(math.NaN())
		}
	case tensor.F64:
		d := tensor.Data[float64](t)
		for i := range d {
			d[i] = math.NaN()
		}
	}
}
