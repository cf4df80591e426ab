package main

import (
	"fmt"
	"math"
	"slices"
	"strconv"

	"phase/phase"
	"phase/phase/kind"
	"phase/phase/longtail"
	"phase/tensor"
	"phase/tensor/npy"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// A figure is a number that JSON has no word for if it is not finite: null.
type figure float64

// MarshalJSON writes the number, or null.
func (f figure) MarshalJSON() ([]byte, error) {
	if v := float64(f); math.IsNaN(v) || math.IsInf(v, 0) {
		return []byte("null"), nil
	}
	return strconv.AppendFloat(nil, float64(f), 'g', -1, 64), nil
}

func figuresOf(v []float64) []figure {
	if v == nil {
		return nil
	}
	f := make([]figure, len(v))
	for i, x := range v {
		f[i] = figure(x)
	}
	return f
}

// weightResult is what phase weights prints as JSON. Slices by class have one
// entry a class, slices by sample one a label; what a kind has not is null.
type weightResult struct {
	Schema      int      `json:"schema"`
	Kind        string   `json:"kind"`
	Counts      []int    `json:"counts"`
	Class       []figure `json:"class"` // for msr the mean over the class
	Sample      []figure `json:"sample"`
	Global      []figure `json:"global"`       // w^n of each class (Eq 9)
	Local       []figure `json:"local"`        // w^e of each sample (Eq 12)
	Areas       []figure `json:"areas"`        // effective area of each class
	Means       []figure `json:"means"`        // m_i of each sample
	NonPositive int      `json:"non_positive"` // how many m_i are not positive
	Out         string   `json:"out,omitempty"`
}

// weigh is what a weighting makes of samples.
func weigh(w kind.Kind[phase.Weighting], s phase.Samples) (weightResult, error) {
	r, err := w.Of.Weigh(s)
	return weightResult{
		Schema: outputSchema, Kind: w.Name, Counts: s.Counts,
		Class: figuresOf(r.Class), Sample: figuresOf(r.Sample), Global: figuresOf(r.Global), Local: figuresOf(r.Local),
		Areas: figuresOf(r.Areas), Means: figuresOf(r.Means), NonPositive: r.NonPositive,
	}, err
}

// weightFlags are the flags of phase weights.
type weightFlags struct {
	kinds                 *kindFlags[phase.Weighting]
	counts                []int
	classes               int
	labels, features, out string
	force                 bool
}

func (p *program) weightsCommand() *cobra.Command {
	var w weightFlags
	cmd := &cobra.Command{
		Use: "weights --kind K [flags]", Short: "class and sample weights on anyone's labels and features",
		Long: `weights computes what classes and samples weigh, in float64: inverse frequency,
effective numbers, adrw ((N_j/N)^-gamma), AREA's class weights and MSR's sample weights.
Class weights add up to the number of classes. area and msr look at features F (n, d)
and want labels; a file of features larger than 256 MiB is read in place, row by row,
never whole. --out writes the sample weights, or with --counts the class weights.`,
		Example: "  phase weights --kind effective --counts 100,50,10,5\n  phase weights --kind msr --labels y.npy --features f.npy --out w.npy --json",
		Args:    noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			k, err := w.chosen(cmd.Flags())
			if err != nil {
				return err
			}
			s := phase.Samples{Counts: w.counts}
			if w.labels != "" {
				if s.Counts, s.Labels, err = readCounts(w.labels, w.classes); err != nil {
					return err
				}
			}
			if w.features != "" {
				f, done, err := openFeatures(w.features, inMemory)
				if err != nil {
					return err
				}
				defer done()
				if f.Len() != len(s.Labels) {
					return fmt.Errorf("%s: %d rows of features for the %d labels of %s", w.features, f.Len(), len(s.Labels), w.labels)
				}
				s.Features = f
			}
			r, err := weigh(k, s)
			if err != nil {
				return err
			}
			if r.NonPositive > 0 && w.force && !p.quiet {
				fmt.Fprintf(p.err, "note: %d of %d weights of Eq 12 are negative or infinite\n", r.NonPositive, len(s.Labels))
			}
			if w.out != "" {
				if err := writeWeights(w.out, r); err != nil {
					return err
				}
				r.Out = w.out
			}
			return p.printWeights(r)
		},
	}
	f := cmd.Flags()
	addTo(f, "Data", func() {
		f.IntSliceVar(&w.counts, "counts", nil, "images of each class: 100,50,10,5")
		f.StringVar(&w.labels, "labels", "", "NPY file of labels (n), instead of --counts")
		f.IntVar(&w.classes, "classes", 0, "classes of --labels; 0 is one more than the largest label")
		f.StringVar(&w.features, "features", "", "NPY file of features (n, d): "+names(featureKinds(), func(s string) string { return s }))
		f.StringVar(&w.out, "out", "", "NPY file to write the weights to, float64")
	})
	addTo(f, "Weights", func() {
		w.kinds = addKinds(f, phase.Weightings)
		f.BoolVar(&w.force, "force", false, "give literal's weights even where they are negative or infinite: msr")
	})
	return cmd
}

// featureKinds names the weightings that look at features.
func featureKinds() (kinds []string) {
	for _, k := range phase.Weightings.All() {
		if phase.UsesFeatures(k.Of) {
			kinds = append(kinds, k.Name)
		}
	}
	return kinds
}

// chosen is the weighting that the flags choose, if they are a call that makes
// sense.
func (w *weightFlags) chosen(fs *pflag.FlagSet) (kind.Kind[phase.Weighting], error) {
	k, err := w.kinds.chosen()
	if err != nil {
		return k, err
	}
	switch needs := phase.UsesFeatures(k.Of); {
	case fs.Changed("counts") && fs.Changed("labels"):
		return k, usagef("--counts and --labels both say how many images the classes have: choose one")
	case !fs.Changed("counts") && w.labels == "":
		return k, usagef("--counts or --labels is missing")
	case fs.Changed("classes") && w.labels == "":
		return k, usagef("--classes goes with --labels")
	case w.classes < 0 || w.classes > maxClasses:
		return k, usagef("--classes %d: want 0 to %d", w.classes, maxClasses)
	case needs && (w.labels == "" || w.features == ""):
		return k, usagef("--kind %s looks at features: it wants --labels and --features", k.Name)
	case !needs && w.features != "":
		return k, usagef("--features has no meaning for --kind %s", k.Name)
	}
	if w.labels == "" {
		if err := checkCounts(w.counts); err != nil {
			return k, err
		}
	}
	m, msr := k.Of.(phase.MSR)
	if w.force && !msr {
		return k, usagef("--force has no meaning for --kind %s", k.Name)
	}
	trial := k.Of // on one sample, which finds out what is wrong with the setting itself
	if msr {
		m.Force = w.force
		k.Of = m
		m.Force = w.force || m.Local == phase.Literal
		trial = m
	}
	if _, err := trial.Weigh(phase.Samples{Counts: []int{1}, Labels: []int{0}, Features: phase.Rows(tensor.Of([]float64{1}, 1, 1))}); err != nil {
		return k, usageError{err}
	}
	return k, nil
}

// inMemory is up to how many bytes a file of features is read whole, so that
// several passes over it read it once. A larger one is read in place by each.
const inMemory = 1 << 28

// openFeatures is the features in an NPY file, which done closes.
func openFeatures(path string, most int64) (f phase.Features, done func() error, err error) {
	file, err := npy.Open(path)
	if err != nil {
		return nil, nil, err
	}
	shape := file.Shape()
	if len(shape) == 2 && file.DType() != tensor.I64 && file.RowMajor() && int64(shape.Size())*int64(file.DType().Size()) > most {
		return file, file.Close, nil
	}
	file.Close()
	t, err := readFinite(path, "features", 2) // as it is: the arithmetic is float64's of either type, and faster of float32
	if err != nil {
		return nil, nil, err
	}
	return phase.Rows(t), func() error { return nil }, nil
}

func checkCounts(counts []int) error {
	if len(counts) == 0 {
		return usagef("--counts is empty: want the images of each class, as 100,50,10,5")
	}
	for j, n := range counts {
		if n < 1 {
			return usagef("--counts: class %d has %d images, want at least 1", j, n)
		}
	}
	return nil
}

// maxClasses bounds what a label may claim about the number of classes.
const maxClasses = 1 << 20

// readCounts reads labels and counts them; classes is how many there are, or 0.
func readCounts(path string, classes int) (counts, labels []int, err error) {
	t, err := readLabels(path, classes)
	if err != nil {
		return nil, nil, err
	}
	if t.Size() == 0 {
		return nil, nil, fmt.Errorf("%s: no labels, want at least 1", path)
	}
	labels = make([]int, t.Size())
	for i, y := range tensor.Data[int64](t) {
		if y >= maxClasses {
			return nil, nil, fmt.Errorf("%s: label %d is %d, want below %d", path, i, y, maxClasses)
		}
		labels[i] = int(y)
	}
	if classes == 0 {
		classes = slices.Max(labels) + 1
	}
	counts, err = longtail.LabelCounts(labels, classes)
	if err != nil {
		return nil, nil, fmt.Errorf("%s: %w", path, err)
	}
	for j, n := range counts {
		if n == 0 {
			return nil, nil, fmt.Errorf("%s: class %d of %d has no labels, want at least 1", path, j, classes)
		}
	}
	return counts, labels, nil
}

// writeWeights writes the sample weights, or those of the classes.
func writeWeights(path string, r weightResult) error {
	from := r.Sample
	if from == nil {
		from = r.Class
	}
	v := make([]float64, len(from))
	for i, x := range from {
		v[i] = float64(x)
	}
	return npy.WriteFile(path, tensor.Of(v, len(v)))
}

func (p *program) printWeights(r weightResult) error {
	if p.json {
		return p.printJSON(r)
	}
	const most = 40
	fmt.Fprintf(p.out, "%6s  %8s  %12s", "class", "count", "weight")
	if r.Global != nil {
		fmt.Fprintf(p.out, "  %12s", "global")
	}
	if r.Areas != nil {
		fmt.Fprintf(p.out, "  %12s", "area")
	}
	fmt.Fprintln(p.out)
	for j, n := range r.Counts[:min(most, len(r.Counts))] {
		fmt.Fprintf(p.out, "%6d  %8d  %12.6g", j, n, r.Class[j])
		if r.Global != nil {
			fmt.Fprintf(p.out, "  %12.6g", r.Global[j])
		}
		if r.Areas != nil {
			fmt.Fprintf(p.out, "  %12.6g", r.Areas[j])
		}
		fmt.Fprintln(p.out)
	}
	if left := len(r.Counts) - most; left > 0 {
		fmt.Fprintf(p.out, "... and %d more: --json lists all\n", left)
	}
	if r.Sample != nil && !p.quiet {
		fmt.Fprintf(p.out, "\n%d samples weigh %.6g to %.6g\n", len(r.Sample), slices.Min(r.Sample), slices.Max(r.Sample))
	}
	if r.Out != "" && !p.quiet {
		fmt.Fprintf(p.out, "weights in %s\n", r.Out)
	}
	return nil
}
