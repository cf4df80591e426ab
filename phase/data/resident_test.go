package data

import (
	"slices"
	"strings"
	"testing"

	"phase/kernels/ref"
	"phase/tensor"
)

// A device makes the batches, bit for bit, that a loader makes on the host, of the
// samples that a sampler repeats, in second views and in a last batch that is shorter.
func TestResident(t *testing.T) {
	ds := ten(t)
	for _, a := range []Augment{{}, {Crop: 4}, {Flip: true}, {Crop: 4, Flip: true}} {
		for _, again := range []bool{false, true} {
			plain := Loader{Data: ds, Batch: 4, Seed: 5, Workers: 2, Augment: a, Normalize: cifarNorm(), Again: again,
				Order: func(int) []int { return []int{3, 3, 9, 0, 1, 3, 8, 2, 2, 5} }}
			r, err := NewResident(t.Context(), tensor.CPU, ref.Backend{}, ds, plain.Normalize)
			if err != nil {
				t.Fatal(err)
			}
			want, picks := collect(t, &plain, 2, 1), plain
			picks.Picks = true
			k := 0
			for b, err := range picks.Epoch(t.Context(), 2, 1) {
				if err != nil {
					t.Fatal(err)
				}
				x := r.Batch(b.Pick)
				got := copied{slices.Clone(tensor.Data[float32](x)), x.Shape(), tensor.Data[int64](b.Y), b.Index}
				if b.X != nil || !same(got, want[k]) {
					t.Errorf("%+v, again %v: batch %d is another", a, again, k)
				}
				k++
			}
			if k != len(want) {
				t.Errorf("%d batches, want %d", k, len(want))
			}
		}
	}
	for _, a := range []Augment{{Cutout: 4}, {AutoAugment: true}, {Jitter: Jitter{Contrast: .1}}} {
		for _, err := range (&Loader{Data: ds, Picks: true, Augment: a}).Epoch(t.Context(), 0, 0) {
			if err == nil || !strings.Contains(err.Error(), "cropped and flipped at most") {
				t.Errorf("%+v: got %v", a, err)
			}
		}
	}
}
