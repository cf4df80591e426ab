//go:build !noasm

package cpu

var gemmAVX512 = gemmKernels{
	wide:      []tileKernel{{14, tile14x32AVX512}, {8, tile8x32AVX512}, {7, tile7x32AVX512}, {4, tile4x32AVX512}, {2, tile2x32AVX512}, {1, tile1x32AVX512}},
	narrow:    []tileKernel{{14, tile14x16AVX512}, {8, tile8x16AVX512}, {7, tile7x16AVX512}, {4, tile4x16AVX512}, {2, tile2x16AVX512}, {1, tile1x16AVX512}},
	sum:       sumChunksAVX512,
	copy:      copyRowsAVX512,
	transpose: transposeAVX512, columns: 16,
}

var gemmAVX2 = gemmKernels{
	narrow:    []tileKernel{{6, tile6x16AVX2}, {4, tile4x16AVX2}, {2, tile2x16AVX2}, {1, tile1x16AVX2}},
	sum:       sumChunksAVX2,
	copy:      copyRowsAVX2,
	transpose: transposeAVX2, columns: 8,
}

// The tile kernels equal this loop, for the number of rows in their names, of
// one panel (x16) or two (x32):
//
//	for i := range rows * t.tiles {
//		for j := range t.cols {
//			p, q := j/16, j%16
//			sum := 0
//			for r := range t.runs {
//				for l := range t.k {
//					sum += t.a[i*t.rs+r*(t.k*t.cs+t.next)+l*t.cs] * t.b[p*t.bpanel+(r*t.k+l)*t.bstep+q]
//				}
//			}
//			if t.add {
//				sum += t.c[i*t.ldc+p*t.cpanel+q]
//			}
//			t.c[i*t.ldc+p*t.cpanel+q] = sum
//		}
//	}

//go:noescape
func tile14x32AVX512(p *tile)

//go:noescape
func tile8x32AVX512(p *tile)

//go:noescape
func tile7x32AVX512(p *tile)

//go:noescape
func tile4x32AVX512(p *tile)

//go:noescape
func tile2x32AVX512(p *tile)

//go:noescape
func tile1x32AVX512(p *tile)

//go:noescape
func tile14x16AVX512(p *tile)

//go:noescape
func tile8x16AVX512(p *tile)

//go:noescape
func tile7x16AVX512(p *tile)

//go:noescape
func tile4x16AVX512(p *tile)

//go:noescape
func tile2x16AVX512(p *tile)

//go:noescape
func tile1x16AVX512(p *tile)

//go:noescape
func tile6x16AVX2(p *tile)

//go:noescape
func tile4x16AVX2(p *tile)

//go:noescape
func tile2x16AVX2(p *tile)

//go:noescape
func tile1x16AVX2(p *tile)

// The sums equal this loop:
//
//	for i := range p.n {
//		sum := p.src[i]
//		for k := 1; k < p.chunks; k++ {
//			sum += p.src[k*p.stride+i]
//		}
//		p.dst[i] = sum
//	}

//go:noescape
func sumChunksAVX512(p *chunkSum)

//go:noescape
func sumChunksAVX2(p *chunkSum)

// The copies equal this loop:
//
//	for r := range p.rows {
//		copy(p.dst[r*p.dstStep:][:p.n], p.src[r*p.srcStep:])
//	}

//go:noescape
func copyRowsAVX512(p *rowCopy)

//go:noescape
func copyRowsAVX2(p *rowCopy)

// The transpositions equal this loop:
//
//	for l := range p.n {
//		for q := range 16 {
//			p.dst[l*p.dstStep+q] = p.src[q*p.srcStep+l]
//		}
//	}

//go:noescape
func transposeAVX512(p *transposition)

//go:noescape
func transposeAVX2(p *transposition)
