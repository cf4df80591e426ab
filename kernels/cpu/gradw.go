package cpu

import (
	"phase/kernels"
	"phase/tensor"
)

// patchKernels compute the weight gradient of a row of a 3×3 filter, all for
// the same number of outputs, with falling numbers of channels, down to 1.
type patchKernels struct {
	outputs int
	list    []patchKernel
}

type patchKernel struct {
	channels int
	run      func(p *gradPatch)
}

// A gradPatch is what one row of a 3×3 filter, for a few input channels and
// some output channels, gains from a few rows of pixels. Steps are in floats.
type gradPatch struct {
	x, dy, dw      []float32
	xPixel, yPixel int
	xRow, yRow     int
	xImage, yImage int
	width          int // of a row, at least 1
	rows, images   int
	tap            int // from one tap of dw to the next
}

// maxPixels bounds the pixels of images in one call of a patch kernel, and rowPixels
// those of a part of one, for some 40 µs; patchFloats bounds the inputs that it walks
// through, for the caches.
const (
	maxPixels   = 4096
	rowPixels   = 2048
	patchFloats = 16 << 10
)

// sumFloats bounds the floats in one call of a sum, each of which has up to
// maxChunks parts, for some 20 µs.
const (
	sumFloats = 4096
	maxChunks = 16
)

// partialFloats bounds the memory for partial sums of a weight gradient, as
// long as there is more than one.
const partialFloats = 1 << 20

// A weightGrad is one weight gradient. The images are cut into chunks, by shape
// alone; each chunk has a partial sum, laid out as packed weights are.
type weightGrad struct {
	gather         // the convolution: its source is x, its destination dy
	partial        []float32
	chunks, pieces int
	depth          int           // of each of the sums of a partial sum: rows of 16
	size           int           // of a partial sum
	patches        *patchKernels // direct, where not nil
}

// pieceOutputs is how many outputs an item of work that lowers the images has:
// enough to pay for the lowering.
const pieceOutputs = 8 * panel

// Conv2DGradW adds the derivative by the filters.
func (b *Backend) Conv2DGradW(p kernels.Conv2D, dw kernels.Acc, x, dy *tensor.Tensor) {
	if !dw.Wanted() {
		return
	}
	if dy.DType() != tensor.F32 {
		b.Backend.Conv2DGradW(p, dw, x, dy)
		return
	}
	dw.Zeroed()
	if dy.Size() == 0 || dw.T.Size() == 0 {
		return
	}
	g := b.weightGrad(convolution(p, dy, x, dw.T))
	s := b.pool.get(g.chunks * g.size)
	defer b.pool.put(s)
	g.partial = s.f
	s.weightGrad = g
	b.runWeightGrad(&s.weightGrad)
}

// weightGrad plans the weight gradient of convolution c.
func (b *Backend) weightGrad(c gather) weightGrad {
	g := weightGrad{gather: c}
	g.depth = g.k()
	g.tiled = b.tiles.fitsGrad(&g.gather)
	if g.winograd = !g.tiled && b.wino.fits(&g.gather); g.winograd {
		g.depth = tileArea * planeOf(g.in*b.wino.wide*panel) / panel
	}
	g.size = g.groups * b.sums(&g) * g.depth * panel
	if g.winograd {
		g.chunks = g.gradChunks(g.size)
		in, out, _ := g.gradPieces()
		g.pieces = in * out
		return g
	}
	g.chunks = min(maxChunks, g.images)
	g.pieces = ceil(g.out, pieceOutputs)
	if g.patches = b.conv.directGradW(&g.gather); g.patches != nil && !g.tiled {
		g.pieces = g.out / g.patches.outputs
	}
	for g.chunks > 1 && g.chunks*g.size > partialFloats {
		g.chunks /= 2
	}
	return g
}

// directGradW are the kernels that compute the weight gradient of g on the images
// themselves, or nil.
func (k *convKernels) directGradW(g *gather) *patchKernels {
	if g.same3x3() {
		for i := range k.patches {
			if p := &k.patches[i]; g.out%p.outputs == 0 {
				return p
			}
		}
	}
	return nil
}

func (b *Backend) runWeightGrad(g *weightGrad) {
	inChunk := g.groups * g.pieces
	par(g.chunks*inChunk, func(i int) {
		chunk := i / inChunk
		b.addWeightGrad(g, g.partial[chunk*g.size:][:g.size], chunk*g.images/g.chunks, (chunk+1)*g.images/g.chunks, i%inChunk, false)
	})
	b.endWeightGrad(g)
}

// addWeightGrad computes what the images first to end-1 give to a partial sum, or
// adds it, for one piece of the outputs.
func (b *Backend) addWeightGrad(g *weightGrad, partial []float32, first, end, piece int, add bool) {
	group := piece / g.pieces
	piece %= g.pieces
	switch {
	case g.tiled:
		b.tiledGradW(g, partial, first, end, piece*pieceOutputs, add)
	case g.winograd:
		b.winogradGradW(g, partial, first*(g.h/tileOut), end*(g.h/tileOut), piece, add)
	case g.patches != nil:
		b.patches(g, partial, first, end, piece*g.patches.outputs, add)
	case g.flat():
		b.flatGradW(g, partial, first, end, piece*pieceOutputs, add)
	case g.bandedGrad():
		b.bandedGradW(g, partial, first, end, piece*pieceOutputs, add)
	default:
		b.loweredGradW(g, partial, first, end, group, piece*pieceOutputs, add)
	}
}

// endWeightGrad adds the partial sums to the gradient.
func (b *Backend) endWeightGrad(g *weightGrad) {
	k := g.k() * panel
	par(g.groups*b.sums(g), func(i int) {
		b.sumChunks(g, i)
		if g.winograd {
			b.lowerFilter(g, i)
		} else {
			g.unpack(g.partial[i*k:][:k], i/g.panels(), i%g.panels())
		}
	})
}

// sums is the number of sums that a group's partial sum consists of: of one panel
// of outputs each, or as winograd.go has it.
func (b *Backend) sums(g *weightGrad) int {
	if g.winograd {
		return ceil(g.panels(), b.wino.wide)
	}
	return g.panels()
}

// sumChunks adds the chunks' sums i into the first one.
func (b *Backend) sumChunks(g *weightGrad, i int) {
	if g.chunks == 1 {
		return
	}
	s := b.pool.get(0)
	defer b.pool.put(s)
	for at, end := i*g.depth*panel, (i+1)*g.depth*panel; at < end; at += sumFloats {
		n := min(sumFloats, end-at)
		s.sum = chunkSum{dst: g.partial[at:][:n], src: g.partial[at:], n: n, chunks: g.chunks, stride: g.size}
		b.gemm.sum(&s.sum)
	}
}

// unpack adds src, the sum of one panel of outputs, to the gradient.
func (g *weightGrad) unpack(src []float32, group, p int) {
	area := g.y.count * g.x.count
	outs := min(panel, g.out-p*panel)
	at := 0
	for t := range area {
		dw := g.weights[group*g.groupStep+p*panel*g.outStep+t:]
		for c := range g.in {
			to := c * g.inStep
			for _, v := range src[at:][:outs] {
				dw[to] += v
				to += g.outStep
			}
			at += panel
		}
	}
}

// patches computes what the images first to end-1 give to a partial sum, or adds
// it, for the outputs of one patch, o and those that follow it, on the images
// themselves.
func (b *Backend) patches(g *weightGrad, partial []float32, first, end, o int, add bool) {
	s := b.pool.get(0)
	defer b.pool.put(s)
	p := &s.patch
	p.xPixel, p.yPixel, p.width, p.tap = g.in, g.out, g.w, g.in*panel
	p.xRow, p.yRow = g.w*g.in, g.w*g.out
	p.xImage, p.yImage = g.h*p.xRow, g.h*p.yRow

	dw := partial[o/panel*g.k()*panel:][:g.k()*panel]
	for at := o % panel; at < len(dw) && !add; at += panel {
		clear(dw[at:][:g.patches.outputs])
	}
	pixels := g.h * g.w
	images := max(1, min(maxPixels, patchFloats/g.in)/pixels)
	rows := g.h
	if pixels > rowPixels {
		rows = max(1, rowPixels/g.w)
	}
	for n := first; n < end; n += images {
		p.images = min(images, end-n)
		for top := 0; top < g.h; top += rows {
			for ky := range 3 {
				// Output rows whose input row y+ky-1 exists.
				from, to := max(top, 1-ky), min(top+rows, g.h, g.h+1-ky)
				if p.rows = to - from; p.rows <= 0 {
					continue
				}
				x := g.src[(n*g.h+from+ky-1)*p.xRow:]
				p.dy = g.dst[(n*g.h+from)*p.yRow+o:]
				list := g.patches.list
				for c := 0; c < g.in; c += list[0].channels {
					for g.in-c < list[0].channels {
						list = list[1:]
					}
					p.x = x[c:]
					p.dw = dw[(ky*3*g.in+c)*panel+o%panel:]
					list[0].run(p)
				}
			}
		}
	}
}

// gradDepth is how many places, of some numbers each, go into a partial sum at
// once: as many as the second cache holds beside it.
func gradDepth(numbers int) int { return max(64, min(256, (192<<10)/numbers)) }

// loweredGradW computes what the images first to end-1 give to a partial sum, or
// adds it, for some outputs of a group, from o on: (lowered images)ᵀ · dy, block
// by block.
func (b *Backend) loweredGradW(g *weightGrad, partial []float32, first, end, group, o int, add bool) {
	outs := min(pieceOutputs, g.out-o)
	rows := g.y.count // of the filter at once
	if g.k() > 1024 {
		rows = 1
	}
	row := g.x.count * g.in
	depth, stride := gradDepth(rows*row), oddLines(rows*row)
	s := b.pool.get(depth * (stride + ceil(outs, panel)*panel))
	defer b.pool.put(s)
	p := &s.prod
	pixels := g.h * g.w
	last := end * pixels
	for u := 0; u < g.y.count; u += rows {
		*p = product{m: rows * row, a: s.f, rs: 1, cs: stride,
			c: partial[((group*g.panels()+o/panel)*g.k()+u*row)*panel:], ldc: panel, cpanel: g.k() * panel, add: add}
		for i := first * pixels; i < last; i += depth {
			p.k = min(depth, last-i)
			for r := 0; r < p.k; { // an image's
				n, at := (i+r)/pixels, (i+r)%pixels
				places := min(p.k-r, pixels-at)
				b.lower(&g.gather, s, s.f[r*stride:], stride, n, at, places, group, u, rows)
				r += places
			}
			b.outputGrads(g, s, p, s.f[depth*stride:], i, p.k, group*g.out+o, outs)
			b.gemm.multiply(s, p)
			p.add = true
		}
	}
}
