package launch

import (
	"flag"
	"math"
	"slices"
	"testing"

	"phase/kernels/kerneltest"
)

var full = flag.Bool("full", false, "conformance with large operands too, which takes minutes")

// In float64 package ref is itself rounded, and where numbers are large and what
// counts is small that shows: in batch norm about a mean of 100, and in losses of
// logits of 10,000: four roundings of those are allowed.
var lossy = []string{"BatchNorm", "SoftmaxLoss"}

func TestConformance(t *testing.T) {
	kerneltest.RunSmall(t, simulator(false), kerneltest.Tolerance{}, limit(), exact()...)
	kerneltest.RunSmall(t, simulator(false), kerneltest.Tolerance{F32: 4, F64: 4e4}, limit(), lossy...)
}

// TF32 rounds both factors of a product to 2^-11, some 8192 of float32's roundings
// to 2^-24. What is computed from a convolution by a norm and so on inherits that.
func TestTensorCores(t *testing.T) {
	kerneltest.RunSmall(t, simulator(true), kerneltest.Tolerance{F32: 8192, F64: 4}, limit(),
		"Gemm", "Conv2D", "Conv2DGradX", "Conv2DGradW", "Branch", "BranchEval", "BranchGrad")
}

// limit is how many elements the operands of a call may have.
func limit() int {
	if *full {
		return math.MaxInt
	}
	return 2000
}

// exact is the methods that compute, without the lossy.
func exact() []string {
	return slices.DeleteFunc(kerneltest.Methods(), func(m string) bool { return slices.Contains(lossy, m) })
}
