package nn_test

import (
	"math/rand/v2"
	"slices"
	"sync"
	"testing"

	"phase/autograd"
	"phase/nn"
	"phase/tensor"
)

// TestPlans evaluates with what a pass before it has kept: the same bits, for
// batches of any size, for another size of images in between, and from several
// goroutines.
func TestPlans(t *testing.T) {
	m, err := nn.New("resnet8", nn.Config{Width: 16, Classes: 10, Channels: 3, Size: 16, Seed: 3})
	if err != nil {
		t.Fatal(err)
	}
	r := rand.New(rand.NewPCG(1, 2))
	images := func(n, size int) *tensor.Tensor {
		x := make([]float32, n*3*size*size)
		for i := range x {
			x[i] = float32(r.NormFloat64())
		}
		return tensor.OfImages(x, n, 3, size, size)
	}
	logits := func(x *tensor.Tensor, plans *nn.Plans) []float32 {
		return tensor.Data[float32](m.Forward(&nn.Pass{Plans: plans}, autograd.Const(x)).Value)
	}
	plans := new(nn.Plans)
	var wait sync.WaitGroup
	for _, x := range []*tensor.Tensor{images(1, 16), images(5, 16), images(2, 8), images(70, 16), images(3, 16)} {
		want := logits(x, nil)
		for range 2 {
			wait.Go(func() {
				if !slices.Equal(logits(x, plans), want) {
					t.Errorf("images %v: other logits with plans", x.Shape())
				}
			})
		}
	}
	wait.Wait()

	// Other parameters want other plans.
	x := images(2, 16)
	before := logits(x, plans)
	for _, v := range nn.Params(m) {
		for i := range tensor.Data[float32](v.Value) {
			tensor.Data[float32](v.Value)[i] *= 1.5
		}
	}
	if after := logits(x, new(nn.Plans)); slices.Equal(after, before) || !slices.Equal(after, logits(x, nil)) {
		t.Error("new plans do not go by the new parameters")
	}
}
