//go:build cuda && linux && amd64

package cuda

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"

	"phase/kernels/cuda/driver"

	"gorgonia.org/cu"
)

// What is needed at least.
const (
	leastDriver = 11040 // CUDA 11.4, whose driver starts graphs with flags
	leastMajor  = 7     // of the compute capability: what the PTX is made for
	coresMajor  = 8     // for TF32 and bfloat16 on tensor cores
)

// Built says whether this program has kernels for GPUs.
const Built = true

// Find looks for GPUs, and for what is missing.
func Find() Status {
	if err := driver.Ready(); err != nil {
		return Status{Missing: strings.Join(append([]string{err.Error()}, hints(err)...), "; ")}
	}
	version := cu.Version()
	s := Status{Driver: fmt.Sprintf("%d.%d", version/1000, version%1000/10)}
	if version < leastDriver {
		s.Missing = fmt.Sprintf("the driver supports CUDA %s, at least %d.%d is needed: install a newer driver", s.Driver, leastDriver/1000, leastDriver%1000/10)
		return s
	}
	n, err := cu.NumDevices()
	if err != nil || n == 0 {
		s.Missing = fmt.Sprintf("the driver shows no GPU (%v): CUDA_VISIBLE_DEVICES is %q", err, os.Getenv("CUDA_VISIBLE_DEVICES"))
		return s
	}
	for i := range n {
		g, err := look(i)
		if err != nil {
			g.Missing = err.Error()
		}
		s.GPUs = append(s.GPUs, g)
	}
	return s
}

// look asks the driver for a GPU's properties.
func look(ordinal int) (g GPU, err error) {
	dev, err := cu.GetDevice(ordinal)
	if err != nil {
		return g, failed("cuDeviceGet", err)
	}
	if g.Name, err = dev.Name(); err != nil {
		return g, failed("cuDeviceGetName", err)
	}
	g.Name = strings.TrimRight(g.Name, "\x00")
	major, minor, err := dev.ComputeCapability()
	if err != nil {
		return g, failed("cuDeviceGetAttribute", err)
	}
	g.Capability = fmt.Sprintf("%d.%d", major, minor)
	if g.Memory, err = dev.TotalMem(); err != nil {
		return g, failed("cuDeviceTotalMem", err)
	}
	if major < leastMajor {
		g.Missing = fmt.Sprintf("at least compute capability %d.0 is needed", leastMajor)
	}
	return g, nil
}

// hints is what a look at the machine adds to a driver that is not ready.
func hints(err error) (h []string) {
	if e := (*driver.Error)(nil); !errors.As(err, &e) {
		if os.Getenv("PHASE_CUDA_LIB") == "" {
			h = append(h, "PHASE_CUDA_LIB can name its "+driver.Library())
		}
		return h
	}
	for _, path := range []string{"/dev/nvidiactl", "/dev/nvidia0"} {
		f, err := os.OpenFile(path, os.O_RDWR, 0)
		switch {
		case err == nil:
			f.Close()
		case errors.Is(err, fs.ErrNotExist):
			h = append(h, path+" is not there: the kernel's module nvidia is not loaded, or the container was not given a GPU")
		case errors.Is(err, fs.ErrPermission):
			h = append(h, "no permission to open "+path+": the user has to be in its group")
		default:
			h = append(h, err.Error())
		}
	}
	return h
}
