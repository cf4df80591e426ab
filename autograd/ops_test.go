package autograd_test

import (
	"testing"

	"phase/autograd/optest"
	"phase/kernels"
	"phase/kernels/ref"
	"phase/tensor"
)

// with runs f on backend b and puts the old one back.
func with(t *testing.T, b kernels.Backend) {
	t.Helper()
	old := kernels.For(tensor.New(tensor.CPU, tensor.F32))
	kernels.Register(b)
	t.Cleanup(func() { kernels.Register(old) })
}

// The battery on the definition of the kernels.
func TestOpsOnRef(t *testing.T) {
	kernels.Register(ref.Backend{})
	optest.Run(t)
}
