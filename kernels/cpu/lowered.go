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

// lowered computes the rows top to bottom-1 of the grid in image n. The places
// of a product must lie evenly in the destination: rows follow one another
// without a gap only where every place is a pixel.
func (b *Backend) lowered(g *gather, n, top, bottom int) {
	run, end := g.w, bottom*g.w
	if g.every == 1 {
		run = (bottom - top) * g.w
	}
	block := min(g.block(maxRows), run)
	s := b.pool.get(block * g.stride())
	defer b.pool.put(s)
	for first := top * g.w; first < end; first += run {
		for i := first; i < first+run; i += block {
			b.loweredBlock(g, s, n, i, min(block, first+run-i))
		}
	}
}

// loweredBlock computes some places, counted row by row, by way of s.
func (b *Backend) loweredBlock(g *gather, s *scratch, n, first, places int) {
	at := g.place(n, first/g.w, first%g.w)
	if g.k() == 0 { // a stride beyond the filter leaves places that take nothing
		for r := 0; r < places && !g.add; r++ {
			clear(g.dst[at+r*g.every*g.dstC:][:g.dstC])
		}
		return
	}
	stride := g.stride()
	for group := range g.groups {
		g.lower(s.f, stride, n, first, places, group)
		s.prod = product{m: places, n: g.out, k: g.k(),
			a: s.f, rs: stride, cs: 1,
			b: g.packed[group*g.panels()*g.k()*panel:], bstep: panel, bpanel: g.k() * panel,
			c: g.dst[at+group*g.out:], ldc: g.every * g.dstC, cpanel: panel,
			add: g.add}
		b.gemm.multiply(s, &s.prod)
	}
}

// lower copies what the places first to first+rows-1 take into the rows of m:
// the taps in order, each with its group's channels, zeros where a tap lies
// outside the source.
func (g *gather) lower(m []float32, stride, n, first, rows, group int) {
	width := g.x.count * g.in
	for r := 0; r < rows; {
		i, j := (first+r)/g.w, (first+r)%g.w
		run := min(rows-r, g.w-j) // places of one row
		for u := range g.y.count {
			part := m[r*stride+u*width:]
			y := i*g.y.stride + g.y.first + u*g.y.step
			if y < 0 || y >= g.srcH {
				for q := range run {
					clear(part[q*stride:][:width])
				}
				continue
			}
			line := g.src[(n*g.srcH+y)*g.srcW*g.srcC:][:g.srcW*g.srcC]
			x := j*g.x.stride + g.x.first
			for q := range run {
				g.lowerRow(part[q*stride:][:width], line[group*g.in:], x)
				x += g.x.stride
			}
		}
		r += run
	}
}

// lowerRow copies a row of taps, the first of which takes from pixel x.
func (g *gather) lowerRow(row, line []float32, x int) {
	if g.x.step == 1 && g.groups == 1 && x >= 0 && x+g.x.count <= g.srcW {
		move(row, line[x*g.in:]) // neighbours in memory too
		return
	}
	for v := range g.x.count {
		tap := row[v*g.in:][:g.in]
		if at := x + v*g.x.step; at >= 0 && at < g.srcW {
			move(tap, line[at*g.srcC:])
		} else {
			clear(tap)
		}
	}
}

// move is copy(dst, src[:len(dst)]), faster for a few whole vectors.
func move(dst, src []float32) {
	src = src[:len(dst)]
	for len(dst) >= panel && len(src) >= panel {
		*(*[panel]float32)(dst) = *(*[panel]float32)(src)
		dst, src = dst[panel:], src[panel:]
	}
	for i := range dst {
		dst[i] = src[i]
	}
}
