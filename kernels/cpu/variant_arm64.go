//go:build !noasm

package cpu

// Every arm64 processor has NEON.
var variants = []variant{
	{name: "neon", have: true, gemm: gemmNEON, conv: convNEON, norm: normNEON, point: pointwiseNEON},
	portable,
}
