// Package figures says how each figure looks: class counts, accuracies,
// training curves, weights, confusion, reliability, margins.
//
// There are only a few types: a figure's function takes plain data and returns
// a Figure, which is written as SVG or PNG or set into a page; Classes and
// Series are what several of the functions take. Missing data is an error, not
// an empty drawing.
package figures

import (
	"bytes"
	"fmt"
	"html"
	"image/color"
	"io"
	"math"
	"regexp"
	"strconv"
	"strings"
	"unicode"

	xfont "golang.org/x/image/font"
	"gonum.org/v1/plot"
	"gonum.org/v1/plot/font"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgimg"
	"gonum.org/v1/plot/vg/vgsvg"
)

// A Figure is a drawing with what it shows in words. Draw nothing on it: the
// functions of this package return it finished.
type Figure struct {
	Alt string // what it shows, for those who do not see it

	title, note string
	key         key
	panels      []panel // from top to bottom, on one x axis
	height      vg.Length
}

// A panel is a plot, the name of its y axis and its share of the figure's
// height. The name is not the plot's own because that one makes room for itself
// as if every axis were linear, and stands elsewhere in every panel.
type panel struct {
	*plot.Plot
	y     string
	share float64
}

// width is that of every figure: at this width a page's or a slide's column
// shows the lettering at about the size of its text.
const width = 480 * vg.Length(1)

const (
	margin  = 8 * vg.Length(1)
	spacing = 4 * vg.Length(1)
)

// The neutral colours. A page may give them other values: Figure.HTML.
var (
	ink   = color.NRGBA{0x1A, 0x1B, 0x1C, 0xFF} // text, axes
	faint = color.NRGBA{0x5F, 0x60, 0x62, 0xFF} // what is less than data
	rule  = color.NRGBA{0xDA, 0xDB, 0xDC, 0xFF} // the grid
	paper = color.NRGBA{0xFF, 0xFF, 0xFE, 0xFF}
)

// palette is that of Okabe and Ito, "Color Universal Design" (2008), which
// people with any colour vision tell apart; its yellow and black are left out,
// as they vanish on white and on dark paper.
var palette = []color.NRGBA{
	{0x00, 0x72, 0xB2, 0xFF}, // blue
	{0xD5, 0x5E, 0x00, 0xFF}, // vermillion
	{0x00, 0x9E, 0x73, 0xFF}, // green
	{0xCC, 0x79, 0xA7, 0xFF}, // purple
	{0xE6, 0x9F, 0x00, 0xFF}, // orange
	{0x56, 0xB4, 0xE9, 0xFF}, // sky
}

// style is the look of the i-th thing of its kind. Where the colours are used
// up they begin again paler, and lines with another dash.
func style(i int) draw.LineStyle {
	dashes := [][]vg.Length{nil, {6, 2}, {2, 2}, {8, 2, 2, 2}}
	c, round := palette[i%len(palette)], i/len(palette)%len(dashes)
	pale := func(v uint8) uint8 { return 0xFF - (0xFF-v)/uint8(1+round) }
	return draw.LineStyle{Color: color.NRGBA{pale(c.R), pale(c.G), pale(c.B), 0xFF}, Width: 1.4, Dashes: dashes[round]}
}

// lettering is a style of text of this size.
func lettering(size vg.Length, c color.Color) draw.TextStyle {
	return draw.TextStyle{Color: c, Font: font.Font{Typeface: "Liberation", Variant: "Sans", Size: size}, Handler: plot.DefaultTextHandler}
}

func (f *Figure) draw(c draw.Canvas) {
	fillRect(c, paper, c.Rectangle)
	c = draw.Crop(c, margin, -margin, margin, -margin)
	title := lettering(13, ink)
	title.Font.Weight = xfont.WeightBold
	for _, line := range []struct {
		text  string
		style draw.TextStyle
	}{{f.title, title}, {f.note, lettering(10, faint)}} {
		if line.text == "" {
			continue
		}
		line.style.YAlign = draw.YTop
		text := fit(line.style, line.text, c.Max.X-c.Min.X)
		c.FillText(line.style, vg.Point{X: c.Min.X, Y: c.Max.Y}, text)
		c.Max.Y -= line.style.Height(text) + spacing
	}
	if f.key != nil {
		c.Max.Y -= f.key.draw(c) + spacing
	}
	f.drawPanels(c)
}

// drawPanels draws the panels so that their data begin and end at the same x.
func (f *Figure) drawPanels(c draw.Canvas) {
	all := 0.0
	for _, p := range f.panels {
		all += p.share
	}
	name := lettering(11, ink)
	name.Rotation, name.XAlign, name.YAlign = math.Pi/2, draw.XCenter, draw.YTop
	edge := c.Min.X
	c.Min.X += name.Height("0") + spacing
	height := c.Max.Y - c.Min.Y - spacing*vg.Length(len(f.panels)-1)
	areas := make([]draw.Canvas, len(f.panels))
	var left, right vg.Length
	top := c.Max.Y
	for i, p := range f.panels {
		h := height * vg.Length(p.share/all)
		areas[i] = c
		areas[i].Max.Y, areas[i].Min.Y = top, top-h
		top -= h + spacing
		in := p.DataCanvas(areas[i])
		left, right = max(left, in.Min.X-c.Min.X), max(right, c.Max.X-in.Max.X)
	}
	for i, p := range f.panels {
		in := p.DataCanvas(areas[i])
		c.FillText(name, vg.Point{X: edge, Y: (in.Min.Y + in.Max.Y) / 2}, p.y)
		p.Draw(draw.Crop(areas[i], left-(in.Min.X-c.Min.X), (c.Max.X-in.Max.X)-right, 0, 0))
	}
}

// SVG writes the figure as an SVG document.
func (f *Figure) SVG(w io.Writer) error {
	s, err := f.svg()
	if err != nil {
		return err
	}
	s = strings.Replace(s, "Liberation Sans", sans, -1)
	at := strings.Index(s, "<g ")
	_, err = fmt.Fprintf(w, "%s<title>%s</title>\n%s", s[:at], html.EscapeString(Printable(f.Alt)), s[at:])
	return err
}

// sans are fonts as wide as Liberation Sans, which need not be there.
const sans = "Liberation Sans, Arial, Helvetica, sans-serif"

func (f *Figure) svg() (string, error) {
	c := vgsvg.New(width, f.height)
	f.draw(draw.New(c))
	var b bytes.Buffer
	if _, err := c.WriteTo(&b); err != nil {
		return "", err
	}
	return strings.ReplaceAll(b.String(), "data:image/jpg;", "data:image/png;"), nil
}

// opening is what comes before a figure's drawing, places are the elements that
// stand at some place, and precise is a number with more decimals than can be
// seen.
var (
	opening = regexp.MustCompile(`(?s)^.*?<svg [^>]*?(viewBox="[^"]*")[^>]*>`)
	places  = regexp.MustCompile(`<(path|text) [^>]*>`)
	precise = regexp.MustCompile(`\d+\.\d{2,}`)
)

// HTML is the figure as an svg element to stand in a page, with coordinates to
// a tenth of a point. The page decides its size, its font and, by the custom properties --ink, --faint, --rule and
// --paper, which it must have, its neutral colours.
func (f *Figure) HTML() (string, error) {
	s, err := f.svg()
	if err != nil {
		return "", err
	}
	s = opening.ReplaceAllString(s, `<svg role="img" aria-label="`+strings.ReplaceAll(html.EscapeString(Printable(f.Alt)), "$", "$$")+`" $1>`)
	s = places.ReplaceAllStringFunc(s, func(element string) string {
		return precise.ReplaceAllStringFunc(element, func(n string) string {
			v, _ := strconv.ParseFloat(n, 64) // digits and a point
			return strings.TrimSuffix(strconv.FormatFloat(v, 'f', 1, 64), ".0")
		})
	})
	var pairs []string
	for name, c := range map[string]color.NRGBA{"ink": ink, "faint": faint, "rule": rule, "paper": paper} {
		hex := fmt.Sprintf("#%02X%02X%02X", c.R, c.G, c.B)
		pairs = append(pairs, ":"+hex, ":var(--"+name+")")
	}
	pairs = append(pairs, "font-family:Liberation Sans;font-variant:normal;", "", "font-weight:normal;font-style:normal;", "", "xlink:href", "href")
	return strings.NewReplacer(pairs...).Replace(s), nil
}

// PNG writes the figure as a PNG image with this many dots to the inch: at 72
// it is 480 pixels wide, as in SVG.
func (f *Figure) PNG(w io.Writer, dpi int) error {
	if dpi < 24 || dpi > 1200 {
		return fmt.Errorf("figures: a PNG with %d dots an inch, want 24 to 1200", dpi)
	}
	c := vgimg.NewWith(vgimg.UseWH(width, f.height), vgimg.UseDPI(dpi))
	f.draw(draw.New(c))
	_, err := vgimg.PngCanvas{Canvas: c}.WriteTo(w)
	return err
}

// Printable is s on one line, without what is not printed, such as control
// characters and those that reverse the direction of text: fit for a drawing
// and a page. Names of classes and folders can hold anything.
func Printable(s string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case unicode.IsPrint(r):
			return r
		case unicode.IsSpace(r):
			return ' '
		}
		return -1
	}, strings.ToValidUTF8(s, "\uFFFD"))
}

// fit is s, cut so that it is at most w wide.
func fit(style draw.TextStyle, s string, w vg.Length) string {
	r := []rune(Printable(s))
	if style.Width(string(r)) <= w {
		return string(r)
	}
	for len(r) > 0 && style.Width(string(r)+"…") > w {
		r = r[:len(r)-1]
	}
	return string(r) + "…"
}
