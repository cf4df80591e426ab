package cpu

import (
	"sync"
	"unsafe"

	"phase/tensor"
)

// maxOperands is how many tensors a walk visits at once.
const maxOperands = 3

// A walk visits the elements of tensors of one shape and of any strides, the
// first operand in the order of its memory. Axes that lie behind one another in
// all operands are merged, so that the last one is as long as can be.
type walk struct {
	dims int
	n    [tensor.MaxDims]int              // extents, outermost first
	s    [maxOperands][tensor.MaxDims]int // strides
}

// walks lends walks, which would otherwise be allocated by every call.
var walks = sync.Pool{New: func() any { return new(walk) }}

// newWalk plans a walk; the caller puts it back into walks.
func newWalk(shape tensor.Shape, strides ...[]int) *walk {
	w := walks.Get().(*walk)
	*w = walk{}
	for i, n := range shape {
		if n == 1 {
			continue
		}
		at := w.dims
		for at > 0 && before(i, at-1, w, strides) {
			w.move(at-1, at)
			at--
		}
		w.n[at] = n
		for k, s := range strides {
			w.s[k][at] = s[i]
		}
		w.dims++
	}
	w.merge()
	return w
}

// before reports whether axis i of the operands goes outside axis at of w: the
// first operand whose strides differ decides, and stride 0 is innermost.
func before(i, at int, w *walk, strides [][]int) bool {
	for k, s := range strides {
		if s[i] != w.s[k][at] {
			return s[i] > w.s[k][at]
		}
	}
	return false
}

// move copies axis from to axis to.
func (w *walk) move(from, to int) {
	w.n[to] = w.n[from]
	for k := range w.s {
		w.s[k][to] = w.s[k][from]
	}
}

// merge joins axes that follow one another in all operands.
func (w *walk) merge() {
	last := 0
	for i := 1; i < w.dims; i++ {
		joins := true
		for k := range w.s {
			joins = joins && w.s[k][last] == w.s[k][i]*w.n[i]
		}
		if joins {
			w.n[i] *= w.n[last]
			w.move(i, last)
			continue
		}
		last++
		w.move(i, last)
	}
	w.dims = min(w.dims, last+1)
}

// stride is operand k's stride along the last axis.
func (w *walk) stride(k int) int {
	if w.dims == 0 {
		return 1
	}
	return w.s[k][w.dims-1]
}

// size is the number of elements along axes lo:hi.
func (w *walk) size(lo, hi int) int {
	size := 1
	for _, n := range w.n[lo:hi] {
		size *= n
	}
	return size
}

// place is where element i, counted over axes lo:hi, stands in each operand, and
// its index along each of the axes.
func (w *walk) place(i, lo, hi int) (at [maxOperands]int, index [tensor.MaxDims]int) {
	for axis := hi - 1; axis >= lo; axis-- {
		index[axis] = i % w.n[axis]
		i /= w.n[axis]
		for k := range at {
			at[k] += index[axis] * w.s[k][axis]
		}
	}
	return at, index
}

// rows calls f for runs of n elements along the last axis, which together are
// all elements; at says where each run starts. Runs are visited in parallel.
func (w *walk) rows(f func(at [maxOperands]int, n int)) {
	outer, inner := max(w.dims-1, 0), 1
	if w.dims > 0 {
		inner = w.n[outer]
	}
	count := w.size(0, outer)
	if count*inner == 0 {
		return
	}
	// An item is a group of whole runs, or a piece of one.
	group, pieces := max(block/inner, 1), (inner+block-1)/block
	par((count+group-1)/group*pieces, func(item int) {
		piece := item % pieces
		first := item / pieces * group
		lo, hi := piece*block, min((piece+1)*block, inner)
		at, index := w.place(first, 0, outer)
		for k := range at {
			at[k] += lo * w.stride(k)
		}
		for range min(group, count-first) {
			f(at, hi-lo)
			w.advance(&at, &index, outer)
		}
	})
}

// advance goes to the next element of axes 0:outer.
func (w *walk) advance(at *[maxOperands]int, index *[tensor.MaxDims]int, outer int) {
	for axis := outer - 1; axis >= 0; axis-- {
		back := 0
		if index[axis]++; index[axis] == w.n[axis] {
			index[axis], back = 0, w.n[axis]
		}
		for k := range at {
			at[k] += (1 - back) * w.s[k][axis]
		}
		if back == 0 {
			return
		}
	}
}

// doubles is scratch memory, which is aligned, as float64 numbers.
func doubles(f []float32) []float64 {
	if len(f) < 2 {
		return nil
	}
	return unsafe.Slice((*float64)(unsafe.Pointer(&f[0])), len(f)/2)
}
