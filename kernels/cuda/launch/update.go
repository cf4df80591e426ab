package launch

import (
	"math"

	"phase/kernels"
	"phase/tensor"
)

// descent is what both kernels of SGD are told.
func descent(p kernels.SGD) []Arg {
	return []Arg{real(p.LR), real(p.Momentum), real(p.Decay), truth(p.Nesterov), truth(p.First)}
}

// SGD is one step of stochastic gradient descent.
func (b Backend) SGD(p kernels.SGD, params, v, g *tensor.Tensor) {
	if p.Momentum == 0 {
		v = nil
	}
	b.run(func(w *Work) {
		w.each(floats("sgd", params), params.Size(), append(append([]Arg{at(params), at(v), at(g)}, descent(p)...), whole(params.Size()))...)
	})
}

// AdamW is one step of Adam with decoupled weight decay.
func (b Backend) AdamW(p kernels.AdamW, params, m, v, g *tensor.Tensor) {
	bias := func(beta float64) Arg { return real(1 - math.Pow(beta, float64(p.Step))) }
	b.run(func(w *Work) {
		w.each(floats("adamw", params), params.Size(), at(params), at(m), at(v), at(g), real(p.LR), real(p.Beta1), real(p.Beta2), real(p.Eps), real(p.Decay),
			bias(p.Beta1), bias(p.Beta2), whole(params.Size()))
	})
}

// Rescale adds a part of a vector that is brought to a length.
func (b Backend) Rescale(p kernels.Rescale, y kernels.Acc, x, squares *tensor.Tensor) {
	if !y.Wanted() {
		return
	}
	b.run(func(w *Work) {
		w.each(floats("rescale", x), x.Size(), at(y.T), truth(y.Fresh), at(x), at(squares), real(p.Length), real(p.Eps), truth(p.Shrink), whole(x.Size()))
	})
}

// A Table is many parameters for one launch to work on: Rows is to lie in the device's
// memory as an I64 tensor of its length.
type Table struct {
	Rows   []int64
	blocks int
	dtype  tensor.DType
}

// columns are those of a row of a table: the addresses of w, v (0 for none) and g, where
// others than SGD write, 0 and what they read; the number of elements, and the first
// block that works on them.
const columns = 5

// Add adds a parameter; v is nil without momentum. All have one dtype.
func (t *Table) Add(params, v, g *tensor.Tensor) {
	if t.Rows != nil && t.dtype != params.DType() {
		panic(tensor.Errorf("sgd", "a parameter in %v among parameters in %v", params.DType(), t.dtype))
	}
	t.dtype = params.DType()
	t.Rows = append(t.Rows, int64(at(params).Bits), int64(at(v).Bits), int64(at(g).Bits), int64(params.Size()), int64(t.blocks))
	t.blocks += ceil(params.Size(), blockSize)
}

// SGDTable is SGD for all parameters of a table, of which rows is the copy in the
// device's memory.
func (b Backend) SGDTable(p kernels.SGD, t *Table, rows *tensor.Tensor) {
	b.over(t, rows, "sgd_table", descent(p)...)
}

// CopyTable copies all that a table has, of which rows is the copy in the device's
// memory.
func (b Backend) CopyTable(t *Table, rows *tensor.Tensor) { b.over(t, rows, "copy_table") }

// RescaleTable is Rescale for all pairs of a table, of which rows is the copy in the
// device's memory.
func (b Backend) RescaleTable(p kernels.Rescale, fresh bool, t *Table, rows, squares *tensor.Tensor) {
	b.over(t, rows, "rescale_table", truth(fresh), at(squares), real(p.Length), real(p.Eps), truth(p.Shrink))
}

// SumSquaresTable is SumSquares of what a table has to be read, of which rows is the copy
// in the device's memory.
func (b Backend) SumSquaresTable(dst *tensor.Tensor, t *Table, rows *tensor.Tensor) {
	if t.blocks == 0 {
		return
	}
	blocks := min(enoughBlocks, ceil(t.blocks, leastTerms))
	b.run(func(w *Work) {
		part := w.flat(tensor.F64, blocks)
		w.launch(form("squares_table", t.dtype), [3]int{blocks, 1, 1}, [3]int{1, blockSize, 1},
			at(part), at(rows), whole(len(t.Rows)/columns), whole(t.blocks), whole(ceil(t.blocks, blocks)))
		w.sumSlices(kernels.Acc{T: dst}, part, blocks, 1, nil)
	})
}

// over launches a kernel over a whole table.
func (b Backend) over(t *Table, rows *tensor.Tensor, kernel string, more ...Arg) {
	b.run(func(w *Work) {
		if t.blocks > 0 {
			w.launch(form(kernel, t.dtype), [3]int{t.blocks, 1, 1}, [3]int{blockSize, 1, 1},
				append([]Arg{at(rows), whole(len(t.Rows) / columns)}, more...)...)
		}
	})
}
