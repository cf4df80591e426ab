package npy

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	oracle "codeberg.org/sbinet/npyio/npy"
	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"phase/tensor"
	"phase/tensor/raw"
)

// Files that NumPy wrote, see testdata/make.py: dtype, memory and version differ, the values are counted up.
func TestReadsNumPys(t *testing.T) {
	paths, _ := filepath.Glob("testdata/good_*.npy")
	if len(paths) < 25 {
		t.Fatalf("only %d golden files", len(paths))
	}
	for _, path := range paths {
		parts := strings.Split(strings.TrimSuffix(filepath.Base(path), ".npy"), "_")
		kind, shape := parts[1], map[string]tensor.Shape{
			"scalar": {}, "vector": {5}, "matrix": {2, 3}, "deep": {2, 3, 2, 1}, "empty": {0, 4},
		}[parts[2]]
		want := make([]float64, shape.Size())
		for i := range want {
			want[i] = float64(i - 2)
			if kind[0] == 'u' {
				want[i] = float64(i)
			} else if kind == "b1" {
				want[i] = float64(i % 2)
			}
		}
		got, err := ReadFile(path)
		if err != nil {
			t.Error(err)
			continue
		}
		d := map[string]tensor.DType{"f4": tensor.F32, "f8": tensor.F64}[kind]
		if kind[0] != 'f' {
			d = tensor.I64
		}
		if got.DType() != d || !got.Shape().Equal(shape) || !got.IsDense() {
			t.Errorf("%s: %v %v", path, got.DType(), got.Shape())
		}
		if d := cmp.Diff(want, tensor.Values(got)); d != "" {
			t.Errorf("%s: -want +got\n%s", path, d)
		}
		// And what NumPy writes in row-major order, we write with the same bytes.
		if len(parts) == 3 && (kind == "f4" || kind == "f8" || kind == "i8") {
			var b bytes.Buffer
			if err := Write(&b, got); err != nil {
				t.Fatal(err)
			}
			theirs, _ := os.ReadFile(path)
			if d := cmp.Diff(theirs, b.Bytes()); d != "" {
				t.Errorf("%s: -NumPy +ours\n%s", path, d)
			}
		}
	}
}

func TestReadsNumPysArchives(t *testing.T) {
	for _, path := range []string{"testdata/good.npz", "testdata/good_compressed.npz"} {
		got, err := ReadZip(path)
		if err != nil {
			t.Fatal(err)
		}
		text := map[string]string{}
		for name, x := range got {
			text[name] = x.String()
		}
		if d := cmp.Diff(map[string]string{
			"labels":   "[0 1 2 3]\ni64 (4)",
			"features": "[[-2. -1.  0.]\n [ 1.  2.  3.]]\nf32 (2,3)",
			"b/c":      "1.5\nf64 ()",
		}, text); d != "" {
			t.Errorf("%s: -want +got\n%s", path, d)
		}
	}
}

func TestRefusesNumPys(t *testing.T) {
	const want = "want one of <f4 <f8 <i2 <i4 <i8 <u2 <u4 <u8 |b1 |i1 |u1"
	for name, msg := range map[string]string{
		"big":     `npy: byte 20: dtype ">f4" is big-endian, want "<f4"`,
		"half":    `npy: byte 20: dtype "<f2", ` + want,
		"complex": `npy: byte 20: dtype "<c8", ` + want,
		"text":    `npy: byte 20: dtype "<U2", ` + want,
		"object":  `npy: byte 20: dtype "|O" holds pickled Python objects, which are never read`,
		"struct":  `npy: byte 20: structured dtype, want plain numbers`,
		"u8":      `npy: byte 136: integer 9223372036854775808, the most is 9223372036854775807`,
		"axes":    `npy: byte 60: shape (1,1,1,1,1,1,1) has 7 axes, the most is 6`,
	} {
		path := "testdata/bad_" + name + ".npy"
		if _, err := ReadFile(path); err == nil || err.Error() != path+": "+msg {
			t.Errorf("%s:\n%v\nwant\n%s", path, err, msg)
		}
	}
}

// file is an NPY file of version 1 with the header text.
func file(text string, body ...byte) []byte {
	b := []byte(magic + "\x01\x00")
	b = binary.LittleEndian.AppendUint16(b, uint16(len(text)))
	return append(append(b, text...), body...)
}

func long(major byte, n uint32, rest string) []byte {
	b := append([]byte(magic), major, 0)
	return append(binary.LittleEndian.AppendUint32(b, n), rest...)
}

const plain = "{'descr': '<f4', 'fortran_order': False, 'shape': (2,), }\n"

func TestRefusesMadeFiles(t *testing.T) {
	dict := func(descr, order, shape string) []byte {
		return file("{'descr': "+descr+", 'fortran_order': "+order+", 'shape': "+shape+"}", make([]byte, 8)...)
	}
	for _, c := range []struct {
		b    []byte
		want string
	}{
		{nil, "byte 0: end of file inside the header"},
		{[]byte("\x93NUMP"), "byte 5: end of file inside the header"},
		{[]byte("PK\x03\x04aaaa"), `byte 0: starts with "PK\x03\x04aa", want "\x93NUMPY": not an NPY file`},
		{[]byte(magic + "\x04\x00"), "byte 6: version 4.0, want 1.0, 2.0 or 3.0"},
		{[]byte(magic + "\x01\x01"), "byte 6: version 1.1, want 1.0, 2.0 or 3.0"},
		{[]byte(magic + "\x01\x00\x05"), "byte 9: end of file inside the header"},
		{long(2, 1<<32-1, plain), "byte 8: header of 4294967295 bytes in a file of 70"},
		{long(3, 10001, strings.Repeat(" ", 10001)), "byte 8: header of 10001 bytes, the most is 10000"},
		{file(""), `byte 10: the header ends, want '{'`},
		{file("{"), `byte 11: the header ends, want '\''`},
		{file("[]"), `byte 10: '[' in the header, want '{'`},
		{file("{}"), `byte 12: the header has no "descr"`},
		{file("{'descr': '<f4', 'shape': (2,)}"), `byte 41: the header has no "fortran_order"`},
		{file("{'descr': '<f4', 'descr': '<f8'}"), `byte 27: "descr" stands twice in the header`},
		{file("{'descr': '<f4', 'evil': 1}"), `byte 27: unknown key "evil", want descr, fortran_order and shape`},
		{file("{'descr' '<f4'}"), `byte 19: '\'' in the header, want ':'`},
		{file("{'descr': '<f4' 'shape': ()}"), `byte 26: '\'' in the header, want ','`},
		{file("{'de\x00scr': '<f4'}"), `byte 14: '\x00' in a name of the header`},
		{file("{'descr': '<f4\n"), `byte 24: '\n' in a name of the header`},
		{file("{'descr': '<f4"), `byte 24: the header ends, want '\''`},
		{file(plain + "x"), `byte 68: 'x' after the header's dictionary`},
		{dict("'<f4'", "Maybe", "(2,)"), "byte 44: fortran_order is neither True nor False"},
		{dict("'<f4'", "False", "2"), `byte 60: '2' in the header, want '('`},
		{dict("'<f4'", "False", "(2)"), `byte 62: ')' in the header, want ','`},
		{dict("'<f4'", "False", "(-1,)"), "byte 61: negative extent"},
		{dict("'<f4'", "False", "(2.0,)"), `byte 62: '.' in the header, want ','`},
		{dict("'<f4'", "False", "(2L,)"), `byte 62: 'L' in the header, want ','`},
		{dict("'<f4'", "False", "(02,)"), "byte 61: want a decimal extent"},
		{dict("'<f4'", "False", "(,)"), "byte 61: want a decimal extent"},
		{dict("'<f4'", "False", "(18446744073709551618,)"), "byte 61: extent beyond 9223372036854775807"},
		{dict("'<f4'", "False", "(4294967296, 4294967296)"), "byte 60: shape (4294967296,4294967296) has more elements than memory can address"},
		{dict("'<f4'", "False", "(0, 4294967296, 4294967296)"), "byte 60: shape (0,4294967296,4294967296) has more elements than memory can address"},
		{dict("'<f4'", "False", "(1099511627776,)"), "byte 77: 8 bytes of elements, but shape (1099511627776) needs 4398046511104: the file is cut off"},
		{dict("'<f4'", "False", "(3,)"), "byte 65: 8 bytes of elements, but shape (3) needs 12: the file is cut off"},
		{dict("'<f4'", "False", "(1,)"), "byte 69: 4 bytes more than shape (1) needs"},
		{dict("'<f4'", "False", "(0,)"), "byte 65: 8 bytes more than shape (0) needs"},
		{file("{'descr': '|b1', 'fortran_order': False, 'shape': (2,)}", 1, 2), "byte 66: boolean 2, want 0 or 1"},
	} {
		_, err := Read(bytes.NewReader(c.b), int64(len(c.b)))
		if err == nil || err.Error() != "npy: "+c.want {
			t.Errorf("%q:\n%v\nwant\nnpy: %s", c.b, err, c.want)
		}
	}
}

// The size that the caller claims may be wrong too.
func TestRefusesWrongSize(t *testing.T) {
	b := file(plain, make([]byte, 8)...)
	for size, want := range map[int64]string{
		int64(len(b)) + 1: "npy: byte 76: 1 bytes more than shape (2) needs",
		int64(len(b)) - 1: "npy: byte 68: 7 bytes of elements, but shape (2) needs 8: the file is cut off",
		5:                 "npy: byte 8: header of 58 bytes in a file of 5",
	} {
		if _, err := Read(bytes.NewReader(b), size); err == nil || err.Error() != want {
			t.Errorf("size %d: %v, want %s", size, err, want)
		}
	}
	n := int64(len(b))
	if _, err := Read(bytes.NewReader(b[:n-3]), n); err == nil || err.Error() != "npy: byte 73: end of file, want 3 more bytes" {
		t.Error(err)
	}
	if _, err := Read(bytes.NewReader(append(b, 0)), n); err == nil || err.Error() != "npy: byte 76: goes on after its 76 bytes" {
		t.Error(err)
	}
}

func TestFiles(t *testing.T) {
	dir := t.TempDir()
	if _, err := ReadFile(dir); err == nil || !strings.Contains(err.Error(), "not a regular file (d") {
		t.Error(err)
	}
	if _, err := ReadFile(filepath.Join(dir, "none.npy")); !os.IsNotExist(err) {
		t.Error(err)
	}
	if runtime.GOOS == "linux" { // opening it would wait for ever or give endless zeros
		if _, err := ReadFile("/dev/zero"); err == nil || !strings.Contains(err.Error(), "not a regular file") {
			t.Error(err)
		}
	}
	path := filepath.Join(dir, "x.npy")
	if err := WriteFile(path, tensor.Of([]int64{1, 2}, 2)); err != nil {
		t.Fatal(err)
	}
	if x, err := ReadFile(path); err != nil || x.String() != "[1 2]\ni64 (2)" {
		t.Error(x, err)
	}
}

// drawn is a tensor of any dtype, seen through a view.
func drawn(t *rapid.T) *tensor.Tensor {
	shape := rapid.SliceOfN(rapid.IntRange(0, 4), 0, tensor.MaxDims).Draw(t, "shape")
	n := tensor.Shape(shape).Size()
	var x *tensor.Tensor
	switch rapid.IntRange(0, 2).Draw(t, "dtype") {
	case 0:
		x = tensor.Of(rapid.SliceOfN(rapid.Float32(), n, n).Draw(t, "data"), shape...)
	case 1:
		x = tensor.Of(rapid.SliceOfN(rapid.Float64(), n, n).Draw(t, "data"), shape...)
	default:
		x = tensor.Of(rapid.SliceOfN(rapid.Int64(), n, n).Draw(t, "data"), shape...)
	}
	if x.Dims() > 0 && rapid.Bool().Draw(t, "slice") {
		x = x.Slice(0, x.Dim(0)/2, x.Dim(0), 1)
	}
	if rapid.Bool().Draw(t, "transpose") {
		axes := make([]int, x.Dims())
		for i := range axes {
			axes[i] = len(axes) - 1 - i
		}
		x = x.Permute(axes...)
	}
	return x
}

// elements are the bytes of x in row-major order.
func elements(x *tensor.Tensor) []byte {
	var b bytes.Buffer
	raw.Write(&b, x)
	return b.Bytes()
}

func same(x, y *tensor.Tensor) bool {
	return x.DType() == y.DType() && x.Shape().Equal(y.Shape()) && bytes.Equal(elements(x), elements(y))
}

func TestRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		x := drawn(t)
		var b bytes.Buffer
		if err := Write(&b, x); err != nil {
			t.Fatal(err)
		}
		written := bytes.Clone(b.Bytes())
		y, err := Read(&b, int64(b.Len()))
		if err != nil {
			t.Fatal(err)
		}
		if !same(x, y) {
			t.Fatalf("wrote\n%v\nread\n%v", x, y)
		}
		// Another program reads the same.
		o, err := oracle.NewReader(bytes.NewReader(written))
		if err != nil {
			t.Fatal(err)
		}
		if !x.Shape().Equal(o.Header.Descr.Shape) || o.Header.Descr.Fortran {
			t.Fatalf("npyio: %+v of %v", o.Header, x.Shape())
		}
		if x.DType() == tensor.F64 && x.Size() > 0 {
			var got []float64
			if err := o.Read(&got); err != nil {
				t.Fatal(err)
			}
			if !same(tensor.Of(got, x.Shape()...), x) {
				t.Fatalf("npyio read %v", got)
			}
		}
	})
}

// allocated is how many bytes f asks for.
func allocated(f func()) int64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return int64(after.TotalAlloc - before.TotalAlloc)
}

// FuzzRead: whatever the bytes, no panic, no more memory than 20 times the
// input (bytes become 8-byte integers, twice if in Fortran order) and some for the buffers, and what is read can be
// written and read again.
func FuzzRead(f *testing.F) {
	paths, _ := filepath.Glob("testdata/*.npy")
	for _, path := range paths {
		b, err := os.ReadFile(path)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Add(file(plain, make([]byte, 8)...))
	f.Add(file("{'shape':(4294967296,4294967296),'fortran_order':True,'descr':'|u1'}"))
	f.Fuzz(func(t *testing.T, b []byte) {
		var x *tensor.Tensor
		var err error
		if n := allocated(func() { x, err = Read(bytes.NewReader(b), int64(len(b))) }); n > 20*int64(len(b))+1<<20 {
			t.Fatalf("%d bytes allocated for %d", n, len(b))
		}
		if err != nil {
			if strings.ContainsAny(err.Error(), "\n\x00\x1b") {
				t.Fatalf("not one clear line: %q", err)
			}
			return
		}
		var w bytes.Buffer
		if err := Write(&w, x); err != nil {
			t.Fatal(err)
		}
		y, err := Read(&w, int64(w.Len()))
		if err != nil || !same(x, y) {
			t.Fatalf("%v: read\n%v\nthen\n%v", err, x, y)
		}
	})
}

func Example() {
	x, err := ReadFile("testdata/good_u1_matrix_fortran.npy")
	fmt.Println(x, err)
	// Output:
	// [[0 1 2]
	//  [3 4 5]]
	// i64 (2,3) <nil>
}
