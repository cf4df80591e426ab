//go:build !noasm

package cpu

var gemmNEON = gemmKernels{
	narrow: []tileKernel{single(6, tile6x16NEON), single(4, tile4x16NEON), single(2, tile2x16NEON), single(1, tile1x16NEON)},
	sum:    sumChunksNEON,
	copy:   copyRowsNEON,
}

// The tile kernels equal this loop, for the number of rows in their names, which
// is one tile, one run and all columns (see single):
//
//	for i := range rows {
//		for q := range 16 {
//			sum := 0
//			for l := range t.k {
//				sum += t.a[i*t.rs+l*t.cs] * t.b[l*t.bstep+q]
//			}
//			if t.add {
//				sum += t.c[i*t.ldc+q]
//			}
//			t.c[i*t.ldc+q] = sum
//		}
//	}

//go:noescape
func tile6x16NEON(p *tile)

//go:noescape
func tile4x16NEON(p *tile)

//go:noescape
func tile2x16NEON(p *tile)

//go:noescape
func tile1x16NEON(p *tile)

// The sum equals this loop:
//
//	for i := range p.n {
//		sum := p.src[i]
//		for k := 1; k < p.chunks; k++ {
//			sum += p.src[k*p.stride+i]
//		}
//		p.dst[i] = sum
//	}

//go:noescape
func sumChunksNEON(p *chunkSum)

// The copy equals this loop:
//
//	for r := range p.rows {
//		copy(p.dst[r*p.dstStep:][:p.n], p.src[r*p.srcStep:])
//	}

//go:noescape
func copyRowsNEON(p *rowCopy)
