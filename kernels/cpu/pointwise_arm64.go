//go:build !noasm

package cpu

import "phase/kernels"

// The stubs equal the loops of pointwiseGo, whose fields have their names; the
// slices have the length of the first float32 slice.

//go:noescape
func addNEON(z, x, y []float32)

//go:noescape
func subNEON(z, x, y []float32)

//go:noescape
func mulNEON(z, x, y []float32)

//go:noescape
func divNEON(z, x, y []float32)

//go:noescape
func mulAddNEON(z, x, y []float32)

//go:noescape
func axpyNEON(y, x []float32, a float32)

//go:noescape
func affineNEON(y, x []float32, m, a float32)

//go:noescape
func reluNEON(y, x []float32)

//go:noescape
func reluGradNEON(dx, y, dy []float32)

//go:noescape
func reluGradAddNEON(dx, y, dy []float32)

//go:noescape
func maxTapNEON(best []float32, where []int32, x []float32, pixel int32)

//go:noescape
func sumSquaresNEON(acc *[16]float64, x []float32)

//go:noescape
func sgdNEON(w, g []float32, lr, decay float32)

//go:noescape
func sgdMomentumNEON(w, v, g []float32, lr, mom, decay float32)

//go:noescape
func sgdNesterovNEON(w, v, g []float32, lr, mom, decay float32)

//go:noescape
func expNEON(y, x []float32, p *expSeries)

//go:noescape
func adamWNEON(w, m, v, g []float32, p *adamStep)

var pointwiseNEON = pointwiseKernels{
	binary: [...]func(z, x, y []float32){kernels.Add: addNEON, kernels.Sub: subNEON, kernels.Mul: mulNEON, kernels.Div: divNEON},
	mulAdd: mulAddNEON, axpy: axpyNEON, affine: affineNEON, exp: expNEON,
	widen: widenGo, narrow: narrowGo,
	relu: reluNEON, reluGrad: reluGradNEON, reluGradAdd: reluGradAddNEON,
	maxTap: maxTapNEON, sumSquares: sumSquaresNEON,
	sgd: sgdNEON, sgdMomentum: sgdMomentumNEON, sgdNesterov: sgdNesterovNEON, adamW: adamWNEON,
}
