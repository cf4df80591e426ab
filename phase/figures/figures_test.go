package figures

import (
	"bytes"
	"encoding/base64"
	"encoding/xml"
	"errors"
	"flag"
	"fmt"
	"image/color"
	"image/png"
	"io"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"phase/phase/longtail"
)

var look = flag.String("look", "", "folder to write every figure to, for a person to look at")

// names of 10 classes, one too long, one that bites.
var ten = []string{"T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", `<script>alert("&")</script>`, "Sneaker", "a name that is far too long for any axis", "Ankle\nboot\x00\u202e"}

func v(x float64) *float64 { return &x }

// tail is n classes of a long tail, not in the order of their sizes.
func tail(n int) Classes {
	var c Classes
	for i := range n {
		k := (i*7 + 3) % n
		c.Counts = append(c.Counts, int(600*math.Pow(.01, float64(k)/float64(max(n-1, 1)))))
		c.Names = append(c.Names, fmt.Sprintf("class %d", i))
	}
	if n == 10 {
		c.Names = ten
	}
	return c
}

// recalls is an accuracy for each class that falls with its size.
func recalls(c Classes, lift float64) (s []float64) {
	for i, n := range c.Counts {
		s = append(s, math.Min(1, .1+lift+.7*float64(n)/600+.05*float64(i%3)))
	}
	return s
}

func confusion(c Classes) (m [][]int) {
	r := rand.New(rand.NewPCG(1, 2))
	n := len(c.Counts)
	for y, share := range recalls(c, .1) {
		row := make([]int, n)
		for range 100 {
			p := y
			if r.Float64() > share {
				p = min(r.IntN(n), r.IntN(n))
			}
			row[p]++
		}
		m = append(m, row)
	}
	return m
}

func calibration() longtail.Calibration {
	r := rand.New(rand.NewPCG(3, 4))
	var s []longtail.Score
	for range 2000 {
		conf := 1 - .7*math.Pow(r.Float64(), 2)
		score := longtail.Score{Confidence: conf, NLL: -math.Log(conf)}
		if r.Float64() > conf*conf {
			score.Label = 1
		}
		s = append(s, score)
	}
	c, err := longtail.Calibrate(s)
	if err != nil {
		panic(err)
	}
	return c
}

func margins(c Classes) (m []longtail.Margin) {
	for i, a := range recalls(c, 0) {
		if i == 2 {
			m = append(m, longtail.Margin{})
			continue
		}
		m = append(m, longtail.Margin{Images: 10, Q1: v(8*a - 4), Median: v(8*a - 3), Q3: v(8*a - 1)})
	}
	return m
}

func training(name string, epochs, second int, speed float64) Curve {
	c := Curve{Name: name}
	for e := range epochs {
		stage, drop := "daw", 0.0
		if e >= second {
			stage, drop = "msr", .3
		}
		p := math.Exp(-speed * float64(e))
		c.Stage, c.Loss = append(c.Stage, stage), append(c.Loss, 2.3*p+.2+drop)
		c.Train, c.Test = append(c.Train, .95-.8*p), append(c.Test, .75-.6*p+drop/5)
	}
	return c
}

func group(name string, runs int, overall float64, many, medium, few *float64) Method {
	m := Method{Name: name, Runs: runs, Mean: longtail.Accuracy{Overall: overall, Many: many, Medium: medium, Few: few}}
	m.SD = longtail.Accuracy{Overall: .01, Many: v(.02), Medium: v(.03), Few: v(.04)}
	return m
}

// figure is one call of each function, of the data that a run might have.
type figure struct {
	name string
	make func() (*Figure, error)
}

func all() (list []figure) {
	add := func(name string, make func() (*Figure, error)) { list = append(list, figure{name, make}) }
	for _, n := range []int{1, 2, 10, 20, 100} {
		c := tail(n)
		by := func(name string, lift float64) Series { return Series{name, recalls(c, lift)} }
		size := fmt.Sprintf("-%d", n)
		add("accuracy-one"+size, func() (*Figure, error) {
			s := by("phase", .1)
			s.Values[n-1] = math.NaN()
			if n == 1 {
				s.Values[0] = .5
			}
			return AccuracyByClass("Accuracy by class: phase", c, []Series{s})
		})
		add("accuracy-three"+size, func() (*Figure, error) {
			return AccuracyByClass("Accuracy by class", c, []Series{by("ce", 0), by("msr", .06), by("phase", .1)})
		})
		add("weights-one"+size, func() (*Figure, error) {
			return WeightByClass("Weight by class: phase", c, []Series{{"phase", inverse(c)}})
		})
		add("weights-two"+size, func() (*Figure, error) {
			return WeightByClass("Weight by class", c, []Series{{"phase", inverse(c)}, by("cb", .3)})
		})
		if n > 2 {
			add("margins"+size, func() (*Figure, error) { return MarginByClass("Logit margins: phase", c, margins(c)) })
		}
		add("confusion"+size, func() (*Figure, error) { return Confusion("Confusion: phase, seed 1", c, confusion(c)) })
	}
	for _, n := range []int{10, 100} {
		add(fmt.Sprintf("counts-%d", n), func() (*Figure, error) {
			var sets []Counts
			for _, factor := range []float64{200, 100, 50, 20, 10} {
				counts, err := longtail.Counts(longtail.Exp, 500, n, factor)
				if err != nil {
					return nil, err
				}
				sets = append(sets, Counts{fmt.Sprintf("imbalance %g", factor), counts})
			}
			return ClassCounts("Training images by class", sets)
		})
	}
	add("groups-one", func() (*Figure, error) {
		return GroupBars("Accuracy by group", []Method{group("phase", 1, .77, v(.88), v(.62), nil)})
	})
	add("groups-three", func() (*Figure, error) {
		return GroupBars("Accuracy by group", []Method{group("ce", 3, .69, v(.92), v(.54), v(.53)), group("msr", 3, .77, v(.88), v(.63), nil), group("phase", 3, .98, v(1), v(.62), v(.77))})
	})
	add("groups-twelve", func() (*Figure, error) {
		var m []Method
		for i := range 12 {
			m = append(m, group(fmt.Sprintf("phase, alpha %.1f", float64(i)/11), 1+i%2, .7+.01*float64(i), v(.9-.01*float64(i)), v(.6), v(.5+.02*float64(i))))
		}
		return GroupBars("Accuracy by group", m)
	})
	add("alpha", func() (*Figure, error) {
		var p []AlphaPoint
		for i := range 11 {
			a := float64(i) / 10
			p = append(p, AlphaPoint{a, 3, .445 + .003*math.Sin(3*a), .002})
		}
		return AccuracyOverAlpha("CIFAR-100-LT, imbalance 200", p)
	})
	add("alpha-one", func() (*Figure, error) { return AccuracyOverAlpha("One point", []AlphaPoint{{.8, 1, .5, 0}}) })
	add("curves-one", func() (*Figure, error) { return TrainingCurves("Training", []Curve{training("phase", 200, 160, .03)}) })
	add("curves-short", func() (*Figure, error) {
		c := training("phase", 6, 4, .5)
		c.Test[1], c.Test[3] = math.NaN(), math.NaN()
		return TrainingCurves("Training", []Curve{c, training("ce", 2, 2, .9)})
	})
	add("curves-epoch", func() (*Figure, error) { return TrainingCurves("Training", []Curve{training("ce", 1, 1, 1)}) })
	add("curves-ten", func() (*Figure, error) {
		var c []Curve
		for i := range 10 {
			c = append(c, training(fmt.Sprintf("method number %d", i), 40, 30-i%2, .05+.01*float64(i)))
		}
		return TrainingCurves("Training", c)
	})
	add("reliability", func() (*Figure, error) { return Reliability("Reliability: phase", calibration()) })
	add("reliability-one", func() (*Figure, error) {
		c, err := longtail.Calibrate([]longtail.Score{{Confidence: .4, NLL: 1}})
		if err != nil {
			return nil, err
		}
		return Reliability("Reliability: one image, and a title that is much too long for the width of a figure, by far", c)
	})
	return list
}

func inverse(c Classes) (w []float64) {
	for i, n := range c.Counts {
		w = append(w, 40/float64(n))
		if i == 3 {
			w[i] = 0
		}
	}
	return w
}

// TestFigures: every figure is a PNG of the size asked for with something on
// it, SVG that is well-formed, and an element for a page.
func TestFigures(t *testing.T) {
	for _, f := range all() {
		t.Run(f.name, func(t *testing.T) {
			fig, err := f.make()
			if err != nil {
				t.Fatal(err)
			}
			if len(fig.Alt) < 40 {
				t.Errorf("no words for it: %q", fig.Alt)
			}
			checkPNG(t, fig)
			checkSVG(t, fig)
			checkHTML(t, fig)
			if *look != "" {
				write(t, filepath.Join(*look, f.name+".png"), func(w io.Writer) error { return fig.PNG(w, 144) })
				write(t, filepath.Join(*look, f.name+".svg"), fig.SVG)
			}
		})
	}
}

func write(t *testing.T, path string, to func(io.Writer) error) {
	var b bytes.Buffer
	err := to(&b)
	if err == nil {
		err = os.WriteFile(path, b.Bytes(), 0o644)
	}
	if err != nil {
		t.Fatal(err)
	}
}

func checkPNG(t *testing.T, f *Figure) {
	var b bytes.Buffer
	if err := f.PNG(&b, 36); err != nil {
		t.Fatal(err)
	}
	img, err := png.Decode(&b)
	if err != nil {
		t.Fatal(err)
	}
	if w, h := img.Bounds().Dx(), img.Bounds().Dy(); w != 240 || h != int(f.height/2) {
		t.Errorf("%d x %d pixels, want 240 x %d", w, h, int(f.height/2))
	}
	colours, edge := map[color.Color]bool{}, 0
	for y := range img.Bounds().Dy() {
		for x := range img.Bounds().Dx() {
			c := img.At(x, y)
			colours[c] = true
			r, g, b, _ := c.RGBA()
			if (x < 2 || y < 2 || x >= img.Bounds().Dx()-2 || y >= img.Bounds().Dy()-2) && r+g+b < 3*0xF000 {
				edge++
			}
		}
	}
	if len(colours) < 20 {
		t.Errorf("%d colours: nothing to see", len(colours))
	}
	if edge > 0 {
		t.Errorf("%d pixels of ink on the edge: something is cut off", edge)
	}
}

func checkSVG(t *testing.T, f *Figure) {
	var b bytes.Buffer
	if err := f.SVG(&b); err != nil {
		t.Fatal(err)
	}
	svg := b.String()
	d := xml.NewDecoder(&b)
	titled, texts := "", 0
	for {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatalf("not well-formed: %v", err)
		}
		if e, ok := token.(xml.StartElement); ok {
			switch e.Name.Local {
			case "script":
				t.Error("a script")
			case "text":
				texts++
			case "title":
				if err := d.DecodeElement(&titled, &e); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
	if titled != Printable(f.Alt) || texts < 4 {
		t.Errorf("title %q and %d texts", titled, texts)
	}
	if strings.Contains(svg, "NaN") || strings.Contains(svg, "Inf") {
		t.Error("a number is not finite")
	}
}

func checkHTML(t *testing.T, f *Figure) {
	s, err := f.HTML()
	if err != nil {
		t.Fatal(err)
	}
	for _, bad := range []string{"http:", "https:", "<script", "xlink", "font-family", "#1A1B1C", "<?xml"} {
		if strings.Contains(s, bad) {
			t.Errorf("%q in the page's element", bad)
		}
	}
	for _, want := range []string{"<svg role=\"img\" aria-label=\"", "var(--ink)", "var(--paper)", "viewBox=\"0 0 480 "} {
		if !strings.Contains(s, want) {
			t.Errorf("no %q in the page's element: %.300s", want, s)
		}
	}
	if len(s) > 60e3 {
		t.Errorf("%d bytes", len(s))
	}
}

// TestMissing: a figure of missing or senseless data is an error in words.
func TestMissing(t *testing.T) {
	c, nan := tail(3), math.NaN()
	three := []float64{.1, .2, .3}
	curve := training("ce", 3, 3, 1)
	cut := curve
	cut.Test = cut.Test[:2]
	inf := training("ce", 3, 3, 1)
	inf.Loss[1] = math.Inf(1)
	short := func(f *Figure, err error) error { return err }
	for _, x := range []struct {
		err   error
		words string
	}{
		{short(ClassCounts("", nil)), "no data sets"},
		{short(ClassCounts("", []Counts{{"a", nil}})), "0 classes"},
		{short(ClassCounts("", []Counts{{"a", []int{2, 1}}, {"b", []int{2}}})), "of b: 1 classes beside 2"},
		{short(ClassCounts("", []Counts{{"a", []int{2, 0}}})), "0 images"},
		{short(AccuracyByClass("", c, nil)), "no runs"},
		{short(AccuracyByClass("", Classes{}, []Series{{"a", nil}})), "no classes"},
		{short(AccuracyByClass("", Classes{Counts: []int{1}}, []Series{{"a", nil}})), "0 names for 1 classes"},
		{short(AccuracyByClass("", c, []Series{{"a", three[:2]}})), "of a: 2 numbers for 3 classes"},
		{short(AccuracyByClass("", c, []Series{{"a", []float64{nan, nan, nan}}})), "no finite numbers"},
		{short(AccuracyByClass("", Classes{Names: c.Names, Counts: []int{1, 2, -3}}, []Series{{"a", three}})), "-3 images"},
		{short(AccuracyByClass("", Classes{Names: c.Names, Counts: c.Counts, Thresholds: longtail.Thresholds{Few: -1}}, []Series{{"a", three}})), "below -1"},
		{short(AccuracyByClass("", c, []Series{{"a", []float64{nan, 50, 1}}})), "of a: 50 for class 1, want 0 to 1"},
		{short(WeightByClass("", c, nil)), "no runs"},
		{short(WeightByClass("", c, []Series{{"a", []float64{1, -1, 1}}})), "class 1 weighs -1"},
		{short(WeightByClass("", c, []Series{{"a", []float64{0, 0, 0}}})), "no finite numbers"},
		{short(MarginByClass("", c, nil)), "0 numbers for 3 classes"},
		{short(MarginByClass("", c, make([]longtail.Margin, 3))), "no finite numbers"},
		{short(GroupBars("", nil)), "no methods"},
		{short(GroupBars("", []Method{{Name: "a", Mean: longtail.Accuracy{Overall: nan}}})), "of a: NaN, want 0 to 1"},
		{short(AccuracyOverAlpha("", nil)), "no points"},
		{short(AccuracyOverAlpha("", []AlphaPoint{{.5, 1, .5, 0}, {.5, 1, .5, 0}})), "ascending"},
		{short(AccuracyOverAlpha("", []AlphaPoint{{.5, 1, 50, 0}})), "want 0 to 1"},
		{short(TrainingCurves("", nil)), "no runs"},
		{short(TrainingCurves("", []Curve{{Name: "a"}})), "0 losses"},
		{short(TrainingCurves("", []Curve{cut})), "2 test accuracies"},
		{short(TrainingCurves("", []Curve{inf})), "not finite"},
		{short(Confusion("", Classes{}, nil)), "no classes"},
		{short(Confusion("", c, [][]int{{1}})), "1 rows for 3 classes"},
		{short(Confusion("", c, [][]int{{1, 2, 3}, {1}, {1}})), "1 columns in row"},
		{short(Confusion("", c, [][]int{{1, 2, 3}, {1, -2, 3}, {1, 2, 3}})), "-2 images in row 1"},
		{short(Reliability("", longtail.Calibration{})), "no test images"},
		{short(Reliability("", longtail.Calibration{Bins: []longtail.Bin{{Count: 1}}})), "bin 0 of 1 images has no accuracy"},
	} {
		if x.err == nil || !strings.Contains(x.err.Error(), x.words) || !strings.HasPrefix(x.err.Error(), "figures: ") && !strings.HasPrefix(x.err.Error(), "longtail: ") {
			t.Errorf("%v, want words %q", x.err, x.words)
		}
	}
	f, err := TrainingCurves("", []Curve{curve})
	if err != nil || f.PNG(io.Discard, 0) == nil {
		t.Error(err, "0 dots an inch are accepted")
	}
}

// What is drawn first is the class with the most images, whatever its number.
func TestRank(t *testing.T) {
	c := Classes{Names: []string{"a", "b", "c", "d"}, Counts: []int{5, 300, 50, 300}}
	r, err := c.rank("x")
	if err != nil {
		t.Fatal(err)
	}
	if got := fmt.Sprint(r.names, r.counts, r.groups, r.inOrder([]float64{0, 1, 2, 3})); got != "[b d c a] [300 300 50 5] [many many medium few] [1 3 2 0]" {
		t.Error(got)
	}
}

// heights is how high the bars of this colour are, in a figure's SVG.
func heights(t *testing.T, f *Figure, hex string) (h []float64) {
	t.Helper()
	svg, err := f.svg()
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range regexp.MustCompile(`<path d="([^"]*)" style="fill:#`+hex+`" />`).FindAllStringSubmatch(svg, -1) {
		for _, bar := range strings.Split(m[1], "M")[1:] {
			var x, bottom, x2, top float64
			if n, err := fmt.Sscanf(bar, "%g,%gL%g,%gL", &x, &bottom, &x2, &top); n != 4 {
				t.Fatalf("%v in %s", err, bar)
			}
			h = append(h, top-bottom)
		}
	}
	return h
}

// Bars are as high as the figures that they stand for.
func TestBarHeights(t *testing.T) {
	f, err := GroupBars("", []Method{{Name: "a", Mean: longtail.Accuracy{Overall: 1, Many: v(.5), Few: v(.25)}}})
	if err != nil {
		t.Fatal(err)
	}
	h := heights(t, f, "0072B2")
	if len(h) != 3 || math.Abs(h[1]-h[0]/2) > .1 || math.Abs(h[2]-h[0]/4) > .1 || h[0] < 100 {
		t.Errorf("1, 1/2 and 1/4 are %g high", h)
	}
	c := longtail.Calibration{Bins: []longtail.Bin{{Count: 1, Accuracy: v(.2), Confidence: v(.3)}, {}, {Count: 3, Accuracy: v(.8), Confidence: v(.9)}}}
	if f, err = Reliability("", c); err != nil {
		t.Fatal(err)
	}
	accuracy, images := heights(t, f, "0072B2"), heights(t, f, "5F6062")
	accuracy = accuracy[1:] // the key's box
	if len(accuracy) != 2 || math.Abs(4*accuracy[0]-accuracy[1]) > .1 || len(images) != 3 || images[1] != 0 || math.Abs(3*images[0]-images[2]) > .1 {
		t.Errorf("accuracies of .2 and .8 are %g high, 1, 0 and 3 images %g", accuracy, images)
	}
	if !strings.Contains(f.Alt, "over-confident by 10.0 points") {
		t.Error(f.Alt)
	}
}

// In a confusion matrix rows are true classes and the first is on top; which
// ones, the class sizes say.
func TestConfusionPlaces(t *testing.T) {
	c := Classes{Names: []string{"rare", "common"}, Counts: []int{5, 500}}
	f, err := Confusion("", c, [][]int{{1, 3}, {0, 10}})
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(f.Alt, "75 % of rare are taken for common") {
		t.Error(f.Alt)
	}
	svg, err := f.svg()
	if err != nil {
		t.Fatal(err)
	}
	images := regexp.MustCompile(`base64,([^"]*)"`).FindAllStringSubmatch(svg, -1)
	if len(images) != 2 {
		t.Fatalf("%d images, want the key's and the matrix", len(images))
	}
	img, err := png.Decode(base64.NewDecoder(base64.StdEncoding, strings.NewReader(images[1][1])))
	if err != nil {
		t.Fatal(err)
	}
	n := img.Bounds().Dx() / 2
	for y, row := range [][]float64{{1, 0}, {.75, .25}} {
		for x, share := range row {
			if got, want := color.NRGBAModel.Convert(img.At(x*n+n/2, y*n+n/2)), heatPalette()[level(share)]; got != want {
				t.Errorf("row %d, column %d is %v, want %v", y, x, got, want)
			}
		}
	}
}

// The colour of a cell says its share: more is darker, 0 alone is white.
func TestHeat(t *testing.T) {
	p := heatPalette()
	before := 3 * 0x10000
	for i := range heatLevels {
		r, g, b, _ := p[i].RGBA()
		if sum := int(r + g + b); sum >= before {
			t.Errorf("colour %d is not darker than the one before", i)
		} else {
			before = sum
		}
	}
	if level(0) != 0 || level(1e-6) != 1 || level(1) != heatLevels-1 || level(.25) != 32 {
		t.Error(level(0), level(1e-6), level(1), level(.25))
	}
}

func TestScales(t *testing.T) {
	labels := func(s scale) (l []string) {
		for _, t := range s.ticks {
			l = append(l, t.Label)
		}
		return l
	}
	for _, c := range []struct {
		s    scale
		want string
	}{
		{linear(0, 2.4), "[0.0 0.5 1.0 1.5 2.0]"},
		{linear(-4.3, 8.1), "[-4 -2 0 2 4 6 8]"},
		{linear(44.42, 44.93), "[44.5 44.6 44.7 44.8 44.9]"},
		{linear(3, 3), "[2.6 2.8 3.0 3.2 3.4]"},
		{linear(0, 23), "[0 5 10 15 20]"},
		{logarithmic(2, 500), "[10 100]"},
		{logarithmic(.2, 3), "[0.2 0.5 1 2]"},
		{whole(1, 200), "[50 100 150 200]"},
		{whole(1, 6), "[1 2 3 4 5 6]"},
		{whole(1, 1), "[1]"},
		{whole(1, 40), "[5 10 15 20 25 30 35 40]"},
	} {
		if got := fmt.Sprint(labels(c.s)); got != c.want {
			t.Errorf("%v to %v: %s, want %s", c.s.min, c.s.max, got, c.want)
		}
	}
}
