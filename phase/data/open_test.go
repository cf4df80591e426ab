package data

import (
	"context"
	"errors"
	"fmt"
	"math"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"phase/tensor"
)

func mustOpen(t *testing.T, spec Spec) *Pair {
	t.Helper()
	p, err := Open(t.Context(), spec)
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

func TestRealCIFAR(t *testing.T) {
	if testing.Short() {
		t.Skip("skipped: -short")
	}
	dir := realData(t)
	for _, k := range []struct {
		name, first string
		classes     int
		mean        [3]float64 // of the complete test sets
	}{
		{"cifar10", "airplane", 10, [3]float64{.4942, .4851, .4504}},
		{"cifar100", "apple", 100, [3]float64{.5088, .4874, .4419}},
	} {
		p, err := Open(t.Context(), Spec{Data: k.name, Dirs: []string{dir}})
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
		_, err := Open(t.Context(), Spec{Data: k.Name, Dirs: []string{filepath.Join("testdata", "none")}})
		if k.Folder == "" {
			if err != nil {
				t.Error(err)
			}
			continue
		}
		wantError(t, err, k.Name, filepath.Join("testdata", "none", k.Folder, k.Expects))
	}
}

// ImageNet-LT's lists as they are published: paths below one root, two files
// side by side elsewhere, labels that count classes, of which the test list
// here lacks one.
func TestListInTheFormOfImageNetLT(t *testing.T) {
	files := map[string][]byte{
		"lists/ImageNet_LT_train.txt": []byte("train/n01440764/n01440764_190.JPEG 0\ntrain/n01440764/n01440764_191.JPEG 0\ntrain/n01443537/n01443537_2.JPEG 1\ntrain/n01484850/n01484850_7.JPEG 2\n"),
		"lists/ImageNet_LT_test.txt":  []byte("val/ILSVRC2012_val_00000001.JPEG 2\nval/ILSVRC2012_val_00000002.JPEG 0\n"),
		"lists/names.txt":             []byte("n01440764 tench, Tinca tinca\nn01443537 goldfish\r\nn01484850 great white shark\n"),
	}
	for i, name := range []string{"train/n01440764/n01440764_190", "train/n01440764/n01440764_191", "train/n01443537/n01443537_2", "train/n01484850/n01484850_7",
		"val/ILSVRC2012_val_00000001", "val/ILSVRC2012_val_00000002"} {
		files["imagenet/"+name+".JPEG"] = jpegBytes(flat(i))
	}
	dir := tree(t, files)
	at := func(names ...string) string {
		for i, n := range names {
			if n != "" {
				names[i] = filepath.Join(dir, filepath.FromSlash(n))
			}
		}
		return "list:" + strings.Join(names, ",")
	}
	const train, test, root, names = "lists/ImageNet_LT_train.txt", "lists/ImageNet_LT_test.txt", "imagenet", "lists/names.txt"
	p := mustOpen(t, Spec{Data: at(train, test, root, names)})
	wantClasses(t, p.Train, "n01440764 tench, Tinca tinca", "n01443537 goldfish", "n01484850 great white shark")
	wantClasses(t, p.Test, p.Train.Classes()...)
	wantLabels(t, p.Train, 0, 0, 1, 2)
	wantLabels(t, p.Test, 2, 0)
	if got := Counts(p.Test); !slices.Equal(got, []int{1, 0, 1}) {
		t.Errorf("test counts %v, want [1 0 1]", got)
	}
	for i, ds := range []Dataset{p.Train, p.Train, p.Train, p.Train, p.Test, p.Test} {
		c := tint(i)
		near(t, pixelsOf(t, ds, i%4), 3, c.R, c.G, c.B)
	}
	p = mustOpen(t, Spec{Data: at(train, test, root)}) // without names, classes are called by their numbers
	wantClasses(t, p.Train, "0", "1", "2")
	p = mustOpen(t, Spec{Data: at(train, "", root, names)}) // without a test list, some are held out
	if p.Train.Len() != 3 || p.Test.Len() != 1 {
		t.Errorf("%d and %d images, want 3 and 1", p.Train.Len(), p.Test.Len())
	}
	write(t, filepath.Join(dir, "lists", "by name.txt"), []byte("train/n01443537/n01443537_2.JPEG\tn01443537 goldfish\n"))
	p = mustOpen(t, Spec{Data: at(train, "lists/by name.txt", root, names)})
	wantLabels(t, p.Test, 1)

	put := func(name, text string) string { write(t, filepath.Join(dir, name), []byte(text)); return name }
	for _, k := range []struct {
		data string
		say  []string
	}{
		{at(train, test), []string{filepath.Join(dir, "lists", "train"), "no such file"}}, // not below the lists' own folder
		{at(train, test, "nowhere"), []string{"nowhere", "no such file"}},
		{at(train, test, root, "nowhere.txt"), []string{"nowhere.txt"}},
		{at(train, test, root, put("two.txt", "tench\ngoldfish\n")), []string{"ImageNet_LT_train.txt", "line 4", `label "2"`, "2 classes of", "two.txt"}},
		{at(train, test, root, put("four.txt", "a\nb\nc\nd\n")), []string{"class 3 (d)", "no training samples"}},
		{at(train, test, root, put("twice.txt", "crane\nb\ncrane\n")), []string{"twice.txt", `classes 0 and 2 have the same name "crane"`}},
		{at(train, test, root, put("none.txt", "\n")), []string{"none.txt", "no class names"}},
		{at(train, put("test3.txt", "val/ILSVRC2012_val_00000001.JPEG 3\n"), root), []string{"test3.txt", "line 1", `label "3"`, "3 training classes"}},
		{at(train, put("up.txt", "../lists/names.txt 0\n"), root), []string{"up.txt", "line 1", "below the images' folder"}},
		{at(train, test, root, names) + ",more", []string{"want list:TRAIN[,TEST[,ROOT[,NAMES]]]"}},
		{"list:," + train, []string{"want list:TRAIN"}},
	} {
		_, err := Open(t.Context(), Spec{Data: k.data})
		wantError(t, err, k.say...)
	}
}

// A test set may be as uneven as it likes and lack classes; a class of one
// image is never held out.
func TestUnevenTestSets(t *testing.T) {
	files := map[string][]byte{}
	for class, n := range map[string][2]int{"a": {5, 1}, "b": {1, 7}, "c": {2, 0}} {
		for part, m := range map[string]int{"train": n[0], "test": n[1]} {
			for i := range m {
				files[fmt.Sprintf("%s/%s/%d.png", part, class, i)] = pngBytes(rgbImage(i, 2, 2))
			}
		}
	}
	dir := tree(t, files)
	p := mustOpen(t, Spec{Data: "folder:" + dir})
	if got := Counts(p.Test); !slices.Equal(got, []int{1, 7, 0}) {
		t.Errorf("test counts %v, want [1 7 0]", got)
	}
	wantClasses(t, p.Test, "a", "b", "c")
	p = mustOpen(t, Spec{Data: "folder:" + filepath.Join(dir, "train")})
	if train, test := Counts(p.Train), Counts(p.Test); !slices.Equal(train, []int{4, 1, 1}) || !slices.Equal(test, []int{1, 0, 1}) {
		t.Errorf("counts %v and %v, want [4 1 1] and [1 0 1]", train, test)
	}
}

// Progress counts each file once, in both sets; a done context ends Open, and
// the checksum, with its error.
func TestOpenReportsAndStops(t *testing.T) {
	files := map[string][]byte{}
	for i := range 40 {
		files[fmt.Sprintf("train/a/%d.png", i)] = pngBytes(rgbImage(i, 2, 2))
		files[fmt.Sprintf("test/a/%d.png", i/2)] = pngBytes(rgbImage(i, 2, 2))
	}
	dir := tree(t, files)
	last := 0
	spec := Spec{Data: "folder:" + dir, CacheBytes: -1, Progress: func(done, of int) {
		if done != last+1 || of != 60 {
			t.Errorf("%d of %d read after %d, want 60 in order", done, of, last)
		}
		last = done
	}}
	p := mustOpen(t, spec)
	if last != 60 {
		t.Errorf("%d images reported, want 60", last)
	}
	for _, at := range []int{1, 30, 45} { // in the training set, in the test set
		ctx, cancel := context.WithCancel(t.Context())
		last = 0
		spec.Progress = func(done, _ int) {
			if last = done; done == at {
				cancel()
			}
		}
		if _, err := Open(ctx, spec); !errors.Is(err, context.Canceled) {
			t.Errorf("cancelled at image %d: %v", at, err)
		}
		if last > at+runtime.GOMAXPROCS(0) {
			t.Errorf("cancelled at image %d, but %d were read", at, last)
		}
		if _, err := Checksum(ctx, p.Train); !errors.Is(err, context.Canceled) {
			t.Errorf("checksum: %v", err)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for _, data := range []string{"folder:testdata/pictures", "list:testdata/list.txt", "tinyimagenet"} {
		if _, err := Open(ctx, Spec{Data: data, Dirs: []string{"testdata"}, SkipBad: true}); !errors.Is(err, context.Canceled) {
			t.Errorf("%s: %v", data, err)
		}
	}
}
