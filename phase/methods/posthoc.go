package methods

import (
	"fmt"
	"math"

	"phase/nn"
	"phase/phase/kind"
	"phase/phase/longtail"
	"phase/phase/train"
	"phase/tensor"
)

// TauNorm is τ-normalization of Kang et al., "Decoupling Representation and
// Classifier for Long-Tailed Recognition" (ICLR 2020), eq 4: the rows of the
// classifier, which are longer for frequent classes, become
//
//	w_j / ‖w_j‖^τ
//
// and the bias is dropped, as their program does. τ = 1 leaves directions only, τ
// = 0 the rows as they are.
type TauNorm struct {
	Tau float64 `name:"posthoc-tau" range:"0.." help:"exponent of the length of a row in tau-norm, which chooses it if nothing says it; how much of the logarithm of a class's share logit-adjust takes"`
}

// Apply divides the rows and clears the bias. A row of zeros stays.
func (p TauNorm) Apply(h *nn.Linear, _ []int) {
	w := tensor.Data[float32](h.Weight.Value)
	d := h.Weight.Value.Dim(1)
	for lo := 0; lo < len(w); lo += d {
		row, squares := w[lo:lo+d], 0.
		for _, v := range row {
			squares += float64(v) * float64(v)
		}
		if squares == 0 {
			continue
		}
		by := math.Pow(squares, -p.Tau/2)
		for k, v := range row {
			row[k] = float32(by * float64(v))
		}
	}
	clear(tensor.Data[float32](h.Bias.Value))
}

// Choose is the range that Kang et al. search.
func (TauNorm) Choose() string { return "posthoc-tau=0:2:0.1" }

// Score is the balanced accuracy.
func (TauNorm) Score(logits []float32, labels, counts []int) (float64, error) {
	return balanced(logits, labels, counts)
}

// String says what it is, with its parameter.
func (p TauNorm) String() string { return fmt.Sprintf("tau-norm %g", p.Tau) }

// PosthocAdjust is post-hoc logit adjustment of Menon et al., "Long-Tail Learning
// via Logit Adjustment" (ICLR 2021), eq 9: the logits of a classifier trained by
// cross-entropy become
//
//	z_j - τ·log π_j.
//
// As a change of the bias it is part of the model.
type PosthocAdjust struct {
	Tau float64 `name:"posthoc-tau" range:"0.." help:"of the logarithm of a class's share"`
}

// Apply subtracts τ·log π from the bias.
func (p PosthocAdjust) Apply(h *nn.Linear, counts []int) {
	total := 0.
	for _, n := range counts {
		total += float64(n)
	}
	b := tensor.Data[float32](h.Bias.Value)
	for j, n := range counts {
		b[j] = float32(float64(b[j]) - p.Tau*math.Log(float64(n)/total))
	}
}

// Choose is nothing: τ = 1 is what the theory says.
func (PosthocAdjust) Choose() string { return "" }

// Score is the balanced accuracy.
func (PosthocAdjust) Score(logits []float32, labels, counts []int) (float64, error) {
	return balanced(logits, labels, counts)
}

// String says what it is, with its parameter.
func (p PosthocAdjust) String() string { return fmt.Sprintf("logit-adjust %g", p.Tau) }

// Temperature is temperature scaling of Guo et al., "On Calibration of Modern
// Neural Networks" (ICML 2017): the logits become z/T. No prediction changes,
// only how sure it is.
type Temperature struct {
	T float64 `name:"temperature" range:"(0.." help:"that logits are divided by; chosen if nothing says it"`
}

// Apply divides rows and bias by T.
func (p Temperature) Apply(h *nn.Linear, _ []int) {
	for _, of := range []*tensor.Tensor{h.Weight.Value, h.Bias.Value} {
		for i, v := range tensor.Data[float32](of) {
			tensor.Data[float32](of)[i] = float32(float64(v) / p.T)
		}
	}
}

// Choose is a grid, fine enough for a likelihood that is flat around its best.
func (Temperature) Choose() string { return "temperature=0.25:5:0.05" }

// Score is the mean logarithm of the true classes' probabilities, the likelihood.
func (Temperature) Score(logits []float32, labels, counts []int) (float64, error) {
	c, sum := len(counts), 0.
	for i, y := range labels {
		row := logits[i*c : (i+1)*c]
		most, total := math.Inf(-1), 0.
		for _, v := range row {
			most = max(most, float64(v))
		}
		for _, v := range row {
			total += math.Exp(float64(v) - most)
		}
		sum += float64(row[y]) - most - math.Log(total)
	}
	return sum / float64(len(labels)), nil
}

// String says what it is, with its parameter.
func (p Temperature) String() string { return fmt.Sprintf("temperature %g", p.T) }

// balanced is the mean over the classes of how many of their images have the
// largest logit at their label.
func balanced(logits []float32, labels, counts []int) (float64, error) {
	c, predictions := len(counts), make([]int, len(labels))
	for i := range labels {
		for j, v := range logits[i*c : (i+1)*c] {
			if v > logits[i*c+predictions[i]] {
				predictions[i] = j
			}
		}
	}
	a, err := longtail.Evaluate(predictions, labels, counts, longtail.Thresholds{})
	return a.Balanced, err
}

var (
	tauNorm = train.Preset{Name: "tau-norm", Doc: "cross-entropy, then the classifier's rows divided by a power of their length that images kept apart choose (tau-normalization, Kang et al., ICLR 2020)", Set: func(c *train.Config) {
		c.Posthoc = "tau-norm"
		if _, given := c.Params["posthoc-tau"]; !given {
			c.Calibration = .1
		}
	}}
	posthocAdjust = train.Preset{Name: "logit-adjust-posthoc", Doc: "cross-entropy, then logits minus the logarithm of the class's share (post-hoc logit adjustment, Menon et al., ICLR 2021)", Set: func(c *train.Config) {
		c.Posthoc = "logit-adjust"
	}}
)

func init() {
	for _, k := range []kind.Kind[train.Posthoc]{
		{Name: "tau-norm", Doc: "rows divided by a power of their length, no bias (Kang et al., ICLR 2020)", Of: TauNorm{1}},
		{Name: "logit-adjust", Doc: "logits minus tau times the logarithm of the class's share (Menon et al., ICLR 2021)", Of: PosthocAdjust{1}},
		{Name: "temperature", Doc: "logits divided by a temperature, for honest probabilities (Guo et al., ICML 2017)", Of: Temperature{1}},
	} {
		train.Posthocs.Add(k)
	}
	train.AddPreset(tauNorm, posthocAdjust)
}
