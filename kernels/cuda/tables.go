//go:build cuda && linux && amd64

package cuda

import (
	"slices"
	"sync"

	"phase/kernels"
	"phase/kernels/cuda/launch"
	"phase/tensor"
)

// tables are those that were used last, with their rows on the device: a step has
// the parameters of the step before.
type tables struct {
	sync.Mutex
	last []table
}

type table struct {
	launch.Table
	rows *tensor.Tensor
}

// most is how many tables are kept.
const most = 8

// SGDMany is SGD of many parameters in one launch.
func (b backend) SGDMany(p kernels.SGD, w, v, g []*tensor.Tensor) {
	b.together(w, v, g, func(t table) { b.SGDTable(p, &t.Table, t.rows) })
}

// CopyMany is Copy of many parameters in one launch.
func (b backend) CopyMany(to, from []*tensor.Tensor) {
	b.together(to, nil, from, func(t table) { b.CopyTable(&t.Table, t.rows) })
}

// RescaleMany is Rescale of many pairs in one launch.
func (b backend) RescaleMany(p kernels.Rescale, fresh bool, y, x []*tensor.Tensor, squares *tensor.Tensor) {
	b.together(y, nil, x, func(t table) { b.RescaleTable(p, fresh, &t.Table, t.rows, squares) })
}

// SumSquaresMany is SumSquares of many in two launches.
func (b backend) SumSquaresMany(dst *tensor.Tensor, x []*tensor.Tensor) {
	b.together(x, nil, x, func(t table) { b.SumSquaresTable(dst, &t.Table, t.rows) })
}

// together does something with the table of these parameters.
func (b backend) together(w, v, g []*tensor.Tensor, do func(table)) {
	var t table
	for i := range w {
		if v != nil {
			t.Add(w[i], v[i], g[i])
		} else {
			t.Add(w[i], nil, g[i])
		}
	}
	of := &b.on.tables
	of.Lock()
	defer of.Unlock()
	i := slices.IndexFunc(of.last, func(known table) bool { return slices.Equal(known.Rows, t.Rows) })
	if i < 0 {
		t.rows = tensor.Of(t.Rows, len(t.Rows)).To(b.on)
		if len(of.last) == most {
			of.last = slices.Delete(of.last, 0, 1)
		}
		i, of.last = len(of.last), append(of.last, t)
	}
	do(of.last[i])
}
