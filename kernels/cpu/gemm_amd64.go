//go:build !noasm

package cpu

var gemmAVX512 = gemmKernels{
	wide:   []tileKernel{{12, tile12x32AVX512}, {4, tile4x32AVX512}, {2, tile2x32AVX512}, {1, tile1x32AVX512}},
	narrow: []tileKernel{{12, tile12x16AVX512}, {4, tile4x16AVX512}, {2, tile2x16AVX512}, {1, tile1x16AVX512}},
	sum:    sumChunksAVX512,
	copy:   copyRowsAVX512,
}

var gemmAVX2 = gemmKernels{
	narrow: []tileKernel{{6, tile6x16AVX2}, {4, tile4x16AVX2}, {2, tile2x16AVX2}, {1, tile1x16AVX2}},
	sum:    sumChunksAVX2,
	copy:   copyRowsAVX2,
}

// The tile kernels equal this loop, for the number of rows in their names and
// one (x16) or two (x32) panels p:
//
//	for i := range rows {
//		for j := range 16 * panels {
//			p, q := j/16, j%16
//			sum := 0
//			for l := range t.k {
//				sum += t.a[i*t.rs+l*t.cs] * t.b[p*t.bpanel+l*t.bstep+q]
//			}
//			if t.add {
//				sum += t.c[i*t.ldc+p*t.cpanel+q]
//			}
//			t.c[i*t.ldc+p*t.cpanel+q] = sum
//		}
//	}

//go:noescape
func tile12x32AVX512(p *tile)

//go:noescape
func tile4x32AVX512(p *tile)

//go:noescape
func tile2x32AVX512(p *tile)

//go:noescape
func tile1x32AVX512(p *tile)

//go:noescape
func tile12x16AVX512(p *tile)

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
