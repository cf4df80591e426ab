package data

import (
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"
)

// Pillow stored one picture with each of the eight orientations; all eight
// are decoded to what Pillow shows.
func TestOrientationIsPillows(t *testing.T) {
	want, w := strip(t, "testdata/exif/upright.png", 3)
	h := len(want) / 3 / w
	closeTo := func(o int, pix, want []uint8) {
		t.Helper()
		if len(pix) != len(want) {
			t.Fatalf("orientation %d: %d bytes, want %d", o, len(pix), len(want))
		}
		for i, v := range pix {
			if d := int(v) - int(want[i]); d < -4 || d > 4 {
				t.Fatalf("orientation %d: pixel (%d,%d) is %d, want %d", o, i/3/w, i/3%w, v, want[i])
			}
		}
	}
	var small []uint8
	for o := 1; o <= 8; o++ {
		file := stored(t, o)
		if got := orientation(file); got != o {
			t.Errorf("orientation %d, want %d", got, o)
		}
		pix, gotH, gotW, err := Decoder{}.Decode(file)
		if err != nil || gotH != h || gotW != w {
			t.Fatalf("orientation %d: %dx%d, %v, want %dx%d", o, gotH, gotW, err, h, w)
		}
		closeTo(o, pix, want)
		if gotH, gotW, err := (Decoder{}).Size(file); err != nil || gotH != h || gotW != w {
			t.Errorf("orientation %d: size %dx%d, %v, want %dx%d", o, gotH, gotW, err, h, w)
		}
		gray, _, _, err := Decoder{C: 1}.Decode(file)
		if err != nil {
			t.Fatal(err)
		}
		for i, v := range gray {
			if d := int(v) - int(gray3(want[3*i:])); d < -4 || d > 4 {
				t.Fatalf("orientation %d: gray pixel %d is %d, want %d", o, i, v, gray3(want[3*i:]))
			}
		}
		// Resized, it is the upright picture's size that is asked for.
		pix, gotH, gotW, err = Decoder{H: 4, W: 12}.Decode(file)
		if err != nil || gotH != 4 || gotW != 12 {
			t.Fatalf("orientation %d: %dx%d, %v, want 4x12", o, gotH, gotW, err)
		}
		if o == 1 {
			small = pix
		}
		closeTo(o, pix, small)
	}
	p := mustOpen(t, Spec{Data: "list:" + filepath.Join(tree(t, map[string][]byte{"l": []byte("1.jpg 0\n6.jpg 0\n"), "1.jpg": stored(t, 1), "6.jpg": stored(t, 6)}), "l"), Holdout: .5})
	wantShape(t, p.Train, 3, h, w) // both are as large, one lies on its side
	closeTo(1, pixelsOf(t, p.Train, 0), want)
	closeTo(6, pixelsOf(t, p.Test, 0), want)
}

func gray3(p []uint8) uint8 { return gray(p[0], p[1], p[2]) }

// stored is the picture as it is stored with an orientation.
func stored(t testing.TB, orientation int) []byte {
	t.Helper()
	b, err := os.ReadFile(fmt.Sprintf("testdata/exif/%d.jpg", orientation))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// segment is a JPEG segment.
func segment(marker byte, payload string) string {
	return string(binary.BigEndian.AppendUint16([]byte{0xff, marker}, uint16(len(payload)+2))) + payload
}

// A broken EXIF block, or none, means upright; what stands before or beside it
// is skipped.
func TestOrientationOfOddFiles(t *testing.T) {
	const (
		tag6   = "\x12\x01\x03\x00\x01\x00\x00\x00\x06\x00\x00\x00"
		make9  = "\x0f\x01\x02\x00\x04\x00\x00\x00abc\x00"
		head   = "Exif\x00\x00II*\x00\x08\x00\x00\x00"
		scan   = "\xff\xda\x00\x02"
		start  = "\xff\xd8"
		jfif   = "JFIF\x00\x01\x01\x00\x00\x01\x00\x01\x00\x00"
		bigTag = "Exif\x00\x00MM\x00*\x00\x00\x00\x08\x00\x01\x01\x12\x00\x03\x00\x00\x00\x01\x00\x06\x00\x00"
	)
	for name, k := range map[string]struct {
		file string
		want int
	}{
		"nothing":              {"", 1},
		"a start":              {start, 1},
		"no EXIF":              {start + segment(0xe0, jfif) + scan, 1},
		"little-endian":        {start + segment(0xe1, head+"\x01\x00"+tag6) + scan, 6},
		"big-endian":           {start + segment(0xe1, bigTag) + scan, 6},
		"after JFIF":           {start + segment(0xe0, jfif) + segment(0xe1, head+"\x01\x00"+tag6), 6},
		"after XMP":            {start + segment(0xe1, "http://ns.adobe.com/xap/1.0/\x00<x/>") + segment(0xe1, head+"\x01\x00"+tag6), 6},
		"after padding":        {start + "\xff\xff" + segment(0xe1, head+"\x01\x00"+tag6), 6},
		"after a bare marker":  {start + "\xff\x01\xff\xd0" + segment(0xe1, head+"\x01\x00"+tag6), 6},
		"second entry":         {start + segment(0xe1, head+"\x02\x00"+make9+tag6), 6},
		"count too large":      {start + segment(0xe1, head+"\xff\xff"+make9+tag6), 6},
		"count too small":      {start + segment(0xe1, head+"\x01\x00"+make9+tag6), 1},
		"after the pixels":     {start + scan + segment(0xe1, head+"\x01\x00"+tag6), 1},
		"after the end":        {start + "\xff\xd9" + segment(0xe1, head+"\x01\x00"+tag6), 1},
		"other segment":        {start + segment(0xe2, head+"\x01\x00"+tag6), 1},
		"cut in the entry":     {(start + segment(0xe1, head+"\x01\x00"+tag6))[:30], 1},
		"short entry":          {start + segment(0xe1, head+"\x01\x00"+tag6[:11]), 1},
		"no directory":         {start + segment(0xe1, head), 1},
		"directory at 2^32-1":  {start + segment(0xe1, "Exif\x00\x00II*\x00\xff\xff\xff\xff\x01\x00"+tag6), 1},
		"other byte order":     {start + segment(0xe1, "Exif\x00\x00XX*\x00\x08\x00\x00\x00\x01\x00"+tag6), 1},
		"empty TIFF":           {start + segment(0xe1, "Exif\x00\x00"), 1},
		"0":                    {start + segment(0xe1, head+"\x01\x00"+tag6[:8]+"\x00\x00\x00\x00"), 1},
		"9":                    {start + segment(0xe1, head+"\x01\x00"+tag6[:8]+"\x09\x00\x00\x00"), 1},
		"a long":               {start + segment(0xe1, head+"\x01\x00"+"\x12\x01\x04"+tag6[3:]), 1},
		"two shorts":           {start + segment(0xe1, head+"\x01\x00"+tag6[:4]+"\x02"+tag6[5:]), 1},
		"segment of length 1":  {start + "\xff\xe1\x00\x01" + head + "\x01\x00" + tag6, 1},
		"segment past the end": {start + "\xff\xe1\x40\x00" + head + "\x01\x00" + tag6, 1},
		"no marker":            {start + "\x00" + segment(0xe1, head+"\x01\x00"+tag6), 1},
		"PNG":                  {string(pngBytes(rgbImage(0, 2, 2))), 1},
	} {
		if got := orientation([]byte(k.file)); got != k.want {
			t.Errorf("%s: orientation %d, want %d", name, got, k.want)
		}
	}
	// A broken block is no error: the picture is decoded as it is stored.
	plain := jpegBytes(rgbImage(0, 8, 16))
	want, _, _, err := Decoder{}.Decode(plain)
	if err != nil {
		t.Fatal(err)
	}
	broken := string(plain[:2]) + segment(0xe1, head+"\xff\xff") + string(plain[2:])
	got, h, w, err := Decoder{}.Decode([]byte(broken))
	if err != nil || h != 8 || w != 16 || !slices.Equal(got, want) {
		t.Errorf("a broken EXIF block: %dx%d, %v", h, w, err)
	}
}

// Orientations are turns and mirrors: each undone by one of them, at any size.
func TestUprightAtAnySize(t *testing.T) {
	undo := []int{0, 1, 2, 3, 4, 5, 8, 7, 6}
	for _, s := range [][3]int{{1, 1, 3}, {1, 5, 3}, {4, 1, 1}, {3, 7, 3}, {6, 2, 1}} {
		h, w, c := s[0], s[1], s[2]
		pix := gridPixels(0, 1, h, w, c)
		for o := 1; o <= 8; o++ {
			turned, th, tw := upright(pix, h, w, c, o), h, w
			if sideways(o) {
				th, tw = w, h
			}
			if back := upright(turned, th, tw, c, undo[o]); !slices.Equal(back, pix) {
				t.Errorf("%v: orientation %d is not undone by %d", s, o, undo[o])
			}
		}
	}
}

func FuzzOrientation(f *testing.F) {
	for o := 1; o <= 8; o++ {
		file := stored(f, o)
		f.Add(file[:min(len(file), 200)])
	}
	f.Add([]byte("\xff\xd8\xff\xe1\x00\x20Exif\x00\x00MM\x00*\xff\xff\xff\xff"))
	f.Fuzz(func(t *testing.T, b []byte) {
		o := orientation(b)
		if o < 1 || o > 8 {
			t.Fatalf("orientation %d", o)
		}
		if o != 1 && (len(b) < 2+4+6+8+2+12) {
			t.Fatalf("orientation %d in %d bytes", o, len(b))
		}
	})
}
