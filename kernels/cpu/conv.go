package cpu

import (
	"phase/kernels"
	"phase/tensor"
)

// A convolution and its derivative by the input are the same work seen from
// the side that receives: each place of a grid of pixels takes its channels
// from a few pixels of a source, through weights. That is a gather. Its taps
// form a rectangle, so each axis can be described alone (a span). A derivative
// with stride s is s·s gathers, one for each phase of the grid: pixels a
// stride apart take through the same taps.
//
// 3×3 gathers with stride 1, as residual networks are made of, run directly on
// the image (direct.go), or with fewer products by Winograd (winograd.go), where
// the shape suits that. 1×1 gathers of all pixels are one product of matrices
// (flat.go); other ones are a product for each row of places, on an image with
// zeros around it (banded.go), if the rows are long enough. What is left copies
// what a block of places takes into the rows of a matrix and multiplies
// (lowered.go).

// convKernels are the convolution kernels of one variant; the zero value
// leaves everything to matrix products.
type convKernels struct {
	strips  []stripKernel // the first one that fits is used
	patches []patchKernels
}

// A span is one axis of a gather: place q takes from source place
// q·stride+first+u·step through filter tap tap+u·tapStep, for u in 0..count-1.
type span struct{ stride, first, step, count, tap, tapStep int }

// forward is the span of a convolution with k taps.
func forward(p kernels.Conv2D, k int) span {
	return span{stride: p.S(), first: -p.Pad, step: p.D(), count: k, tapStep: 1}
}

// backward is the span of the derivative by the input at the places
// q·p.S()+phase. Tap r was used by output i where i·S-Pad+r·D is the place; so
// only every S/gcd(S,D)-th tap counts, and the last one takes from the first
// source place.
func backward(p kernels.Conv2D, k, phase int) span {
	s, d := p.S(), p.D()
	every := s / gcd(s, d)
	for r := k - 1; r >= 0; r-- {
		if at := phase + p.Pad - r*d; at%s == 0 {
			return span{stride: 1, first: at / s, step: every * d / s, count: r/every + 1, tap: r, tapStep: -every}
		}
	}
	return span{stride: 1}
}

func gcd(a, b int) int {
	for b != 0 {
		a, b = b, a%b
	}
	return a
}

// A gather is one convolution, or one phase of its derivative by the input.
type gather struct {
	src, dst, weights []float32
	packed            []float32 // [group][panel of outputs][k][16], or as winograd.go has it
	images            int
	srcH, srcW, srcC  int // extents of the source
	dstH, dstW, dstC  int // extents of the destination
	h, w              int // extents of the grid
	every, oy, ox     int // place (i,j) is pixel (i·every+oy, j·every+ox)
	y, x              span
	groups, in, out   int // channels in and out of a group
	// The weight from input c to output o of group g through tap t is
	// weights[g·groupStep+o·outStep+c·inStep+t].
	groupStep, outStep, inStep int
	taps                       int // in a row of the filter
	add                        bool
	half                       bool // images are kept in bfloat16
	winograd                   bool
	tiled                      bool         // as tiles.go has it
	strip                      *stripKernel // direct, where not nil
	rows                       int          // of the grid in an item of work
}

// k is the depth of the sum that a place takes.
func (g *gather) k() int { return g.y.count * g.x.count * g.in }

// same3x3 reports whether g takes from the 3×3 neighbours of each pixel, one
// pixel of zeros around.
func (g *gather) same3x3() bool {
	three := func(s span) bool { return s.stride == 1 && s.first == -1 && s.step == 1 && s.count == 3 }
	return three(g.x) && three(g.y) && g.every == 1 && g.groups == 1 && g.in > 0
}

// panels is the number of panels of a group's outputs.
func (g *gather) panels() int { return ceil(g.out, panel) }

// Conv2D is y = x ⋆ w.
func (b *Backend) Conv2D(p kernels.Conv2D, y, x, w *tensor.Tensor) {
	if y.DType() != tensor.F32 {
		b.Backend.Conv2D(p, y, x, w)
		return
	}
	b.gather(convolution(p, y, x, w))
}

// convolution is y = x ⋆ w as a gather.
func convolution(p kernels.Conv2D, y, x, w *tensor.Tensor) gather {
	g := convolutionOf(p, y.Shape(), x.Shape(), w)
	g.src, g.dst = tensor.Data[float32](x), tensor.Data[float32](y)
	return g
}

// convolutionOf is a convolution of images xs into images ys, which the caller
// has.
func convolutionOf(p kernels.Conv2D, ys, xs tensor.Shape, w *tensor.Tensor) gather {
	ws := w.Shape()
	area := ws[2] * ws[3]
	return gather{
		weights: tensor.Data[float32](w),
		images:  ys[0], srcH: xs[2], srcW: xs[3], srcC: xs[1], dstH: ys[2], dstW: ys[3], dstC: ys[1],
		h: ys[2], w: ys[3], every: 1, y: forward(p, ws[2]), x: forward(p, ws[3]),
		groups: p.G(), in: ws[1], out: ys[1] / p.G(),
		groupStep: ys[1] / p.G() * ws[1] * area, outStep: ws[1] * area, inStep: area, taps: ws[3],
	}
}

// Conv2DGradX adds the derivative by the input.
func (b *Backend) Conv2DGradX(p kernels.Conv2D, dx kernels.Acc, w, dy *tensor.Tensor) {
	if !dx.Wanted() {
		return
	}
	if dy.DType() != tensor.F32 {
		b.Backend.Conv2DGradX(p, dx, w, dy)
		return
	}
	if p.S() == 1 {
		b.gather(inputGrad(p, dx, w, dy, 0))
		return
	}
	var phases []*scratch
	for phase := range p.S() * p.S() {
		if s := b.prepare(inputGrad(p, dx, w, dy, phase)); s != nil {
			phases = append(phases, s)
		}
	}
	b.runPhases(phases)
	for _, s := range phases {
		b.pool.put(s)
	}
}

// runPhases computes the phases of a derivative together, so that memory sees
// what they share once: an item of work is some rows of each.
func (b *Backend) runPhases(phases []*scratch) {
	if len(phases) == 0 {
		return
	}
	first := &phases[0].gather // no other has more rows
	items := ceil(first.h, first.rows)
	par(first.images*items, func(i int) {
		top := i % items * first.rows
		for _, s := range phases {
			if bottom := min(top+first.rows, s.gather.h); bottom > top {
				b.gatherRows(&s.gather, i/items, top, bottom)
			}
		}
	})
}

// inputGrad is one of the S·S phases of the derivative by the input.
func inputGrad(p kernels.Conv2D, dx kernels.Acc, w, dy *tensor.Tensor, phase int) gather {
	g := inputGradOf(p, dx.T.Shape(), w, dy.Shape(), phase)
	g.src, g.dst, g.add = tensor.Data[float32](dy), tensor.Data[float32](dx.T), !dx.Fresh
	return g
}

// inputGradOf is a phase of the derivative by images xs from that by images ys,
// which the caller has.
func inputGradOf(p kernels.Conv2D, xs tensor.Shape, w *tensor.Tensor, ys tensor.Shape, phase int) gather {
	ws := w.Shape()
	area := ws[2] * ws[3]
	oy, ox := phase/p.S(), phase%p.S()
	return gather{
		weights: tensor.Data[float32](w),
		images:  ys[0], srcH: ys[2], srcW: ys[3], srcC: ys[1], dstH: xs[2], dstW: xs[3], dstC: xs[1],
		h: ceil(xs[2]-oy, p.S()), w: ceil(xs[3]-ox, p.S()), every: p.S(), oy: oy, ox: ox,
		y: backward(p, ws[2], oy), x: backward(p, ws[3], ox),
		groups: p.G(), in: ys[1] / p.G(), out: ws[1],
		groupStep: ys[1] / p.G() * ws[1] * area, outStep: area, inStep: ws[1] * area, taps: ws[3],
	}
}

// rowsAtOnce is how many rows of the grid make an item of work: 8 million
// operations take a core some 50 µs; if that makes few items they are smaller. An
// item with many weights has enough places for them to be worth fetching.
func (g *gather) rowsAtOnce() int {
	row := 2 * g.k() * g.out * g.groups * g.w
	item := min(8<<20, max(1<<20, row*g.h*g.images/32))
	rows := item / max(1, row)
	if g.k()*g.out > manyWeights {
		rows = max(rows, ceil(96, g.w))
	}
	return min(g.h, max(1, rows))
}

// manyWeights are more than a part of the second cache.
const manyWeights = 64 << 10

// gather packs the weights and computes g.
func (b *Backend) gather(g gather) {
	if s := b.prepare(g); s != nil {
		b.runGather(&s.gather)
		b.pool.put(s)
	}
}

// prepare plans g and packs its weights, in scratch memory that the caller gives
// back; nil where there is nothing to compute.
func (b *Backend) prepare(g gather) *scratch {
	if g.images <= 0 || g.h <= 0 || g.w <= 0 || g.out == 0 {
		return nil
	}
	size := g.groups * g.panels() * g.k() * panel
	if g.tiled = b.tiles.fits(&g); g.tiled {
		size /= 2
	} else if g.winograd = b.wino.fits(&g); g.winograd {
		size = g.panels() * g.lifted()
	}
	s := b.pool.get(size)
	g.packed = s.f
	g.strip = b.conv.direct(&g)
	g.rows = g.rowsAtOnce()
	s.gather = g
	b.packGather(&s.gather)
	return s
}

// packGather is apart from prepare, as runGather is from gather, so that only
// pointers are captured.
func (b *Backend) packGather(g *gather) {
	if g.tiled {
		k := g.k() * panel / 2
		par(g.panels(), func(i int) { g.packTiles(words(g.packed)[i*k:][:k], i) })
		return
	}
	if g.winograd {
		par(g.panels(), func(i int) { b.liftFilter(g, i) })
		return
	}
	k := g.k() * panel
	par(g.groups*g.panels(), func(i int) { g.pack(g.packed[i*k:][:k], i/g.panels(), i%g.panels()) })
}

func (b *Backend) runGather(g *gather) {
	if g.winograd {
		b.runWinograd(g)
		return
	}
	if g.flat() {
		places, most := g.images*g.h*g.w, g.flatAtOnce()
		par(ceil(places, most), func(i int) { b.flat(g, i*most, min((i+1)*most, places)) })
		return
	}
	items := ceil(g.h, g.rows)
	par(g.images*items, func(i int) {
		top := i % items * g.rows
		b.gatherRows(g, i/items, top, min(top+g.rows, g.h))
	})
}

// gatherRows computes the rows top to bottom-1 of image n.
func (b *Backend) gatherRows(g *gather, n, top, bottom int) {
	switch {
	case g.strip != nil:
		b.direct(g, n, top, bottom)
	case g.banded():
		b.banded(g, n, top, bottom)
	default:
		b.lowered(g, n, top, bottom)
	}
}

// gatherImages computes some images of g, of which src and dst hold these alone,
// without help.
func (b *Backend) gatherImages(g *gather, src, dst []float32, images int) {
	s := b.pool.get(0)
	defer b.pool.put(s)
	s.gather = *g
	g = &s.gather
	g.src, g.dst, g.images = src, dst, images
	if g.tiled {
		b.tiled(g)
		return
	}
	if g.winograd {
		b.winogradRows(g, 0, g.tileRows())
		return
	}
	if g.flat() {
		b.flat(g, 0, images*g.h*g.w)
		return
	}
	for n := range images {
		for top := 0; top < g.h; top += g.rows {
			b.gatherRows(g, n, top, min(top+g.rows, g.h))
		}
	}
}

// pack copies the weights of one panel of outputs to dst, in the order in which
// they are used; outputs that do not exist have zeros.
func (g *gather) pack(dst []float32, group, p int) {
	if len(dst) == 0 {
		return
	}
	outs := min(panel, g.out-p*panel)
	if outs < panel {
		clear(dst)
	}
	at := 0
	for u := range g.y.count {
		for v := range g.x.count {
			tap := (g.y.tap+u*g.y.tapStep)*g.taps + g.x.tap + v*g.x.tapStep
			w := g.weights[group*g.groupStep+p*panel*g.outStep+tap:]
			for c := range g.in {
				from := c * g.inStep
				for q := range dst[at:][:outs] {
					dst[at+q] = w[from]
					from += g.outStep
				}
				at += panel
			}
		}
	}
}

// place is where the channels of pixel (i,j) of the grid begin.
func (g *gather) place(n, i, j int) int {
	return ((n*g.dstH+i*g.every+g.oy)*g.dstW + j*g.every + g.ox) * g.dstC
}
