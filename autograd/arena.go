package autograd

import (
	"math"

	"phase/tensor"
)

// An arena lends the memory of one training step and takes it all back at
// once. After the first step a step of the same shapes allocates next to
// nothing. What it lends is not cleared.
type arena struct {
	poison bool
	free   map[form][]*tensor.Tensor
	lent   []*tensor.Tensor
	at     map[*tensor.Tensor]int // where in lent
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
		a.free, a.at = map[form][]*tensor.Tensor{}, map[*tensor.Tensor]int{}
	}
	var t *tensor.Tensor
	if l := a.free[f]; len(l) > 0 {
		t, a.free[f] = l[len(l)-1], l[:len(l)-1]
	} else {
		t = f.alloc()
	}
	a.at[t] = len(a.lent)
	a.lent = append(a.lent, t)
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
	i, ok := a.at[t]
	if !ok {
		return
	}
	last := a.lent[len(a.lent)-1]
	a.lent[i], a.at[last] = last, i
	a.lent = a.lent[:len(a.lent)-1]
	delete(a.at, t)
	a.shelve(t)
}

func (a *arena) shelve(t *tensor.Tensor) {
	if a.poison {
		poison(t)
	}
	f := formOf(t.Device(), t.DType(), t.IsImages() && !t.IsDense(), t.Shape())
	a.free[f] = append(a.free[f], t)
}

func (a *arena) reset() {
	for _, t := range a.lent {
		a.shelve(t)
	}
	a.lent = a.lent[:0]
	clear(a.at)
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
