//go:build !noasm

package cpu

var convNEON = convKernels{
	strips:  []stripKernel{{8, 8, strip8x8NEON}, {7, 8, strip7x8NEON}},
	patches: []patchKernels{{8, []patchKernel{{4, gradPatch4x8NEON}, {3, gradPatch3x8NEON}, {1, gradPatch1x8NEON}}}},
}

// The strip kernels equal this loop, for the pixels and output channels in
// their names; where x-1 and x+1 lie outside the strip, left and right stand
// in, with leftStep+channels and rightStep+channels from row to row.
//
//	for x := range pixels {
//		for o := range outputs {
//			sum := 0
//			for ky := range s.rows {
//				for kx := range 3 {
//					for c := range s.channels {
//						sum += s.in[ky*s.row+(x+kx-1)*s.pixel+c] *
//							s.w[o/16*s.panel+((3*ky+kx)*s.channels+c)*16+o%16]
//					}
//				}
//			}
//			if s.add {
//				sum += s.out[x*s.outPixel+o]
//			}
//			s.out[x*s.outPixel+o] = sum
//		}
//	}

//go:noescape
func strip8x8NEON(p *strip)

//go:noescape
func strip7x8NEON(p *strip)

// The gradient kernels equal this loop, for the input and output channels in
// their names; dy is zero outside its row.
//
//	for n := range g.images {
//		for y := range g.rows {
//			for x := range g.width {
//				for c := range channels {
//					for kx := range 3 {
//						for o := range outputs {
//							g.dw[kx*g.tap+16*c+o] += g.x[n*g.xImage+y*g.xRow+x*g.xPixel+c] *
//								g.dy[n*g.yImage+y*g.yRow+(x-kx+1)*g.yPixel+o]
//						}
//					}
//				}
//			}
//		}
//	}

//go:noescape
func gradPatch4x8NEON(p *gradPatch)

//go:noescape
func gradPatch3x8NEON(p *gradPatch)

//go:noescape
func gradPatch1x8NEON(p *gradPatch)
