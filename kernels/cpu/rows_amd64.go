//go:build !noasm

package cpu

var (
	rowsAVX512 = rowKernels{sum: rowSumAVX512, square: rowSquareAVX512, dot: rowDotAVX512, add: rowAddAVX512}
	rowsAVX2   = rowKernels{sum: rowSumAVX2, square: rowSquareAVX2, dot: rowDotAVX2, add: rowAddAVX2}
)

// The sums equal this loop, for 8 lanes or 4, but for the order in which a lane
// is added up. rowSum takes e = x[i] and adds e, not its square; rowSquare leaves
// out dot.
//
//	for i := range p.n * 16 {
//		e := float64(p.x[i]) - p.mu[i]
//		p.square[i%lanes] += e * e
//		p.dot[i%lanes] += e * p.s[i]
//	}

//go:noescape
func rowSumAVX512(p *rowSums)

//go:noescape
func rowSquareAVX512(p *rowSums)

//go:noescape
func rowDotAVX512(p *rowSums)

//go:noescape
func rowSumAVX2(p *rowSums)

//go:noescape
func rowSquareAVX2(p *rowSums)

//go:noescape
func rowDotAVX2(p *rowSums)

// The additions equal this loop, with one rounding:
//
//	for i := range p.n * 16 {
//		p.s[i] += p.a * (float64(p.x[i]) - p.mu[i])
//	}

//go:noescape
func rowAddAVX512(p *rowSums)

//go:noescape
func rowAddAVX2(p *rowSums)
