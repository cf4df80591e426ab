package cpu

import (
	"testing"

	"phase/kernels/kerneltest"
)

// TestConformance is the definition of every kernel, for every variant.
func TestConformance(t *testing.T) {
	each(t, func(t *testing.T, b *Backend) { kerneltest.Run(t, b, kerneltest.Tolerance{}) })
}
