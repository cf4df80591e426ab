package cpu

// stripKernel convolves a strip of neighbouring pixels of a row.
type stripKernel struct {
	pixels, outputs int // of a strip
	run             func(s *strip)
}

// A strip is a 3×3 convolution, stride 1, of some neighbouring pixels of a row,
// by rows of the filter that lie inside the image. Steps are in floats.
type strip struct {
	in          []float32 // the strip's first pixel, in the first of the input rows
	left, right []float32 // the pixels beside it, zeros outside the image
	w           []float32 // weights, from the first of the filter's rows on
	out         []float32
	rows        int // of the filter
	channels    int // of the input, at least 1
	pixel, row  int // steps in the input
	leftStep    int // from the end of a left pixel to the one below
	rightStep   int
	panel       int // from one panel of weights to the next
	outPixel    int
	add         bool
}

// maxChannels bounds the input channels of direct kernels, so that a call ends
// within some 50 µs; zeros is a pixel outside the image.
const maxChannels = 1024

var zeros [maxChannels]float32

// direct is the kernel that computes g on the image itself, or nil.
func (k *convKernels) direct(g *gather) *stripKernel {
	if !g.same3x3() || g.in > maxChannels {
		return nil
	}
	for i := range k.strips {
		if s := &k.strips[i]; g.w%s.pixels == 0 && g.out%s.outputs == 0 {
			return s
		}
	}
	return nil
}

// direct computes the rows top to bottom-1 of image n.
func (b *Backend) direct(g *gather, n, top, bottom int) {
	scratch := b.pool.get(0)
	defer b.pool.put(scratch)
	s, kernel := &scratch.strip, g.strip
	s.channels, s.pixel, s.row = g.in, g.in, g.w*g.in
	s.outPixel, s.panel, s.add = g.out, 9*g.in*panel, g.add
	for o := 0; o < g.out; o += kernel.outputs {
		w := g.packed[o/panel*s.panel+o%panel:]
		for y := top; y < bottom; y++ {
			first, last := max(0, 1-y), min(2, g.h-y) // rows of the filter inside
			s.rows = last - first + 1
			s.w = w[first*3*g.in*panel:]
			line := g.src[(n*g.h+y+first-1)*s.row:][:s.rows*s.row]
			out := g.dst[(n*g.h+y)*g.w*g.out:][:g.w*g.out]
			for x := 0; x < g.w; x += kernel.pixels {
				s.in = line[x*g.in:]
				s.left, s.leftStep = zeros[:], -g.in
				if x > 0 {
					s.left, s.leftStep = line[(x-1)*g.in:], s.row-g.in
				}
				s.right, s.rightStep = zeros[:], -g.in
				if x+kernel.pixels < g.w {
					s.right, s.rightStep = line[(x+kernel.pixels)*g.in:], s.row-g.in
				}
				s.out = out[x*g.out+o:]
				kernel.run(s)
			}
		}
	}
}
