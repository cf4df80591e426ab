//go:build !noasm

package cpu

var pointwiseAVX512, pointwiseAVX2 pointwiseKernels
