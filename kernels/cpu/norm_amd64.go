//go:build !noasm

package cpu

import "phase/tensor"

// The stubs equal the loops of normGo, whose fields have their names,
// with Half those of half; the slices have the length of the first.

//go:noescape
func momentsAVX512(s1, s2, x, k []float32)

//go:noescape
func normApplyAVX512(y, x, res, mean, scale, shift []float32, floor float32)

//go:noescape
func normGradSumsAVX512(s1, s2, x, y, dy, mean []float32)

//go:noescape
func normGradAVX512(dx, x, y, dy, mean, k1, k2, k3 []float32)

//go:noescape
func normGradAddAVX512(dx, x, y, dy, mean, k1, k2, k3 []float32)

//go:noescape
func normApplyHalfAVX512(y, x, res []tensor.BFloat16, mean, scale, shift []float32, floor float32)

//go:noescape
func normGradSumsHalfAVX512(s1, s2 []float32, x, y, dy []tensor.BFloat16, mean []float32)

//go:noescape
func normGradHalfAVX512(dx []float32, x, y, dy []tensor.BFloat16, mean, k1, k2, k3 []float32)

//go:noescape
func reluGradHalfAVX512(dx []float32, y, dy []tensor.BFloat16)

//go:noescape
func reluGradAddHalfAVX512(dx []float32, y, dy []tensor.BFloat16)

//go:noescape
func normApplyWideAVX512(y []float32, x []tensor.BFloat16, mean, scale, shift []float32, floor float32)

var normAVX512 = normKernels{
	moments: momentsAVX512, gradAdd: normGradAddAVX512, applyWide: normApplyWideAVX512,
	normLoops: normLoops[float32]{
		apply: normApplyAVX512, gradSums: normGradSumsAVX512, grad: normGradAVX512, reluGrad: reluGradAVX512, reluGradAdd: reluGradAddAVX512,
	},
	half: normLoops[tensor.BFloat16]{
		apply: normApplyHalfAVX512, gradSums: normGradSumsHalfAVX512, grad: normGradHalfAVX512, reluGrad: reluGradHalfAVX512, reluGradAdd: reluGradAddHalfAVX512,
	},
}

//go:noescape
func momentsAVX2(s1, s2, x, k []float32)

//go:noescape
func normApplyAVX2(y, x, res, mean, scale, shift []float32, floor float32)

//go:noescape
func normGradSumsAVX2(s1, s2, x, y, dy, mean []float32)

//go:noescape
func normGradAVX2(dx, x, y, dy, mean, k1, k2, k3 []float32)

//go:noescape
func normGradAddAVX2(dx, x, y, dy, mean, k1, k2, k3 []float32)

//go:noescape
func normApplyHalfAVX2(y, x, res []tensor.BFloat16, mean, scale, shift []float32, floor float32)

//go:noescape
func normGradSumsHalfAVX2(s1, s2 []float32, x, y, dy []tensor.BFloat16, mean []float32)

//go:noescape
func normGradHalfAVX2(dx []float32, x, y, dy []tensor.BFloat16, mean, k1, k2, k3 []float32)

//go:noescape
func reluGradHalfAVX2(dx []float32, y, dy []tensor.BFloat16)

//go:noescape
func reluGradAddHalfAVX2(dx []float32, y, dy []tensor.BFloat16)

//go:noescape
func normApplyWideAVX2(y []float32, x []tensor.BFloat16, mean, scale, shift []float32, floor float32)

var normAVX2 = normKernels{
	moments: momentsAVX2, gradAdd: normGradAddAVX2, applyWide: normApplyWideAVX2,
	normLoops: normLoops[float32]{
		apply: normApplyAVX2, gradSums: normGradSumsAVX2, grad: normGradAVX2, reluGrad: reluGradAVX2, reluGradAdd: reluGradAddAVX2,
	},
	half: normLoops[tensor.BFloat16]{
		apply: normApplyHalfAVX2, gradSums: normGradSumsHalfAVX2, grad: normGradHalfAVX2, reluGrad: reluGradHalfAVX2, reluGradAdd: reluGradAddHalfAVX2,
	},
}
