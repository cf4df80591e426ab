//go:build !noasm

package cpu

var normAVX512, normAVX2 normKernels
