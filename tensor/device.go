package tensor

import (
	"fmt"
	"unsafe"
)

// A Device is a place where memory lives.
type Device interface {
	String() string               // cpu, cuda:0
	Alloc(d DType, n int) Storage // n zeroed elements
}

// Storage is a flat block of elements on one device.
type Storage interface {
	Device() Device
	DType() DType
	Len() int
	Zero()
	Upload(src []byte)   // from host memory, native byte order; len(src) is the whole block
	Download(dst []byte) // to host memory
}

// CPU is the host: ordinary Go slices.
var CPU Device = hostDevice{}

type hostDevice struct{}

func (hostDevice) String() string { return "cpu" }

func (hostDevice) Alloc(d DType, n int) Storage {
	switch d {
	case F32:
		return host[float32](make([]float32, n))
	case F64:
		return host[float64](make([]float64, n))
	case BF16:
		return host[BFloat16](make([]BFloat16, n))
	}
	return host[int64](make([]int64, n))
}

type host[T Number] []T

func (m host[T]) Device() Device      { return CPU }
func (m host[T]) DType() DType        { return TypeOf[T]() }
func (m host[T]) Len() int            { return len(m) }
func (m host[T]) Zero()               { clear(m) }
func (m host[T]) Upload(src []byte)   { m.whole("tensor.Upload", copy(m.bytes(), src), len(src)) }
func (m host[T]) Download(dst []byte) { m.whole("tensor.Download", copy(dst, m.bytes()), len(dst)) }

// whole panics unless the n bytes just copied were all of the block and all of
// the other side.
func (m host[T]) whole(op string, n, other int) {
	if b := len(m.bytes()); n != b || n != other {
		panic(Errorf(op, "%d bytes for a block of %d", other, b))
	}
}

func (m host[T]) bytes() []byte {
	if len(m) == 0 {
		return nil
	}
	return unsafe.Slice((*byte)(unsafe.Pointer(&m[0])), len(m)*int(unsafe.Sizeof(m[0])))
}

// Error is the panic value for every misuse of a tensor: a programming
// mistake, never an event of the outside world.
type Error struct{ Op, Msg string }

// Error is the operation and what was wrong with it.
func (e *Error) Error() string { return e.Op + ": " + e.Msg }

// Errorf makes an Error.
func Errorf(op, format string, a ...any) *Error { return &Error{op, fmt.Sprintf(format, a...)} }

// Catch runs f and turns an *Error panic into an error; other panics pass.
func Catch(f func()) (err error) {
	defer func() {
		switch r := recover().(type) {
		case nil:
		case *Error:
			err = r
		default:
			panic(r)
		}
	}()
	f()
	return nil
}
