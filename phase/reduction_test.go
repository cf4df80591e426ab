package phase

import (
	"math"
	"testing"

	"phase/phase/longtail"
)

// Eq 14's 1/N against the weighted mean: the ratio of the two is the mean
// weight, 0.122 under MSR's global weights on CIFAR-100-LT at IF 200.
func TestReductionScale(t *testing.T) {
	w := []float64{.5, 2, 3.5, 2}
	for r, want := range map[Reduction]float64{Mean: 1. / 4, WeightedMean: 1. / 8, "": 1. / 8, Sum: 1, None: 1} {
		if got, err := r.Scale(w); got != want || err != nil {
			t.Errorf("%s: %v, %v, want %v", r, got, err, want)
		}
	}
	var sample []float64
	counts, err := longtail.Counts(longtail.Exp, 500, 100, 200)
	if err != nil {
		t.Fatal(err)
	}
	class, err := ADRW(counts, 1)
	if err != nil {
		t.Fatal(err)
	}
	for j, n := range counts {
		for range n {
			sample = append(sample, class[j])
		}
	}
	mean, _ := Mean.Scale(sample)
	weighted, _ := WeightedMean.Scale(sample)
	near(t, "ratio", []float64{mean / weighted}, []float64{.122}, 5e-4)

	_, err = Reduction("median").Scale(w)
	wantError(t, err, `"median"`, `"weighted-mean"`)
	_, err = Sum.Scale(nil)
	wantError(t, err, "no weights")
	for _, bad := range [][]float64{{0, 0}, {1, -1}, {math.Inf(1)}, {math.NaN()}} {
		_, err = WeightedMean.Scale(bad)
		wantError(t, err, "positive finite")
	}
}
