package main

import (
	"strconv"
	"strings"

	"phase/kernels/cuda"
	"phase/phase/train"
	"phase/tensor"
)

// device is where a run computes: what --device names, or an error that says what is
// missing. Nothing else takes its place.
func device(c train.Config) (tensor.Device, error) {
	if c.Device == tensor.CPU.String() {
		return tensor.CPU, nil
	}
	_, ordinal, _ := strings.Cut(c.Device, ":")
	n, _ := strconv.Atoi(ordinal) // none is the first
	b, err := cuda.Open(n, c.Precision != "f32")
	if err != nil {
		return nil, usagef("--device %s: %v", c.Device, err)
	}
	return b.Device(), nil
}
