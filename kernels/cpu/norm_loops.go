package cpu

import "phase/tensor"

// normKernels are the innermost loops of batch norm, along slices of one
// length: a whole number of pixels, with each channel's parameters repeated
// once a pixel. A slice marked "or nil" may be nil.
type normKernels struct {
	// moments: s1 += x-k; s2 += (x-k)².
	moments func(s1, s2, x, k []float32)
	gradAdd func(dx, x, y, dy, mean, k1, k2, k3 []float32) // dx += what grad writes
	normLoops[float32]
	// half are the loops for images kept as bfloat16; applyWide is apply, without
	// res, for a y that is not.
	half      normLoops[tensor.BFloat16]
	applyWide func(y []float32, x []tensor.BFloat16, mean, scale, shift []float32, floor float32)
}

// normLoops are the loops that see images in the form T.
type normLoops[T float32 | tensor.BFloat16] struct {
	// apply: y = max((x-mean)·scale + shift + res, floor); res or nil.
	apply func(y, x, res []T, mean, scale, shift []float32, floor float32)
	// gradSums: s1 += dz; s2 += dz·(x-mean), where dz is dy where y > 0, else
	// 0; y or nil, then dz = dy.
	gradSums func(s1, s2 []float32, x, y, dy []T, mean []float32)
	// grad: dx = k1·dz + k3·(x-mean) + k2, with dz as above.
	grad func(dx []float32, x, y, dy []T, mean, k1, k2, k3 []float32)
	// reluGrad: dx = dz; reluGradAdd: dx += dz.
	reluGrad, reluGradAdd func(dx []float32, y, dy []T)
}

var normGo = normKernels{
	moments: func(s1, s2, x, k []float32) {
		s2, x, k = s2[:len(s1)], x[:len(s1)], k[:len(s1)]
		for i := range s1 {
			d := x[i] - k[i]
			s1[i] += d
			s2[i] += d * d
		}
	},
	gradAdd: func(dx, x, y, dy, mean, k1, k2, k3 []float32) {
		normGradGo(true, dx, x, y, dy, mean, k1, k2, k3)
	},
	normLoops: normLoops[float32]{
		apply: normApplyGo, gradSums: normGradSumsGo, reluGrad: pointwiseGo.reluGrad, reluGradAdd: pointwiseGo.reluGradAdd,
		grad: func(dx, x, y, dy, mean, k1, k2, k3 []float32) {
			normGradGo(false, dx, x, y, dy, mean, k1, k2, k3)
		},
	},
	half: normLoops[tensor.BFloat16]{
		apply: func(y, x, res []tensor.BFloat16, mean, scale, shift []float32, floor float32) {
			var z, r halves
			for i := 0; i < len(y); i += len(z) {
				f := z.wide(x, i)
				n := len(f)
				normApplyGo(f, f, r.wide(res, i), mean[i:][:n], scale[i:][:n], shift[i:][:n], floor)
				narrowGo(y[i:][:n], f)
			}
		},
		gradSums: func(s1, s2 []float32, x, y, dy []tensor.BFloat16, mean []float32) {
			var xs, ys, d halves
			for i := 0; i < len(x); i += len(xs) {
				f := xs.wide(x, i)
				n := len(f)
				normGradSumsGo(s1[i:][:n], s2[i:][:n], f, ys.wide(y, i), d.wide(dy, i), mean[i:][:n])
			}
		},
		grad: func(dx []float32, x, y, dy []tensor.BFloat16, mean, k1, k2, k3 []float32) {
			var xs, ys, d halves
			for i := 0; i < len(dx); i += len(xs) {
				f := xs.wide(x, i)
				n := len(f)
				normGradGo(false, dx[i:][:n], f, ys.wide(y, i), d.wide(dy, i), mean[i:][:n], k1[i:][:n], k2[i:][:n], k3[i:][:n])
			}
		},
		reluGrad: func(dx []float32, y, dy []tensor.BFloat16) {
			for i := range dx {
				dx[i] = kept(y[i].Float32(), dy[i].Float32())
			}
		},
		reluGradAdd: func(dx []float32, y, dy []tensor.BFloat16) {
			for i := range dx {
				dx[i] += kept(y[i].Float32(), dy[i].Float32())
			}
		},
	},
	applyWide: func(y []float32, x []tensor.BFloat16, mean, scale, shift []float32, floor float32) {
		widenGo(y, x)
		normApplyGo(y, y, nil, mean, scale, shift, floor)
	},
}

// halves is a buffer for bfloat16 numbers, widened.
type halves [256]float32

// wide are the numbers of v from lo on, as many as there is room for; nil if v
// is.
func (b *halves) wide(v []tensor.BFloat16, lo int) []float32 {
	if v == nil {
		return nil
	}
	f := b[:min(len(b), len(v)-lo)]
	widenGo(f, v[lo:][:len(f)])
	return f
}

func normApplyGo(y, x, res, mean, scale, shift []float32, floor float32) {
	x, mean, scale, shift = x[:len(y)], mean[:len(y)], scale[:len(y)], shift[:len(y)]
	if res == nil {
		for i := range y {
			y[i] = max((x[i]-mean[i])*scale[i]+shift[i], floor)
		}
		return
	}
	res = res[:len(y)]
	for i := range y {
		y[i] = max((x[i]-mean[i])*scale[i]+shift[i]+res[i], floor)
	}
}

func normGradSumsGo(s1, s2, x, y, dy, mean []float32) {
	s2, x, dy, mean = s2[:len(s1)], x[:len(s1)], dy[:len(s1)], mean[:len(s1)]
	for i := range s1 {
		dz := dy[i]
		if y != nil {
			dz = kept(y[i], dz)
		}
		s1[i] += dz
		s2[i] += dz * (x[i] - mean[i])
	}
}

func normGradGo(add bool, dx, x, y, dy, mean, k1, k2, k3 []float32) {
	n := len(dx)
	x, dy, mean, k1, k2, k3 = x[:n], dy[:n], mean[:n], k1[:n], k2[:n], k3[:n]
	for i := range dx {
		dz := dy[i]
		if y != nil {
			dz = kept(y[i], dz)
		}
		d := k1[i]*dz + k3[i]*(x[i]-mean[i]) + k2[i]
		if add {
			d += dx[i]
		}
		dx[i] = d
	}
}
