package methods

import (
	"math"
	"slices"

	"phase/autograd"
	"phase/phase"
	"phase/phase/kind"
	"phase/tensor"
)

// add puts losses into the table.
func add(kinds ...kind.Kind[phase.Loss]) {
	for _, k := range kinds {
		phase.Losses.Add(k)
	}
}

// counts is the batch's counts. A loss has no way to refuse them but to panic in
// words: whoever makes a batch sees to it that they are there.
func counts(b phase.Batch) []int {
	if c := b.Logits.Value.Dim(1); len(b.Counts) != c {
		panic(tensor.Errorf("loss", "%d counts of images for %d classes", len(b.Counts), c))
	}
	if j := slices.IndexFunc(b.Counts, func(n int) bool { return n < 1 }); j >= 0 {
		panic(tensor.Errorf("loss", "class %d has %d images, want at least 1", j, b.Counts[j]))
	}
	return b.Counts
}

// byCount is f of each class's count.
func byCount(b phase.Batch, f func(n float64) float64) []float64 {
	v := make([]float64, len(counts(b)))
	for j, n := range b.Counts {
		v[j] = f(float64(n))
	}
	return v
}

// effective is phase.Effective of the batch's counts.
func effective(b phase.Batch, beta float64) []float64 {
	w, err := phase.Effective(counts(b), beta)
	if err != nil {
		panic(tensor.Errorf("loss", "%v", err))
	}
	return w
}

// ones is the weights of samples that all weigh the same.
func ones(b phase.Batch) *tensor.Tensor {
	return b.OfLabels(slices.Repeat([]float64{1}, b.Logits.Value.Dim(1))).Value
}

// surprise is -log p_y of each sample, whatever it weighs.
func surprise(b phase.Batch) *autograd.Var {
	b.Weights = ones(b)
	return phase.CrossEntropy{}.Each(b)
}

// focus is (1-e^-v)^γ·v, the focal loss as a function of the cross-entropy v.
func focus(v *autograd.Var, gamma float64) *autograd.Var {
	v = autograd.Affine(v, 1, 1e-37) // float32's smallest number, nearly: 0 has no logarithm
	// 1-e^-v by the hyperbolic tangent, which is exact where v is small.
	t := autograd.Tanh(autograd.Scale(v, .5))
	q := autograd.Div(autograd.Scale(t, 2), autograd.Affine(t, 1, 1))
	return autograd.Mul(autograd.Exp(autograd.Scale(autograd.Log(q), gamma)), v)
}

// margin is cross-entropy of the logits as the loss adjusts them.
func margin(l phase.Margin, b phase.Batch) *autograd.Var {
	b.Logits = l.Adjust(b)
	return phase.CrossEntropy{}.Each(b)
}

// logPriors is τ·log π_j of each class.
func logPriors(b phase.Batch, tau float64) []float64 {
	total := 0.
	for _, n := range counts(b) {
		total += float64(n)
	}
	return byCount(b, func(n float64) float64 { return tau * math.Log(n/total) })
}
