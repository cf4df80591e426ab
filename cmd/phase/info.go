package main

import (
	"fmt"
	"runtime"
	"runtime/debug"
	"strings"

	"phase/kernels"
	"phase/kernels/cpu"
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
				Version  string   `json:"version"`
				Go       string   `json:"go"`
				Platform string   `json:"platform"`
				CPU      string   `json:"cpu"`
				Features []string `json:"features"`
				Variants []string `json:"variants"` // that can run here, best first
				Backend  string   `json:"backend"`
				Threads  int      `json:"threads"`
				CUDA     string   `json:"cuda"`
			}{version(), runtime.Version(), runtime.GOOS + "/" + runtime.GOARCH, cpuid.CPU.BrandName, features, cpu.Variants(),
				kernels.For(tensor.Scalar(0.0)).String(), runtime.GOMAXPROCS(0), "not in this build"}
			if p.json {
				return p.printJSON(i)
			}
			fmt.Fprintf(p.out, "phase %s, %s, %s\n", i.Version, i.Go, i.Platform)
			fmt.Fprintf(p.out, "processor   %s (%s)\n", strings.TrimSpace(i.CPU), strings.Join(features, " "))
			fmt.Fprintf(p.out, "kernels     %s (this machine runs: %s; PHASE_CPU or --cpu chooses)\n", i.Backend, strings.Join(i.Variants, ", "))
			fmt.Fprintf(p.out, "threads     %d\n", i.Threads)
			fmt.Fprintf(p.out, "cuda        %s\n", i.CUDA)
			return nil
		},
	}
}
