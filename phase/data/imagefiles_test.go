package data

import (
	"fmt"
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
