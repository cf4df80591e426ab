package tensor

import (
	"fmt"
	"math"
	"slices"
	"strings"
)

// A DType is the kind of number a tensor holds.
type DType uint8

// The dtypes: 32- and 64-bit floats, which may have gradients, 64-bit integers,
// which hold labels and indices, and 16-bit floats, in which images and their
// gradients may be kept.
const (
	F32 DType = iota
	F64
	I64
	BF16
)

// String is the dtype's short name: f32, f64, i64 or bf16.
func (d DType) String() string { return [...]string{"f32", "f64", "i64", "bf16"}[d] }

// Size is the number of bytes of one element.
func (d DType) Size() int { return [...]int{4, 8, 8, 2}[d] }

// Elem lists the Go types that are computed with.
type Elem interface{ float32 | float64 | int64 }

// Number lists the Go types behind the dtypes.
type Number interface{ Elem | BFloat16 }

// Float lists the Go types that have gradients.
type Float interface{ float32 | float64 }

// TypeOf returns the dtype of T.
func TypeOf[T Number]() DType {
	switch any(*new(T)).(type) {
	case float32:
		return F32
	case float64:
		return F64
	case BFloat16:
		return BF16
	}
	return I64
}

// A Shape is the extent of each axis, outermost first. The empty shape is a
// scalar.
type Shape []int

// Valid is nil if a tensor may have shape s: at most MaxDims axes, no negative
// extent, and no more elements than memory could address. An extent of 0 does
// not excuse the others: (0,1<<40,1<<40) has no element but no strides either.
func (s Shape) Valid() error {
	if err := s.valid(); err != nil {
		return err
	}
	return nil
}

func (s Shape) valid() *Error {
	if len(s) > MaxDims {
		return Errorf("tensor", "shape %v has %d axes, the most is %d", s, len(s), MaxDims)
	}
	left := math.MaxInt / 8 // elements of the widest dtype
	for _, d := range s {
		if d < 0 {
			return Errorf("tensor", "shape %v has a negative extent", s)
		}
		if left /= max(d, 1); left == 0 {
			return Errorf("tensor", "shape %v has more elements than memory can address", s)
		}
	}
	return nil
}

// Size is the number of elements, the product of the extents. It is right for
// every shape that is Valid.
func (s Shape) Size() int {
	n := 1
	for _, d := range s {
		n *= d
	}
	return n
}

// must panics unless s is Valid, and is its size.
func (s Shape) must() int {
	if err := s.valid(); err != nil {
		panic(err)
	}
	return s.Size()
}

// Equal reports whether s and t have the same axes.
func (s Shape) Equal(t Shape) bool { return slices.Equal(s, t) }

// String is the shape as (2,3,4).
func (s Shape) String() string {
	return "(" + strings.Join(strings.Fields(strings.Trim(fmt.Sprint([]int(s)), "[]")), ",") + ")"
}

// MaxDims is the largest number of axes of a tensor.
const MaxDims = 6

// A Tensor is a strided window on a Storage. Shape and strides are fixed when
// it is made; only the elements change.
type Tensor struct {
	store  Storage
	shape  Shape
	stride []int
	off    int
	dims   [2 * MaxDims]int // backs shape and stride: one allocation a header
}

func header(store Storage, shape Shape) *Tensor {
	shape.must()
	t := &Tensor{store: store}
	n := len(shape)
	t.shape = t.dims[0:n:n]
	t.stride = t.dims[MaxDims : MaxDims+n : MaxDims+n]
	copy(t.shape, shape)
	return t
}

// rowMajor fills in the strides of a row-major tensor.
func (t *Tensor) rowMajor() *Tensor {
	s := 1
	for i := len(t.shape) - 1; i >= 0; i-- {
		t.stride[i] = s
		s *= t.shape[i]
	}
	return t
}

func (t *Tensor) channelsLast() *Tensor {
	c, h, w := t.shape[1], t.shape[2], t.shape[3]
	t.stride[0], t.stride[1], t.stride[2], t.stride[3] = h*w*c, 1, w*c, c
	return t
}

// New allocates a zeroed row-major tensor.
func New(dev Device, d DType, shape ...int) *Tensor {
	return header(dev.Alloc(d, Shape(shape).must()), shape).rowMajor()
}

// NewImages allocates a zeroed channels-last tensor of shape (n,c,h,w).
func NewImages(dev Device, d DType, n, c, h, w int) *Tensor {
	return header(dev.Alloc(d, Shape{n, c, h, w}.must()), Shape{n, c, h, w}).channelsLast()
}

// Like allocates a zeroed tensor of t's device, dtype, shape and memory form
// (a view becomes row-major).
func Like(t *Tensor) *Tensor {
	n := header(t.Device().Alloc(t.DType(), t.Size()), t.shape)
	if t.IsImages() && !t.IsDense() {
		return n.channelsLast()
	}
	return n.rowMajor()
}

// Of wraps a Go slice, row-major, without copying it.
func Of[T Number](data []T, shape ...int) *Tensor {
	if len(data) != Shape(shape).must() {
		panic(Errorf("tensor.Of", "%d values do not fill shape %v", len(data), Shape(shape)))
	}
	return header(host[T](data), shape).rowMajor()
}

// OfImages wraps a Go slice that holds n images as n, h, w, c as a
// channels-last tensor of shape (n,c,h,w), without copying it.
func OfImages[T Number](data []T, n, c, h, w int) *Tensor {
	if len(data) != (Shape{n, c, h, w}).must() {
		panic(Errorf("tensor.OfImages", "%d values do not fill shape %v", len(data), Shape{n, c, h, w}))
	}
	return header(host[T](data), Shape{n, c, h, w}).channelsLast()
}

// Scalar is a tensor without axes that holds v.
func Scalar[T Number](v T) *Tensor { return Of([]T{v}) }

// Shape is t's shape; it must not be changed.
func (t *Tensor) Shape() Shape { return t.shape }

// Strides is the distance in elements between neighbours along each axis; it
// must not be changed.
func (t *Tensor) Strides() []int { return t.stride }

// Offset is the position of the first element in the storage.
func (t *Tensor) Offset() int { return t.off }

// Storage is the memory that t looks at.
func (t *Tensor) Storage() Storage { return t.store }

// DType is the kind of number t holds.
func (t *Tensor) DType() DType { return t.store.DType() }

// Device is where t's memory lives.
func (t *Tensor) Device() Device { return t.store.Device() }

// Dim is the extent of axis i; a negative i counts from the end.
func (t *Tensor) Dim(i int) int {
	at := i
	if at < 0 {
		at += len(t.shape)
	}
	if at < 0 || at >= len(t.shape) {
		panic(Errorf("tensor.Dim", "axis %d of %v, which has %d axes", i, t.shape, len(t.shape)))
	}
	return t.shape[at]
}

// Dims is the number of axes.
func (t *Tensor) Dims() int { return len(t.shape) }

// Size is the number of elements.
func (t *Tensor) Size() int { return t.shape.Size() }

// fits reports whether t could cover its storage: no offset, nothing left over.
func (t *Tensor) fits() bool { return t.off == 0 && t.store.Len() == t.Size() }

// IsPacked reports whether t covers its whole storage in one of the two dense
// forms, row-major or channels-last.
func (t *Tensor) IsPacked() bool { return t.IsDense() || t.IsImages() }

// IsDense reports whether t is row-major and covers its whole storage.
func (t *Tensor) IsDense() bool {
	if !t.fits() {
		return false
	}
	if t.Size() == 0 {
		return true
	}
	s := 1
	for i := len(t.shape) - 1; i >= 0; i-- {
		if t.shape[i] != 1 && t.stride[i] != s {
			return false
		}
		s *= t.shape[i]
	}
	return true
}

// IsImages reports whether t is (n,c,h,w), channels-last in memory, and covers
// its whole storage. A tensor can be dense both ways, when c or h and w are 1.
func (t *Tensor) IsImages() bool {
	if len(t.shape) != 4 || !t.fits() {
		return false
	}
	if t.Size() == 0 {
		return true
	}
	c, h, w := t.shape[1], t.shape[2], t.shape[3]
	for i, s := range [4]int{h * w * c, 1, w * c, c} {
		if t.shape[i] != 1 && t.stride[i] != s {
			return false
		}
	}
	return true
}

// SameLayout reports whether t and u have equal shapes and lie in memory the
// same way, both dense, so that elementwise work may ignore the axes.
func (t *Tensor) SameLayout(u *Tensor) bool {
	if !t.shape.Equal(u.shape) {
		return false
	}
	return t.IsDense() && u.IsDense() || t.IsImages() && u.IsImages()
}

// Zero sets every element of a dense tensor to zero.
func (t *Tensor) Zero() {
	if !t.IsPacked() {
		panic(Errorf("tensor.Zero", "%v is a view of part of its memory", t.shape))
	}
	t.store.Zero()
}

// To copies t to dev, keeping shape and memory form.
func (t *Tensor) To(dev Device) *Tensor {
	if !t.IsPacked() {
		panic(Errorf("tensor.To", "%v is a view: make it dense first", t.shape))
	}
	n := header(dev.Alloc(t.DType(), t.Size()), t.shape)
	copy(n.stride, t.stride)
	Move(n, t)
	return n
}

// Move copies src to dst, which has its dtype and lies as it does in its own
// memory: on any two devices.
func Move(dst, src *Tensor) {
	if !dst.SameLayout(src) || dst.DType() != src.DType() {
		panic(Errorf("tensor.Move", "%v %v to %v %v: they have to lie alike", src.DType(), src.shape, dst.DType(), dst.shape))
	}
	if m, ok := src.store.(interface{ bytes() []byte }); ok {
		dst.store.Upload(m.bytes())
		return
	}
	buf := make([]byte, src.Size()*src.DType().Size())
	src.store.Download(buf)
	dst.store.Upload(buf)
}

// Fetch is Data of t, of whatever device: on the host t's own memory, which is to be
// read only, else a copy.
func Fetch[T Number](t *Tensor) []T {
	if t.Device() != CPU {
		t = t.To(CPU)
	}
	return Data[T](t)
}

// Data returns the elements of a host tensor that covers its whole storage,
// in memory order. It is the typed door to the numbers.
func Data[T Number](t *Tensor) []T {
	m, ok := t.store.(host[T])
	if !ok {
		panic(Errorf("tensor.Data", "tensor is %v on %v, not %v on cpu", t.DType(), t.Device(), TypeOf[T]()))
	}
	if !t.IsPacked() {
		panic(Errorf("tensor.Data", "%v is a view of part of its memory: use Window", t.shape))
	}
	return m
}

// Window returns the storage of a host tensor from its first element on; the
// strides say where the others are.
func Window[T Number](t *Tensor) []T {
	m, ok := t.store.(host[T])
	if !ok {
		panic(Errorf("tensor.Window", "tensor is %v on %v, not %v on cpu", t.DType(), t.Device(), TypeOf[T]()))
	}
	return m[t.off:]
}
