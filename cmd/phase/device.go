package main

import (
	"strconv"
	"strings"

	"phase/kernels/cuda"
	"phase/phase/train"
	"phase/tensor"
)

// onto moves a model to where --device names.
func onto(m *train.Model, name string) error {
	if name == tensor.CPU.String() {
		return nil // one that was trained on tensor cores, too
	}
	dev, err := device(name, m.Config.Precision)
	if err != nil {
		return err
	}
	return tensor.Catch(func() { m.On(dev) })
}

// device is where a run computes: what --device names, with tensor cores for any
// precision but f32, or an error that says what is missing. Nothing else takes its
// place.
func device(name, precision string) (tensor.Device, error) {
	if name == tensor.CPU.String() {
		if precision == "tf32" {
			return nil, usagef("--precision tf32: is what tensor cores of a GPU do; with --device cpu f32 or bf16")
		}
		return tensor.CPU, nil
	}
	if err := train.CheckDevice(name); err != nil {
		return nil, usageError{err}
	}
	_, ordinal, _ := strings.Cut(name, ":")
	n, _ := strconv.Atoi(ordinal) // none is the first
	b, err := cuda.Open(n, precision != "f32")
	if err != nil {
		return nil, usagef("--device %s: %v", name, err)
	}
	return b.Device(), nil
}
