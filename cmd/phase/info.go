package main

import (
	"fmt"
	"runtime"
	"runtime/debug"
	"strings"

	"phase/kernels"
	"phase/kernels/cpu"
	"phase/kernels/cuda"
	"phase/tensor"

	"github.com/klauspost/cpuid/v2"
	"github.com/spf13/cobra"
)

// version is the module's version, or the revision it was built from.
func version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown"
	}
	if v := info.Main.Version; v != "" && v != "(devel)" {
		return v
	}
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" {
			return "devel-" + s.Value[:min(12, len(s.Value))]
		}
	}
	return "devel"
}

func (p *program) infoCommand() *cobra.Command {
	return &cobra.Command{
		Use: "info", Short: "version, processor, kernels chosen, threads, and what is missing", Example: "  phase info\n  PHASE_CPU=go phase info", Args: noArgs,
		RunE: func(*cobra.Command, []string) error {
			var features []string
			for _, f := range []cpuid.FeatureID{cpuid.AVX2, cpuid.FMA3, cpuid.AVX512F, cpuid.AVX512BW, cpuid.AVX512DQ, cpuid.AVX512VL, cpuid.AVX512BF16, cpuid.ASIMD} {
				if cpuid.CPU.Supports(f) {
					features = append(features, f.String())
				}
			}
			i := struct {
				Version  string      `json:"version"`
				Go       string      `json:"go"`
				Platform string      `json:"platform"`
				CPU      string      `json:"cpu"`
				Features []string    `json:"features"`
				Variants []string    `json:"variants"` // that can run here, best first
				Backend  string      `json:"backend"`
				Threads  int         `json:"threads"`
				CUDA     cuda.Status `json:"cuda"`
				Gemm     string      `json:"gemm"` // the kernels of a large matrix product
				Convs    []chosen    `json:"convolutions"`
			}{version(), runtime.Version(), runtime.GOOS + "/" + runtime.GOARCH, cpuid.CPU.BrandName, features, cpu.Variants(),
				kernels.For(tensor.Scalar(0.0)).String(), runtime.GOMAXPROCS(0), cuda.Find(), chosenGemm(), chosenConvs()}
			if p.json {
				return p.printJSON(i)
			}
			fmt.Fprintf(p.out, "phase %s, %s, %s\n", i.Version, i.Go, i.Platform)
			fmt.Fprintf(p.out, "processor   %s (%s)\n", strings.TrimSpace(i.CPU), strings.Join(features, " "))
			fmt.Fprintf(p.out, "kernels     %s (this machine runs: %s; PHASE_CPU or --cpu chooses)\n", i.Backend, strings.Join(i.Variants, ", "))
			fmt.Fprintf(p.out, "products    %s\n", i.Gemm)
			head := "convolved  " // ResNet-32's shapes stand for others
			for _, c := range i.Convs {
				fmt.Fprintf(p.out, "%s %-21s %s\n", head, c.Shape, c.Forward)
				if c.InputGrad != c.Forward || c.WeightGrad != c.Forward {
					fmt.Fprintf(p.out, "%34sgradients: input %s, weights %s\n", "", c.InputGrad, c.WeightGrad)
				}
				head = "           "
			}
			fmt.Fprintf(p.out, "threads     %d\n", i.Threads)
			fmt.Fprintf(p.out, "cuda        %s\n", strings.ReplaceAll(i.CUDA.String(), "\n", "\n            "))
			return nil
		},
	}
}

// chosen is the kernels that the backend chooses for one convolution.
type chosen struct {
	Shape      string `json:"shape"` // channels@size -> channels, filter, stride
	Forward    string `json:"forward"`
	InputGrad  string `json:"input_gradient"`
	WeightGrad string `json:"weight_gradient"`
}

// chosenConvs asks for the convolutions of ResNet-32 and the projections of
// ResNet-50, on a few images.
func chosenConvs() (all []chosen) {
	const few = 8
	for _, s := range []struct{ in, size, out, filter, stride int }{
		{3, 32, 16, 3, 1}, {16, 32, 16, 3, 1}, {16, 32, 32, 3, 2}, {64, 8, 64, 3, 1}, {64, 64, 256, 1, 1}, {256, 64, 512, 1, 2},
	} {
		p := kernels.Conv2D{Stride: s.stride, Pad: s.filter / 2}
		out := p.Out(s.size, s.filter)
		x, y := tensor.NewImages(tensor.CPU, tensor.F32, few, s.in, s.size, s.size), tensor.NewImages(tensor.CPU, tensor.F32, few, s.out, out, out)
		w := tensor.New(tensor.CPU, tensor.F32, s.out, s.in, s.filter, s.filter)
		k := kernels.For(x)
		all = append(all, chosen{convName(p, x, w), describeConv(k, kernels.SideY, p, y, x, w), describeConv(k, kernels.SideX, p, y, x, w), describeConv(k, kernels.SideW, p, y, x, w)})
	}
	return all
}

// chosenGemm asks for a large matrix product.
func chosenGemm() string {
	x := tensor.New(tensor.CPU, tensor.F32, 256, 256)
	if d, ok := kernels.For(x).(kernels.Describer); ok {
		return d.DescribeGemm(kernels.Gemm{}, x, x, x)
	}
	return ""
}
