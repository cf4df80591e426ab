package cpu

// Convolution as matrix multiplication: what a block of places takes is copied
// into the rows of a matrix, which stays in the nearer caches and is multiplied
// at once.

// blockFloats bounds the matrix of a block of places, as far as a block has
// more places than the least.
const blockFloats = 192 << 10

// lowerRows is what numbers of places are a multiple of, and the least that are
// lowered at once.
const lowerRows = 14

// block is how many places to lower at once.
func (g *gather) block() int {
	return max(lowerRows, min(7*lowerRows, blockFloats/max(1, g.k())/lowerRows*lowerRows))
}

// stride is the distance between the rows of the matrix.
func (g *gather) stride() int { return oddLines(g.k()) }

// oddLines is n floats filled up to an odd number of cache lines: what lies so
// far apart does not share cache sets.
func oddLines(n int) int { return (ceil(n, panel) | 1) * panel }

// lowered computes the rows top to bottom-1 of the grid in image n. The places
// of a product must lie evenly in the destination: rows follow one another
// without a gap only where every place is a pixel.
func (b *Backend) lowered(g *gather, n, top, bottom int) {
	run, end := g.w, bottom*g.w
	if g.every == 1 {
		run = (bottom - top) * g.w
	}
	block := min(g.block(), run)
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
		b.lower(g, s, s.f, stride, n, first, places, group, 0, g.y.count)
		s.prod = product{m: places, n: g.out, k: g.k(),
			a: s.f, rs: stride, cs: 1,
			b: g.packed[group*g.panels()*g.k()*panel:], bstep: panel, bpanel: g.k() * panel,
			c: g.dst[at+group*g.out:], ldc: g.every * g.dstC, cpanel: panel,
			add: g.add}
		b.gemm.multiply(s, &s.prod)
	}
}

// lower copies what the places first to first+places-1 take into the rows of
// m, stride apart: the taps of some rows of the filter in order, from row top on,
// each with its group's channels, zeros where a tap lies outside the source.
func (b *Backend) lower(g *gather, s *scratch, m []float32, stride, n, first, places, group, top, rows int) {
	taps := 1
	if g.x.step == 1 && g.groups == 1 { // a row of taps lies together in the source
		taps = g.x.count
	}
	for r := 0; r < places; {
		i, j := (first+r)/g.w, (first+r)%g.w
		row := min(places-r, g.w-j)
		for u := range rows {
			for v := 0; v < g.x.count; v += taps {
				p := piece{taps: taps, group: group, rows: row, stride: stride,
					m: m[r*stride+(u*g.x.count+v)*g.in:], x: j*g.x.stride + g.x.first + v*g.x.step}
				if y := i*g.y.stride + g.y.first + (top+u)*g.y.step; y >= 0 && y < g.srcH {
					p.line = g.src[(n*g.srcH+y)*g.srcW*g.srcC:][:g.srcW*g.srcC]
				}
				b.lowerPiece(g, s, p)
			}
		}
		r += row
	}
}

// A piece is what some places beside one another take through taps beside one
// another.
type piece struct {
	m      []float32 // where it goes in the first of the rows
	stride int       // from row to row
	line   []float32 // the row of the source, nil outside
	x      int       // the source pixel of the first place's first tap
	taps   int
	rows   int
	group  int
}

func (b *Backend) lowerPiece(g *gather, s *scratch, p piece) {
	// The places from inner to outer-1 have all their taps inside the source.
	inner, outer := p.rows, p.rows
	if room := g.srcW - p.taps - p.x; p.line != nil && room >= 0 {
		inner = min(p.rows, max(0, ceil(-p.x, g.x.stride)))
		outer = max(inner, min(p.rows, room/g.x.stride+1))
	}
	if inner < outer {
		b.gemm.copyRows(s, outer-inner, p.taps*g.in, p.m[inner*p.stride:], p.stride,
			p.line[(p.x+inner*g.x.stride)*g.srcC+p.group*g.in:], g.x.stride*g.srcC)
	}
	for q := 0; q < p.rows; q++ {
		if q == inner {
			q = outer
			if q == p.rows {
				break
			}
		}
		for t := range p.taps {
			tap := p.m[q*p.stride+t*g.in:][:g.in]
			if at := p.x + q*g.x.stride + t; p.line != nil && at >= 0 && at < g.srcW {
				copy(tap, p.line[at*g.srcC+p.group*g.in:])
			} else {
				clear(tap)
			}
		}
	}
}
