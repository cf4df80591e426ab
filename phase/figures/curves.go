package figures

import (
	"fmt"
	"math"
	"slices"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// A Curve is how a training went: numbers by epoch. Accuracies are fractions;
// NaN is an epoch after which the test set was not looked at.
type Curve struct {
	Name              string // curves of one name have one colour: seeds of a method
	Stage             []string
	Loss, Train, Test []float64
}

// TrainingCurves shows loss, training and test accuracy by epoch, and where
// stages begin. The losses of different methods, and of different stages, are
// different sums: their curves compare in shape, not in height.
func TrainingCurves(title string, curves []Curve) (*Figure, error) {
	if len(curves) == 0 {
		return nil, fmt.Errorf("figures: training curves: no runs")
	}
	f := &Figure{title: title, note: "accuracy: solid on the test set, dotted on the training set under way", height: 430, Alt: title + ": loss and accuracy by epoch"}
	epochs, top := 0, 0.0
	var names []string
	for _, c := range curves {
		n := len(c.Loss)
		if n == 0 || len(c.Stage) != n || len(c.Train) != n || len(c.Test) != n {
			return nil, fmt.Errorf("figures: training curves of %s: %d losses, %d stages, %d training and %d test accuracies, want as many of each", c.Name, n, len(c.Stage), len(c.Train), len(c.Test))
		}
		for _, v := range slices.Concat(c.Loss, c.Train, c.Test) {
			if math.IsInf(v, 0) {
				return nil, fmt.Errorf("figures: training curves of %s: a number is not finite", c.Name)
			}
		}
		epochs = max(epochs, n)
		for _, v := range c.Loss {
			if v > top {
				top = v
			}
		}
		if !slices.Contains(names, c.Name) {
			names = append(names, c.Name)
		}
		f.Alt += fmt.Sprintf("; %s: loss from %.3g to %.3g", c.Name, c.Loss[0], c.Loss[n-1])
		if last := c.Test[n-1]; finite(last) {
			f.Alt += fmt.Sprintf(", at last %.1f %% right on the test set", 100*last)
		}
	}
	f.Alt += "."
	f.key = named(names, false)
	x := whole(1, epochs)
	losses := axes("", x, linear(0, max(top*1.15, 1e-9)))
	accuracies := axes("epoch", x, shares(.02))
	for _, p := range []*plot.Plot{losses, accuracies} {
		p.Add(borders(curves))
	}
	losses.Add(stageNames(curves))
	bare(losses)
	for _, c := range curves {
		xs := make([]float64, len(c.Loss))
		for i := range xs {
			xs[i] = float64(i + 1)
		}
		look := style(slices.Index(names, c.Name))
		train := draw.LineStyle{Color: look.Color, Width: 1, Dashes: []vg.Length{1, 2}}
		losses.Add(polyline(look, xs, c.Loss))
		accuracies.Add(polyline(train, xs, c.Train), polyline(look, xs, c.Test))
	}
	f.panels = []panel{{losses, "loss", 1}, {accuracies, "accuracy, %", 1.25}}
	return f, nil
}

// begins is the epochs before which a stage begins, over all curves.
func begins(curves []Curve) (epochs []float64) {
	for _, c := range curves {
		for i := 1; i < len(c.Stage); i++ {
			if at := float64(i) + .5; c.Stage[i] != c.Stage[i-1] && !slices.Contains(epochs, at) {
				epochs = append(epochs, at)
			}
		}
	}
	return epochs
}

// borders draws a line where a stage begins.
func borders(curves []Curve) shape {
	return func(c draw.Canvas, x, _ func(float64) vg.Length) {
		for _, at := range begins(curves) {
			c.StrokeLine2(draw.LineStyle{Color: faint, Width: .8, Dashes: []vg.Length{3, 2}}, x(at), c.Min.Y, x(at), c.Max.Y)
		}
	}
}

// stageNames writes the stages' names beside the lines between them: the
// stage's own if all curves that have one call it so, else stage 1 and stage 2.
func stageNames(curves []Curve) shape {
	return func(c draw.Canvas, x, _ func(float64) vg.Length) {
		at := begins(curves)
		if len(at) != 1 {
			return
		}
		before, after := "", ""
		for _, k := range curves {
			i := int(at[0])
			if i >= len(k.Stage) || k.Stage[i] == k.Stage[i-1] {
				continue
			}
			if before != "" && (before != k.Stage[i-1] || after != k.Stage[i]) {
				before, after = "stage 1", "stage 2"
				break
			}
			before, after = k.Stage[i-1], k.Stage[i]
		}
		text := lettering(10, faint)
		text.YAlign = draw.YTop
		c.FillText(text, vg.Point{X: x(at[0]) + 3, Y: c.Max.Y}, Printable(after))
		text.XAlign = draw.XRight
		c.FillText(text, vg.Point{X: x(at[0]) - 3, Y: c.Max.Y}, Printable(before))
	}
}
