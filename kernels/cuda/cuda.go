// Package cuda is the backend for NVIDIA's GPUs, built on gorgonia.org/cu. It needs
// the tag cuda, cgo and cuda.h:
//
//	CGO_ENABLED=1 go build -tags cuda ./cmd/phase
//
// Without the tag, or elsewhere than on linux/amd64, Open says so and nothing of it
// is in the program. With the tags cuda,cudasim the GPU is a simulated one, package
// cusim, which calls itself simulator.
//
// What the kernels compute and how they are called is package launch; here is the
// device: its memory (package pool), the order of its work (package replay), the
// thread that speaks with the driver, and the copies from and to the host.
package cuda

import (
	"fmt"
	"strings"
)

// A Status is what Find found.
type Status struct {
	Missing string `json:"missing,omitempty"` // what would be needed for any GPU; "" if nothing
	Driver  string `json:"driver,omitempty"`  // the CUDA version that it supports
	GPUs    []GPU  `json:"gpus,omitempty"`
}

// A GPU is one that the driver shows.
type GPU struct {
	Name       string `json:"name"`
	Capability string `json:"compute_capability"` // 9.0
	Memory     int64  `json:"memory"`             // bytes
	Missing    string `json:"missing,omitempty"`  // why it cannot be used
}

// String is the GPU on one line.
func (g GPU) String() string {
	s := fmt.Sprintf("%s, compute capability %s, %.1f GiB", g.Name, g.Capability, float64(g.Memory)/(1<<30))
	if g.Missing != "" {
		s += ": " + g.Missing
	}
	return s
}

// String is what was found, a line for each GPU.
func (s Status) String() string {
	if s.Missing != "" {
		return s.Missing
	}
	lines := []string{"driver for CUDA " + s.Driver}
	for i, g := range s.GPUs {
		lines = append(lines, fmt.Sprintf("cuda:%d %v", i, g))
	}
	return strings.Join(lines, "\n")
}
