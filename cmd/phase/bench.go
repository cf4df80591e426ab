package main

import (
	"slices"
	"strings"

	"github.com/spf13/cobra"
)

// benchOptions are the flags of bench.
type benchOptions struct {
	model                              string
	width, batch, size, classes, times int
	sam                                float64
}

// A benchmark is one subject of bench.
type benchmark struct {
	name, about string
	run         func(b *bench) error
}

func benchmarks() []benchmark {
	return []benchmark{
		{"train", "one step as training takes it (forward, cross-entropy, backward, SGD with momentum and weight decay, or SAM) on fixed random images", func(b *bench) error { return b.step(true) }},
		{"infer", "the forward pass in evaluation mode", func(b *bench) error { return b.step(false) }},
		{"step-profile", "a training step by op, direction and shape", (*bench).profile},
		{"conv", "the convolutions of ResNet-32", (*bench).conv},
		{"gemm", "square matrix products", (*bench).gemm},
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
		Use: "bench " + strings.Join(names, "|"), Short: "measure speed: training steps, inference, convolutions, matrix products",
		Long: `bench measures on this machine, after warming up, and prints the median and the
spread, beside what the machine itself could do: the peak of its vector units, by
a loop of multiply-adds on registers, and what its memory gives when it is only
read. ` + strings.Join(about, "; ") + `. Multiplications and additions are counted as the definition has them:
a convolution by Winograd, which has fewer, may pass the peak. With --verbose, train and infer
say what each layer took and by which kernels.`,
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
		RunE: func(cmd *cobra.Command, args []string) error {
			for _, b := range []struct {
				name string
				v    int
			}{{"batch", o.batch}, {"size", o.size}, {"classes", o.classes}, {"times", o.times}} {
				if b.v < 1 || b.v > 1<<16 {
					return usagef("--%s %d: want 1 to %d", b.name, b.v, 1<<16)
				}
			}
			if !(o.sam >= 0 && o.sam < 1e6) {
				return usagef("--sam %v: want 0 to 1e6", o.sam)
			}
			chosen := slices.IndexFunc(benchmarks(), func(b benchmark) bool { return b.name == args[0] })
			return benchmarks()[chosen].run(&bench{program: p, benchOptions: o, ctx: cmd.Context()})
		},
	}
	f := cmd.Flags()
	f.StringVar(&o.model, "model", "resnet32", "model to measure")
	f.IntVar(&o.width, "width", 0, "its width; 0 is the model's usual")
	f.IntVar(&o.batch, "batch", 128, "images in a batch")
	f.IntVar(&o.size, "size", 32, "height and width of the images")
	f.IntVar(&o.classes, "classes", 100, "classes")
	f.Float64Var(&o.sam, "sam", 0, "radius of sharpness-aware minimisation; 0 leaves it out")
	f.IntVar(&o.times, "times", 7, "measurements, after two to warm up")
	return cmd
}
