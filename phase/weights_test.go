package phase

import (
	"math"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"phase/phase/longtail"
)

// wantError fails unless err says all of the words.
func wantError(t *testing.T, err error, words ...string) {
	t.Helper()
	if err == nil {
		t.Fatalf("no error, want one with %q", words)
	}
	for _, w := range words {
		if !strings.Contains(err.Error(), w) {
			t.Errorf("error %q does not say %q", err, w)
		}
	}
}

// near fails unless got is want within tol, relative to numbers above 1.
func near(t testing.TB, what string, got, want []float64, tol float64) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%s: %d numbers, want %d", what, len(got), len(want))
	}
	for i := range want {
		if !(math.Abs(got[i]-want[i]) <= tol*max(1, math.Abs(want[i]))) {
			t.Fatalf("%s[%d] = %.17g, want %.17g", what, i, got[i], want[i])
		}
	}
}

// A weighting is a class weight with its parameter set.
type weighting struct {
	name    string
	weights func(counts []int) ([]float64, error)
}

func weightings() []weighting {
	effective := func(beta float64) func([]int) ([]float64, error) {
		return func(n []int) ([]float64, error) { return Effective(n, beta) }
	}
	adrw := func(nu float64) func([]int) ([]float64, error) {
		return func(n []int) ([]float64, error) { return ADRW(n, nu) }
	}
	return []weighting{
		{"inverse", Inverse}, {"effective .9999", effective(.9999)}, {"effective .99", effective(.99)}, {"effective 0", effective(0)},
		{"adrw .25", adrw(.25)}, {"adrw 1", adrw(1)}, {"adrw 500", adrw(500)}, {"adrw 0", adrw(0)},
	}
}

// The reference values for N = 100, 50, 10, 5.
func TestClassWeightValues(t *testing.T) {
	n := []int{100, 50, 10, 5}
	for _, c := range []struct {
		name string
		w    func() ([]float64, error)
		want []float64
	}{
		{"effective .9999", func() ([]float64, error) { return Effective(n, .9999) }, []float64{.121745, .242884, 1.211992, 2.423379}},
		{"effective .99", func() ([]float64, error) { return Effective(n, .99) }, []float64{.180418, .289572, 1.196212, 2.333798}},
		{"adrw .25", func() ([]float64, error) { return ADRW(n, .25) }, []float64{.657654, .782086, 1.169492, 1.390768}},
		{"adrw 1", func() ([]float64, error) { return ADRW(n, 1) }, []float64{.121212, .242424, 1.212121, 2.424242}},
		{"inverse", func() ([]float64, error) { return Inverse(n) }, []float64{4. / 33, 8. / 33, 40. / 33, 80. / 33}},
	} {
		w, err := c.w()
		if err != nil {
			t.Fatal(err)
		}
		near(t, c.name, w, c.want, 5.1e-7)
	}
}

// Eq 8 and 9 on CIFAR-100-LT at IF 200: the range of the weights.
func TestEq9OfCIFAR100(t *testing.T) {
	n, err := longtail.Counts(longtail.Exp, 500, 100, 200)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ gamma, least, most, tol float64 }{{1, .0232, 5.788, 6e-4}, {.5, .192, 3.04, 6e-3}, {.25, .472, 1.877, 6e-4}} {
		w, err := ADRW(n, c.gamma)
		if err != nil {
			t.Fatal(err)
		}
		near(t, "range", []float64{w[0], w[99]}, []float64{c.least, c.most}, c.tol)
	}
	w, _ := ADRW(n, 1)
	if r := w[99] / w[0]; math.Abs(r-250) > 1e-9 {
		t.Errorf("ratio %v, want 250", r)
	}
}

// Eq 9: the weights sum to C. Balanced classes weigh 1, a permutation of the
// classes permutes the weights, and a rarer class never weighs less.
func TestEq9Sum(t *testing.T) {
	for _, k := range weightings() {
		rapid.Check(t, func(t *rapid.T) {
			counts := rapid.SliceOfN(rapid.IntRange(1, 6000), 1, 40).Draw(t, "counts")
			w, err := k.weights(counts)
			if err != nil {
				t.Fatal(err)
			}
			sum := 0.
			for i, v := range w {
				sum += v
				for j := range w {
					if counts[i] < counts[j] && v < w[j]*(1-1e-12) {
						t.Fatalf("%s: %d images weigh %v, %d weigh %v", k.name, counts[i], v, counts[j], w[j])
					}
				}
			}
			if math.Abs(sum-float64(len(w))) > 1e-10 {
				t.Fatalf("%s: sum %v of %d classes", k.name, sum, len(w))
			}
			order := rapid.Permutation(indices(len(counts))).Draw(t, "order")
			moved, want := make([]int, len(counts)), make([]float64, len(counts))
			for i, j := range order {
				moved[i], want[i] = counts[j], w[j]
			}
			got, err := k.weights(moved)
			if err != nil {
				t.Fatal(err)
			}
			for i := range got {
				if math.Abs(got[i]-want[i]) > 1e-12*max(1, want[i]) {
					t.Fatalf("%s: permuted class %d weighs %v, not %v", k.name, i, got[i], want[i])
				}
			}
		})
		w, err := k.weights([]int{7, 7, 7})
		if err != nil {
			t.Fatal(err)
		}
		near(t, k.name+" of balanced classes", w, []float64{1, 1, 1}, 1e-15)
	}
}

func indices(n int) []int {
	at := make([]int, n)
	for i := range at {
		at[i] = i
	}
	return at
}

// beta to 0 is no weighting, beta to 1 is inverse frequency, without a jump.
func TestEffectiveLimits(t *testing.T) {
	n := []int{5000, 120, 3, 1}
	inverse, _ := Inverse(n)
	for _, c := range []struct {
		beta, tol float64
		want      []float64
	}{
		{0, 0, []float64{1, 1, 1, 1}},
		{1e-9, 1e-8, []float64{1, 1, 1, 1}},
		{1, 0, inverse},
		{1 - 1e-12, 1e-7, inverse},
		{math.Nextafter(1, 0), 1e-10, inverse},
	} {
		w, err := Effective(n, c.beta)
		if err != nil {
			t.Fatal(err)
		}
		near(t, "effective", w, c.want, c.tol)
		if c.beta > .9 && math.Abs(w[3]/w[0]/5000-1) > 3e-9 {
			t.Errorf("beta %v: the smallest class weighs %v times the largest, want 5000", c.beta, w[3]/w[0])
		}
	}
}

func TestClassWeightErrors(t *testing.T) {
	for _, k := range weightings() {
		_, err := k.weights([]int{5, 0, 2})
		wantError(t, err, "class 1", "0 images")
		_, err = k.weights([]int{5, 3, -2})
		wantError(t, err, "class 2", "-2 images")
		_, err = k.weights(nil)
		wantError(t, err, "no classes")
	}
	for _, beta := range []float64{-.1, 1.1, math.NaN()} {
		_, err := Effective([]int{1}, beta)
		wantError(t, err, "beta", "0 to 1")
	}
	for _, nu := range []float64{-.1, math.Inf(1), math.NaN()} {
		_, err := ADRW([]int{1}, nu)
		wantError(t, err, "exponent", "at least 0")
	}
}
