package launch

import (
	"fmt"

	"phase/tensor"
)

// A tile is what a block of threads computes of a product, as the kernels' names
// have it.
type tile struct{ m, n, threads int }

// The tiles: for results of many rows, of few, and of float64.
var (
	tall   = []tile{{128, 16, 128}, {128, 32, 128}, {128, 64, 128}}
	low    = []tile{{64, 16, 128}, {64, 32, 128}, {64, 64, 128}}
	double = []tile{{64, 32, 128}}
)

// tileFor is, of tiles that grow wider, the first that holds n columns, or the
// last.
func tileFor(tiles []tile, n int, d tensor.DType) tile {
	if d == tensor.F64 {
		tiles = double
	}
	for _, t := range tiles {
		if n <= t.n {
			return t
		}
	}
	return tiles[len(tiles)-1]
}

// grid covers m×n numbers, depth times.
func (t tile) grid(m, n, depth int) [3]int { return [3]int{ceil(m, t.m), ceil(n, t.n), depth} }

func (t tile) blocks(m, n int) int { return ceil(m, t.m) * ceil(n, t.n) }

// product plans a kernel that multiplies m×n numbers kept as d, depth times. On
// tensor cores a kernel has a name of its own, to which variant belongs, and the
// largest tiles have twice the threads.
func (w *Work) product(kernel, variant string, t tile, d tensor.DType, m, n, depth int, args ...Arg) {
	if w.cores && d != tensor.F64 {
		kernel += "_core" + variant
		if t.m == 128 {
			t.threads *= 2
		}
	}
	w.launch(form(fmt.Sprintf("%s_%dx%d", kernel, t.m, t.n), d), t.grid(m, n, depth), [3]int{t.threads, 1, 1}, args...)
}
