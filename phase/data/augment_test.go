package data

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

// compass is an image whose pixels say where they are: (y+1, x+1, 200).
func compass(h, w int) (pix []uint8) {
	for y := range h {
		for x := range w {
			pix = append(pix, uint8(y+1), uint8(x+1), 200)
		}
	}
	return pix
}

// read finds out where a crop of a compass was cut and whether it was
// mirrored, from its middle, and checks every byte against the definition of
// padding, cropping and mirroring.
func read(t *testing.T, dst []uint8, h, w int) (dy, dx int, flip bool) {
	t.Helper()
	at := func(y, x int) []uint8 { return dst[(y*w+x)*3 : (y*w+x)*3+3] }
	y, x := h/2, w/2
	dy = int(at(y, x)[0]) - 1 - y
	if flip = at(y, x)[1] > at(y, x+1)[1]; flip {
		dx = int(at(y, x)[1]) - 1 - (w - 1 - x)
	} else {
		dx = int(at(y, x)[1]) - 1 - x
	}
	for y := range h {
		for x := range w {
			sy, sx := y+dy, x+dx
			if flip {
				sx = w - 1 - x + dx
			}
			want := []uint8{0, 0, 0}
			if sy >= 0 && sy < h && sx >= 0 && sx < w {
				want = []uint8{uint8(sy + 1), uint8(sx + 1), 200}
			}
			if !slices.Equal(at(y, x), want) {
				t.Fatalf("pixel (%d,%d) is %v, want %v (moved by %d,%d, mirrored %v)", y, x, at(y, x), want, dy, dx, flip)
			}
		}
	}
	return dy, dx, flip
}

// RandomCrop(32, padding=4) has 81 equally likely places, and
// RandomHorizontalFlip(0.5) is independent of them.
func TestCropAndFlipAreUniform(t *testing.T) {
	const h, w, pad, n = 12, 14, 4, 81 * 200
	src, dst := compass(h, w), make([]uint8, h*w*3)
	var count [2][2*pad + 1][2*pad + 1]float64
	var pcg rand.PCG
	r := rand.New(&pcg)
	for i := range n {
		seedStream(&pcg, 1, 0, i)
		Augment{Crop: pad, Flip: true}.apply(r, dst, src, h, w, 3)
		dy, dx, flip := read(t, dst, h, w)
		if max(dy, -dy, dx, -dx) > pad {
			t.Fatalf("moved by (%d,%d), want at most %d", dy, dx, pad)
		}
		k := 0
		if flip {
			k = 1
		}
		count[k][dy+pad][dx+pad]++
	}
	chi2, want := 0.0, float64(n)/162
	for _, a := range count {
		for _, b := range a {
			for _, m := range b {
				chi2 += (m - want) * (m - want) / want
			}
		}
	}
	// 161 degrees of freedom: mean 161, deviation 18.
	if chi2 > 161+4*18 || chi2 < 161-4*18 {
		t.Errorf("chi-square %.1f, want 161 within 72", chi2)
	}
}

// The streams of neighbouring positions, epochs and seeds have nothing in
// common: no lag correlates.
func TestStreamsAreIndependent(t *testing.T) {
	var pcg rand.PCG
	r := rand.New(&pcg)
	draw := func(seed uint64, epoch, i int) float64 {
		seedStream(&pcg, seed, epoch, i)
		return r.Float64() - 0.5
	}
	const n = 20000
	for name, other := range map[string]func(i int) float64{
		"position": func(i int) float64 { return draw(1, 0, i+1) },
		"epoch":    func(i int) float64 { return draw(1, 1, i) },
		"seed":     func(i int) float64 { return draw(2, 0, i) },
		"swapped":  func(i int) float64 { return draw(0, 1, i) },
	} {
		sum := 0.0
		for i := range n {
			sum += draw(1, 0, i) * other(i)
		}
		if corr := sum / n * 12; math.Abs(corr) > 4/math.Sqrt(n) {
			t.Errorf("%s: correlation %.4f, want 0 within %.4f", name, corr, 4/math.Sqrt(n))
		}
	}
}

func TestCropWiderThanTheImage(t *testing.T) {
	src := compass(2, 2)
	dst := make([]uint8, len(src))
	for _, d := range [][2]int{{0, 2}, {0, -2}, {2, 0}, {-3, 9}, {0, -7}} {
		for i := range dst {
			dst[i] = 9
		}
		shift(dst, src, 2, 2, 3, d[0], d[1])
		near(t, dst, 0, 0)
	}
}

func TestMirrorOfGrayAndOddWidths(t *testing.T) {
	for _, k := range []struct {
		c, w int
		want []uint8
	}{{1, 5, []uint8{5, 4, 3, 2, 1, 10, 9, 8, 7, 6}}, {2, 3, []uint8{5, 6, 3, 4, 1, 2, 11, 12, 9, 10, 7, 8}}, {3, 2, []uint8{4, 5, 6, 1, 2, 3, 10, 11, 12, 7, 8, 9}}} {
		pix := make([]uint8, len(k.want))
		for i := range pix {
			pix[i] = uint8(i + 1)
		}
		mirror(pix, k.w, k.c)
		if !slices.Equal(pix, k.want) {
			t.Errorf("c %d: %v, want %v", k.c, pix, k.want)
		}
	}
}

// Pillow's weights: pure red, green and blue are 76, 150 and 29.
func TestGray(t *testing.T) {
	if r, g, b, w := gray(255, 0, 0), gray(0, 255, 0), gray(0, 0, 255), gray(255, 255, 255); r != 76 || g != 150 || b != 29 || w != 255 {
		t.Errorf("%d %d %d %d, want 76 150 29 255", r, g, b, w)
	}
	if m := meanGray([]uint8{0, 0, 0, 255, 255, 255}, 3); m != 128 { // 127.5, rounded up as Pillow does
		t.Errorf("mean %v, want 128", m)
	}
	if m := meanGray([]uint8{1, 2, 4}, 1); m != 2 {
		t.Errorf("mean %v, want 2", m)
	}
}

func TestJitterSteps(t *testing.T) {
	pix := func() []uint8 { return []uint8{10, 100, 250, 200, 0, 50} }
	for name, k := range map[string]struct {
		do   func(p []uint8)
		want []uint8
	}{
		"brightness 0":   {func(p []uint8) { blendTo(p, 0, 0) }, []uint8{0, 0, 0, 0, 0, 0}},
		"brightness 0.5": {func(p []uint8) { blendTo(p, 0.5, 0) }, []uint8{5, 50, 125, 100, 0, 25}},
		"brightness 1":   {func(p []uint8) { blendTo(p, 1, 0) }, pix()},
		"brightness 1.4": {func(p []uint8) { blendTo(p, 1.4, 0) }, []uint8{14, 140, 255, 255 /* 280 */, 0, 70}},
		// The grays are 90 (90.19) and 65 (65.498: the weights are rounded to 16 bits); their mean is 78.
		"contrast 0":     {func(p []uint8) { blendTo(p, 0, meanGray(p, 3)) }, []uint8{78, 78, 78, 78, 78, 78}},
		"contrast 1.5":   {func(p []uint8) { blendTo(p, 1.5, meanGray(p, 3)) }, []uint8{0 /* -24 */, 111, 255, 255, 0, 36}},
		"saturation 0":   {func(p []uint8) { saturate(p, 0, 3) }, []uint8{90, 90, 90, 65, 65, 65}},
		"saturation 1.5": {func(p []uint8) { saturate(p, 1.5, 3) }, []uint8{0, 105, 255, 255, 0, 42}},
		"saturation 2":   {func(p []uint8) { saturate(p, 2, 1) }, pix()}, // gray images have none
	} {
		p := pix()
		k.do(p)
		if !slices.Equal(p, k.want) {
			t.Errorf("%s: %v, want %v", name, p, k.want)
		}
	}
}

// The factor of brightness is uniform in [1-s, 1+s], and never below 0.
func TestJitterFactors(t *testing.T) {
	const n = 4000
	var pcg rand.PCG
	r := rand.New(&pcg)
	for _, s := range []float64{0.4, 1} {
		lo, hi, sum := 255, 0, 0.0
		for i := range n {
			seedStream(&pcg, 3, 0, i)
			p := []uint8{100}
			Jitter{Brightness: s}.apply(r, p, 1)
			lo, hi, sum = min(lo, int(p[0])), max(hi, int(p[0])), sum+float64(p[0])
		}
		if math.Abs(float64(lo)-100*(1-s)) > 1 || math.Abs(float64(hi)-100*(1+s)) > 1 || math.Abs(sum/n-99.5) > 100*s/math.Sqrt(3*n)*4 {
			t.Errorf("strength %v: from %d to %d, mean %.2f, want %v to %v, mean 99.5", s, lo, hi, sum/n, 100*(1-s), 100*(1+s))
		}
	}
}

// Each of the six orders of the three steps occurs, about equally often.
func TestJitterOrder(t *testing.T) {
	const n = 3000
	seen := map[[3]uint8]int{}
	var pcg rand.PCG
	r := rand.New(&pcg)
	for i := range n {
		seedStream(&pcg, 5, 0, i)
		order := r.Perm(3)
		seen[[3]uint8{uint8(order[0]), uint8(order[1]), uint8(order[2])}]++
	}
	for order, m := range seen {
		if math.Abs(float64(m)-n/6) > 4*math.Sqrt(n/6) {
			t.Errorf("order %v: %d of %d", order, m, n)
		}
	}
	// And the image shows it: order matters, so one strength alone differs
	// from all three.
	a, b := compass(4, 4), compass(4, 4)
	seedStream(&pcg, 5, 0, 0)
	Jitter{0.4, 0.4, 0.4}.apply(r, a, 3)
	seedStream(&pcg, 5, 0, 0)
	Jitter{0.4, 0, 0}.apply(r, b, 3)
	if len(seen) != 6 || slices.Equal(a, b) {
		t.Errorf("%d orders, want 6", len(seen))
	}
}

func TestParseAugment(t *testing.T) {
	for text, want := range map[string]Augment{
		"none":             {},
		"crop-flip":        {Crop: 4, Flip: true},
		"crop, jitter":     {Crop: 4, Jitter: Jitter{.4, .4, .4}},
		"flip":             {Flip: true},
		"autoaugment":      {AutoAugment: true},
		"cutout,crop-flip": {Crop: 4, Flip: true, Cutout: 16},
		"crop-flip,jitter": {Crop: 4, Flip: true, Jitter: Jitter{.4, .4, .4}},
	} {
		if got, err := ParseAugment(text, 32); err != nil || got != want {
			t.Errorf("%q: %+v, %v, want %+v", text, got, err, want)
		}
	}
	for size, pad := range map[int]int{28: 4, 32: 4, 64: 8, 224: 28} {
		if a, _ := ParseAugment("crop", size); a.Crop != pad {
			t.Errorf("size %d: padding %d, want %d", size, a.Crop, pad)
		}
	}
	for size, hole := range map[int]int{1: 1, 28: 14, 32: 16, 33: 17, 64: 32} {
		if a, _ := ParseAugment("cutout", size); a.Cutout != hole {
			t.Errorf("size %d: hole of %d, want %d", size, a.Cutout, hole)
		}
	}
	for text, say := range map[string]string{"": `""`, "crop,,flip": `""`, "none,flip": "alone", "cutmix": `"cutmix"`} {
		_, err := ParseAugment(text, 32)
		wantError(t, err, say)
	}
}

// What a seed makes of an image is pinned: a change here changes every run
// that has been published. crop-flip and jitter draw what they drew before
// there was AutoAugment.
func TestAugmentedBitsStay(t *testing.T) {
	for _, k := range []struct{ list, rgb, gray string }{
		{"crop-flip", "df1dac2540a2ca91", "58c4804fed04066f"},
		{"crop-flip,jitter", "7f90c075fe46873d", "36552ed4d09cd443"},
		{"crop-flip,autoaugment,cutout", "e95321d24e8dddb7", "f014194b0a2dea8a"},
	} {
		for c, want := range map[int]string{3: k.rgb, 1: k.gray} {
			a, err := ParseAugment(k.list, 32)
			if err != nil {
				t.Fatal(err)
			}
			ds, err := NewImages(gridPixels(0, 10, 32, 32, c), 32, 32, c, make([]int, 10), []string{"a"})
			if err != nil {
				t.Fatal(err)
			}
			norm := cifarNorm()
			l := &Loader{Data: ds, Shuffle: true, Seed: 5, Augment: a, Normalize: Normalize{norm.Mean[:c], norm.Std[:c]}}
			h := sha256.New()
			for epoch := range 30 {
				for _, b := range collect(t, l, epoch, 0) {
					if err := binary.Write(h, binary.LittleEndian, b.x); err != nil {
						t.Fatal(err)
					}
				}
			}
			if got := hex.EncodeToString(h.Sum(nil)[:8]); got != want {
				t.Errorf("%s of %d channels: checksum %s, want %s", k.list, c, got, want)
			}
		}
	}
}
