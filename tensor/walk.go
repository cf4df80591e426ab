package tensor

// walk calls f with the storage index of each element of t, in row-major
// order.
func walk(t *Tensor, f func(i int)) {
	if t.Size() > 0 {
		walkFrom(t, 0, t.off, f)
	}
}

func walkFrom(t *Tensor, axis, at int, f func(i int)) {
	if axis == len(t.shape) {
		f(at)
		return
	}
	for range t.shape[axis] {
		walkFrom(t, axis+1, at, f)
		at += t.stride[axis]
	}
}

// onHost is t, or its copy on the host with the same strides: the way to read
// a view of any device's memory.
func onHost(t *Tensor) *Tensor {
	if t.Device() == CPU {
		return t
	}
	buf := make([]byte, t.store.Len()*t.DType().Size())
	t.store.Download(buf)
	n := header(CPU.Alloc(t.DType(), t.store.Len()), t.shape)
	n.store.Upload(buf)
	copy(n.stride, t.stride)
	n.off = t.off
	return n
}

// reader is the element of a host storage at an index, as float64.
func reader(s Storage) func(i int) float64 {
	switch m := s.(type) {
	case host[float32]:
		return func(i int) float64 { return float64(m[i]) }
	case host[float64]:
		return func(i int) float64 { return m[i] }
	case host[int64]:
		return func(i int) float64 { return float64(m[i]) }
	case host[BFloat16]:
		return func(i int) float64 { return float64(m[i].Float32()) }
	}
	panic(Errorf("tensor", "storage %T is not host memory", s))
}

// Values copies the elements in row-major order, whatever t's strides, dtype
// and device, as float64 (int64 values beyond 2^53 are rounded).
func Values(t *Tensor) []float64 {
	t = onHost(t)
	out, at := make([]float64, 0, t.Size()), reader(t.store)
	walk(t, func(i int) { out = append(out, at(i)) })
	return out
}

// Contiguous is a row-major copy of a host tensor of any strides.
func Contiguous[T Number](t *Tensor) *Tensor {
	m, ok := t.store.(host[T])
	if !ok {
		panic(Errorf("tensor.Contiguous", "tensor is %v on %v, not %v on cpu", t.DType(), t.Device(), TypeOf[T]()))
	}
	out := make([]T, 0, t.Size())
	if t.IsDense() {
		out = append(out, m...)
	} else {
		walk(t, func(i int) { out = append(out, m[i]) })
	}
	return Of(out, t.shape...)
}
