package cpu

// Convolution with 1×1 filters as one product of matrices: channels-last, the
// pixels of all images are the rows of a matrix already.

// flat reports whether g takes from each pixel for the same pixel.
func (g *gather) flat() bool {
	same := func(s span) bool { return s.stride == 1 && s.first == 0 && s.count == 1 }
	return same(g.x) && same(g.y) && g.every == 1 && g.groups == 1 && g.in > 0 && g.h == g.srcH && g.w == g.srcW
}

// flatBlock is how many pixels meet a panel of weights before the next one is
// fetched, from the third cache if there are many channels.
const flatBlock = 98

// flatAtOnce is how many pixels make an item of work, as in rowsAtOnce.
func (g *gather) flatAtOnce() int {
	return max(1, (8<<20)/(2*g.in*g.out)/flatBlock) * flatBlock
}

// flat computes the pixels first to end-1, counted through all images. They are
// copied, in order, which fetches them sooner than the tiles would, and to an odd
// number of cache lines, for pixels of many channels share cache sets.
func (b *Backend) flat(g *gather, first, end int) {
	s := b.pool.get(flatBlock * g.stride())
	defer b.pool.put(s)
	p := &s.prod
	*p = product{n: g.out, k: g.in, a: s.f, rs: g.stride(), cs: 1, b: g.packed, bstep: panel, bpanel: g.in * panel,
		ldc: g.out, cpanel: panel, add: g.add}
	for i := first; i < end; i += flatBlock {
		p.m, p.c = min(flatBlock, end-i), g.dst[i*g.out:]
		b.gemm.copyRows(s, p.m, g.in, s.f, p.rs, g.src[i*g.in:], g.in)
		b.gemm.multiply(s, p)
	}
}

// flatChannels and flatDepth are how many channels of how many pixels a weight
// gradient copies at once: with their partial sums a part of the second cache.
const flatChannels, flatDepth = 256, 256

// flatGradW computes what the images first to end-1 give to a partial sum, or
// adds it, for some outputs from o on: (pixels)ᵀ · dy.
func (b *Backend) flatGradW(g *weightGrad, partial []float32, first, end, o int, add bool) {
	outs := min(pieceOutputs, g.out-o)
	stride := oddLines(min(flatChannels, g.in))
	s := b.pool.get(flatDepth * (stride + ceil(outs, panel)*panel))
	defer b.pool.put(s)
	p := &s.prod
	last := end * g.h * g.w
	for c := 0; c < g.in; c += flatChannels {
		*p = product{m: min(flatChannels, g.in-c), a: s.f, rs: 1, cs: stride,
			c: partial[(o/panel*g.in+c)*panel:], ldc: panel, cpanel: g.in * panel, add: add}
		for i := first * g.h * g.w; i < last; i += flatDepth {
			p.k = min(flatDepth, last-i)
			b.gemm.copyRows(s, p.k, p.m, s.f, stride, g.src[i*g.in+c:], g.in)
			b.outputGrads(g, s, p, s.f[flatDepth*stride:], i, p.k, o, outs)
			b.gemm.multiply(s, p)
			p.add = true
		}
	}
}

// outputGrads makes the gradients of outs outputs, from channel o on, of the
// places from first on the second factor of p: where they lie, or copied if they
// do not fill panels, which would reach into the next place, or are so many that
// they share cache sets.
func (b *Backend) outputGrads(g *weightGrad, s *scratch, p *product, copied []float32, first, places, o, outs int) {
	dy := g.dst[first*g.dstC+o:]
	p.n = outs
	p.b, p.bstep, p.bpanel = dy, g.dstC, panel
	if p.n%panel == 0 && g.dstC%1024 != 0 {
		return
	}
	p.b, p.bstep = copied, ceil(p.n, panel)*panel
	b.gemm.copyRows(s, places, p.n, copied, p.bstep, dy, g.dstC)
	if p.n < p.bstep {
		for r := range places {
			clear(copied[r*p.bstep:][p.n:p.bstep])
		}
	}
	p.n = p.bstep
}
