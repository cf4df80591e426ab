package cpu

// gemmKernels are the matrix kernels of one variant.
type gemmKernels struct{}

var gemmGo gemmKernels

// args are the arguments of assembly kernels.
type args struct{}
