// Package phase is the method of the paper "PHASE: Progressive Hierarchical
// Adaptation for Sample-Efficient Rebalancing in Long-Tail Classification"
// (Symmetry 2025, 17(12), 2040) in numbers, equation by equation, and the
// weightings it is compared with.
//
// There are only a few types: a Loss says what each sample of a Batch costs and
// a Weighting what each weighs, and the tables Losses and Weightings list them
// by name. MSR is the weighting of stage 2, AREA the baseline it builds on, and
// Result what weightings compute. Features is where feature vectors come from,
// and Reduction says how weighted losses become one number. Stage 1's loss,
// DAW, is a value of kernels.SoftmaxLoss.
//
// Everything here is float64 arithmetic and depends on neither the number of
// processors nor the machine's random state.
package phase

import (
	"fmt"
	"math"
)

// The class weights below take counts, the number N_j of training images of
// each class, and are normalised to sum to C, the number of classes, so that
// balanced classes all weigh 1. A class without images is an error: no weight
// could make it seen.

// Inverse is the weight of inverse frequency, w_j ∝ 1/N_j, with Σ_j w_j = C.
func Inverse(counts []int) ([]float64, error) { return ADRW(counts, 1) }

// Effective is the class-balanced weight of Cui et al., "Class-Balanced Loss
// Based on Effective Number of Samples" (CVPR 2019),
//
//	w_j ∝ (1-β)/(1-β^N_j),  Σ_j w_j = C,  0 <= β <= 1.
//
// β = 0 makes all weights 1, β = 1, the limit, is Inverse. LDAM's recipes use
// β = 0.9999.
func Effective(counts []int, beta float64) ([]float64, error) {
	if err := checkCounts("effective", counts); err != nil {
		return nil, err
	}
	if !(beta >= 0 && beta <= 1) {
		return nil, fmt.Errorf("effective: beta %v, want 0 to 1", beta)
	}
	if beta == 1 {
		return Inverse(counts)
	}
	w := make([]float64, len(counts))
	for j, n := range counts {
		w[j] = (1 - beta) / (1 - math.Pow(beta, float64(n)))
	}
	return normalize(w), nil
}

// ADRW is the weight of Wang et al., "A Unified Generalization Analysis of
// Re-Weighting and Logit-Adjustment for Imbalanced Learning" (NeurIPS 2023),
//
//	w_j ∝ (N_j/N)^(-ν),  Σ_j w_j = C,  ν >= 0.
//
// It is character for character the global weight of PHASE's Eqs 8 and 9 with
// ν = γ, whatever the paper says about effective numbers. ν = 0 makes all
// weights 1, ν = 1 is Inverse.
func ADRW(counts []int, nu float64) ([]float64, error) {
	if err := checkCounts("adrw", counts); err != nil {
		return nil, err
	}
	if !(nu >= 0) || math.IsInf(nu, 0) {
		return nil, fmt.Errorf("adrw: exponent %v, want a finite number of at least 0", nu)
	}
	least := counts[0]
	for _, n := range counts {
		least = min(least, n)
	}
	w := make([]float64, len(counts))
	for j, n := range counts {
		// N and every common factor cancel in the normalisation; relative to
		// the smallest class no power overflows.
		w[j] = math.Pow(float64(least)/float64(n), nu)
	}
	return normalize(w), nil
}

func checkCounts(op string, counts []int) error {
	if len(counts) == 0 {
		return fmt.Errorf("%s: no classes, want at least 1", op)
	}
	for j, n := range counts {
		if n < 1 {
			return fmt.Errorf("%s: class %d has %d images, want at least 1", op, j, n)
		}
	}
	return nil
}

// normalize scales w in place to sum to its length.
func normalize(w []float64) []float64 {
	sum := 0.
	for _, v := range w {
		sum += v
	}
	scale := float64(len(w)) / sum
	for j := range w {
		w[j] *= scale
	}
	return w
}
