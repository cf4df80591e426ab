//go:build !noasm

package cpu

import (
	"phase/kernels"
	"phase/tensor"
)

// The stubs equal the loops of pointwiseGo, whose fields have their names; the
// slices have the length of the first slice.

//go:noescape
func addAVX512(z, x, y []float32)

//go:noescape
func subAVX512(z, x, y []float32)

//go:noescape
func mulAVX512(z, x, y []float32)

//go:noescape
func divAVX512(z, x, y []float32)

//go:noescape
func mulAddAVX512(z, x, y []float32)

//go:noescape
func axpyAVX512(y, x []float32, a float32)

//go:noescape
func affineAVX512(y, x []float32, m, a float32)

//go:noescape
func reluAVX512(y, x []float32)

//go:noescape
func reluGradAVX512(dx, y, dy []float32)

//go:noescape
func reluGradAddAVX512(dx, y, dy []float32)

//go:noescape
func widenAVX512(y []float32, x []tensor.BFloat16)

//go:noescape
func narrowAVX512(y []tensor.BFloat16, x []float32)

//go:noescape
func maxTapAVX512(best []float32, where []int32, x []float32, pixel int32)

//go:noescape
func sumSquaresAVX512(acc *[16]float64, x []float32)

//go:noescape
func sgdAVX512(w, g []float32, lr, decay float32)

//go:noescape
func sgdMomentumAVX512(w, v, g []float32, lr, mom, decay float32)

//go:noescape
func sgdNesterovAVX512(w, v, g []float32, lr, mom, decay float32)

//go:noescape
func expAVX512(y, x []float32, p *expSeries)

//go:noescape
func adamWAVX512(w, m, v, g []float32, p *adamStep)

var pointwiseAVX512 = pointwiseKernels{
	binary: [...]func(z, x, y []float32){kernels.Add: addAVX512, kernels.Sub: subAVX512, kernels.Mul: mulAVX512, kernels.Div: divAVX512},
	mulAdd: mulAddAVX512, axpy: axpyAVX512, affine: affineAVX512, exp: expAVX512,
	relu: reluAVX512, reluGrad: reluGradAVX512, reluGradAdd: reluGradAddAVX512,
	widen: widenAVX512, narrow: narrowAVX512, maxTap: maxTapAVX512, sumSquares: sumSquaresAVX512,
	sgd: sgdAVX512, sgdMomentum: sgdMomentumAVX512, sgdNesterov: sgdNesterovAVX512, adamW: adamWAVX512,
}

//go:noescape
func addAVX2(z, x, y []float32)

//go:noescape
func subAVX2(z, x, y []float32)

//go:noescape
func mulAVX2(z, x, y []float32)

//go:noescape
func divAVX2(z, x, y []float32)

//go:noescape
func mulAddAVX2(z, x, y []float32)

//go:noescape
func axpyAVX2(y, x []float32, a float32)

//go:noescape
func affineAVX2(y, x []float32, m, a float32)

//go:noescape
func reluAVX2(y, x []float32)

//go:noescape
func reluGradAVX2(dx, y, dy []float32)

//go:noescape
func reluGradAddAVX2(dx, y, dy []float32)

//go:noescape
func widenAVX2(y []float32, x []tensor.BFloat16)

//go:noescape
func narrowAVX2(y []tensor.BFloat16, x []float32)

//go:noescape
func maxTapAVX2(best []float32, where []int32, x []float32, pixel int32)

//go:noescape
func sumSquaresAVX2(acc *[16]float64, x []float32)

//go:noescape
func sgdAVX2(w, g []float32, lr, decay float32)

//go:noescape
func sgdMomentumAVX2(w, v, g []float32, lr, mom, decay float32)

//go:noescape
func sgdNesterovAVX2(w, v, g []float32, lr, mom, decay float32)

//go:noescape
func expAVX2(y, x []float32, p *expSeries)

//go:noescape
func adamWAVX2(w, m, v, g []float32, p *adamStep)

var pointwiseAVX2 = pointwiseKernels{
	binary: [...]func(z, x, y []float32){kernels.Add: addAVX2, kernels.Sub: subAVX2, kernels.Mul: mulAVX2, kernels.Div: divAVX2},
	mulAdd: mulAddAVX2, axpy: axpyAVX2, affine: affineAVX2, exp: expAVX2,
	relu: reluAVX2, reluGrad: reluGradAVX2, reluGradAdd: reluGradAddAVX2,
	widen: widenAVX2, narrow: narrowAVX2, maxTap: maxTapAVX2, sumSquares: sumSquaresAVX2,
	sgd: sgdAVX2, sgdMomentum: sgdMomentumAVX2, sgdNesterov: sgdNesterovAVX2, adamW: adamWAVX2,
}
