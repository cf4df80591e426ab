package cpu

import (
	"unsafe"

	"phase/tensor"
)

// Where images are kept in bfloat16 and the processor multiplies matrices of such
// numbers by itself (AMX), a 3×3 or 1×1 convolution is the sum that defines it: of
// products of bfloat16 numbers in float32, with filters and gradients rounded too, as
// they go in. A row of the filter meets 3·C numbers of an image that lie side by side,
// or C, so that no image is lowered.

// tileKernels are the products of tiles; none where there is no AMX.
type tileKernels struct {
	wide, narrow func(p *tileProduct) // with two panels of b and with one
	pairs        func(p *rowPairs)
	halves       func(p *rowHalves)
}

// A tileProduct is c = a·b, or c += a·b, for two tiles of a's rows, which may be the
// same, and one or two panels of b's columns. The sum takes outer times inner steps,
// of as many terms as config says. Steps of a are in bfloat16, all others in words of
// 32 bits, which in b are two terms.
type tileProduct struct {
	config             *tileConfig
	a0, a1             *tensor.BFloat16
	aRow, aStep, aNext int // from row to row, step to step, and what comes on top after inner steps
	b                  *uint32
	bRow, bStep, bWide int // from two terms to the next two, step to step, panel to panel
	c0, c1             *float32
	cRow, cWide        int
	inner, outer       int
	add                bool
}

// mostTileSteps bounds the steps of a call, for some 20 µs.
const mostTileSteps = 256

// A rowPairs rounds the numbers of neighbouring pixels, n of each, a multiple of 16,
// and puts them side by side: the first pixel's in the lower half of a word.
type rowPairs struct {
	dst      *uint32
	src      *float32
	pairs, n int
	step     int // from pixel to pixel
}

// A rowHalves rounds a row of numbers, a multiple of 32: as narrow does, which keeps
// images, but by the processor's own instruction, to which numbers below 2^-126 are
// zero, as they are to its products.
type rowHalves struct {
	dst *tensor.BFloat16
	src *float32
	n   int
}

// A tileConfig says how large the tiles are: of a rows of depth, as the processor
// reads it.
type tileConfig struct {
	palette uint8
	_       [15]uint8
	bytes   [16]uint16 // of a row
	rows    [16]uint8
}

// configOf is for products of rows rows and steps of depth terms: of tiles 0 to 3 for
// c, 4 and 5 for a, 6 and 7 for b.
func configOf(rows, depth int) *tileConfig {
	c := &tileConfig{palette: 1}
	for t := range 8 {
		c.rows[t], c.bytes[t] = uint8(rows), 4*panel
		switch {
		case t >= 6:
			c.rows[t] = uint8(depth / 2)
		case t >= 4:
			c.bytes[t] = uint16(2 * depth)
		}
	}
	return c
}

// tileConfigs are those for each number of rows, with 16 terms and with 32.
var tileConfigs = func() (all [panel + 1][2]*tileConfig) {
	for rows := range all {
		all[rows] = [2]*tileConfig{configOf(rows, 16), configOf(rows, 32)}
	}
	return all
}()

// fits reports whether g is computed here: from every stride-th pixel, or its 3×3
// neighbours, one pixel of zeros around.
func (k *tileKernels) fits(g *gather) bool {
	around := func(s span) bool { return s.count == 1 && s.first == 0 || s.count == 3 && s.first == -1 && s.step == 1 }
	return k.wide != nil && g.half && around(g.x) && around(g.y) && g.x.count == g.y.count && g.every == 1 && g.groups == 1 &&
		g.w > 0 && g.in > 0 && g.in <= mostTileInputs && g.in%panel == 0 && g.out%panel == 0 && g.srcW*g.in%32 == 0 && g.tilePlaces() >= fewestPlaces
}

// fitsGrad reports whether the gradient of g by its weights is, which takes places in
// pairs.
func (k *tileKernels) fitsGrad(g *gather) bool {
	return k.fits(g) && g.x.stride == 1 && g.y.stride == 1 && g.w%2 == 0
}

// tileDepth is the number of terms in a step of a forward product, which begins
// anew with every row of the filter.
func (g *gather) tileDepth() int {
	if g.in%32 == 0 {
		return 32
	}
	return 16
}

// tilePlaces is the number of places of a tile, which are of one row of the image: as
// many as divide it, up to 16.
func (g *gather) tilePlaces() int {
	n := min(g.w, panel)
	for g.w%n > 0 {
		n--
	}
	return n
}

// fewestPlaces are enough to be worth a tile. mostTileInputs bounds the channels that
// a call takes through the whole filter, for some 40 µs.
const (
	fewestPlaces   = 7
	mostTileInputs = 2048
)

// words are the bits of f.
func words(f []float32) []uint32 {
	return unsafe.Slice((*uint32)(unsafe.Pointer(unsafe.SliceData(f))), len(f))
}

// packTiles rounds the weights of a panel of outputs, two terms a word.
func (g *gather) packTiles(dst []uint32, p int) {
	at := 0
	for u := range g.y.count {
		row := (g.y.tap + u*g.y.tapStep) * g.taps
		for e := 0; e < g.x.count*g.in; e += 2 {
			from := e%g.in*g.inStep + row + g.x.tap + e/g.in*g.x.tapStep + p*panel*g.outStep
			for q := range dst[at:][:panel] {
				dst[at+q] = pairOf(g.weights[from], g.weights[from+g.inStep])
				from += g.outStep
			}
			at += panel
		}
	}
}

// tiled computes the images of g.
func (b *Backend) tiled(g *gather) {
	taps, pad := g.x.count, g.x.count/2
	pitch := (g.srcW + 2*pad) * g.in
	s := b.pool.get((g.srcH + 2*pad) * pitch / 2)
	defer b.pool.put(s)
	image := bfloats(s.f)
	if pad > 0 {
		clear(image[:pitch])
		clear(image[(g.srcH+1)*pitch:])
		for y := 1; y <= g.srcH; y++ {
			clear(image[y*pitch:][:g.in])
			clear(image[(y+1)*pitch-g.in:][:g.in])
		}
	}
	p, depth, places := &s.tiles, g.tileDepth(), g.tilePlaces()
	steps := taps * g.in / depth
	*p = tileProduct{config: tileConfigs[places][depth/32], aRow: g.x.stride * g.in, aStep: depth, aNext: pitch - taps*g.in,
		bRow: panel, bStep: depth / 2 * panel, bWide: taps * taps * g.in / 2 * panel, cRow: g.out, cWide: panel, inner: steps, outer: taps, add: g.add}
	runs := g.h * g.w / places
	row := g.srcW * g.in
	// begin is where the source of a place begins.
	begin := func(at int) *tensor.BFloat16 {
		return &image[at/g.w*g.y.stride*pitch+at%g.w*g.x.stride*g.in]
	}
	for n := range g.images {
		for y := range g.srcH {
			s.halves = rowHalves{dst: &image[(y+pad)*pitch+pad*g.in], src: &g.src[(n*g.srcH+y)*row], n: row}
			b.tiles.halves(&s.halves)
		}
		dst := g.dst[n*g.h*g.w*g.out:]
		for o := 0; o < g.out; {
			run, columns := b.tiles.narrow, panel
			if o+panel < g.out {
				run, columns = b.tiles.wide, 2*panel
			}
			p.b = &words(g.packed)[o/panel*p.bWide]
			for r := 0; r < runs; r += 2 {
				at := r * places
				p.a0, p.c0 = begin(at), &dst[at*g.out+o]
				p.a1, p.c1 = p.a0, p.c0 // computed twice where there is no other
				if at += places; r+1 < runs {
					p.a1, p.c1 = begin(at), &dst[at*g.out+o]
				}
				run(p)
			}
			o += columns
		}
	}
}

// tileGradFloats bounds the images whose gradients are multiplied at once.
const tileGradFloats = 48 << 10

// tiledGradW computes what the images first to end-1 give to a partial sum, or adds
// it, for some outputs, from o on. The terms of its sums are places; so images are
// turned, channel by channel, and have a row and two columns of zeros between them,
// where the filter has 3×3 taps. So an Inf at the border makes NaN of sums that the
// definition leaves it out of.
func (b *Backend) tiledGradW(g *weightGrad, partial []float32, first, end, o int, add bool) {
	outs := min(pieceOutputs, g.out-o)
	taps, pad := g.x.count, g.x.count/2
	pitch := g.w + 2*pad
	size := (g.h + pad) * pitch // of an image
	lead := (pitch + 2) * pad   // zeros before the first
	images := max(1, min(end-first, tileGradFloats/(size/2*(2*g.in+outs))))
	terms := ceil(images*size, 32) * 32
	seen := ceil(2*lead+terms, 32) * 32
	turned := (seen/32 | 1) * 16 // words of a channel: an odd number of cache lines
	s := b.pool.get(seen/2*g.in + turned*g.in + terms/2*outs)
	defer b.pool.put(s)
	x, s1 := s.f[:seen/2*g.in], s.f[seen/2*g.in:]
	xt, s2 := s1[:turned*g.in], s1[turned*g.in:]
	dy := words(s2)
	p, r := &s.tiles, &s.pairs
	*p = tileProduct{config: tileConfigs[panel][1], aRow: 2 * turned, aStep: 32, bRow: outs, bStep: 16 * outs, bWide: panel, cRow: panel, cWide: g.k() * panel, outer: 1}
	for n := first; n < end; n += images {
		if m := min(images, end-n); n == first || m < images {
			images = m
			clear(x)
			clear(dy)
		}
		for i := range images {
			for y := range g.h {
				at := i*size + y*pitch
				*r = rowPairs{dst: &words(x)[(lead+at)/2*g.in], src: &g.src[((n+i)*g.h+y)*g.w*g.in], pairs: g.w / 2, n: g.in, step: g.in}
				b.tiles.pairs(r)
				*r = rowPairs{dst: &dy[at/2*outs], src: &g.gather.dst[((n+i)*g.h+y)*g.w*g.out+o], pairs: g.w / 2, n: outs, step: g.out}
				b.tiles.pairs(r)
			}
		}
		for at := 0; at < seen/2; at += panel {
			b.gemm.turn(s, panel, g.in, xt[at:], turned, x[at*g.in:], g.in)
		}
		list := taps * taps * g.in / panel // of tiles: taps, and of each some channels
		// begin is where tile l of a begins.
		begin := func(l int) int {
			tap, c := l*panel/g.in, l*panel%g.in
			return 2*c*turned + lead + (tap/taps-pad)*pitch + tap%taps - pad
		}
		for q := 0; q < outs; {
			run, columns := b.tiles.narrow, panel
			if q+panel < outs {
				run, columns = b.tiles.wide, 2*panel
			}
			for l := 0; l < list; l += 2 {
				sum := partial[(o+q)/panel*g.k()*panel:]
				for at := 0; at < terms/32; at += mostTileSteps {
					p.inner, p.add = min(mostTileSteps, terms/32-at), add || at > 0
					p.b = &dy[at*p.bStep+q]
					p.a0, p.c0 = &bfloats(xt)[begin(l)+32*at], &sum[l*panel*panel]
					p.a1, p.c1 = p.a0, p.c0
					if l+1 < list {
						p.a1, p.c1 = &bfloats(xt)[begin(l+1)+32*at], &sum[(l+1)*panel*panel]
					}
					run(p)
				}
			}
			q += columns
		}
		add = true
	}
}
