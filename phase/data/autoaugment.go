package data

import (
	"math"
	"math/rand/v2"
)

// AutoAugment is Cubuk et al., "AutoAugment: Learning Augmentation Policies
// from Data" (2018), as torchvision applies it to Pillow's images: magnitudes
// in ten steps, the nearest pixel, black where there is none. Each operation
// gives Pillow's own bytes (testdata/pillow.py makes them), in integers, or in
// floats whose products are converted so that no processor fuses them into
// sums. Magnitudes are exact; torchvision's float32 ones differ in their last
// bits. (The copy that DDC and others use differs in more: what lies outside
// is gray, shears are bicubic, rotations go one way.)

// A chance is an operation that happens with probability p. Its level is 0 to
// 9; half of the time the operation gets it with a minus sign, which those
// without a direction ignore.
type chance struct {
	do    func(v canvas, level int)
	p     float64
	level int
}

// policy is what the paper found on CIFAR-10 (its Table 7).
var policy = [25][2]chance{
	{{invert, .1, 0}, {contrast, .2, 6}},
	{{rotate, .7, 2}, {translateX, .3, 9}},
	{{sharpness, .8, 1}, {sharpness, .9, 3}},
	{{shearY, .5, 8}, {translateY, .7, 9}},
	{{autoContrast, .5, 0}, {equalize, .9, 0}},
	{{shearY, .2, 7}, {posterize, .3, 7}},
	{{saturation, .4, 3}, {brightness, .6, 7}},
	{{sharpness, .3, 9}, {brightness, .7, 9}},
	{{equalize, .6, 0}, {equalize, .5, 0}},
	{{contrast, .6, 7}, {sharpness, .6, 5}},
	{{saturation, .7, 7}, {translateX, .5, 8}},
	{{equalize, .3, 0}, {autoContrast, .4, 0}},
	{{translateY, .4, 3}, {sharpness, .2, 6}},
	{{brightness, .9, 6}, {saturation, .2, 8}},
	{{solarize, .5, 2}, {invert, 0, 0}},
	{{equalize, .2, 0}, {autoContrast, .6, 0}},
	{{equalize, .2, 0}, {equalize, .6, 0}},
	{{saturation, .9, 9}, {equalize, .6, 0}},
	{{autoContrast, .8, 0}, {solarize, .2, 8}},
	{{brightness, .1, 3}, {saturation, .7, 0}},
	{{solarize, .4, 5}, {autoContrast, .9, 0}},
	{{translateY, .9, 9}, {translateY, .7, 9}},
	{{autoContrast, .9, 0}, {solarize, .8, 3}},
	{{equalize, .8, 0}, {invert, .1, 0}},
	{{translateY, .7, 9}, {autoContrast, .9, 0}},
}

// autoAugment applies a pair of the policy. It always draws five numbers.
func autoAugment(r *rand.Rand, v canvas) {
	for _, k := range policy[r.IntN(len(policy))] {
		u, minus := r.Float64(), r.Uint64()>>63 == 1
		level := k.level
		if minus {
			level = -level
		}
		if u < k.p {
			k.do(v, level)
		}
	}
}

// A canvas is an image that operations change in place: rows of w pixels of c
// channels, and scratch memory of the same size.
type canvas struct {
	pix, tmp []uint8
	h, w, c  int
}

// tone replaces each byte of channel k of c by its entry in a table.
func (v canvas) tone(k int, table *[256]uint8) {
	for i := k; i < len(v.pix); i += v.c {
		v.pix[i] = table[v.pix[i]]
	}
}

// histogram counts the bytes of channel k.
func (v canvas) histogram(k int) (n [256]int) {
	for i := k; i < len(v.pix); i += v.c {
		n[v.pix[i]]++
	}
	return n
}

func invert(v canvas, _ int) {
	for i, x := range v.pix {
		v.pix[i] = 255 - x
	}
}

// solarize inverts what is at least 255·(9-level)/9.
func solarize(v canvas, level int) {
	for i, x := range v.pix {
		if 9*int(x) >= 255*(9-max(level, -level)) {
			v.pix[i] = 255 - x
		}
	}
}

// posterize keeps the upper 8 - 4·level/9 bits, rounded.
func posterize(v canvas, level int) {
	drop := (8*max(level, -level) + 9) / 18
	for i, x := range v.pix {
		v.pix[i] = x >> drop << drop
	}
}

// autoContrast stretches each channel to reach from 0 to 255.
func autoContrast(v canvas, _ int) {
	for k := range v.c {
		n := v.histogram(k)
		lo, hi := 0, 255
		for lo < 255 && n[lo] == 0 {
			lo++
		}
		for hi > 0 && n[hi] == 0 {
			hi--
		}
		if hi <= lo {
			continue
		}
		scale := 255 / float64(hi-lo)
		offset := float64(float64(-lo) * scale)
		var t [256]uint8
		for x := lo; x <= hi; x++ {
			t[x] = uint8(max(0, min(255, float64(float64(x)*scale)+offset)))
		}
		v.tone(k, &t)
	}
}

// equalize makes the histogram of each channel as level as it can be: a byte
// becomes the number of smaller ones, in 255ths of all but the largest.
func equalize(v canvas, _ int) {
	for k := range v.c {
		n := v.histogram(k)
		hi := 255
		for hi > 0 && n[hi] == 0 {
			hi--
		}
		step := (v.h*v.w - n[hi]) / 255
		if step == 0 {
			continue
		}
		var t [256]uint8
		sum := step / 2
		for x := range t {
			t[x] = uint8(min(255, sum/step))
			sum += n[x]
		}
		v.tone(k, &t)
	}
}

// enhance moves every byte away from the one in tmp by a factor of 1+level/10:
// Pillow's ImageEnhance, in its float32.
func (v canvas) enhance(level int) {
	f := float32(1 + float64(level)/10)
	for i, x := range v.pix {
		d := float32(v.tmp[i])
		v.pix[i] = uint8(max(0, min(255, d+float32(f*(float32(x)-d)))))
	}
}

// brightness moves away from black.
func brightness(v canvas, level int) {
	clear(v.tmp)
	v.enhance(level)
}

// contrast moves away from the mean gray.
func contrast(v canvas, level int) {
	mean := uint8(meanGray(v.pix, v.c))
	for i := range v.tmp {
		v.tmp[i] = mean
	}
	v.enhance(level)
}

// saturation, which the paper calls color, moves each pixel away from its own
// gray.
func saturation(v canvas, level int) {
	if v.c != 3 {
		return
	}
	for i := 0; i+3 <= len(v.pix); i += 3 {
		g := gray(v.pix[i], v.pix[i+1], v.pix[i+2])
		v.tmp[i], v.tmp[i+1], v.tmp[i+2] = g, g, g
	}
	v.enhance(level)
}

// sharpness moves away from a smooth image, whose pixels are the mean of nine,
// the middle one counted five times. The edges stay as they are.
func sharpness(v canvas, level int) {
	copy(v.tmp, v.pix)
	row := v.w * v.c
	for y := 1; y < v.h-1; y++ {
		for i := y*row + v.c; i < (y+1)*row-v.c; i++ {
			sum := 4 * int(v.pix[i])
			for _, j := range [3]int{i - row, i, i + row} {
				sum += int(v.pix[j-v.c]) + int(v.pix[j]) + int(v.pix[j+v.c])
			}
			v.tmp[i] = uint8((2*sum + 13) / 26)
		}
	}
	v.enhance(level)
}

// translateX moves the image to the right by 150/331 of its width times
// level/9, rounded towards zero.
func translateX(v canvas, level int) {
	copy(v.tmp, v.pix)
	shift(v.pix, v.tmp, v.h, v.w, v.c, 0, -150*v.w*level/(331*9))
}

// translateY moves the image down.
func translateY(v canvas, level int) {
	copy(v.tmp, v.pix)
	shift(v.pix, v.tmp, v.h, v.w, v.c, -150*v.h*level/(331*9), 0)
}

// shearY moves each column down by 0.3·level/9 of its place.
func shearY(v canvas, level int) { v.affine(1, 0, 0, .3*float64(level)/9, 1, 0) }

// rotate turns the image about its middle by 30·level/9 degrees, against the
// clock.
func rotate(v canvas, level int) {
	sin, cos := math.Sincos(float64(level) * 30 / 9 * math.Pi / 180)
	x, y := float64(v.w)/2, float64(v.h)/2
	v.affine(cos, -sin, x-float64(cos*x)+float64(sin*y), sin, cos, y-float64(sin*x)-float64(cos*y))
}

// affine takes each pixel (x,y) from where (a·x+b·y+c, d·x+e·y+f) is, counted
// from pixels' middles, and black from outside. Places are in 16.16 fixed
// point, as Pillow's are, which absorbs what the last bits of a sine are worth.
func (v canvas) affine(a, b, c, d, e, f float64) {
	fixed := func(x float64) int64 { return int64(math.Floor(x*65536 + .5)) }
	copy(v.tmp, v.pix)
	clear(v.pix)
	ax, ay := fixed(a), fixed(d)                     // what a step to the right adds
	bx, by := fixed(b), fixed(e)                     // what a step down adds
	rowX, rowY := fixed(c+a/2+b/2), fixed(f+d/2+e/2) // the first pixel of a row
	for at := 0; at < len(v.pix); rowX, rowY = rowX+bx, rowY+by {
		x, y := rowX, rowY
		for range v.w {
			if sx, sy := int(x>>16), int(y>>16); sx >= 0 && sx < v.w && sy >= 0 && sy < v.h {
				copy(v.pix[at:at+v.c], v.tmp[(sy*v.w+sx)*v.c:])
			}
			x, y, at = x+ax, y+ay, at+v.c
		}
	}
}
