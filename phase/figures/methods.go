package figures

import (
	"fmt"
	"math"

	"phase/phase/longtail"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// A Method is what a method came to: the mean over its runs and, where there
// are several, the standard deviation.
type Method struct {
	Name     string
	Runs     int
	Mean, SD longtail.Accuracy
}

// figures are the accuracies that GroupBars shows, nil where there is none.
func figuresOf(a longtail.Accuracy) []*float64 {
	return []*float64{&a.Overall, a.Many, a.Medium, a.Few}
}

var figureNames = []string{"all images", "many-shot", "medium-shot", "few-shot"}

// GroupBars shows the accuracy of methods over all test images and over many-,
// medium- and few-shot classes: the paper's Figure 5. A line at a bar's end is
// one standard deviation to either side. A group that no method has a figure
// for is left out.
func GroupBars(title string, methods []Method) (*Figure, error) {
	if len(methods) == 0 {
		return nil, fmt.Errorf("figures: accuracy by group: no methods")
	}
	f := &Figure{title: title, height: 280, Alt: title + ": accuracy"}
	var names []string
	var kept []int // indices of figureNames
	for k := range figureNames {
		for _, m := range methods {
			if figuresOf(m.Mean)[k] != nil {
				kept = append(kept, k)
				break
			}
		}
	}
	x := scale{min: -.5, max: float64(len(kept)) - .5}
	for i, k := range kept {
		x.ticks = append(x.ticks, plot.Tick{Value: float64(i), Label: figureNames[k]})
	}
	p := axes("", x, shares(.04))
	slot := .84 / float64(len(methods))
	several := false
	for i, m := range methods {
		names = append(names, m.Name)
		f.Alt += "; " + m.Name
		var xs, tops, lo, hi []float64
		for j, k := range kept {
			v, sd := figuresOf(m.Mean)[k], figuresOf(m.SD)[k]
			xs = append(xs, float64(j)+slot*(float64(i)-float64(len(methods)-1)/2))
			if v == nil {
				tops, lo, hi = append(tops, math.NaN()), append(lo, math.NaN()), append(hi, math.NaN())
				continue
			}
			if !(*v >= 0 && *v <= 1) {
				return nil, fmt.Errorf("figures: accuracy by group of %s: %g, want 0 to 1", m.Name, *v)
			}
			f.Alt += fmt.Sprintf(", %s %.1f %%", figureNames[k], 100**v)
			tops = append(tops, *v)
			if m.Runs > 1 && sd != nil {
				several = true
				lo, hi = append(lo, max(0, *v-*sd)), append(hi, min(1.03, *v+*sd))
			} else {
				lo, hi = append(lo, math.NaN()), append(hi, math.NaN())
			}
		}
		p.Add(bars(style(i).Color, slot*.88, xs, same(0, len(xs)), tops), spans(draw.LineStyle{Color: ink, Width: 1}, xs, lo, hi))
		if slot > .13 {
			p.Add(numbers(xs, tops, hi))
		}
	}
	f.Alt += "."
	if several {
		f.note = "mean over runs, ± one standard deviation"
	}
	f.key = named(names, true)
	f.panels = []panel{{p, "accuracy, %", 1}}
	return f, nil
}

// numbers writes each bar's height, in per cent, above it and its line.
func numbers(xs, tops, hi []float64) shape {
	return func(c draw.Canvas, x, y func(float64) vg.Length) {
		text := lettering(9, ink)
		text.XAlign, text.YAlign = draw.XCenter, draw.YBottom
		for i, v := range tops {
			if math.IsNaN(v) {
				continue
			}
			at := v
			if !math.IsNaN(hi[i]) {
				at = hi[i]
			}
			c.FillText(text, vg.Point{X: x(xs[i]), Y: y(at) + 1.5}, fmt.Sprintf("%.0f", 100*v))
		}
	}
}

// An AlphaPoint is the accuracy, a fraction, at one share of the global weight.
type AlphaPoint struct {
	Alpha    float64
	Runs     int
	Mean, SD float64
}

// AccuracyOverAlpha shows how accuracy depends on alpha, the share of MSR's
// global weight (Eq 13): the paper's Figure 6. The axis does not begin at 0, as
// the differences are small; a line is one standard deviation to either side.
func AccuracyOverAlpha(title string, points []AlphaPoint) (*Figure, error) {
	if len(points) == 0 {
		return nil, fmt.Errorf("figures: accuracy over alpha: no points")
	}
	f := &Figure{title: title, height: 280, Alt: title + ": accuracy over alpha"}
	var xs, ys, lo, hi []float64
	bottom, top, runs := math.Inf(1), math.Inf(-1), 1
	for i, q := range points {
		if !(q.Alpha >= 0 && q.Alpha <= 1) || i > 0 && !(q.Alpha > points[i-1].Alpha) {
			return nil, fmt.Errorf("figures: accuracy over alpha: point %d is at %g, want ascending ones from 0 to 1", i, q.Alpha)
		}
		if !(q.Mean >= 0 && q.Mean <= 1) || !(q.SD >= 0 && q.SD <= 1) {
			return nil, fmt.Errorf("figures: accuracy over alpha: %g ± %g at %g, want 0 to 1", q.Mean, q.SD, q.Alpha)
		}
		xs, ys, lo, hi = append(xs, q.Alpha), append(ys, 100*q.Mean), append(lo, 100*(q.Mean-q.SD)), append(hi, 100*(q.Mean+q.SD))
		bottom, top, runs = min(bottom, lo[i]), max(top, hi[i]), max(runs, q.Runs)
		f.Alt += fmt.Sprintf("; %.2f %% at %g", 100*q.Mean, q.Alpha)
	}
	f.Alt += "."
	if runs > 1 {
		f.note = fmt.Sprintf("mean over %d runs, ± one standard deviation", runs)
	}
	room := max(.1, (top-bottom)/10)
	p := axes("alpha, share of the global weight", linear(-.03, 1.03), linear(bottom-room, top+room))
	look := style(0)
	p.Add(spans(draw.LineStyle{Color: look.Color, Width: 1}, xs, lo, hi), polyline(look, xs, ys), dots(look.Color, 2.6, xs, ys))
	f.panels = []panel{{p, "accuracy, %", 1}}
	return f, nil
}
