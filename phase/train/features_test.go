package train

import (
	"slices"
	"testing"

	"phase/phase/data"
)

// A batch's weights are those of its samples, wherever they stand in it.
func TestWeightsGoWithTheirSamples(t *testing.T) {
	b := &data.Batch{Index: []int{2, 0, 2}}
	if got := (&weights{sample: []float32{.5, 1, 3}}).of(b); !slices.Equal(got, []float32{3, .5, 3}) {
		t.Errorf("weights %v, want 3, 0.5, 3", got)
	}
	if got := (*weights)(nil).of(b); !slices.Equal(got, []float32{1, 1, 1}) {
		t.Errorf("no weights: %v, want ones", got)
	}
}
