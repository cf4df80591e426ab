//go:build cuda && linux && amd64

// Package cudatest gives tests of other packages a GPU. It adds the flag -device to
// them, with which a machine without one fails.
package cudatest

import (
	"flag"
	"testing"

	"phase/kernels/cuda"
	"phase/tensor"
)

var demand = flag.Bool("device", false, "fail, in place of saying so, where there is no GPU")

// Device is cuda:0. Where there is none the test says so and is over.
func Device(t *testing.T) tensor.Device {
	t.Helper()
	b, err := cuda.Open(0, false)
	if err != nil && *demand {
		t.Fatal(err)
	}
	if err != nil {
		t.Skip(err)
	}
	t.Log(b)
	return b.Device()
}
