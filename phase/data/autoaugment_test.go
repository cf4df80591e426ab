package data

import (
	"encoding/json"
	"image"
	"image/png"
	"math/rand/v2"
	"os"
	"slices"
	"testing"
)

// strip reads an image of Pillow's: its pixels, and its width.
func strip(t *testing.T, name string, c int) (pix []uint8, w int) {
	t.Helper()
	f, err := os.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	img, err := png.Decode(f)
	if err != nil {
		t.Fatal(err)
	}
	b := img.Bounds()
	for y := b.Min.Y; y < b.Max.Y; y++ {
		for x := b.Min.X; x < b.Max.X; x++ {
			r, g, bl, _ := img.At(x, y).RGBA()
			pix = append(pix, []uint8{uint8(r >> 8), uint8(g >> 8), uint8(bl >> 8)}[:c]...)
		}
	}
	return pix, b.Dx()
}

// Every operation of the policy, with its level and both signs, gives Pillow's
// own bytes, on coloured and gray images of odd sizes.
func TestAutoAugmentIsPillows(t *testing.T) {
	for _, k := range []struct {
		name    string
		h, w, c int
	}{{"rgb", 19, 23, 3}, {"gray", 31, 34, 1}} {
		all, w := strip(t, "testdata/autoaugment/"+k.name+".png", k.c)
		size := k.h * k.w * k.c
		if w != k.w || len(all) != 101*size {
			t.Fatalf("%s: %d bytes, %d columns, want 101 images of %dx%d", k.name, len(all), w, k.h, k.w)
		}
		v := canvas{make([]uint8, size), make([]uint8, size), k.h, k.w, k.c}
		want := all[size:]
		for i, pair := range policy {
			for j, op := range pair {
				for _, sign := range []int{-1, 1} {
					copy(v.pix, all[:size])
					op.do(v, sign*op.level)
					for at, got := range v.pix {
						if got != want[at] {
							t.Errorf("%s, pair %d, operation %d, level %d: pixel (%d,%d), channel %d is %d, Pillow has %d", k.name, i, j, sign*op.level,
								at/k.c/k.w, at/k.c%k.w, at%k.c, got, want[at])
							break
						}
					}
					want = want[size:]
				}
			}
		}
	}
}

// Probabilities and levels are those of the policy that the script has.
func TestPolicy(t *testing.T) {
	b, err := os.ReadFile("testdata/autoaugment/policy.json")
	if err != nil {
		t.Fatal(err)
	}
	var want [][2][3]any
	if err := json.Unmarshal(b, &want); err != nil || len(want) != len(policy) {
		t.Fatalf("%d pairs, want %d: %v", len(want), len(policy), err)
	}
	for i, pair := range want {
		for j, k := range pair {
			level, _ := k[2].(float64) // null: the operation has none
			if got := policy[i][j]; got.p != k[1].(float64) || got.level != int(level) {
				t.Errorf("pair %d, operation %d (%s): probability %v and level %d, want %v and %v", i, j, k[0], got.p, got.level, k[1], level)
			}
		}
	}
}

// The five draws, in their order, say what happens, and nothing else does:
// the pair, and for each operation whether it happens and its sign.
func TestAutoAugmentDraws(t *testing.T) {
	const h, w, n = 8, 9, 5000
	size := h * w * 3
	in := gridPixels(0, 1, h, w, 3)
	got := canvas{make([]uint8, size), make([]uint8, size), h, w, 3}
	want := canvas{make([]uint8, size), make([]uint8, size), h, w, 3}
	var pairs [25]int
	changed := 0
	for i := range n {
		r, again := rand.New(rand.NewPCG(7, uint64(i))), rand.New(rand.NewPCG(7, uint64(i)))
		copy(got.pix, in)
		copy(want.pix, in)
		autoAugment(r, got)
		at := again.IntN(25)
		pairs[at]++
		for _, k := range policy[at] {
			happens, sign := again.Float64() < k.p, 1
			if again.Uint64() >= 1<<63 {
				sign = -1
			}
			if happens {
				k.do(want, sign*k.level)
			}
		}
		if !slices.Equal(got.pix, want.pix) || r.Uint64() != again.Uint64() {
			t.Fatalf("stream %d: another image, or another number of draws", i)
		}
		if !slices.Equal(got.pix, in) {
			changed++
		}
	}
	for at, m := range pairs {
		if m < n/25-60 || m > n/25+60 { // 4 deviations of 14
			t.Errorf("pair %d: %d times of %d, want about %d", at, m, n, n/25)
		}
	}
	if changed < n/2 {
		t.Errorf("only %d of %d images changed", changed, n)
	}
}

// Images of one row, one column or one pixel go through every operation.
func TestAutoAugmentOfTinyImages(t *testing.T) {
	for _, s := range [][3]int{{1, 1, 3}, {1, 1, 1}, {1, 7, 3}, {7, 1, 1}, {2, 2, 3}, {3, 3, 2}} {
		size := s[0] * s[1] * s[2]
		v := canvas{make([]uint8, size), make([]uint8, size), s[0], s[1], s[2]}
		for _, pair := range policy {
			for _, k := range pair {
				for _, sign := range []int{-1, 1} {
					copy(v.pix, gridPixels(0, 1, s[0], s[1], s[2]))
					k.do(v, sign*k.level)
				}
			}
		}
	}
}

// holes finds the rectangle of zeros in an image of ones, and checks that
// there is just that.
func hole(t *testing.T, pix []float32, h, w, c int) image.Rectangle {
	t.Helper()
	r := image.Rectangle{Min: image.Pt(w, h)}
	for i, v := range pix {
		if v == 0 {
			x, y := i/c%w, i/c/w
			r = image.Rect(min(r.Min.X, x), min(r.Min.Y, y), max(r.Max.X, x+1), max(r.Max.Y, y+1))
		}
	}
	for i, v := range pix {
		if in := image.Pt(i/c%w, i/c/w).In(r); in != (v == 0) {
			t.Fatalf("pixel (%d,%d) is %v, the hole is %v", i/c/w, i/c%w, v, r)
		}
	}
	return r
}

// A hole of side s about (y,x) takes the rows y-s/2 to y-s/2+s-1 and such
// columns, as far as the image goes; each pixel is its middle equally often.
func TestCutout(t *testing.T) {
	for _, k := range []struct{ h, w, c, side int }{{32, 32, 1, 16}, {9, 13, 3, 5}, {4, 6, 3, 40}, {1, 1, 3, 1}} {
		pix := make([]float32, k.h*k.w*k.c)
		seen := map[image.Point]int{}
		const each = 20
		n := each * k.h * k.w
		r, again := rand.New(rand.NewPCG(3, 3)), rand.New(rand.NewPCG(3, 3))
		for range n {
			for i := range pix {
				pix[i] = 1
			}
			Augment{Cutout: k.side}.cut(r, pix, k.h, k.w, k.c)
			y, x := again.IntN(k.h), again.IntN(k.w)
			seen[image.Pt(x, y)]++
			want := image.Rect(x-k.side/2, y-k.side/2, x-k.side/2+k.side, y-k.side/2+k.side).Intersect(image.Rect(0, 0, k.w, k.h))
			if got := hole(t, pix, k.h, k.w, k.c); got != want {
				t.Fatalf("%+v: middle (%d,%d): hole %v, want %v", k, y, x, got, want)
			}
		}
		chi2, cells := 0.0, float64(k.h*k.w)
		for y := range k.h {
			for x := range k.w {
				d := float64(seen[image.Pt(x, y)] - each)
				chi2 += d * d / each
			}
		}
		if d := chi2 - (cells - 1); d*d > 16*2*cells { // within 4 deviations
			t.Errorf("%+v: chi-square %.1f of middles, want %v", k, chi2, cells-1)
		}
	}
}

// Cutout comes after normalisation: its hole has the mean colour, whatever
// that is, while what crops pad is black.
func TestCutoutHasTheMeanColour(t *testing.T) {
	white, err := NewImages(slices.Repeat([]uint8{255}, 8*8*3), 8, 8, 3, []int{0}, []string{"a"})
	if err != nil {
		t.Fatal(err)
	}
	n := cifarNorm()
	l := &Loader{Data: white, Augment: Augment{Crop: 2, Cutout: 4}, Normalize: n, Order: func(int) []int { return make([]int, 50) }}
	count := map[float32]int{}
	for _, b := range collect(t, l, 0, 0) {
		for i := 0; i < len(b.x); i += 3 {
			count[b.x[i]]++
		}
	}
	black, full := (0-n.Mean[0])/n.Std[0], (1-n.Mean[0])/n.Std[0]
	if len(count) != 3 || count[0] == 0 || count[black] == 0 || count[full] == 0 {
		t.Errorf("values %v, want 0 in holes, %v in padding and %v", count, black, full)
	}
}

// Steps come in one order, whatever that of the list: after the crop and the
// flip AutoAugment, then the jitter.
func TestOrderOfSteps(t *testing.T) {
	const h, w = 10, 12
	a, err := ParseAugment("cutout, jitter, autoaugment, crop-flip", 32)
	if err != nil {
		t.Fatal(err)
	}
	for i := range 200 {
		r, again := rand.New(rand.NewPCG(2, uint64(i))), rand.New(rand.NewPCG(2, uint64(i)))
		got, want := make([]uint8, h*w*3), make([]uint8, h*w*3)
		a.apply(r, got, gridPixels(i, 1, h, w, 3), h, w, 3)
		Augment{Crop: 4, Flip: true}.apply(again, want, gridPixels(i, 1, h, w, 3), h, w, 3)
		autoAugment(again, canvas{want, make([]uint8, h*w*3), h, w, 3})
		Jitter{.4, .4, .4}.apply(again, want, 3)
		if !slices.Equal(got, want) || r.Uint64() != again.Uint64() {
			t.Fatalf("stream %d: another order of steps or draws", i)
		}
	}
}

// BenchmarkAugment times the augmentation and normalisation of a 32x32 image.
func BenchmarkAugment(b *testing.B) {
	const images = 512
	pix := make([]uint8, images*3072)
	r := rand.New(rand.NewPCG(1, 1))
	for i := range pix {
		pix[i] = uint8(max(0, min(255, 128+40*r.NormFloat64())))
	}
	ds, err := NewImages(pix, 32, 32, 3, make([]int, images), []string{"a"})
	if err != nil {
		b.Fatal(err)
	}
	for _, list := range []string{"none", "crop-flip", "crop-flip,cutout", "crop-flip,autoaugment", "crop-flip,autoaugment,cutout", "crop-flip,jitter"} {
		b.Run(list, func(b *testing.B) {
			a, err := ParseAugment(list, 32)
			if err != nil {
				b.Fatal(err)
			}
			l := &Loader{Data: ds, Augment: a, Normalize: cifarNorm()}
			sample, dst := l.imageFiller(ds, 0), make([]float32, 3072)
			i := 0
			for b.Loop() {
				if err := sample(dst, i%images, i); err != nil {
					b.Fatal(err)
				}
				i++
			}
		})
	}
}
