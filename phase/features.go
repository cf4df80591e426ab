package phase

import "phase/tensor"

// Features is where the feature vectors phi(x_i) of the training images come
// from, some rows at a time, so that they need not fit in memory: a file read
// in place (npy.File) serves as well as a tensor. Rows are asked for several
// times and must be the same each time.
type Features interface {
	Len() int            // number of rows
	Dim() int            // length of a row
	DType() tensor.DType // F32 or F64
	// Read copies the rows from lo on to dst, a row-major tensor (n,d) of
	// DType. It is called from several goroutines at once. The error says
	// which row could not be read.
	Read(lo int, dst *tensor.Tensor) error
}

// Rows is the Features of a tensor (n,d) of float32 or float64, which is not
// copied if it is row-major and on the host. Another shape or dtype panics.
func Rows(t *tensor.Tensor) Features {
	if t.Dims() != 2 || t.DType() == tensor.I64 {
		panic(tensor.Errorf("features", "%v %v, want (n,d) of f32 or f64", t.DType(), t.Shape()))
	}
	if t.Device() != tensor.CPU {
		t = t.To(tensor.CPU)
	}
	if t.DType() == tensor.F32 {
		return newMatrix[float32](t)
	}
	return newMatrix[float64](t)
}

type matrix[T tensor.Float] struct {
	t    *tensor.Tensor
	data []T
}

func newMatrix[T tensor.Float](t *tensor.Tensor) Features {
	if !t.IsDense() {
		t = tensor.Contiguous[T](t)
	}
	return matrix[T]{t, tensor.Data[T](t)}
}

func (m matrix[T]) Len() int            { return m.t.Dim(0) }
func (m matrix[T]) Dim() int            { return m.t.Dim(1) }
func (m matrix[T]) DType() tensor.DType { return m.t.DType() }

// rows is all of them, in place.
func (m matrix[T]) rows() buffer { return blockOf(m.data, m.Dim()) }

func (m matrix[T]) Read(lo int, dst *tensor.Tensor) error {
	copy(tensor.Data[T](dst), m.data[lo*m.Dim():])
	return nil
}
