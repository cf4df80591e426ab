package cpu

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"phase/kernels"
	"phase/kernels/ref"
	"phase/tensor"
)

// winogradCases are shapes that Winograd computes, those of ResNet-32s of width
// 16 and 64 and odd ones, with groups of tiles that end inside a batch or an
// image. Behind each shape is how far its results are from the definition's, of
// the largest: value, gradient by the input, gradient by the filters.
var winogradCases = []struct {
	convCase
	value, gradX, gradW float64
}{
	{convCase{kernels.Conv2D{Pad: 1}, 1, 16, 32, 32, 16, 3, 3}, 3.5e-6, 4.0e-6, 4.5e-6},
	{convCase{kernels.Conv2D{Pad: 1}, 1, 32, 16, 16, 32, 3, 3}, 4.5e-6, 5.0e-6, 2.5e-6},
	{convCase{kernels.Conv2D{Pad: 1}, 1, 64, 8, 8, 64, 3, 3}, 4.5e-6, 5.5e-6, 2.5e-6},
	{convCase{kernels.Conv2D{Pad: 1}, 1, 64, 32, 32, 64, 3, 3}, 5.5e-6, 8.5e-6, 4.5e-6},
	{convCase{kernels.Conv2D{Pad: 1}, 1, 128, 16, 16, 128, 3, 3}, 11.0e-6, 8.5e-6, 2.5e-6},
	{convCase{kernels.Conv2D{Pad: 1}, 1, 256, 8, 8, 256, 3, 3}, 11.5e-6, 7.5e-6, 3.0e-6},
	{convCase{kernels.Conv2D{Pad: 1}, 3, 16, 20, 32, 16, 3, 3}, 4.0e-6, 4.0e-6, 4.5e-6},
	{convCase{kernels.Conv2D{Pad: 1}, 5, 32, 12, 16, 16, 3, 3}, 6.5e-6, 3.5e-6, 5.5e-6},
	{convCase{kernels.Conv2D{Pad: 1}, 7, 64, 8, 8, 16, 3, 3}, 4.5e-6, 4.5e-6, 4.0e-6},
	{convCase{kernels.Conv2D{Pad: 1}, 3, 16, 4, 4, 48, 3, 3}, 4.0e-6, 6.5e-6, 4.0e-6},
	{convCase{kernels.Conv2D{Pad: 1}, 2, 48, 12, 8, 48, 3, 3}, 4.5e-6, 6.5e-6, 3.5e-6},
	{convCase{kernels.Conv2D{Pad: 1}, 1, 16, 4, 8, 144, 3, 3}, 2.5e-6, 10.5e-6, 2.0e-6}, // three pieces of the gradient
	{convCase{kernels.Conv2D{Pad: 1}, 2, 80, 8, 8, 96, 3, 3}, 6.0e-6, 7.0e-6, 2.5e-6},   // two by two pieces
}

// TestWinogradError states how far results are from the definition's; an exact
// backend is within 2e-6. Inputs are what a ReLU leaves.
func TestWinogradError(t *testing.T) {
	for _, q := range winogradCases {
		r := rand.New(rand.NewPCG(5, 5))
		x, w, dy := q.tensors(r)
		for i, v := range tensor.Data[float32](x) {
			tensor.Data[float32](x)[i] = max(v, 0)
		}
		y, dx, dw := tensor.Like(dy), tensor.Like(x), tensor.Like(w) // ref adds up in float64
		ref.Backend{}.Conv2D(q.Conv2D, y, x, w)
		ref.Backend{}.Conv2DGradX(q.Conv2D, kernels.Acc{T: dx}, w, dy)
		ref.Backend{}.Conv2DGradW(q.Conv2D, kernels.Acc{T: dw}, x, dy)
		for _, b := range append(winogradBackends(t), exactBackends(t)...) {
			value, gradX, gradW := q.value, q.gradX, q.gradW
			if b.wino.image == nil {
				value, gradX, gradW = 2e-6, 2e-6, 2e-6
			} else if g := convolution(q.Conv2D, y, x, w); !b.wino.fits(&g) {
				t.Fatalf("%v: %v is not for Winograd", b, q)
			}
			got := fill(r, tensor.Like(y))
			b.Conv2D(q.Conv2D, got, x, w)
			agree(t, fmt.Sprintf("%v: conv2d %v", b, q), got, y, value)
			for _, fresh := range []bool{true, false} {
				what := fmt.Sprintf("%v: %v, fresh %v", b, q, fresh)
				acc, finish := accumulator(r, dx, fresh)
				b.Conv2DGradX(q.Conv2D, acc, w, dy)
				agree(t, "conv2d gradX "+what, finish(), dx, gradX)
				acc, finish = accumulator(r, dw, fresh)
				b.Conv2DGradW(q.Conv2D, acc, x, dy)
				agree(t, "conv2d gradW "+what, finish(), dw, gradW)
			}
		}
	}
}

// TestWinogradChunks has enough tiles for several chunks of a weight gradient,
// and groups of them in each, which the exact form adds up for comparison.
func TestWinogradChunks(t *testing.T) {
	q := convCase{kernels.Conv2D{Pad: 1}, 67, 32, 8, 12, 80, 3, 3}
	x, w, dy := q.tensors(rand.New(rand.NewPCG(6, 6)))
	for _, b := range winogradBackends(t) {
		got, want := tensor.Like(w), tensor.Like(w)
		b.Conv2DGradW(q.Conv2D, kernels.Acc{T: got, Fresh: true}, x, dy)
		made(t, b.name+"-"+exact).Conv2DGradW(q.Conv2D, kernels.Acc{T: want, Fresh: true}, x, dy)
		agree(t, fmt.Sprintf("%v: conv2d gradW %v", b, q), got, want, 1e-5)
	}
}

// TestWinogradThreads: several chunks, several pieces, groups of tiles that end
// inside an image.
func TestWinogradThreads(t *testing.T) {
	for _, b := range winogradBackends(t) {
		convCase{kernels.Conv2D{Pad: 1}, 65, 32, 8, 12, 16, 3, 3}.threads(t, b)
		convCase{kernels.Conv2D{Pad: 1}, 3, 64, 8, 8, 144, 3, 3}.threads(t, b)
	}
}

// TestWinogradBatch: an image gives the same bits alone and in any batch.
func TestWinogradBatch(t *testing.T) {
	q := convCase{kernels.Conv2D{Pad: 1}, 11, 64, 8, 12, 32, 3, 3}
	for _, b := range winogradBackends(t) {
		x, w, y := q.tensors(rand.New(rand.NewPCG(8, 8)))
		b.Conv2D(q.Conv2D, y, x, w)
		for n := range q.n {
			alone := images(1, q.o, q.h, q.w)
			b.Conv2D(q.Conv2D, alone, tensor.OfImages(tensor.Data[float32](x)[n*x.Size()/q.n:][:x.Size()/q.n], 1, q.c, q.h, q.w), w)
			if !slices.Equal(tensor.Data[float32](alone), tensor.Data[float32](y)[n*y.Size()/q.n:][:y.Size()/q.n]) {
				t.Fatalf("%v: image %d of %v differs alone", b, n, q)
			}
		}
	}
}

// TestWinogradFits: what Winograd is not for, among neighbours of what it is.
func TestWinogradFits(t *testing.T) {
	for _, b := range winogradBackends(t) {
		fits := func(p kernels.Conv2D, c, h, w, o, k int) bool {
			x, f := images(1, c, h, w), tensor.New(tensor.CPU, tensor.F32, o, c/p.G(), k, k)
			g := convolution(p, images(1, o, p.Out(h, k), p.Out(w, k)), x, f)
			return b.wino.fits(&g)
		}
		same := kernels.Conv2D{Pad: 1}
		if !fits(same, 16, 8, 12, 32, 3) || !fits(same, 1024, 4, 16, 16, 3) {
			t.Errorf("%v: a shape for Winograd is refused", b)
		}
		for i, wrong := range []bool{
			fits(same, 16, 8, 10, 32, 3), fits(same, 16, 9, 12, 32, 3),
			fits(same, 24, 8, 12, 32, 3), fits(same, 16, 8, 12, 24, 3), fits(same, 0, 8, 12, 16, 3),
			fits(same, 1040, 4, 4, 16, 3), fits(same, 16, 4, 4, 1040, 3), fits(same, 1024, 4, 20, 16, 3),
			fits(kernels.Conv2D{}, 16, 10, 14, 32, 3), fits(kernels.Conv2D{Pad: 1, Stride: 2}, 16, 8, 8, 32, 3),
			fits(kernels.Conv2D{Pad: 2, Dilation: 2}, 16, 8, 8, 32, 3), fits(kernels.Conv2D{Pad: 1, Groups: 2}, 32, 8, 8, 32, 3),
			fits(kernels.Conv2D{Pad: 2}, 16, 8, 8, 16, 5), fits(kernels.Conv2D{}, 16, 8, 8, 16, 1),
		} {
			if wrong {
				t.Errorf("%v: shape %d is not for Winograd", b, i)
			}
		}
	}
}

// TestWinogradSpoils: where the definition's results are NaN or infinite,
// Winograd's are not finite either, and other tiles, other images and other
// channels' gradients keep their bits.
func TestWinogradSpoils(t *testing.T) {
	q := convCase{kernels.Conv2D{Pad: 1}, 2, 16, 12, 12, 32, 3, 3}
	finite := func(v float32) bool { return !math.IsNaN(float64(v)) && !math.IsInf(float64(v), 0) }
	for _, b := range winogradBackends(t) {
		for _, bad := range []float32{float32(math.NaN()), float32(math.Inf(1))} {
			for _, at := range [][2]int{{0, 0}, {3, 4}, {5, 6}, {8, 7}, {11, 11}} {
				x, w, dy := q.tensors(rand.New(rand.NewPCG(2, 6)))
				y, dw := tensor.Like(dy), tensor.Like(w)
				gradW := func() *tensor.Tensor {
					b.Conv2DGradW(q.Conv2D, kernels.Acc{T: dw, Fresh: true}, x, dy)
					return copyOf(dw)
				}
				b.Conv2D(q.Conv2D, y, x, w)
				before, gradBefore := copyOf(y), gradW()
				const channel = 5
				tensor.Data[float32](x)[((12+at[0])*12+at[1])*16+channel] = bad // in image 1
				b.Conv2D(q.Conv2D, y, x, w)
				for i, v := range tensor.Data[float32](y) {
					n, row, col := i/32/144, i/32/12%12, i/32%12
					// The tiles whose 6×6 inputs hold the bad one.
					seen := n == 1 && at[0] >= row/4*4-1 && at[0] <= row/4*4+4 && at[1] >= col/4*4-1 && at[1] <= col/4*4+4
					near := n == 1 && max(row-at[0], at[0]-row, col-at[1], at[1]-col) <= 1
					if near && finite(v) || !seen && v != tensor.Data[float32](before)[i] {
						t.Fatalf("%v: with %v at %v pixel (%d,%d) of image %d is %v", b, bad, at, row, col, n, v)
					}
				}
				after := gradW()
				for i, v := range tensor.Data[float32](after) {
					o, c, ky, kx := i/144, i/9%16, i/3%3, i%3
					oy, ox := at[0]-ky+1, at[1]-kx+1 // the output that used the bad input
					used := c == channel && oy >= 0 && oy < 12 && ox >= 0 && ox < 12
					if used && finite(v) || c != channel && v != tensor.Data[float32](gradBefore)[i] {
						t.Fatalf("%v: with %v at %v the gradient of weight (%d,%d,%d,%d) is %v", b, bad, at, o, c, ky, kx, v)
					}
				}
			}
		}
	}
}

// TestWinogradDenormals: numbers that are too small for all bits count as zero,
// and do so in the kernels only.
func TestWinogradDenormals(t *testing.T) {
	q := convCase{kernels.Conv2D{Pad: 1}, 1, 32, 8, 8, 48, 3, 3}
	x, w, dy := q.tensors(rand.New(rand.NewPCG(3, 3)))
	for i := range tensor.Data[float32](x) {
		tensor.Data[float32](x)[i] *= 1e-40
	}
	for _, b := range winogradBackends(t) {
		y, dw := fill(rand.New(rand.NewPCG(4, 4)), tensor.Like(dy)), tensor.Like(w)
		b.Conv2D(q.Conv2D, y, x, w)
		b.Conv2DGradW(q.Conv2D, kernels.Acc{T: dw, Fresh: true}, x, dy)
		for _, v := range append(slices.Clone(tensor.Data[float32](y)), tensor.Data[float32](dw)...) {
			if v != 0 {
				t.Fatalf("%v: denormal inputs give %v", b, v)
			}
		}
		if v := tensor.Data[float32](x)[0]; v == 0 || v/2 == 0 {
			t.Fatalf("%v: half of %v is zero", b, v)
		}
	}
}

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
		for _, q := range []struct{ rows, panels, k int }{{16, 1, 1}, {16, 2, 3}, {48, 3, 5}, {32, 5, 24}, {64, 4, 300}} {
			for _, add := range []bool{false, true} {
				n, group := q.panels*panel, b.wino.wide*panel
				p := placeProducts{rows: q.rows, panels: q.panels, k: q.k, add: add}
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
				b.wino.multiplyOuter(&p, x.s, y.s, z.s, nil, nil)
				sameGuarded(t, fmt.Sprintf("%v outer products %+v, add %v", b, q, add), z, want)
			}
		}
	}
}
