package autograd_test

import (
	"testing"

	"phase/autograd/optest"
	"phase/kernels"
	"phase/kernels/ref"
	"phase/tensor"
)

func TestMain(m *testing.M) {
	kernels.Register(ref.Backend{})
	m.Run()
}

// with makes b the backend until the test ends.
func with(t *testing.T, b kernels.Backend) {
	t.Helper()
	old := kernels.For(tensor.New(tensor.CPU, tensor.F32))
	kernels.Register(b)
	t.Cleanup(func() { kernels.Register(old) })
}

// The battery on the definition of the kernels.
func TestOpsOnRef(t *testing.T) {
	with(t, ref.Backend{})
	optest.Run(t)
}
