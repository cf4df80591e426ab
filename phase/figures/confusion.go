package figures

import (
	"fmt"
	"image"
	"image/color"
	"math"
	"strconv"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// Confusion shows which classes are taken for which: matrix[y][p] is the number
// of test images of class y that were taken for p. A cell's colour is its share
// of its row, on a scale of square roots, so that a few per cent can be seen.
func Confusion(title string, classes Classes, matrix [][]int) (*Figure, error) {
	r, err := classes.rank("confusion matrix")
	if err != nil {
		return nil, err
	}
	n := len(r.order)
	if len(matrix) != n {
		return nil, fmt.Errorf("figures: confusion matrix: %d rows for %d classes", len(matrix), n)
	}
	rows := make([][]float64, n) // shares, in the order shown; nil without images
	worst, worstAt := 0.0, ""
	for i, y := range r.order {
		if len(matrix[y]) != n {
			return nil, fmt.Errorf("figures: confusion matrix: %d columns in row %d, for %d classes", len(matrix[y]), y, n)
		}
		images := 0
		for _, k := range matrix[y] {
			if k < 0 {
				return nil, fmt.Errorf("figures: confusion matrix: %d images in row %d", k, y)
			}
			images += k
		}
		if images == 0 {
			continue
		}
		rows[i] = make([]float64, n)
		for j, p := range r.order {
			v := float64(matrix[y][p]) / float64(images)
			rows[i][j] = v
			if i != j && v > worst {
				worst, worstAt = v, fmt.Sprintf(" Most confused: %.0f %% of %s are taken for %s.", 100*v, r.names[i], r.names[j])
			}
		}
	}
	f := &Figure{title: title, key: colourBar{}, height: 500}
	f.Alt = fmt.Sprintf("%s: true class by predicted class, %d classes from the one with the most training images to the one with the fewest.%s", title, n, worstAt)

	name, x := r.scale()
	x.min, x.max = -.5, float64(n)-.5
	y := scale{min: x.min, max: x.max}
	for _, t := range x.ticks {
		y.ticks = append(y.ticks, plot.Tick{Value: float64(n-1) - t.Value, Label: t.Label})
	}
	if name == "" {
		name = "class"
	}
	p := axes("predicted "+name, x, y)
	p.Y.LineStyle.Width, p.Y.Tick.LineStyle.Width = p.X.LineStyle.Width, p.X.Tick.LineStyle.Width
	tilt(&p.X, n)
	p.Add(cells(rows))
	if n <= 12 {
		p.Add(percents(rows))
	}
	p.Add(shape(func(c draw.Canvas, x, y func(float64) vg.Length) {
		for i := 1; i < n; i++ {
			if r.groups[i] != r.groups[i-1] {
				look := draw.LineStyle{Color: border, Width: .6, Dashes: []vg.Length{2, 2}}
				c.StrokeLine2(look, x(float64(i)-.5), c.Min.Y, x(float64(i)-.5), c.Max.Y)
				c.StrokeLine2(look, c.Min.X, y(float64(n-i)-.5), c.Max.X, y(float64(n-i)-.5))
			}
		}
	}))
	f.panels = []panel{{p, "true class", 1}}
	return f, nil
}

// heat is the colour of a share: from white to a dark blue, ever darker, so
// that it reads without colour too.
func heat(share float64) color.NRGBA {
	at := math.Sqrt(share) * float64(len(heats)-1)
	k := min(int(at), len(heats)-2)
	mix := func(a, b uint8) uint8 { return uint8(math.Round(float64(a) + (at-float64(k))*(float64(b)-float64(a)))) }
	a, b := heats[k], heats[k+1]
	return color.NRGBA{mix(a.R, b.R), mix(a.G, b.G), mix(a.B, b.B), 0xFF}
}

var heats = []color.NRGBA{{0xFF, 0xFF, 0xFF, 0xFF}, {0xD3, 0xE4, 0xF3, 0xFF}, {0x8F, 0xC1, 0xE3, 0xFF}, {0x3C, 0x8C, 0xC3, 0xFF}, {0x0B, 0x55, 0x9F, 0xFF}, {0x08, 0x2A, 0x5E, 0xFF}}

// cells draws the matrix as a picture, many dots to a cell so that no renderer
// smears cells into one another. A row without images is grey.
func cells(shares [][]float64) shape {
	n := len(shares)
	dots := max(1, 600/n)
	img := image.NewPaletted(image.Rect(0, 0, n*dots, n*dots), heatPalette())
	for y := range n * dots {
		for x := range n * dots {
			index := uint8(len(img.Palette) - 1)
			if row := shares[y/dots]; row != nil {
				index = level(row[x/dots])
			}
			img.SetColorIndex(x, y, index)
		}
	}
	return func(c draw.Canvas, x, y func(float64) vg.Length) {
		c.DrawImage(vg.Rectangle{Min: vg.Point{X: x(-.5), Y: y(-.5)}, Max: vg.Point{X: x(float64(n) - .5), Y: y(float64(n) - .5)}}, img)
	}
}

// heatLevels is how many colours the scale is cut into.
const heatLevels = 64

// level is the number of the colour of a share. Only 0 is white.
func level(share float64) uint8 {
	if share == 0 {
		return 0
	}
	return uint8(max(1, math.Round(math.Sqrt(share)*(heatLevels-1))))
}

func heatPalette() color.Palette {
	var p color.Palette
	for i := range heatLevels {
		s := float64(i) / (heatLevels - 1)
		p = append(p, heat(s*s))
	}
	return append(p, rule)
}

// border is the colour of lines across cells, which are alike in light and dark.
var border = color.NRGBA{0x77, 0x78, 0x7A, 0xFF}

// percents writes the shares into their cells.
func percents(shares [][]float64) shape {
	return func(c draw.Canvas, x, y func(float64) vg.Length) {
		for i, row := range shares {
			for j, v := range row {
				if v < .005 {
					continue
				}
				text := lettering(9, color.NRGBA{0x11, 0x11, 0x11, 0xFF}) // on the cell's colour, whatever the page's
				if v > .45 {
					text.Color = color.NRGBA{0xFF, 0xFF, 0xFF, 0xFF}
				}
				text.XAlign, text.YAlign = draw.XCenter, draw.YCenter
				c.FillText(text, vg.Point{X: x(float64(j)), Y: y(float64(len(shares) - 1 - i))}, strconv.Itoa(int(math.Round(100*v))))
			}
		}
	}
}

// colourBar is the key of a matrix's colours.
type colourBar struct{}

func (colourBar) draw(c draw.Canvas) vg.Length {
	const long, high = 200, 9
	text := lettering(10, ink)
	text.YAlign = draw.YTop
	label := "share of the true class, % "
	c.FillText(text, vg.Point{X: c.Min.X, Y: c.Max.Y}, label)
	x := c.Min.X + text.Width(label) + 2*spacing
	img := image.NewPaletted(image.Rect(0, 0, heatLevels, 1), heatPalette())
	for i := range heatLevels {
		img.SetColorIndex(i, 0, uint8(i))
	}
	c.DrawImage(vg.Rectangle{Min: vg.Point{X: x, Y: c.Max.Y - high}, Max: vg.Point{X: x + long, Y: c.Max.Y}}, img)
	text.XAlign = draw.XCenter
	for _, v := range []float64{0, 1, 5, 20, 50, 100} {
		at := x + long*vg.Length(math.Sqrt(v/100))
		c.StrokeLine2(draw.LineStyle{Color: ink, Width: .5}, at, c.Max.Y-high, at, c.Max.Y-high-2)
		c.FillText(text, vg.Point{X: at, Y: c.Max.Y - high - 3}, strconv.Itoa(int(v)))
	}
	return high + 3 + text.Height("0")
}
