//go:build !noasm

package cpu

// The stubs equal the loops of normGo, whose fields have their names; the
// slices have the length of the first.

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

var normAVX512 = normKernels{
	moments: momentsAVX512, apply: normApplyAVX512,
	gradSums: normGradSumsAVX512, grad: normGradAVX512, gradAdd: normGradAddAVX512,
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

var normAVX2 = normKernels{
	moments: momentsAVX2, apply: normApplyAVX2,
	gradSums: normGradSumsAVX2, grad: normGradAVX2, gradAdd: normGradAddAVX2,
}
