package cpu

import (
	"math"
	"testing"
)

// The exponential of every variant is within 2e-7 of the true one, relative,
// wherever it is not cut off, and keeps what is special.
func TestExp(t *testing.T) {
	var x []float32
	for v := float32(-87); v <= 88; v += .0137 {
		x = append(x, v)
	}
	n := len(x)
	x = append(x, float32(math.Inf(-1)), -87.01, -1e30, float32(math.NaN()), 0, 88)
	for _, v := range variants {
		if !v.have {
			continue
		}
		y := make([]float32, len(x))
		v.point.exp(y, x, &series)
		for i := range n {
			want := math.Exp(float64(x[i]))
			if e := math.Abs(float64(y[i])/want - 1); !(e < 2e-7) {
				t.Fatalf("%s: exp(%g) is %g, %.2g off", v.name, x[i], y[i], e)
			}
		}
		for i, want := range []float32{0, 0, 0, float32(math.NaN()), 1, float32(math.Exp(88))} {
			if got := y[n+i]; math.Abs(float64(got/max(want, 1)-want/max(want, 1))) > 2e-7 || (got != got) != (want != want) || want == 0 && got != 0 {
				t.Errorf("%s: exp(%g) is %g, want %g", v.name, x[n+i], got, want)
			}
		}
	}
}
