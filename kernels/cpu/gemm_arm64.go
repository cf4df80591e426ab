//go:build !noasm

package cpu

var gemmNEON = gemmKernels{
	narrow: []tileKernel{{6, tile6x16NEON}, {4, tile4x16NEON}, {2, tile2x16NEON}, {1, tile1x16NEON}},
	sum:    sumChunksNEON,
	copy:   copyRowsNEON,
}

// The tile kernels equal this loop, for the number of rows in their names:
//
//	for i := range rows * t.tiles {
//		for q := range t.cols {
//			sum := 0
//			for r := range t.runs {
//				for l := range t.k {
//					sum += t.a[i*t.rs+r*(t.k*t.cs+t.next)+l*t.cs] * t.b[(r*t.k+l)*t.bstep+q]
//				}
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
