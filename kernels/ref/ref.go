// Package ref is what every kernel means. Each method is its formula, written
// as loops over float64 numbers in row-major order; it is read before it is
// run, and fast backends are tested against it.
//
// There is only one type, Backend, and one habit: load the inputs as float64
// (tensor.Values), compute, round each result once on the way out (store, or
// add for gradients). So every kernel here takes tensors of any strides and of
// either float dtype, and its sums are float64 sums.
package ref

import (
	"phase/kernels"
	"phase/tensor"
)

// Backend computes on host memory, slowly and plainly. Its zero value is ready;
// fast backends embed it and replace what they do better.
type Backend struct{}

var _ kernels.Backend = Backend{}

// Device is the host.
func (Backend) Device() tensor.Device { return tensor.CPU }

// String is the backend's name for people.
func (Backend) String() string { return "cpu ref" }

// places lists where t's elements stand, in row-major order, as distances from
// the first.
func places(t *tensor.Tensor) []int {
	at := []int{0}
	for axis, n := range t.Shape() {
		next := make([]int, 0, len(at)*n)
		for _, first := range at {
			for i := range n {
				next = append(next, first+i*t.Strides()[axis])
			}
		}
		at = next
	}
	return at
}

// store writes v, given in row-major order, to t and rounds each number once.
func store(t *tensor.Tensor, v []float64) {
	switch t.DType() {
	case tensor.F32:
		storeAs(t, v, func(x float64) float32 { return float32(x) })
	case tensor.F64:
		storeAs(t, v, func(x float64) float64 { return x })
	case tensor.BF16:
		storeAs(t, v, func(x float64) tensor.BFloat16 { return tensor.ToBFloat16(float32(x)) })
	default:
		storeAs(t, v, func(x float64) int64 { return int64(x) })
	}
}

func storeAs[T tensor.Number](t *tensor.Tensor, v []float64, round func(x float64) T) {
	w := tensor.Window[T](t)
	for k, i := range places(t) {
		w[i] = round(v[k])
	}
}

// add adds g, given in row-major order, to a gradient that may be fresh or not
// wanted at all. It may change g.
func add(a kernels.Acc, g []float64) {
	if !a.Wanted() {
		return
	}
	if !a.Fresh {
		for k, old := range tensor.Values(a.T) {
			g[k] += old
		}
	}
	store(a.T, g)
}

// at is the row-major position of element (n,c,i,j) of a tensor of shape s.
func at(s tensor.Shape, n, c, i, j int) int { return ((n*s[1]+c)*s[2]+i)*s[3] + j }
