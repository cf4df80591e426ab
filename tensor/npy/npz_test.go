package npy

import (
	"archive/zip"
	"bytes"
	"encoding/binary"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"codeberg.org/sbinet/npyio/npz"
	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"phase/tensor"
)

// archive is a zip file with the entries name, content, name, content, ...
func archive(t testing.TB, entries ...string) []byte {
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	for i := 0; i < len(entries); i += 2 {
		w, err := z.Create(entries[i]) // deflated
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write([]byte(entries[i+1])); err != nil {
			t.Fatal(err)
		}
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestRefusesArchives(t *testing.T) {
	array := string(file(plain, make([]byte, 8)...))
	good := archive(t, "a.npy", array)
	// The size claimed in the central directory, 24 bytes into its entry.
	claim := func(n uint32) []byte {
		b := bytes.Clone(good)
		at := bytes.LastIndex(b, []byte("PK\x01\x02"))
		binary.LittleEndian.PutUint32(b[at+24:], n)
		return b
	}
	// A wrong checksum, 16 bytes into it.
	sum := bytes.Clone(good)
	sum[bytes.LastIndex(sum, []byte("PK\x01\x02"))+16] ^= 1
	for _, c := range []struct {
		name string
		b    []byte
		want string
	}{
		{"not a zip", []byte("hello"), "npz: file of 5 bytes: zip: not a valid zip file"},
		{"cut off", good[:len(good)-30], "zip: not a valid zip file"},
		{"another file", archive(t, "a.txt", "hello"), `npz: entry "a.txt" is not a .npy file`},
		{"no name", archive(t, ".npy", array), "npz: an array without a name"},
		{"control character", archive(t, "a\x1b[31m.npy", array), `npz: array name "a\x1b[31m" is not printable text`},
		{"twice", archive(t, "a.npy", array, "a.npy", array), `npz: entry "a.npy" stands there twice`},
		{"bad array", archive(t, "a.npy", "hello, world"), `npz: entry "a.npy": byte 0: starts with "hello,"`},
		{"claims too much", claim(1 << 31), `npz: entry "a.npy": claims 2147483648 bytes unpacked, the most for this archive is`},
		{"claims more than there is", claim(uint32(len(array)) + 4), `npz: entry "a.npy": byte 76: 4 bytes more than shape (2) needs`},
		{"claims less than there is", claim(uint32(len(array)) - 4), `npz: entry "a.npy": byte 68: 4 bytes of elements, but shape (2) needs 8: the file is cut off`},
		{"checksum", sum, `npz: entry "a.npy": byte 76: zip: checksum error`},
		{"grows in memory", archive(t, "a.npy", string(file("{'descr': '|u1', 'fortran_order': False, 'shape': (3000000,)}"))+strings.Repeat("\x00", 3000000)), "shape (3000000) takes 24000000 bytes of memory, the most for this archive is"},
		{"together", archive(t, "a.npy", zeros(9<<20), "b.npy", zeros(9<<20)), `npz: entry "b.npy": claims 9437312 bytes unpacked, the most for this archive is`},
	} {
		var err error
		n := allocated(func() { _, err = DecodeZip(bytes.NewReader(c.b), int64(len(c.b))) })
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s:\n%v\nwant\n%s", c.name, err, c.want)
		}
		if n > 16<<20 {
			t.Errorf("%s: %d bytes allocated", c.name, n)
		}
	}
	if _, err := ReadZip("testdata/bad_bomb.npz"); err == nil || !strings.HasPrefix(err.Error(), `testdata/bad_bomb.npz: npz: entry "zeros.npy": claims 25165952 bytes unpacked`) {
		t.Error(err)
	}
}

// zeros is an NPY file of n zero bytes in 8-byte integers.
func zeros(n int) string {
	var b bytes.Buffer
	Write(&b, tensor.New(tensor.CPU, tensor.I64, n/8))
	return b.String()
}

func TestZipRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		in := map[string]*tensor.Tensor{}
		for _, name := range rapid.SliceOfNDistinct(rapid.StringMatching(`[a-z0-9/. é]{1,6}`), 0, 4, rapid.ID[string]).Draw(t, "names") {
			in[name] = drawn(t)
		}
		var b bytes.Buffer
		if err := EncodeZip(&b, in); err != nil {
			t.Fatal(err)
		}
		first := bytes.Clone(b.Bytes())
		out, err := DecodeZip(bytes.NewReader(first), int64(len(first)))
		if err != nil {
			t.Fatal(err)
		}
		if len(out) != len(in) {
			t.Fatalf("%d arrays of %d", len(out), len(in))
		}
		for name, x := range in {
			if out[name] == nil || !same(x, out[name]) {
				t.Fatalf("%q: wrote\n%v\nread\n%v", name, x, out[name])
			}
		}
		b.Reset()
		if err := EncodeZip(&b, out); err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(first, b.Bytes()) {
			t.Fatal("equal arrays, other bytes")
		}
	})
}

func TestWriteZipRefuses(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.npz")
	for name, want := range map[string]string{
		"":     "an array without a name",
		"a\nb": `array name "a\nb" is not printable text`,
		"\xff": `array name "\xff" is not printable text`,
	} {
		err := WriteZip(path, map[string]*tensor.Tensor{name: tensor.Scalar(1.0)})
		if err == nil || err.Error() != "write "+path+": "+want {
			t.Error(err)
		}
		if _, err := os.Stat(path); err == nil {
			t.Error("a file is there")
		}
	}
}

// npyio, another reader of the format, sees the same archive.
func TestZipForOthers(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.npz")
	if err := WriteZip(path, map[string]*tensor.Tensor{"y": tensor.Of([]int64{1, 2}, 2), "x": tensor.Of([]float32{3}, 1)}); err != nil {
		t.Fatal(err)
	}
	r, err := npz.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	var x []float32
	var y []int64
	if err := r.Read("x.npy", &x); err != nil {
		t.Fatal(err)
	}
	if err := r.Read("y.npy", &y); err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff([]string{"x.npy", "y.npy"}, r.Keys()) + cmp.Diff([]float32{3}, x) + cmp.Diff([]int64{1, 2}, y); d != "" {
		t.Error(d)
	}
}

// FuzzDecodeZip: no panic, and memory within the stated limits: the arrays,
// twice that if in Fortran order, and what package zip needs.
func FuzzDecodeZip(f *testing.F) {
	for _, path := range []string{"testdata/good.npz", "testdata/good_compressed.npz"} {
		b, err := os.ReadFile(path)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Add(archive(f, "a.npy", string(file(plain, make([]byte, 8)...))))
	f.Fuzz(func(t *testing.T, b []byte) {
		n := allocated(func() { DecodeZip(bytes.NewReader(b), int64(len(b))) })
		if n > 2*(Ratio*int64(len(b))+Slack)+1<<20 {
			t.Fatalf("%d bytes allocated for %d", n, len(b))
		}
	})
}
