package figures

import (
	"fmt"
	"math"
	"slices"

	"phase/phase/longtail"

	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// Reliability shows how far a classifier's confidence can be believed: for each
// bin of confidence the share of images that is right, beside the mean
// confidence, and below how many images there are.
func Reliability(title string, c longtail.Calibration) (*Figure, error) {
	k, images := len(c.Bins), 0
	for i, b := range c.Bins {
		if b.Count < 0 || b.Count > 0 && (b.Accuracy == nil || b.Confidence == nil) {
			return nil, fmt.Errorf("figures: reliability: bin %d of %d images has no accuracy or no confidence", i, b.Count)
		}
		images += b.Count
	}
	if images == 0 {
		return nil, fmt.Errorf("figures: reliability: no test images")
	}
	f := &Figure{title: title, height: 400}
	f.note = fmt.Sprintf("ECE %.1f %%, NLL %.3f; test images: %d", 100*c.ECE, c.NLL, images)
	var xs, accuracy, confidence, share []float64
	over := 0.0
	for i, b := range c.Bins {
		xs = append(xs, (float64(i)+.5)/float64(k))
		share = append(share, 100*float64(b.Count)/float64(images))
		accuracy, confidence = append(accuracy, math.NaN()), append(confidence, math.NaN())
		if b.Count > 0 {
			accuracy[i], confidence[i] = *b.Accuracy, *b.Confidence
			over += share[i] * (*b.Confidence - *b.Accuracy)
		}
	}
	tendency := "over-confident"
	if over < 0 {
		tendency = "under-confident"
	}
	f.Alt = fmt.Sprintf("%s: share of right answers by confidence. Expected calibration error %.1f %%; on the whole %s by %.1f points.", title, 100*c.ECE, tendency, math.Abs(over))
	mark, perfect := draw.LineStyle{Color: palette[1], Width: 2.5}, draw.LineStyle{Color: faint, Width: 1, Dashes: []vg.Length{4, 2}}
	f.key = entries{{"accuracy", true, style(0)}, {"mean confidence", false, mark}, {"perfectly calibrated", false, perfect}}
	top := axes("", shares(0), shares(.02))
	w := .92 / float64(k)
	top.Add(bars(style(0).Color, w, xs, same(0, k), accuracy), line(perfect, 0, 0, 1, 1), levels(mark, w, xs, confidence))
	bare(top)
	bottom := axes("confidence, %", shares(0), linear(0, 1.05*slices.Max(share)))
	bottom.Add(bars(faint, w, xs, same(0, k), share))
	f.panels = []panel{{top, "accuracy, %", 2.2}, {bottom, "images, %", 1}}
	return f, nil
}

// levels draws a level line of width w about each x, at y.
func levels(look draw.LineStyle, w float64, xs, ys []float64) shape {
	return func(c draw.Canvas, x, y func(float64) vg.Length) {
		for i := range xs {
			if !math.IsNaN(ys[i]) {
				c.StrokeLine2(look, x(xs[i]-w/2), y(ys[i]), x(xs[i]+w/2), y(ys[i]))
			}
		}
	}
}
