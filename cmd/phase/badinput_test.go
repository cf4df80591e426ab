package main

import (
	"bytes"
	"encoding/binary"
	"hash/crc32"
	"image"
	"image/color"
	"image/jpeg"
	"image/png"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"phase/tensor"
	"phase/tensor/npy"
)

// npyFile is an .npy file with this header dictionary and these elements.
func npyFile(t *testing.T, dict string, elements []byte) string {
	t.Helper()
	b := []byte("\x93NUMPY\x01\x00")
	b = binary.LittleEndian.AppendUint16(b, uint16(len(dict)+1))
	return putBytes(t, "a.npy", append(append(b, dict+"\n"...), elements...))
}

// TestBadArrays: arrays that loss, weights and explain refuse, each in one line
// that names the file and the place, with exit status 1 and no file written.
func TestBadArrays(t *testing.T) {
	nan, inf := math.NaN(), math.Inf(1)
	z := put(t, []float64{1, 2, 3, 4, 5, 6}, 3, 2)
	y := put(t, []int64{0, 1, 0}, 3)
	cut, err := os.ReadFile(z)
	if err != nil {
		t.Fatal(err)
	}
	eight := make([]byte, 48)
	out := filepath.Join(t.TempDir(), "g.npy")
	type bad struct {
		path  string
		words []string
	}
	floats := []bad{ // bad for every array of floats with two axes
		{"nowhere.npy", []string{"nowhere.npy", "no such file"}},
		{t.TempDir(), []string{"not a regular file"}},
		{putBytes(t, "empty.npy", nil), []string{"empty.npy", "byte 0"}},
		{putBytes(t, "text.npy", []byte("1 2 3\n4 5 6\n7 8 9\n")), []string{"text.npy", "not an NPY file"}},
		{putBytes(t, "cut.npy", cut[:len(cut)-1]), []string{"cut.npy", "cut off", "byte 128"}},
		{putBytes(t, "header.npy", cut[:9]), []string{"header.npy"}},
		{putBytes(t, "long.npy", append(slices.Clone(cut), 0)), []string{"long.npy", "1 bytes more"}},
		{npyFile(t, "{'descr': '>f8', 'fortran_order': False, 'shape': (3, 2), }", eight), []string{"big-endian"}},
		{npyFile(t, "{'descr': '|O', 'fortran_order': False, 'shape': (3, 2), }", eight), []string{"pickled"}},
		{npyFile(t, "{'descr': '<c8', 'fortran_order': False, 'shape': (3, 2), }", eight), []string{"<c8"}},
		{npyFile(t, "{'descr': '<f2', 'fortran_order': False, 'shape': (3, 2), }", eight[:12]), []string{"<f2"}},
		{npyFile(t, "{'descr': '<f8', 'fortran_order': False, 'shape': (99999999999, 99999999999), }", eight), []string{"shape"}},
		{put(t, []int64{1, 2, 3, 4, 5, 6}, 3, 2), []string{"integers, want float32 or float64"}},
		{put(t, []float64{1, 2, 3}, 3), []string{"shape (3), want 2 axes"}},
		{put(t, []float64{1, 2, 3, 4, 5, 6}, 3, 2, 1), []string{"shape (3,2,1), want 2 axes"}},
		{put(t, []float64{1, 2, 3, nan, 5, 6}, 3, 2), []string{"row 1, column 1 is NaN"}},
		{put(t, []float32{1, 2, 3, 4, float32(inf), 6}, 3, 2), []string{"row 2, column 0 is +Inf"}},
		{put(t, []float64{1, 2, 3, 4}, 2, 2), []string{"2 rows", "3"}},
	}
	for _, b := range floats[:len(floats)-1] {
		refuse(t, exitFailed, b.words, "loss", "--kind", "ce", "--logits", b.path, "--labels", y, "--grad", out)
		refuse(t, exitFailed, b.words, "weights", "--kind", "msr", "--features", b.path, "--labels", y, "--out", out)
		refuse(t, exitFailed, b.words, "explain", "--logits", b.path, "--labels", y)
		refuse(t, exitFailed, b.words, "explain", "--logits", z, "--features", b.path, "--labels", y)
	}
	last := floats[len(floats)-1]
	refuse(t, exitFailed, last.words, "weights", "--kind", "area", "--features", last.path, "--labels", y, "--out", out)
	refuse(t, exitFailed, []string{"3 labels for the 2 rows"}, "loss", "--kind", "ce", "--logits", last.path, "--labels", y, "--grad", out)
	refuse(t, exitFailed, last.words, "explain", "--logits", z, "--features", last.path, "--labels", y)

	for _, b := range []bad{
		{put(t, []float64{0, 1, 0}, 3), []string{"labels are f64, want integers"}},
		{put(t, []int64{0, 1, 0}, 3, 1), []string{"shape (3,1), want 1 axis"}},
		{put(t, []int64{0}), []string{"shape (), want 1 axis"}},
		{put(t, []int64{0, -1, 0}, 3), []string{"label 1 is -1"}},
		{npyFile(t, "{'descr': '<u8', 'fortran_order': False, 'shape': (1,), }", bytes.Repeat([]byte{255}, 8)), []string{"18446744073709551615"}},
		{npyFile(t, "{'descr': '>i4', 'fortran_order': False, 'shape': (1,), }", eight[:4]), []string{"big-endian"}},
		{"nowhere.npy", []string{"nowhere.npy"}},
	} {
		refuse(t, exitFailed, b.words, "loss", "--kind", "daw", "--logits", z, "--labels", b.path, "--grad", out)
		refuse(t, exitFailed, b.words, "explain", "--logits", z, "--labels", b.path)
		refuse(t, exitFailed, b.words, "weights", "--kind", "inverse", "--labels", b.path, "--out", out)
	}
	refuse(t, exitFailed, []string{"label 2 is 2, want 0 to 1"}, "loss", "--kind", "ce", "--logits", z, "--labels", put(t, []int64{0, 1, 2}, 3), "--grad", out)
	refuse(t, exitFailed, []string{"label 2 is 2, want 0 to 1"}, "weights", "--kind", "inverse", "--labels", put(t, []int64{0, 1, 2}, 3), "--classes", "2", "--out", out)
	refuse(t, exitFailed, []string{"4 labels for the 3 rows"}, "loss", "--kind", "ce", "--logits", z, "--labels", put(t, []int64{0, 1, 1, 1}, 4), "--grad", out)
	refuse(t, exitFailed, []string{"class 1 of 3 has no labels"}, "weights", "--kind", "inverse", "--labels", put(t, []int64{0, 2, 2}, 3), "--out", out)
	refuse(t, exitFailed, []string{"class 2 of 3 has no labels"}, "weights", "--kind", "inverse", "--labels", y, "--classes", "3", "--out", out)
	refuse(t, exitFailed, []string{"want below"}, "weights", "--kind", "inverse", "--labels", put(t, []int64{0, 1 << 40}, 2), "--out", out)
	refuse(t, exitFailed, []string{"no labels"}, "weights", "--kind", "inverse", "--labels", put(t, []int64{}, 0), "--out", out)
	refuse(t, exitFailed, []string{"at least 1 row"}, "loss", "--kind", "ce", "--logits", put(t, []float64{}, 0, 2), "--labels", put(t, []int64{}, 0), "--grad", out)
	refuse(t, exitFailed, []string{"1 class"}, "loss", "--kind", "ce", "--logits", put(t, []float64{}, 3, 0), "--labels", y, "--grad", out)
	refuse(t, exitFailed, []string{"length 0"}, "weights", "--kind", "msr", "--features", put(t, []float64{}, 3, 0), "--labels", y, "--out", out)

	for _, b := range []bad{
		{put(t, []float64{1, nan, 1}, 3), []string{"element 1 is NaN"}},
		{put(t, []float64{1, 1, -2}, 3), []string{"weight 2 is -2, want at least 0"}},
		{put(t, []float64{1, 1}, 2), []string{"2 weights for the 3 rows"}},
		{put(t, []float64{1, 1, 1}, 3, 1), []string{"shape (3,1), want 1 axes"}},
		{put(t, []float64{0, 0, 0}, 3), []string{"weights add up to 0"}},
		{put(t, []int64{1, 1, 1}, 3), []string{"integers"}},
	} {
		refuse(t, exitFailed, b.words, "loss", "--kind", "ce", "--logits", z, "--labels", y, "--weights", b.path, "--grad", out)
		refuse(t, exitFailed, b.words, "explain", "--logits", z, "--labels", y, "--weights", b.path)
	}
	refuse(t, exitFailed, []string{"--counts", "3 classes for the 2"}, "loss", "--kind", "cb", "--counts", "4,2,1", "--logits", z, "--labels", y, "--grad", out)
	for _, b := range []bad{
		{put(t, []float64{1, 2}, 2, 1), []string{"2 rows of features for the 3"}},
		{put(t, []float64{}, 3, 0), []string{"length 0"}},
		{put(t, []float64{1, 2, nan}, 3, 1), []string{"row 2, column 0 is NaN"}},
		{put(t, []int64{1, 2, 3}, 3, 1), []string{"integers"}},
		{"nowhere.npy", []string{"nowhere.npy"}},
	} {
		refuse(t, exitFailed, b.words, "loss", "--kind", "ib", "--counts", "2,1", "--hidden", b.path, "--logits", z, "--labels", y, "--grad", out)
		refuse(t, exitFailed, b.words, "explain", "--loss", "ib", "--counts", "2,1", "--features", b.path, "--logits", z, "--labels", y)
	}
	refuse(t, exitFailed, []string{"row 0 is +Inf"}, "loss", "--kind", "ce", "--logits", put(t, []float64{-1.7e308, 1.7e308}, 1, 2), "--labels", put(t, []int64{0}, 1), "--grad", out)
	refuse(t, exitFailed, []string{"eq 12 read literally", "area-shift"}, "weights", "--kind", "msr", "--local", "literal", "--features", put(t, []float64{1, 0, 0, 1, -1, 0, 3, 3}, 4, 2), "--labels", put(t, []int64{0, 0, 0, 0}, 4), "--out", out)
	refuse(t, exitFailed, []string{"feature"}, "weights", "--kind", "msr", "--features", put(t, []float64{1e300, 2, 3, 4, 5, 6}, 3, 2), "--labels", y, "--out", out)
	if _, err := os.Stat(out); err == nil {
		t.Errorf("a refused call wrote %s", out)
	}
	if left, _ := filepath.Glob(filepath.Join(filepath.Dir(out), "*")); left != nil {
		t.Errorf("refused calls left %q", left)
	}
}

// TestGradNotWritten: an output that cannot be written is one line, and the old
// file stays.
func TestGradNotWritten(t *testing.T) {
	z, y := put(t, []float64{1, 2}, 1, 2), put(t, []int64{0}, 1)
	refuse(t, exitFailed, []string{"nowhere"}, "loss", "--kind", "ce", "--logits", z, "--labels", y, "--grad", filepath.Join(t.TempDir(), "nowhere", "g.npy"))
	refuse(t, exitFailed, nil, "weights", "--kind", "inverse", "--counts", "1", "--out", t.TempDir())
	old := putBytes(t, "g.npy", []byte("old"))
	refuse(t, exitFailed, nil, "loss", "--kind", "ce", "--logits", z, "--labels", put(t, []int64{7}, 1), "--grad", old)
	if b, err := os.ReadFile(old); err != nil || string(b) != "old" {
		t.Errorf("a refused call left %q in the old file", b)
	}
	succeed(t, "loss", "--kind", "ce", "--logits", z, "--labels", y, "--grad", old)
	if _, err := npy.ReadFile(old); err != nil {
		t.Error(err)
	}
}

// TestFortranOrder: the same numbers, column by column.
func TestFortranOrder(t *testing.T) {
	var b []byte
	for _, v := range []float64{1, 3, 5, 2, 4, 7} {
		b = binary.LittleEndian.AppendUint64(b, math.Float64bits(v))
	}
	f := npyFile(t, "{'descr': '<f8', 'fortran_order': True, 'shape': (3, 2), }", b)
	c := put(t, []float64{1, 2, 3, 4, 5, 7}, 3, 2)
	y := put(t, []int64{0, 1, 0}, 3)
	if a, b := succeed(t, "loss", "--kind", "daw", "--logits", f, "--labels", y), succeed(t, "loss", "--kind", "daw", "--logits", c, "--labels", y); a != b {
		t.Errorf("%s\n%s", a, b)
	}
}

// folder writes pictures into a new folder: n of each class and part.
func folder(t *testing.T, classes ...string) string {
	t.Helper()
	dir := t.TempDir()
	for _, part := range []string{"train", "test"} {
		for i, class := range classes {
			for k := range 3 {
				img := image.NewGray(image.Rect(0, 0, 8, 8))
				for j := range img.Pix {
					img.Pix[j] = uint8(40*i + 10*k + j)
				}
				var b bytes.Buffer
				if err := png.Encode(&b, img); err != nil {
					t.Fatal(err)
				}
				putAt(t, b.Bytes(), dir, part, class, string(rune('a'+k))+".png")
			}
		}
	}
	return dir
}

func putAt(t *testing.T, b []byte, path ...string) {
	t.Helper()
	name := filepath.Join(path...)
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, b, 0o644); err != nil {
		t.Fatal(err)
	}
}

// TestBadData: what is wrong with a data set is one line of train, data info and
// explain, and nothing is left behind.
func TestBadData(t *testing.T) {
	t.Chdir(t.TempDir())
	t.Setenv("PHASE_DATA", t.TempDir())
	corrupt := folder(t, "cat", "dog")
	putAt(t, []byte("\x89PNG\r\n\x1a\nnot really"), corrupt, "train", "cat", "bad.png")
	var jpg bytes.Buffer
	img := image.NewRGBA(image.Rect(0, 0, 8, 8))
	img.Set(3, 3, color.White)
	if err := jpeg.Encode(&jpg, img, nil); err != nil {
		t.Fatal(err)
	}
	cutJPEG := folder(t, "cat", "dog")
	putAt(t, jpg.Bytes()[:jpg.Len()/2], cutJPEG, "train", "dog", "cut.jpg")
	huge := folder(t, "cat", "dog")
	header := slices.Clone(onePixelPNG(t))
	binary.BigEndian.PutUint32(header[16:], 50000)
	binary.BigEndian.PutUint32(header[20:], 50000)
	binary.BigEndian.PutUint32(header[29:], crc32.ChecksumIEEE(header[12:29]))
	putAt(t, header, huge, "train", "cat", "huge.png")
	mixed := folder(t, "cat", "dog")
	putAt(t, onePixelPNG(t), mixed, "train", "cat", "small.png")
	list := putBytes(t, "list.txt", []byte("a.png cat\nb.png\n"))
	features := filepath.Join(t.TempDir(), "f.npz")
	put2 := func(name string, arrays map[string]*tensor.Tensor) string {
		path := filepath.Join(filepath.Dir(features), name)
		if err := npy.WriteZip(path, arrays); err != nil {
			t.Fatal(err)
		}
		return "features:" + path
	}
	x := tensor.Of([]float32{1, 2, 3, 4, 5, 6, 7, 8}, 4, 2)
	for _, c := range []struct {
		data  string
		words []string
	}{
		{"cifar10", []string{"cifar10", "not found"}},
		{"cifar100 --data-dir nowhere", []string{"not found", "nowhere"}},
		{"nosuch", []string{"nosuch"}},
		{"folder:nowhere", []string{"nowhere"}},
		{"folder:" + t.TempDir(), []string{"folder"}},
		{"folder:" + corrupt, []string{"bad.png"}},
		{"folder:" + cutJPEG, []string{"cut.jpg"}},
		{"folder:" + huge, []string{"huge.png", "50000"}},
		{"folder:" + mixed, []string{"small.png"}},
		{"list:" + list, []string{"list.txt", "2", "b.png"}},
		{"idx:" + t.TempDir(), []string{"idx"}},
		{"features:nowhere.npz", []string{"nowhere.npz"}},
		{"features:" + putBytes(t, "f.npz", []byte("PK nonsense")), []string{"f.npz", "zip"}},
		{put2("nan.npz", map[string]*tensor.Tensor{"x": tensor.Of([]float32{1, 2, float32(math.NaN()), 4}, 2, 2), "y": tensor.Of([]int64{0, 1}, 2)}), []string{"NaN"}},
		{put2("lengths.npz", map[string]*tensor.Tensor{"x": x, "y": tensor.Of([]int64{0, 1}, 2)}), []string{"4", "2"}},
		{put2("range.npz", map[string]*tensor.Tensor{"x": x, "y": tensor.Of([]int64{0, 1, -3, 1}, 4)}), []string{"-3"}},
		{put2("noy.npz", map[string]*tensor.Tensor{"x": x}), []string{"y"}},
		{put2("gap.npz", map[string]*tensor.Tensor{"x": x, "y": tensor.Of([]int64{0, 0, 2, 2}, 4)}), []string{"class"}},
		{"fashion --imbalance 2", []string{"imbalance", "class"}},
	} {
		args := strings.Fields("--data " + c.data)
		refuse(t, exitFailed, c.words, append([]string{"data", "info"}, args...)...)
		refuse(t, exitFailed, c.words, append([]string{"explain"}, args...)...)
		refuse(t, exitFailed, c.words, append([]string{"train", "--epochs", "4", "-q"}, args...)...)
	}
	if left, _ := filepath.Glob("*"); left != nil {
		t.Errorf("refused data left %q behind", left)
	}
	for _, dir := range []string{corrupt, cutJPEG} {
		o := invoke(t, "data", "info", "--skip-bad", "--data", "folder:"+dir)
		if o.code != exitDone || !strings.Contains(o.out, "1 unreadable files left out") {
			t.Errorf("--skip-bad: exit %d\n%s%s", o.code, o.out, o.err)
		}
	}
}

func onePixelPNG(t *testing.T) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := png.Encode(&b, image.NewGray(image.Rect(0, 0, 1, 1))); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// TestBadConfig: settings files that are refused, naming what is wrong.
func TestBadConfig(t *testing.T) {
	for text, words := range map[string][]string{
		"epochs = ":       {"config"},
		"epoch = 3":       {`unknown setting "epoch"`, "did you mean epochs?"},
		"epochs = 'many'": {"epochs", "many"},
		"epochs = -1":     {"--epochs -1"},
		"[deep]\nlr = 1":  {`unknown setting "deep"`},
		"\x00\xff":        {"config"},
	} {
		refuse(t, exitUsage, words, "train", "--print-config", "--config", putBytes(t, "c.toml", []byte(text)))
	}
}

// TestManifest: data export names the images, and says when it cannot write.
func TestManifest(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Log("paths differ in the message only")
	}
	refuse(t, exitFailed, []string{"nowhere"}, "data", "export", "--out", filepath.Join(t.TempDir(), "nowhere", "m.json"))
	out := filepath.Join(t.TempDir(), "m.json")
	succeed(t, "data", "export", "--out", out)
	b, err := os.ReadFile(out)
	if err != nil || !bytes.Contains(b, []byte(`"schema"`)) {
		t.Fatalf("%v: %.100q", err, b)
	}
	if printed := succeed(t, "data", "export"); printed != string(b) {
		t.Error("data export prints another manifest than it writes")
	}
}
