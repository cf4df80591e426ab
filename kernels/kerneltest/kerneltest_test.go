package kerneltest

import (
	"testing"

	"phase/kernels/ref"
)

func TestRefAgreesWithItself(t *testing.T) { Run(t, ref.Backend{}, Tolerance{F32: 1e-9, F64: 1e-9}) }
