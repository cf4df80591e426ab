package main

import (
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// benchOptions are the flags of bench.
type benchOptions struct {
	model, precision, device           string
	width, batch, size, classes, times int
	sam                                float64
	axes                               []string
	features                           string
	samples, dim                       int

	changed func(flag string) bool // by the user
}

// A benchmark is one subject of bench. --times is a flag of all.
type benchmark struct {
	name, about string
	flags       []string
	run         func(b *bench) error
}

func benchmarks() []benchmark {
	model := []string{"model", "precision", "width", "batch", "size", "classes"}
	training := append([]string{"sam"}, model...)
	return []benchmark{
		{"train", "one step as training takes it (forward, cross-entropy, backward, SGD with momentum and weight decay, or SAM) on fixed random images", append([]string{"device"}, training...), func(b *bench) error { return b.step(true) }},
		{"infer", "the forward pass in evaluation mode", append([]string{"device"}, model...), func(b *bench) error { return b.step(false) }},
		{"step-profile", "where the time of a training step goes, by op, direction and shape", training, (*bench).profile},
		{"grow", "training steps as the batch, the width, the depth and the number of threads grow", append([]string{"axes"}, training...), (*bench).grow},
		{"conv", "the convolutions of ResNet-32, forward and both gradients", []string{"batch", "width"}, (*bench).conv},
		{"gemm", "square matrix products", nil, (*bench).gemm},
		{"loss", "the loss DAW with its gradient, beside copies of the logits", []string{"batch", "classes"}, (*bench).loss},
		{"msr", "MSR's weights of samples with features in a file, beside a plain sum of the same numbers, and beside the formula by pairs", []string{"features", "samples", "dim", "classes"}, (*bench).msr},
		{"load", "batches from memory, and from JPEG files in the first epoch and after it", []string{"batch", "samples"}, (*bench).load},
	}
}

func (p *program) benchCommand() *cobra.Command {
	var o benchOptions
	var names, about []string
	for _, b := range benchmarks() {
		names = append(names, b.name)
		about = append(about, b.name+": "+b.about)
	}
	cmd := &cobra.Command{
		Use: "bench SUBJECT", Short: "measure speed: training steps, inference, convolutions, losses, loading",
		Long: `bench measures on this machine, after warming up, and prints the median and the
spread, beside what the machine itself can do: the peak of its vector units, by
a loop of multiply-adds on registers, and what its memory gives when it is only
read. Multiplications and additions are counted as the definition has them: Winograd's
convolution, which does with fewer, may pass the peak. With --verbose, train and infer
say what each op took and by which kernels. Subjects are ` + strings.Join(about, "; ") + ".",
		Example: "  phase bench train --model resnet32 --batch 128 --json\n  phase bench step-profile --width 64 --batch 64",
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 1 || !slices.Contains(names, args[0]) {
				hint := ""
				if len(args) > 0 {
					hint = didYouMean(args[0], names)
				}
				return usagef("bench wants one of %s%s", strings.Join(names, ", "), hint)
			}
			return nil
		},
		ValidArgs: names,
		RunE: func(cmd *cobra.Command, args []string) error {
			chosen := benchmarks()[slices.Index(names, args[0])]
			o.changed = cmd.Flags().Changed
			if err := o.check(cmd, chosen); err != nil {
				return err
			}
			return chosen.run(&bench{program: p, benchOptions: o, ctx: cmd.Context()})
		},
	}
	f := cmd.Flags()
	f.IntVar(&o.times, "times", 7, "measurements, after two to warm up")
	f.StringVar(&o.model, "model", "resnet32", "model to measure")
	f.StringVar(&o.precision, "precision", "f32", "arithmetic and form of images between ops, as for train: f32, bf16, on a GPU also tf32")
	f.StringVar(&o.device, "device", "cpu", "where to compute, as for train: cpu, cuda or cuda:N")
	f.IntVar(&o.width, "width", 0, "its width, or that of the convolutions; 0 is the usual one")
	f.IntVar(&o.batch, "batch", 128, "images in a batch (grow: 32 where it does not grow)")
	f.IntVar(&o.size, "size", 32, "height and width of the images")
	f.IntVar(&o.classes, "classes", 100, "classes")
	f.Float64Var(&o.sam, "sam", 0, "radius of sharpness-aware minimisation; 0 leaves it out")
	f.StringSliceVar(&o.axes, "axes", axisNames(), "what grows: some of "+strings.Join(axisNames(), ", "))
	f.StringVar(&o.features, "features", "", "NPY file of float32 features (n, d) for msr; one is made where none is named")
	f.IntVar(&o.samples, "samples", 50000, "samples for msr to make; images for load (10000, and 2000 and 200 JPEG files)")
	f.IntVar(&o.dim, "dim", 64, "length of the features that msr makes")
	return cmd
}

// check refuses values out of their range, and flags that mean nothing to the
// subject.
func (o *benchOptions) check(cmd *cobra.Command, of benchmark) (err error) {
	for _, b := range []struct {
		name string
		v    int
		most int
	}{{"batch", o.batch, 1 << 16}, {"size", o.size, 1 << 16}, {"classes", o.classes, 1 << 16}, {"times", o.times, 1 << 16}, {"samples", o.samples, 1 << 24}, {"dim", o.dim, 1 << 16}} {
		if b.v < 1 || b.v > b.most {
			return usagef("--%s %d: want 1 to %d", b.name, b.v, b.most)
		}
	}
	if o.width < 0 || o.width > 1<<12 {
		return usagef("--width %d: want 1 to %d, or 0", o.width, 1<<12)
	}
	if !(o.sam >= 0 && o.sam < 1e6) {
		return usagef("--sam %v: want 0 to 1e6", o.sam)
	}
	cmd.LocalNonPersistentFlags().VisitAll(func(f *pflag.Flag) {
		if err == nil && f.Changed && f.Name != "times" && f.Name != "help" && !slices.Contains(of.flags, f.Name) {
			err = usagef("bench %s has no use for --%s", of.name, f.Name)
		}
	})
	return err
}
