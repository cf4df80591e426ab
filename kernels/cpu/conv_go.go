package cpu

var convGo convKernels // everything by way of matrix products
