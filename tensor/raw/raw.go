// Package raw turns tensors into the plain little-endian bytes that files
// hold, and back. NPY and safetensors differ in their headers alone; what
// follows is this.
package raw

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"unsafe"

	"phase/tensor"
)

// A Kind is the form of one element in a file.
type Kind uint8

// The kinds, little-endian: IEEE floats of 64, 32 and 16 bits, bfloat16, signed
// and unsigned integers, and booleans of one byte, 0 or 1.
const (
	F64 Kind = iota
	F32
	F16
	BF16
	I64
	I32
	I16
	I8
	U64
	U32
	U16
	U8
	Bool
)

// Size is the number of bytes of one element.
func (k Kind) Size() int { return [...]int{8, 4, 2, 2, 8, 4, 2, 1, 8, 4, 2, 1, 1}[k] }

// DType is the dtype of a tensor read from elements of kind k: f64 and f32 for
// themselves, f32 for the 16-bit floats, i64 for everything else.
func (k Kind) DType() tensor.DType {
	switch k {
	case F64:
		return tensor.F64
	case F32, F16, BF16:
		return tensor.F32
	}
	return tensor.I64
}

// KindOf is the kind that holds the elements of dtype d unchanged.
func KindOf(d tensor.DType) Kind {
	switch d {
	case tensor.F32:
		return F32
	case tensor.F64:
		return F64
	case tensor.BF16:
		return BF16
	}
	return I64
}

// block is how many bytes are converted at a time.
const block = 1 << 16

// Read reads a row-major tensor of the given shape, which must be Valid. It
// allocates the whole tensor first: the caller has checked that the input can
// hold shape.Size()*k.Size() bytes. at is the position of the first element in
// the file, for messages: "byte 80: boolean 7, want 0 or 1". An input that ends
// early is "byte 90: end of file, want 6 more bytes".
func Read(r io.Reader, at int64, k Kind, shape tensor.Shape) (*tensor.Tensor, error) {
	t := tensor.New(tensor.CPU, k.DType(), shape...)
	if err := ReadInto(r, at, k, t); err != nil {
		return nil, err
	}
	return t, nil
}

// ReadInto is Read to a row-major tensor of k.DType() that there is.
func ReadInto(r io.Reader, at int64, k Kind, t *tensor.Tensor) error {
	switch t.DType() {
	case tensor.F32:
		return read(r, at, k, tensor.Data[float32](t), float32From[k])
	case tensor.F64:
		return read(r, at, k, tensor.Data[float64](t), float64From)
	}
	return read(r, at, k, tensor.Data[int64](t), int64From[k])
}

// littleEndian says that this machine's memory holds a number as a file does.
var littleEndian = binary.NativeEndian.Uint16([]byte{1, 0}) == 1

// asBytes is the memory of s.
func asBytes[T tensor.Elem](s []T) []byte {
	return unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(s))), len(s)*int(unsafe.Sizeof(*new(T))))
}

// read fills dst from elements of kind k: in place, if that is how they lie in
// memory. Otherwise decode converts a block and reports how many elements it
// took: all, unless one is refused.
func read[T tensor.Elem](r io.Reader, at int64, k Kind, dst []T, decode func(dst []T, src []byte) int) error {
	size := k.Size()
	inPlace := littleEndian && k == KindOf(tensor.TypeOf[T]())
	var buf []byte
	if !inPlace {
		buf = make([]byte, min(block, len(dst)*size))
	}
	for len(dst) > 0 {
		var src []byte
		n := len(dst)
		if inPlace {
			src = asBytes(dst)
		} else {
			n = min(n, len(buf)/size)
			src = buf[:n*size]
		}
		if got, err := io.ReadFull(r, src); err != nil {
			at += int64(got)
			if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
				return fmt.Errorf("byte %d: end of file, want %d more bytes", at, int64(len(dst))*int64(size)-int64(got))
			}
			return fmt.Errorf("byte %d: %w", at, err)
		}
		if inPlace {
			return nil
		}
		if ok := decode(dst[:n], src); ok < n {
			at += int64(ok * size)
			if k == Bool {
				return fmt.Errorf("byte %d: boolean %d, want 0 or 1", at, src[ok])
			}
			return fmt.Errorf("byte %d: integer %d, the most is %d", at, binary.LittleEndian.Uint64(src[ok*size:]), int64(math.MaxInt64))
		}
		at += int64(len(src))
		dst = dst[n:]
	}
	return nil
}

func float64From(dst []float64, src []byte) int {
	for i := range dst {
		dst[i] = math.Float64frombits(binary.LittleEndian.Uint64(src[8*i:]))
	}
	return len(dst)
}

var float32From = map[Kind]func([]float32, []byte) int{
	F32: func(dst []float32, src []byte) int {
		for i := range dst {
			dst[i] = math.Float32frombits(binary.LittleEndian.Uint32(src[4*i:]))
		}
		return len(dst)
	},
	F16: func(dst []float32, src []byte) int {
		for i := range dst {
			dst[i] = half(binary.LittleEndian.Uint16(src[2*i:]))
		}
		return len(dst)
	},
	BF16: func(dst []float32, src []byte) int {
		for i := range dst {
			dst[i] = tensor.BFloat16(binary.LittleEndian.Uint16(src[2*i:])).Float32()
		}
		return len(dst)
	},
}

// half is an IEEE 754 binary16 as float32, which holds each of them exactly:
// sign, 5 bits of exponent with bias 15, 10 bits of fraction.
func half(h uint16) float32 {
	sign, exp, frac := uint32(h>>15)<<31, uint32(h>>10&31), uint32(h&1023)
	switch exp {
	case 0: // zero and subnormals: frac·2^-24
		v := float32(frac) * (1.0 / (1 << 24))
		return math.Float32frombits(sign | math.Float32bits(v))
	case 31: // infinity and NaN
		return math.Float32frombits(sign | 255<<23 | frac<<13)
	}
	return math.Float32frombits(sign | (exp+127-15)<<23 | frac<<13)
}

var int64From = map[Kind]func([]int64, []byte) int{
	I64: integers(8, func(b []byte) int64 { return int64(binary.LittleEndian.Uint64(b)) }),
	I32: integers(4, func(b []byte) int64 { return int64(int32(binary.LittleEndian.Uint32(b))) }),
	I16: integers(2, func(b []byte) int64 { return int64(int16(binary.LittleEndian.Uint16(b))) }),
	I8:  integers(1, func(b []byte) int64 { return int64(int8(b[0])) }),
	U32: integers(4, func(b []byte) int64 { return int64(binary.LittleEndian.Uint32(b)) }),
	U16: integers(2, func(b []byte) int64 { return int64(binary.LittleEndian.Uint16(b)) }),
	U8:  integers(1, func(b []byte) int64 { return int64(b[0]) }),
	U64: func(dst []int64, src []byte) int {
		for i := range dst {
			v := binary.LittleEndian.Uint64(src[8*i:])
			if v > math.MaxInt64 {
				return i
			}
			dst[i] = int64(v)
		}
		return len(dst)
	},
	Bool: func(dst []int64, src []byte) int {
		for i := range dst {
			if src[i] > 1 {
				return i
			}
			dst[i] = int64(src[i])
		}
		return len(dst)
	},
}

func integers(size int, one func(b []byte) int64) func([]int64, []byte) int {
	return func(dst []int64, src []byte) int {
		for i := range dst {
			dst[i] = one(src[size*i:])
		}
		return len(dst)
	}
}

// Write writes the elements of t, of any strides, in row-major order as
// elements of KindOf(t.DType()).
func Write(w io.Writer, t *tensor.Tensor) error {
	if t.Device() != tensor.CPU {
		t = t.To(tensor.CPU)
	}
	switch t.DType() {
	case tensor.F32:
		return write(w, 4, rowMajor[float32](t), func(b []byte, v float32) { binary.LittleEndian.PutUint32(b, math.Float32bits(v)) })
	case tensor.F64:
		return write(w, 8, rowMajor[float64](t), func(b []byte, v float64) { binary.LittleEndian.PutUint64(b, math.Float64bits(v)) })
	case tensor.BF16:
		return write(w, 2, rowMajor[tensor.BFloat16](t), func(b []byte, v tensor.BFloat16) { binary.LittleEndian.PutUint16(b, uint16(v)) })
	}
	return write(w, 8, rowMajor[int64](t), func(b []byte, v int64) { binary.LittleEndian.PutUint64(b, uint64(v)) })
}

func rowMajor[T tensor.Number](t *tensor.Tensor) []T {
	if !t.IsDense() {
		t = tensor.Contiguous[T](t)
	}
	return tensor.Data[T](t)
}

func write[T tensor.Number](w io.Writer, size int, src []T, put func(b []byte, v T)) error {
	buf := make([]byte, min(block, len(src)*size))
	for len(src) > 0 {
		n := min(len(src), len(buf)/size)
		for i, v := range src[:n] {
			put(buf[i*size:], v)
		}
		if _, err := w.Write(buf[:n*size]); err != nil {
			return err
		}
		src = src[n:]
	}
	return nil
}
