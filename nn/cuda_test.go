//go:build cuda && linux && amd64

package nn_test

import (
	"fmt"
	"testing"

	"phase/kernels/cuda/cudatest"
	"phase/tensor"
)

// Ten steps of ResNet-8 beside PyTorch on a GPU: same losses, same final state.
func TestTenStepsOnCUDA(t *testing.T) {
	dev := cudatest.Device(t)
	for _, c := range []struct {
		kind string
		d    tensor.DType
	}{{"sgd", tensor.F32}, {"sam", tensor.F32}, {"adamw", tensor.F32}, {"nesterov", tensor.F64}} {
		t.Run(fmt.Sprint(c.kind, " ", c.d), func(t *testing.T) { tenSteps(t, c.kind, c.d, dev) })
	}
}
