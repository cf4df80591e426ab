package data

import (
	"math"
	"testing"
)

func TestNormalize(t *testing.T) {
	n := Normalize{[]float32{.5, .25, 0}, []float32{.5, .1, 1}}
	src, dst := []uint8{0, 51, 255, 255, 0, 102}, make([]float32, 6)
	if err := n.Pixels(dst, src, 3); err != nil {
		t.Fatal(err)
	}
	for i, want := range []float64{-1, (.2 - .25) / .1, 1, 1, -2.5, .4} {
		if math.Abs(float64(dst[i])-want) > 1e-6 {
			t.Errorf("byte %d becomes %v, want %v", i, dst[i], want)
		}
	}
	if err := (Normalize{}).Pixels(dst, src, 2); err != nil || dst[2] != 1 || dst[1] != .2 {
		t.Errorf("%v (%v), want parts of 255", dst, err)
	}
	if err := (Normalize{[]float32{1}, []float32{2}}).Pixels(dst, src, 1); err != nil || dst[2] != 0 || dst[0] != -.5 {
		t.Errorf("%v (%v)", dst, err)
	}
	for _, bad := range []Normalize{{n.Mean[:2], n.Std[:2]}, {n.Mean, nil}, {n.Mean, []float32{1, 0, 1}}, {n.Mean, []float32{1, -1, 1}}, {[]float32{0, float32(math.NaN()), 0}, n.Std}} {
		wantError(t, bad.Pixels(dst, src, 3), "normalize")
	}
	wantError(t, n.Pixels(dst[:5], src, 3), "6 bytes", "5 numbers")
}

func TestStatistics(t *testing.T) {
	ds, err := NewImages([]uint8{0, 255, 10, 255, 255, 10, 0, 0, 10, 0, 255, 10}, 1, 2, 3, []int{0, 0}, []string{"a"})
	if err != nil {
		t.Fatal(err)
	}
	s, err := Statistics(ds)
	if err != nil {
		t.Fatal(err)
	}
	for c, want := range [][2]float64{{.25, math.Sqrt(3) / 4}, {.75, math.Sqrt(3) / 4}, {10. / 255, 1}} { // a constant channel is not divided
		if math.Abs(float64(s.Mean[c])-want[0]) > 1e-6 || math.Abs(float64(s.Std[c])-want[1]) > 1e-6 {
			t.Errorf("channel %d: %v and %v, want %v", c, s.Mean[c], s.Std[c], want)
		}
	}
	none, err := NewImages(nil, 1, 1, 1, nil, []string{"a"})
	if err != nil {
		t.Fatal(err)
	}
	_, err = Statistics(none)
	wantError(t, err, "no images")
}

// Normalised with their own statistics, images have mean 0 and deviation 1.
func TestStatisticsAndNormalizeAgree(t *testing.T) {
	p := mustOpen(t, Spec{Data: "fashion"})
	s, err := Statistics(p.Test.(Images))
	if err != nil {
		t.Fatal(err)
	}
	sum, squares, n := 0.0, 0.0, 0.0
	row := make([]float32, 784)
	for i := range p.Test.Len() {
		if err := s.Pixels(row, pixelsOf(t, p.Test, i), 1); err != nil {
			t.Fatal(err)
		}
		for _, v := range row {
			sum, squares, n = sum+float64(v), squares+float64(v)*float64(v), n+1
		}
	}
	if math.Abs(sum/n) > 1e-5 || math.Abs(squares/n-1) > 1e-5 {
		t.Errorf("mean %v, mean square %v, want 0 and 1", sum/n, squares/n)
	}
}
