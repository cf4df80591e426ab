package main

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"phase/autograd"
	"phase/phase"
	"phase/phase/kind"
	"phase/phase/train"
	"phase/tensor"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// explained is everything that explain shows, and its JSON.
type explained struct {
	Schema int               `json:"schema"`
	Method string            `json:"method"`
	Source string            `json:"source"` // where the numbers come from
	Stage1 explainedLoss     `json:"stage1"`
	Stage2 *explainedWeights `json:"stage2"` // null without features or without a second stage
}

// A recipe is what explain reads of a configuration.
type recipe struct {
	method                 string
	loss1, loss2           kind.Kind[phase.Loss]
	weighting1, weighting2 kind.Kind[phase.Weighting] // of nil for none
	twoStages              bool
	reduction              phase.Reduction
}

// recipeOf is the recipe of a configuration.
func recipeOf(c train.Config) (r recipe, err error) {
	r = recipe{method: c.Method, twoStages: c.TwoStages(), reduction: phase.Reduction(c.Reduction)}
	r.weighting1.Name, r.weighting2.Name = c.Stage1Weights, c.Stage2Weights
	if r.loss1, err = phase.Losses.Find(c.Loss); err == nil {
		r.loss1.Of, err = c.Loss1()
	}
	if err == nil {
		r.loss2, err = phase.Losses.Find(c.Stage2Loss)
	}
	if err == nil {
		r.loss2.Of, err = c.Loss2()
	}
	if err == nil {
		r.weighting1.Of, err = c.Weighting1()
	}
	if err == nil {
		r.weighting2.Of, err = c.Weighting2()
	}
	return r, err
}

// losses are those of the stages that there are.
func (r recipe) losses() []phase.Loss {
	if r.twoStages {
		return []phase.Loss{r.loss1.Of, r.loss2.Of}
	}
	return []phase.Loss{r.loss1.Of}
}

// needs reports whether a loss of some stage is one that the question is asked of.
func (r recipe) needs(question func(v any) bool) bool {
	return slices.ContainsFunc(r.losses(), func(l phase.Loss) bool { return question(l) })
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
		f.StringVar(&in.logits, "logits", "", "NPY file of logits (n, classes); for ldam of cosines")
		f.StringVar(&in.labels, "labels", "", "NPY file of labels (n), with --logits")
		f.StringVar(&in.weights, "weights", "", "NPY file of sample weights (n), with --logits")
		f.StringVar(&in.features, "features", "", "NPY file of features (n, d), with --logits: for stage 2, and losses that look at them")
		f.IntSliceVar(&in.counts, "counts", nil, "images of each class, with --logits: for losses that go by them")
		f.IntVar(&in.samples, "samples", 3, "how many samples to show in detail")
		f.IntVar(&in.class, "class", -1, "class whose samples stage 2 shows; -1 is the rarest of more than 2")
	})
	s = addSettings(cmd.Flags())
	shown := []string{"method", "seed", "data", "data-dir", "imbalance", "profile", "subset-seed", "limit", "holdout", "size", "max-pixels", "skip-bad", "model", "head", "scale", "width",
		"loss", "stage1-weights", "stage2-loss", "stage2-weights", "reduction"}
	for _, p := range slices.Concat(phase.Losses.Params(), phase.Weightings.Params()) {
		shown = append(shown, p.Name)
	}
	hideAllBut(cmd, shown...)
	return cmd
}

// explainFlags choose what explain explains.
type explainFlags struct {
	example                                bool
	run, logits, labels, weights, features string
	counts                                 []int
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
	for _, name := range []string{"labels", "weights", "features", "counts"} {
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
	for _, name := range []string{"method", "seed", "data", "imbalance", "profile", "subset-seed", "limit", "holdout", "size", "model", "head", "width", "stage1-weights"} {
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
	r, in, err := e.inputs(ctx, p, s)
	if err != nil {
		return err
	}
	if e.class >= 0 && e.class >= len(in.classes) {
		return usagef("--class %d: want 0 to %d", e.class, len(in.classes)-1)
	}
	x := explained{Schema: outputSchema, Method: r.method, Source: in.source}
	if x.Stage1, err = in.explainLoss(r.loss1, r.reduction); err != nil {
		return err
	}
	if in.apart {
		e.samples = len(in.labels)
	}
	if x.Stage2, err = in.explainWeights(r, e.class, e.samples); err != nil {
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
	samples := x.Stage1.Samples
	if x.Stage2 != nil && x.Stage2.Batch != nil {
		samples = slices.Concat(samples, x.Stage2.Batch.Samples)
	}
	for _, sample := range samples {
		if !(sample.Difference <= explainTol) {
			return fmt.Errorf("sample %d: the gradient is off by %.2g, relative, from the difference quotient, want at most %g", sample.Index, sample.Difference, explainTol)
		}
	}
	return nil
}

// inputs finds what to explain, and the recipe it is explained by.
func (e explainFlags) inputs(ctx context.Context, p *program, s *settings) (r recipe, in *inputs, err error) {
	if e.run != "" {
		m, err := train.LoadModel(e.run)
		if err != nil {
			return r, nil, err
		}
		c, err := s.over(m.Config)
		if err != nil {
			return r, nil, err
		}
		src, err := s.open(ctx, p, c)
		if err != nil {
			return r, nil, err
		}
		if !slices.Equal(src.Train.Classes(), m.About.Classes) {
			return r, nil, fmt.Errorf("the classes of %s are not those of the model in %s", c.Data, e.run)
		}
		if r, err = recipeOf(c); err != nil {
			return r, nil, err
		}
		in, err := fromModel(ctx, r, src, m.Model, false, e.samples)
		if err != nil {
			return r, nil, fmt.Errorf("%s: %w", e.run, err)
		}
		in.source = fmt.Sprintf("%s, the model of %s", c.Data, e.run)
		return r, in, nil
	}
	c, err := s.resolve()
	if err != nil {
		return r, nil, err
	}
	if r, err = recipeOf(c); err != nil {
		return r, nil, err
	}
	if e.example {
		return r, example(), nil
	}
	if e.logits != "" {
		in, err := e.fromFiles(r)
		return r, in, err
	}
	src, err := s.open(ctx, p, c)
	if err != nil {
		return r, nil, err
	}
	m, err := train.NewModel(c, src)
	if err != nil {
		return r, nil, err
	}
	if in, err = fromModel(ctx, r, src, m, true, e.samples); err != nil {
		return r, nil, err
	}
	in.source = fmt.Sprintf("%s, a fresh %s", c.Data, c.Model)
	return r, in, nil
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
		batch:    batch{tensor.Of([]float64{2, -1, .5, 0}, 1, 4), tensor.Of([]int64{2}, 1), ones(1), tensor.Of([]float64{1, 2, .5, 0}, 1, 4), []int{100, 50, 10, 5}},
		index:    []int{0},
		classes:  []string{"0", "1", "2", "3"},
		features: phase.Rows(tensor.Of([]float64{1, 0, 0, 1, -1, 0, 3, 3}, 4, 2)),
		labels:   []int{0, 0, 0, 0},
		apart:    true,
		shown:    1,
	}
}

// fromFiles is a batch from anyone's files.
func (e explainFlags) fromFiles(how recipe) (*inputs, error) {
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
	if c, ok := how.loss1.Of.(phase.CosineUser); ok { // which the file has
		in.batch.logits = autograd.Scale(autograd.Const(b.logits), c.CosineScale()).Value
	}
	if how.needs(phase.UsesCounts) {
		if e.counts == nil {
			return nil, usagef("--method %s: its loss goes by the images of each class: it wants --counts, as 100,50,10,5", how.method)
		}
		if err := checkCounts(e.counts); err != nil {
			return nil, err
		}
		if c := b.logits.Dim(1); len(e.counts) != c {
			return nil, fmt.Errorf("--counts: %d classes for the %d of %s", len(e.counts), c, e.logits)
		}
		in.batch.counts = e.counts
	}
	if e.features == "" {
		if how.needs(phase.UsesFeatures) {
			return nil, usagef("--method %s: its loss looks at features: it wants --features, an .npy file", how.method)
		}
		return in, nil
	}
	if in.batch.features, err = readFeatures(e.features, n, e.logits); err != nil {
		return nil, err
	}
	in.features = phase.Rows(in.batch.features)
	return in, nil
}
