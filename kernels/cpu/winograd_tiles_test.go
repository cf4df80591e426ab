package cpu

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
)

// tileMatrices are the matrices of the tile kernels, as _gen/winograd.go has
// them.
var tileMatrices = []struct {
	name   string
	kernel func(k *winogradKernels) func(p *tileMap)
	m      [][]float64
}{
	{"filter", func(k *winogradKernels) func(p *tileMap) { return k.filter }, [][]float64{
		{1. / 4, 0, 0}, {-1. / 6, -1. / 6, -1. / 6}, {-1. / 6, 1. / 6, -1. / 6}, {1. / 24, 1. / 12, 1. / 6}, {1. / 24, -1. / 12, 1. / 6}, {0, 0, 1}}},
	{"output", func(k *winogradKernels) func(p *tileMap) { return k.output }, [][]float64{
		{1, 1, 1, 1, 1, 0}, {0, 1, -1, 2, -2, 0}, {0, 1, 1, 4, 4, 0}, {0, 1, -1, 8, -8, 1}}},
	{"grad", func(k *winogradKernels) func(p *tileMap) { return k.grad }, [][]float64{
		{1, 0, 0, 0}, {1, 1, 1, 1}, {1, -1, 1, -1}, {1, 2, 4, 8}, {1, -2, 4, -8}, {0, 0, 0, 1}}},
	{"filterGrad", func(k *winogradKernels) func(p *tileMap) { return k.filterGrad }, [][]float64{
		{1. / 4, -1. / 6, -1. / 6, 1. / 24, 1. / 24, 0}, {0, -1. / 6, 1. / 6, 1. / 12, -1. / 12, 0}, {0, -1. / 6, -1. / 6, 1. / 6, 1. / 6, 1}}},
}

// TestTileMaps compares the tile kernels with their matrices, for few tiles and
// for more than one call takes; what lies between the results is left alone.
// Filters have their taps in order and in reverse, and lanes that lie apart.
func TestTileMaps(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	for _, b := range winogradBackends(t) {
		for _, c := range tileMatrices {
			in, out := len(c.m[0]), len(c.m)
			for _, s := range []struct {
				channels, tiles int
				odd             bool
			}{{16, 1, false}, {16, 3, true}, {48, 2, false}, {16, mapBlocks + 3, false}, {48, mapBlocks/3 + 2, true}} {
				add := s.odd && c.name == "output"
				// Tiles overlap in the source and lie a gap apart in the destination.
				p := tileMap{temp: make([]float32, tempSize), srcRow: 7*s.channels*s.tiles + 3, srcCol: s.channels + 1, dstCol: s.channels, add: add}
				p.srcBlock, p.dstBlock = panel, panel
				p.dstRow = out*s.channels + 5
				srcStep, dstStep, start, lane := 2*s.channels, out*p.dstRow+11, 0, 1
				size := (s.tiles-1)*srcStep + (in-1)*(p.srcRow+p.srcCol) + s.channels
				if c.name == "filter" {
					srcStep, lane = 10, 10*s.tiles+7
					p.srcRow, p.srcCol, p.srcLane, p.srcBlock = 3, 1, lane, panel*lane
					size = (s.tiles-1)*srcStep + (s.channels-1)*lane + 9
					if s.odd {
						p.srcRow, p.srcCol, start = -3, -1, 8
					}
				}
				src := newGuarded(r, size)
				for i := range src.s {
					src.s[i] /= 8 // the results are up to 64 times as large
				}
				dst := newGuarded(r, (s.tiles-1)*dstStep+(out-1)*(p.dstRow+p.dstCol)+s.channels)
				want := dst.clone()
				for tile := range s.tiles {
					for ch := range s.channels {
						for i := range out {
							for j := range out {
								sum := 0.0
								for k := range in {
									for l := range in {
										sum += c.m[i][k] * c.m[j][l] * float64(src.s[start+tile*srcStep+k*p.srcRow+l*p.srcCol+ch*lane])
									}
								}
								to := &want.s[tile*dstStep+i*p.dstRow+j*p.dstCol+ch]
								if add {
									sum += float64(*to)
								}
								*to = float32(sum)
							}
						}
					}
				}
				before := slices.Clone(src.all)
				p.src, p.dst = src.s[start:], dst.s
				p.run(c.kernel(&b.wino), in, out, s.channels, s.tiles, srcStep, dstStep)
				sameGuarded(t, fmt.Sprintf("%v %s %+v", b, c.name, s), dst, want)
				if !slices.Equal(src.all, before) {
					t.Fatalf("%v %s: the source changed", b, c.name)
				}
			}
		}
	}
}

// TestImageTiles compares rows of tiles, inside images and at their edges, with
// the matrix.
func TestImageTiles(t *testing.T) {
	m := [][]float64{{4, 0, -5, 0, 1, 0}, {0, -4, -4, 1, 1, 0}, {0, 4, -4, -1, 1, 0}, {0, -2, -1, 2, 1, 0}, {0, 2, -1, -2, 1, 0}, {0, 4, 0, -5, 0, 1}}
	r := rand.New(rand.NewPCG(4, 5))
	for _, b := range winogradBackends(t) {
		for _, q := range []struct{ w, h, in, c, channels int }{
			{4, 4, 16, 0, 16}, {8, 8, 16, 0, 16}, {20, 12, 48, 0, 48}, {12, 8, 80, 16, 48}, {4, 8, 32, 16, 16},
		} {
			g := gather{images: 2, h: q.h, w: q.w, in: q.in}
			src := newGuarded(r, g.images*q.h*q.w*q.in)
			g.src = src.s
			tiles := g.rowTiles()
			first, end := 1, g.tileRows()
			plane := planeOf((end - first) * tiles * panel)
			dst := newGuarded(r, (q.channels/panel*36-1)*plane+(end-first)*tiles*panel)
			want := dst.clone()
			for row := first; row < end; row++ {
				for tile := range tiles {
					for ch := range q.channels {
						for i := range 6 {
							for j := range 6 {
								sum := 0.0
								for k := range 6 {
									for l := range 6 {
										y, x := row%(q.h/4)*4+k-1, tile*4+l-1
										if y >= 0 && y < q.h && x >= 0 && x < q.w {
											sum += m[i][k] * m[j][l] * float64(src.s[((row/(q.h/4)*q.h+y)*q.w+x)*q.in+q.c+ch])
										}
									}
								}
								want.s[(ch/panel*36+i*6+j)*plane+((row-first)*tiles+tile)*panel+ch%panel] = float32(sum)
							}
						}
					}
				}
			}
			var p imageTiles
			b.startImages(&p, &g, make([]float32, tempSize), plane)
			b.liftImages(&p, &g, dst.s, first, end, q.c, q.channels)
			sameGuarded(t, fmt.Sprintf("%v %+v", b, q), dst, want)
		}
	}
}

// integers fills the slices of g with small integers, whose sums of products
// are exact.
func integers(r *rand.Rand, g ...guarded) {
	for _, x := range g {
		for i := range x.s {
			x.s[i] = float32(r.IntN(9) - 4)
		}
	}
}

// TestPlaceProducts compares the products with their loops, for all numbers of
// rows, and for more than one call takes.
func TestPlaceProducts(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	for _, b := range winogradBackends(t) {
		check := func(rows, panels, k int) {
			n := panels * panel
			p := placeProducts{rows: rows, k: k, cRow: n + 3}
			p.aPlace, p.bPlace, p.cPlace = rows*panel+5, k*n+7, rows*p.cRow+9
			p.aBlock = tileArea*p.aPlace + 3
			x, y := newGuarded(r, (k/panel-1)*p.aBlock+35*p.aPlace+rows*panel), newGuarded(r, 35*p.bPlace+k*n)
			z := newGuarded(r, 35*p.cPlace+(rows-1)*p.cRow+n)
			integers(r, x, y)
			want := z.clone()
			for i := range tileArea {
				for j := range n {
					group := j / panel / b.wino.wide * b.wino.wide
					width := min(b.wino.wide, panels-group) * panel
					column := y.s[i*p.bPlace+group*panel*k+j-group*panel:]
					for row := range rows {
						sum := 0.0
						for l := range k {
							sum += float64(x.s[l/panel*p.aBlock+i*p.aPlace+row*panel+l%panel]) * float64(column[l*width])
						}
						want.s[i*p.cPlace+row*p.cRow+j] = float32(sum)
					}
				}
			}
			b.wino.multiply(&p, x.s, y.s, z.s, panels, nil, nil)
			sameGuarded(t, fmt.Sprintf("%v products of %d rows, %d panels, depth %d", b, rows, panels, k), z, want)
		}
		for rows := 1; rows <= 40; rows++ {
			check(rows, 1+rows%5, 16+rows%2*32)
		}
		check(17, 9, 512)
	}
}

// TestOuterProducts does so for the weight gradient's, which also add.
func TestOuterProducts(t *testing.T) {
	r := rand.New(rand.NewPCG(6, 7))
	for _, b := range winogradBackends(t) {
		for _, q := range []struct{ rows, panels, k int }{{16, 1, 1}, {16, 2, 3}, {48, 3, 5}, {32, 5, 24}, {64, 7, 30}, {256, 3, 128}} {
			for _, add := range []bool{false, true} {
				n, group := q.panels*panel, b.wino.wide*panel
				p := placeProducts{rows: q.rows, k: q.k, add: add}
				p.aPlace, p.bPlace, p.cPlace = q.k*panel+5, q.k*panel+7, (q.rows+1)*group
				p.aBlock, p.bBlock = tileArea*p.aPlace+3, tileArea*p.bPlace+1
				p.cPanel = 36*p.cPlace + 11
				x, y := newGuarded(r, (q.rows/panel-1)*p.aBlock+35*p.aPlace+q.k*panel), newGuarded(r, (q.panels-1)*p.bBlock+35*p.bPlace+q.k*panel)
				z := newGuarded(r, (ceil(n, group)-1)*p.cPanel+35*p.cPlace+q.rows*group)
				integers(r, x, y, z)
				want := z.clone()
				for i := range tileArea {
					for j := range n {
						first := j / group * group
						width := min(group, n-first)
						for row := range q.rows {
							to := &want.s[j/group*p.cPanel+i*p.cPlace+row*width+j-first]
							sum := 0.0
							if add {
								sum = float64(*to)
							}
							for l := range q.k {
								sum += float64(x.s[row/panel*p.aBlock+i*p.aPlace+l*panel+row%panel]) * float64(y.s[j/panel*p.bBlock+i*p.bPlace+l*panel+j%panel])
							}
							*to = float32(sum)
						}
					}
				}
				b.wino.multiplyOuter(&p, x.s, y.s, z.s, q.panels, nil, nil)
				sameGuarded(t, fmt.Sprintf("%v outer products %+v, add %v", b, q, add), z, want)
			}
		}
	}
}
