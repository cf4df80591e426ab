package main

import (
	"path/filepath"
	"slices"
	"testing"

	"phase/phase"
	"phase/tensor"
	"phase/tensor/npy"
)

// A file of features too large to be read whole gives the weights that it gives
// whole.
func TestFeaturesInPlace(t *testing.T) {
	path := filepath.Join(t.TempDir(), "f.npy")
	x := []float32{1, 0, 0, 1, -1, 0, 3, 3, 2, 5, 7, 1}
	if err := npy.WriteFile(path, tensor.Of(x, 6, 2)); err != nil {
		t.Fatal(err)
	}
	weigh := func(most int64) (phase.Features, []float64) {
		f, done, err := openFeatures(path, most)
		if err != nil {
			t.Fatal(err)
		}
		defer done()
		r, err := phase.DefaultMSR().Weights(f, []int{0, 0, 0, 0, 1, 1}, 2)
		if err != nil {
			t.Fatal(err)
		}
		return f, r.Sample
	}
	inPlace, got := weigh(int64(4*len(x) - 1))
	whole, want := weigh(int64(4 * len(x)))
	if _, ok := inPlace.(*npy.File); !ok {
		t.Errorf("features too large are a %T", inPlace)
	}
	if _, ok := whole.(*npy.File); ok {
		t.Errorf("features that fit are a %T", whole)
	}
	if d := whole.DType(); d != tensor.F32 {
		t.Errorf("float32 features are read as %v", d)
	}
	if !slices.Equal(got, want) {
		t.Errorf("in place %v, whole %v", got, want)
	}
}
