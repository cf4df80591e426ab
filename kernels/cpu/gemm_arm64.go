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

// single makes a kernel of any tiles from one for a single run, tile and panel
// with all its columns.
func single(rows int, run func(t *tile)) tileKernel {
	return tileKernel{rows, func(t *tile) {
		all := *t
		for i := range all.tiles {
			out := all.c[i*rows*all.ldc:]
			t.c, t.ldc = out, all.ldc
			if all.cols < panel {
				t.c, t.ldc = t.corner, panel
			}
			for r := range all.runs {
				t.a, t.b = all.a[i*rows*all.rs+r*(all.k*all.cs+all.next):], all.b[r*all.k*all.bstep:]
				t.add = r > 0 || all.add && all.cols == panel
				run(t)
			}
			if all.cols == panel {
				continue
			}
			for q := range rows {
				for j, v := range t.corner[q*panel:][:all.cols] {
					if all.add {
						v += out[q*all.ldc+j]
					}
					out[q*all.ldc+j] = v
				}
			}
		}
		*t = all
	}}
}
