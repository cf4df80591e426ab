package data

import (
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"phase/tensor"
)

func mustOpen(t *testing.T, spec Spec) *Pair {
	t.Helper()
	p, err := Open(spec)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func pixelsOf(t *testing.T, ds Dataset, i int) []uint8 {
	t.Helper()
	b := make([]uint8, ds.Shape().Size())
	if err := ds.(Images).Pixels(i, b); err != nil {
		t.Fatal(err)
	}
	return b
}

func wantLabels(t *testing.T, ds Dataset, want ...int) {
	t.Helper()
	if got := Labels(ds); !slices.Equal(got, want) {
		t.Errorf("labels %v, want %v", got, want)
	}
}

func wantClasses(t *testing.T, ds Dataset, want ...string) {
	t.Helper()
	if got := ds.Classes(); !slices.Equal(got, want) {
		t.Errorf("classes %q, want %q", got, want)
	}
}

func wantShape(t *testing.T, ds Dataset, want ...int) {
	t.Helper()
	if got := ds.Shape(); !got.Equal(want) {
		t.Errorf("shape %v, want %v", got, tensor.Shape(want))
	}
}

// near fails unless all pixels of 3 channels are within tol of want.
func near(t *testing.T, pix []uint8, tol int, want ...uint8) {
	t.Helper()
	for i, v := range pix {
		if d := int(v) - int(want[i%len(want)]); d > tol || d < -tol {
			t.Fatalf("byte %d is %d, want %d within %d", i, v, want[i%len(want)], tol)
		}
	}
}

// wantError fails unless err is one line that has all the parts.
func wantError(t *testing.T, err error, parts ...string) {
	t.Helper()
	if err == nil {
		t.Fatalf("no error, want one with %q", parts)
	}
	if strings.Contains(err.Error(), "\n") {
		t.Errorf("error has several lines: %q", err)
	}
	for _, p := range parts {
		if !strings.Contains(err.Error(), p) {
			t.Errorf("error %q does not say %q", err, p)
		}
	}
}

func TestFashionIsEmbedded(t *testing.T) {
	p := mustOpen(t, Spec{Data: "fashion"})
	wantShape(t, p.Train, 1, 28, 28)
	if got, want := Counts(p.Train), []int{600, 359, 215, 129, 77, 46, 27, 16, 10, 6}; !slices.Equal(got, want) {
		t.Errorf("training counts %v, want %v", got, want)
	}
	for class, n := range Counts(p.Test) {
		if n != 100 {
			t.Errorf("class %d has %d test images, want 100", class, n)
		}
	}
	if p.Test.Classes()[9] != "Ankle boot" {
		t.Errorf("class 9 is %q", p.Test.Classes()[9])
	}
	s, err := Statistics(p.Train.(Images))
	if err != nil {
		t.Fatal(err)
	}
	for _, pair := range [][2]float32{{s.Mean[0], p.Normalize.Mean[0]}, {s.Std[0], p.Normalize.Std[0]}} {
		if math.Abs(float64(pair[0]-pair[1])) > 5e-5 {
			t.Errorf("statistics %v, but the fixed ones are %v", s, p.Normalize)
		}
	}
	if license, err := fashion.ReadFile("fashion/LICENSE"); err != nil || !strings.Contains(string(license), "Zalando") {
		t.Errorf("the license is not embedded: %v", err)
	}
}

func TestIDX(t *testing.T) {
	p := mustOpen(t, Spec{Data: "idx:testdata/idx"})
	wantShape(t, p.Train, 1, 4, 3)
	wantShape(t, p.Test, 1, 4, 3)
	wantLabels(t, p.Train, 0, 1, 2, 1, 0)
	wantLabels(t, p.Test, 2, 1, 0, 0, 0)
	wantClasses(t, p.Test, "0", "1", "2")
	for i := range 5 {
		if !slices.Equal(pixelsOf(t, p.Train, i), gridPixels(i, 1, 4, 3, 1)) || !slices.Equal(pixelsOf(t, p.Test, i), gridPixels(5+i, 1, 4, 3, 1)) {
			t.Errorf("image %d differs", i)
		}
	}
}

func TestCIFAR10(t *testing.T) {
	for _, dir := range []string{"testdata", "testdata/cifar-10-batches-bin"} {
		p := mustOpen(t, Spec{Data: "cifar10", Dirs: []string{"testdata/none", dir}})
		wantShape(t, p.Train, 3, 32, 32)
		wantLabels(t, p.Train, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9)
		wantLabels(t, p.Test, 0, 1, 2, 3, 4)
		if p.Train.Classes()[9] != "truck" {
			t.Errorf("classes %q", p.Train.Classes())
		}
		for i := range 10 {
			if !slices.Equal(pixelsOf(t, p.Train, i), gridPixels(i, 1, 32, 32, 3)) {
				t.Errorf("image %d differs", i)
			}
		}
	}
}

// cifar100Files is a CIFAR-100 folder with one training image a class.
func cifar100Files() map[string][]byte {
	var labels [][]byte
	names := ""
	for i := range 100 {
		labels = append(labels, []byte{byte(i % 20), byte(99 - i)})
		names += fmt.Sprintf("class_%d\n", i)
	}
	return map[string][]byte{
		"cifar-100-binary/train.bin":            cifarBytes(0, labels...),
		"cifar-100-binary/test.bin":             cifarBytes(100, labels[:5]...),
		"cifar-100-binary/fine_label_names.txt": []byte(names),
	}
}

func TestCIFAR100UsesFineLabels(t *testing.T) {
	p := mustOpen(t, Spec{Data: "cifar100", Dirs: []string{tree(t, cifar100Files())}})
	wantLabels(t, p.Test, 99, 98, 97, 96, 95)
	if p.Train.Len() != 100 || p.Train.Classes()[42] != "class_42" {
		t.Errorf("%d images, class 42 is %q", p.Train.Len(), p.Train.Classes()[42])
	}
	if !slices.Equal(pixelsOf(t, p.Train, 7), gridPixels(7, 1, 32, 32, 3)) {
		t.Error("image 7 differs")
	}
}

// Official files are numbered 1 to 5, and 10 comes after 2.
func TestCIFARBatchesAreOrderedByNumber(t *testing.T) {
	files := map[string][]byte{"batches.meta.txt": fixtures()["cifar-10-batches-bin/batches.meta.txt"]}
	for _, n := range []int{1, 2, 10} {
		files[fmt.Sprintf("data_batch_%d.bin", n)] = cifarBytes(0, labelBytes(0, 10)...)
	}
	files["data_batch_x.bin"] = []byte("no number, not read")
	f, err := openFolder(tree(t, files))
	if err != nil {
		t.Fatal(err)
	}
	got, err := cifar10.trainFiles(f)
	if want := []string{"data_batch_1.bin", "data_batch_2.bin", "data_batch_10.bin"}; err != nil || !slices.Equal(got, want) {
		t.Errorf("files %v, %v, want %v", got, err, want)
	}
}

func checkPictures(t *testing.T, train Dataset) {
	t.Helper()
	if !slices.Equal(pixelsOf(t, train, 0), gridPixels(0, 1, 8, 8, 3)) {
		t.Error("a.png differs")
	}
	near(t, pixelsOf(t, train, 1), 0, 0xab, 0xab, 0xab) // upper half of 16 bits
	near(t, pixelsOf(t, train, 2), 1, 100, 50, 25)      // half alpha over black
	c := tint(3)
	near(t, pixelsOf(t, train, 3), 3, c.R, c.G, c.B)
	near(t, pixelsOf(t, train, 4), 2, 77, 77, 77) // gray JPEG becomes RGB
}

func TestFolder(t *testing.T) {
	for _, cache := range []int64{0, -1} {
		p := mustOpen(t, Spec{Data: "folder:testdata/pictures", CacheBytes: cache})
		wantClasses(t, p.Train, "cat", "dog")
		wantClasses(t, p.Test, "cat", "dog")
		wantLabels(t, p.Train, 0, 0, 0, 1, 1)
		wantLabels(t, p.Test, 0, 1)
		wantShape(t, p.Train, 3, 8, 8)
		checkPictures(t, p.Train)
		if _, cached := p.Train.(*memoryImages); cached != (cache == 0) {
			t.Errorf("cache %d: data set is a %T", cache, p.Train)
		}
	}
}

func TestFolderOrderIsThatOfBytes(t *testing.T) {
	files := map[string][]byte{}
	for _, class := range []string{"b", "B", "10", "9", "a b", ".hidden"} {
		for i := range 2 {
			files[fmt.Sprintf("%s/%d.png", class, i)] = pngBytes(rgbImage(i, 2, 2))
		}
	}
	p := mustOpen(t, Spec{Data: "folder:" + tree(t, files), Holdout: 0.5})
	wantClasses(t, p.Train, "10", "9", "B", "a b", "b")
	wantLabels(t, p.Train, 0, 1, 2, 3, 4)
	wantLabels(t, p.Test, 0, 1, 2, 3, 4)
}

func TestFolderWithoutTestIsSplit(t *testing.T) {
	p := mustOpen(t, Spec{Data: "folder:testdata/pictures/train", Holdout: 0.4})
	if !slices.Equal(Counts(p.Train), []int{2, 1}) || !slices.Equal(Counts(p.Test), []int{1, 1}) {
		t.Errorf("counts %v and %v, want [2 1] and [1 1]", Counts(p.Train), Counts(p.Test))
	}
}

func TestHoldOut(t *testing.T) {
	var labels []int
	for class, n := range []int{100, 10, 2, 1} {
		for range n {
			labels = append(labels, class)
		}
	}
	stay, held := holdOut(labels, 4, 0.2, 7)
	count := make([]int, 4)
	for _, i := range held {
		count[labels[i]]++
	}
	if want := []int{20, 2, 1, 0}; !slices.Equal(count, want) {
		t.Errorf("held out %v, want %v", count, want)
	}
	all := slices.Sorted(slices.Values(append(slices.Clone(stay), held...)))
	for i, v := range all {
		if i != v {
			t.Fatalf("sample %d is lost or doubled", i)
		}
	}
	_, again := holdOut(labels, 4, 0.2, 7)
	_, other := holdOut(labels, 4, 0.2, 8)
	if !slices.Equal(held, again) || slices.Equal(held, other) {
		t.Error("the split is not a function of the seed, or is the same for all")
	}
	_, twins := holdOut(append(make([]int, 50), slices.Repeat([]int{1}, 50)...), 2, 0.2, 7)
	if slices.EqualFunc(twins[:10], twins[10:], func(a, b int) bool { return a+50 == b }) {
		t.Error("two classes of one size are split at the same places")
	}
	_, fewer := holdOut(labels[:110], 2, 0.2, 7) // a class's split does not hang on other classes
	if !slices.Equal(fewer, held[:22]) {
		t.Error("the split of a class changes when other classes go")
	}
}

func TestList(t *testing.T) {
	p := mustOpen(t, Spec{Data: "list:testdata/list.txt,testdata/list.txt"})
	wantClasses(t, p.Train, "cat", "dog")
	wantLabels(t, p.Train, 0, 1, 1, 0, 1)
	wantLabels(t, p.Test, 0, 1, 1, 0, 1)
	near(t, pixelsOf(t, p.Train, 1), 2, 77, 77, 77)
	if !slices.Equal(pixelsOf(t, p.Train, 3), gridPixels(5, 1, 8, 8, 3)) {
		t.Error("f.png differs")
	}
	p = mustOpen(t, Spec{Data: "list:testdata/list.txt"})
	if p.Train.Len() != 3 || p.Test.Len() != 2 {
		t.Errorf("%d and %d images, want 3 and 2", p.Train.Len(), p.Test.Len())
	}
}

func TestListOfNumbersIsInTheirOrder(t *testing.T) {
	files := map[string][]byte{"l.txt": nil}
	for i := range 11 {
		files[fmt.Sprintf("%d.png", i)] = pngBytes(rgbImage(i, 2, 2))
		files["l.txt"] = fmt.Appendf(files["l.txt"], "%d.png %d\n", i, i)
	}
	files["t.txt"] = []byte("\ufeff3.png 07\n")
	dir := tree(t, files)
	p := mustOpen(t, Spec{Data: "list:" + filepath.Join(dir, "l.txt") + "," + filepath.Join(dir, "t.txt")})
	if p.Train.Classes()[10] != "10" || p.Train.Label(10) != 10 {
		t.Errorf("classes %q", p.Train.Classes())
	}
	wantLabels(t, p.Test, 7)
}

func TestTinyImageNet(t *testing.T) {
	p := mustOpen(t, Spec{Data: "tinyimagenet", Dirs: []string{"testdata"}})
	wantClasses(t, p.Train, "crane (n00000001)", "crane (n00000002)")
	wantLabels(t, p.Train, 0, 0, 1, 1, 1)
	wantLabels(t, p.Test, 1, 0)
	near(t, pixelsOf(t, p.Train, 4), 2, 200, 200, 200)
	c := tint(1)
	near(t, pixelsOf(t, p.Test, 1), 3, c.R, c.G, c.B)
}

func TestSize(t *testing.T) {
	for data, shape := range map[string]tensor.Shape{
		"folder:testdata/pictures": {3, 5, 5},
		"idx:testdata/idx":         {1, 5, 5},
		"cifar10":                  {3, 5, 5},
	} {
		p := mustOpen(t, Spec{Data: data, Dirs: []string{"testdata"}, Size: 5})
		wantShape(t, p.Train, shape...)
		wantShape(t, p.Test, shape...)
		if len(pixelsOf(t, p.Train, 0)) != shape.Size() {
			t.Error("wrong number of bytes")
		}
	}
	// An image of one colour stays of that colour.
	p := mustOpen(t, Spec{Data: "folder:testdata/pictures", Size: 13})
	near(t, pixelsOf(t, p.Train, 4), 2, 77, 77, 77)
	// Resizing in memory and on decoding is the same thing.
	m, err := NewImages(gridPixels(0, 1, 8, 8, 3), 8, 8, 3, []int{0}, []string{"a"})
	if err != nil {
		t.Fatal(err)
	}
	small, err := m.(*memoryImages).resized(3, 3)
	if err != nil {
		t.Fatal(err)
	}
	pix, _, _, err := Decoder{H: 3, W: 3}.Decode(pngBytes(rgbImage(0, 8, 8)))
	if err != nil || !slices.Equal(pix, small.pixels) {
		t.Errorf("%v differs from %v (%v)", pix, small.pixels, err)
	}
}

func TestImagesOfDifferentSizes(t *testing.T) {
	dir := tree(t, map[string][]byte{
		"a/0.png": pngBytes(rgbImage(0, 4, 4)), "a/1.png": pngBytes(rgbImage(1, 4, 6)), "a/2.png": pngBytes(rgbImage(2, 4, 4)),
	})
	for _, skip := range []bool{false, true} { // not damage: never skipped in silence
		_, err := Open(Spec{Data: "folder:" + dir, SkipBad: skip})
		wantError(t, err, "4x6", "4x4", "1.png")
	}
	mustOpen(t, Spec{Data: "folder:" + dir, Size: 4})
}

func TestSkipBad(t *testing.T) {
	files := map[string][]byte{}
	for i := range 6 {
		files[fmt.Sprintf("train/a/%d.png", i)] = pngBytes(rgbImage(i, 4, 4))
	}
	files["test/a/0.png"] = files["train/a/0.png"]
	files["train/a/0.png"] = nil
	files["train/a/3.png"] = files["train/a/3.png"][:60]
	files["test/a/9.jpg"] = []byte("hello")
	dir := tree(t, files)
	_, err := Open(Spec{Data: "folder:" + dir})
	wantError(t, err, filepath.Join("train", "a", "0.png"), "empty")
	for _, cache := range []int64{0, -1} {
		p := mustOpen(t, Spec{Data: "folder:" + dir, SkipBad: true, CacheBytes: cache})
		if p.Train.Len() != 4 || p.Test.Len() != 1 || len(p.Skipped) != 3 {
			t.Fatalf("%d and %d images, %d skipped, want 4, 1 and 3", p.Train.Len(), p.Test.Len(), len(p.Skipped))
		}
		for k, i := range []int{1, 2, 4, 5} {
			if !slices.Equal(pixelsOf(t, p.Train, k), gridPixels(i, 1, 4, 4, 3)) {
				t.Errorf("image %d is not %d.png", k, i)
			}
		}
		for k, name := range []string{"0.png", "3.png", "9.jpg"} {
			if !strings.HasSuffix(p.Skipped[k].Path, name) {
				t.Errorf("skipped %q, want %s", p.Skipped[k].Path, name)
			}
			wantError(t, p.Skipped[k].Err, name)
		}
	}
	for i := range 6 {
		write(t, filepath.Join(dir, fmt.Sprintf("train/a/%d.png", i)), []byte("bad"))
	}
	_, err = Open(Spec{Data: "folder:" + dir, SkipBad: true})
	wantError(t, err, "none of 6")
}

func TestSubset(t *testing.T) {
	p := mustOpen(t, Spec{Data: "cifar10", Dirs: []string{"testdata"}})
	s := Subset(Subset(p.Train, []int{9, 3, 3, 7}), []int{3, 0, 1})
	wantLabels(t, s, 7, 9, 3)
	if !slices.Equal(pixelsOf(t, s, 0), gridPixels(7, 1, 32, 32, 3)) {
		t.Error("image 7 differs")
	}
	f, err := NewFeatures([]float32{1, 2, 3, 4, 5, 6}, 2, []int{0, 1, 1}, []string{"a", "b"})
	if err != nil {
		t.Fatal(err)
	}
	row := make([]float32, 2)
	if err := Subset(f, []int{2}).(Features).Row(0, row); err != nil || row[0] != 5 || row[1] != 6 {
		t.Errorf("row %v (%v), want [5 6]", row, err)
	}
	if err := tensor.Catch(func() { Subset(f, []int{0, 3}) }); err == nil {
		t.Error("index 3 of 3 was accepted")
	}
}

func TestChecksum(t *testing.T) {
	sum := func(ds Dataset) string {
		t.Helper()
		s, err := Checksum(ds)
		if err != nil || len(s) != 64 {
			t.Fatalf("%q, %v", s, err)
		}
		return s
	}
	a := mustOpen(t, Spec{Data: "folder:testdata/pictures"})
	b := mustOpen(t, Spec{Data: "folder:testdata/pictures", CacheBytes: -1})
	if sum(a.Train) != sum(b.Train) {
		t.Error("the checksum hangs on how the data is held")
	}
	x := []uint8{1, 2, 3, 4}
	seen := map[string]string{}
	for what, ds := range map[string]func() (Images, error){
		"as it is": func() (Images, error) { return NewImages(x, 1, 2, 1, []int{0, 1}, []string{"a", "b"}) },
		"pixel": func() (Images, error) {
			return NewImages([]uint8{1, 2, 3, 5}, 1, 2, 1, []int{0, 1}, []string{"a", "b"})
		},
		"label": func() (Images, error) { return NewImages(x, 1, 2, 1, []int{1, 0}, []string{"a", "b"}) },
		"name":  func() (Images, error) { return NewImages(x, 1, 2, 1, []int{0, 1}, []string{"a", "c"}) },
		"shape": func() (Images, error) { return NewImages(x, 2, 1, 1, []int{0, 1}, []string{"a", "b"}) },
	} {
		ds2, err := ds()
		if err != nil {
			t.Fatal(err)
		}
		s := sum(ds2)
		if other, twice := seen[s]; twice {
			t.Errorf("%s and %s have one checksum", what, other)
		}
		seen[s] = what
	}
}

func TestChecksumOfFeatures(t *testing.T) {
	seen := map[string]bool{}
	for _, x := range [][]float32{{1, 2}, {1, 3}, {2, 1}} {
		f, err := NewFeatures(x, 1, []int{0, 0}, []string{"a"})
		if err != nil {
			t.Fatal(err)
		}
		s, err := Checksum(f)
		if err != nil {
			t.Fatal(err)
		}
		seen[s] = true
	}
	if len(seen) != 3 {
		t.Errorf("%d checksums of 3 data sets", len(seen))
	}
}

// A test set is matched with the training classes by name, never by position.
func TestTestClassesAreMatchedByName(t *testing.T) {
	one := pngBytes(rgbImage(0, 2, 2))
	p := mustOpen(t, Spec{Data: "folder:" + tree(t, map[string][]byte{
		"train/a/0.png": one, "train/b/0.png": one, "train/c/0.png": one, "train/c/.ipynb_checkpoints/0.png": one, "train/c/.0.png": nil,
		"val/c/0.png": one, "val/b/0.png": one,
	})})
	wantLabels(t, p.Train, 0, 1, 2)
	wantLabels(t, p.Test, 1, 2)
	wantClasses(t, p.Test, "a", "b", "c")
}

// A file that goes away after Open is an error of the batch that needs it.
func TestFileGoesAway(t *testing.T) {
	files := map[string][]byte{}
	for i := range 6 {
		files[fmt.Sprintf("a/%d.png", i)] = pngBytes(rgbImage(i, 2, 2))
	}
	dir := tree(t, files)
	p := mustOpen(t, Spec{Data: "folder:" + dir, CacheBytes: -1})
	for i := range 6 {
		if err := os.Remove(filepath.Join(dir, "a", fmt.Sprintf("%d.png", i))); err != nil {
			t.Fatal(err)
		}
	}
	for _, err := range (&Loader{Data: p.Train, Workers: 2}).Epoch(t.Context(), 0, 0) {
		wantError(t, err, ".png", "no such file")
	}
	_, err := Checksum(p.Train)
	wantError(t, err, ".png")
}

func TestRealCIFAR(t *testing.T) {
	dir := realData(t)
	for _, k := range []struct {
		name, first string
		classes     int
		mean        [3]float64 // of the complete test sets
	}{
		{"cifar10", "airplane", 10, [3]float64{.4942, .4851, .4504}},
		{"cifar100", "apple", 100, [3]float64{.5088, .4874, .4419}},
	} {
		p, err := Open(Spec{Data: k.name, Dirs: []string{dir}})
		if err != nil {
			t.Fatal(err)
		}
		if p.Test.Len() != 10000 || len(p.Test.Classes()) != k.classes || p.Test.Classes()[0] != k.first {
			t.Errorf("%s: %d test images of %d classes, the first %q", k.name, p.Test.Len(), len(p.Test.Classes()), p.Test.Classes()[0])
		}
		for class, n := range Counts(p.Test) {
			if n != 10000/k.classes {
				t.Errorf("%s: class %d has %d test images, want %d", k.name, class, n, 10000/k.classes)
			}
		}
		s, err := Statistics(p.Test.(Images))
		if err != nil {
			t.Fatal(err)
		}
		for c, want := range k.mean {
			if math.Abs(float64(s.Mean[c])-want) > 2e-4 {
				t.Errorf("%s: mean of channel %d is %v, want %v", k.name, c, s.Mean[c], want)
			}
		}
	}
}

func TestKnownNamesAreOpenedByThem(t *testing.T) {
	for _, k := range Known() {
		_, err := Open(Spec{Data: k.Name, Dirs: []string{filepath.Join("testdata", "none")}})
		if k.Folder == "" {
			if err != nil {
				t.Error(err)
			}
			continue
		}
		wantError(t, err, k.Name, filepath.Join("testdata", "none", k.Folder, k.Expects))
	}
}
