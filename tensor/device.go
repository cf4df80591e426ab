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

// A DeviceError is the panic value for what goes wrong on a device that is not the
// host: an event of the outside world that comes where no error can be returned.
type DeviceError struct {
	Device string
	Err    error // *OutOfMemory, or what a driver says
}

// Error is what went wrong, and where.
func (e *DeviceError) Error() string { return e.Device + ": " + e.Err.Error() }

// Unwrap is the error without the device.
func (e *DeviceError) Unwrap() error { return e.Err }

// OutOfMemory says that a device has no memory for a tensor, in bytes.
type OutOfMemory struct {
	Asked int64 // by the tensor
	Used  int64 // by this program's tensors
	Free  int64 // that are nobody's
	Total int64
}

// Error has all four.
func (e *OutOfMemory) Error() string {
	return fmt.Sprintf("out of memory: %s asked for, %s used by this program, %s of %s free", mebibytes(e.Asked), mebibytes(e.Used), mebibytes(e.Free), mebibytes(e.Total))
}

func mebibytes(n int64) string { return fmt.Sprintf("%.1f MiB", float64(n)/(1<<20)) }

// Catch runs f and turns an *Error or a *DeviceError panic into an error; other
// panics pass.
func Catch(f func()) (err error) {
	defer func() {
		switch r := recover().(type) {
		case nil:
		case *Error:
			err = r
		case *DeviceError:
			err = r
		default:
			panic(r)
		}
	}()
	f()
	return nil
}
