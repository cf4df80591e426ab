//go:build !noasm

package cpu

var variants = []variant{neon(), portable}

// neon runs on every arm64 processor. A family that it has no kernels for is
// Go's.
func neon() variant {
	v := portable
	v.name = "neon"
	v.gemm, v.conv, v.norm, v.point = gemmNEON, convNEON, normNEON, pointwiseNEON
	return v
}
