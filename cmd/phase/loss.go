package main

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"phase/autograd"
	"phase/kernels"
	"phase/phase"
	"phase/tensor"
	"phase/tensor/npy"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// A lossKind is a loss of a row of logits by its name, with the settings that
// mean something to it.
type lossKind struct {
	name, about string
	flags       []string
}

// lossKinds lists the losses; the settings of each are those that phase.Loss
// has under its name.
var lossKinds = []lossKind{
	{"ce", "cross-entropy", nil},
	{"label-smoothing", "cross-entropy with smoothed labels", []string{"smooth"}},
	{"focal", "focal loss, its gamma is --gamma-pos", []string{"gamma-pos", "detach"}},
	{"daw", "difficulty-aware weighting, stage 1 of PHASE", []string{"gamma-pos", "gamma-neg", "smooth", "form", "detach"}},
}

// lossFlags are the flags that choose a loss.
type lossFlags struct {
	kind, form         string
	gammaPos, gammaNeg float64
	smooth             float64
	detach             bool
	reduction          string
}

func (l *lossFlags) add(fs *pflag.FlagSet) {
	addTo(fs, "Loss", func() {
		fs.StringVar(&l.kind, "kind", "", names(lossKinds, func(k lossKind) string { return k.name }))
		fs.Float64Var(&l.gammaPos, "gamma-pos", 1, "exponent of the true class: focal, daw")
		fs.Float64Var(&l.gammaNeg, "gamma-neg", 4, "exponent of the other classes: daw; acts through smoothing only, but in form eq1")
		fs.Float64Var(&l.smooth, "smooth", .1, "label smoothing, 0 to 1: label-smoothing, daw; form eq1 has none")
		fs.StringVar(&l.form, "form", "asl", "reading of daw's equations: asl, eq3 or eq1")
		fs.BoolVar(&l.detach, "detach", false, "no gradient through the modulation: focal, daw")
		fs.StringVar(&l.reduction, "reduction", string(phase.WeightedMean), "weighted-mean (over the sum of weights), mean, sum or none")
	})
	markPerKind(fs, "gamma-pos", "gamma-neg", "smooth", "form", "detach")
}

func names[T any](list []T, name func(T) string) string {
	var s []string
	for _, v := range list {
		s = append(s, name(v))
	}
	if len(s) < 2 {
		return strings.Join(s, "")
	}
	return strings.Join(s[:len(s)-1], ", ") + " or " + s[len(s)-1]
}

// setting is the loss that the flags choose; an error is wrong usage.
func (l *lossFlags) setting(fs *pflag.FlagSet) (kernels.SoftmaxLoss, error) {
	var none kernels.SoftmaxLoss
	var kinds []string
	for _, k := range lossKinds {
		kinds = append(kinds, k.name)
	}
	at := slices.IndexFunc(lossKinds, func(k lossKind) bool { return k.name == l.kind })
	if at < 0 {
		want := "want " + names(lossKinds, func(k lossKind) string { return k.name })
		if l.kind == "" {
			return none, usagef("--kind is missing: %s", want)
		}
		return none, usagef("--kind %q: %s%s", l.kind, want, didYouMean(l.kind, kinds))
	}
	k, err := phase.Losses.Find(l.kind)
	if err != nil {
		return none, usageError{err}
	}
	s := k.Of.(phase.Softmax).Softmax()
	if err := meaningless(fs, l.kind, lossKinds[at].flags); err != nil {
		return none, err
	}
	for _, n := range []struct {
		flag string
		v    float64
		to   *float64
	}{{"gamma-pos", l.gammaPos, &s.GammaPos}, {"gamma-neg", l.gammaNeg, &s.GammaNeg}, {"smooth", l.smooth, &s.Smooth}} {
		if fs.Changed(n.flag) {
			*n.to = n.v
		}
	}
	s.Detach = l.detach
	if s.Form, err = phase.Form(l.form); err != nil {
		return none, usageError{fmt.Errorf("--%w", err)}
	}
	switch {
	case !(s.GammaPos >= 0) || math.IsInf(s.GammaPos, 0):
		return none, usagef("--gamma-pos %g: want a finite number of at least 0", s.GammaPos)
	case !(s.GammaNeg >= 0) || math.IsInf(s.GammaNeg, 0):
		return none, usagef("--gamma-neg %g: want a finite number of at least 0", s.GammaNeg)
	case !(s.Smooth >= 0 && s.Smooth <= 1):
		return none, usagef("--smooth %g: want 0 to 1", s.Smooth)
	case !slices.Contains(phase.Reductions(), phase.Reduction(l.reduction)):
		return none, usagef("--reduction %q: want %s", l.reduction, names(phase.Reductions(), func(r phase.Reduction) string { return string(r) }))
	}
	return s, nil
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

func (p *program) lossCommand() *cobra.Command {
	var l lossFlags
	var logits, labels, weights, grad string
	cmd := &cobra.Command{
		Use: "loss --kind K --logits Z.npy --labels Y.npy [flags]", Short: "a loss and its gradient on anyone's numbers",
		Long: `loss computes a loss and its gradient in float64, for checking another
implementation against: Z is (n, classes) in float32 or float64, Y (n) in any integer
type, both little-endian NPY. per_sample is each row's loss times its weight; loss is
what the reduction makes of them. --grad writes the gradient of loss by Z, for the
reduction none that of the sum.`,
		Example: "  phase loss --kind daw --logits z.npy --labels y.npy --grad g.npy --json\n  phase loss --kind focal --gamma-pos 2 --logits z.npy --labels y.npy --json",
		Args:    noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			setting, err := l.setting(cmd.Flags())
			if err != nil {
				return err
			}
			for _, f := range []struct{ flag, v string }{{"logits", logits}, {"labels", labels}} {
				if f.v == "" {
					return usagef("--%s is missing: want an .npy file", f.flag)
				}
			}
			if !p.quiet {
				p.warn(setting, cmd.Flags())
			}
			b, err := readBatch(logits, labels, weights)
			if err != nil {
				return err
			}
			r, g, err := b.loss(setting, phase.Reduction(l.reduction))
			if err != nil {
				return err
			}
			r.Kind = l.kind
			if grad != "" {
				if err := npy.WriteFile(grad, g); err != nil {
					return err
				}
				r.Grad = grad
			}
			return p.printLoss(r, b)
		},
	}
	addTo(cmd.Flags(), "Files", func() {
		f := cmd.Flags()
		f.StringVar(&logits, "logits", "", "NPY file of logits (n, classes)")
		f.StringVar(&labels, "labels", "", "NPY file of labels (n)")
		f.StringVar(&weights, "weights", "", "NPY file of sample weights (n); all 1 without")
		f.StringVar(&grad, "grad", "", "NPY file to write the gradient (n, classes) to, float64")
	})
	l.add(cmd.Flags())
	return cmd
}

// warn says which of the flags given have no effect.
func (p *program) warn(l kernels.SoftmaxLoss, fs *pflag.FlagSet) {
	switch {
	case l.Form == kernels.Eq1 && fs.Changed("smooth") && l.Smooth != 0:
		fmt.Fprintln(p.err, "note: form eq1 has no smoothing, --smooth does nothing in it")
	case l.Form != kernels.Eq1 && l.Smooth == 0 && fs.Changed("gamma-neg") && l.GammaNeg != 0:
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
	v := tensor.Values(t)
	for i, x := range v {
		if !math.IsNaN(x) && !math.IsInf(x, 0) {
			continue
		}
		if rank == 1 {
			return nil, fmt.Errorf("%s: %s: element %d is %v, want finite numbers", path, what, i, x)
		}
		return nil, fmt.Errorf("%s: %s: row %d, column %d is %v, want finite numbers", path, what, i/t.Dim(1), i%t.Dim(1), x)
	}
	return tensor.Of(v, t.Shape()...), nil
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
func (b batch) loss(s kernels.SoftmaxLoss, r phase.Reduction) (lossResult, *tensor.Tensor, error) {
	res := lossResult{Schema: outputSchema, Reduction: string(r), Samples: b.logits.Dim(0), Classes: b.logits.Dim(1)}
	if _, err := r.Scale(tensor.Data[float64](b.weights)); err != nil {
		return res, nil, err
	}
	var tape autograd.Tape
	z := tape.Watch(b.logits).Want()
	each := autograd.SoftmaxLoss(z, b.labels, b.weights, s)
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
