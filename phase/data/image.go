package data

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"image"
	"image/jpeg"
	"image/png"
	"io"

	"golang.org/x/image/draw"
)

// MaxPixels is the largest image, in pixels, that a Decoder whose own limit is
// zero accepts.
const MaxPixels = 100_000_000

// A Decoder turns image files into 8-bit pixels. What lies in the file is
// converted: alpha is composited over black (the colour that crops are padded
// with), 16-bit samples keep their upper half, gray becomes three equal
// channels or colour one channel of luma, as C asks. A JPEG file is turned
// upright as its EXIF orientation says; without a readable one it stays as it
// is stored.
type Decoder struct {
	H, W      int // size to resize to (Catmull-Rom, averaging where it shrinks), or 0 to keep the image's own
	C         int // channels: 3 (RGB; also if 0) or 1 (gray)
	MaxPixels int // largest image accepted, in pixels, before resizing; 0 means the constant MaxPixels
}

// format is a kind of image file.
type format struct {
	name   string
	magic  string
	config func(io.Reader) (image.Config, error)
	decode func(io.Reader) (image.Image, error)
	// pixels is the most pixels that a file of this kind, beginning with the
	// given bytes, could hold.
	pixels func(file []byte) int64
}

var formats = []format{
	{"PNG", "\x89PNG\r\n\x1a\n", png.DecodeConfig, png.Decode, pngPixels},
	{"JPEG", "\xff\xd8", jpeg.DecodeConfig, jpeg.Decode, jpegPixels},
}

// pngPixels: deflate's best ratio is 1032 (a 258-byte match in two bits), and
// the header says how many bits a pixel has.
func pngPixels(file []byte) int64 {
	const depthAt, kindAt = 24, 25 // after 8 bytes of magic, 8 of chunk head, width and height
	if len(file) <= kindAt {
		return 0
	}
	samples := int64(1) // gray or palette
	switch file[kindAt] {
	case 2:
		samples = 3 // RGB
	case 4:
		samples = 2 // gray, alpha
	case 6:
		samples = 4 // RGBA
	}
	bits := samples * max(1, int64(file[depthAt]))
	return int64(len(file)) * 1032 * 8 / bits
}

// jpegPixels: every 8x8 block of luma takes one bit at the very least.
func jpegPixels(file []byte) int64 { return int64(len(file)) * 8 * 64 }

// Decode decodes a PNG or JPEG file. It returns h*w*c bytes laid out as
// Images.Pixels says, and the size: H and W where they are set, else the
// image's own. The size that the file claims is compared with the limit, and
// with what a file of this length can hold, before anything is decoded; a
// decoder's panic becomes the error.
func (d Decoder) Decode(file []byte) (pix []uint8, h, w int, err error) {
	img, err := d.image(file)
	if err != nil {
		return nil, 0, 0, err
	}
	if d.H < 0 || d.W < 0 || (d.H == 0) != (d.W == 0) {
		return nil, 0, 0, fmt.Errorf("resize to %dx%d, want both at least 1, or 0 twice", d.H, d.W)
	}
	o := orientation(file)
	h, w = d.H, d.W // as it is stored, then upright
	switch {
	case h == 0:
		h, w = img.Bounds().Dy(), img.Bounds().Dx()
	case sideways(o):
		h, w = w, h
	}
	c := 3
	if d.C == 1 {
		c = 1
		gray := image.NewGray(image.Rect(0, 0, w, h))
		paint(gray, img)
		pix = gray.Pix
	} else {
		rgba := image.NewRGBA(image.Rect(0, 0, w, h)) // premultiplied: dropping alpha puts black behind
		paint(rgba, img)
		pix = make([]uint8, 3*h*w)
		for i := range h * w {
			copy(pix[3*i:3*i+3], rgba.Pix[4*i:])
		}
	}
	if o != 1 {
		pix = upright(pix, h, w, c, o)
	}
	if sideways(o) {
		h, w = w, h
	}
	return pix, h, w, nil
}

// Size is the size that an image file claims, in pixels, upright, within the
// limits that Decode states.
func (d Decoder) Size(file []byte) (h, w int, err error) {
	_, cfg, err := d.header(file)
	if sideways(orientation(file)) {
		return cfg.Width, cfg.Height, err
	}
	return cfg.Height, cfg.Width, err
}

// fileLimit is the longest image file worth reading: no encoding of MaxPixels
// pixels needs more than 8 bytes for each and a little around them.
func (d Decoder) fileLimit() int64 { return 8*d.limit() + 1<<20 }

func (d Decoder) limit() int64 {
	if d.MaxPixels > 0 {
		return min(int64(d.MaxPixels), 1<<56)
	}
	return MaxPixels
}

func (d Decoder) header(file []byte) (f format, cfg image.Config, err error) {
	if len(file) == 0 {
		return f, cfg, errors.New("the file is empty")
	}
	for _, f = range formats {
		if bytes.HasPrefix(file, []byte(f.magic)) {
			cfg, err = d.sized(f, file)
			return f, cfg, err
		}
	}
	return f, cfg, fmt.Errorf("neither PNG nor JPEG: begins with % x", file[:min(8, len(file))])
}

func (d Decoder) sized(f format, file []byte) (cfg image.Config, err error) {
	defer guard(f.name, &err)
	if cfg, err = f.config(bytes.NewReader(file)); err != nil {
		return cfg, fmt.Errorf("broken %s header: %w", f.name, err)
	}
	// Both extents are below 2^31, so the product fits.
	n := int64(cfg.Width) * int64(cfg.Height)
	switch {
	case n < 1:
		return cfg, fmt.Errorf("%s of %dx%d pixels", f.name, cfg.Width, cfg.Height)
	case n > d.limit():
		return cfg, fmt.Errorf("%s of %dx%d pixels, want at most %d pixels", f.name, cfg.Width, cfg.Height, d.limit())
	case n > f.pixels(file):
		return cfg, fmt.Errorf("%s claims %dx%d pixels, more than its %d bytes can hold", f.name, cfg.Width, cfg.Height, len(file))
	}
	return cfg, nil
}

func (d Decoder) image(file []byte) (image.Image, error) {
	f, _, err := d.header(file)
	if err != nil {
		return nil, err
	}
	return f.image(file)
}

func (f format) image(file []byte) (img image.Image, err error) {
	defer guard(f.name, &err)
	if img, err = f.decode(bytes.NewReader(file)); err != nil {
		return nil, fmt.Errorf("broken %s: %w", f.name, err)
	}
	return img, nil
}

// guard turns a panic of a decoder into its error.
func guard(name string, err *error) {
	if r := recover(); r != nil {
		*err = fmt.Errorf("broken %s: the decoder panicked: %v", name, r)
	}
}

// paint fills all of dst with img, resized if their sizes differ.
func paint(dst draw.Image, img image.Image) {
	if dst.Bounds().Size() == img.Bounds().Size() {
		draw.Draw(dst, dst.Bounds(), img, img.Bounds().Min, draw.Src)
		return
	}
	draw.CatmullRom.Scale(dst, dst.Bounds(), img, img.Bounds(), draw.Src, nil)
}

// resized is a copy of m at another size.
func (m *memoryImages) resized(ctx context.Context, h, w int) (*memoryImages, error) {
	c, oh, ow := m.shape[0], m.shape[1], m.shape[2]
	if h == oh && w == ow {
		return m, nil
	}
	out := &memoryImages{m.labelled, []int{c, h, w}, make([]uint8, m.Len()*c*h*w)}
	err := parallel(ctx, m.Len(), func() func(int) error {
		return func(i int) error {
			if c == 1 {
				paint(&image.Gray{Pix: out.at(i), Stride: w, Rect: image.Rect(0, 0, w, h)},
					&image.Gray{Pix: m.at(i), Stride: ow, Rect: image.Rect(0, 0, ow, oh)})
				return nil
			}
			src, dst := image.NewRGBA(image.Rect(0, 0, ow, oh)), image.NewRGBA(image.Rect(0, 0, w, h))
			for p, px := 0, m.at(i); p < oh*ow; p++ {
				copy(src.Pix[4*p:], px[3*p:3*p+3])
				src.Pix[4*p+3] = 255
			}
			paint(dst, src)
			for p, px := 0, out.at(i); p < h*w; p++ {
				copy(px[3*p:3*p+3], dst.Pix[4*p:])
			}
			return nil
		}
	})
	return out, err
}
