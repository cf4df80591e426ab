package cpu

// Partial sums of weight gradients are four times as large as those of the sums
// that define them: a chunk has enough tiles to be worth it, and there are few
// unless together they are small.
const (
	chunkTiles   = 128
	liftedFloats = 1 << 21 // bounds the partial sums, as long as there are more than two
	twiceFloats  = 5 << 20 // bounds two of them
)

// gradChunks is the number of chunks for partial sums of size floats.
func (g *gather) gradChunks(size int) int {
	chunks := max(1, min(maxChunks, g.images, g.tileRows()*g.rowTiles()/chunkTiles))
	for chunks > 2 && chunks*size > liftedFloats {
		chunks /= 2
	}
	if chunks == 2 && chunks*size > twiceFloats {
		return 1
	}
	return chunks
}

// gradPieces is the number of pieces of a weight gradient along its channels and
// along its outputs, each of at most channels of them: a single chunk makes
// several items of work, although each transforms the images anew.
func (g *weightGrad) gradPieces() (in, out, channels int) {
	channels = 256
	if g.chunks == 1 {
		channels = 64
	}
	return ceil(g.in, channels), ceil(g.out, channels), channels
}

// gradRowsAtOnce is how many rows of tiles are a block. Its matrices stay in the
// second cache beside the partial sum, or if that is larger, the block is, too.
func (g *weightGrad) gradRowsAtOnce(channels int) int {
	tiles := 24
	if min(channels, max(g.in, g.out)) >= 256 {
		tiles = 128
	}
	return max(1, tiles/g.rowTiles())
}

// winogradGradW computes what the rows of tiles first to end-1 give for one
// piece of a partial sum, or adds it.
func (b *Backend) winogradGradW(g *weightGrad, partial []float32, first, end, piece int, add bool) {
	inPieces, _, side := g.gradPieces()
	c, o := piece%inPieces*side, piece/inPieces*side
	channels, outs := min(side, g.in-c), min(side, g.out-o)
	most := min(end-first, g.gradRowsAtOnce(side))
	plane := planeOf(most * g.rowTiles() * panel)
	block := tileArea * plane
	lifted := block * (channels / panel)
	size := lifted + block*(outs/panel)
	s := b.pool.get(size + tempSize)
	defer b.pool.put(s)
	d, y := s.f[:lifted], s.f[lifted:size]
	b.startImages(&s.imageTiles, &g.gather, s.f[size:], plane)
	group := b.wino.wide * panel
	w := &s.places
	w.rows, w.add = channels, add
	w.aPlace, w.aBlock, w.bPlace, w.bBlock, w.cPlace, w.cPanel = plane, block, plane, block, planeOf(g.in*group), g.depth*panel
	sum := partial[o/group*g.depth*panel+c*group:]
	p := &s.tileMap
	p.srcRow, p.srcCol, p.srcBlock, p.dstRow, p.dstCol, p.dstBlock, p.temp = g.w*g.out, g.out, panel, tileIn*plane, plane, block, s.imageTiles.temp
	line := tileOut * g.w * g.out
	for ; first < end; first += most {
		last := min(first+most, end)
		b.liftImages(&s.imageTiles, &g.gather, d, first, last, c, channels)
		for r := first; r < last; r++ {
			p.src = g.dst[r*line:][:line][o:]
			p.dst = y[(r-first)*g.rowTiles()*panel:]
			p.run(b.wino.grad, tileOut, tileIn, outs, g.rowTiles(), tileOut*g.out, panel)
		}
		w.k = (last - first) * g.rowTiles()
		next := min(last+most, end)
		b.wino.multiplyOuter(w, d, y, sum, outs/panel, g.sourceRows(last, next), g.dst[last*line:next*line])
		w.add = true
	}
}

// lowerFilter transforms the sum of some panels of outputs, a group, back and
// adds it to the gradient.
func (b *Backend) lowerFilter(g *weightGrad, group int) {
	k := g.k() * panel
	s := b.pool.get(k + tempSize)
	defer b.pool.put(s)
	panels := min(b.wino.wide, g.panels()-group*b.wino.wide)
	plane := planeOf(g.in * b.wino.wide * panel)
	p := &s.tileMap
	for i := range panels {
		p.src, p.srcRow, p.srcCol = g.partial[group*g.depth*panel:][:g.depth*panel][i*panel:], tileIn*plane, plane
		p.dst, p.dstRow, p.dstCol = s.f[:k], 3*g.in*panel, g.in*panel
		p.temp = s.f[k:]
		p.run(b.wino.filterGrad, tileIn, 3, panel, g.in, panels*panel, panel)
		g.unpack(s.f[:k], 0, group*b.wino.wide+i)
	}
}
