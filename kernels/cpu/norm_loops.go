package cpu

// normKernels are the innermost loops of batch norm, along slices of one
// length: a whole number of pixels, with each channel's parameters repeated
// once a pixel. A slice marked "or nil" may be nil.
type normKernels struct {
	// moments: s1 += x-k; s2 += (x-k)².
	moments func(s1, s2, x, k []float32)
	// apply: y = max((x-mean)·scale + shift + res, floor); res or nil.
	apply func(y, x, res, mean, scale, shift []float32, floor float32)
	// gradSums: s1 += dz; s2 += dz·(x-mean), where dz is dy where y > 0, else
	// 0; y or nil, then dz = dy.
	gradSums func(s1, s2, x, y, dy, mean []float32)
	// grad: dx = k1·dz + k3·(x-mean) + k2, with dz as above.
	grad    func(dx, x, y, dy, mean, k1, k2, k3 []float32)
	gradAdd func(dx, x, y, dy, mean, k1, k2, k3 []float32) // dx += the same
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
	apply: func(y, x, res, mean, scale, shift []float32, floor float32) {
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
	},
	gradSums: func(s1, s2, x, y, dy, mean []float32) {
		s2, x, dy, mean = s2[:len(s1)], x[:len(s1)], dy[:len(s1)], mean[:len(s1)]
		for i := range s1 {
			dz := dy[i]
			if y != nil {
				dz = kept(y[i], dz)
			}
			s1[i] += dz
			s2[i] += dz * (x[i] - mean[i])
		}
	},
	grad: func(dx, x, y, dy, mean, k1, k2, k3 []float32) {
		normGradGo(false, dx, x, y, dy, mean, k1, k2, k3)
	},
	gradAdd: func(dx, x, y, dy, mean, k1, k2, k3 []float32) {
		normGradGo(true, dx, x, y, dy, mean, k1, k2, k3)
	},
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
