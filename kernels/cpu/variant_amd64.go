//go:build !noasm

package cpu

import "github.com/klauspost/cpuid/v2"

var avx512 = variant{
	name: "avx512",
	have: cpuid.CPU.Supports(cpuid.AVX512F, cpuid.AVX512VL, cpuid.AVX512DQ, cpuid.AVX512BW, cpuid.AVX2, cpuid.FMA3),
	gemm: gemmAVX512, conv: convAVX512, wino: winogradAVX512, norm: normAVX512, point: pointwiseAVX512, peak: peakAVX512, loss: lossAVX512, rows: rowsAVX512,
}

// amx is avx512 with products of matrices of bfloat16.
var amx = func() variant {
	v := avx512
	v.name, v.tiles = "amx", tilesAMX
	v.have = v.have && cpuid.CPU.Supports(cpuid.AVX512BF16, cpuid.AMXBF16, cpuid.AMXTILE) && tilesAllowed()
	return v
}()

var variants = []variant{
	amx,
	avx512,
	{
		name: "avx2",
		have: cpuid.CPU.Supports(cpuid.AVX2, cpuid.FMA3),
		gemm: gemmAVX2, conv: convAVX2, wino: winogradAVX2, norm: normAVX2, point: pointwiseAVX2, peak: peakAVX2, loss: lossAVX2, rows: rowsAVX2,
	},
	portable,
}
