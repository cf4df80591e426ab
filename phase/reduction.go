package phase

import (
	"fmt"
	"math"
)

// A Reduction says how the weighted losses w_i·l_i of a batch become one
// number. Which one is chosen matters more than any reading of Eq 12: under
// MSR with gamma 1 the mean weight of a CIFAR-100-LT sample at IF 200 is 0.12,
// so that Mean takes steps eight times smaller than WeightedMean.
type Reduction string

// The reductions.
const (
	// WeightedMean is Σ_i w_i·l_i / Σ_i w_i, PyTorch's cross-entropy with class
	// weights, which LDAM-DRW, AREA and the other published baselines use. The
	// default.
	WeightedMean Reduction = "weighted-mean"
	// Mean is (1/N) Σ_i w_i·l_i, Eq 14 as printed.
	Mean Reduction = "mean"
	// Sum is Σ_i w_i·l_i.
	Sum Reduction = "sum"
	// None leaves the w_i·l_i of the samples as they are.
	None Reduction = "none"
)

// Reductions lists the reductions, the default first.
func Reductions() []Reduction { return []Reduction{WeightedMean, Mean, Sum, None} }

// Scale is the number that every w_i·l_i of a batch with these weights is
// multiplied by, so that their sum is the reduced loss; for None, which has no
// sum, it is 1. "" is WeightedMean. An empty batch, weights without a positive
// finite sum under WeightedMean, and an unknown reduction are errors.
func (r Reduction) Scale(weights []float64) (float64, error) {
	if len(weights) == 0 {
		return 0, fmt.Errorf("reduction: no weights, want at least 1")
	}
	switch r {
	case Mean:
		return 1 / float64(len(weights)), nil
	case Sum, None:
		return 1, nil
	case WeightedMean, "":
		sum := 0.
		for _, w := range weights {
			sum += w
		}
		if sum > 0 && !math.IsInf(sum, 0) {
			return 1 / sum, nil
		}
		return 0, fmt.Errorf("reduction: %d weights add up to %v, want a positive finite number for %s", len(weights), sum, WeightedMean)
	}
	return 0, fmt.Errorf("reduction: %q, want one of %q", r, Reductions())
}
