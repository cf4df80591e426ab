//go:build !noasm

package cpu

var convAVX512 = convKernels{
	strips: append([]stripKernel{
		{16, 16, strip16x16AVX512}, {14, 16, strip14x16AVX512},
		{8, 32, strip8x32AVX512}, {7, 32, strip7x32AVX512},
		{8, 16, strip8x16AVX512}, {7, 16, strip7x16AVX512},
	}, convAVX2.strips...), // half a panel of outputs
	patches: append([]patchKernels{
		{16, []patchKernel{{8, gradPatch8x16AVX512}, {3, gradPatch3x16AVX512}, {1, gradPatch1x16AVX512}}},
	}, convAVX2.patches...),
}

var convAVX2 = convKernels{
	strips:  []stripKernel{{8, 8, strip8x8AVX2}, {7, 8, strip7x8AVX2}},
	patches: []patchKernels{{8, []patchKernel{{4, gradPatch4x8AVX2}, {3, gradPatch3x8AVX2}, {1, gradPatch1x8AVX2}}}},
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
func strip16x16AVX512(p *strip)

//go:noescape
func strip14x16AVX512(p *strip)

//go:noescape
func strip8x32AVX512(p *strip)

//go:noescape
func strip7x32AVX512(p *strip)

//go:noescape
func strip8x16AVX512(p *strip)

//go:noescape
func strip7x16AVX512(p *strip)

//go:noescape
func strip8x8AVX2(p *strip)

//go:noescape
func strip7x8AVX2(p *strip)

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
func gradPatch8x16AVX512(p *gradPatch)

//go:noescape
func gradPatch3x16AVX512(p *gradPatch)

//go:noescape
func gradPatch1x16AVX512(p *gradPatch)

//go:noescape
func gradPatch4x8AVX2(p *gradPatch)

//go:noescape
func gradPatch3x8AVX2(p *gradPatch)

//go:noescape
func gradPatch1x8AVX2(p *gradPatch)
