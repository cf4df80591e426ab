package longtail

import (
	"fmt"

	"gonum.org/v1/gonum/stat"
)

// A Group is a class's kind by the number of its training images.
type Group int

// The groups of Liu et al., "Large-Scale Long-Tailed Recognition in an Open
// World" (CVPR 2019).
const (
	Many Group = iota
	Medium
	Few
)

// String is many, medium or few.
func (g Group) String() string { return [...]string{"many", "medium", "few"}[g] }

// Thresholds say where the groups end. The zero value is the usual rule: more
// than 100 images are many, fewer than 20 are few, what lies between is
// medium.
type Thresholds struct {
	Many int `json:"many"` // a class is many-shot with more images than this; 0 means 100
	Few  int `json:"few"`  // a class is few-shot with fewer images than this; 0 means 20, 1 leaves the group to classes without an image
}

// orDefault puts the usual rule in the place of zeros.
func (t Thresholds) orDefault() Thresholds {
	if t.Many == 0 {
		t.Many = 100
	}
	if t.Few == 0 {
		t.Few = 20
	}
	return t
}

// Groups is the group of each class, given its number of training images. It
// is an error if a threshold is negative or a class could be in two groups.
func Groups(counts []int, t Thresholds) ([]Group, error) {
	t = t.orDefault()
	if t.Few < 1 || t.Many < 1 || t.Few > t.Many+1 {
		return nil, fmt.Errorf("longtail: many is above %d images and few below %d, want 1 <= few <= many+1", t.Many, t.Few)
	}
	groups := make([]Group, len(counts))
	for c, n := range counts {
		switch {
		case n > t.Many:
			groups[c] = Many
		case n < t.Few:
			groups[c] = Few
		default:
			groups[c] = Medium
		}
	}
	return groups, nil
}

// Accuracy is how well predictions do. All figures are fractions; nil, which
// is null in JSON, is a figure that does not exist.
type Accuracy struct {
	Overall  float64    `json:"overall"`             // share of the images that are right
	Balanced float64    `json:"balanced"`            // mean of PerClass over the classes in the test set
	Many     *float64   `json:"many"`                // the same over many-shot classes; nil without any in the test set
	Medium   *float64   `json:"medium"`              // over medium-shot classes
	Few      *float64   `json:"few"`                 // over few-shot classes
	PerClass []*float64 `json:"per_class,omitempty"` // share of the class's images that are right (its recall); nil if the test set has none
	// Confusion[y][p] is the number of images of class y that were taken for p.
	Confusion [][]int `json:"confusion,omitempty"`
}

// Evaluate compares the predicted class of every test image with its label.
// counts is the number of training images of each class: its length is the
// number of classes, its values say which group a class is in. The test set
// may be imbalanced and may lack classes: Overall weighs images alike,
// Balanced and the groups weigh classes alike.
//
// It is an error if there are no images, the lengths differ, or a label or a
// prediction is not a class.
func Evaluate(predictions, labels, counts []int, t Thresholds) (Accuracy, error) {
	groups, err := Groups(counts, t)
	switch {
	case err != nil:
		return Accuracy{}, err
	case len(predictions) != len(labels):
		return Accuracy{}, fmt.Errorf("longtail: %d predictions for %d labels", len(predictions), len(labels))
	case len(labels) == 0:
		return Accuracy{}, fmt.Errorf("longtail: no test images, want at least 1")
	}
	classes := len(counts)
	a := Accuracy{PerClass: make([]*float64, classes), Confusion: make([][]int, classes)}
	for c := range a.Confusion {
		a.Confusion[c] = make([]int, classes)
	}
	right := 0
	for i, y := range labels {
		p := predictions[i]
		if y < 0 || y >= classes {
			return Accuracy{}, fmt.Errorf("longtail: test image %d has label %d, want 0 to %d", i, y, classes-1)
		}
		if p < 0 || p >= classes {
			return Accuracy{}, fmt.Errorf("longtail: test image %d is predicted to be class %d, want 0 to %d", i, p, classes-1)
		}
		a.Confusion[y][p]++
		if p == y {
			right++
		}
	}
	a.Overall = float64(right) / float64(len(labels))

	var all mean
	var grouped [3]mean
	for c, row := range a.Confusion {
		images := 0
		for _, n := range row {
			images += n
		}
		if images == 0 {
			continue
		}
		recall := float64(row[c]) / float64(images)
		a.PerClass[c] = &recall
		all.add(recall)
		grouped[groups[c]].add(recall)
	}
	a.Balanced = *all.value()
	a.Many, a.Medium, a.Few = grouped[Many].value(), grouped[Medium].value(), grouped[Few].value()
	return a, nil
}

// MeanSD is the mean and the standard deviation, with n-1, of the figures of at
// least one accuracy; of one the deviation is 0. A group without classes stays
// without a figure.
func MeanSD(accuracies []Accuracy) (mean, sd Accuracy) {
	of := func(get func(Accuracy) *float64) (m, d *float64) {
		var v []float64
		for _, a := range accuracies {
			if f := get(a); f != nil {
				v = append(v, *f)
			}
		}
		if len(v) == 0 {
			return nil, nil
		}
		mean, dev := stat.MeanStdDev(v, nil)
		if len(v) == 1 {
			dev = 0
		}
		return &mean, &dev
	}
	always := func(get func(Accuracy) *float64) (m, d float64) {
		x, y := of(get)
		return *x, *y
	}
	mean.Overall, sd.Overall = always(func(a Accuracy) *float64 { return &a.Overall })
	mean.Balanced, sd.Balanced = always(func(a Accuracy) *float64 { return &a.Balanced })
	mean.Many, sd.Many = of(func(a Accuracy) *float64 { return a.Many })
	mean.Medium, sd.Medium = of(func(a Accuracy) *float64 { return a.Medium })
	mean.Few, sd.Few = of(func(a Accuracy) *float64 { return a.Few })
	return mean, sd
}

// mean is the mean of what was added to it, nil before that.
type mean struct {
	sum float64
	n   int
}

func (m *mean) add(v float64) { m.sum += v; m.n++ }

func (m *mean) value() *float64 {
	if m.n == 0 {
		return nil
	}
	v := m.sum / float64(m.n)
	return &v
}
