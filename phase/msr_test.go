package phase

import (
	"encoding/json"
	"fmt"
	"math"
	"os"
	"slices"
	"testing"

	"gonum.org/v1/gonum/mat"
	"pgregory.net/rapid"

	"phase/tensor"
)

// The worked example: one class of four samples in the plane.
func TestMSRWorkedExample(t *testing.T) {
	c := cloud{x: []float64{1, 0, 0, 1, -1, 0, 3, 3}, labels: []int{0, 0, 0, 0}, classes: 1, d: 2}
	local := func(l Local) []float64 { return weigh(t, MSR{Local: l, Force: l == Literal}, c).Local }
	r := weigh(t, MSR{}, c)
	near(t, "m", r.Means, []float64{.14123894, .21957455, .29010973, -.29730333}, 5.1e-9)
	near(t, "q/mean", r.Local, []float64{.89999707, .84218853, .79614290, 1.46167150}, 5.1e-9)
	near(t, "q", local(Shift), []float64{1.75248139, 1.63991615, 1.55025572, 2.84617827}, 5.1e-9)
	near(t, "literal", local(Literal), []float64{7.0802, 4.5543, 3.4470, -3.3636}, 5.1e-5)
	near(t, "clamp", local(Clamp), []float64{4, 4, 1 / .29010973, 4}, 1e-7)
	near(t, "abs", local(Abs), []float64{2.02374315, 1.39948803, 1.28306354, 1.25422780}, 5.1e-9)
	near(t, "area", r.Areas, []float64{11.31158090}, 5.1e-9)
	near(t, "area weight", local(Area), []float64{1, 1, 1, 1}, 0)
	if n := r.NonPositive; n != 1 {
		t.Errorf("%d means are not positive, want 1", n)
	}
}

// In every class Σ_i |D_i|·m_i = 0, because the deviations add up to nothing:
// so some m_i are negative.
func TestTheoremSumOfWeightedMeansIsZero(t *testing.T) {
	for seed := range uint64(10) {
		c := newCloud(seed, 6, 60, 17, 3)
		r := weigh(t, DefaultMSR(), c)
		for j := range c.classes {
			rows := c.class(j)
			_, length := c.matrix(j, rows)
			sum, size, negative := 0., 0., 0
			for at, i := range rows {
				sum += length[at] * r.Means[i]
				size += length[at]
				if r.Means[i] < 0 {
					negative++
				}
			}
			if math.Abs(sum) > 1e-14*size*float64(len(rows)) {
				t.Errorf("class %d: the weighted means add up to %v", j, sum)
			}
			if negative == 0 {
				t.Errorf("class %d of %d samples has no negative mean", j, len(rows))
			}
		}
	}
}

func TestEq12LiteralIsNegative(t *testing.T) {
	c := newCloud(1, 8, 50, 20, 7)
	_, err := MSR{Local: Literal}.Weights(c.features(), c.labels, c.classes)
	r := weigh(t, MSR{Local: Literal, Force: true}, c)
	negative := 0
	for _, w := range r.Local {
		if w < 0 {
			negative++
		}
	}
	if negative == 0 || negative != r.NonPositive {
		t.Fatalf("%d negative weights, %d counted", negative, r.NonPositive)
	}
	wantError(t, err, fmt.Sprintf("%d of 77 samples", negative), "negative or infinite", "area-shift")
}

func TestEq12UndefinedForTwoSamples(t *testing.T) {
	c := newCloud(2, 8, 9, 2)
	r := weigh(t, MSR{Local: Literal, Force: true, Gamma: 1, Alpha: 1}, c)
	for _, i := range c.class(1) {
		if r.Means[i] != 0 || !math.IsInf(r.Local[i], 1) {
			t.Errorf("m = %v, 1/m = %v, want 0 and +Inf", r.Means[i], r.Local[i])
		}
		if r.Sample[i] != r.Global[1] {
			t.Errorf("alpha 1 gives %v, want the global weight %v", r.Sample[i], r.Global[1])
		}
	}
}

// Eqs 10 to 12 in linear time equal the matrices of Algorithm 2, and AREA's
// area of a whole class is the harmonic mean of Eq 12's figures.
func TestLinearTimeEqualsMatrix(t *testing.T) {
	c := newCloud(3, 7, 90, 33, 4, 3)
	r := weigh(t, MSR{Block: 1000}, c)
	absolute := weigh(t, MSR{Local: Abs}, c).Local
	rms := weigh(t, MSR{Local: RMS}, c).Local
	for j := range c.classes {
		rows := c.class(j)
		R, _ := c.matrix(j, rows)
		n := float64(len(rows))
		for at, i := range rows {
			row := mat.Row(nil, at, R)
			sum, abs, square := 0., 0., 0.
			for _, v := range row {
				sum, abs, square = sum+v, abs+math.Abs(v), square+v*v
			}
			near(t, "m", r.Means[i:i+1], []float64{sum / n}, 1e-12)
			near(t, "abs", absolute[i:i+1], []float64{n / abs}, 1e-12)
			near(t, "rms", rms[i:i+1], []float64{1 / math.Sqrt(square/n)}, 1e-12)
		}
		if area := n * n / mat.Sum(R); area < 4*n {
			mean := 0.
			for _, i := range rows {
				mean += r.Means[i] / n
			}
			near(t, "area", r.Areas[j:j+1], []float64{area}, 1e-11*area)
			near(t, "1/mean(m)", []float64{1 / mean}, []float64{area}, 1e-11*area)
		}
	}
}

// Eq 13: a sample's weight lies between its global and its local one, at the
// share alpha, and moves on a straight line.
func TestEq13Convexity(t *testing.T) {
	c := newCloud(5, 6, 40, 12, 5, 2, 1)
	for _, l := range Locals() {
		m := MSR{Gamma: .5, Local: l, Force: l == Literal}
		if l == Literal {
			c = newCloud(5, 6, 40, 12, 5) // finite
		}
		local := weigh(t, m, c)
		near(t, "alpha 0", local.Sample, local.Local, 0)
		m.Alpha = 1
		global := weigh(t, m, c)
		m.Alpha = .3
		r := weigh(t, m, c)
		for i, w := range r.Sample {
			g, e := global.Sample[i], local.Sample[i]
			if g != r.Global[c.labels[i]] || w < min(g, e)-1e-12 || w > max(g, e)+1e-12 {
				t.Fatalf("%s: sample %d weighs %v between %v and %v", l, i, w, g, e)
			}
			near(t, string(l), []float64{w}, []float64{.3*g + .7*e}, 1e-14)
		}
		for j := range r.Class {
			sum, rows := 0., c.class(j)
			for _, i := range rows {
				sum += r.Sample[i]
			}
			near(t, "class", r.Class[j:j+1], []float64{sum / float64(len(rows))}, 1e-13)
		}
	}
}

// Every reading but the literal is positive and has the bounds its comment
// gives.
func TestLocalWeightBounds(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		counts := rapid.SliceOfN(rapid.IntRange(1, 30), 1, 5).Draw(t, "counts")
		d := rapid.IntRange(1, 5).Draw(t, "d")
		c := newCloud(rapid.Uint64().Draw(t, "seed"), d, counts...)
		if rapid.Bool().Draw(t, "coarse") { // samples that coincide
			for i := range c.x {
				c.x[i] = math.Round(c.x[i] / 2)
			}
		}
		alpha := rapid.SampledFrom([]float64{0, .8, 1}).Draw(t, "alpha")
		for _, l := range []Local{AreaShift, Area, Shift, Clamp, Abs, RMS} {
			m := MSR{Gamma: 1, Alpha: alpha, Local: l, Block: 8}
			r, err := m.Weights(c.features(), c.labels, c.classes)
			if err != nil {
				t.Fatal(err)
			}
			top := 0.
			if r.Areas != nil {
				top = slices.Max(areaWeights(r.Areas))
			}
			for i, w := range r.Local {
				n := float64(counts[c.labels[i]])
				least, most := 1., n
				switch l {
				case AreaShift:
					least, most = 0, n*top
				case Area:
					least, most = 0, top
				case Shift:
					most = max(n, 2) // a sample at its class's mean has q = 2
				case RMS:
					most = math.Sqrt(n)
				}
				if !(w > 0 && w >= least-1e-9 && w <= most*(1+1e-9)) {
					t.Fatalf("%s: sample %d of a class of %v weighs %v, want %v to %v", l, i, n, w, least, most)
				}
				if l == AreaShift && !(r.Sample[i] > 0 && r.Sample[i] <= max(slices.Max(r.Global), most)*(1+1e-9)) {
					t.Fatalf("sample %d weighs %v", i, r.Sample[i])
				}
			}
			for j, v := range r.Areas {
				if v < 1 || v > 4*float64(counts[j])+1e-9 {
					t.Fatalf("class %d of %d samples has area %v", j, counts[j], v)
				}
			}
			if l == AreaShift && alpha == 0 {
				w := areaWeights(r.Areas)
				for j := range w {
					if math.Abs(r.Class[j]-w[j]) > 1e-12*w[j] {
						t.Fatalf("class %d weighs %v in the mean, want AREA's %v", j, r.Class[j], w[j])
					}
				}
			}
		}
	})
}

// AreaShift keeps Eq 12's order: within a class, the less alike the heavier.
func TestAreaShiftKeepsTheOrderOfEq12(t *testing.T) {
	c := newCloud(6, 4, 50, 20)
	r := weigh(t, DefaultMSR(), c)
	for j := range c.classes {
		rows := c.class(j)
		slices.SortFunc(rows, func(a, b int) int {
			if r.Means[a] < r.Means[b] {
				return -1
			}
			return 1
		})
		for at := 1; at < len(rows); at++ {
			if r.Sample[rows[at]] > r.Sample[rows[at-1]] {
				t.Fatalf("m %v weighs %v, m %v weighs %v", r.Means[rows[at]], r.Sample[rows[at]], r.Means[rows[at-1]], r.Sample[rows[at-1]])
			}
		}
	}
}

// Every reading agrees with testdata/make_msr.py, which forms every matrix.
func TestMSREqualsNumPy(t *testing.T) {
	var g struct {
		Gamma, Alpha, Clip float64
		Block              int
		Seed               uint32
		Cases              []struct {
			Name                          string
			Classes, D                    int
			Labels                        []int
			Features, Global, Area, Means []float64
			Local, Class, Sample          map[string][]float64
			NonPositive                   int `json:"non_positive"`
		}
	}
	b, err := os.ReadFile("testdata/msr.json")
	if err == nil {
		err = json.Unmarshal(b, &g)
	}
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	for _, c := range g.Cases {
		x := cloud{x: c.Features, labels: c.Labels, classes: c.Classes, d: c.D}
		for name := range c.Local {
			seen[name] = true
			m := MSR{Gamma: g.Gamma, Alpha: g.Alpha, Local: Local(name), Block: g.Block, Seed: g.Seed, Force: name == "literal"}
			if name == "clipped" {
				m.Local, m.Clip = AreaShift, g.Clip
			}
			r := weigh(t, m, x)
			what := c.Name + " " + name
			near(t, what+" global", r.Global, c.Global, 1e-12)
			near(t, what+" local", r.Local, c.Local[name], 1e-9)
			near(t, what+" sample", r.Sample, c.Sample[name], 1e-9)
			near(t, what+" class", r.Class, c.Class[name], 1e-9)
			if r.Areas != nil {
				near(t, what+" area", r.Areas, c.Area, 1e-9)
			}
			if r.Means != nil {
				near(t, what+" m", r.Means, c.Means, 1e-12)
				if r.NonPositive != c.NonPositive {
					t.Errorf("%s: %d means are not positive, want %d", what, r.NonPositive, c.NonPositive)
				}
			}
		}
	}
	for _, l := range Locals() {
		if !seen[string(l)] {
			t.Errorf("no golden values of %s", l)
		}
	}
}

// Rotating, scaling and shifting all features changes nothing; permuting the
// classes permutes the weights.
func TestMSRInvariance(t *testing.T) {
	c := newCloud(7, 5, 45, 20, 6, 2, 1)
	random := mat.NewDense(c.d, c.d, nil)
	random.Apply(func(i, j int, _ float64) float64 { return math.Sin(float64(3*i*i + 7*j + i*j)) }, random)
	var qr mat.QR
	qr.Factorize(random)
	var q, turned mat.Dense
	qr.QTo(&q)
	turned.Mul(mat.NewDense(len(c.labels), c.d, c.x), &q)
	scaled, shifted := slices.Clone(c.x), slices.Clone(c.x)
	for i := range c.x {
		scaled[i] *= 1000
		shifted[i] += 10 * float64(i%c.d)
	}
	order := []int{3, 0, 4, 1, 2}
	for _, l := range Locals()[:6] {
		m := MSR{Gamma: 1, Alpha: .5, Local: l, Block: 16}
		r := weigh(t, m, c)
		for name, x := range map[string][]float64{"rotated": turned.RawMatrix().Data, "scaled": scaled, "shifted": shifted} {
			near(t, string(l)+" "+name, weigh(t, m, cloud{x, c.labels, c.classes, c.d}).Sample, r.Sample, 1e-10)
		}
		moved := cloud{x: c.x, classes: c.classes, d: c.d}
		for _, j := range c.labels {
			moved.labels = append(moved.labels, order[j])
		}
		p := weigh(t, m, moved)
		near(t, string(l)+" permuted", p.Sample, r.Sample, 1e-12)
		for j, k := range order {
			near(t, string(l)+" class", p.Class[k:k+1], r.Class[j:j+1], 1e-12)
		}
	}
	// With one block the order of the samples does not matter either.
	m := MSR{Gamma: 1, Alpha: .5, Block: 1000}
	r := weigh(t, m, c)
	var moved cloud
	moved.classes, moved.d = c.classes, c.d
	for i := range c.labels {
		i = len(c.labels) - 1 - i
		moved.labels = append(moved.labels, c.labels[i])
		moved.x = append(moved.x, c.row(i)...)
	}
	back := weigh(t, m, moved).Sample
	slices.Reverse(back)
	near(t, "samples reversed", back, r.Sample, 1e-11)
}

func TestMSRErrors(t *testing.T) {
	c := newCloud(9, 2, 4, 3)
	f := c.features()
	call := func(m MSR) error { _, err := m.Weights(f, c.labels, 2); return err }
	wantError(t, call(MSR{Gamma: -1}), "gamma -1", "at least 0")
	wantError(t, call(MSR{Gamma: math.NaN()}), "gamma NaN")
	wantError(t, call(MSR{Alpha: 1.5}), "alpha 1.5", "0 to 1")
	wantError(t, call(MSR{Alpha: math.NaN()}), "alpha NaN")
	wantError(t, call(MSR{Local: "cube"}), `"cube"`, `"area-shift"`)
	wantError(t, call(MSR{Block: -1}), "msr:", "-1 samples")
	wantError(t, call(MSR{Clip: .5}), "clip 0.5", "at least 1")
	wantError(t, call(MSR{Clip: 5, Local: Shift}), "clip 5 with shift")
	wantError(t, call(MSR{Force: true}), "force with area-shift")
	for _, weights := range []func(f Features, labels []int, classes int) error{
		func(f Features, labels []int, classes int) error {
			_, err := DefaultMSR().Weights(f, labels, classes)
			return err
		},
		func(f Features, labels []int, classes int) error {
			_, _, err := AREA{}.Weights(f, labels, classes)
			return err
		},
	} {
		wantError(t, weights(f, c.labels[:6], 2), "7 rows", "6 labels")
		wantError(t, weights(f, c.labels, 1), "label 1", "0 to 0")
		wantError(t, weights(f, c.labels, 3), "class 2 has 0 images")
		wantError(t, weights(Rows(tensor.New(tensor.CPU, tensor.F64, 2, 0)), []int{0, 1}, 2), "length 0")
		for _, v := range []float64{math.NaN(), math.Inf(1), math.Inf(-1), 1e200} {
			bad := slices.Clone(c.x)
			bad[2*5+1], bad[2*3] = v, v
			wantError(t, weights(Rows(tensor.Of(bad, 7, 2)), c.labels, 2), "row 3", "feature 0", fmt.Sprint(v))
		}
	}
	_, _, err := AREA{Block: -1}.Weights(f, c.labels, 2)
	wantError(t, err, "area:", "-1 samples")
}
