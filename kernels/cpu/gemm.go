package cpu

import (
	"phase/kernels"
	"phase/tensor"
)

// panel is the number of columns of B that lie together when it is packed for
// multiplication: a panel holds k rows of 16 floats. All variants share it.
const panel = 16

// gemmKernels are the matrix kernels of one variant: tiles of two panels (if
// there are any) and of one, each list with falling numbers of rows, down to 1.
type gemmKernels struct {
	wide, narrow []tileKernel
	sum          func(p *chunkSum)
	copy         func(p *rowCopy)
}

type tileKernel struct {
	rows int
	run  func(t *tile)
}

// A tile is a small matrix product, C = A·B or C += A·B, that fits the
// registers. A's element (i,l) is a[i·rs+l·cs]; row l of panel p of B starts at
// b[p·bpanel+l·bstep], row i of that panel of C at c[i·ldc+p·cpanel]. k is at
// least 1.
type tile struct {
	a, b, c       []float32
	rs, cs        int
	bstep, bpanel int
	ldc, cpanel   int
	k             int
	add           bool
}

// check panics unless the tile lies inside its slices: assembly would not.
func (t *tile) check(rows, panels int) {
	_ = t.a[(rows-1)*t.rs+(t.k-1)*t.cs]
	_ = t.b[(panels-1)*t.bpanel+(t.k-1)*t.bstep+panel-1]
	_ = t.c[(rows-1)*t.ldc+(panels-1)*t.cpanel+panel-1]
}

// A chunkSum is dst = the sum of chunks arrays of n floats that begin stride
// apart in src, added in order. n is a multiple of 16, at least 16; dst may
// begin where src does.
type chunkSum struct {
	dst, src          []float32
	n, chunks, stride int
}

// A rowCopy copies rows (at least 1) of n floats that lie a step apart on both
// sides.
type rowCopy struct {
	dst, src         []float32
	rows, n          int
	dstStep, srcStep int
}

// copyRows runs a rowCopy by way of s.
func (g *gemmKernels) copyRows(s *scratch, rows, n int, dst []float32, dstStep int, src []float32, srcStep int) {
	if rows <= 0 || n <= 0 {
		return
	}
	_, _ = dst[(rows-1)*dstStep+n-1], src[(rows-1)*srcStep+n-1]
	s.copy = rowCopy{dst: dst, src: src, rows: rows, n: n, dstStep: dstStep, srcStep: srcStep}
	g.copy(&s.copy)
}

// maxDepth bounds k in one call of a tile kernel: the collector cannot stop a
// goroutine in assembly, so a call should end within some 50 µs.
const maxDepth = 4096

// A product is a matrix product of any size from the tiles of one variant: m
// rows of A, n columns of B in panels (the last one padded), as in tile.
type product struct {
	m, n, k       int
	a, b, c       []float32
	rs, cs        int
	bstep, bpanel int
	ldc, cpanel   int  // cpanel is panel unless C itself lies in panels
	add           bool // C += A·B instead of C = A·B
}

// multiply computes p; s lends the memory for edge tiles.
func (g *gemmKernels) multiply(s *scratch, p *product) {
	for k0 := 0; k0 < p.k; k0 += maxDepth {
		t := &s.tile
		t.rs, t.cs, t.bstep, t.bpanel, t.k = p.rs, p.cs, p.bstep, p.bpanel, min(maxDepth, p.k-k0)
		t.add = p.add || k0 > 0
		for j := 0; j < p.n; {
			list, panels, edge := g.narrow, 1, p.n-j < panel
			if g.wide != nil && p.n-j >= 2*panel {
				list, panels = g.wide, 2
			}
			t.b = p.b[j/panel*p.bpanel+k0*p.bstep:]
			for i := 0; i < p.m; {
				for p.m-i < list[0].rows {
					list = list[1:]
				}
				rows := list[0].rows
				t.a = p.a[i*p.rs+k0*p.cs:]
				if edge {
					g.edge(s, p, list[0], i, j)
				} else {
					t.c, t.ldc, t.cpanel = p.c[i*p.ldc+j/panel*p.cpanel:], p.ldc, p.cpanel
					t.check(rows, panels)
					list[0].run(t)
				}
				i += rows
			}
			j += panels * panel
		}
	}
}

// edge computes a tile whose last columns are only padding, by way of a tile
// of its own.
func (g *gemmKernels) edge(s *scratch, p *product, kernel tileKernel, i, j int) {
	t := &s.tile
	add := t.add
	t.c, t.ldc, t.cpanel, t.add = s.corner[:], panel, 0, false
	t.check(kernel.rows, 1)
	kernel.run(t)
	t.add = add
	for r := range kernel.rows {
		c := p.c[(i+r)*p.ldc+j/panel*p.cpanel:][:p.n-j]
		for q, v := range s.corner[r*panel:][:len(c)] {
			if add {
				v += c[q]
			}
			c[q] = v
		}
	}
}

// maxRows is the most rows of any tile kernel.
const maxRows = 12

// Blocks of a matrix product: an item of work is blockM rows by blockN columns,
// blockK deep; a packed slab of B is blockK by slabN.
const (
	blockM = 48
	blockN = 512
	blockK = 256
	slabN  = 2048
)

// A matrix is one call of Gemm: where the matrices are and which slab of B is
// at work.
type matrix struct {
	kernels.Gemm
	m, n, k int
	a, b, c []float32
	packed  []float32 // the slab: panels of depth rows
	k0, n0  int       // where the slab begins
	depth   int
	width   int
}

// Gemm computes c (m,n) = op(a) (m,k) · op(b) (k,n), added to c if g.Add is
// set. B is packed into panels slab by slab, A block by block.
func (b *Backend) Gemm(g kernels.Gemm, c, x, y *tensor.Tensor) {
	m, n, k := c.Dim(0), c.Dim(1), x.Dim(1)
	if g.TransA {
		k = x.Dim(0)
	}
	if c.DType() != tensor.F32 {
		gemm64(g, m, n, k, tensor.Data[float64](c), tensor.Data[float64](x), tensor.Data[float64](y))
		return
	}
	if m == 0 || n == 0 || k == 0 {
		if !g.Add {
			c.Zero()
		}
		return
	}
	s := b.pool.get(blockK * min(slabN, ceil(n, panel)*panel))
	defer b.pool.put(s)
	s.matrix = matrix{Gemm: g, m: m, n: n, k: k, packed: s.f,
		a: tensor.Data[float32](x), b: tensor.Data[float32](y), c: tensor.Data[float32](c)}
	b.runGemm(s)
}

func (b *Backend) runGemm(s *scratch) {
	w := &s.matrix
	pack := func(i int) { b.packB(w, i*8) }
	work := func(i int) { b.gemmBlock(w, i) }
	for w.n0 = 0; w.n0 < w.n; w.n0 += slabN {
		w.width = min(slabN, w.n-w.n0)
		for w.k0 = 0; w.k0 < w.k; w.k0 += blockK {
			w.depth = min(blockK, w.k-w.k0)
			par(ceil(ceil(w.width, panel), 8), pack)
			par(ceil(w.m, blockM)*ceil(w.width, blockN), work)
		}
	}
}

// ceil is n/d, rounded up.
func ceil(n, d int) int { return (n + d - 1) / d }

// packB packs eight panels of the slab, the first being panel first.
func (b *Backend) packB(w *matrix, first int) {
	s := b.pool.get(0)
	defer b.pool.put(s)
	for p := first; p < min(first+8, ceil(w.width, panel)); p++ {
		dst := w.packed[p*panel*w.depth:][:panel*w.depth]
		j, cols := w.n0+p*panel, min(panel, w.width-p*panel)
		if cols < panel {
			clear(dst)
		}
		if !w.TransB {
			b.gemm.copyRows(s, w.depth, cols, dst, panel, w.b[w.k0*w.n+j:], w.n)
			continue
		}
		for q := range cols {
			for l, v := range w.b[(j+q)*w.k+w.k0:][:w.depth] {
				dst[l*panel+q] = v
			}
		}
	}
}

// gemmBlock computes item i of the slab at work.
func (b *Backend) gemmBlock(w *matrix, i int) {
	across := ceil(w.width, blockN)
	i0, j0 := i/across*blockM, i%across*blockN
	s := b.pool.get(blockM * (blockK + panel))
	defer b.pool.put(s)
	p := &s.prod
	*p = product{m: min(blockM, w.m-i0), n: min(blockN, w.width-j0), k: w.depth, a: s.f,
		b: w.packed[j0*w.depth:], bstep: panel, bpanel: panel * w.depth,
		c: w.c[i0*w.n+w.n0+j0:], ldc: w.n, cpanel: panel, add: w.Add || w.k0 > 0}
	// A is copied because rows a power of two apart would share cache sets;
	// the copies are blockK+16 floats apart.
	if w.TransA {
		p.rs, p.cs = 1, blockM
		b.gemm.copyRows(s, p.k, p.m, s.f, p.cs, w.a[w.k0*w.m+i0:], w.m)
	} else {
		p.rs, p.cs = blockK+panel, 1
		b.gemm.copyRows(s, p.m, p.k, s.f, p.rs, w.a[i0*w.k+w.k0:], w.k)
	}
	b.gemm.multiply(s, p)
}

// gemm64 is Gemm in float64, for checking gradients: plain loops over rows.
func gemm64(g kernels.Gemm, m, n, k int, c, a, b []float64) {
	at := func(i, l int) float64 {
		if g.TransA {
			return a[l*m+i]
		}
		return a[i*k+l]
	}
	par(m, func(i int) {
		row := c[i*n:][:n]
		if !g.Add {
			clear(row)
		}
		for l := range k {
			x := at(i, l)
			if g.TransB {
				for j := range row {
					row[j] += x * b[j*k+l]
				}
				continue
			}
			for j, y := range b[l*n:][:n] {
				row[j] += x * y
			}
		}
	})
}
