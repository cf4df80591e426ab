package cpu

import (
	"math/rand/v2"
	"testing"

	"phase/kernels"
	"phase/tensor"
)

// TestDenormals: convolutions take numbers below 2^-126 for zeros, since
// arithmetic with them takes a hundred times as long, and leave the processor
// as it was.
func TestDenormals(t *testing.T) {
	same, half := kernels.Conv2D{Pad: 1}, kernels.Conv2D{Stride: 2, Pad: 1}
	for _, q := range []convCase{
		{same, 2, 16, 8, 8, 32, 3, 3}, {same, 2, 3, 8, 16, 16, 3, 3}, {same, 1, 7, 5, 9, 11, 3, 3},
		{half, 2, 16, 9, 8, 32, 3, 3}, {kernels.Conv2D{}, 2, 33, 6, 6, 18, 1, 1}, {kernels.Conv2D{Stride: 2}, 1, 20, 8, 9, 36, 1, 1},
	} {
		x, w, dy := q.tensors(rand.New(rand.NewPCG(3, 3)))
		small, smallDY := copyOf(x), copyOf(dy)
		for _, v := range []*tensor.Tensor{small, smallDY} {
			for i := range tensor.Data[float32](v) {
				tensor.Data[float32](v)[i] *= 1e-40
			}
		}
		fresh := func(like *tensor.Tensor) kernels.Acc {
			return kernels.Acc{T: fill(rand.New(rand.NewPCG(4, 4)), tensor.Like(like)), Fresh: true}
		}
		for _, b := range append(exactBackends(t), winogradBackends(t)...) {
			y, dx, dw, dw2 := fresh(dy), fresh(x), fresh(w), fresh(w)
			b.Conv2D(q.Conv2D, y.T, small, w)
			b.Conv2DGradX(q.Conv2D, dx, w, smallDY)
			b.Conv2DGradW(q.Conv2D, dw, small, dy)
			b.Conv2DGradW(q.Conv2D, dw2, x, smallDY)
			for _, a := range []kernels.Acc{y, dx, dw, dw2} {
				for _, v := range tensor.Data[float32](a.T) {
					if v != 0 {
						t.Fatalf("%v: %v: denormal inputs give %v", b, q, v)
					}
				}
			}
			if v := tensor.Data[float32](small)[0]; v == 0 || v/2 == 0 {
				t.Fatalf("%v: half of %v is zero", b, v)
			}
		}
	}
}
