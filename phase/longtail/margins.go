package longtail

import (
	"fmt"
	"math"
	"slices"
)

// A Margin says how far the logits of a class's test images are from a
// mistake: quartiles of Score.Margin. The quartiles are nil without images.
type Margin struct {
	Images int      `json:"images"`
	Q1     *float64 `json:"q1"`
	Median *float64 `json:"median"`
	Q3     *float64 `json:"q3"`
}

// Margins is the margin of each class. It is an error if a score's label is not
// a class.
func Margins(scores []Score, classes int) ([]Margin, error) {
	of := make([][]float64, classes)
	for i, s := range scores {
		if s.Label < 0 || s.Label >= classes {
			return nil, fmt.Errorf("longtail: test image %d has label %d, want 0 to %d", i, s.Label, classes-1)
		}
		of[s.Label] = append(of[s.Label], s.Margin)
	}
	margins := make([]Margin, classes)
	for c, v := range of {
		slices.Sort(v)
		margins[c] = Margin{Images: len(v), Q1: quantile(v, .25), Median: quantile(v, .5), Q3: quantile(v, .75)}
	}
	return margins, nil
}

// quantile is the q-quantile of sorted values: linear between the order
// statistics, of which the first is the 0-quantile and the last the 1-quantile.
// It is nil without values.
func quantile(sorted []float64, q float64) *float64 {
	if len(sorted) == 0 {
		return nil
	}
	at := q * float64(len(sorted)-1)
	low := math.Floor(at)
	v := sorted[int(low)]
	if f := at - low; f > 0 {
		v += f * (sorted[int(low)+1] - v)
	}
	return &v
}
