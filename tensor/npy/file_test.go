package npy

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"phase/tensor"
)

// Rows read in place are those of the whole array, of every kind of element.
func TestFileRows(t *testing.T) {
	for name, x := range map[string]*tensor.Tensor{
		"f32": tensor.Of([]float32{1, 2, 3, 4, 5, 6, 7, 8}, 4, 2),
		"f64": tensor.Of([]float64{1, 2, 3, 4, 5, 6, 7, 8}, 4, 2),
		"i64": tensor.Of([]int64{1, 2, 3, 4, 5, 6, 7, 8}, 4, 1, 2),
	} {
		path := filepath.Join(t.TempDir(), "x.npy")
		if err := WriteFile(path, x); err != nil {
			t.Fatal(err)
		}
		f, err := Open(path)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		if f.Len() != 4 || f.Dim() != 2 || f.DType() != x.DType() || !f.RowMajor() || !f.Shape().Equal(x.Shape()) {
			t.Errorf("%s: %d rows of %d %v in %v", name, f.Len(), f.Dim(), f.DType(), f.Shape())
		}
		dst := tensor.New(tensor.CPU, f.DType(), 2, 2)
		if err := f.Read(1, dst); err != nil || !slices.Equal(tensor.Values(dst), []float64{3, 4, 5, 6}) {
			t.Errorf("%s: rows 1 and 2 are %v, %v", name, dst, err)
		}
		for _, lo := range []int{-1, 3} {
			if err := tensor.Catch(func() { f.Read(lo, dst) }); err == nil {
				t.Errorf("%s: rows from %d on were read", name, lo)
			}
		}
	}
}

// What Read refuses Open refuses, and a file that grows shorter later is an
// error that says where.
func TestFileRefused(t *testing.T) {
	var b bytes.Buffer
	if err := Write(&b, tensor.Of([]float32{1, 2, 3, 4}, 2, 2)); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "x.npy")
	for _, data := range [][]byte{b.Bytes()[:b.Len()-1], append(bytes.Clone(b.Bytes()), 0), []byte("nonsense")} {
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := Open(path)
		_, want := ReadFile(path)
		if err == nil || err.Error() != want.Error() {
			t.Errorf("Open says %v, ReadFile %v", err, want)
		}
	}
	if err := os.WriteFile(path, b.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := os.Truncate(path, int64(b.Len()-4)); err != nil {
		t.Fatal(err)
	}
	err = f.Read(1, tensor.New(tensor.CPU, tensor.F32, 1, 2))
	if err == nil || !strings.Contains(err.Error(), path) || !strings.Contains(err.Error(), "byte 140: end of file") {
		t.Errorf("a file cut off meanwhile: %v", err)
	}
}
