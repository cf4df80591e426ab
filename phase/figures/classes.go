package figures

import (
	"fmt"
	"math"
	"slices"

	"phase/phase/longtail"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// Classes are what the classes of a figure are called, how many training images
// each has, and where their groups end. Figures show them from the one with the
// most images to the one with the fewest.
type Classes struct {
	Names      []string
	Counts     []int
	Thresholds longtail.Thresholds
}

// A Series is a number for each class, and what it is of: a run or a method.
// NaN is a number that there is none of.
type Series struct {
	Name   string
	Values []float64
}

// ranked is Classes in the order in which they are shown.
type ranked struct {
	order  []int // class at each place
	names  []string
	counts []float64
	groups []longtail.Group
}

// rank orders the classes, and checks them and the series that go with them.
func (c Classes) rank(what string, series ...Series) (ranked, error) {
	n := len(c.Counts)
	var r ranked
	switch {
	case n == 0:
		return r, fmt.Errorf("figures: %s: no classes", what)
	case len(c.Names) != n:
		return r, fmt.Errorf("figures: %s: %d names for %d classes", what, len(c.Names), n)
	}
	groups, err := longtail.Groups(c.Counts, c.Thresholds)
	if err != nil {
		return r, err
	}
	for _, s := range series {
		if len(s.Values) != n {
			return r, fmt.Errorf("figures: %s of %s: %d numbers for %d classes", what, s.Name, len(s.Values), n)
		}
		if !slices.ContainsFunc(s.Values, finite) || slices.ContainsFunc(s.Values, infinite) {
			return r, fmt.Errorf("figures: %s of %s: no finite numbers", what, s.Name)
		}
	}
	for i := range n {
		r.order = append(r.order, i)
	}
	slices.SortStableFunc(r.order, func(a, b int) int { return c.Counts[b] - c.Counts[a] })
	for _, i := range r.order {
		if c.Counts[i] < 0 {
			return r, fmt.Errorf("figures: %s: class %d has %d images", what, i, c.Counts[i])
		}
		r.names, r.counts, r.groups = append(r.names, c.Names[i]), append(r.counts, float64(c.Counts[i])), append(r.groups, groups[i])
	}
	return r, nil
}

func finite(v float64) bool   { return !math.IsNaN(v) && !math.IsInf(v, 0) }
func infinite(v float64) bool { return math.IsInf(v, 0) }

// inOrder is v in the order in which the classes are shown.
func (r ranked) inOrder(v []float64) []float64 {
	s := make([]float64, len(v))
	for k, i := range r.order {
		s[k] = v[i]
	}
	return s
}

// places is the x of each class: 0, 1, 2 and so on.
func (r ranked) places() []float64 {
	s := make([]float64, len(r.order))
	for i := range s {
		s[i] = float64(i)
	}
	return s
}

// where is v where the class is in group g, and NaN elsewhere.
func (r ranked) where(g longtail.Group, v []float64) []float64 {
	s := same(math.NaN(), len(v))
	for i := range v {
		if r.groups[i] == g {
			s[i] = v[i]
		}
	}
	return s
}

// groupColour is the colour of a group's classes.
func groupColour(g longtail.Group) draw.LineStyle {
	return style([...]int{longtail.Many: 0, longtail.Medium: 2, longtail.Few: 1}[g])
}

var groups = []longtail.Group{longtail.Many, longtail.Medium, longtail.Few}

// nameable is how many classes have room for their names.
const nameable = 20

const rankName = "class, 1 has the most training images"

// scale is the x axis of classes: their names where there is room, else their
// place.
func (r ranked) scale() (name string, s scale) {
	n := len(r.order)
	s = scale{min: -.7, max: float64(n) - .3}
	if n <= nameable {
		text := lettering(10, ink)
		for i, name := range r.names {
			s.ticks = append(s.ticks, plot.Tick{Value: float64(i), Label: fit(text, name, 76)})
		}
		return "", s
	}
	s.ticks = append(s.ticks, plot.Tick{Value: 0, Label: "1"})
	for _, t := range whole(1, n).ticks {
		s.ticks = append(s.ticks, plot.Tick{Value: t.Value - 1, Label: t.Label})
	}
	return rankName, s
}

// plot is an empty plot with the classes as its x axis, and lines between
// their groups.
func (r ranked) plot(y scale) *plot.Plot {
	name, x := r.scale()
	p := axes(name, x, y)
	tilt(&p.X, len(r.order))
	p.Add(r.borders(func(c draw.Canvas, x func(float64) vg.Length, at float64) {
		c.StrokeLine2(draw.LineStyle{Color: faint, Width: .6, Dashes: []vg.Length{2, 2}}, x(at), c.Min.Y, x(at), c.Max.Y)
	}))
	return p
}

// tilt leans the names of classes where they would touch.
func tilt(a *plot.Axis, classes int) {
	widest := vg.Length(0)
	for _, t := range a.Tick.Marker.Ticks(a.Min, a.Max) {
		widest = max(widest, a.Tick.Label.Width(t.Label))
	}
	if classes <= nameable && widest > (width-70)/vg.Length(classes)-4 {
		a.Tick.Label.Rotation, a.Tick.Label.XAlign, a.Tick.Label.YAlign = math.Pi/4, draw.XRight, draw.YCenter
	}
}

// borders calls f with the x between each two groups.
func (r ranked) borders(f func(c draw.Canvas, x func(float64) vg.Length, at float64)) shape {
	return func(c draw.Canvas, x, _ func(float64) vg.Length) {
		for i := 1; i < len(r.groups); i++ {
			if r.groups[i] != r.groups[i-1] {
				f(c, x, float64(i)-.5)
			}
		}
	}
}

// labels writes the groups' names at the top of a plot.
func (r ranked) labels() shape {
	return func(c draw.Canvas, x, _ func(float64) vg.Length) {
		for i := 0; i < len(r.groups); {
			end := i
			for end < len(r.groups) && r.groups[end] == r.groups[i] {
				end++
			}
			text := lettering(10, faint)
			text.XAlign, text.YAlign = draw.XCenter, draw.YTop
			name := fmt.Sprintf("%v (%d)", r.groups[i], end-i)
			if room := x(float64(end)) - x(float64(i)); text.Width(name) > room+4 {
				name = r.groups[i].String()
			}
			c.FillText(text, vg.Point{X: (x(float64(i)-.5) + x(float64(end)-.5)) / 2, Y: c.Max.Y}, name)
			i = end
		}
	}
}

// countsPanel shows the training images of each class; one without any has no
// place on the logarithmic axis.
func (r ranked) countsPanel() panel {
	lo, hi := math.Inf(1), 1.0
	for _, n := range r.counts {
		if n > 0 {
			lo = min(lo, n)
		}
		hi = max(hi, n)
	}
	y := logarithmic(min(lo, hi), hi)
	p := r.plot(y)
	for _, g := range groups {
		v := r.where(g, r.counts)
		for i, n := range v {
			if n == 0 {
				v[i] = math.NaN()
			}
		}
		p.Add(dots(groupColour(g).Color, r.radius(), r.places(), v))
	}
	return panel{p, "training images", 1}
}

// A Counts is the number of training images of each class of a data set.
type Counts struct {
	Name   string // such as the imbalance factor
	Images []int
}

// ClassCounts shows how class sizes fall, in a line for each data set: the
// paper's Figure 3. All have as many classes; a data set's classes are shown
// from the largest to the smallest.
func ClassCounts(title string, sets []Counts) (*Figure, error) {
	if len(sets) == 0 {
		return nil, fmt.Errorf("figures: class counts: no data sets")
	}
	n := len(sets[0].Images)
	lo, hi := math.Inf(1), 0.0
	var names []string
	var sorted [][]float64
	f := &Figure{title: title, height: 300, Alt: fmt.Sprintf("%s: images of %d classes, from the largest class to the smallest.", title, n)}
	for _, s := range sets {
		if len(s.Images) != n || n == 0 {
			return nil, fmt.Errorf("figures: class counts of %s: %d classes beside %d", s.Name, len(s.Images), n)
		}
		if least := slices.Min(s.Images); least < 1 {
			return nil, fmt.Errorf("figures: class counts of %s: a class has %d images, want at least 1", s.Name, least)
		}
		images := slices.Clone(s.Images)
		slices.Sort(images)
		slices.Reverse(images)
		var v []float64
		for _, n := range images {
			v = append(v, float64(n))
		}
		lo, hi = min(lo, v[n-1]), max(hi, v[0])
		names, sorted = append(names, s.Name), append(sorted, v)
		f.Alt += fmt.Sprintf(" %s: %d to %d.", s.Name, images[0], images[n-1])
	}
	f.key = named(names, false)
	p := axes(rankName, whole(1, n), logarithmic(lo, hi))
	p.X.Min, p.X.Max = 1-float64(n)/60, float64(n)*61/60
	xs := same(1, n)
	for i := range xs {
		xs[i] += float64(i)
	}
	for i, v := range sorted {
		p.Add(polyline(style(i), xs, v))
		if n <= nameable {
			p.Add(dots(style(i).Color, 2.2, xs, v))
		}
	}
	f.panels = []panel{{p, "training images", 1}}
	return f, nil
}

// AccuracyByClass shows the accuracy of each class, a fraction, over the number
// of its training images: the paper's Figure 4.
func AccuracyByClass(title string, classes Classes, series []Series) (*Figure, error) {
	if len(series) == 0 {
		return nil, fmt.Errorf("figures: accuracy by class: no runs")
	}
	r, err := classes.rank("accuracy by class", series...)
	if err != nil {
		return nil, err
	}
	for _, s := range series {
		for i, v := range s.Values {
			if v < 0 || v > 1 {
				return nil, fmt.Errorf("figures: accuracy by class of %s: %g for class %d, want 0 to 1", s.Name, v, i)
			}
		}
	}
	f := &Figure{title: title, height: 410, Alt: title + ": accuracy of each class, from the one with the most training images to the one with the fewest."}
	p := r.plot(shares(.12))
	for _, s := range series {
		f.Alt += fmt.Sprintf(" %s: %s.", s.Name, r.inWords(r.inOrder(s.Values), func(v float64) string { return fmt.Sprintf("%.0f %%", 100*v) }))
	}
	r.draw(f, p, series, true)
	p.Add(r.labels())
	bare(p)
	f.panels = []panel{{p, "accuracy, %", 1.6}, r.countsPanel()}
	return f, nil
}

// draw draws series on p: one in the colours of the groups, several in colours
// of their own, which the figure's key names.
func (r ranked) draw(f *Figure, p *plot.Plot, series []Series, fromZero bool) {
	if len(series) == 1 {
		v := r.inOrder(series[0].Values)
		for _, g := range groups {
			if fromZero {
				p.Add(bars(groupColour(g).Color, .8, r.places(), same(0, len(v)), r.where(g, v)))
			} else {
				p.Add(dots(groupColour(g).Color, r.radius(), r.places(), r.where(g, v)))
			}
		}
		return
	}
	var names []string
	for i, s := range series {
		names = append(names, s.Name)
		look, xs, v := style(i), r.places(), r.inOrder(s.Values)
		look.Width = 1
		p.Add(polyline(look, xs, v))
		if len(v) <= nameable {
			p.Add(dots(look.Color, r.radius(), xs, v))
		}
	}
	f.key = named(names, false)
}

// radius is that of a class's dot.
func (r ranked) radius() vg.Length {
	if len(r.order) <= nameable {
		return 2.6
	}
	return 1.5
}

// inWords is the least and the greatest of v, the numbers of the classes in
// order, and whose they are.
func (r ranked) inWords(v []float64, format func(float64) string) string {
	lo, hi := -1, -1
	for i := range v {
		if finite(v[i]) {
			if lo < 0 || v[i] < v[lo] {
				lo = i
			}
			if hi < 0 || v[i] > v[hi] {
				hi = i
			}
		}
	}
	return fmt.Sprintf("from %s (%s) to %s (%s)", format(v[lo]), r.names[lo], format(v[hi]), r.names[hi])
}

// WeightByClass shows what each class weighs. A class of weight 0 has no place
// on the logarithmic axis and is left out.
func WeightByClass(title string, classes Classes, series []Series) (*Figure, error) {
	if len(series) == 0 {
		return nil, fmt.Errorf("figures: weight by class: no runs")
	}
	f := &Figure{title: title, height: 280, Alt: title + ": weight of each class, from the one with the most training images to the one with the fewest."}
	lo, hi := math.Inf(1), 0.0
	series = slices.Clone(series)
	for i, s := range series {
		series[i].Values = slices.Clone(s.Values)
		for j, w := range s.Values {
			switch {
			case w < 0:
				return nil, fmt.Errorf("figures: weight by class of %s: class %d weighs %g", s.Name, j, w)
			case w == 0:
				series[i].Values[j] = math.NaN()
			case finite(w):
				lo, hi = min(lo, w), max(hi, w)
			}
		}
	}
	r, err := classes.rank("weight by class", series...)
	if err != nil {
		return nil, err
	}
	for _, s := range series {
		f.Alt += fmt.Sprintf(" %s: %s.", s.Name, r.inWords(r.inOrder(s.Values), func(v float64) string { return fmt.Sprintf("%.3g", v) }))
	}
	y := logarithmic(lo, hi)
	y.max *= math.Pow(y.max/y.min, .12) // room for the groups' names
	p := r.plot(y)
	r.draw(f, p, series, false)
	p.Add(r.labels())
	f.panels = []panel{{p, "weight", 1}}
	return f, nil
}

// MarginByClass shows how far the logits of each class's test images are from
// a mistake: the median, and a line from the first quartile to the third.
func MarginByClass(title string, classes Classes, margins []longtail.Margin) (*Figure, error) {
	n := len(margins)
	q1, median, q3 := same(math.NaN(), n), same(math.NaN(), n), same(math.NaN(), n)
	lo, hi := 0.0, 0.0
	for i, m := range margins {
		if m.Q1 == nil || m.Median == nil || m.Q3 == nil {
			continue
		}
		q1[i], median[i], q3[i] = *m.Q1, *m.Median, *m.Q3
		lo, hi = min(lo, *m.Q1), max(hi, *m.Q3)
	}
	r, err := classes.rank("logit margins", Series{"first quartile", q1}, Series{"median", median}, Series{"third quartile", q3})
	if err != nil {
		return nil, err
	}
	f := &Figure{title: title, note: "logit of the true class minus the largest other: median, first to third quartile", height: 300}
	f.Alt = fmt.Sprintf("%s: logit of the true class minus the largest other of each class's test images. Medians %s.", title, r.inWords(r.inOrder(median), func(v float64) string { return fmt.Sprintf("%.2g", v) }))
	room := (hi - lo) / 20
	p := r.plot(linear(lo-room, hi+3*room))
	p.Add(line(draw.LineStyle{Color: ink, Width: .8}, p.X.Min, 0, p.X.Max, 0))
	for _, g := range groups {
		look := groupColour(g)
		p.Add(spans(draw.LineStyle{Color: look.Color, Width: r.radius() / 2}, r.places(), r.where(g, r.inOrder(q1)), r.where(g, r.inOrder(q3))))
		if len(r.order) <= nameable {
			p.Add(dots(paper, r.radius()+.8, r.places(), r.where(g, r.inOrder(median))))
		}
		p.Add(dots(look.Color, r.radius(), r.places(), r.where(g, r.inOrder(median))))
	}
	p.Add(r.labels())
	f.panels = []panel{{p, "logit margin", 1}}
	return f, nil
}
