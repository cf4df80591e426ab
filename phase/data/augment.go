package data

import (
	"fmt"
	"math/rand/v2"
	"strings"
)

// Augment changes training images at random, in the order of its fields. The
// first four steps are torchvision's RandomCrop with zero padding,
// RandomHorizontalFlip, AutoAugment with the policy for CIFAR-10, and
// ColorJitter; they work on bytes, before normalisation, so what is padded is
// black. The last is the Cutout of DeVries and Taylor (2017). It comes after
// normalisation, as theirs does, and writes zeros: the hole has the mean
// colour. (DDC and others that add Cutout to AutoAugment cut before they
// normalise, which makes the hole black.) The zero value changes nothing.
type Augment struct {
	Crop        int  // pad each side with this many black pixels, then cut out the old size anywhere
	Flip        bool // mirror left to right with probability 1/2
	AutoAugment bool // a random pair of operations of the policy, each with its probability
	Jitter      Jitter
	Cutout      int // side in pixels of a square hole, its centre anywhere in the image; 0 cuts none
}

// Jitter is how far colours may move. Each strength s draws a factor f
// uniformly from [max(0, 1-s), 1+s] and replaces x by f*x + (1-f)*d, clipped
// to 0..255 and rounded down, where d is 0 for brightness, the image's mean
// gray for contrast, and the pixel's own gray for saturation. The three come
// in random order.
type Jitter struct {
	Brightness, Contrast, Saturation float64
}

// ParseAugment reads a comma-separated list of none, crop, flip, crop-flip,
// autoaugment, jitter and cutout, in any order, for images of size pixels. The
// padding of crop is an eighth of the size, rounded (4 for 32, 8 for 64); the
// hole of cutout is half as wide as the image (16 for 32); the strengths of
// jitter are 0.4, as in the long-tail literature.
func ParseAugment(text string, size int) (Augment, error) {
	var a Augment
	words := strings.Split(text, ",")
	for _, word := range words {
		word = strings.TrimSpace(word)
		if word == "none" && len(words) > 1 {
			return a, fmt.Errorf("augmentation %q: none stands alone", text)
		}
		switch word {
		case "none":
		case "crop":
			a.Crop = (size + 4) / 8
		case "flip":
			a.Flip = true
		case "crop-flip":
			a.Crop, a.Flip = (size+4)/8, true
		case "autoaugment":
			a.AutoAugment = true
		case "jitter":
			a.Jitter = Jitter{0.4, 0.4, 0.4}
		case "cutout":
			a.Cutout = (size + 1) / 2
		default:
			return a, fmt.Errorf("augmentation %q: %q, want none, crop, flip, crop-flip, autoaugment, jitter or cutout", text, word)
		}
	}
	return a, nil
}

func (a Augment) check() error {
	if a.Crop < 0 || a.Cutout < 0 {
		return fmt.Errorf("augmentation: padding %d and a hole of %d pixels, want at least 0 of both", a.Crop, a.Cutout)
	}
	for _, s := range []float64{a.Jitter.Brightness, a.Jitter.Contrast, a.Jitter.Saturation} {
		if !(s >= 0 && s <= 1) {
			return fmt.Errorf("augmentation: jitter %v, want strengths of 0 to 1", a.Jitter)
		}
	}
	return nil
}

// Moves reports whether a does nothing but crop and flip: then every pixel is one of
// the image's, or black.
func (a Augment) Moves() bool { return a == Augment{Crop: a.Crop, Flip: a.Flip} }

// draw is where an image is cropped, dst(y,x) being src(y+dy,x+dx) and black outside,
// and whether it is flipped after that.
func (a Augment) draw(r *rand.Rand) (dy, dx int, flip bool) {
	if a.Crop > 0 {
		dy = r.IntN(2*a.Crop+1) - a.Crop
		dx = r.IntN(2*a.Crop+1) - a.Crop
	}
	return dy, dx, a.Flip && r.Uint64()>>63 == 1
}

// apply writes the augmented image src, of h x w pixels and c channels, to
// dst: all steps but Cutout. The draws from r come in a fixed order, and only
// for steps that are on. src serves as scratch memory.
func (a Augment) apply(r *rand.Rand, dst, src []uint8, h, w, c int) {
	dy, dx, flip := a.draw(r)
	shift(dst, src, h, w, c, dy, dx)
	if flip {
		mirror(dst, w, c)
	}
	if a.AutoAugment {
		autoAugment(r, canvas{dst, src, h, w, c})
	}
	a.Jitter.apply(r, dst, c)
}

// cut is Cutout on a normalised image. What of the hole lies outside is lost.
func (a Augment) cut(r *rand.Rand, pix []float32, h, w, c int) {
	if a.Cutout == 0 {
		return
	}
	top, left := r.IntN(h)-a.Cutout/2, r.IntN(w)-a.Cutout/2
	from, to := max(0, left), min(w, left+a.Cutout)
	for y := max(0, top); y < min(h, top+a.Cutout); y++ {
		clear(pix[(y*w+from)*c : (y*w+to)*c])
	}
}

// shift cuts h x w pixels out of src at (dy,dx), black where there are none.
func shift(dst, src []uint8, h, w, c, dy, dx int) {
	row := w * c
	from, to := max(0, -dx), min(w, w-dx) // columns of dst that src has
	for y := range h {
		out := dst[y*row : (y+1)*row]
		if sy := y + dy; sy < 0 || sy >= h || from >= to {
			clear(out)
			continue
		}
		in := src[(y+dy)*row : (y+dy+1)*row]
		clear(out[:from*c])
		copy(out[from*c:to*c], in[(from+dx)*c:(to+dx)*c])
		clear(out[to*c:])
	}
}

// mirror turns each row of w pixels of c channels around.
func mirror(pix []uint8, w, c int) {
	row := w * c
	for ; len(pix) >= row; pix = pix[row:] {
		if c == 3 {
			for i, j := 0, row-3; i < j; i, j = i+3, j-3 {
				p, q := pix[i:i+3:i+3], pix[j:j+3:j+3]
				p[0], p[1], p[2], q[0], q[1], q[2] = q[0], q[1], q[2], p[0], p[1], p[2]
			}
			continue
		}
		for i, j := 0, row-c; i < j; i, j = i+c, j-c {
			for k := range c {
				pix[i+k], pix[j+k] = pix[j+k], pix[i+k]
			}
		}
	}
}

func (j Jitter) apply(r *rand.Rand, pix []uint8, c int) {
	if j == (Jitter{}) {
		return
	}
	for _, step := range r.Perm(3) {
		strength := [3]float64{j.Brightness, j.Contrast, j.Saturation}[step]
		if strength == 0 {
			continue
		}
		lo := max(0, 1-strength)
		f := lo + float64((1+strength-lo)*r.Float64()) // unfused, as in blend
		switch step {
		case 0:
			blendTo(pix, f, 0)
		case 1:
			blendTo(pix, f, meanGray(pix, c))
		case 2:
			saturate(pix, f, c)
		}
	}
}

// blend is f*x + (1-f)*d as a byte: clipped, then rounded down. Conversions to
// float64 keep the products from being fused into the sum, which would give
// other bytes on other processors.
func blend(x, f, d float64) uint8 {
	return uint8(max(0, min(255, float64(f*x)+float64((1-f)*d))))
}

// blendTo blends all of pix with one colour.
func blendTo(pix []uint8, f, d float64) {
	var t [256]uint8
	for v := range t {
		t[v] = blend(float64(v), f, d)
	}
	for i, v := range pix {
		pix[i] = t[v]
	}
}

// gray is the luma of ITU-R BT.601 in 16-bit fixed point, as Pillow has it:
// 0.299 r + 0.587 g + 0.114 b, rounded.
func gray(r, g, b uint8) uint8 {
	return uint8((19595*uint32(r) + 38470*uint32(g) + 7471*uint32(b) + 1<<15) >> 16)
}

// meanGray is the mean of the gray values of an image, rounded.
func meanGray(pix []uint8, c int) float64 {
	sum, n := 0, len(pix)/c
	for i := 0; i < len(pix); i += c {
		if c == 3 {
			sum += int(gray(pix[i], pix[i+1], pix[i+2]))
		} else {
			sum += int(pix[i])
		}
	}
	return float64((2*sum + n) / (2 * n))
}

// saturate blends each pixel with its own gray; images that are not RGB have
// no saturation.
func saturate(pix []uint8, f float64, c int) {
	if c != 3 {
		return
	}
	for i := 0; i+3 <= len(pix); i += 3 {
		p := pix[i : i+3 : i+3]
		d := float64(gray(p[0], p[1], p[2]))
		for k, v := range p {
			p[k] = blend(float64(v), f, d)
		}
	}
}
