//go:build cuda && linux && amd64

package autograd_test

import (
	"testing"

	"phase/autograd"
	"phase/kernels/cuda/cudatest"
	"phase/tensor"
)

// PyTorch's values of every op, and of its gradients, on a GPU.
func TestGoldenOnCUDA(t *testing.T) {
	dev := cudatest.Device(t)
	there := func(x *tensor.Tensor) *tensor.Tensor { return x.To(dev) }
	t.Run("f64", func(t *testing.T) { compareGolden(t, there, tensor.F64, 1e-9, .01) })
	t.Run("f32", func(t *testing.T) { compareGolden(t, there, tensor.F32, 1e-4, 1) })
}

// Data of the host join what is computed on a GPU, views of it too, and are looked
// through before; what wants a gradient does not move.
func TestDataJoinParametersOnCUDA(t *testing.T) {
	dev := cudatest.Device(t)
	var tape autograd.Tape
	w := autograd.Param(tensor.Of([]float32{1, 2, 3, 4, 5, 6}, 3, 2).To(dev))
	x := tape.Watch(tensor.Of([]float32{1, 0, 2, -1, 1, 1}, 3, 2).Permute(1, 0)) // (2,3)
	y := autograd.MatMul(x, w)
	if y.Value.Device() != dev {
		t.Fatalf("the product is on %v", y.Value.Device())
	}
	tape.Backward(autograd.Sum(autograd.Gather(y, tensor.Of([]int64{1}, 1))))
	want := []float64{0, 0, -1, -1, 1, 1}
	for i, g := range tensor.Values(w.Grad) {
		if g != want[i] {
			t.Fatalf("the gradient is %v, want %v", tensor.Values(w.Grad), want)
		}
	}
	for about, f := range map[string]func(){
		"label[0] is 9, want 0 to 1":              func() { autograd.CrossEntropy(y, tensor.Of([]int64{9, 0}, 2)) },
		"input 1 is on cuda:0 but input 0 on cpu": func() { autograd.MatMul(autograd.Param(x.Value), w) },
	} {
		if err := tensor.Catch(f); err == nil || err.(*tensor.Error).Msg != about {
			t.Errorf("got %v, want %s", err, about)
		}
	}
}
