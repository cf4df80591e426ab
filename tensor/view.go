package tensor

// view is a new header on t's memory.
func (t *Tensor) view(shape Shape) *Tensor {
	v := header(t.store, shape)
	v.off = t.off
	return v
}

// Reshape is t with another shape of the same size; one extent may be -1 and
// is then worked out. t must be dense (row-major): the elements keep their
// row-major order, and no view of other strides could keep it.
func (t *Tensor) Reshape(shape ...int) *Tensor {
	shape, err := t.shape.reshaped(shape)
	if err != nil {
		panic(err)
	}
	if !t.IsDense() {
		panic(Errorf("reshape", "%v with strides %v is not row-major: make it dense first", t.shape, t.stride))
	}
	return t.view(shape).rowMajor()
}

// Reshaped is the shape that s takes when reshaped to to, in which one extent
// may be -1.
func (s Shape) Reshaped(to ...int) (Shape, error) {
	r, err := s.reshaped(to)
	if err != nil {
		return nil, err
	}
	return r, nil
}

func (s Shape) reshaped(to []int) (Shape, *Error) {
	out, free := append(Shape{}, to...), -1
	for i, d := range to {
		switch {
		case d == -1 && free < 0:
			free, out[i] = i, 1
		case d < 0:
			return nil, Errorf("reshape", "%v: extents are at least 0, and only one may be -1", Shape(to))
		}
	}
	if err := out.valid(); err != nil {
		return nil, Errorf("reshape", "%v to %v: %s", s, Shape(to), err.Msg)
	}
	n := out.Size()
	if free >= 0 {
		if n == 0 || s.Size()%n != 0 {
			return nil, Errorf("reshape", "%v of %d elements does not fit %v", s, s.Size(), Shape(to))
		}
		out[free] = s.Size() / n
		n = s.Size()
	}
	if n != s.Size() {
		return nil, Errorf("reshape", "%v has %d elements but %v holds %d", s, s.Size(), Shape(to), n)
	}
	return out, nil
}

// Permute is t with its axes in another order: axis i of the result is axis
// axes[i] of t.
func (t *Tensor) Permute(axes ...int) *Tensor {
	shape, err := t.shape.Permuted(axes...)
	if err != nil {
		panic(err)
	}
	v := t.view(shape)
	for i, a := range axes {
		v.stride[i] = t.stride[a]
	}
	return v
}

// Permuted is the shape of a permuted tensor.
func (s Shape) Permuted(axes ...int) (Shape, error) {
	out, seen := make(Shape, len(axes)), 0
	for i, a := range axes {
		if len(axes) != len(s) || a < 0 || a >= len(s) || seen&(1<<a) != 0 {
			return nil, Errorf("permute", "axes %v are not an order of the %d axes of %v", axes, len(s), s)
		}
		seen |= 1 << a
		out[i] = s[a]
	}
	if len(axes) != len(s) {
		return nil, Errorf("permute", "axes %v are not an order of the %d axes of %v", axes, len(s), s)
	}
	return out, nil
}

// Slice is the part lo, lo+step, ... below hi of one axis.
func (t *Tensor) Slice(axis, lo, hi, step int) *Tensor {
	shape, err := t.shape.Sliced(axis, lo, hi, step)
	if err != nil {
		panic(err)
	}
	v := t.view(shape)
	copy(v.stride, t.stride)
	if shape[axis] > 1 { // a stride that is never walked must not overflow
		v.stride[axis] *= step
	}
	if shape.Size() > 0 {
		v.off += lo * t.stride[axis]
	}
	return v
}

// Sliced is the shape of a sliced tensor.
func (s Shape) Sliced(axis, lo, hi, step int) (Shape, error) {
	switch {
	case axis < 0 || axis >= len(s):
		return nil, Errorf("slice", "axis %d of %v, which has %d axes", axis, s, len(s))
	case step < 1:
		return nil, Errorf("slice", "step %d, want at least 1", step)
	case lo < 0 || hi < lo || hi > s[axis]:
		return nil, Errorf("slice", "%d:%d of axis %d of %v, want 0 <= lo <= hi <= %d", lo, hi, axis, s, s[axis])
	}
	out := append(Shape{}, s...)
	if lo < hi {
		out[axis] = (hi-lo-1)/step + 1 // hi-lo+step-1 could overflow
	} else {
		out[axis] = 0
	}
	return out, nil
}

// Expand is t repeated, without memory, along axes of extent 1 and along new
// leading axes, by NumPy's rules of broadcasting.
func (t *Tensor) Expand(shape ...int) *Tensor {
	if err := t.shape.ExpandsTo(shape); err != nil {
		panic(err)
	}
	v := t.view(shape)
	lead := len(shape) - len(t.shape)
	for i, d := range t.shape {
		if d == shape[lead+i] {
			v.stride[lead+i] = t.stride[i]
		}
	}
	return v
}

// ExpandsTo is nil if a tensor of shape s can be expanded to shape to.
func (s Shape) ExpandsTo(to Shape) error {
	if err := to.valid(); err != nil {
		return Errorf("expand", "%v to %v: %s", s, to, err.Msg)
	}
	ok := len(to) >= len(s)
	for i := 0; ok && i < len(s); i++ {
		d := to[len(to)-len(s)+i]
		ok = s[i] == d || s[i] == 1
	}
	if !ok {
		return Errorf("expand", "%v does not expand to %v", s, to)
	}
	return nil
}

// Broadcast is the shape that s and t both expand to.
func Broadcast(s, t Shape) (Shape, error) {
	if len(s) < len(t) {
		s, t = t, s
	}
	out := append(Shape{}, s...)
	for i, d := range t {
		at := len(s) - len(t) + i
		switch {
		case out[at] == 1:
			out[at] = d
		case d != 1 && d != out[at]:
			return nil, Errorf("broadcast", "%v and %v differ on an axis where neither is 1", s, t)
		}
	}
	return out, nil
}
