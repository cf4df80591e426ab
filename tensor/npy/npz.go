package npy

import (
	"archive/zip"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"phase/tensor"
	"phase/tensor/atomicfile"
	"phase/tensor/raw"
)

// An archive may unpack to Ratio times its own size and Slack bytes more, all
// its arrays in memory together. Beyond that it is taken for a zip bomb: a
// thousandfold is the most that deflate can do, and arrays worth storing do
// not come near it.
const (
	Ratio = 100
	Slack = 16 << 20
)

// ReadZip reads all arrays of the .npz file path by name, without ".npy".
func ReadZip(path string) (map[string]*tensor.Tensor, error) {
	f, size, err := raw.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	m, err := DecodeZip(f, size)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return m, nil
}

// DecodeZip is ReadZip for an archive that is already open and holds size
// bytes. Names must end in ".npy", be printable and stand there once.
func DecodeZip(r io.ReaderAt, size int64) (map[string]*tensor.Tensor, error) {
	z, err := zip.NewReader(r, size)
	if err != nil {
		return nil, fmt.Errorf("npz: file of %d bytes: %w", size, err)
	}
	out, left := map[string]*tensor.Tensor{}, Ratio*size+Slack
	for _, f := range z.File {
		name, ok := strings.CutSuffix(f.Name, ".npy")
		if !ok {
			return nil, fmt.Errorf("npz: entry %.80q is not a .npy file", f.Name)
		}
		if err := checkName(name); err != nil {
			return nil, fmt.Errorf("npz: %w", err)
		}
		if out[name] != nil {
			return nil, fmt.Errorf("npz: entry %.80q stands there twice", f.Name)
		}
		t, err := entry(f, left)
		if err != nil {
			return nil, fmt.Errorf("npz: entry %.80q: %w", f.Name, err)
		}
		left -= int64(t.Size() * t.DType().Size())
		out[name] = t
	}
	return out, nil
}

// entry reads one array that takes at most most bytes, as claimed and as found.
func entry(f *zip.File, most int64) (*tensor.Tensor, error) {
	// A header may come on top of an array that uses up the rest.
	if f.UncompressedSize64 > uint64(most+maxHeader) {
		return nil, fmt.Errorf("claims %d bytes unpacked, the most for this archive is %d", f.UncompressedSize64, most)
	}
	r, err := f.Open()
	if err != nil {
		return nil, err
	}
	defer r.Close()
	return read(r, int64(f.UncompressedSize64), most)
}

// checkName refuses names that would not survive a terminal or another reader.
func checkName(name string) error {
	if name == "" {
		return fmt.Errorf("an array without a name")
	}
	if !utf8.ValidString(name) || strings.ContainsFunc(name, unicode.IsControl) {
		return fmt.Errorf("array name %.80q is not printable text", name)
	}
	return nil
}

// WriteZip writes the arrays in the order of their names to the .npz file
// path, which is replaced whole or not at all. Equal arrays give equal bytes.
func WriteZip(path string, arrays map[string]*tensor.Tensor) error {
	return atomicfile.Write(path, func(w io.Writer) error { return EncodeZip(w, arrays) })
}

// EncodeZip is WriteZip into w. Entries are stored, not compressed, as
// numpy.savez does.
func EncodeZip(w io.Writer, arrays map[string]*tensor.Tensor) error {
	z := zip.NewWriter(w)
	for _, name := range slices.Sorted(maps.Keys(arrays)) {
		if err := checkName(name); err != nil {
			return err
		}
		e, err := z.CreateHeader(&zip.FileHeader{
			Name:     name + ".npy",
			Method:   zip.Store,
			Modified: time.Date(1980, 1, 1, 0, 0, 0, 0, time.UTC), // zip's first day: no clock in the bytes
		})
		if err != nil {
			return err
		}
		if err := Write(e, arrays[name]); err != nil {
			return fmt.Errorf("array %.80q: %w", name, err)
		}
	}
	return z.Close()
}
