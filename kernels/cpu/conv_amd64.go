//go:build !noasm

package cpu

var convAVX512, convAVX2 convKernels
