package data

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"phase/tensor"
)

func TestIDXRefused(t *testing.T) {
	images, labels := idxBytes(gridPixels(0, 5, 4, 3, 1), 5, 4, 3), idxBytes([]uint8{0, 1, 2, 1, 0}, 5)
	for name, k := range map[string]struct {
		file string
		b    []byte
		say  []string
	}{
		"empty":           {"train-images-idx3-ubyte", nil, []string{"header", "ends after 0 bytes"}},
		"short header":    {"train-images-idx3-ubyte", images[:10], []string{"header", "after byte 4", "ends after 6 bytes, want 12"}},
		"magic":           {"train-images-idx3-ubyte", labels, []string{"byte 0", "00 00 08 01"}},
		"cut":             {"train-images-idx3-ubyte", images[:70], []string{"ends after 54 bytes, want 60"}},
		"too long":        {"train-images-idx3-ubyte", append(images[:76:76], 0), []string{"byte 76"}},
		"gz cut":          {"train-images-idx3-ubyte.gz", gz(images)[:40], []string{"ends after"}},
		"not gz":          {"train-images-idx3-ubyte.gz", images, []string{"broken gzip"}},
		"gz checksum":     {"train-images-idx3-ubyte.gz", flipByte(gz(images), -8), []string{"checksum"}},
		"gz and more":     {"train-images-idx3-ubyte.gz", append(gz(images), "tail"...), []string{"train-images-idx3-ubyte.gz"}},
		"no images":       {"train-images-idx3-ubyte", idxBytes(nil, 0, 4, 3), []string{"byte 4", "extent 0"}},
		"huge count":      {"train-images-idx3-ubyte", idxBytes(nil, -1, 4, 3), []string{"byte 4", "4294967295"}},
		"huge height":     {"train-images-idx3-ubyte", idxBytes(nil, 5, -1<<31, 3), []string{"byte 8"}},
		"huge product":    {"train-images-idx3-ubyte", idxBytes(nil, 1<<28, 1<<15, 1<<15), []string{"at most"}},
		"large lie":       {"train-images-idx3-ubyte", idxBytes(nil, 1<<14, 1<<8, 1<<8), []string{"ends after 0 bytes, want 1073741824"}},
		"label count":     {"train-labels-idx1-ubyte", idxBytes([]uint8{0, 1}, 2), []string{"2 labels", "5 images"}},
		"test label":      {"t10k-labels-idx1-ubyte", idxBytes([]uint8{0, 1, 2, 9, 0}, 5), []string{"byte 11", "label 9 of image 3", "0 to 2"}},
		"class missing":   {"train-labels-idx1-ubyte", idxBytes([]uint8{0, 3, 2, 3, 0}, 5), []string{"class 1", "no training samples"}},
		"other test size": {"t10k-images-idx3-ubyte", idxBytes(gridPixels(0, 5, 3, 4, 1), 5, 3, 4), []string{"(1,4,3)", "(1,3,4)"}},
	} {
		files := map[string][]byte{"train-images-idx3-ubyte": images, "train-labels-idx1-ubyte": labels, "t10k-images-idx3-ubyte": images, "t10k-labels-idx1-ubyte": labels}
		delete(files, strings.TrimSuffix(k.file, ".gz"))
		files[k.file] = k.b
		dir := tree(t, files)
		var err error
		used := allocated(func() { _, err = Open(t.Context(), Spec{Data: "idx:" + dir}) })
		if err == nil {
			t.Errorf("%s: accepted", name)
			continue
		}
		wantError(t, err, k.say...)
		if used > 3<<20 {
			t.Errorf("%s: asked for %d bytes", name, used)
		}
	}
	dir := tree(t, map[string][]byte{"train-images-idx3-ubyte": images})
	_, err := Open(t.Context(), Spec{Data: "idx:" + dir})
	wantError(t, err, filepath.Join(dir, "train-labels-idx1-ubyte"))
}

// flipByte changes one byte of b; a negative position counts from the end.
func flipByte(b []byte, at int) []byte {
	b = slices.Clone(b)
	b[(at+len(b))%len(b)] ^= 0x55
	return b
}

func TestCIFARRefused(t *testing.T) {
	ten := cifarBytes(0, labelBytes(0, 10)...)
	label := func(record int) []byte {
		b := slices.Clone(ten)
		b[record*3073] = 10
		return b
	}
	names := fixtures()["cifar-10-batches-bin/batches.meta.txt"]
	for name, k := range map[string]struct {
		file string
		b    []byte
		say  []string
	}{
		"empty":       {"data_batch_1.bin", nil, []string{"data_batch_1.bin", "empty"}},
		"cut":         {"data_batch_1.bin", ten[:4*3073+100], []string{"record 4 (byte 12292) has 100 bytes, want 3073"}},
		"label":       {"data_batch_1.bin", label(5), []string{"record 5 (byte 15365): label 10, want 0 to 9"}},
		"test label":  {"test_batch.bin", label(1), []string{"test_batch.bin", "record 1 (byte 3073)"}},
		"few names":   {"batches.meta.txt", []byte("a\nb\n"), []string{"2 class names, want 10"}},
		"same names":  {"batches.meta.txt", []byte(strings.Repeat("a\n", 10)), []string{"same name"}},
		"no class 9":  {"data_batch_1.bin", ten[:9*3073], []string{"class 9 (truck)", "no training samples"}},
		"long names":  {"batches.meta.txt", make([]byte, 1<<17), []string{"want at most 65536"}},
		"CIFAR-100's": {"data_batch_1.bin", cifarBytes(0, []byte{0, 1}, []byte{1, 2}), []string{"record 2"}},
	} {
		files := map[string][]byte{"data_batch_1.bin": ten, "test_batch.bin": ten, "batches.meta.txt": names}
		files[k.file] = k.b
		for n, b := range files {
			delete(files, n)
			files["cifar-10-batches-bin/"+n] = b
		}
		_, err := Open(t.Context(), Spec{Data: "cifar10", Dirs: []string{tree(t, files)}})
		if err == nil {
			t.Errorf("%s: accepted", name)
			continue
		}
		wantError(t, err, k.say...)
	}
	files := cifar100Files()
	files["cifar-100-binary/train.bin"][3074] = 20
	_, err := Open(t.Context(), Spec{Data: "cifar100", Dirs: []string{tree(t, files)}})
	wantError(t, err, "record 1 (byte 3074): label 20, want 0 to 19") // the coarse one
	files["cifar-100-binary/train.bin"][3074] = 1
	files["cifar-100-binary/train.bin"][3075] = 200
	_, err = Open(t.Context(), Spec{Data: "cifar100", Dirs: []string{tree(t, files)}})
	wantError(t, err, "record 1 (byte 3075): label 200, want 0 to 99")
}

func TestListRefused(t *testing.T) {
	for list, say := range map[string][]string{
		"":                              {"no lines"},
		"\r\n \n":                       {"no lines"},
		"a.png":                         {"line 1", "a space and a label"},
		"a.png 0\nb.png 1\n../up.png 0": {"line 3", "../up.png"},
		"/etc/passwd 0":                 {"line 1", "/etc/passwd"},
		"a/../../up.png 0":              {"line 1", "below the images' folder"},
		"a.png 0\na.png -1":             {"line 2", "label -1"},
		"a.png 0\na.png 99999999":       {"line 2", "label 99999999"},
		"a.png 0\nmissing.png 0":        {"missing.png", "no such file"},
		"a.png 0\na.png 2\na.png 2":     {"class 1", "no training samples"},
		"a.png 0\nfolder 0":             {"folder", "is a folder"},
	} {
		dir := tree(t, map[string][]byte{"a.png": pngBytes(rgbImage(0, 2, 2)), "folder/x": nil, "l.txt": []byte(list)})
		_, err := Open(t.Context(), Spec{Data: "list:" + filepath.Join(dir, "l.txt")})
		if err == nil {
			t.Errorf("%q: accepted", list)
			continue
		}
		wantError(t, err, append(say, dir)...)
	}
	dir := tree(t, map[string][]byte{"a.png": pngBytes(rgbImage(0, 2, 2)), "l.txt": []byte("a.png x"), "t.txt": []byte("a.png x\na.png y")})
	_, err := Open(t.Context(), Spec{Data: "list:" + filepath.Join(dir, "l.txt") + "," + filepath.Join(dir, "t.txt")})
	wantError(t, err, "t.txt", "line 2", `label "y"`)
	_, err = Open(t.Context(), Spec{Data: "list:" + filepath.Join(dir, "l.txt")})
	wantError(t, err, "held out")
}

func TestFolderRefused(t *testing.T) {
	one := pngBytes(rgbImage(0, 2, 2))
	for name, k := range map[string]struct {
		files map[string][]byte
		say   []string
	}{
		"no classes":      {map[string][]byte{"a.png": one}, []string{"no class folders"}},
		"no images":       {map[string][]byte{"a/x.png": one, "b/x.gif": one}, []string{"class without images"}},
		"unknown class":   {map[string][]byte{"train/a/x.png": one, "test/A/x.png": one}, []string{`class "A"`, "1 training classes"}},
		"empty test":      {map[string][]byte{"train/a/x.png": one, "test/a/x.txt": one}, []string{"test", "no images"}},
		"train is a file": {map[string][]byte{"train": one}, []string{"train"}},
	} {
		_, err := Open(t.Context(), Spec{Data: "folder:" + tree(t, k.files)})
		if err == nil {
			t.Errorf("%s: accepted", name)
			continue
		}
		wantError(t, err, k.say...)
	}
}

func TestTinyImageNetRefused(t *testing.T) {
	for change, say := range map[[2]string][]string{
		{"val/val_annotations.txt", "val_0.JPEG"}:                       {"line 1", "want a file name"},
		{"val/val_annotations.txt", "val_0.JPEG\tn9\t0"}:                {"line 1", `class "n9"`},
		{"val/val_annotations.txt", ""}:                                 {"no images"},
		{"val/val_annotations.txt", "../../words.txt\tn00000001"}:       {"out of"},
		{"val/val_annotations.txt", "val_7.JPEG\tn00000001"}:            {"val_7.JPEG", "no such file"},
		{"train/n00000003/images/readme", "a class without images"}:     {"n00000003", "without images"},
		{"train/n00000002/images/n00000002_0.JPEG", "no image content"}: {"n00000002_0.JPEG", "neither PNG nor JPEG"},
	} {
		files := map[string][]byte{}
		for name, b := range fixtures() {
			if strings.HasPrefix(name, "tiny-imagenet-200/") {
				files[name] = b
			}
		}
		files["tiny-imagenet-200/"+change[0]] = []byte(change[1])
		_, err := Open(t.Context(), Spec{Data: "tinyimagenet", Dirs: []string{tree(t, files)}})
		if err == nil {
			t.Errorf("%q: accepted", change)
			continue
		}
		wantError(t, err, say...)
	}
}

func TestSpecRefused(t *testing.T) {
	for _, k := range []struct {
		spec Spec
		say  string
	}{
		{Spec{Data: "cifar"}, "want one of fashion, cifar10"},
		{Spec{Data: ""}, "no such data set"},
		{Spec{Data: "zip:x"}, `kind "zip"`},
		{Spec{Data: "folder:"}, "no path"},
		{Spec{Data: "folder:testdata/none"}, "no such file"},
		{Spec{Data: "folder:testdata/list.txt"}, "not a directory"},
		{Spec{Data: "cifar10"}, "no folder to look"},
		{Spec{Data: "features:testdata/none.npz"}, "no such file"},
		{Spec{Data: "features:testdata/list.txt"}, "list.txt: npz"},
		{Spec{Data: "fashion", Size: -1}, "size -1"},
		{Spec{Data: "fashion", Size: 1 << 20}, "1 to 16384"},
		{Spec{Data: "fashion", Holdout: 1}, "holdout 1"},
		{Spec{Data: "fashion", MaxPixels: -1}, "limit of -1"},
	} {
		_, err := Open(t.Context(), k.spec)
		wantError(t, err, k.say)
	}
}

// A link that stays inside is followed; one that leads out is refused, and so
// is a whole class folder outside.
func TestLinksOutOfTheFolder(t *testing.T) {
	one := pngBytes(rgbImage(0, 2, 2))
	outside := tree(t, map[string][]byte{"secret.png": one, "class/x.png": one})
	link := func(t *testing.T, to, at string) {
		if err := os.Symlink(to, at); err != nil {
			t.Skipf("skipped: no symbolic links here: %v", err)
		}
	}
	files := map[string][]byte{"a/1.png": one, "a/2.png": one, "a/3.png": one, "l.txt": []byte("a/1.png x\na/2.png x\nin.png x\n")}
	t.Run("inside", func(t *testing.T) {
		dir := tree(t, files)
		link(t, filepath.Join("a", "1.png"), filepath.Join(dir, "in.png"))
		link(t, "a", filepath.Join(dir, "b"))
		if p := mustOpen(t, Spec{Data: "folder:" + dir}); len(p.Train.Classes()) != 2 {
			t.Errorf("classes %q, want a and b", p.Train.Classes())
		}
		mustOpen(t, Spec{Data: "list:" + filepath.Join(dir, "l.txt")})
	})
	for name, to := range map[string]string{"absolute": filepath.Join(outside, "secret.png"), "relative": "../../../../../../../../../../../.." + filepath.ToSlash(outside) + "/secret.png"} {
		t.Run(name, func(t *testing.T) {
			dir := tree(t, files)
			link(t, to, filepath.Join(dir, "a", "out.png"))
			_, err := Open(t.Context(), Spec{Data: "folder:" + dir})
			wantError(t, err, "out.png", "escapes")
			link(t, to, filepath.Join(dir, "in.png"))
			_, err = Open(t.Context(), Spec{Data: "list:" + filepath.Join(dir, "l.txt")})
			wantError(t, err, "in.png", "escapes")
		})
	}
	t.Run("class folder", func(t *testing.T) {
		dir := tree(t, files)
		link(t, filepath.Join(outside, "class"), filepath.Join(dir, "c"))
		_, err := Open(t.Context(), Spec{Data: "folder:" + dir})
		wantError(t, err, "c", "escapes")
	})
	t.Run("loop", func(t *testing.T) {
		dir := tree(t, files)
		link(t, "loop.png", filepath.Join(dir, "a", "loop.png"))
		_, err := Open(t.Context(), Spec{Data: "folder:" + dir})
		wantError(t, err, "loop.png")
	})
}

func TestNamesThatBiteStayOnOneLine(t *testing.T) {
	dir := t.TempDir()
	if err := os.MkdirAll(filepath.Join(dir, "a"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "a", "x\n\x1b[31m.png"), nil, 0o644); err != nil {
		t.Skipf("skipped: no such names here: %v", err)
	}
	write(t, filepath.Join(dir, "a", "y.png"), nil)
	_, err := Open(t.Context(), Spec{Data: "folder:" + dir})
	wantError(t, err, "empty")
	if strings.ContainsAny(err.Error(), "\n\x1b") {
		t.Errorf("control characters in %q", err)
	}
}

func TestNewImagesAndFeaturesRefused(t *testing.T) {
	ab := []string{"a", "b"}
	for _, f := range []func() error{
		func() error { _, err := NewImages(make([]uint8, 5), 1, 2, 1, []int{0, 1}, ab); return err },
		func() error { _, err := NewImages(nil, 0, 2, 1, nil, ab); return err },
		func() error { _, err := NewImages(make([]uint8, 4), 1, 2, 1, []int{0, 2}, ab); return err },
		func() error { _, err := NewFeatures(make([]float32, 5), 2, []int{0, 1}, ab); return err },
		func() error { _, err := NewFeatures(nil, 0, nil, ab); return err },
		func() error { _, err := NewFeatures(make([]float32, 4), 2, []int{0, -1}, ab); return err },
		func() error { _, err := NewFeatures(make([]float32, 2), 2, []int{0}, []string{"a", "a"}); return err },
	} {
		wantError(t, f(), "")
	}
}

func FuzzIDX(f *testing.F) {
	f.Add(idxBytes(gridPixels(0, 5, 4, 3, 1), 5, 4, 3), 3)
	f.Add(idxBytes([]uint8{0, 1}, 2), 1)
	f.Add(idxBytes(nil, 1<<28, 1<<15, 1<<15), 3)
	f.Fuzz(func(t *testing.T, b []byte, axes int) {
		axes = 1 + (axes%4+4)%4
		got, shape, err := readIDX(bytes.NewReader(b), axes)
		if err != nil {
			return
		}
		// What is accepted is written as it was read.
		if !bytes.Equal(idxBytes(got, shape...), b) {
			t.Fatalf("%d bytes of shape %v are not the file's %d", len(got), shape, len(b))
		}
	})
}

// A CIFAR file is fuzzed by its length and its label bytes: what the other
// bytes are changes nothing.
func FuzzCIFAR(f *testing.F) {
	f.Add([]byte{0, 9}, uint16(2*3073), false)
	f.Add([]byte{19, 99}, uint16(3074), true)
	f.Add([]byte{20, 100}, uint16(100), true)
	f.Fuzz(func(t *testing.T, labels []byte, length uint16, fine bool) {
		k := cifar10
		if fine {
			k = cifar100
		}
		each, b := k.record(), make([]byte, length)
		valid := length > 0 && int(length)%each == 0
		for i, y := range labels {
			at := i/len(k.labels)*each + i%len(k.labels)
			if at >= len(b) {
				break
			}
			b[at] = y
			valid = valid && int(y) < k.labels[i%len(k.labels)]
		}
		m := &memoryImages{labelled{nil, numbered(100)}, tensor.Shape{3, 32, 32}, nil}
		if err := k.parse(b, m); (err == nil) != valid {
			t.Fatalf("%d bytes with labels %v: %v", length, labels, err)
		}
		if n := int(length) / each; valid && (len(m.labels) != n || len(m.pixels) != n*3072 || m.check() != nil) {
			t.Fatalf("%d bytes gave %d labels and %d pixels", len(b), len(m.labels), len(m.pixels))
		}
	})
}

func FuzzList(f *testing.F) {
	f.Add(fixtures()["list.txt"])
	f.Add([]byte("a 0\nb 1\n../c 2\n"))
	f.Add([]byte("\ufeffa\t7\r\nb b\tx y"))
	f.Fuzz(func(t *testing.T, b []byte) {
		list, err := parseList(b)
		if err != nil {
			return
		}
		for _, e := range list {
			if !filepath.IsLocal(e.path) || e.line < 1 {
				t.Fatalf("line %d: path %q", e.line, e.path)
			}
		}
		if classes, err := findListClasses(list); err == nil {
			if s, err := classes.images(folder{}, list, ""); err != nil || s.check() != nil || len(s.labels) != len(list) {
				t.Fatalf("a list without its own classes: %v", err)
			}
		}
	})
}
