package cpu

// Convolution as matrix multiplication: what a block of places takes is copied
// into the rows of a matrix, which stays in the nearer caches and is multiplied
// at once.

// blockFloats bounds the matrix of a block of places, as far as a block has
// more places than the least.
const blockFloats = 24 << 10

// block is how many places to lower at once.
func (g *gather) block(least int) int {
	return max(least, min(8*maxRows, blockFloats/max(1, g.k())/maxRows*maxRows))
}

// stride is the distance between the rows of the matrix: an odd number of
// cache lines, so that rows do not share cache sets.
func (g *gather) stride() int { return (ceil(g.k(), panel) | 1) * panel }

// lowered computes the rows top to bottom-1 of the grid in image n.
func (b *Backend) lowered(g *gather, n, top, bottom int) {
	if g.every == 1 { // rows follow one another without a gap
		b.loweredRun(g, n, top*g.w, bottom*g.w)
		return
	}
	for i := top; i < bottom; i++ {
		b.loweredRun(g, n, i*g.w, (i+1)*g.w)
	}
}

// loweredRun computes the places first to end-1, counted row by row, which lie
// evenly in the destination.
func (b *Backend) loweredRun(g *gather, n, first, end int) {
	if g.k() == 0 { // a stride larger than the filter leaves places untouched
		for i := first; i < end && !g.add; i++ {
			clear(g.dst[g.place(n, i/g.w, i%g.w):][:g.dstC])
		}
		return
	}
	block, stride := g.block(maxRows), g.stride()
	s := b.pool.get(block * stride)
	defer b.pool.put(s)
	for group := range g.groups {
		for i := first; i < end; i += block {
			rows := min(block, end-i)
			g.lower(s.f, stride, n, i, rows, group)
			s.prod = product{m: rows, n: g.out, k: g.k(),
				a: s.f, rs: stride, cs: 1,
				b: g.packed[group*g.panels()*g.k()*panel:], bstep: panel, bpanel: g.k() * panel,
				c: g.dst[g.place(n, i/g.w, i%g.w)+group*g.out:], ldc: g.every * g.dstC, cpanel: panel,
				add: g.add}
			b.gemm.multiply(s, &s.prod)
		}
	}
}

// lower copies what the places first to first+rows-1 take into the rows of m:
// the taps in order, each with its group's channels, zeros where a tap lies
// outside the source.
func (g *gather) lower(m []float32, stride, n, first, rows, group int) {
	i, j := first/g.w, first%g.w
	for r := range rows {
		g.lowerPlace(m[r*stride:][:g.k()], n, i, j, group)
		if j++; j == g.w {
			i, j = i+1, 0
		}
	}
}

func (g *gather) lowerPlace(row []float32, n, i, j, group int) {
	width := g.x.count * g.in
	x := j*g.x.stride + g.x.first
	for u := range g.y.count {
		part := row[u*width:][:width]
		y := i*g.y.stride + g.y.first + u*g.y.step
		if y < 0 || y >= g.srcH {
			clear(part)
			continue
		}
		line := g.src[(n*g.srcH+y)*g.srcW*g.srcC:][:g.srcW*g.srcC]
		if g.x.step == 1 && g.groups == 1 { // neighbours in memory too
			lo, hi := min(max(0, -x), g.x.count), max(0, min(g.x.count, g.srcW-x))
			if lo > 0 || hi < g.x.count {
				clear(part)
			}
			if lo < hi {
				copy(part[lo*g.in:hi*g.in], line[(x+lo)*g.in:])
			}
			continue
		}
		for v := range g.x.count {
			tap := part[v*g.in:][:g.in]
			if at := x + v*g.x.step; at >= 0 && at < g.srcW {
				copy(tap, line[at*g.srcC+group*g.in:])
			} else {
				clear(tap)
			}
		}
	}
}
