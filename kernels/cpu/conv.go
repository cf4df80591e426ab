package cpu

// convKernels are the convolution kernels of one variant.
type convKernels struct{}

var convGo convKernels
