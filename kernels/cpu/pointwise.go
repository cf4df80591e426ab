package cpu

// pointwiseKernels are the elementwise kernels of one variant.
type pointwiseKernels struct{}

var pointwiseGo pointwiseKernels
