package cpu

// mapBlocks bounds the blocks in one call of a tile kernel, lineFloats the
// floats in a row of an image, placeWork the rows times channels times panels
// that one call multiplies: each for some 20 µs.
const (
	mapBlocks  = 32
	lineFloats = 16 << 10
	placeWork  = 32 << 10
)

// winogradKernels map tiles on both axes, with Bᵀ, G and Aᵀ, then with G and Aᵀ
// of the weight gradient; and multiply. The zero value leaves Winograd out.
type winogradKernels struct {
	image            func(p *imageTiles) // 6×6 to 6×6
	filter, output   func(p *tileMap)    // 3×3 to 6×6, 6×6 to 4×4
	grad, filterGrad func(p *tileMap)    // 4×4 to 6×6, 6×6 to 3×3
	// products are of tiles and filters, of which wide panels lie together, row
	// by row. If that is two, panelProducts does the last one of an odd number,
	// for an even number of places.
	wide                    int
	products, panelProducts func(p *placeProducts)
	outer                   func(p *placeProducts) // of tiles and tiles
	// How many rows the kernels multiply at once: products, outer, and outer with
	// the last one of an odd number of panels.
	rows, outerRows, outerRowsLast int
}

// A tileMap maps square tiles of vectors; steps are in floats. Tiles and their
// blocks of 16 floats are at least one.
type tileMap struct {
	src, dst           []float32
	temp               []float32 // tempSize, for the kernel
	srcRow, srcCol     int
	srcLane            int // between the floats of a block; filters only, all others have 1
	dstRow, dstCol     int
	srcBlock, dstBlock int // from a block to the next
	srcNext, dstNext   int // from behind the block of a tile to that of the next tile
	blocks, tiles      int
	add                bool // to dst; output tiles only
}

// run runs kernel, which maps in×in numbers to out×out, on tiles that begin
// srcStep and dstStep apart: some at a time, so that a call ends within some
// 50 µs.
func (p *tileMap) run(kernel func(p *tileMap), in, out, channels, tiles, srcStep, dstStep int) {
	src, dst := p.src, p.dst
	p.srcNext, p.dstNext = srcStep-panel*max(1, p.srcLane), dstStep-panel
	p.blocks = channels / panel
	most := mapBlocks
	if p.srcLane > 1 { // floats that are gathered one by one take eight times as long
		most /= 8
	}
	for t := 0; t < tiles; t += p.tiles {
		p.tiles = min(tiles-t, max(1, most/p.blocks))
		p.src, p.dst = src[t*srcStep:], dst[t*dstStep:]
		last := p.tiles - 1
		_ = p.temp[tempSize-1]
		_ = p.src[(p.blocks-1)*p.srcBlock+last*srcStep+(in-1)*(p.srcRow+p.srcCol)+panel-1]
		_ = p.dst[(p.blocks-1)*p.dstBlock+last*dstStep+(out-1)*(p.dstRow+p.dstCol)+panel-1]
		kernel(p)
	}
}

// An imageTiles maps a row of tiles, all that an image has side by side: its six
// rows of pixels, with a column of zeros at either end. The results of a tile's
// block of 16 channels are a plane apart, and its tiles follow one another.
type imageTiles struct {
	rows     [tileIn]*float32
	dst      []float32
	temp     []float32 // tempSize, for the kernel
	plane    int
	pixel    int // between pixels
	end      int // where a row ends: w·pixel
	dstBack  int // from the end of the tiles to their start, negative
	dstBlock int // between blocks of channels
	blocks   int // the kernel counts it down
}

// zeroLine is a row of pixels outside of an image.
var zeroLine [lineFloats]float32

// A placeProducts multiplies the matrices of some places: tiles by channels
// and channels by outputs, or for the weight gradient, (tiles by channels)ᵀ and
// tiles by outputs. Tiles by channels lie in blocks of 16 channels, whose tiles
// follow one another: element (i,l) is a[l/16·aBlock+i·16+l%16]. Filters and
// their gradient are made of panels, one or wide of them side by side.
type placeProducts struct {
	a, b, c                []float32
	aPlace, bPlace, cPlace int // from one place to the next
	aBlock                 int
	bBlock                 int // of tiles by outputs
	cRow                   int // from a row of the products to the next
	cPanel                 int // from some panels of the gradient to the next
	places, rows, panels   int // rows and panels of the result
	k                      int
	add                    bool   // to c, of the weight gradient only
	ahead, below           stream // what the next block reads; what this one writes, or the next one reads
}

// A stream is memory that the processor is asked to bring into its second cache
// while it multiplies: some lines before each group of rows.
type stream struct {
	memory []float32
	//lint:ignore U1000 the assembly counts in it
	at    int // bytes asked for so far
	lines int
}

// over spreads the request for x over n groups of rows.
func over(x []float32, n int) stream { return stream{memory: x, lines: ceil(len(x), n*panel)} }

// multiply multiplies all places, some at a time, and has ahead and below
// brought into the second cache meanwhile.
func (k *winogradKernels) multiply(p *placeProducts, a, b, c []float32, panels int, ahead, below []float32) {
	groups := tileArea / 2 * (2*(panels/k.wide) + panels%k.wide) * ceil(p.rows, k.rows)
	p.ahead, p.below = over(ahead, groups), over(below, groups)
	all := p.rows * p.k
	step := max(1, placeWork/all/k.wide) * k.wide // panels in a call
	for j := 0; j < panels; j += p.panels {
		kernel := k.products
		p.panels = min(step, (panels-j)/k.wide*k.wide)
		if p.panels == 0 {
			p.panels, kernel = 1, k.panelProducts
		}
		together := 1 // places at once
		if p.panels%k.wide != 0 {
			together = 2
		}
		most := max(1, placeWork/(together*all*p.panels)) * together // places in a call
		for i := 0; i < tileArea; i += p.places {
			p.places = min(most, tileArea-i)
			last := p.places - 1
			p.a, p.b, p.c = a[i*p.aPlace:], b[i*p.bPlace+j*panel*p.k:], c[i*p.cPlace+j*panel:]
			_ = p.a[last*p.aPlace+(p.k/panel-1)*p.aBlock+p.rows*panel-1]
			_ = p.b[last*p.bPlace+p.panels*panel*p.k-1]
			_ = p.c[last*p.cPlace+(p.rows-1)*p.cRow+p.panels*panel-1]
			kernel(p)
		}
	}
}

// multiplyOuter does so for the weight gradient, of p.rows channels and some
// panels of outputs.
func (k *winogradKernels) multiplyOuter(p *placeProducts, a, b, c []float32, panels int, ahead, below []float32) {
	groups := tileArea * (panels/k.wide*(p.rows/k.outerRows) + panels%k.wide*(p.rows/k.outerRowsLast))
	p.ahead, p.below = over(ahead, groups), over(below, groups)
	all := p.rows * p.k
	step := max(1, placeWork/all/k.wide) * k.wide // panels in a call
	for j := 0; j < panels; j += p.panels {
		p.panels = min(step, panels-j)
		most := max(1, placeWork/(all*p.panels)) // places in a call
		sides := ceil(p.panels, k.wide)
		for i := 0; i < tileArea; i += p.places {
			p.places = min(most, tileArea-i)
			last := p.places - 1
			p.a, p.b, p.c = a[i*p.aPlace:], b[i*p.bPlace+j*p.bBlock:], c[i*p.cPlace+j/k.wide*p.cPanel:]
			_ = p.a[last*p.aPlace+(p.rows/panel-1)*p.aBlock+p.k*panel-1]
			_ = p.b[last*p.bPlace+(p.panels-1)*p.bBlock+p.k*panel-1]
			_ = p.c[last*p.cPlace+(sides-1)*p.cPanel+(p.rows-1)*k.wide*panel+(p.panels-(sides-1)*k.wide)*panel-1]
			k.outer(p)
		}
	}
}
