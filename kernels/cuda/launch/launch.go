// Package launch says how the CUDA kernels are called: for each method of
// kernels.Backend the kernels, their grids and their arguments, as data that a
// driver hands to a GPU and a simulator reads.
//
// There are only a few types: a Launch is one call of a kernel, Work the launches
// of one call of a method and the scratch memory that they share, and Backend the
// methods, which give their Work to a Machine. A Machine runs what it gets in
// order, one launch after the other, so that scratch memory may serve again.
//
// The laws of the seam hold for a GPU as they do for the host. Sums are cut into
// slices by their sizes alone and added in a fixed order, without atomics: the
// bits do not depend on the GPU.
package launch

import (
	"math"

	"phase/tensor"
)

// A Launch is one call of a kernel: blocks of threads, and the values of its
// parameters in order.
type Launch struct {
	Kernel      string
	Grid, Block [3]int
	Args        []Arg
}

// An Arg is a parameter's value as 64 bits, of which the kernel reads as many as
// the parameter has: an address, an integer in two's complement, or a float64. If
// Scratch is set then Bits is the distance from the start of the scratch memory.
type Arg struct {
	Bits    uint64
	Scratch bool
	Of      *tensor.Tensor // whose address it is, for messages; or nil
}

// Work is launches that are to run in order. Scratch is the number of bytes that
// they need beside their tensors: aligned to 256, with anything in it.
type Work struct {
	Launches []Launch
	Scratch  int
	taken    int  // bytes of scratch memory at present
	cores    bool // products go through tensor cores where they can
}

// Machine is where work is done: a GPU or a simulator of one. Run may return
// before it is done, if nobody sees the difference.
type Machine interface{ Run(w *Work) }

// Memory is a storage of a Machine's device. Address is that of its first element.
type Memory interface {
	tensor.Storage
	Address() uint64
}

// Backend is the methods of kernels.Backend that compute. Tensors live in Memory.
// With Cores, products and convolutions of F32 and BF16 go through tensor cores,
// which compute capability 8.0 brings: their factors are rounded to TF32, ten bits
// behind the point, and added up in single precision. Numbers in BF16 keep every
// bit.
type Backend struct {
	Machine Machine
	Cores   bool
}

// run does what f plans.
func (b Backend) run(f func(w *Work)) {
	w := Work{cores: b.Cores}
	f(&w)
	if len(w.Launches) > 0 {
		b.Machine.Run(&w)
	}
}

// most is the largest number of blocks along y and z of a grid.
const most = 65535

// launch plans one call.
func (w *Work) launch(kernel string, grid, block [3]int, args ...Arg) {
	if grid[1] > most || grid[2] > most {
		panic(tensor.Errorf("cuda", "kernel %s would need a grid of %v blocks, the most is (2147483647,%d,%d): make the batch smaller", kernel, tensor.Shape(grid[:]), most, most))
	}
	w.Launches = append(w.Launches, Launch{kernel, grid, block, args})
}

// blockSize is the number of threads of most blocks.
const blockSize = 256

// each plans a thread for each of n elements. Nothing is to be done for none.
func (w *Work) each(kernel string, n int, args ...Arg) {
	if n > 0 {
		w.launch(kernel, [3]int{ceil(n, blockSize), 1, 1}, [3]int{blockSize, 1, 1}, args...)
	}
}

func ceil(n, by int) int { return (n + by - 1) / by }

// above is the smallest power of two that is not below n.
func above(n int) int {
	p := 1
	for p < n {
		p *= 2
	}
	return p
}

// The kinds of arguments.

func whole(n int) Arg { return Arg{Bits: uint64(n)} }

func real(v float64) Arg { return Arg{Bits: math.Float64bits(v)} }

func truth(b bool) Arg {
	if b {
		return whole(1)
	}
	return whole(0)
}

// at is the address of t's first element, null if t is nil.
func at(t *tensor.Tensor) Arg {
	if t == nil {
		return Arg{}
	}
	n := t.Storage().Len()
	if n > math.MaxInt32 {
		panic(tensor.Errorf("cuda", "a tensor in memory of %d elements, the most is %d", n, math.MaxInt32))
	}
	offset := uint64(t.Offset() * t.DType().Size())
	switch m := t.Storage().(type) {
	case room:
		return Arg{m.start + offset, true, t}
	case Memory:
		return Arg{Bits: m.Address() + offset, Of: t}
	}
	panic(tensor.Errorf("cuda", "a tensor on %v, not in the GPU's memory: move it with To", t.Device()))
}

// form is how kernels are called that take numbers of d.
func form(kernel string, d tensor.DType) string { return kernel + "_" + d.String() }

// floats is form for kernels that take F32 and F64.
func floats(kernel string, t *tensor.Tensor) string {
	if d := t.DType(); d != tensor.F32 && d != tensor.F64 {
		panic(tensor.Errorf("cuda", "no kernel %s computes in %v, only in f32 and f64", kernel, d))
	}
	return form(kernel, t.DType())
}

// wide is the dtype in which numbers kept as d are computed.
func wide(d tensor.DType) tensor.DType {
	if d == tensor.BF16 {
		return tensor.F32
	}
	return d
}

// Scratch memory is a device: tensors on it last as long as the work.

// alignment is what both cuMemAlloc and scratch memory give.
const alignment = 256

// String says what it is.
func (w *Work) String() string { return "cuda scratch" }

// Alloc takes n elements of scratch memory, which hold anything.
func (w *Work) Alloc(d tensor.DType, n int) tensor.Storage {
	m := room{w, d, n, uint64(w.taken)}
	w.taken += ceil(n*d.Size(), alignment) * alignment
	w.Scratch = max(w.Scratch, w.taken)
	return m
}

// briefly plans what f does. The scratch memory that f takes is free again for what
// is planned later, as that also runs later.
func (w *Work) briefly(f func()) {
	taken := w.taken
	f()
	w.taken = taken
}

// room is a storage in scratch memory: a place in a plan, without contents.
type room struct {
	of    *Work
	dtype tensor.DType
	n     int
	start uint64
}

func (m room) Device() tensor.Device { return m.of }
func (m room) DType() tensor.DType   { return m.dtype }
func (m room) Len() int              { return m.n }
func (m room) Zero()                 { panic(tensor.Errorf("cuda", "scratch memory is not there yet")) }
func (m room) Upload([]byte)         { m.Zero() }
func (m room) Download([]byte)       { m.Zero() }

// flat is n numbers of scratch memory.
func (w *Work) flat(d tensor.DType, n int) *tensor.Tensor { return tensor.New(w, d, n) }

// like is a tensor of t's shape, dtype and memory form in scratch memory.
func (w *Work) like(t *tensor.Tensor) *tensor.Tensor {
	s := t.Shape()
	return tensor.NewImages(w, t.DType(), s[0], s[1], s[2], s[3])
}
