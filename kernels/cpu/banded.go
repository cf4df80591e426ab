package cpu

// Convolution row by row: the numbers that a row of places takes through a row of
// taps lie evenly in the source, so that they are a matrix of a product as they
// are, and the rows of the filter are runs of its depth. Where places see beyond
// the image, a band of its rows is copied with zeros around.

// leastBanded is how many places in a row are enough for a tile.
const leastBanded = 7

// bandFloats bounds a band, as far as it has more than one row of places.
const bandFloats = 160 << 10

// banded reports whether g goes by bands: not where it would copy pixels that no
// tap sees.
func (g *gather) banded() bool {
	return g.groups == 1 && g.x.step == 1 && g.y.step == 1 && g.k() > 0 && g.w >= leastBanded && g.x.count >= g.x.stride
}

// bandedGrad reports whether the weight gradient does: images are large enough
// for a sum of their own, and places near enough together not to share cache
// sets.
func (g *gather) bandedGrad() bool { return g.banded() && g.h*g.w >= 48 && g.x.stride*g.in <= 256 }

// bandWidth is how many pixels of a source row the places of a row see.
func (g *gather) bandWidth() int { return (g.w-1)*g.x.stride + g.x.count }

// bandPitch is the distance between the rows of a copied band.
func (g *gather) bandPitch() int { return oddLines(g.bandWidth() * g.in) }

// bandRows is how many rows of places share a band, at most.
func (g *gather) bandRows() int {
	return max(1, min(g.h, bandFloats/(g.y.stride*g.bandPitch())))
}

// bandMemory is the memory for a band.
func (g *gather) bandMemory() int {
	return ((g.bandRows()-1)*g.y.stride + g.y.count) * g.bandPitch()
}

// band is what the rows top to bottom-1 of places take from image n: row u of the
// filter meets place (top+i,j) at (i·stride+u)·pitch+j·stride·g.in.
func (b *Backend) band(g *gather, s *scratch, f []float32, n, top, bottom int) (band []float32, pitch int) {
	x, y := g.x.first, top*g.y.stride+g.y.first
	width, height := g.bandWidth(), (bottom-1-top)*g.y.stride+g.y.count
	left, right := max(x, 0), min(x+width, g.srcW) // what exists
	from, to := max(y, 0), min(y+height, g.srcH)
	if left == x && right == x+width && from == y && to == y+height {
		return g.src[((n*g.srcH+y)*g.srcW+x)*g.in:], g.srcW * g.in
	}
	pitch = g.bandPitch()
	for r := range height {
		row := f[r*pitch:][:width*g.in]
		if y+r < from || y+r >= to || left >= right {
			clear(row)
			continue
		}
		clear(row[:(left-x)*g.in])
		clear(row[(right-x)*g.in:])
	}
	if left < right && from < to {
		b.gemm.copyRows(s, to-from, (right-left)*g.in, f[(from-y)*pitch+(left-x)*g.in:], pitch,
			g.src[((n*g.srcH+from)*g.srcW+left)*g.in:], g.srcW*g.in)
	}
	return f, pitch
}

// banded computes the rows top to bottom-1 of the grid in image n.
func (b *Backend) banded(g *gather, n, top, bottom int) {
	s := b.pool.get(g.bandMemory())
	defer b.pool.put(s)
	p := &s.prod
	rows := g.bandRows()
	for first := top; first < bottom; first += rows {
		end := min(first+rows, bottom)
		band, pitch := b.band(g, s, s.f, n, first, end)
		*p = product{m: g.w, k: g.x.count * g.in, rs: g.x.stride * g.in, cs: 1, runs: g.y.count, run: pitch,
			bstep: panel, bpanel: g.k() * panel, ldc: g.every * g.dstC, cpanel: panel, add: g.add}
		// Some outputs for all rows, whose weights stay in a near cache.
		for o := 0; o < g.out; o += 2 * panel {
			p.n, p.b = min(2*panel, g.out-o), g.packed[o/panel*p.bpanel:]
			for i := first; i < end; i++ {
				p.a, p.c = band[(i-first)*g.y.stride*pitch:], g.dst[g.place(n, i, 0)+o:]
				b.gemm.multiply(s, p)
			}
		}
	}
}

// bandedGradW computes what the images first to end-1 give to a partial sum, or
// adds it, for some outputs from o on: for each row of the filter (what its taps
// see)ᵀ · dy.
func (b *Backend) bandedGradW(g *weightGrad, partial []float32, first, end, o int, add bool) {
	rows, memory := g.bandRows(), g.bandMemory()
	outs := min(pieceOutputs, g.out-o)
	s := b.pool.get(memory + rows*g.w*ceil(outs, panel)*panel)
	defer b.pool.put(s)
	p := &s.prod
	row := g.x.count * g.in // of the filter
	*p = product{m: row, k: g.w, rs: 1, cs: g.x.stride * g.in, ldc: panel, cpanel: g.k() * panel, add: add}
	for n := first; n < end; n++ {
		for top := 0; top < g.h; top += rows {
			bottom := min(top+rows, g.h)
			band, pitch := b.band(&g.gather, s, s.f[:memory], n, top, bottom)
			p.runs, p.run = bottom-top, g.y.stride*pitch
			b.outputGrads(g, s, p, s.f[memory:], (n*g.h+top)*g.w, (bottom-top)*g.w, o, outs)
			for u := range g.y.count {
				p.a, p.c = band[u*pitch:], partial[(o/panel*g.k()+u*row)*panel:]
				b.gemm.multiply(s, p)
			}
			p.add = true
		}
	}
}
