package figures

import (
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// A key says what the looks of a figure mean. It draws itself at the top of c
// and returns its height.
type key interface {
	draw(c draw.Canvas) vg.Length
}

// An entry is a look and its meaning.
type entry struct {
	text string
	box  bool // a filled box instead of a line
	draw.LineStyle
}

// entries are set one after the other, in as many lines as they need.
type entries []entry

func (e entries) draw(c draw.Canvas) vg.Length {
	const swatch, gap, line = 16, 12, 14
	text := lettering(10, ink)
	text.YAlign = draw.YCenter
	x, y := c.Min.X, c.Max.Y-line/2
	for _, k := range e {
		s := fit(text, k.text, c.Max.X-c.Min.X-swatch-spacing)
		w := swatch + spacing + text.Width(s)
		if x > c.Min.X && x+w > c.Max.X {
			x, y = c.Min.X, y-line
		}
		if k.box {
			fillRect(c, k.Color, vg.Rectangle{Min: vg.Point{X: x + 4, Y: y - 4}, Max: vg.Point{X: x + swatch - 4, Y: y + 4}})
		} else {
			c.StrokeLine2(k.LineStyle, x, y, x+swatch, y)
		}
		c.FillText(text, vg.Point{X: x + swatch + spacing, Y: y}, s)
		x += w + gap
	}
	return c.Max.Y - y + line/2
}

// named is the key of things that are told apart by their names alone: none
// if there is only one.
func named(names []string, box bool) key {
	if len(names) < 2 {
		return nil
	}
	var e entries
	for i, n := range names {
		e = append(e, entry{n, box, style(i)})
	}
	return e
}
