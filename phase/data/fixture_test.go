package data

import (
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"flag"
	"fmt"
	"image"
	"image/color"
	"image/jpeg"
	"image/png"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write testdata anew")

// px is the formula that all synthetic pixels follow.
func px(i, y, x, c int) uint8 { return uint8(53*i + 17*y + 5*x + 91*c) }

// tint is the colour of synthetic JPEG image i, which has only one, so that
// its loss is small.
func tint(i int) color.RGBA {
	return color.RGBA{uint8(60 + 30*i), uint8(200 - 25*i), uint8(40 * i), 255}
}

// idxBytes is an IDX file of bytes.
func idxBytes(data []uint8, dims ...int) []byte {
	b := []byte{0, 0, 8, byte(len(dims))}
	for _, d := range dims {
		b = binary.BigEndian.AppendUint32(b, uint32(d))
	}
	return append(b, data...)
}

func gz(b []byte) []byte {
	var out bytes.Buffer
	w := gzip.NewWriter(&out)
	w.Write(b)
	w.Close()
	return out.Bytes()
}

// gridPixels are n images of h x w pixels and c channels by the formula,
// starting with image first.
func gridPixels(first, n, h, w, c int) (pix []uint8) {
	for i := first; i < first+n; i++ {
		for y := range h {
			for x := range w {
				for k := range c {
					pix = append(pix, px(i, y, x, k))
				}
			}
		}
	}
	return pix
}

// cifarBytes are records with the given label bytes and pixels by the formula.
func cifarBytes(first int, labels ...[]byte) (b []byte) {
	for i, l := range labels {
		b = append(b, l...)
		for c := range 3 {
			for y := range 32 {
				for x := range 32 {
					b = append(b, px(first+i, y, x, c))
				}
			}
		}
	}
	return b
}

func labelBytes(from, to int) (l [][]byte) {
	for i := from; i < to; i++ {
		l = append(l, []byte{byte(i % 10)})
	}
	return l
}

func pngBytes(img image.Image) []byte {
	var b bytes.Buffer
	if err := png.Encode(&b, img); err != nil {
		panic(err)
	}
	return b.Bytes()
}

func jpegBytes(img image.Image) []byte {
	var b bytes.Buffer
	if err := jpeg.Encode(&b, img, &jpeg.Options{Quality: 95}); err != nil {
		panic(err)
	}
	return b.Bytes()
}

// rgbImage is synthetic image i in full colour.
func rgbImage(i, h, w int) *image.RGBA {
	m := image.NewRGBA(image.Rect(0, 0, w, h))
	for y := range h {
		for x := range w {
			m.SetRGBA(x, y, color.RGBA{px(i, y, x, 0), px(i, y, x, 1), px(i, y, x, 2), 255})
		}
	}
	return m
}

func flat(i int) image.Image {
	m := image.NewRGBA(image.Rect(0, 0, 8, 8))
	for p := 0; p < len(m.Pix); p += 4 {
		c := tint(i)
		copy(m.Pix[p:], []uint8{c.R, c.G, c.B, c.A})
	}
	return m
}

func flatGray(v uint8) image.Image {
	m := image.NewGray(image.Rect(0, 0, 8, 8))
	for p := range m.Pix {
		m.Pix[p] = v
	}
	return m
}

// half is an image of one colour and half alpha.
func half(c color.NRGBA) image.Image {
	m := image.NewNRGBA(image.Rect(0, 0, 8, 8))
	for p := 0; p < len(m.Pix); p += 4 {
		copy(m.Pix[p:], []uint8{c.R, c.G, c.B, 128})
	}
	return m
}

func gray16(v uint16) image.Image {
	m := image.NewGray16(image.Rect(0, 0, 8, 8))
	for y := range 8 {
		for x := range 8 {
			m.SetGray16(x, y, color.Gray16{v})
		}
	}
	return m
}

// fixtures are the committed files: five or a few images of every layout.
func fixtures() map[string][]byte {
	files := map[string][]byte{
		"idx/train-images-idx3-ubyte.gz": gz(idxBytes(gridPixels(0, 5, 4, 3, 1), 5, 4, 3)),
		"idx/train-labels-idx1-ubyte.gz": gz(idxBytes([]uint8{0, 1, 2, 1, 0}, 5)),
		"idx/t10k-images-idx3-ubyte":     idxBytes(gridPixels(5, 5, 4, 3, 1), 5, 4, 3),
		"idx/t10k-labels-idx1-ubyte":     idxBytes([]uint8{2, 1, 0, 0, 0}, 5),

		"cifar-10-batches-bin/data_batch_1.bin": cifarBytes(0, labelBytes(0, 5)...),
		"cifar-10-batches-bin/data_batch_2.bin": cifarBytes(5, labelBytes(5, 10)...),
		"cifar-10-batches-bin/test_batch.bin":   cifarBytes(10, labelBytes(0, 5)...),
		"cifar-10-batches-bin/batches.meta.txt": []byte("airplane\nautomobile\nbird\ncat\ndeer\ndog\nfrog\nhorse\nship\ntruck\n\n"),

		"pictures/train/cat/a.png":        pngBytes(rgbImage(0, 8, 8)),
		"pictures/train/cat/b.png":        pngBytes(gray16(0xabcd)),
		"pictures/train/cat/deeper/c.PNG": pngBytes(half(color.NRGBA{200, 100, 50, 128})),
		"pictures/train/cat/notes.txt":    []byte("not an image\n"),
		"pictures/train/dog/d.jpg":        jpegBytes(flat(3)),
		"pictures/train/dog/e e.jpeg":     jpegBytes(flatGray(77)),
		"pictures/test/cat/f.png":         pngBytes(rgbImage(5, 8, 8)),
		"pictures/test/dog/g.png":         pngBytes(rgbImage(6, 8, 8)),

		"list.txt": []byte("pictures/train/cat/a.png cat\r\npictures/train/dog/e e.jpeg dog\r\n\r\n" +
			"./pictures/train/dog/d.jpg\tdog\r\npictures/test/cat/f.png cat\r\npictures/test/dog/g.png dog"),

		"tiny-imagenet-200/words.txt":                 []byte("n00000001\tcrane, a bird\nn00000002\tcrane, a machine\nn00000003\tnot here\n"),
		"tiny-imagenet-200/val/val_annotations.txt":   []byte("val_0.JPEG\tn00000002\t0\t0\t7\t7\nval_1.JPEG\tn00000001\t0\t0\t7\t7\n"),
		"tiny-imagenet-200/val/images/val_0.JPEG":     jpegBytes(flat(0)),
		"tiny-imagenet-200/val/images/val_1.JPEG":     jpegBytes(flat(1)),
		"tiny-imagenet-200/train/n00000001/boxes.txt": []byte("n00000001_0.JPEG\t0\t0\t7\t7\n"),
	}
	for i := range 2 {
		files[fmt.Sprintf("tiny-imagenet-200/train/n00000001/images/n00000001_%d.JPEG", i)] = jpegBytes(flat(i))
	}
	files["tiny-imagenet-200/train/n00000002/images/n00000002_0.JPEG"] = jpegBytes(flat(2))
	files["tiny-imagenet-200/train/n00000002/images/n00000002_1.JPEG"] = jpegBytes(flat(3))
	files["tiny-imagenet-200/train/n00000002/images/n00000002_2.JPEG"] = jpegBytes(flatGray(200))
	return files
}

// TestFixtures writes testdata with -update. Without it, it checks that the
// uncompressed files are what the formulas say; compressed ones may differ
// between Go versions, and what they decode to is checked by the readers'
// tests.
func TestFixtures(t *testing.T) {
	for name, want := range fixtures() {
		at := filepath.Join("testdata", filepath.FromSlash(name))
		if *update {
			write(t, at, want)
		}
		got, err := os.ReadFile(at)
		if err != nil {
			t.Fatal(err)
		}
		switch strings.ToLower(filepath.Ext(name)) {
		case ".gz", ".png", ".jpg", ".jpeg":
		default:
			if !bytes.Equal(got, want) {
				t.Errorf("%s: %d bytes differ from the formula's %d", at, len(got), len(want))
			}
		}
	}
}

// write makes a file and the folders above it.
func write(t *testing.T, at string, b []byte) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(at), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(at, b, 0o644); err != nil {
		t.Fatal(err)
	}
}

// tree writes files below a new folder and returns it.
func tree(t *testing.T, files map[string][]byte) string {
	t.Helper()
	dir := t.TempDir()
	for name, b := range files {
		write(t, filepath.Join(dir, filepath.FromSlash(name)), b)
	}
	return dir
}

// realData is the folder of the real data sets: $PHASE_DATA, or a folder
// beside the repository. The test is skipped where there is neither; the
// fixtures cover the same readers.
func realData(t *testing.T) string {
	t.Helper()
	dir := os.Getenv("PHASE_DATA")
	if dir == "" {
		root, err := filepath.Abs(".")
		for err == nil && root != filepath.Dir(root) {
			if _, err := os.Stat(filepath.Join(root, "go.mod")); err == nil {
				break
			}
			root = filepath.Dir(root)
		}
		dir = filepath.Join(filepath.Dir(root), "shared", "data")
	}
	if _, err := os.Stat(dir); err != nil {
		t.Skipf("skipped: no real data in %s (PHASE_DATA names another folder)", dir)
	}
	return dir
}
