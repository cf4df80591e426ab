package npy

import (
	"fmt"
	"io"
	"os"

	"phase/tensor"
	"phase/tensor/raw"
)

// A File is an array in an NPY file that is read in place, some rows at a time,
// because it may be larger than memory. Its methods may be called from several
// goroutines at once.
type File struct {
	f    *os.File
	path string
	header
}

// Open opens the array in the file path, whose header and length are checked as
// by Read.
func Open(path string) (*File, error) {
	f, size, err := raw.Open(path)
	if err != nil {
		return nil, err
	}
	h, err := readHeader(f, size)
	if err == nil {
		err = h.fits(size)
	}
	if err != nil {
		f.Close()
		return nil, fmt.Errorf("%s: npy: %w", path, err)
	}
	return &File{f, path, h}, nil
}

// Close closes the file.
func (f *File) Close() error { return f.f.Close() }

// Shape is the array's shape.
func (f *File) Shape() tensor.Shape { return f.shape }

// DType is the dtype that Read gives.
func (f *File) DType() tensor.DType { return f.kind.DType() }

// RowMajor reports whether rows lie together in the file, as Read needs them.
func (f *File) RowMajor() bool { return !f.fortran || len(f.shape) < 2 }

// Len is the number of rows, the first extent.
func (f *File) Len() int { return f.shape[0] }

// Dim is the length of a row, the product of the other extents.
func (f *File) Dim() int { return f.shape[1:].Size() }

// Read reads the rows from lo on to dst, a row-major tensor of rows of DType. A
// file that is not RowMajor, and rows that there are not, panic.
func (f *File) Read(lo int, dst *tensor.Tensor) error {
	d := f.Dim()
	if hi := lo + dst.Dim(0); lo < 0 || hi > f.Len() || dst.Size() != dst.Dim(0)*d || dst.DType() != f.DType() || !f.RowMajor() {
		panic(tensor.Errorf("npy", "rows %d to %d to %v %v from an array of %v %v (row-major: %v)", lo, hi-1, dst.DType(), dst.Shape(), f.DType(), f.shape, f.RowMajor()))
	}
	at, size := f.size+int64(lo)*int64(d)*int64(f.kind.Size()), int64(dst.Size())*int64(f.kind.Size())
	if err := raw.ReadInto(io.NewSectionReader(f.f, at, size), at, f.kind, dst); err != nil {
		return fmt.Errorf("%s: npy: %w", f.path, err)
	}
	return nil
}
