package data

import (
	"bytes"
	"fmt"
	"image"
	"image/jpeg"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"phase/tensor"
)

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
	small, err := m.(*memoryImages).resized(t.Context(), 3, 3)
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
		_, err := Open(t.Context(), Spec{Data: "folder:" + dir, SkipBad: skip})
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
	_, err := Open(t.Context(), Spec{Data: "folder:" + dir})
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
	_, err = Open(t.Context(), Spec{Data: "folder:" + dir, SkipBad: true})
	wantError(t, err, "none of 6")
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
	_, err := Checksum(t.Context(), p.Train)
	wantError(t, err, ".png")
}

// Whatever the cache holds, all images, some or none, pixels are the same; what
// it holds is not read again.
func TestCacheOfSomeImages(t *testing.T) {
	files := map[string][]byte{"a/3.png": []byte("bad")}
	for i := range 8 {
		if i != 3 {
			files[fmt.Sprintf("a/%d.png", i)] = pngBytes(rgbImage(i, 9, 9))
		}
	}
	dir := tree(t, files)
	open := func(images int64) Dataset {
		cache := images * 3 * 5 * 5
		if images == 0 {
			cache = -1
		}
		p := mustOpen(t, Spec{Data: "list:" + filepath.Join(dir, "list.txt"), Size: 5, SkipBad: true, CacheBytes: cache})
		return p.Train
	}
	var list strings.Builder
	for i := range 8 {
		fmt.Fprintf(&list, "a/%d.png 0\n", i)
	}
	write(t, filepath.Join(dir, "list.txt"), []byte(list.String()))
	whole := open(100)
	sets := map[int64]Dataset{}
	for images := range int64(9) {
		sets[images] = open(images)
		if sets[images].Len() != whole.Len() {
			t.Fatalf("%d images with a cache of %d, %d with all", sets[images].Len(), images, whole.Len())
		}
		for i := range whole.Len() {
			if !slices.Equal(pixelsOf(t, sets[images], i), pixelsOf(t, whole, i)) {
				t.Errorf("with %d images kept image %d differs", images, i)
			}
		}
	}
	if err := os.RemoveAll(filepath.Join(dir, "a")); err != nil {
		t.Fatal(err)
	}
	for images, ds := range sets {
		served := 0
		dst := make([]uint8, 3*5*5)
		for i := range ds.Len() {
			if ds.(Images).Pixels(i, dst) == nil {
				served++
			}
		}
		// Training files are counted, the bad one too if it is among them.
		if most := min(int(images), ds.Len()); served > most || served < most-1 || images >= 8 && served != ds.Len() {
			t.Errorf("a cache of %d images served %d", images, served)
		}
	}
}

// BenchmarkImages times images of files, decoded and from the cache: rates are
// those of one processor.
func BenchmarkImages(b *testing.B) {
	for _, c := range []struct{ h, w, size int }{{64, 64, 0}, {375, 500, 224}} {
		img := image.NewRGBA(image.Rect(0, 0, c.w, c.h))
		for i := range img.Pix {
			img.Pix[i] = uint8(128 + 90*math.Sin(float64(i%(4*c.w))/97) + 30*math.Sin(float64(i)/2011))
		}
		var file bytes.Buffer
		if err := jpeg.Encode(&file, img, &jpeg.Options{Quality: 90}); err != nil {
			b.Fatal(err)
		}
		dir := b.TempDir()
		if err := os.Mkdir(filepath.Join(dir, "a"), 0o700); err != nil {
			b.Fatal(err)
		}
		for i := range 16 {
			if err := os.WriteFile(filepath.Join(dir, "a", fmt.Sprintf("%d.jpg", i)), file.Bytes(), 0o600); err != nil {
				b.Fatal(err)
			}
		}
		for _, cache := range []int64{-1, 0} {
			p, err := Open(b.Context(), Spec{Data: "folder:" + dir, Size: c.size, CacheBytes: cache})
			if err != nil {
				b.Fatal(err)
			}
			l := &Loader{Data: p.Train, Batch: 8, Augment: Augment{Crop: 8, Flip: true}, Normalize: p.Normalize}
			b.Run(fmt.Sprintf("%dx%d to %d/%s", c.w, c.h, p.Train.Shape()[1], map[int64]string{-1: "decoded", 0: "cached"}[cache]), func(b *testing.B) {
				n := 0
				for b.Loop() {
					for batch, err := range l.Epoch(b.Context(), 0, 0) {
						if err != nil {
							b.Fatal(err)
						}
						n += len(batch.Index)
					}
				}
				b.ReportMetric(float64(n)/b.Elapsed().Seconds(), "images/s")
			})
		}
	}
}
