package methods_test

import (
	"math"
	"slices"
	"testing"

	"phase/autograd"
	"phase/nn"
	"phase/phase/methods"
	"phase/phase/train"
	"phase/tensor"
)

// classifier is one of rows w and bias b.
func classifier(b []float32, w ...float32) *nn.Linear {
	return &nn.Linear{Weight: autograd.Param(tensor.Of(w, len(b), len(w)/len(b))), Bias: autograd.Param(tensor.Of(b, len(b)))}
}

func TestTauNorm(t *testing.T) {
	for _, c := range []struct {
		tau  float64
		want []float64
	}{
		{0, []float64{3, 4, 0, 0, 6, 8, .03, .04}}, // the identity but for the bias
		{.5, []float64{3 / math.Sqrt(5), 4 / math.Sqrt(5), 0, 0, 6 / math.Sqrt(10), 8 / math.Sqrt(10), .03 / math.Sqrt(.05), .04 / math.Sqrt(.05)}},
		{1, []float64{.6, .8, 0, 0, .6, .8, .6, .8}}, // rows of length one
		{2, []float64{.12, .16, 0, 0, .06, .08, 12, 16}},
	} {
		h := classifier([]float32{1, 2, 3, 4}, 3, 4, 0, 0, 6, 8, .03, .04)
		methods.TauNorm{Tau: c.tau}.Apply(h, nil)
		near(t, methods.TauNorm{Tau: c.tau}.String(), tensor.Values(h.Weight.Value), c.want, 1e-6, 1)
		near(t, "bias", tensor.Values(h.Bias.Value), []float64{0, 0, 0, 0}, 0, 0)
	}
}

// The worked example: z = (2, -1, .5, 0) and N = (100, 50, 10, 5).
func TestPosthocAdjust(t *testing.T) {
	h := classifier([]float32{2, -1, .5, 0}, 1, 2, 3, 4)
	methods.PosthocAdjust{Tau: 1}.Apply(h, []int{100, 50, 10, 5})
	near(t, "tau 1", tensor.Values(h.Bias.Value), []float64{2.500775, .193922, 3.303360, 3.496508}, 5e-7, 1)
	near(t, "rows", tensor.Values(h.Weight.Value), []float64{1, 2, 3, 4}, 0, 0)
	methods.PosthocAdjust{Tau: 0}.Apply(h, []int{100, 50, 10, 5})
	near(t, "tau 0 after it", tensor.Values(h.Bias.Value), []float64{2.500775, .193922, 3.303360, 3.496508}, 5e-7, 1)
	methods.PosthocAdjust{Tau: -1}.Apply(h, []int{100, 50, 10, 5})
	near(t, "back", tensor.Values(h.Bias.Value), []float64{2, -1, .5, 0}, 1e-6, 1)
}

func TestTemperature(t *testing.T) {
	h := classifier([]float32{2, -1}, 1, 2, 3, -4)
	methods.Temperature{T: 4}.Apply(h, nil)
	near(t, "rows", tensor.Values(h.Weight.Value), []float64{.25, .5, .75, -1}, 0, 0)
	near(t, "bias", tensor.Values(h.Bias.Value), []float64{.5, -.25}, 0, 0)
}

func TestScores(t *testing.T) {
	logits, labels, counts := []float32{2, -1, .5, 0, 9, 0, 1000, 0}, []int{0, 0, 1, 0}, []int{3, 1}
	// Right: the first two of class 0 and the last; class 1's is not.
	for _, p := range []train.Posthoc{methods.TauNorm{}, methods.PosthocAdjust{}} {
		if s, err := p.Score(logits, labels, counts); err != nil || s != .5 {
			t.Errorf("%s: score %v, %v, want 0.5", p, s, err)
		}
	}
	want := -(math.Log1p(math.Exp(-3)) + math.Log1p(math.Exp(-.5)) + math.Log1p(math.Exp(9))) / 4
	if s, err := (methods.Temperature{}).Score(logits, labels, counts); err != nil || math.Abs(s-want) > 1e-12 {
		t.Errorf("log-likelihood %v, %v, want %v", s, err, want)
	}
}

// A temperature changes no prediction, and the one that was chosen makes the
// calibration images the most likely.
func TestTemperatureChangesNoPrediction(t *testing.T) {
	c, s := tiny(t, "daw", func(c *train.Config) { c.Posthoc, c.Calibration, c.Limit = "temperature", .2, 200 })
	r, _ := run(t, c, s)
	if r.Stages[0].Accuracy.Overall != r.Accuracy.Overall {
		t.Errorf("accuracy from %v to %v", r.Stages[0].Accuracy.Overall, r.Accuracy.Overall)
	}
	d := r.Chosen[0]
	best := slices.MaxFunc(d.Among, func(a, b train.Candidate) int { return int(math.Copysign(1, a.Score-b.Score)) })
	if len(d.Among) != 96 || d.Values["temperature"] == 1 || d.Score != best.Score || d.Images != s.Calibration.Len() {
		t.Errorf("%d candidates on %d images, chosen %v, with the highest score %v", len(d.Among), d.Images, d.Candidate, best)
	}
}
