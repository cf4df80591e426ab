package cpu

import (
	"fmt"
	"os"
	"runtime"

	"phase/kernels"
	"phase/kernels/ref"
	"phase/tensor"
)

// A Backend computes on the host with the kernels of one variant. Its methods
// may be called from several goroutines at once.
type Backend struct {
	ref.Backend
	variant
	pool pool
}

var _ kernels.Backend = (*Backend)(nil)

// New is a backend that uses the named variant, or the best one that this
// processor can run if the name is empty. Behind a name, -exact leaves out
// Winograd's convolution, which is fast and rounds more (avx512-exact; exact is
// the best variant's). The error says which ones this processor can run.
func New(name string) (*Backend, error) {
	v, err := lookup(name)
	if err != nil {
		return nil, err
	}
	return &Backend{variant: v}, nil
}

// Select makes the named variant, or the best one if the name is empty,
// compute for all tensors on the host.
func Select(name string) error {
	b, err := New(name)
	if err == nil {
		kernels.Register(b)
	}
	return err
}

// A name in PHASE_CPU that this machine cannot run leaves the host without a
// backend: kernels.For then panics in words, and a program that calls Select
// has the error.
func init() { _ = Select(os.Getenv("PHASE_CPU")) }

// Device is the host.
func (b *Backend) Device() tensor.Device { return tensor.CPU }

// String names the variant and the number of goroutines: cpu avx512 x2.
func (b *Backend) String() string {
	return fmt.Sprintf("cpu %s x%d", b.name, runtime.GOMAXPROCS(0))
}
