//go:build !noasm

package cpu

var winogradAVX512 = winogradKernels{
	wide: 2, image: winoImageAVX512, filter: winoFilterAVX512, output: winoOutputAVX512,
	grad: winoGradAVX512, filterGrad: winoFilterGradAVX512,
	products: winoProductsAVX512, panelProducts: winoPanelProductsAVX512, outer: winoOuterAVX512,
	rows: 12, outerRows: 8, outerRowsLast: 16,
}

var winogradAVX2 = winogradKernels{
	wide: 1, image: winoImageAVX2, filter: winoFilterAVX2, output: winoOutputAVX2,
	grad: winoGradAVX2, filterGrad: winoFilterGradAVX2,
	products: winoProductsAVX2, outer: winoOuterAVX2,
	rows: 6, outerRows: 4, outerRowsLast: 4,
}

// The kernels equal this loop, where M is the matrix of the name, out by in,
// which _gen/winograd.go shows:
//
//	src, dst := 0, 0
//	for range p.tiles {
//		for range 16 * p.blocks {
//			for i := range out {
//				for j := range out {
//					sum := 0
//					for k := range in {
//						for l := range in {
//							sum += M[i][k] * M[j][l] * p.src[src+k*p.srcRow+l*p.srcCol]
//						}
//					}
//					if p.add { // only the output's
//						sum += p.dst[dst+i*p.dstRow+j*p.dstCol]
//					}
//					p.dst[dst+i*p.dstRow+j*p.dstCol] = sum
//				}
//			}
//			src, dst = src+1, dst+1
//		}
//		src, dst = src+p.srcNext, dst+p.dstNext
//	}

//go:noescape
func winoImageAVX512(p *imageTiles)

//go:noescape
func winoFilterAVX512(p *tileMap)

//go:noescape
func winoOutputAVX512(p *tileMap)

//go:noescape
func winoGradAVX512(p *tileMap)

//go:noescape
func winoFilterGradAVX512(p *tileMap)

//go:noescape
func winoImageAVX2(p *imageTiles)

//go:noescape
func winoFilterAVX2(p *tileMap)

//go:noescape
func winoOutputAVX2(p *tileMap)

//go:noescape
func winoGradAVX2(p *tileMap)

//go:noescape
func winoFilterGradAVX2(p *tileMap)

//go:noescape
func winoProductsAVX512(p *placeProducts)

//go:noescape
func winoOuterAVX512(p *placeProducts)

//go:noescape
func winoProductsAVX2(p *placeProducts)

//go:noescape
func winoOuterAVX2(p *placeProducts)

//go:noescape
func winoPanelProductsAVX512(p *placeProducts)
