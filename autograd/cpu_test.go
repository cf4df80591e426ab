package autograd_test

import (
	"testing"

	"phase/autograd/optest"
	"phase/kernels/cpu"
	"phase/tensor"
)

// variants runs f with each variant of the fast backend that this machine has.
func variants(t *testing.T, f func(t *testing.T)) {
	for _, name := range cpu.Variants() {
		t.Run(name, func(t *testing.T) {
			b, err := cpu.New(name)
			if err != nil {
				t.Fatal(err)
			}
			with(t, b)
			f(t)
		})
	}
}

// The battery on what users run.
func TestOpsOnCPU(t *testing.T) { variants(t, optest.Run) }

func TestGoldenOnCPU(t *testing.T) {
	variants(t, func(t *testing.T) {
		t.Run("f64", func(t *testing.T) { compareGolden(t, same, tensor.F64, 1e-9, .01) })
		t.Run("f32", func(t *testing.T) { compareGolden(t, same, tensor.F32, 1e-4, 1) })
	})
}
