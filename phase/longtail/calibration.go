package longtail

import (
	"fmt"
	"math"
)

// A Score is what the logits of one test image say of it.
type Score struct {
	Label, Prediction int     // the true class, and the first with the largest logit
	Confidence        float64 // probability of Prediction under the softmax, in (0,1]
	NLL               float64 // -log of Label's probability, in nats
	Margin            float64 // Label's logit minus the largest other; positive where Prediction is right
}

// Scores is the score of each row of logits (n,classes), row-major, with the n
// labels, in float64.
//
// It is an error if there are fewer than 2 classes, the lengths differ, a label
// is not a class, or a logit is not finite.
func Scores[T float32 | float64](logits []T, labels []int, classes int) ([]Score, error) {
	if classes < 2 {
		return nil, fmt.Errorf("longtail: logits of %d classes, want at least 2", classes)
	}
	if len(logits) != len(labels)*classes {
		return nil, fmt.Errorf("longtail: %d logits for %d labels and %d classes, want %d", len(logits), len(labels), classes, len(labels)*classes)
	}
	scores := make([]Score, len(labels))
	for i, y := range labels {
		row := logits[i*classes : (i+1)*classes]
		if y < 0 || y >= classes {
			return nil, fmt.Errorf("longtail: test image %d has label %d, want 0 to %d", i, y, classes-1)
		}
		s := Score{Label: y}
		other := math.Inf(-1)
		for j, z := range row {
			z := float64(z)
			if math.IsNaN(z) || math.IsInf(z, 0) {
				return nil, fmt.Errorf("longtail: test image %d has logit %g for class %d, want a finite number", i, z, j)
			}
			if z > float64(row[s.Prediction]) {
				s.Prediction = j
			}
			if j != y {
				other = max(other, z)
			}
		}
		top, sum := float64(row[s.Prediction]), 0.0
		for _, z := range row {
			sum += math.Exp(float64(z) - top)
		}
		s.Confidence = 1 / sum
		s.NLL = top - float64(row[y]) + math.Log(sum)
		s.Margin = float64(row[y]) - other
		scores[i] = s
	}
	return scores, nil
}

// CalibrationBins is the number of bins of a Calibration, as in Guo et al.
const CalibrationBins = 15

// A Bin is the test images whose confidence lies in one interval.
type Bin struct {
	Count      int      `json:"count"`
	Confidence *float64 `json:"confidence"` // mean; nil in an empty bin
	Accuracy   *float64 `json:"accuracy"`   // share that is right; nil in an empty bin
}

// Calibration is how far a classifier's confidence can be believed: of the
// images it is 80 % sure of, are 80 % right?
type Calibration struct {
	Bins []Bin   `json:"bins"` // bin k of K holds the confidences in (k/K, (k+1)/K]
	ECE  float64 `json:"ece"`  // expected calibration error: Σ_k n_k/n · |accuracy_k - confidence_k|
	NLL  float64 `json:"nll"`  // mean, in nats
}

// Calibrate is the calibration of a classifier with these scores, with
// CalibrationBins bins of equal width: Guo et al., "On Calibration of Modern
// Neural Networks" (ICML 2017), equations 2, 3 and 5. It is an error if there
// are no scores.
func Calibrate(scores []Score) (Calibration, error) {
	if len(scores) == 0 {
		return Calibration{}, fmt.Errorf("longtail: no test images, want at least 1")
	}
	c := Calibration{Bins: make([]Bin, CalibrationBins)}
	var confidence, right [CalibrationBins]mean
	var nll mean
	for _, s := range scores {
		k := 0
		for k < CalibrationBins-1 && s.Confidence > float64(k+1)/CalibrationBins {
			k++
		}
		hit := 0.0
		if s.Prediction == s.Label {
			hit = 1
		}
		confidence[k].add(s.Confidence)
		right[k].add(hit)
		nll.add(s.NLL)
	}
	for k := range c.Bins {
		b := Bin{Count: right[k].n, Confidence: confidence[k].value(), Accuracy: right[k].value()}
		if b.Count > 0 {
			c.ECE += float64(b.Count) / float64(len(scores)) * math.Abs(*b.Accuracy-*b.Confidence)
		}
		c.Bins[k] = b
	}
	c.NLL = *nll.value()
	return c, nil
}
