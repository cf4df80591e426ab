package npy

import (
	"errors"
	"fmt"
	"io"
	"math"
	"strings"

	"phase/tensor"
	"phase/tensor/atomicfile"
	"phase/tensor/raw"
)

// Read reads one array from r, which holds size bytes and nothing else. Floats
// of 32 and 64 bits keep their dtype, integers of any width and booleans
// become i64; the result is row-major whatever the order in the file.
//
// Refused, with the byte where it stands: what is not little-endian numbers,
// a file that is shorter or longer than its shape says, an integer beyond
// 2^63-1, a boolean other than 0 and 1, more than tensor.MaxDims axes.
func Read(r io.Reader, size int64) (*tensor.Tensor, error) {
	t, err := read(r, size, math.MaxInt64)
	if err != nil {
		return nil, fmt.Errorf("npy: %w", err)
	}
	return t, nil
}

// read is Read for an array of at most most bytes of memory.
func read(r io.Reader, size, most int64) (*tensor.Tensor, error) {
	h, err := readHeader(r, size)
	if err != nil {
		return nil, err
	}
	if err := h.fits(size); err != nil {
		return nil, err
	}
	if n := int64(h.shape.Size()) * int64(h.kind.DType().Size()); n > most {
		return nil, fmt.Errorf("byte %d: shape %v takes %d bytes of memory, the most for this archive is %d", h.size, h.shape, n, most)
	}
	shape := h.shape
	if h.fortran {
		shape = backwards(shape)
	}
	t, err := raw.Read(r, h.size, h.kind, shape)
	if err != nil {
		return nil, err
	}
	// One byte more must be refused; in an archive this also compares the checksum.
	if n, err := io.ReadFull(r, make([]byte, 1)); n > 0 {
		return nil, fmt.Errorf("byte %d: goes on after its %d bytes", size, size)
	} else if !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("byte %d: %w", size, err)
	}
	if h.fortran {
		t = transposed(t)
	}
	return t, nil
}

// fits says what is wrong if a file of size bytes does not hold what h says.
func (h header) fits(size int64) error {
	need, have := int64(h.shape.Size())*int64(h.kind.Size()), size-h.size // a Valid shape does not overflow
	switch {
	case need > have:
		return fmt.Errorf("byte %d: %d bytes of elements, but shape %v needs %d: the file is cut off", h.size, have, h.shape, need)
	case need < have:
		return fmt.Errorf("byte %d: %d bytes more than shape %v needs", h.size+need, have-need, h.shape)
	}
	return nil
}

func backwards(s tensor.Shape) tensor.Shape {
	out := make(tensor.Shape, len(s))
	for i, d := range s {
		out[len(s)-1-i] = d
	}
	return out
}

// transposed is a row-major copy of t with its axes in reverse.
func transposed(t *tensor.Tensor) *tensor.Tensor {
	axes := make([]int, t.Dims())
	for i := range axes {
		axes[i] = len(axes) - 1 - i
	}
	v := t.Permute(axes...)
	switch t.DType() {
	case tensor.F32:
		return tensor.Contiguous[float32](v)
	case tensor.F64:
		return tensor.Contiguous[float64](v)
	}
	return tensor.Contiguous[int64](v)
}

// ReadFile reads the array in the file path.
func ReadFile(path string) (*tensor.Tensor, error) {
	f, size, err := raw.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	t, err := Read(f, size)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return t, nil
}

// Write writes t, of any strides, in row-major order and with its own dtype:
// the bytes that numpy.save writes.
func Write(w io.Writer, t *tensor.Tensor) error {
	if t.DType() == tensor.BF16 {
		return errors.New("npy: the format has no bf16: cast it to f32")
	}
	if err := WriteHeader(w, t.DType(), t.Shape()); err != nil {
		return err
	}
	return raw.Write(w, t)
}

// WriteHeader writes what stands before the elements of an array, for one that is
// written some rows at a time: raw.Write, in row-major order, is to follow.
func WriteHeader(w io.Writer, d tensor.DType, s tensor.Shape) error {
	_, err := w.Write(head(d, s))
	return err
}

// head is a header, format version 1.0. NumPy leaves room for the first extent to
// grow to 21 characters and pads to a multiple of 64 bytes.
func head(d tensor.DType, s tensor.Shape) []byte {
	descr := map[tensor.DType]string{tensor.F32: "<f4", tensor.F64: "<f8", tensor.I64: "<i8"}[d]
	shape, room := "()", 0
	if len(s) > 0 {
		words := make([]string, len(s))
		for i, d := range s {
			words[i] = fmt.Sprint(d)
		}
		shape, room = "("+strings.Join(words, ", ")+")", 21-len(words[0])
		if len(s) == 1 {
			shape = "(" + words[0] + ",)"
		}
	}
	text := "{'descr': '" + descr + "', 'fortran_order': False, 'shape': " + shape + ", }" + strings.Repeat(" ", room)
	n := 10 + len(text) + 1
	text += strings.Repeat(" ", (64-n%64)%64) + "\n"
	return append([]byte(magic+"\x01\x00"+string([]byte{byte(len(text)), byte(len(text) >> 8)})), text...)
}

// WriteFile writes t to the file path, which is replaced whole or not at all.
func WriteFile(path string, t *tensor.Tensor) error {
	return atomicfile.Write(path, func(w io.Writer) error { return Write(w, t) })
}
