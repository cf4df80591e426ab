//go:build cuda && linux && amd64

package cuda

import (
	"errors"
	"runtime"
	"time"
	"unsafe"

	"phase/kernels/cuda/driver"
	"phase/kernels/cuda/launch"
	"phase/kernels/cuda/replay"
	"phase/tensor"

	"gorgonia.org/cu"
)

// memory is a tensor's storage on a GPU.
type memory struct {
	of    *device
	dtype tensor.DType
	n     int
	at    uint64
}

func (m *memory) Device() tensor.Device { return m.of }
func (m *memory) DType() tensor.DType   { return m.dtype }
func (m *memory) Len() int              { return m.n }
func (m *memory) Address() uint64       { return m.at }
func (m *memory) bytes() int            { return m.n * m.dtype.Size() }

// Zero fills the memory with zeros, in the order of all other work.
func (m *memory) Zero() {
	if m.n > 0 {
		m.of.put(job{launches: []launch.Launch{{Kernel: replay.Zero, Args: []launch.Arg{{Bits: m.at}, {Bits: uint64(m.bytes())}}}}})
	}
	runtime.KeepAlive(m)
}

// Alloc makes zeroed memory. When nobody holds the storage any more it goes back to
// the pool, and may serve again at once: later work comes later. If there is none it
// panics with a *tensor.DeviceError that wraps *tensor.OutOfMemory.
func (d *device) Alloc(t tensor.DType, n int) tensor.Storage {
	m := &memory{of: d, dtype: t, n: n}
	m.at = d.find(m.bytes())
	runtime.AddCleanup(m, d.give, m.at)
	m.Zero()
	return m
}

func (d *device) give(at uint64) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.pool.Give(at)
}

func (d *device) fits(bytes int) (at uint64, ok bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.pool.Fits(bytes)
}

// find is memory from the pool, from tensors that are garbage, or from the driver.
// Go's collector does not know how large such garbage is, and is called for it.
func (d *device) find(bytes int) uint64 {
	if at, ok := d.fits(bytes); ok {
		return at
	}
	for last := false; ; last = true {
		collect()
		if at, ok := d.fits(bytes); ok {
			return at
		}
		var at uint64
		var short *tensor.OutOfMemory
		d.wait(func() (err error) {
			at, err = d.claim(bytes)
			if errors.As(err, &short) {
				return nil // no tensor is there, but the GPU is well
			}
			return err
		})
		if short == nil {
			return at
		}
		if last {
			panic(&tensor.DeviceError{Device: d.String(), Err: short})
		}
	}
}

// collect runs the garbage collector, and waits for what it lets go.
func collect() {
	gone := make(chan struct{})
	last := new([16]byte)
	runtime.AddCleanup(last, func(c chan struct{}) { close(c) }, gone)
	runtime.GC()
	select {
	case <-gone:
	case <-time.After(time.Second):
	}
}

// claim is memory from the pool or from the driver. The thread calls it.
func (d *device) claim(bytes int) (at uint64, err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if at, ok := d.pool.Fits(bytes); ok {
		return at, nil
	}
	err = d.pool.Grow(bytes)
	if code := (*driver.Error)(nil); errors.As(err, &code) && code.Code == outOfMemory {
		// Slabs that nobody uses are too small, but their bytes may do.
		if _, err := d.pool.Shrink(); err != nil {
			return 0, err
		}
		if err = d.pool.Grow(bytes); errors.As(err, &code) && code.Code == outOfMemory {
			free, total, err := cu.MemInfo()
			if err != nil {
				return 0, failed("cuMemGetInfo", err)
			}
			return 0, &tensor.OutOfMemory{Asked: int64(bytes), Used: int64(d.pool.InUse()), Free: free, Total: total}
		}
	}
	if err != nil {
		return 0, err
	}
	at, _ = d.pool.Fits(bytes)
	return at, nil
}

const outOfMemory = 2 // CUDA_ERROR_OUT_OF_MEMORY

// slabs is the device as its pool sees it. All is called by the thread.
type slabs device

// Take is cuMemAlloc.
func (s *slabs) Take(bytes int) (uint64, error) {
	p, err := cu.MemAlloc(int64(bytes))
	if err != nil {
		return 0, failed("cuMemAlloc", err)
	}
	return uint64(p), nil
}

// Give is cuMemFree, which waits for the GPU.
func (s *slabs) Give(at uint64) error {
	d := (*device)(s)
	if err := d.replay.Forget(); err != nil {
		return err
	}
	if err := cu.MemFree(cu.DevicePtr(at)); err != nil {
		return failed("cuMemFree", err)
	}
	return nil
}

// A slot is memory of the host that the GPU copies from and to by itself, while the
// host goes on. Several take turns, so that one is filled while another is copied.
type slot struct {
	memory []byte
	copied cu.Event
	busy   bool // may still be read
}

const slotBytes = 4 << 20

// Upload copies src, which may be changed when it returns.
func (m *memory) Upload(src []byte) {
	d := m.of
	if len(src) != m.bytes() {
		panic(tensor.Errorf("cuda.Upload", "%d bytes for a block of %d", len(src), m.bytes()))
	}
	d.copying.Lock()
	defer d.copying.Unlock()
	for at := m.at; len(src) > 0; {
		s := &d.slots[d.next%len(d.slots)]
		d.next++
		if s.busy {
			d.wait(func() error {
				if err := s.copied.Synchronize(); err != nil {
					return failed("cuEventSynchronize", err)
				}
				return nil
			})
		}
		n, to := copy(s.memory, src), cu.DevicePtr(at)
		s.busy = true
		d.put(job{do: func() error {
			if err := cu.MemcpyHtoDAsync(to, unsafe.Pointer(&s.memory[0]), int64(n), d.stream); err != nil {
				return failed("cuMemcpyHtoDAsync", err)
			}
			if err := s.copied.Record(d.stream); err != nil {
				return failed("cuEventRecord", err)
			}
			return nil
		}})
		src, at = src[n:], at+uint64(n)
	}
	runtime.KeepAlive(m)
}

// Download waits for all work and copies the memory to dst.
func (m *memory) Download(dst []byte) {
	d := m.of
	if len(dst) != m.bytes() {
		panic(tensor.Errorf("cuda.Download", "%d bytes for a block of %d", len(dst), m.bytes()))
	}
	d.copying.Lock()
	defer d.copying.Unlock()
	d.reads.Add(1)
	s := &d.slots[d.next%len(d.slots)]
	d.next++
	d.wait(func() error {
		for at := m.at; len(dst) > 0; {
			n := min(len(dst), len(s.memory))
			if err := cu.MemcpyDtoHAsync(unsafe.Pointer(&s.memory[0]), cu.DevicePtr(at), int64(n), d.stream); err != nil {
				return failed("cuMemcpyDtoHAsync", err)
			}
			if err := d.synchronize(); err != nil {
				return err
			}
			copy(dst, s.memory)
			dst, at = dst[n:], at+uint64(n)
		}
		return nil
	})
	s.busy = false // all work is done
	runtime.KeepAlive(m)
}
