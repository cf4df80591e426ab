package figures

import (
	"image/color"
	"math"
	"strconv"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// A shape draws something on a plot's data: x and y take data to the canvas.
type shape func(c draw.Canvas, x, y func(float64) vg.Length)

// Plot implements plot.Plotter.
func (s shape) Plot(c draw.Canvas, p *plot.Plot) {
	x, y := p.Transforms(&c)
	s(c, x, y)
}

// axes is an empty plot over these ranges, with a name for x and a grid of
// horizontal lines.
func axes(xName string, x, y scale) *plot.Plot {
	p := plot.New()
	p.BackgroundColor = nil
	for _, a := range []struct {
		*plot.Axis
		name string
		scale
	}{{&p.X, xName, x}, {&p.Y, "", y}} {
		align := a.Tick.Label
		a.Label.Text, a.Label.TextStyle.Font, a.Label.TextStyle.Color = a.name, lettering(11, ink).Font, ink
		a.Label.Padding = 2
		a.Tick.Label = lettering(10, ink)
		a.Tick.Label.XAlign, a.Tick.Label.YAlign = align.XAlign, align.YAlign
		a.LineStyle = draw.LineStyle{Color: ink, Width: .6}
		a.Tick.LineStyle, a.Tick.Length = a.LineStyle, 3
		a.Padding = 0
		a.Min, a.Max = a.min, a.max
		a.Tick.Marker = plot.ConstantTicks(a.ticks)
		if a.log {
			a.Scale = plot.LogScale{}
		}
	}
	p.Y.LineStyle.Width, p.Y.Tick.LineStyle.Width = 0, 0
	p.Add(shape(func(c draw.Canvas, _, at func(float64) vg.Length) {
		for _, t := range y.ticks {
			if !t.IsMinor() {
				c.StrokeLine2(draw.LineStyle{Color: rule, Width: .5}, c.Min.X, at(t.Value), c.Max.X, at(t.Value))
			}
		}
	}))
	return p
}

// bare takes the numbers off a plot's x axis: the panel below has them.
func bare(p *plot.Plot) {
	p.X.Label.Text = ""
	p.X.Tick.Marker = plot.ConstantTicks(nil)
}

// A scale is the range of an axis and its marks.
type scale struct {
	min, max float64
	ticks    []plot.Tick
	log      bool
}

// linear is a scale from lo to hi with some marks at round numbers.
func linear(lo, hi float64) scale {
	if hi <= lo {
		lo, hi = lo-.5, hi+.5
	}
	s := scale{min: lo, max: hi}
	step := math.Pow(10, math.Floor(math.Log10((hi-lo)/7)))
	for _, f := range []float64{2, 2.5, 2} { // to 2, 5 and 10 times a power of ten
		if (hi-lo)/step > 7 {
			step *= f
		}
	}
	digits := max(0, int(math.Ceil(-math.Log10(step)-1e-9)))
	for k := math.Ceil(lo/step - 1e-9); k*step <= hi+1e-9*step; k++ {
		s.ticks = append(s.ticks, plot.Tick{Value: k * step, Label: strconv.FormatFloat(k*step+0, 'f', digits, 64)})
	}
	return s
}

// shares is a scale of fractions, marked in per cent; room above 1 is for
// labels.
func shares(room float64) scale {
	s := scale{min: 0, max: 1 + room}
	for v := 0; v <= 100; v += 20 {
		s.ticks = append(s.ticks, plot.Tick{Value: float64(v) / 100, Label: strconv.Itoa(v)})
	}
	return s
}

// logarithmic is a logarithmic scale that holds lo and hi, both positive,
// marked at powers of ten, or at 1, 2 and 5 of each where there would be few.
func logarithmic(lo, hi float64) scale {
	lo, hi = lo/1.25, hi*1.25
	s := scale{min: lo, max: hi, log: true}
	marks := []float64{1}
	if hi/lo < 100 {
		marks = []float64{1, 2, 5}
	}
	for e := math.Floor(math.Log10(lo)); e <= math.Ceil(math.Log10(hi)); e++ {
		for _, m := range marks {
			if v := m * math.Pow(10, e); v >= lo && v <= hi {
				s.ticks = append(s.ticks, plot.Tick{Value: v, Label: strconv.FormatFloat(v, 'g', 4, 64)})
			}
		}
	}
	return s
}

// whole is a scale of whole numbers from lo to hi, marked at round ones.
func whole(lo, hi int) scale {
	step := 1
	for _, f := range []int{2, 5, 10, 20, 50, 100, 200, 500, 1000, 5000, 10000} {
		if (hi-lo)/step > 8 {
			step = f
		}
	}
	s := scale{min: float64(lo), max: float64(hi)}
	if lo == hi {
		s.min, s.max = s.min-.5, s.max+.5
	}
	for v := lo; v <= hi; v++ {
		if v%step == 0 || step == 1 {
			s.ticks = append(s.ticks, plot.Tick{Value: float64(v), Label: strconv.Itoa(v)})
		}
	}
	return s
}

func fillRect(c draw.Canvas, col color.Color, r vg.Rectangle) {
	c.SetColor(col)
	c.Fill(r.Path())
}

// polyline draws a line through the points that are there; a NaN is a gap, and
// a point alone is a dot.
func polyline(look draw.LineStyle, xs, ys []float64) shape {
	return func(c draw.Canvas, x, y func(float64) vg.Length) {
		var lines [][]vg.Point
		var line []vg.Point
		for i := range ys {
			if math.IsNaN(ys[i]) {
				lines, line = append(lines, line), nil
				continue
			}
			line = append(line, vg.Point{X: x(xs[i]), Y: y(ys[i])})
		}
		for _, l := range append(lines, line) {
			if len(l) == 1 {
				c.SetColor(look.Color)
				c.Fill(dot(nil, l[0], look.Width))
			} else if len(l) > 1 {
				c.StrokeLines(look, l)
			}
		}
	}
}

// dot adds a circle to a path.
func dot(p vg.Path, at vg.Point, radius vg.Length) vg.Path {
	p.Move(vg.Point{X: at.X + radius, Y: at.Y})
	p.Arc(at, radius, 0, 2*math.Pi)
	p.Close()
	return p
}

// dots draws a circle at each point that is there.
func dots(col color.Color, radius vg.Length, xs, ys []float64) shape {
	return func(c draw.Canvas, x, y func(float64) vg.Length) {
		var p vg.Path
		for i := range ys {
			if !math.IsNaN(ys[i]) {
				p = dot(p, vg.Point{X: x(xs[i]), Y: y(ys[i])}, radius)
			}
		}
		c.SetColor(col)
		c.Fill(p)
	}
}

// bars draws a rectangle of width w about each x, from lo to hi.
func bars(col color.Color, w float64, xs, lo, hi []float64) shape {
	return func(c draw.Canvas, x, y func(float64) vg.Length) {
		var p vg.Path
		for i := range xs {
			if math.IsNaN(lo[i]) || math.IsNaN(hi[i]) {
				continue
			}
			l, r, b, t := x(xs[i]-w/2), x(xs[i]+w/2), y(lo[i]), y(hi[i])
			p.Move(vg.Point{X: l, Y: b})
			p.Line(vg.Point{X: l, Y: t})
			p.Line(vg.Point{X: r, Y: t})
			p.Line(vg.Point{X: r, Y: b})
			p.Close()
		}
		c.SetColor(col)
		c.Fill(p)
	}
}

// spans draws an upright line at each x, from lo to hi.
func spans(look draw.LineStyle, xs, lo, hi []float64) shape {
	return func(c draw.Canvas, x, y func(float64) vg.Length) {
		var p vg.Path
		for i := range xs {
			if !math.IsNaN(lo[i]) && !math.IsNaN(hi[i]) {
				p.Move(vg.Point{X: x(xs[i]), Y: y(lo[i])})
				p.Line(vg.Point{X: x(xs[i]), Y: y(hi[i])})
			}
		}
		c.SetLineStyle(look)
		c.Stroke(p)
	}
}

// line draws a straight line between two points.
func line(look draw.LineStyle, x0, y0, x1, y1 float64) shape {
	return polyline(look, []float64{x0, x1}, []float64{y0, y1})
}

// same is n times v.
func same(v float64, n int) []float64 {
	s := make([]float64, n)
	for i := range s {
		s[i] = v
	}
	return s
}
