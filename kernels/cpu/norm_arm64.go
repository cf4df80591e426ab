//go:build !noasm

package cpu

// The stubs equal the loops of normGo, whose fields have their names; the
// slices have the length of the first.

//go:noescape
func momentsNEON(s1, s2, x, k []float32)

//go:noescape
func normApplyNEON(y, x, res, mean, scale, shift []float32, floor float32)

//go:noescape
func normGradSumsNEON(s1, s2, x, y, dy, mean []float32)

//go:noescape
func normGradNEON(dx, x, y, dy, mean, k1, k2, k3 []float32)

//go:noescape
func normGradAddNEON(dx, x, y, dy, mean, k1, k2, k3 []float32)

var normNEON = normKernels{
	moments: momentsNEON, gradAdd: normGradAddNEON, applyWide: normGo.applyWide,
	normLoops: normLoops[float32]{
		apply: normApplyNEON, gradSums: normGradSumsNEON, grad: normGradNEON, reluGrad: reluGradNEON, reluGradAdd: reluGradAddNEON,
	},
	half: normGo.half,
}
