package data

import (
	"bytes"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"image"
	"image/color"
	"io"
	"math"
	"runtime"
	"slices"
	"testing"
)

// rawPNG is a PNG file of the given header and compressed data, with right
// checksums, whatever nonsense it says.
func rawPNG(w, h uint32, depth, kind, interlace byte, idat []byte) []byte {
	b := []byte("\x89PNG\r\n\x1a\n")
	chunk := func(name string, data []byte) {
		b = binary.BigEndian.AppendUint32(b, uint32(len(data)))
		start := len(b)
		b = append(append(b, name...), data...)
		b = binary.BigEndian.AppendUint32(b, crc32.ChecksumIEEE(b[start:]))
	}
	head := binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint32(nil, w), h)
	chunk("IHDR", append(head, depth, kind, 0, 0, interlace))
	chunk("IDAT", idat)
	chunk("IEND", nil)
	return b
}

// some16 is the beginning of a zlib stream, 16 bytes long.
var some16 = []byte{0x78, 0x9c, 0x63, 0x60, 0x60, 0x60, 0x60, 0x60, 0x60, 0x60, 0x60, 0x60, 0x60, 0x60, 0x60, 0x60}

// hugeJPEG is a small JPEG whose header claims another size.
func hugeJPEG(w, h uint16) []byte {
	b := jpegBytes(flat(0))
	at := bytes.Index(b, []byte{0xff, 0xc0}) // start of frame: length, precision, height, width
	binary.BigEndian.PutUint16(b[at+5:], h)
	binary.BigEndian.PutUint16(b[at+7:], w)
	return b
}

// allocated is how many bytes f asks for.
func allocated(f func()) uint64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}

func TestImageBombsAreRefusedBeforeTheyAreDecoded(t *testing.T) {
	const big = math.MaxInt
	for _, k := range []struct {
		name  string
		file  []byte
		limit int
		say   string
	}{
		// 8000x8000 pixels of 16-bit RGBA are 488 MiB and below 100 million
		// pixels: only the length of the file gives it away.
		{"488 MiB in 73 bytes", rawPNG(8000, 8000, 16, 6, 0, some16), 0, "more than its 73 bytes can hold"},
		{"the same interlaced", rawPNG(8000, 8000, 16, 6, 1, some16), 0, "more than its 73 bytes can hold"},
		// The decoder of Go 1.26 panics on this one (golang/go#45694).
		{"a panic in 73 bytes", rawPNG(1<<25, 1<<25, 8, 0, 0, some16), 0, ""},
		{"a panic, no limit", rawPNG(1<<25, 1<<25, 8, 0, 0, some16), big, ""},
		{"2^31-1 square", rawPNG(math.MaxInt32, math.MaxInt32, 1, 0, 0, some16), big, ""},
		{"2^32-1 square", rawPNG(math.MaxUint32, math.MaxUint32, 1, 0, 0, some16), big, ""},
		{"one bit deep", rawPNG(9000, 9000, 1, 0, 0, some16), 0, "can hold"},
		{"a palette", rawPNG(9000, 9000, 8, 3, 0, some16), 0, ""},
		{"wide", rawPNG(math.MaxInt32, 1, 8, 2, 0, some16), 0, ""},
		{"JPEG", hugeJPEG(9999, 9999), 0, "can hold"},
		{"JPEG, no limit", hugeJPEG(40000, 40000), big, "can hold"},
		{"one pixel too many", pngBytes(rgbImage(0, 5, 5)), 24, "want at most 24 pixels"},
	} {
		var err error
		used := allocated(func() { _, _, _, err = Decoder{MaxPixels: k.limit}.Decode(k.file) })
		if err == nil {
			t.Errorf("%s: accepted", k.name)
			continue
		}
		wantError(t, err, k.say)
		if used > 1<<20 {
			t.Errorf("%s: asked for %d bytes to refuse a file of %d", k.name, used, len(k.file))
		}
	}
	if n := len(rawPNG(8000, 8000, 16, 6, 0, some16)); n != 73 {
		t.Errorf("the 73-byte PNG has %d bytes", n)
	}
}

// The bound on what a file can hold must not refuse real files: images of one
// colour are the best compressed ones.
func TestTheMostCompressedImagesAreAccepted(t *testing.T) {
	for name, img := range map[string]image.Image{
		"white":    image.NewUniform(color.White),
		"black":    image.NewUniform(color.Gray{0}),
		"nothing":  image.NewUniform(color.NRGBA{}),
		"two bits": image.NewUniform(color.Gray16{0x5555}),
	} {
		const n = 400
		gray, rgba, bits := image.NewGray(image.Rect(0, 0, n, n)), image.NewNRGBA(image.Rect(0, 0, n, n)), image.NewPaletted(image.Rect(0, 0, n, n), color.Palette{color.Black, color.White})
		for y := range n {
			for x := range n {
				c := img.At(x, y)
				gray.Set(x, y, c)
				rgba.Set(x, y, c)
			}
		}
		for _, file := range [][]byte{pngBytes(gray), pngBytes(rgba), pngBytes(bits), jpegBytes(gray), jpegBytes(rgba)} {
			if h, w, err := (Decoder{}).Size(file); err != nil || h != n || w != n {
				t.Errorf("%s: %dx%d, %v", name, h, w, err)
			}
		}
	}
}

func TestDecoderPanicBecomesTheFilesError(t *testing.T) {
	boom := func(io.Reader) (image.Image, error) { panic("index out of range") }
	_, err := format{name: "BOOM", decode: boom}.image(nil)
	wantError(t, err, "broken BOOM", "panicked", "index out of range")
	_, err = Decoder{}.sized(format{name: "BOOM", config: func(io.Reader) (image.Config, error) { panic(errors.New("in the header")) }}, nil)
	wantError(t, err, "broken BOOM", "in the header")
	// The file that makes Go's own decoder panic, past our look at its header.
	if _, err := formats[0].image(rawPNG(1<<25, 1<<25, 8, 0, 0, some16)); err == nil {
		t.Error("2^50 pixels were decoded")
	}
}

func TestBrokenImages(t *testing.T) {
	whole := pngBytes(rgbImage(0, 16, 16))
	wrong := slices.Clone(whole)
	wrong[len(wrong)-20] ^= 1 // in the data: its checksum no longer holds
	for name, k := range map[string]struct {
		file []byte
		say  string
	}{
		"empty":          {nil, "empty"},
		"text":           {[]byte("<html>"), "neither PNG nor JPEG"},
		"GIF":            {[]byte("GIF89a\x01\x00"), "neither PNG nor JPEG"},
		"magic alone":    {whole[:8], "broken PNG header"},
		"cut":            {whole[:len(whole)-30], "broken PNG"},
		"changed":        {wrong, "broken PNG"},
		"JPEG cut":       {jpegBytes(flat(0))[:200], "broken JPEG"},
		"JPEG two bytes": {[]byte{0xff, 0xd8}, "broken JPEG header"},
	} {
		_, _, _, err := Decoder{}.Decode(k.file)
		if err == nil {
			t.Errorf("%s: accepted", name)
			continue
		}
		wantError(t, err, k.say)
	}
	_, _, _, err := Decoder{H: 3}.Decode(whole)
	wantError(t, err, "3x0")
}

func TestDecoderChannels(t *testing.T) {
	pix, h, w, err := Decoder{C: 1}.Decode(pngBytes(flat(2)))
	if err != nil || h != 8 || w != 8 || len(pix) != 64 {
		t.Fatalf("%d bytes, %dx%d, %v", len(pix), h, w, err)
	}
	c := tint(2)
	near(t, pix, 1, uint8(math.Round(.299*float64(c.R)+.587*float64(c.G)+.114*float64(c.B))))
	pix, _, _, err = Decoder{}.Decode(pngBytes(image.NewNRGBA(image.Rect(0, 0, 3, 3)))) // all transparent
	if err != nil {
		t.Fatal(err)
	}
	near(t, pix, 0, 0, 0, 0)
}

// A size is height before width everywhere.
func TestHeightBeforeWidth(t *testing.T) {
	pix, h, w, err := Decoder{}.Decode(pngBytes(rgbImage(1, 3, 5)))
	if err != nil || h != 3 || w != 5 || !slices.Equal(pix, gridPixels(1, 1, 3, 5, 3)) {
		t.Errorf("%dx%d, %v, %v", h, w, pix, err)
	}
	pix, h, w, err = Decoder{H: 2, W: 7, C: 3}.Decode(pngBytes(rgbImage(1, 3, 5)))
	if err != nil || h != 2 || w != 7 || len(pix) != 42 {
		t.Errorf("%dx%d, %d bytes, %v", h, w, len(pix), err)
	}
}

func FuzzDecode(f *testing.F) {
	for name, b := range fixtures() {
		if isImageName(name) {
			f.Add(b)
		}
	}
	f.Add(rawPNG(8000, 8000, 16, 6, 0, some16))
	f.Add(rawPNG(1<<25, 1<<25, 8, 0, 0, some16))
	f.Add(hugeJPEG(9999, 9999))
	for o := 1; o <= 8; o++ {
		f.Add(stored(f, o))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		pix, h, w, err := Decoder{MaxPixels: 1 << 16}.Decode(b)
		if err != nil {
			return
		}
		if h < 1 || w < 1 || h*w > 1<<16 || len(pix) != 3*h*w {
			t.Fatalf("%d bytes for %dx%d pixels", len(pix), h, w)
		}
		if _, _, _, err := (Decoder{H: 4, W: 6, C: 1, MaxPixels: 1 << 16}).Decode(b); err != nil {
			t.Fatalf("decoded once but not again: %v", err)
		}
	})
}
