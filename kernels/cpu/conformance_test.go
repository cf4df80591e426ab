package cpu

import (
	"testing"

	"phase/kernels/kerneltest"
)

// TestConformance is the definition of every kernel, for every variant. Where a
// variant uses Winograd's convolution its exact form stands for it, and the
// convolutions alone are allowed four times the error.
func TestConformance(t *testing.T) {
	for _, b := range backends(t) {
		if b.wino.image != nil {
			b = made(t, Exact(b.name))
		}
		t.Run(b.name, func(t *testing.T) { kerneltest.Run(t, b, kerneltest.Tolerance{}) })
	}
	for _, b := range winogradBackends(t) {
		t.Run(b.name, func(t *testing.T) {
			kerneltest.Run(t, b, kerneltest.Tolerance{F32: 16, F64: 4}, "Conv2D", "Conv2DGradX", "Conv2DGradW", "Branch", "BranchGrad", "BranchEval")
		})
	}
}
