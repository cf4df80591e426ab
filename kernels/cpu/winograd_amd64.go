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

// The kernels compute with numbers below 2^-126 as with zeros: a network whose
// gradients vanish would otherwise take a hundred times as long.
//
// The kernels of tiles equal this loop, where M is the matrix of the name, out by
// in, which _gen/winograd.go shows, and lane is 1 but for filters:
//
//	for block := range p.blocks {
//		src, dst := block*p.srcBlock, block*p.dstBlock
//		for range p.tiles {
//			for range 16 {
//				for i := range out {
//					for j := range out {
//						sum := 0
//						for k := range in {
//							for l := range in {
//								sum += M[i][k] * M[j][l] * p.src[src+k*p.srcRow+l*p.srcCol]
//							}
//						}
//						if p.add { // only the output's
//							sum += p.dst[dst+i*p.dstRow+j*p.dstCol]
//						}
//						p.dst[dst+i*p.dstRow+j*p.dstCol] = sum
//					}
//				}
//				src, dst = src+lane, dst+1
//			}
//			src, dst = src+p.srcNext, dst+p.dstNext
//		}
//	}
//
// Those of images, where tiles overlap:
//
//	for block := range p.blocks {
//		for tile := range p.end / p.pixel / 4 {
//			for c := range 16 {
//				for i := range 6 {
//					for j := range 6 {
//						sum := 0
//						for k := range 6 {
//							for l := range 6 {
//								x := (4*tile + l - 1) * p.pixel
//								if x >= 0 && x < p.end {
//									sum += M[i][k] * M[j][l] * p.rows[k][x+block*16+c]
//								}
//							}
//						}
//						p.dst[block*p.dstBlock+(6*i+j)*p.plane+tile*16+c] = sum
//					}
//				}
//			}
//		}
//	}
//
// The products, in panels of 16 columns, of which wide (two with AVX-512) lie
// side by side; winoPanelProducts are those where p.panels and wide are 1:
//
//	for n := range p.places {
//		a, b, c := p.a[n*p.aPlace:], p.b[n*p.bPlace:], p.c[n*p.cPlace:]
//		for row := range p.rows {
//			for j := range 16 * p.panels {
//				side, q := j/(16*wide), j%(16*wide)
//				sum := 0
//				for l := range p.k {
//					sum += a[l/16*p.aBlock+row*16+l%16] * b[16*wide*(side*p.k+l)+q]
//				}
//				c[row*p.cRow+j] = sum
//			}
//		}
//	}
//
// The products of the weight gradient; the last of an odd number of panels has
// a side of its own, 16 wide:
//
//	for n := range p.places {
//		a, b, c := p.a[n*p.aPlace:], p.b[n*p.bPlace:], p.c[n*p.cPlace:]
//		for row := range p.rows {
//			for j := range 16 * p.panels {
//				side, q := j/(16*wide), j%(16*wide)
//				to := side*p.cPanel + row*min(16*wide, 16*p.panels-16*wide*side) + q
//				sum := 0
//				if p.add {
//					sum = c[to]
//				}
//				for l := range p.k {
//					sum += a[row/16*p.aBlock+l*16+row%16] * b[j/16*p.bBlock+l*16+j%16]
//				}
//				c[to] = sum
//			}
//		}
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
