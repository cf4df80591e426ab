//go:build !noasm

package cpu

import "github.com/klauspost/cpuid/v2"

var variants = []variant{
	{
		name: "avx512",
		have: cpuid.CPU.Supports(cpuid.AVX512F, cpuid.AVX512VL, cpuid.AVX512DQ, cpuid.AVX512BW, cpuid.AVX2, cpuid.FMA3),
		gemm: gemmAVX512, conv: convAVX512, wino: winogradAVX512, norm: normAVX512, point: pointwiseAVX512, peak: peakAVX512, loss: lossAVX512, rows: rowsAVX512,
	},
	{
		name: "avx2",
		have: cpuid.CPU.Supports(cpuid.AVX2, cpuid.FMA3),
		gemm: gemmAVX2, conv: convAVX2, wino: winogradAVX2, norm: normAVX2, point: pointwiseAVX2, peak: peakAVX2, loss: lossAVX2, rows: rowsAVX2,
	},
	portable,
}
