package phase

import (
	"math"
	"testing"

	"gonum.org/v1/gonum/mat"

	"phase/phase/longtail"
)

// The areas in blocks equal 1/(aᵀRa) block by block, and AREA's weights are
// MSR's local ones.
func TestAREAEqualsMatrix(t *testing.T) {
	c := newCloud(4, 5, 70, 21, 6, 1)
	a := AREA{Block: 32, Seed: 5}
	w, areas, err := a.Weights(c.features(), c.labels, c.classes)
	if err != nil {
		t.Fatal(err)
	}
	want := make([]float64, c.classes)
	order := longtail.Permutation(len(c.labels), 5)
	for len(order) > 0 {
		block := order[:min(32, len(order))]
		order = order[len(block):]
		for j := range want {
			var rows []int
			for _, i := range block {
				if c.labels[i] == j {
					rows = append(rows, i)
				}
			}
			n := float64(len(rows))
			switch len(rows) {
			case 0:
			case 1:
				want[j]++
			default:
				R, _ := c.matrix(j, rows)
				want[j] += min(max(n*n/mat.Sum(R), 1), 4*n)
			}
		}
	}
	near(t, "area", areas, want, 1e-11)
	r := weigh(t, MSR{Local: Area, Block: 32, Seed: 5}, c)
	near(t, "class weight", w, r.Class, 1e-14)
	sum := 0.
	for j := range w {
		sum += w[j]
		if d := w[j]*areas[j] - w[0]*areas[0]; math.Abs(d) > 1e-12 {
			t.Errorf("class %d: weight %v of area %v", j, w[j], areas[j])
		}
	}
	near(t, "sum", []float64{sum}, []float64{4}, 1e-14)
}

// A class of one or two samples, or of samples all alike, has no shape.
func TestDegenerateClasses(t *testing.T) {
	c := newCloud(8, 3, 10, 6, 2, 1)
	alike := c.class(1)
	for _, i := range alike {
		copy(c.row(i), c.row(alike[0]))
	}
	for _, block := range []int{1, 2, 5, 128} {
		r := weigh(t, MSR{Gamma: 1, Alpha: .8, Block: block}, c)
		wA := areaWeights(r.Areas)
		for i, j := range c.labels {
			if j > 0 {
				near(t, "local", r.Local[i:i+1], wA[j:j+1], 1e-14)
				near(t, "m", r.Means[i:i+1], []float64{0}, 0)
			}
		}
		if r.Areas[3] != 1 {
			t.Errorf("a single sample covers %v", r.Areas[3])
		}
		if block == 128 {
			near(t, "area", r.Areas[1:3], []float64{4 * 6, 4 * 2}, 0)
		}
		if block == 1 {
			near(t, "area", r.Areas, []float64{10, 6, 2, 1}, 0)
		}
	}
	for l, want := range map[Local][3]float64{Shift: {2, 2, 2}, Clamp: {6, 2, 1}, Abs: {6, 1, 1}, RMS: {math.Sqrt(6), 1, 1}} {
		r := weigh(t, MSR{Local: l}, c)
		near(t, string(l), []float64{r.Local[alike[0]], r.Local[c.class(2)[0]], r.Local[c.class(3)[0]]}, want[:], 1e-12)
	}
}

// The mean of ten times 0.1 is not 0.1 in float64; what is left is no shape.
func TestAlikeUpToRounding(t *testing.T) {
	c := cloud{classes: 1, d: 2}
	for range 10 {
		c.x = append(c.x, .1, .7)
		c.labels = append(c.labels, 0)
	}
	near(t, "m", weigh(t, MSR{}, c).Means, make([]float64, 10), 0)
}
