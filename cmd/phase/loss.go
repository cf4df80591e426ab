package main

import (
	"fmt"
	"math"
	"slices"

	"phase/autograd"
	"phase/phase"
	"phase/phase/kind"
	"phase/tensor"
	"phase/tensor/npy"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// ofCosines is a loss of cosines as a function of them: its logits are their
// multiples.
type ofCosines struct {
	phase.Loss
	scale float64
}

func (l ofCosines) Each(b phase.Batch) *autograd.Var {
	b.Logits = autograd.Scale(b.Logits, l.scale)
	return l.Loss.Each(b)
}

// lossResult is what phase loss prints as JSON.
type lossResult struct {
	Schema    int       `json:"schema"`
	Kind      string    `json:"kind"`
	Reduction string    `json:"reduction"`
	Samples   int       `json:"samples"`
	Classes   int       `json:"classes"`
	Loss      *float64  `json:"loss"`       // null for the reduction none
	PerSample []float64 `json:"per_sample"` // weighted, not reduced
	Grad      string    `json:"grad,omitempty"`
}

// outputSchema is the version of the JSON objects that the oracle commands
// print.
const outputSchema = 1

// lossFlags are the flags of phase loss.
type lossFlags struct {
	kinds                           *kindFlags[phase.Loss]
	reduction                       string
	logits, labels, weights, hidden string
	counts                          []int
	grad                            string
}

func (p *program) lossCommand() *cobra.Command {
	var l lossFlags
	cmd := &cobra.Command{
		Use: "loss --kind K --logits Z.npy --labels Y.npy [flags]", Short: "a loss and its gradient on anyone's numbers",
		Long: `loss computes a loss and its gradient in float64, for checking another
implementation against: Z is (n, classes) in float32 or float64, Y (n) in any integer
type, both little-endian NPY. per_sample is each row's loss times its weight; loss is
what the reduction makes of them. --grad writes the gradient of loss by Z, for the
reduction none that of the sum. Losses that go by the images of each class want
--counts, those that look at features --hidden. Z of ldam are cosines, which it
multiplies by --scale.`,
		Example: "  phase loss --kind daw --logits z.npy --labels y.npy --grad g.npy --json\n  phase loss --kind vs --counts 100,50,10,5 --logits z.npy --labels y.npy --json",
		Args:    noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			k, err := l.chosen(cmd.Flags())
			if err != nil {
				return err
			}
			if !p.quiet {
				p.warn(k.Of, cmd.Flags())
			}
			b, err := l.batch()
			if err != nil {
				return err
			}
			if c, ok := k.Of.(phase.CosineUser); ok {
				k.Of = ofCosines{k.Of, c.CosineScale()}
			}
			r, g, err := b.loss(k.Of, phase.Reduction(l.reduction))
			if err != nil {
				return err
			}
			r.Kind = k.Name
			if l.grad != "" {
				if err := npy.WriteFile(l.grad, g); err != nil {
					return err
				}
				r.Grad = l.grad
			}
			return p.printLoss(r, b)
		},
	}
	f := cmd.Flags()
	addTo(f, "Data", func() {
		f.StringVar(&l.logits, "logits", "", "NPY file of logits (n, classes)")
		f.StringVar(&l.labels, "labels", "", "NPY file of labels (n)")
		f.StringVar(&l.weights, "weights", "", "NPY file of sample weights (n); all 1 without")
		f.IntSliceVar(&l.counts, "counts", nil, "images of each class: 100,50,10,5")
		f.StringVar(&l.hidden, "hidden", "", "NPY file of features (n, d), what the classifier saw")
		f.StringVar(&l.grad, "grad", "", "NPY file to write the gradient (n, classes) to, float64")
	})
	addTo(f, "Loss", func() {
		l.kinds = addKinds(f, phase.Losses)
		f.StringVar(&l.reduction, "reduction", string(phase.WeightedMean), "weighted-mean (over the sum of weights), mean, sum or none")
	})
	return cmd
}

// chosen is the loss that the flags choose, if they are a call that makes sense.
func (l *lossFlags) chosen(fs *pflag.FlagSet) (kind.Kind[phase.Loss], error) {
	k, err := l.kinds.chosen()
	if err != nil {
		return k, err
	}
	if !slices.Contains(phase.Reductions(), phase.Reduction(l.reduction)) {
		return k, usagef("--reduction %q: want %s", l.reduction, names(phase.Reductions(), func(r phase.Reduction) string { return string(r) }))
	}
	for _, f := range []struct {
		flag, why string
		used      bool
	}{
		{"counts", "goes by the images of each class: it wants --counts, as 100,50,10,5", phase.UsesCounts(k.Of)},
		{"hidden", "looks at features: it wants --hidden, an .npy file", phase.UsesFeatures(k.Of)},
	} {
		switch given := fs.Changed(f.flag); {
		case given && !f.used:
			return k, usagef("--%s has no meaning for --kind %s", f.flag, k.Name)
		case f.used && !given:
			return k, usagef("--kind %s %s", k.Name, f.why)
		}
	}
	if phase.UsesCounts(k.Of) {
		if err := checkCounts(l.counts); err != nil {
			return k, err
		}
	}
	for _, f := range []struct{ flag, v string }{{"logits", l.logits}, {"labels", l.labels}} {
		if f.v == "" {
			return k, usagef("--%s is missing: want an .npy file", f.flag)
		}
	}
	return k, nil
}

// batch reads the files.
func (l *lossFlags) batch() (b batch, err error) {
	if b, err = readBatch(l.logits, l.labels, l.weights); err != nil {
		return b, err
	}
	if c := b.logits.Dim(1); l.counts != nil && len(l.counts) != c {
		return b, fmt.Errorf("--counts: %d classes for the %d of %s", len(l.counts), c, l.logits)
	}
	b.counts = l.counts
	if l.hidden != "" {
		b.features, err = readFeatures(l.hidden, b.labels.Size(), l.logits)
	}
	return b, err
}

// warn says which of the flags given have no effect.
func (p *program) warn(l phase.Loss, fs *pflag.FlagSet) {
	a, ok := l.(phase.Asymmetric)
	switch eq1 := a.Form == "eq1"; {
	case !ok:
	case eq1 && fs.Changed("smooth") && a.Smooth != 0:
		fmt.Fprintln(p.err, "note: form eq1 has no smoothing, --smooth does nothing in it")
	case !eq1 && a.Smooth == 0 && fs.Changed("gamma-neg") && a.GammaNeg != 0:
		fmt.Fprintln(p.err, "note: --gamma-neg acts through smoothing only, and --smooth is 0")
	}
}

// A batch is logits with labels and weights, all finite and in range.
type batch struct {
	logits   *tensor.Tensor // F64 (n,c)
	labels   *tensor.Tensor // I64 (n)
	weights  *tensor.Tensor // F64 (n)
	features *tensor.Tensor // F64 (n,d), for losses that look at them
	counts   []int          // images of each class, for losses that go by them
}

// as is the batch as a loss takes it.
func (b batch) as(logits *autograd.Var) phase.Batch {
	p := phase.Batch{Logits: logits, Labels: b.labels, Weights: b.weights, Counts: b.counts}
	if b.features != nil {
		p.Features = autograd.Const(b.features)
	}
	return p
}

// readBatch reads a batch from NPY files; without a file of weights, all are 1.
func readBatch(logits, labels, weights string) (b batch, err error) {
	if b.logits, err = readFloats(logits, "logits", 2); err != nil {
		return b, err
	}
	n, c := b.logits.Dim(0), b.logits.Dim(1)
	if n == 0 || c == 0 {
		return b, fmt.Errorf("%s: logits of shape %v, want at least 1 row and 1 class", logits, b.logits.Shape())
	}
	if b.labels, err = readLabels(labels, c); err != nil {
		return b, err
	}
	if m := b.labels.Size(); m != n {
		return b, fmt.Errorf("%s: %d labels for the %d rows of %s", labels, m, n, logits)
	}
	b.weights = ones(n)
	if weights == "" {
		return b, nil
	}
	if b.weights, err = readFloats(weights, "weights", 1); err != nil {
		return b, err
	}
	if m := b.weights.Size(); m != n {
		return b, fmt.Errorf("%s: %d weights for the %d rows of %s", weights, m, n, logits)
	}
	for i, w := range tensor.Data[float64](b.weights) {
		if w < 0 {
			return b, fmt.Errorf("%s: weight %d is %g, want at least 0", weights, i, w)
		}
	}
	return b, nil
}

// readFloats reads an array of finite floats of the given rank, as float64.
func readFloats(path, what string, rank int) (*tensor.Tensor, error) {
	t, err := readFinite(path, what, rank)
	if err != nil {
		return nil, err
	}
	return tensor.Of(tensor.Values(t), t.Shape()...), nil
}

// readFinite reads an array of finite floats of the given rank, of either type.
func readFinite(path, what string, rank int) (*tensor.Tensor, error) {
	t, err := npy.ReadFile(path)
	if err != nil {
		return nil, err
	}
	if t.DType() == tensor.I64 {
		return nil, fmt.Errorf("%s: %s are integers, want float32 or float64", path, what)
	}
	if t.Dims() != rank {
		return nil, fmt.Errorf("%s: %s of shape %v, want %d axes", path, what, t.Shape(), rank)
	}
	for i, x := range tensor.Values(t) {
		if !math.IsNaN(x) && !math.IsInf(x, 0) {
			continue
		}
		if rank == 1 {
			return nil, fmt.Errorf("%s: %s: element %d is %v, want finite numbers", path, what, i, x)
		}
		return nil, fmt.Errorf("%s: %s: row %d, column %d is %v, want finite numbers", path, what, i/t.Dim(1), i%t.Dim(1), x)
	}
	return t, nil
}

// readFeatures reads the features (n,d) of the n samples of another file.
func readFeatures(path string, n int, of string) (*tensor.Tensor, error) {
	f, err := readFloats(path, "features", 2)
	switch {
	case err != nil:
		return nil, err
	case f.Dim(0) != n:
		return nil, fmt.Errorf("%s: %d rows of features for the %d of %s", path, f.Dim(0), n, of)
	case f.Dim(1) == 0:
		return nil, fmt.Errorf("%s: features of length 0, want at least 1", path)
	}
	return f, nil
}

// readLabels reads labels; they must be below classes unless that is 0.
func readLabels(path string, classes int) (*tensor.Tensor, error) {
	t, err := npy.ReadFile(path)
	if err != nil {
		return nil, err
	}
	if t.DType() != tensor.I64 {
		return nil, fmt.Errorf("%s: labels are %v, want integers", path, t.DType())
	}
	if t.Dims() != 1 {
		return nil, fmt.Errorf("%s: labels of shape %v, want 1 axis", path, t.Shape())
	}
	for i, y := range tensor.Data[int64](t) {
		switch {
		case classes > 0 && (y < 0 || y >= int64(classes)):
			return nil, fmt.Errorf("%s: label %d is %d, want 0 to %d", path, i, y, classes-1)
		case y < 0:
			return nil, fmt.Errorf("%s: label %d is %d, want at least 0", path, i, y)
		}
	}
	return t, nil
}

// loss is the loss of the batch and its gradient by the logits (n,c).
func (b batch) loss(l phase.Loss, r phase.Reduction) (lossResult, *tensor.Tensor, error) {
	res := lossResult{Schema: outputSchema, Reduction: string(r), Samples: b.logits.Dim(0), Classes: b.logits.Dim(1)}
	if _, err := r.Scale(tensor.Data[float64](b.weights)); err != nil {
		return res, nil, err
	}
	var tape autograd.Tape
	z := tape.Watch(b.logits).Want()
	each := l.Each(b.as(z))
	res.PerSample = tensor.Values(each.Value)
	for i, v := range res.PerSample {
		if math.IsNaN(v) || math.IsInf(v, 0) {
			return res, nil, fmt.Errorf("the loss of row %d is %v: its logits and weight are too large for float64", i, v)
		}
	}
	total := reduce(each, tensor.Data[float64](b.weights), r)
	if r == phase.None {
		total = autograd.Sum(total)
	} else {
		v := total.Item()
		if math.IsInf(v, 0) {
			return res, nil, fmt.Errorf("the losses add up to %v: too large for float64", v)
		}
		res.Loss = &v
	}
	tape.Backward(total)
	g := z.Grad
	for i, v := range tensor.Values(g) {
		if math.IsNaN(v) || math.IsInf(v, 0) {
			return res, nil, fmt.Errorf("the gradient of row %d, column %d is %v: its logits and weight are too large for float64", i/res.Classes, i%res.Classes, v)
		}
	}
	return res, g, nil
}

// printLoss prints the result, as a table of the first rows if not as JSON.
func (p *program) printLoss(r lossResult, b batch) error {
	if p.json {
		return p.printJSON(r)
	}
	if !p.quiet {
		const most = 20
		fmt.Fprintf(p.out, "%6s  %6s  %12s  %16s\n", "row", "label", "weight", "weight x loss")
		y, w := tensor.Data[int64](b.labels), tensor.Data[float64](b.weights)
		for i, v := range r.PerSample[:min(most, len(r.PerSample))] {
			fmt.Fprintf(p.out, "%6d  %6d  %12.6g  %16.10g\n", i, y[i], w[i], v)
		}
		if left := len(r.PerSample) - most; left > 0 {
			fmt.Fprintf(p.out, "... and %d more: --json lists all\n", left)
		}
		fmt.Fprintln(p.out)
	}
	if r.Loss != nil {
		fmt.Fprintf(p.out, "%s, %s over %d samples of %d classes: %.10g\n", r.Kind, r.Reduction, r.Samples, r.Classes, *r.Loss)
	}
	if r.Grad != "" && !p.quiet {
		fmt.Fprintf(p.out, "gradient in %s\n", r.Grad)
	}
	return nil
}
