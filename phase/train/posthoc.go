package train

import (
	"phase/nn"
	"phase/phase/kind"
)

// A Posthoc changes a trained linear classifier without training it.
type Posthoc interface {
	// Apply changes the classifier in place. counts are the training images of
	// each class.
	Apply(h *nn.Linear, counts []int)
	// Candidates lists what the calibration images are to choose from; nil takes
	// the Posthoc as it is.
	Candidates() []Posthoc
	// Score is how good logits of calibration images (n rows of len(counts)) are;
	// the candidate with the highest is chosen, the first of equals.
	Score(logits []float32, labels, counts []int) float64
	// String says what it is, with its parameter: "tau-norm 0.7".
	String() string
}

// Posthocs is the table of what can be done to a trained classifier.
var Posthocs = &kind.Table[Posthoc]{What: "posthoc"}
