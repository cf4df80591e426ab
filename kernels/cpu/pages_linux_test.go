package cpu

import (
	"math/rand/v2"
	"runtime/debug"
	"syscall"
	"testing"
	"unsafe"

	"phase/kernels"
	"phase/tensor"
)

// fenced is n floats between two pages that nobody may touch, at the start of
// what lies between or at its end.
func fenced(t *testing.T, n int, atEnd bool) []float32 {
	page := syscall.Getpagesize()
	inner := (4*n + page - 1) / page * page
	m, err := syscall.Mmap(-1, 0, inner+2*page, syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_ANON|syscall.MAP_PRIVATE)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { syscall.Munmap(m) })
	for _, fence := range [][]byte{m[:page], m[page+inner:]} {
		if err := syscall.Mprotect(fence, syscall.PROT_NONE); err != nil {
			t.Fatal(err)
		}
	}
	m = m[page : page+inner]
	if atEnd {
		m = m[inner-4*n:]
	}
	return unsafe.Slice((*float32)(unsafe.Pointer(&m[0])), n)
}

// TestFences runs products and convolutions on operands with forbidden pages
// right before or right behind them: reading there is a fault, too.
func TestFences(t *testing.T) {
	debug.SetPanicOnFault(true)
	r := rand.New(rand.NewPCG(1, 2))
	for _, atEnd := range []bool{false, true} {
		place := func(shape ...int) *tensor.Tensor {
			return tensor.Of(fenced(t, tensor.Shape(shape).Size(), atEnd), shape...)
		}
		pictures := func(like *tensor.Tensor) *tensor.Tensor {
			s := like.Shape()
			return tensor.OfImages(fenced(t, s.Size(), atEnd), s[0], s[1], s[2], s[3])
		}
		for _, b := range append(backends(t), exactBackends(t)...) {
			for i := range 4 {
				x, y, c := place(17, 17), place(17, 17), place(17, 17)
				b.Gemm(kernels.Gemm{TransA: i&1 != 0, TransB: i&2 != 0}, c, fill(r, x), fill(r, y))
			}
			for _, q := range []convCase{
				{kernels.Conv2D{Pad: 1}, 1, 3, 5, 16, 16, 3, 3},
				{kernels.Conv2D{Pad: 1}, 2, 17, 7, 14, 32, 3, 3},
				{kernels.Conv2D{Pad: 1}, 2, 32, 8, 8, 64, 3, 3},
				{kernels.Conv2D{Pad: 1}, 3, 16, 4, 12, 48, 3, 3},
				{kernels.Conv2D{Pad: 1, Stride: 2}, 2, 5, 9, 8, 19, 3, 3},
				{kernels.Conv2D{Groups: 3}, 2, 9, 4, 4, 6, 2, 2},
			} {
				x, w, dy := q.tensors(r)
				x, w, dy = fill(r, pictures(x)), fill(r, place(w.Shape()...)), pictures(dy)
				b.Conv2D(q.Conv2D, dy, x, w)
				b.Conv2DGradX(q.Conv2D, kernels.Acc{T: x}, w, dy)
				b.Conv2DGradW(q.Conv2D, kernels.Acc{T: w}, x, dy)
			}
		}
	}
}
