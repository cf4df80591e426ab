package safetensors

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"phase/tensor"
	"phase/tensor/raw"
)

// Files that the Python package wrote, see testdata/make.py.
func TestReadsPythons(t *testing.T) {
	f, err := ReadFile("testdata/foreign.safetensors")
	if err != nil {
		t.Fatal(err)
	}
	if f.SHA256 != "" {
		t.Error("a checksum from nowhere", f.SHA256)
	}
	if d := cmp.Diff(map[string]string{"format": "np", "quote": "a \"b\" \\ \u00e9 \u2028"}, f.Meta); d != "" {
		t.Error(d)
	}
	names := strings.Fields("bool empty float16 float32 float64 int16 int32 int64 int8 scalar uint16 uint32 uint64 uint8")
	if d := cmp.Diff(names, f.Names()); d != "" {
		t.Error(d)
	}
	for _, name := range names {
		want := "[[-2 -1  0]\n [ 1  2  3]]\ni64 (2,3)"
		switch {
		case name == "bool":
			want = "[[0 1 0]\n [1 0 1]]\ni64 (2,3)"
		case name == "empty":
			want = "[]\nf32 (0,4)"
		case name == "scalar":
			want = "1.5\nf32 ()"
		case name == "float64":
			want = "[[-2. -1.  0.]\n [ 1.  2.  3.]]\nf64 (2,3)"
		case name[0] == 'f':
			want = "[[-2. -1.  0.]\n [ 1.  2.  3.]]\nf32 (2,3)"
		case name[0] == 'u':
			want = "[[0 1 2]\n [3 4 5]]\ni64 (2,3)"
		}
		if got := f.Tensors[name].String(); got != want {
			t.Errorf("%s: got\n%s\nwant\n%s", name, got, want)
		}
	}
}

// Python computed the checksum of the second file by itself.
func TestVerifiesPythons(t *testing.T) {
	f, err := ReadFile("testdata/sealed.safetensors")
	if err != nil {
		t.Fatal(err)
	}
	if len(f.SHA256) != 64 {
		t.Errorf("sha256 %q", f.SHA256)
	}
	if d := cmp.Diff(map[string]string{"classes": "cat dog", "B": ""}, f.Meta); d != "" {
		t.Error(d)
	}
	want := make([]float64, 16)
	for i := range want {
		want[i] = float64(i) / 8
	}
	if x := f.Tensors["conv.weight"]; x.DType() != tensor.F32 || !x.Shape().Equal(tensor.Shape{2, 2, 2, 2}) || !slices.Equal(tensor.Values(x), want) {
		t.Error(x)
	}
	var b bytes.Buffer
	if err := Write(&b, f); err != nil {
		t.Fatal(err)
	}
	g, err := Read(&b, int64(b.Len()))
	if err != nil || g.SHA256 != f.SHA256 {
		t.Errorf("%v: sha256 %s, Python's %s", err, g.SHA256, f.SHA256)
	}
}

// The bytes of a small file, spelled out: the format is a promise.
func TestBytes(t *testing.T) {
	var b bytes.Buffer
	err := Write(&b, &File{
		Meta: map[string]string{"z": "<&>"},
		Tensors: map[string]*tensor.Tensor{
			"a": tensor.OfImages([]float32{1, 2, 3, 4}, 1, 2, 1, 2), // pixels (1,2) and (3,4)
			"b": tensor.Scalar(int64(5)),
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	head := `{"__metadata__":{"schema":"1","sha256":"` + strings.Repeat("?", 64) + `","z":"<&>"},` +
		`"b":{"dtype":"I64","shape":[],"data_offsets":[0,8]},` +
		`"a":{"dtype":"F32","shape":[1,2,1,2],"data_offsets":[8,24]}}`
	head += strings.Repeat(" ", (8-len(head)%8)%8)
	want := string([]byte{byte(len(head)), byte(len(head) >> 8), 0, 0, 0, 0, 0, 0}) + head +
		"\x05\x00\x00\x00\x00\x00\x00\x00" + "\x00\x00\x80\x3f" + "\x00\x00\x40\x40" + "\x00\x00\x00\x40" + "\x00\x00\x80\x40"
	got := b.String()
	if at := strings.Index(want, "?"); len(got) == len(want) {
		got = got[:at] + strings.Repeat("?", 64) + got[at+64:]
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("-want +got\n%s", d)
	}
}

func TestWriteRefuses(t *testing.T) {
	one := tensor.Scalar(1.0)
	for _, c := range []struct {
		f    File
		want string
	}{
		{File{Tensors: map[string]*tensor.Tensor{"a": nil}}, `tensor "a" is nil`},
		{File{Tensors: map[string]*tensor.Tensor{"a\x00": one}}, `tensor name "a\x00" is not printable text`},
		{File{Tensors: map[string]*tensor.Tensor{"\xff": one}}, `tensor name "\xff" is not printable text`},
		{File{Tensors: map[string]*tensor.Tensor{"__metadata__": one}}, `tensor name "__metadata__" belongs to the format`},
		{File{Meta: map[string]string{"schema": "7"}}, `metadata key "schema" belongs to the format`},
		{File{Meta: map[string]string{"sha256": "0"}}, `metadata key "sha256" belongs to the format`},
		{File{Meta: map[string]string{"a": "\xff"}}, `metadata "a" is not UTF-8`},
	} {
		path := filepath.Join(t.TempDir(), "x.safetensors")
		if err := WriteFile(path, &c.f); err == nil || err.Error() != "write "+path+": safetensors: "+c.want {
			t.Errorf("%v, want %s", err, c.want)
		}
		if names, _ := os.ReadDir(filepath.Dir(path)); len(names) != 0 {
			t.Errorf("left behind: %v", names)
		}
	}
}

// failing takes n bytes and no more.
type failing struct{ n int }

var errFull = errors.New("no space left")

func (w *failing) Write(b []byte) (int, error) {
	if w.n -= len(b); w.n < 0 {
		return 0, errFull
	}
	return len(b), nil
}

func TestWriteSaysThatItFailed(t *testing.T) {
	f := &File{Tensors: map[string]*tensor.Tensor{"a": tensor.Of([]float32{1, 2}, 2)}}
	var b bytes.Buffer
	if err := Write(&b, f); err != nil {
		t.Fatal(err)
	}
	for n := range b.Len() {
		if err := Write(&failing{n}, f); !errors.Is(err, errFull) {
			t.Fatalf("room for %d bytes: %v", n, err)
		}
	}
}

// drawFile draws tensors of all dtypes, seen through views, and metadata.
func drawFile(t *rapid.T) *File {
	f := &File{Tensors: map[string]*tensor.Tensor{}, Meta: map[string]string{}}
	text := rapid.StringMatching(`[a-zA-Z0-9_./" <\\é€😀\x{fffd}]{0,6}`)
	for _, name := range rapid.SliceOfNDistinct(text, 0, 5, rapid.ID[string]).Draw(t, "names") {
		shape := rapid.SliceOfN(rapid.IntRange(0, 3), 0, tensor.MaxDims).Draw(t, "shape")
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
		if d := x.Dims(); d > 1 && rapid.Bool().Draw(t, "view") {
			axes := make([]int, d)
			for i := range axes {
				axes[i] = (i + 1) % d
			}
			x = x.Permute(axes...).Slice(0, 0, x.Dim(1), 2)
		}
		f.Tensors[name] = x
	}
	for _, key := range rapid.SliceOfNDistinct(text, 0, 4, rapid.ID[string]).Draw(t, "keys") {
		f.Meta[key] = rapid.String().Draw(t, "value")
	}
	return f
}

// same is nil if f and g hold the same, bit for bit.
func same(f, g *File) error {
	if !slices.Equal(f.Names(), g.Names()) {
		return fmt.Errorf("tensors %q and %q", f.Names(), g.Names())
	}
	if d := cmp.Diff(f.Meta, g.Meta); d != "" {
		return fmt.Errorf("metadata: %s", d)
	}
	for name, x := range f.Tensors {
		y := g.Tensors[name]
		var a, b bytes.Buffer
		raw.Write(&a, x)
		raw.Write(&b, y)
		if x.DType() != y.DType() || !x.Shape().Equal(y.Shape()) || !bytes.Equal(a.Bytes(), b.Bytes()) {
			return fmt.Errorf("tensor %q:\n%v\nand\n%v", name, x, y)
		}
	}
	return nil
}

func TestRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		f := drawFile(t)
		var w bytes.Buffer
		if err := Write(&w, f); err != nil {
			t.Fatal(err)
		}
		first := bytes.Clone(w.Bytes())
		g, err := Read(&w, int64(len(first)))
		if err != nil {
			t.Fatal(err)
		}
		if err := same(f, g); err != nil {
			t.Fatal(err)
		}
		w.Reset()
		if err := Write(&w, g); err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(first, w.Bytes()) {
			t.Fatal("equal content, other bytes")
		}
		if g.SHA256 == "" || !bytes.Contains(first, []byte(g.SHA256)) {
			t.Fatalf("sha256 %q", g.SHA256)
		}
	})
}

func TestFiles(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.safetensors")
	for _, v := range []float32{1, 2} { // the second replaces the first
		f := &File{Tensors: map[string]*tensor.Tensor{"a": tensor.Scalar(v)}, Meta: map[string]string{"k": "v"}}
		if err := WriteFile(path, f); err != nil {
			t.Fatal(err)
		}
		g, err := ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if err := same(f, g); err != nil {
			t.Fatal(err)
		}
	}
	if names, _ := os.ReadDir(filepath.Dir(path)); len(names) != 1 {
		t.Errorf("left behind: %v", names)
	}
}

// Every flipped bit and every cut is noticed, wherever it is: in the length,
// the JSON, the metadata, a value.
func TestEveryAlterationIsNoticed(t *testing.T) {
	f := &File{
		Meta: map[string]string{"random": "PCG 1 2", "epoch": "7"},
		Tensors: map[string]*tensor.Tensor{
			"weight": tensor.Of([]float32{1, 2, 3, 4, 5, 6}, 2, 3),
			"bias":   tensor.Of([]float64{0, -1}, 2),
			"steps":  tensor.Scalar(int64(9)),
		},
	}
	var w bytes.Buffer
	if err := Write(&w, f); err != nil {
		t.Fatal(err)
	}
	good := w.Bytes()
	for i := range good {
		for bit := range 8 {
			b := bytes.Clone(good)
			b[i] ^= 1 << bit
			g, err := Read(bytes.NewReader(b), int64(len(b)))
			if err == nil && (g.SHA256 == "" || same(f, g) != nil) {
				t.Errorf("byte %d, bit %d (%q): read as %v", i, bit, good[max(0, i-5):min(len(good), i+5)], g)
			}
		}
		if _, err := Read(bytes.NewReader(good[:i]), int64(i)); err == nil {
			t.Errorf("cut at byte %d: read", i)
		}
	}
}

func TestAlterationsInWords(t *testing.T) {
	for _, c := range []struct{ meta, want string }{
		{`"schema":"1"`, `safetensors: metadata has a "schema" but no "sha256": altered, or from another program`},
		{`"sha256":"00"`, `safetensors: metadata has a "sha256" but no "schema": altered, or from another program`},
		{`"schema":"2","sha256":"00"`, `safetensors: metadata: schema "2", this program reads "1"`},
		{`"schema":"1","sha256":"00"`, `safetensors: altered since it was written: sha256 is `},
	} {
		b := shelf(`{"__metadata__":{`+c.meta+`}}`, 0)
		if _, err := Read(bytes.NewReader(b), int64(len(b))); err == nil || !strings.HasPrefix(err.Error(), c.want) {
			t.Errorf("%v, want %s", err, c.want)
		}
	}
}
