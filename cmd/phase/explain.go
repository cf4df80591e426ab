package main

import (
	"context"
	"fmt"
	"math"
	"slices"
	"strings"

	"phase/autograd"
	"phase/kernels"
	"phase/phase"
	"phase/phase/train"
	"phase/tensor"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// explained is everything that explain shows, and its JSON.
type explained struct {
	Schema int           `json:"schema"`
	Method string        `json:"method"`
	Source string        `json:"source"` // where the numbers come from
	Stage1 explainedLoss `json:"stage1"`
	Stage2 *explainedMSR `json:"stage2"` // null without features or without a second stage
}

// explainedLoss is a batch under a loss.
type explainedLoss struct {
	Loss      lossSetting        `json:"loss_setting"`
	Samples   []explainedSample  `json:"samples"`    // those shown in detail
	PerSample []float64          `json:"per_sample"` // weight·loss of every sample of the batch
	Weights   []float64          `json:"weights"`
	Reduction string             `json:"reduction"`
	Reduced   float64            `json:"loss"`
	Others    map[string]float64 `json:"other_reductions"`
}

type lossSetting struct {
	GammaPos float64 `json:"gamma_pos"`
	GammaNeg float64 `json:"gamma_neg"`
	Smooth   float64 `json:"smooth"`
	Form     string  `json:"form"`
	Detach   bool    `json:"detach"`
}

// explainedSample is the loss of one sample, without its weight.
type explainedSample struct {
	Index      int              `json:"index"` // row of the batch, or place in the training set
	Label      int              `json:"label"`
	Name       string           `json:"class"`
	Weight     float64          `json:"weight"`
	Classes    []explainedClass `json:"classes"`
	Loss       float64          `json:"loss"`
	Difference float64          `json:"relative_difference"` // largest, of gradient and quotient
}

// explainedClass is one class's part: term = -target·modulation·log p, except
// in form eq1, whose other classes have log(1-p).
type explainedClass struct {
	Class       int     `json:"class"`
	Logit       float64 `json:"logit"`
	Probability float64 `json:"probability"`
	Modulation  float64 `json:"modulation"`
	Target      float64 `json:"target"`
	Term        float64 `json:"term"`
	Gradient    float64 `json:"gradient"`
	Quotient    float64 `json:"quotient"`
}

// inputs are what explain explains.
type inputs struct {
	source   string
	batch    batch
	index    []int    // of the samples of the batch
	classes  []string // their names
	features phase.Features
	labels   []int // of the samples that stage 2 weighs
	apart    bool  // those are others than the batch is from
	shown    int   // samples shown in detail
}

func (p *program) explainCommand() *cobra.Command {
	var s *settings
	var in explainFlags
	cmd := &cobra.Command{
		Use: "explain [flags]", Short: "one batch, number by number: from the logits to the gradient",
		Long: `explain takes one batch through the method. Stage 1: each class's logit,
probability, modulation A, smoothed target s, its term of the loss and its gradient,
which a difference quotient checks. Stage 2: what classes and samples weigh, and why.
Without flags the batch is training images of a frequent, a middling and a rare class
of the embedded data, and the model is freshly made; --run takes a trained one, --logits
anyone's numbers, --example four logits small enough for pencil and paper.`,
		Example: "  phase explain --example\n  phase explain --run runs/phase-fashion-001 --samples 1\n  phase explain --method focal --logits z.npy --labels y.npy --json",
		Args:    noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return p.explain(cmd.Context(), s, in)
		},
	}
	addTo(cmd.Flags(), "What to explain", func() {
		f := cmd.Flags()
		f.BoolVar(&in.example, "example", false, "one row of four logits, and four features of one class")
		f.StringVar(&in.run, "run", "", "run directory: its model, data and settings")
		f.StringVar(&in.logits, "logits", "", "NPY file of logits (n, classes)")
		f.StringVar(&in.labels, "labels", "", "NPY file of labels (n), with --logits")
		f.StringVar(&in.weights, "weights", "", "NPY file of sample weights (n), with --logits")
		f.StringVar(&in.features, "features", "", "NPY file of features (n, d), with --logits: for stage 2")
		f.IntVar(&in.samples, "samples", 3, "how many samples to show in detail")
		f.IntVar(&in.class, "class", -1, "class whose samples stage 2 shows; -1 is the rarest of more than 2")
	})
	s = addSettings(cmd.Flags())
	hideAllBut(cmd, "method", "seed", "data", "data-dir", "imbalance", "profile", "subset-seed", "limit", "holdout", "size", "max-pixels", "skip-bad", "model", "width",
		"loss", "gamma-pos", "gamma-neg", "smooth", "form", "detach", "stage1-weights", "stage2-weights", "reduction", "gamma", "alpha", "local", "block", "local-clip", "beta")
	return cmd
}

// explainFlags choose what explain explains.
type explainFlags struct {
	example                                bool
	run, logits, labels, weights, features string
	samples, class                         int
}

// check says which flags contradict each other.
func (e explainFlags) check(fs *pflag.FlagSet) error {
	var from []string
	for _, name := range []string{"example", "run", "logits"} {
		if fs.Changed(name) {
			from = append(from, "--"+name)
		}
	}
	if len(from) > 1 {
		return usagef("%s say what to explain: choose one", strings.Join(from, " and "))
	}
	for _, name := range []string{"labels", "weights", "features"} {
		if fs.Changed(name) && !fs.Changed("logits") {
			return usagef("--%s goes with --logits", name)
		}
	}
	if fs.Changed("logits") && !fs.Changed("labels") {
		return usagef("--logits wants --labels")
	}
	if e.samples < 1 || e.samples > maxShown {
		return usagef("--samples %d: want 1 to %d", e.samples, maxShown)
	}
	if e.class < -1 {
		return usagef("--class %d: want a class, or -1", e.class)
	}
	if len(from) == 0 {
		return nil
	}
	for _, name := range []string{"method", "seed", "data", "imbalance", "profile", "subset-seed", "limit", "holdout", "size", "model", "width", "stage1-weights"} {
		if fs.Changed(name) && !(name == "method" && from[0] != "--run") && !(name == "limit" && from[0] == "--run") {
			return usagef("--%s has no meaning with %s", name, from[0])
		}
	}
	return nil
}

// maxShown bounds how many samples are shown in detail.
const maxShown = 100

func (p *program) explain(ctx context.Context, s *settings, e explainFlags) error {
	if err := e.check(s.flags); err != nil {
		return err
	}
	c, in, err := e.inputs(ctx, s)
	if err != nil {
		return err
	}
	if e.class >= 0 && e.class >= len(in.classes) {
		return usagef("--class %d: want 0 to %d", e.class, len(in.classes)-1)
	}
	x := explained{Schema: outputSchema, Method: c.Method, Source: in.source}
	l, err := c.Loss1()
	if err != nil {
		return err
	}
	soft, ok := l.(phase.Softmax)
	if !ok {
		return fmt.Errorf("the loss %s is none of those that can be explained", c.Loss)
	}
	if x.Stage1, err = in.explainLoss(soft.Softmax(), phase.Reduction(c.Reduction)); err != nil {
		return err
	}
	if in.apart {
		e.samples = len(in.labels)
	}
	if x.Stage2, err = in.explainMSR(c, e.class, e.samples); err != nil {
		return err
	}
	if p.json {
		err = p.printJSON(x)
	} else {
		err = p.printExplained(x)
	}
	if err != nil {
		return err
	}
	for _, sample := range x.Stage1.Samples {
		if !(sample.Difference <= explainTol) {
			return fmt.Errorf("sample %d: the gradient is off by %.2g, relative, from the difference quotient, want at most %g", sample.Index, sample.Difference, explainTol)
		}
	}
	return nil
}

// explainTol is the largest relative difference between a gradient and its
// difference quotient.
const explainTol = 1e-5

// inputs finds what to explain, and the settings it is explained by.
func (e explainFlags) inputs(ctx context.Context, s *settings) (train.Config, *inputs, error) {
	if e.run != "" {
		m, err := train.LoadModel(e.run)
		if err != nil {
			return train.Config{}, nil, err
		}
		c, err := s.over(m.Config)
		if err != nil {
			return c, nil, err
		}
		src, err := s.open(c)
		if err != nil {
			return c, nil, err
		}
		if !slices.Equal(src.Train.Classes(), m.About.Classes) {
			return c, nil, fmt.Errorf("the classes of %s are not those of the model in %s", c.Data, e.run)
		}
		in, err := fromModel(ctx, c, src, m.Model, false, e.samples)
		if err != nil {
			return c, nil, fmt.Errorf("%s: %w", e.run, err)
		}
		in.source = fmt.Sprintf("%s, the model of %s", c.Data, e.run)
		return c, in, nil
	}
	c, err := s.resolve()
	if err != nil {
		return c, nil, err
	}
	if e.example {
		return c, example(), nil
	}
	if e.logits != "" {
		in, err := e.fromFiles()
		return c, in, err
	}
	src, err := s.open(c)
	if err != nil {
		return c, nil, err
	}
	m, err := train.NewModel(c, src)
	if err != nil {
		return c, nil, err
	}
	in, err := fromModel(ctx, c, src, m, true, e.samples)
	if err != nil {
		return c, nil, err
	}
	in.source = fmt.Sprintf("%s, a fresh %s", c.Data, c.Model)
	return c, in, nil
}

// over is c with the settings that were given as flags.
func (s *settings) over(c train.Config) (train.Config, error) {
	fs := pflag.NewFlagSet("settings", pflag.ContinueOnError)
	bind(fs, &c)
	var failed error
	s.flags.VisitAll(func(f *pflag.Flag) {
		if f.Changed && fs.Lookup(f.Name) != nil {
			if err := fs.Set(f.Name, strings.Trim(f.Value.String(), "[]")); err != nil {
				failed = err
			}
		}
	})
	if failed == nil {
		failed = c.Resolve()
	}
	if failed != nil {
		return c, usageError{failed}
	}
	return c, nil
}

// example is small enough for pencil and paper.
func example() *inputs {
	return &inputs{
		source:   "the example",
		batch:    batch{logits: tensor.Of([]float64{2, -1, .5, 0}, 1, 4), labels: tensor.Of([]int64{2}, 1), weights: ones(1)},
		index:    []int{0},
		classes:  []string{"0", "1", "2", "3"},
		features: phase.Rows(tensor.Of([]float64{1, 0, 0, 1, -1, 0, 3, 3}, 4, 2)),
		labels:   []int{0, 0, 0, 0},
		apart:    true,
		shown:    1,
	}
}

// fromFiles is a batch from anyone's files.
func (e explainFlags) fromFiles() (*inputs, error) {
	b, err := readBatch(e.logits, e.labels, e.weights)
	if err != nil {
		return nil, err
	}
	n := b.labels.Size()
	in := &inputs{source: e.logits, batch: b, shown: min(e.samples, n)}
	for i := range n {
		in.index = append(in.index, i)
	}
	for j := range b.logits.Dim(1) {
		in.classes = append(in.classes, fmt.Sprint(j))
	}
	for _, y := range tensor.Data[int64](b.labels) {
		in.labels = append(in.labels, int(y))
	}
	if e.features == "" {
		return in, nil
	}
	f, err := readFloats(e.features, "features", 2)
	if err != nil {
		return nil, err
	}
	if f.Dim(0) != n {
		return nil, fmt.Errorf("%s: %d rows of features for the %d labels of %s", e.features, f.Dim(0), n, e.labels)
	}
	in.features = phase.Rows(f)
	return in, nil
}

// explainLoss takes the batch apart under a loss.
func (in *inputs) explainLoss(l kernels.SoftmaxLoss, r phase.Reduction) (explainedLoss, error) {
	x := explainedLoss{Loss: lossSetting{l.GammaPos, l.GammaNeg, l.Smooth, []string{"asl", "eq3", "eq1"}[l.Form], l.Detach}, Reduction: string(r), Weights: tensor.Values(in.batch.weights), Others: map[string]float64{}}
	for _, other := range phase.Reductions() {
		if other == phase.None {
			continue
		}
		res, _, err := in.batch.loss(l, other)
		if err != nil {
			return x, err
		}
		x.PerSample = res.PerSample
		if other == r {
			x.Reduced = *res.Loss
		} else {
			x.Others[string(other)] = *res.Loss
		}
	}
	// What is shown of each sample is of its own loss, which has no weight.
	alone := in.batch
	alone.weights = ones(alone.labels.Size())
	res, grad, err := alone.loss(l, phase.Sum)
	if err != nil {
		return x, err
	}
	c := res.Classes
	z, g := tensor.Values(in.batch.logits), tensor.Values(grad)
	logp := tensor.Values(autograd.LogSoftmax(autograd.Const(in.batch.logits)).Value)
	for i := range in.shown {
		y := int(tensor.Data[int64](in.batch.labels)[i])
		row := z[i*c : (i+1)*c]
		s := explainedSample{Index: in.index[i], Label: y, Name: in.classes[y], Weight: x.Weights[i], Loss: res.PerSample[i]}
		q := lossQuotients(l, row, y)
		for j, t := range lossTerms(l, logp[i*c:(i+1)*c], y) {
			if math.IsNaN(q[j]) || math.IsInf(q[j], 0) {
				return x, fmt.Errorf("sample %d: the difference quotient by the logit of class %d is %v: the logits are too far apart to check a gradient by", s.Index, j, q[j])
			}
			s.Classes = append(s.Classes, explainedClass{j, row[j], math.Exp(logp[i*c+j]), t.Modulation, t.Target, t.Term, g[i*c+j], q[j]})
		}
		s.Difference = difference(s)
		x.Samples = append(x.Samples, s)
	}
	return x, nil
}

// lossQuotients is the central difference quotient of the loss l of one row by
// each of its logits. A detached modulation is held where it is at z.
func lossQuotients(l kernels.SoftmaxLoss, z []float64, y int) []float64 {
	c := len(z)
	pair, label := tensor.Of(slices.Concat(z, z), 2, c), tensor.Of([]int64{int64(y), int64(y)}, 2)
	f := func(in ...*autograd.Var) *autograd.Var { return autograd.SoftmaxLoss(in[0], label, ones(2), l) }
	if l.Detach {
		f = heldLoss(l, tensor.Of(slices.Concat(z, z), 2, c), label, ones(2))
	}
	q, v := make([]float64, c), tensor.Data[float64](pair)
	for j, home := range z {
		h := 1e-5 * max(1, math.Abs(home))
		v[j], v[c+j] = home+h, home-h
		at := tensor.Values(f(autograd.Const(pair)).Value)
		q[j] = (at[0] - at[1]) / (v[j] - v[c+j])
		v[j], v[c+j] = home, home
	}
	return q
}

// difference is the largest relative difference of gradient and quotient. A
// thousandth of the largest gradient and 1e-4 of the loss count as no smaller
// than that: below, a quotient is rounding.
func difference(s explainedSample) float64 {
	most, far := 1e-4*math.Abs(s.Loss), 0.0
	for _, c := range s.Classes {
		most = max(most, 1e-3*math.Abs(c.Gradient), 1e-3*math.Abs(c.Quotient))
	}
	for _, c := range s.Classes {
		if d := math.Abs(c.Gradient - c.Quotient); d > 0 {
			far = max(far, d/max(math.Abs(c.Gradient), math.Abs(c.Quotient), most))
		}
	}
	return far
}
