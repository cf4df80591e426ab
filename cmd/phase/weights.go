package main

import (
	"fmt"
	"math"
	"slices"
	"strconv"

	"phase/phase"
	"phase/phase/longtail"
	"phase/tensor"
	"phase/tensor/npy"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// weightKinds lists the weightings and the settings that mean something to
// each; featureKinds those that look at features.
var (
	weightKinds = []string{"inverse", "effective", "adrw", "area", "msr"}
	weightFlags = map[string][]string{
		"inverse": nil, "effective": {"beta"}, "adrw": {"gamma"}, "area": {"block", "seed"},
		"msr": {"gamma", "alpha", "local", "block", "seed", "local-clip", "force"},
	}
	featureKinds = []string{"area", "msr"}
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

func figures(v []float64) []figure {
	if v == nil {
		return nil
	}
	f := make([]figure, len(v))
	for i, x := range v {
		f[i] = figure(x)
	}
	return f
}

// weightSetting is everything that weights are computed by besides the data.
type weightSetting struct {
	kind string
	beta float64
	msr  phase.MSR
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

// compute is the weights; labels and f are nil where only counts are known.
func (s weightSetting) compute(counts, labels []int, f phase.Features) (r weightResult, err error) {
	r = weightResult{Schema: outputSchema, Kind: s.kind, Counts: counts}
	var class, areas []float64
	switch s.kind {
	case "inverse":
		class, err = phase.Inverse(counts)
	case "effective":
		class, err = phase.Effective(counts, s.beta)
	case "adrw":
		class, err = phase.ADRW(counts, s.msr.Gamma)
	case "area":
		class, areas, err = phase.AREA{Block: s.msr.Block, Seed: s.msr.Seed}.Weights(f, labels, len(counts))
		r.Areas = figures(areas)
	case "msr":
		m, err := s.msr.Weights(f, labels, len(counts))
		if err != nil {
			return r, err
		}
		r.Class, r.Sample, r.Global, r.Local = figures(m.Class), figures(m.Sample), figures(m.Global), figures(m.Local)
		r.Areas, r.Means, r.NonPositive = figures(m.Areas), figures(m.Means), m.NonPositive
		return r, nil
	}
	if err != nil {
		return r, err
	}
	r.Class = figures(class)
	for _, y := range labels {
		r.Sample = append(r.Sample, figure(class[y]))
	}
	return r, nil
}

// check says what is wrong with the setting itself, whatever the data: one
// sample is enough to find out.
func (s weightSetting) check() error {
	s.msr.Force = s.msr.Force || s.msr.Local == phase.Literal
	_, err := s.compute([]int{1}, []int{0}, phase.Rows(tensor.Of([]float64{1}, 1, 1)))
	return err
}

func (p *program) weightsCommand() *cobra.Command {
	s := weightSetting{msr: phase.DefaultMSR()}
	var counts []int
	var labels, features, local, out string
	var classes int
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
			s.msr.Local = phase.Local(local)
			if err := s.usage(cmd, labels, features); err != nil {
				return err
			}
			var y []int
			var f phase.Features
			var err error
			if labels != "" {
				if counts, y, err = readCounts(labels, classes); err != nil {
					return err
				}
			} else if err := checkCounts(counts); err != nil {
				return err
			}
			if features != "" {
				var done func() error
				if f, done, err = openFeatures(features, inMemory); err != nil {
					return err
				}
				defer done()
				if f.Len() != len(y) {
					return fmt.Errorf("%s: %d rows of features for the %d labels of %s", features, f.Len(), len(y), labels)
				}
			}
			r, err := s.compute(counts, y, f)
			if err != nil {
				return err
			}
			if r.NonPositive > 0 && s.msr.Force && !p.quiet {
				fmt.Fprintf(p.err, "note: %d of %d weights of Eq 12 are negative or infinite\n", r.NonPositive, len(y))
			}
			if out != "" {
				if err := writeWeights(out, r); err != nil {
					return err
				}
				r.Out = out
			}
			return p.printWeights(r)
		},
	}
	addTo(cmd.Flags(), "Data", func() {
		f := cmd.Flags()
		f.IntSliceVar(&counts, "counts", nil, "images of each class: 100,50,10,5")
		f.StringVar(&labels, "labels", "", "NPY file of labels (n), instead of --counts")
		f.IntVar(&classes, "classes", 0, "classes of --labels; 0 is one more than the largest label")
		f.StringVar(&features, "features", "", "NPY file of features (n, d): area, msr")
		f.StringVar(&out, "out", "", "NPY file to write the weights to, float64")
	})
	addTo(cmd.Flags(), "Weights", func() {
		f := cmd.Flags()
		f.StringVar(&s.kind, "kind", "", names(weightKinds, func(k string) string { return k }))
		f.Float64Var(&s.beta, "beta", .9999, "effective: 0 to 1")
		f.Float64Var(&s.msr.Gamma, "gamma", s.msr.Gamma, "adrw, msr: exponent of the global weight (Eq 8)")
		f.Float64Var(&s.msr.Alpha, "alpha", s.msr.Alpha, "msr: share of the global weight (Eq 13), 0 to 1")
		f.StringVar(&local, "local", string(phase.AreaShift), "msr: reading of the local weight: "+names(phase.Locals(), func(l phase.Local) string { return string(l) }))
		f.IntVar(&s.msr.Block, "block", 128, "area, msr: samples in a block of the effective area")
		f.Uint32Var(&s.msr.Seed, "seed", 0, "area, msr: of the order in which blocks are cut")
		f.Float64Var(&s.msr.Clip, "local-clip", 0, "msr: keeps area-shift's sample factors within 1/clip to clip; 0 does not")
		f.BoolVar(&s.msr.Force, "force", false, "msr: give literal's weights even where they are negative or infinite")
	})
	markPerKind(cmd.Flags(), "beta", "gamma", "alpha", "local", "block", "seed", "local-clip", "force")
	return cmd
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
	t, err := readFloats(path, "features", 2)
	if err != nil {
		return nil, nil, err
	}
	return phase.Rows(t), func() error { return nil }, nil
}

// usage says what is wrong with the call.
func (s weightSetting) usage(cmd *cobra.Command, labels, features string) error {
	want := "want " + names(weightKinds, func(k string) string { return k })
	fs := cmd.Flags()
	switch {
	case s.kind == "":
		return usagef("--kind is missing: %s", want)
	case !slices.Contains(weightKinds, s.kind):
		return usagef("--kind %q: %s%s", s.kind, want, didYouMean(s.kind, weightKinds))
	case fs.Changed("counts") && fs.Changed("labels"):
		return usagef("--counts and --labels both say how many images the classes have: choose one")
	case !fs.Changed("counts") && labels == "":
		return usagef("--counts or --labels is missing")
	case fs.Changed("classes") && labels == "":
		return usagef("--classes goes with --labels")
	}
	if n, _ := fs.GetInt("classes"); n < 0 || n > maxClasses {
		return usagef("--classes %d: want 0 to %d", n, maxClasses)
	}
	switch needs := slices.Contains(featureKinds, s.kind); {
	case needs && (labels == "" || features == ""):
		return usagef("--kind %s looks at features: it wants --labels and --features", s.kind)
	case !needs && features != "":
		return usagef("--features has no meaning for --kind %s", s.kind)
	}
	if err := meaningless(fs, s.kind, weightFlags[s.kind]); err != nil {
		return err
	}
	if n := s.msr.Block; n < 1 {
		return usagef("--block %d: want at least 1", n)
	}
	if err := s.check(); err != nil {
		return usageError{err}
	}
	return nil
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

// meaningless says which setting was given that the kind does not have; flags
// are those that it has.
func meaningless(fs *pflag.FlagSet, kind string, flags []string) (err error) {
	fs.VisitAll(func(f *pflag.Flag) {
		if f.Changed && f.Annotations[perKind] != nil && !slices.Contains(flags, f.Name) && err == nil {
			err = usagef("--%s has no meaning for --kind %s", f.Name, kind)
		}
	})
	return err
}

// perKind is the annotation of flags that only some kinds know.
const perKind = "per kind"

// markPerKind says that these flags are known to some kinds only.
func markPerKind(fs *pflag.FlagSet, names ...string) {
	for _, name := range names {
		_ = fs.SetAnnotation(name, perKind, []string{""})
	}
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
