//go:build !noasm

package cpu

var gemmAVX512, gemmAVX2 gemmKernels
