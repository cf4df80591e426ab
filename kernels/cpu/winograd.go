package cpu

// Winograd's minimal filtering (Lavin and Gray, Fast Algorithms for
// Convolutional Neural Networks, 2016) computes 4×4 neighbouring outputs of a
// 3×3 filter g from the 6×6 inputs d that they see,
//
//	y = Aᵀ[(G g Gᵀ) ⊙ (Bᵀ d B)]A,
//
// with 36 products where the definition has 144. Over channels the products ⊙
// become 36 matrix products, tiles by channels. The weight gradient is a filter
// of 4×4 output gradients over 6×6 inputs: 3×3 results, the same Bᵀ d B.
//
// The price is rounding: the transforms add and subtract what is larger than
// the result, so that errors reach some 1e-5 of the largest output. A NaN or an
// infinity spoils all 4×4 outputs of each tile that sees it, as NaN mostly,
// where the definition spoils 3×3; and numbers beyond about 1e36 overflow. An
// exact backend does without (see New).

const (
	tileOut  = 4  // outputs along a side of a tile
	tileIn   = 6  // inputs along a side
	tileArea = 36 // products
	tempSize = tileArea * panel
)

// mapBlocks bounds the blocks in one call of a tile kernel, lineFloats the
// floats in a row of an image, six of which are copied at once: each for some
// 40 µs.
const (
	mapBlocks  = 256
	lineFloats = 16 << 10
)

// Partial sums of weight gradients are four times as large as those of the sums
// that define them: a chunk has enough tiles to be worth it, and wide filters
// rather take their outputs in pieces, which transform the images again.
const (
	chunkTiles    = 128
	liftedFloats  = 1 << 21 // bounds the partial sums, as long as there are several
	liftedOutputs = 4 * panel
)

// winogradKernels map tiles on both axes: Bᵀ, G and Aᵀ, then G and Aᵀ of the
// weight gradient. The zero value leaves Winograd out.
type winogradKernels struct {
	image, filter, output func(p *tileMap) // 6×6 to 6×6, 3×3 to 6×6, 6×6 to 4×4
	grad, filterGrad      func(p *tileMap) // 4×4 to 6×6, 6×6 to 3×3
}

// A tileMap maps square tiles of vectors; steps are in floats. Tiles are at
// least one, of at least one block of 16 floats.
type tileMap struct {
	src, dst         []float32
	temp             []float32 // tempSize, for the kernel
	srcRow, srcCol   int
	dstRow, dstCol   int
	srcNext, dstNext int // from the end of a tile's blocks to the next tile
	blocks, tiles    int
	add              bool // to dst; output tiles only
}

// run runs kernel, which maps in×in numbers to out×out, on tiles that begin
// srcStep and dstStep apart: some at a time, so that a call ends within some
// 50 µs.
func (p *tileMap) run(kernel func(p *tileMap), in, out, channels, tiles, srcStep, dstStep int) {
	src, dst := p.src, p.dst
	p.srcNext, p.dstNext = srcStep-channels, dstStep-channels
	p.blocks = channels / panel
	for t := 0; t < tiles; t += p.tiles {
		p.tiles = min(tiles-t, max(1, mapBlocks/p.blocks))
		p.src, p.dst = src[t*srcStep:], dst[t*dstStep:]
		last := p.tiles - 1
		_ = p.temp[tempSize-1]
		_ = p.src[last*srcStep+(in-1)*(p.srcRow+p.srcCol)+channels-1]
		_ = p.dst[last*dstStep+(out-1)*(p.dstRow+p.dstCol)+channels-1]
		kernel(p)
	}
}

// fits reports whether g is computed this way: by its shape alone, and whatever
// the number of images, so that what an image gives does not depend on its
// batch. (Filters of 256 channels and more lose up to a third on one image of
// four tiles; from eight tiles on all gain.)
func (k *winogradKernels) fits(g *gather) bool {
	return k.image != nil && g.same3x3() && g.h%tileOut == 0 && g.w%tileOut == 0 && g.in%panel == 0 && g.out%panel == 0 &&
		max(g.in, g.out) <= maxChannels && g.w*max(g.in, g.out) <= lineFloats
}

// planeOf is the distance between the 36 matrices of n floats each, an odd
// number of cache lines: the tiles' 36 vectors must not share a cache set.
func planeOf(n int) int { return (n/panel | 1) * panel }

// lifted is how many floats a panel of transformed filters has: 36 matrices, in
// rows of 16.
func (g *gather) lifted() int { return tileArea * planeOf(g.in*panel) }

// rowTiles is the number of tiles in a row of tiles, tileRows that of rows in
// all images.
func (g *gather) rowTiles() int { return g.w / tileOut }
func (g *gather) tileRows() int { return g.images * (g.h / tileOut) }

// tileRowsAtOnce is how many rows of tiles make matrices that stay in the second
// cache beside the filters.
func (g *gather) tileRowsAtOnce() int {
	return max(1, max(48, min(96, 3072/(g.in+g.out)))/g.rowTiles())
}

// runWinograd computes g: an item of work is some rows of tiles.
func (b *Backend) runWinograd(g *gather) {
	rows, most := g.tileRows(), g.tileRowsAtOnce()
	par(ceil(rows, most), func(i int) { b.winogradRows(g, i*most, min((i+1)*most, rows)) })
}

// liftFilter transforms the weights of one panel of outputs.
func (b *Backend) liftFilter(g *gather, p int) {
	k := g.k() * panel
	s := b.pool.get(k + tempSize)
	defer b.pool.put(s)
	g.pack(s.f[:k], 0, p)
	plane := planeOf(g.in * panel)
	m := &s.tileMap
	m.src, m.srcRow, m.srcCol = s.f[:k], 3*g.in*panel, g.in*panel
	m.dst, m.dstRow, m.dstCol = g.packed[p*g.lifted():][:g.lifted()], tileIn*plane, plane
	m.temp = s.f[k:]
	m.run(b.wino.filter, 3, tileIn, panel, g.in, panel, panel)
}

// winogradRows computes the rows of tiles first to end-1, counted through all
// images.
func (b *Backend) winogradRows(g *gather, first, end int) {
	tiles := (end - first) * g.rowTiles()
	in, out := planeOf(tiles*g.in), planeOf(tiles*g.out)
	s := b.pool.get(tileArea*(in+out) + g.bandSize() + tempSize)
	defer b.pool.put(s)
	d, m, rest := s.f[:tileArea*in], s.f[tileArea*in:][:tileArea*out], s.f[tileArea*(in+out):]
	b.liftImages(g, s, d, rest, first, end)
	weights := planeOf(g.in * panel)
	for i := range tileArea {
		s.prod = product{m: tiles, n: g.out, k: g.in,
			a: d[i*in:], rs: g.in, cs: 1,
			b: g.packed[i*weights:], bstep: panel, bpanel: g.lifted(),
			c: m[i*out:], ldc: g.out, cpanel: panel}
		b.gemm.multiply(s, &s.prod)
	}
	p := &s.tileMap
	p.srcRow, p.srcCol, p.dstRow, p.dstCol = tileIn*out, out, g.w*g.out, g.out
	p.temp, p.add = rest[g.bandSize():], g.add
	for r := first; r < end; r++ {
		p.src = m[(r-first)*g.rowTiles()*g.out:]
		p.dst = g.dst[r*tileOut*g.w*g.out:][:tileOut*g.w*g.out]
		p.run(b.wino.output, tileIn, tileOut, g.out, g.rowTiles(), g.out, tileOut*g.out)
	}
}

// bandSize is the memory for the source pixels that a row of tiles sees.
func (g *gather) bandSize() int { return tileIn * (g.w + 2) * g.in }

// liftImages transforms what the rows of tiles first to end-1 see, into 36
// matrices, tiles by channels, in d. The band in rest, of bandSize, receives a
// row's pixels with the zeros around them; behind it is room for the kernel.
func (b *Backend) liftImages(g *gather, s *scratch, d, rest []float32, first, end int) {
	band, line := rest[:g.bandSize()], (g.w+2)*g.in
	for y := range tileIn {
		clear(band[y*line:][:g.in])
		clear(band[(y+1)*line-g.in:][:g.in])
	}
	p := &s.tileMap
	*p = tileMap{temp: rest[g.bandSize():], srcRow: line, srcCol: g.in,
		dstCol: planeOf((end - first) * g.rowTiles() * g.in)}
	p.dstRow = tileIn * p.dstCol
	for r := first; r < end; r++ {
		n, top := r/(g.h/tileOut), r%(g.h/tileOut)*tileOut-1
		from, to := max(top, 0), min(top+tileIn, g.h)
		if top < from {
			clear(band[g.in:][:g.w*g.in])
		}
		if to < top+tileIn {
			clear(band[(tileIn-1)*line+g.in:][:g.w*g.in])
		}
		b.gemm.copyRows(s, to-from, g.w*g.in, band[(from-top)*line+g.in:], line, g.src[(n*g.h+from)*g.w*g.in:], g.w*g.in)
		p.src, p.dst = band, d[(r-first)*g.rowTiles()*g.in:]
		p.run(b.wino.image, tileIn, tileIn, g.in, g.rowTiles(), tileOut*g.in, g.in)
	}
}

// winogradGradW computes what the rows of tiles first to end-1 give to a partial
// sum, or adds it, for some outputs, from o on: for each of the 36 places (tiles
// by channels)ᵀ · (tiles by outputs).
func (b *Backend) winogradGradW(g *weightGrad, partial []float32, first, end, o int, add bool) {
	outs := min(liftedOutputs, g.out-o)
	most := g.tileRowsAtOnce()
	in, out := planeOf(most*g.rowTiles()*g.in), planeOf(most*g.rowTiles()*outs)
	s := b.pool.get(tileArea*(in+out) + g.bandSize() + tempSize)
	defer b.pool.put(s)
	for ; first < end; first += most {
		last := min(first+most, end)
		tiles := (last - first) * g.rowTiles()
		in, out = planeOf(tiles*g.in), planeOf(tiles*outs)
		d, y, rest := s.f[:tileArea*in], s.f[tileArea*in:][:tileArea*out], s.f[tileArea*(in+out):]
		b.liftImages(&g.gather, s, d, rest, first, last)
		p := &s.tileMap
		p.srcRow, p.srcCol, p.dstRow, p.dstCol = g.w*g.out, g.out, tileIn*out, out
		for r := first; r < last; r++ {
			p.src = g.dst[r*tileOut*g.w*g.out:][:tileOut*g.w*g.out][o:]
			p.dst = y[(r-first)*g.rowTiles()*outs:]
			p.run(b.wino.grad, tileOut, tileIn, outs, g.rowTiles(), tileOut*g.out, outs)
		}
		for i := range tileArea {
			s.prod = product{m: g.in, n: outs, k: tiles,
				a: d[i*in:], rs: 1, cs: g.in,
				b: y[i*out:], bstep: outs, bpanel: panel,
				c: partial[o/panel*g.depth*panel+i*planeOf(g.in*panel):], ldc: panel, cpanel: g.depth * panel,
				add: add}
			b.gemm.multiply(s, &s.prod)
		}
		add = true
	}
}

// lowerFilter transforms the sum of one panel of outputs back and adds it to the
// gradient.
func (b *Backend) lowerFilter(g *weightGrad, panelIndex int) {
	k := g.k() * panel
	s := b.pool.get(k + tempSize)
	defer b.pool.put(s)
	plane := planeOf(g.in * panel)
	p := &s.tileMap
	p.src, p.srcRow, p.srcCol = g.partial[panelIndex*g.depth*panel:][:g.depth*panel], tileIn*plane, plane
	p.dst, p.dstRow, p.dstCol = s.f[:k], 3*g.in*panel, g.in*panel
	p.temp = s.f[k:]
	p.run(b.wino.filterGrad, tileIn, 3, panel, g.in, panel, panel)
	g.unpack(s.f[:k], 0, panelIndex)
}
