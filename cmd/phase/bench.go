package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"runtime"
	"slices"
	"time"

	"phase/autograd"
	"phase/kernels"
	"phase/nn"
	"phase/optim"
	"phase/tensor"

	"github.com/spf13/cobra"
)

// A timing is how long one thing took, measured several times.
type timing struct {
	What     string  `json:"what"`
	MedianMS float64 `json:"median_ms"`
	MinMS    float64 `json:"min_ms"`
	MaxMS    float64 `json:"max_ms"`
	GFLOPS   float64 `json:"gflops,omitempty"` // of the median; a multiplication and an addition are two
}

// measure runs f a few times to warm up, then times it.
func measure(ctx context.Context, what string, warm, times int, f func()) (timing, error) {
	var ms []float64
	for i := range warm + times {
		if err := ctx.Err(); err != nil {
			return timing{}, err
		}
		t := time.Now()
		f()
		if i >= warm {
			ms = append(ms, float64(time.Since(t).Nanoseconds())/1e6)
		}
	}
	slices.Sort(ms)
	return timing{What: what, MedianMS: ms[len(ms)/2], MinMS: ms[0], MaxMS: ms[len(ms)-1]}, nil
}

// benchOptions are the flags of bench.
type benchOptions struct {
	model                              string
	width, batch, size, classes, times int
}

func (p *program) benchCommand() *cobra.Command {
	var o benchOptions
	cmd := &cobra.Command{
		Use: "bench train|infer|conv|gemm", Short: "measure speed: training steps, inference, convolutions, matrix products",
		Long: `bench measures on this machine, after warming up, and prints the median and the
spread. train is one step as training takes it (forward, cross-entropy, backward, SGD
with momentum and weight decay) on fixed random images; infer is the forward pass in
evaluation mode; conv the convolutions of ResNet-32; gemm square matrix products.`,
		Example: "  phase bench train --model resnet32 --batch 128 --json",
		Args: func(_ *cobra.Command, args []string) error {
			what := []string{"train", "infer", "conv", "gemm"}
			if len(args) != 1 || !slices.Contains(what, args[0]) {
				hint := ""
				if len(args) > 0 {
					hint = didYouMean(args[0], what)
				}
				return usagef("bench wants one of train, infer, conv, gemm%s", hint)
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
			switch args[0] {
			case "train", "infer":
				return p.benchModel(cmd.Context(), args[0] == "train", o)
			case "conv":
				return p.benchConv(cmd.Context(), o)
			}
			return p.benchGemm(cmd.Context(), o)
		},
	}
	f := cmd.Flags()
	f.StringVar(&o.model, "model", "resnet32", "model to measure")
	f.IntVar(&o.width, "width", 0, "its width; 0 is the model's usual")
	f.IntVar(&o.batch, "batch", 128, "images in a batch")
	f.IntVar(&o.size, "size", 32, "height and width of the images")
	f.IntVar(&o.classes, "classes", 100, "classes")
	f.IntVar(&o.times, "times", 7, "measurements, after two to warm up")
	return cmd
}

// normal draws a tensor of F32, channels-last if it has four axes.
func normal(r *rand.Rand, shape ...int) *tensor.Tensor {
	d := make([]float32, tensor.Shape(shape).Size())
	for i := range d {
		d[i] = float32(r.NormFloat64())
	}
	if len(shape) == 4 {
		return tensor.OfImages(d, shape[0], shape[1], shape[2], shape[3])
	}
	return tensor.Of(d, shape...)
}

func (p *program) benchModel(ctx context.Context, training bool, o benchOptions) error {
	m, err := nn.New(o.model, nn.Config{Width: o.width, Classes: o.classes, Channels: 3, Size: o.size, Seed: 1})
	if err != nil {
		return usagef("--model: %v", err)
	}
	r := rand.New(rand.NewPCG(1, 1))
	x, y, w := normal(r, o.batch, 3, o.size, o.size), make([]int64, o.batch), make([]float32, o.batch)
	for i := range y {
		y[i], w[i] = r.Int64N(int64(o.classes)), 1
	}
	labels, weights := tensor.Of(y, o.batch), tensor.Of(w, o.batch)
	tape := autograd.Tape{Eval: !training}
	opt := &optim.SGD{Params: optim.All(nn.Params(m)), Momentum: .9, Decay: 5e-4}
	step := func() {
		if !training {
			tape.Reset()
			m.Forward(&nn.Pass{}, tape.Watch(x))
			return
		}
		opt.Step(.1, func(int) float64 {
			tape.Reset()
			l := autograd.Mean(autograd.SoftmaxLoss(m.Forward(&nn.Pass{Train: true}, tape.Watch(x)), labels, weights, kernels.SoftmaxLoss{}))
			tape.Backward(l)
			return l.Item()
		})
	}
	what := "inference"
	if training {
		what = "training step"
	}
	t, err := measure(ctx, what, 2, o.times, step)
	if err != nil {
		return err
	}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	step()
	runtime.ReadMemStats(&after)
	backend := kernels.For(x).String()
	rate := float64(o.batch) / t.MedianMS * 1e3
	allocated := after.TotalAlloc - before.TotalAlloc
	if p.json {
		return p.printJSON(map[string]any{"bench": what, "model": o.model, "batch": o.batch, "size": o.size, "parameters": nn.Size(m), "backend": backend,
			"step_ms": t.MedianMS, "min_ms": t.MinMS, "max_ms": t.MaxMS, "images_per_second": rate, "allocated_bytes": allocated, "heap_bytes": after.HeapSys})
	}
	fmt.Fprintf(p.out, "%s of %s, batch %d of %dx%d, %s: %.1f ms (%.1f to %.1f), %.1f images/s; a step allocates %d bytes\n",
		what, o.model, o.batch, o.size, o.size, backend, t.MedianMS, t.MinMS, t.MaxMS, rate, allocated)
	return nil
}

// convShapes are the 3x3 convolutions of ResNet-32 at width 16.
var convShapes = []struct {
	in, size, out, stride int
}{{3, 32, 16, 1}, {16, 32, 16, 1}, {16, 32, 32, 2}, {32, 16, 32, 1}, {32, 16, 64, 2}, {64, 8, 64, 1}}

func (p *program) benchConv(ctx context.Context, o benchOptions) error {
	r := rand.New(rand.NewPCG(1, 1))
	var rows []timing
	for _, s := range convShapes {
		c := kernels.Conv2D{Stride: s.stride, Pad: 1}
		out := c.Out(s.size, 3)
		x, w := normal(r, o.batch, s.in, s.size, s.size), tensor.Of(tensor.Data[float32](normal(r, s.out*s.in*9)), s.out, s.in, 3, 3)
		y := normal(r, o.batch, s.out, out, out)
		dx, dw := tensor.Like(x), tensor.Like(w)
		k := kernels.For(x)
		flops := 2 * float64(o.batch*s.in*s.out*out*out*9)
		name := fmt.Sprintf("%d@%d -> %d /%d", s.in, s.size, s.out, s.stride)
		for _, d := range []struct {
			name string
			f    func()
		}{
			{"forward", func() { k.Conv2D(c, y, x, w) }},
			{"input gradient", func() { k.Conv2DGradX(c, kernels.Acc{T: dx, Fresh: true}, w, y) }},
			{"weight gradient", func() { k.Conv2DGradW(c, kernels.Acc{T: dw, Fresh: true}, x, y) }},
		} {
			t, err := measure(ctx, name+" "+d.name, 2, o.times, d.f)
			if err != nil {
				return err
			}
			t.GFLOPS = flops / t.MedianMS / 1e6
			rows = append(rows, t)
		}
	}
	return p.printTimings(rows)
}

func (p *program) benchGemm(ctx context.Context, o benchOptions) error {
	r := rand.New(rand.NewPCG(1, 1))
	var rows []timing
	for _, n := range []int{64, 256, 512, 1024} {
		a, b, c := normal(r, n, n), normal(r, n, n), normal(r, n, n)
		k := kernels.For(a)
		t, err := measure(ctx, fmt.Sprintf("%d x %d x %d", n, n, n), 2, o.times, func() { k.Gemm(kernels.Gemm{}, c, a, b) })
		if err != nil {
			return err
		}
		t.GFLOPS = 2 * float64(n) * float64(n) * float64(n) / t.MedianMS / 1e6
		rows = append(rows, t)
	}
	return p.printTimings(rows)
}

func (p *program) printTimings(rows []timing) error {
	if p.json {
		return p.printJSON(map[string]any{"backend": kernels.For(tensor.Scalar(0.0)).String(), "rows": rows})
	}
	fmt.Fprintf(p.out, "%s\n%-36s  %10s  %10s  %10s  %8s\n", kernels.For(tensor.Scalar(0.0)), "", "median ms", "min", "max", "GFLOP/s")
	for _, t := range rows {
		fmt.Fprintf(p.out, "%-36s  %10.3f  %10.3f  %10.3f  %8.1f\n", t.What, t.MedianMS, t.MinMS, t.MaxMS, t.GFLOPS)
	}
	return nil
}
