//go:build !noasm

package cpu

var (
	rowsAVX512 = rowKernels{sum: wideSumAVX512, squares: rowSquaresAVX512, dots: rowDotsAVX512, adds: rowAddsAVX512}
	rowsAVX2   = rowKernels{sum: wideSumAVX2, squares: rowSquaresAVX2, dots: rowDotsAVX2, adds: rowAddsAVX2}
)

// The stubs equal the loops of rowsGo, whose names they have, but for the order
// in which a row is added up and products that are not rounded.

//go:noescape
func wideSumAVX512(p *wideSum)

//go:noescape
func rowSquaresAVX512(p *rowSums)

//go:noescape
func rowDotsAVX512(p *rowSums)

//go:noescape
func rowAddsAVX512(p *rowSums)

//go:noescape
func wideSumAVX2(p *wideSum)

//go:noescape
func rowSquaresAVX2(p *rowSums)

//go:noescape
func rowDotsAVX2(p *rowSums)

//go:noescape
func rowAddsAVX2(p *rowSums)
