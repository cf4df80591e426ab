package ref

import "phase/tensor"

// Images is what kernels.ImageMaker says, pixel by pixel.
func (Backend) Images(y, bytes, pick, table *tensor.Tensor) {
	n, c, h, w := y.Dim(0), y.Dim(1), y.Dim(2), y.Dim(3)
	packed, p, number := tensor.Data[int64](bytes), tensor.Data[int64](pick), tensor.Values(table)
	out := make([]float64, n*c*h*w)
	for i := range out { // in the order (n,c,h,w)
		m, k, r, s := i/(c*h*w), i/(h*w)%c, i/w%h, i%w
		image, down, right, flip := int(p[4*m]), int(p[4*m+1]), int(p[4*m+2]), p[4*m+3]
		if flip == 1 {
			s = w - 1 - s
		}
		r, s = r+down, s+right
		v := byte(0)
		if r >= 0 && r < h && s >= 0 && s < w {
			at := ((image*h+r)*w+s)*c + k
			v = byte(packed[at/8] >> (at % 8 * 8))
		}
		out[i] = number[256*k+int(v)]
	}
	store(y, out)
}
