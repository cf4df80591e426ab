package data

import (
	"context"

	"phase/kernels"
	"phase/tensor"
)

// A Resident is a set of images in a device's memory, whose batches are made there:
// a step then brings four numbers an image to the device instead of its pixels.
type Resident struct {
	by           kernels.ImageMaker
	bytes, table *tensor.Tensor
	shape        tensor.Shape
	made         map[int]made // by number of images
}

// made is a batch and what it is made of: its memory is the same in every step, so that
// a device may repeat a step's work as it was recorded.
type made struct{ x, pick *tensor.Tensor }

// NewResident brings images to a device, whose backend makes batches of them. The error
// is that of an image or of ctx.
func NewResident(ctx context.Context, dev tensor.Device, by kernels.ImageMaker, ds Images, n Normalize) (*Resident, error) {
	size := ds.Shape().Size()
	packed, pixels := make([]int64, (ds.Len()*size+7)/8), make([]uint8, size)
	for i := range ds.Len() {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		if err := ds.Pixels(i, pixels); err != nil {
			return nil, err
		}
		for k, v := range pixels {
			at := i*size + k
			packed[at/8] |= int64(v) << (at % 8 * 8)
		}
	}
	var table []float32
	for _, channel := range n.table(ds.Shape()[0]) {
		table = append(table, channel[:]...)
	}
	return &Resident{by: by, bytes: tensor.Of(packed, len(packed)).To(dev),
		table: tensor.Of(table, len(table)/256, 256).To(dev), shape: ds.Shape(), made: map[int]made{}}, nil
}

// Batch is the images that a Loader with Picks asks for, valid until the next call.
func (r *Resident) Batch(pick *tensor.Tensor) *tensor.Tensor {
	dev, n := r.bytes.Device(), pick.Dim(0)
	m, ok := r.made[n]
	if !ok {
		m = made{tensor.NewImages(dev, tensor.F32, n, r.shape[0], r.shape[1], r.shape[2]), tensor.New(dev, tensor.I64, n, 4)}
		r.made[n] = m
	}
	tensor.Move(m.pick, pick)
	r.by.Images(m.x, r.bytes, m.pick, r.table)
	return m.x
}
