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
// where the definition spoils 3×3; numbers beyond about 1e36 overflow; and those
// below 2^-126 count as zero, see the kernels. An exact backend does without (see
// New).

const (
	tileOut  = 4  // outputs along a side of a tile
	tileIn   = 6  // inputs along a side
	tileArea = 36 // products
	tempSize = tileArea * panel
)

// itemWork is the tiles times channels times outputs in an item of work, for
// some 100 µs.
const itemWork = 128 << 10

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

// lifted is how many floats a panel of transformed filters takes: 36 matrices,
// in rows of 16.
func (g *gather) lifted() int { return tileArea * planeOf(g.in*panel) }

// rowTiles is the number of tiles in a row of tiles, tileRows that of rows in
// all images.
func (g *gather) rowTiles() int { return g.w / tileOut }
func (g *gather) tileRows() int { return g.images * (g.h / tileOut) }

// inPlace says that the products of a place lie where its tiles were, which one
// panel allows.
func (g *gather) inPlace() bool { return g.in == panel && g.out == panel }

// tileRowsAtOnce is how many rows of tiles are a block, which is transformed,
// multiplied and transformed back. The 36 matrices of a block should stay in the
// first cache, which only the narrowest allow, or in the second one beside the
// filters; where these fill the second cache, more tiles have to share them.
func (g *gather) tileRowsAtOnce() int {
	tiles := 24
	if g.inPlace() {
		tiles = 8
	} else if max(g.in, g.out) >= 256 {
		tiles = 64
	}
	return max(1, tiles/g.rowTiles())
}

// runWinograd computes g: an item of work is some blocks.
func (b *Backend) runWinograd(g *gather) {
	rows, most := g.tileRows(), g.tileRowsAtOnce()
	most *= max(1, min(rows/most/32, itemWork/(most*g.rowTiles()*g.in*g.out)))
	par(ceil(rows, most), func(i int) { b.winogradRows(g, i*most, min((i+1)*most, rows)) })
}

// liftFilter transforms the weights of one panel of outputs.
func (b *Backend) liftFilter(g *gather, p int) {
	s := b.pool.get(tempSize)
	defer b.pool.put(s)
	first := p / b.wino.wide * b.wino.wide // of the panels that lie together
	row := min(b.wino.wide, g.panels()-first) * panel
	m := &s.tileMap
	weights := g.weights[p*panel*g.outStep:][:(panel-1)*g.outStep+(g.in-1)*g.inStep+9]
	m.src, m.srcRow, m.srcCol, m.srcLane = weights[g.y.tap*g.taps+g.x.tap:], g.y.tapStep*g.taps, g.x.tapStep, g.outStep
	m.dst, m.dstCol = g.packed[first*panel*g.in+(p-first)*panel:], planeOf(g.in*g.out)
	m.dstRow = tileIn * m.dstCol
	m.temp = s.f
	m.run(b.wino.filter, 3, tileIn, panel, g.in, g.inStep, row)
}

// winogradRows computes the rows of tiles first to end-1, counted through all
// images.
func (b *Backend) winogradRows(g *gather, first, end int) {
	most := min(end-first, g.tileRowsAtOnce())
	in, out := planeOf(most*g.rowTiles()*panel), planeOf(most*g.rowTiles()*g.out)
	lifted := tileArea * in * (g.in / panel)
	size := lifted + tileArea*out
	s := b.pool.get(size + tempSize)
	defer b.pool.put(s)
	d, m := s.f[:lifted], s.f[lifted:size]
	if g.inPlace() {
		m = d
	}
	b.startImages(&s.imageTiles, g, s.f[size:], in)
	w := &s.places
	w.k, w.aPlace, w.aBlock, w.bPlace, w.cPlace, w.cRow = g.in, in, tileArea*in, planeOf(g.in*g.out), out, g.out
	p := &s.tileMap
	p.srcRow, p.srcCol, p.srcBlock, p.dstRow, p.dstCol, p.dstBlock = tileIn*out, out, panel, g.w*g.out, g.out, panel
	p.temp, p.add = s.imageTiles.temp, g.add
	line := tileOut * g.w * g.out
	for ; first < end; first += most {
		last := min(first+most, end)
		b.liftImages(&s.imageTiles, g, d, first, last, 0, g.in)
		w.rows = (last - first) * g.rowTiles()
		b.wino.multiply(w, d, g.packed, m, g.panels(), g.sourceRows(last, min(2*last-first, end)), g.dst[first*line:last*line])
		for r := first; r < last; r++ {
			p.src = m[(r-first)*g.rowTiles()*g.out:]
			p.dst = g.dst[r*line:][:line]
			p.run(b.wino.output, tileIn, tileOut, g.out, g.rowTiles(), g.out, tileOut*g.out)
		}
	}
}

// startImages prepares p for rows of g's tiles.
func (b *Backend) startImages(p *imageTiles, g *gather, temp []float32, plane int) {
	_ = temp[tempSize-1]
	p.temp, p.plane, p.pixel, p.end = temp, plane, g.in, g.w*g.in
	p.dstBack, p.dstBlock = -g.rowTiles()*panel, tileArea*plane
}

// liftImages transforms some channels, from c on, of what the rows of tiles first
// to end-1 see, to d.
func (b *Backend) liftImages(p *imageTiles, g *gather, d []float32, first, end, c, channels int) {
	high, blocks := g.h/tileOut, channels/panel
	most := max(1, mapBlocks/g.rowTiles())
	for r := first; r < end; r++ {
		n := r / high
		top := (r - n*high) * tileOut
		src := g.src[n*g.h*p.end:][:g.h*p.end]
		for block := 0; block < blocks; block += most {
			c := c + block*panel
			// The rows of pixels are those from top-1 on.
			for i := range tileOut {
				p.rows[1+i] = &src[(top+i)*p.end+c]
			}
			p.rows[0], p.rows[tileIn-1] = &zeroLine[0], &zeroLine[0]
			if top > 0 {
				p.rows[0] = &src[(top-1)*p.end+c]
			}
			if top+tileOut < g.h {
				p.rows[tileIn-1] = &src[(top+tileOut)*p.end+c]
			}
			p.blocks = min(most, blocks-block)
			p.dst = d[(r-first)*g.rowTiles()*panel+block*p.dstBlock:]
			_ = p.dst[(p.blocks-1)*p.dstBlock+(tileArea-1)*p.plane+g.rowTiles()*panel-1]
			b.wino.image(p)
		}
	}
}

// sourceRows are the pixels that the rows of tiles first to end-1 see and those
// before them do not.
func (g *gather) sourceRows(first, end int) []float32 {
	line, below := g.w*g.in, min(1, end-first)
	return g.src[(first*tileOut+below)*line : min(len(g.src), (end*tileOut+below)*line)]
}
