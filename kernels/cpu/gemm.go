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
	transpose    func(p *transposition) // of a multiple of some columns, or nil
	columns      int                    // that multiple
}

type tileKernel struct {
	rows int
	run  func(t *tile)
}

// A tile is a small matrix product, C = A·B or C += A·B, that fits the
// registers; a call of a kernel computes some of them, one below the other. k
// numbers of A's rows lie evenly, in each of some runs: element (i,l) of run r is
// a[i·rs+r·run+l·cs], where run = k·cs+next. Row r·k+l of panel p of B starts at
// b[p·bpanel+(r·k+l)·bstep], row i of that panel of C at c[i·ldc+p·cpanel]. All
// counts are at least 1; cols, which says how many columns of C there are, is
// more than one panel's if the kernel has two.
type tile struct {
	a, b, c       []float32
	rs, cs        int
	k, runs, next int
	bstep, bpanel int
	ldc, cpanel   int
	cols, tiles   int
	add           bool
	denormals     bool // as in product
}

// check panics unless the tiles lie inside their slices: assembly would not.
func (t *tile) check(rows, panels int) {
	last := t.tiles*rows - 1
	_ = t.a[last*t.rs+(t.runs-1)*(t.k*t.cs+t.next)+(t.k-1)*t.cs]
	_ = t.b[(panels-1)*t.bpanel+(t.runs*t.k-1)*t.bstep+panel-1]
	_ = t.c[last*t.ldc+(panels-1)*(t.cpanel-panel)+t.cols-1]
}

// columnMasks has a mask for the first 0 to 16 of 16 columns at 16 less that
// many.
//
//lint:ignore U1000 the assembly reads it
var columnMasks = [2 * panel]int32{-1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1}

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

// copyFloats bounds the floats in one call of a copy, for some 20 µs from
// memory.
const copyFloats = 32 << 10

// copyRows runs a rowCopy by way of s.
func (g *gemmKernels) copyRows(s *scratch, rows, n int, dst []float32, dstStep int, src []float32, srcStep int) {
	if rows <= 0 || n <= 0 {
		return
	}
	_, _ = dst[(rows-1)*dstStep+n-1], src[(rows-1)*srcStep+n-1]
	most := max(1, copyFloats/n)
	for r := 0; r < rows; r += most {
		s.copy = rowCopy{dst: dst[r*dstStep:], src: src[r*srcStep:], rows: min(most, rows-r), n: n, dstStep: dstStep, srcStep: srcStep}
		g.copy(&s.copy)
	}
}

// A transposition writes 16 rows of n floats, srcStep apart, as n rows of 16
// floats, dstStep apart.
type transposition struct {
	dst, src         []float32
	n                int
	dstStep, srcStep int
}

// turn transposes rows, at most 16, of n floats.
func (g *gemmKernels) turn(s *scratch, rows, n int, dst []float32, dstStep int, src []float32, srcStep int) {
	done := 0
	if rows == panel && g.transpose != nil {
		done = n / g.columns * g.columns
	}
	const most = 4096 // columns at once, for some 40 µs
	for l := 0; l < done; l += most {
		p := &s.turn
		*p = transposition{dst: dst[l*dstStep:], src: src[l:], n: min(most, done-l), dstStep: dstStep, srcStep: srcStep}
		_, _ = p.dst[(p.n-1)*dstStep+panel-1], p.src[(panel-1)*srcStep+p.n-1]
		g.transpose(p)
	}
	for q := range rows {
		for l, v := range src[q*srcStep:][done:n] {
			dst[(done+l)*dstStep+q] = v
		}
	}
}

// maxDepth bounds the steps along k in one call of a tile kernel: the collector
// cannot stop a goroutine in assembly, so a call should end within some 50 µs.
const maxDepth = 2048

// A product is a matrix product of any size from the tiles of one variant: m
// rows of A, n columns of B in panels (the last one padded), as in tile.
type product struct {
	m, n, k       int // k is the depth of a run
	a, b, c       []float32
	rs, cs        int
	runs, run     int // 0 runs are one; a run begins run behind the one before
	bstep, bpanel int
	ldc, cpanel   int  // cpanel is panel unless C itself lies in panels
	add           bool // C += A·B instead of C = A·B
	// denormals keeps numbers below 2^-126, which some processors multiply a
	// hundred times slower; else kernels may take them for zeros. To say so to
	// the processor takes as long as a small product, so Gemm does not.
	denormals bool
}

// multiply computes p; s lends the memory for the tiles' description.
func (g *gemmKernels) multiply(s *scratch, p *product) {
	runs, depth, most := max(1, p.runs), min(p.k, maxDepth), 1
	if p.k <= maxDepth {
		most = min(runs, maxDepth/max(1, p.k)) // runs at once
	}
	t := &s.tile
	t.rs, t.cs, t.bstep, t.bpanel, t.ldc, t.cpanel = p.rs, p.cs, p.bstep, p.bpanel, p.ldc, p.cpanel
	for r := 0; r < runs; r += most {
		t.runs = min(most, runs-r)
		for k0 := 0; k0 < p.k; k0 += depth {
			t.k = min(depth, p.k-k0)
			t.next = p.run - t.k*p.cs
			if t.runs == 1 {
				t.next = 0
			}
			t.add, t.denormals = p.add || r > 0 || k0 > 0, p.denormals
			g.sweep(t, p, r*p.run+k0*p.cs, (r*p.k+k0)*p.bstep)
		}
	}
}

// sweep computes p as deep as t says, from a and b on in A and B.
func (g *gemmKernels) sweep(t *tile, p *product, a, b int) {
	for j := 0; j < p.n; j += t.cols {
		list, panels := g.narrow, 1
		if g.wide != nil && p.n-j > panel {
			list, panels = g.wide, 2
		}
		t.cols = min(panels*panel, p.n-j)
		t.b = p.b[j/panel*p.bpanel+b:]
		c := p.c[j/panel*p.cpanel:]
		for i := 0; i < p.m; {
			rows, left := list[0].rows, p.m-i
			t.tiles = min(left/rows, max(1, maxDepth/(t.k*t.runs)))
			if left%rows == 2 && len(list) > 1 && 2*list[1].rows == rows+2 && t.tiles == left/rows {
				t.tiles-- // two equal tiles rather than one and a small one
			}
			if t.tiles <= 0 {
				list = list[1:]
				continue
			}
			t.a, t.c = p.a[i*p.rs+a:], c[i*p.ldc:]
			t.check(rows, panels)
			list[0].run(t)
			i += t.tiles * rows
		}
	}
}

// Blocks of a matrix product: a packed slab of B is up to blockK by slabN; an item
// of work is up to blockM rows by a slab's columns, less where that makes fewer
// than blockItems items.
const (
	blockK = 256
	slabN  = 1024
	blockM = 56

	blockItems = 24
	blockRows  = 14 // the least rows of an item, and what they are a multiple of
	blockCols  = 64 // the least columns
)

// alone bounds the multiplications of a product that are not worth a second
// goroutine.
const alone = 1 << 20

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
	rows    int // of an item
	cols    int
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
	depth := ceil(k, ceil(k, blockK))
	s := b.pool.get(depth * min(slabN, ceil(n, panel)*panel))
	defer b.pool.put(s)
	s.matrix = matrix{Gemm: g, m: m, n: n, k: k, packed: s.f, rows: blockM, cols: slabN, depth: depth,
		a: tensor.Data[float32](x), b: tensor.Data[float32](y), c: tensor.Data[float32](c)}
	b.runGemm(s)
}

func (b *Backend) runGemm(s *scratch) {
	w := &s.matrix
	depth, small := w.depth, w.m*w.n*w.k <= alone
	width := min(slabN, w.n)
	for w.rows > blockRows && ceil(w.m, w.rows) < blockItems {
		w.rows -= blockRows
	}
	for w.cols > blockCols && ceil(w.m, w.rows)*ceil(width, w.cols) < blockItems {
		w.cols /= 2
	}
	pack := func(i int) { b.packB(w, i*packPanels, (i+1)*packPanels) }
	work := func(i int) { b.gemmBlock(w, i) }
	for w.n0 = 0; w.n0 < w.n; w.n0 += slabN {
		w.width = min(slabN, w.n-w.n0)
		packs, works := ceil(ceil(w.width, panel), packPanels), ceil(w.m, w.rows)*ceil(w.width, w.cols)
		for w.k0 = 0; w.k0 < w.k; w.k0 += depth {
			w.depth = min(depth, w.k-w.k0)
			if small {
				for i := range packs {
					pack(i)
				}
				for i := range works {
					work(i)
				}
				continue
			}
			par(packs, pack)
			par(works, work)
		}
	}
}

// ceil is n/d, rounded up.
func ceil(n, d int) int { return (n + d - 1) / d }

// packPanels is how many panels of B an item packs.
const packPanels = 4

// packB packs the slab's panels first to end-1, as far as they exist.
func (b *Backend) packB(w *matrix, first, end int) {
	s := b.pool.get(0)
	defer b.pool.put(s)
	for p := first; p < min(end, ceil(w.width, panel)); p++ {
		dst := w.packed[p*panel*w.depth:][:panel*w.depth]
		j, cols := w.n0+p*panel, min(panel, w.width-p*panel)
		if cols < panel {
			clear(dst)
		}
		if w.TransB {
			b.gemm.turn(s, cols, w.depth, dst, panel, w.b[j*w.k+w.k0:], w.k)
		} else {
			b.gemm.copyRows(s, w.depth, cols, dst, panel, w.b[w.k0*w.n+j:], w.n)
		}
	}
}

// gemmBlock computes item i of the slab at work.
func (b *Backend) gemmBlock(w *matrix, i int) {
	across := ceil(w.width, w.cols)
	i0, j0 := i/across*w.rows, i%across*w.cols
	s := b.pool.get(blockM * (blockK + panel))
	defer b.pool.put(s)
	p := &s.prod
	*p = product{m: min(w.rows, w.m-i0), n: min(w.cols, w.width-j0), k: w.depth, a: s.f, denormals: true,
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
