package longtail

import (
	"encoding/json"
	"math"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"
)

var close12 = cmpopts.EquateApprox(1e-12, 1e-12)

// Three images by hand: logits log 6, log 3, log 1 are probabilities .6, .3, .1.
func TestScoresByHand(t *testing.T) {
	a, b, c := math.Log(6), math.Log(3), 0.0
	got, err := Scores([]float64{a, b, c, a, b, c, c, a, a}, []int{0, 1, 2}, 3)
	if err != nil {
		t.Fatal(err)
	}
	want := []Score{
		{Label: 0, Prediction: 0, Confidence: .6, NLL: -math.Log(.6), Margin: math.Log(2)},
		{Label: 1, Prediction: 0, Confidence: .6, NLL: -math.Log(.3), Margin: -math.Log(2)},
		{Label: 2, Prediction: 1, Confidence: 6. / 13, NLL: -math.Log(6. / 13), Margin: 0}, // a tie: the first wins, as everywhere
	}
	if d := cmp.Diff(want, got, close12); d != "" {
		t.Error(d)
	}
}

// Logits far beyond what exp takes, in float32 too.
func TestScoresLargeLogits(t *testing.T) {
	got, err := Scores([]float32{3e38, -3e38, 1000, 998}, []int{0, 1}, 2)
	if err != nil {
		t.Fatal(err)
	}
	if s := got[0]; s.Confidence != 1 || s.NLL != 0 || !(s.Margin > 5e38) {
		t.Errorf("%+v", s)
	}
	e2 := math.Exp(2)
	want := Score{Label: 1, Prediction: 0, Confidence: e2 / (1 + e2), NLL: math.Log(1 + e2), Margin: -2}
	if d := cmp.Diff(want, got[1], close12); d != "" {
		t.Error(d)
	}
}

func TestScoresErrors(t *testing.T) {
	call := func(logits []float64, labels []int, classes int) error {
		_, err := Scores(logits, labels, classes)
		return err
	}
	wantError(t, call([]float64{1}, []int{0}, 1), "1 classes", "at least 2")
	wantError(t, call([]float64{1, 2, 3}, []int{0}, 2), "3 logits", "1 labels", "2 classes", "want 2")
	wantError(t, call([]float64{1, 2, 3, 4}, []int{0, 2}, 2), "test image 1 has label 2", "0 to 1")
	wantError(t, call([]float64{1, 2, 3, 4}, []int{0, -1}, 2), "label -1")
	wantError(t, call([]float64{1, 2, 3, math.NaN()}, []int{0, 1}, 2), "test image 1 has logit NaN for class 1")
	wantError(t, call([]float64{math.Inf(-1), 2}, []int{1}, 2), "test image 0 has logit -Inf for class 0")
}

// Five images by hand: two in bin (9/15, 10/15], one at its upper end, and three
// in the last bin.
func TestCalibrateByHand(t *testing.T) {
	c, err := Calibrate([]Score{
		{Label: 0, Prediction: 0, Confidence: 10. / 15, NLL: 1},
		{Label: 0, Prediction: 1, Confidence: .62, NLL: 2},
		{Label: 1, Prediction: 1, Confidence: 1, NLL: 3},
		{Label: 1, Prediction: 1, Confidence: .98, NLL: 0},
		{Label: 1, Prediction: 2, Confidence: .96, NLL: 4},
	})
	if err != nil {
		t.Fatal(err)
	}
	v := func(x float64) *float64 { return &x }
	want := Calibration{Bins: make([]Bin, 15), NLL: 2}
	want.Bins[9] = Bin{2, v((10./15 + .62) / 2), v(.5)}
	want.Bins[14] = Bin{3, v(.98), v(2. / 3)}
	want.ECE = 2./5*((10./15+.62)/2-.5) + 3./5*(.98-2./3)
	if d := cmp.Diff(want, c, close12); d != "" {
		t.Error(d)
	}
	_, err = Calibrate(nil)
	wantError(t, err, "no test images")
}

func TestCalibrationJSON(t *testing.T) {
	c, err := Calibrate([]Score{{Confidence: 1}})
	if err != nil {
		t.Fatal(err)
	}
	b, err := json.Marshal(Calibration{c.Bins[13:], c.ECE, c.NLL})
	if want := `{"bins":[{"count":0,"confidence":null,"accuracy":null},{"count":1,"confidence":1,"accuracy":1}],"ece":0,"nll":0}`; err != nil || string(b) != want {
		t.Errorf("%v: got %s, want %s", err, b, want)
	}
}

// naive is the definition, read literally: softmax by exp over the sum, each bin
// a pass over all images.
func naive(logits []float64, labels []int, classes int) (ece, nll float64, margins [][]float64) {
	n := len(labels)
	confidence, right := make([]float64, n), make([]float64, n)
	margins = make([][]float64, classes)
	for i, y := range labels {
		row := logits[i*classes : (i+1)*classes]
		sum, best, other := 0.0, 0, math.Inf(-1)
		for j, z := range row {
			sum += math.Exp(z)
			if z > row[best] {
				best = j
			}
			if j != y && z > other {
				other = z
			}
		}
		confidence[i] = math.Exp(row[best]) / sum
		if best == y {
			right[i] = 1
		}
		nll -= math.Log(math.Exp(row[y])/sum) / float64(n)
		margins[y] = append(margins[y], row[y]-other)
	}
	for k := range 15 {
		count, acc, conf := 0.0, 0.0, 0.0
		for i := range labels {
			if confidence[i] > float64(k)/15 && confidence[i] <= float64(k+1)/15 {
				count, acc, conf = count+1, acc+right[i], conf+confidence[i]
			}
		}
		if count > 0 {
			ece += count / float64(n) * math.Abs(acc/count-conf/count)
		}
	}
	return ece, nll, margins
}

func TestCalibrationAgreesWithNaive(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		classes := rapid.IntRange(2, 6).Draw(t, "classes")
		labels := rapid.SliceOfN(rapid.IntRange(0, classes-1), 1, 40).Draw(t, "labels")
		logits := rapid.SliceOfN(rapid.Float64Range(-8, 8), len(labels)*classes, len(labels)*classes).Draw(t, "logits")
		ece, nll, naiveMargins := naive(logits, labels, classes)
		scores, err := Scores(logits, labels, classes)
		if err != nil {
			t.Fatal(err)
		}
		c, err := Calibrate(scores)
		if err != nil || math.Abs(c.ECE-ece) > 1e-12 || math.Abs(c.NLL-nll) > 1e-12 {
			t.Fatalf("%v: ECE %v and NLL %v, want %v and %v", err, c.ECE, c.NLL, ece, nll)
		}
		images := 0
		for _, b := range c.Bins {
			images += b.Count
		}
		margins, err := Margins(scores, classes)
		if err != nil || images != len(labels) {
			t.Fatalf("%v: %d images in the bins of %d", err, images, len(labels))
		}
		for y, m := range margins {
			if m.Images != len(naiveMargins[y]) {
				t.Fatalf("class %d: %d images, want %d", y, m.Images, len(naiveMargins[y]))
			}
			for _, q := range []struct {
				q   float64
				got *float64
			}{{.25, m.Q1}, {.5, m.Median}, {.75, m.Q3}} {
				quartile(t, naiveMargins[y], q.q, q.got)
			}
		}
	})
}

// quartile checks what makes got a q-quantile: at most q of the values are
// below it, and at most 1-q above.
func quartile(t *rapid.T, values []float64, q float64, got *float64) {
	if len(values) == 0 {
		if got != nil {
			t.Fatalf("a quantile %v of nothing", *got)
		}
		return
	}
	below, above := 0.0, 0.0
	for _, v := range values {
		if v < *got-1e-9 {
			below++
		}
		if v > *got+1e-9 {
			above++
		}
	}
	if n := float64(len(values)); below > q*(n-1)+1 || above > (1-q)*(n-1)+1 {
		t.Fatalf("%v is no %v-quantile of %v", *got, q, values)
	}
}

func TestMarginsByHand(t *testing.T) {
	var scores []Score
	for _, m := range []float64{4, -1, 3, 1} { // sorted -1 1 3 4
		scores = append(scores, Score{Label: 1, Margin: m})
	}
	scores = append(scores, Score{Label: 2, Margin: -7})
	got, err := Margins(scores, 3)
	if err != nil {
		t.Fatal(err)
	}
	v := func(x float64) *float64 { return &x }
	want := []Margin{{}, {4, v(.5), v(2), v(3.25)}, {1, v(-7), v(-7), v(-7)}}
	if d := cmp.Diff(want, got, close12); d != "" {
		t.Error(d)
	}
	_, err = Margins(scores, 2)
	wantError(t, err, "test image 4 has label 2", "0 to 1")
	if b, err := json.Marshal(got[0]); err != nil || string(b) != `{"images":0,"q1":null,"median":null,"q3":null}` {
		t.Errorf("%v: %s", err, b)
	}
}
