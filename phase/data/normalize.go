package data

import (
	"fmt"
	"math"
)

// Normalize maps channel c of an image with bytes v to (v/255 - Mean[c]) /
// Std[c], and column c of a feature row with numbers v to (v - Mean[c]) /
// Std[c]. The zero value leaves mean and deviation alone.
type Normalize struct {
	Mean, Std []float32
}

// cifarNorm is what the long-tail literature uses for both CIFAR sets
// (kaidic/LDAM-DRW). Its deviations are means of the images' own deviations
// and so a little below the pixels' (.2470 .2435 .2616).
func cifarNorm() Normalize {
	return Normalize{[]float32{.4914, .4822, .4465}, []float32{.2023, .1994, .2010}}
}

// imageNetNorm is torchvision's for photographs.
func imageNetNorm() Normalize {
	return Normalize{[]float32{.485, .456, .406}, []float32{.229, .224, .225}}
}

// fashionNorm is Statistics of the embedded training set.
func fashionNorm() Normalize {
	return Normalize{[]float32{.2981}, []float32{.3555}}
}

// check says what does not fit samples of the given number of channels.
func (n Normalize) check(channels int) error {
	if len(n.Mean) == 0 && len(n.Std) == 0 {
		return nil
	}
	if len(n.Mean) != channels || len(n.Std) != channels {
		return fmt.Errorf("normalize: %d means and %d deviations for %d channels", len(n.Mean), len(n.Std), channels)
	}
	for c := range channels {
		if m, s := float64(n.Mean[c]), float64(n.Std[c]); !(s > 0) || math.IsInf(s, 0) || math.IsNaN(m) || math.IsInf(m, 0) {
			return fmt.Errorf("normalize: channel %d has mean %v and deviation %v, want finite numbers and a deviation above 0", c, m, s)
		}
	}
	return nil
}

// A table is a Normalize for bytes, worked out for all of them.
type table [][256]float32

func (n Normalize) table(channels int) table {
	t := make(table, channels)
	for c := range t {
		mean, std := 0.0, 1.0
		if len(n.Mean) > 0 {
			mean, std = float64(n.Mean[c]), float64(n.Std[c])
		}
		for v := range t[c] {
			t[c][v] = float32((float64(v)/255 - mean) / std)
		}
	}
	return t
}

// apply writes the normalised pixels of src to dst.
func (t table) apply(dst []float32, src []uint8) {
	dst = dst[:len(src)]
	switch len(t) {
	case 1:
		for i, v := range src {
			dst[i] = t[0][v]
		}
	case 3:
		r, g, b := &t[0], &t[1], &t[2]
		for i := 0; i+3 <= len(src) && i+3 <= len(dst); i += 3 {
			dst[i], dst[i+1], dst[i+2] = r[src[i]], g[src[i+1]], b[src[i+2]]
		}
	default:
		for i, v := range src {
			dst[i] = t[i%len(t)][v]
		}
	}
}

// Pixels writes image bytes of c channels, side by side, as normalised numbers
// to dst, which is as long as src.
func (n Normalize) Pixels(dst []float32, src []uint8, c int) error {
	if err := n.check(c); err != nil {
		return err
	}
	if len(dst) != len(src) || len(src)%c != 0 {
		return fmt.Errorf("normalize: %d bytes of %d channels into %d numbers", len(src), c, len(dst))
	}
	n.table(c).apply(dst, src)
	return nil
}

// Statistics is the mean and the standard deviation (of the population, not
// its estimate) of every channel of images over all pixels, as parts of 255.
func Statistics(ds Images) (Normalize, error) {
	shape := ds.Shape()
	c := shape[0]
	if ds.Len() == 0 {
		return Normalize{}, fmt.Errorf("statistics of no images")
	}
	count := make([][256]int64, c) // exact, so no order of adding matters
	pixels := make([]uint8, shape.Size())
	for i := range ds.Len() {
		if err := ds.Pixels(i, pixels); err != nil {
			return Normalize{}, err
		}
		for k := range count {
			for j := k; j < len(pixels); j += c {
				count[k][pixels[j]]++
			}
		}
	}
	n := Normalize{make([]float32, c), make([]float32, c)}
	for k := range count {
		var total, sum, squares float64
		for v, m := range count[k] {
			total += float64(m)
			sum += float64(m) * float64(v)
		}
		mean := sum / total
		for v, m := range count[k] {
			squares += float64(float64(m) * (float64(v) - mean) * (float64(v) - mean)) // unfused: one result on all processors
		}
		n.Mean[k] = float32(mean / 255)
		n.Std[k] = float32(math.Sqrt(squares/total) / 255)
		if n.Std[k] == 0 {
			n.Std[k] = 1 // a constant channel carries nothing; do not divide by zero
		}
	}
	return n, nil
}
