package main

import (
	"fmt"
	"math/rand/v2"

	"phase/kernels"
	"phase/tensor"
)

// convShapes are the 3x3 convolutions of ResNet-32 at width 16, by their
// channels in units of the width; no channels are the three of the image.
var convShapes = []struct{ in, size, out, stride int }{{0, 32, 1, 1}, {1, 32, 1, 1}, {1, 32, 2, 2}, {2, 16, 2, 1}, {2, 16, 4, 2}, {4, 8, 4, 1}}

// conv measures the convolutions of ResNet-32, each in its three directions.
func (b *bench) conv() error {
	r := rand.New(rand.NewPCG(1, 1))
	m := b.calibrate(tensor.CPU)
	width := 16
	if b.width > 0 {
		width = b.width
	}
	var rows []timing
	for _, s := range convShapes {
		c := kernels.Conv2D{Stride: s.stride, Pad: 1}
		in, out, size := s.in*width, s.out*width, c.Out(s.size, 3)
		if s.in == 0 {
			in = 3
		}
		x, w := normal(r, b.batch, in, s.size, s.size), tensor.Of(tensor.Data[float32](normal(r, out*in*9)), out, in, 3, 3)
		y := normal(r, b.batch, out, size, size)
		dx, dw := tensor.Like(x), tensor.Like(w)
		k := kernels.For(x)
		for _, d := range []struct {
			name string
			side kernels.Side
			f    func()
		}{
			{"forward", kernels.SideY, func() { k.Conv2D(c, y, x, w) }},
			{"input gradient", kernels.SideX, func() { k.Conv2DGradX(c, kernels.Acc{T: dx, Fresh: true}, w, y) }},
			{"weight gradient", kernels.SideW, func() { k.Conv2DGradW(c, kernels.Acc{T: dw, Fresh: true}, x, y) }},
		} {
			t, err := b.measure(convName(c, x, w)+" "+d.name, d.f)
			if err != nil {
				return err
			}
			t.work = m.workIn(t.MedianMS, convFlops(y, w), 4*float64(x.Size()+y.Size()+w.Size()))
			t.Kernel = describeConv(k, d.side, c, y, x, w)
			rows = append(rows, t)
		}
	}
	return b.printTimings(m, rows)
}

// convName says of a convolution: channels@size -> channels, filter, stride.
func convName(p kernels.Conv2D, x, w *tensor.Tensor) string {
	return fmt.Sprintf("%d@%d -> %s", x.Dim(1), x.Dim(2), filterName(p, w))
}

// filterName says of filters: channels, extents, stride.
func filterName(p kernels.Conv2D, w *tensor.Tensor) string {
	return fmt.Sprintf("%d %dx%d /%d", w.Dim(0), w.Dim(2), w.Dim(3), p.S())
}

// convFlops is the multiplications and additions of a convolution, taps in the
// padding included; each gradient has as many.
func convFlops(y, w *tensor.Tensor) float64 {
	return 2 * float64(y.Size()) * float64(w.Size()/w.Dim(0))
}

// describeConv names the kernels of a convolution, if the backend can.
func describeConv(k kernels.Backend, s kernels.Side, p kernels.Conv2D, y, x, w *tensor.Tensor) string {
	if d, ok := k.(kernels.Describer); ok {
		return d.DescribeConv2D(s, p, y, x, w)
	}
	return ""
}

// gemm measures square matrix products.
func (b *bench) gemm() error {
	r := rand.New(rand.NewPCG(1, 1))
	m := b.calibrate(tensor.CPU)
	var rows []timing
	for _, n := range []int{64, 256, 512, 1024, 2048} {
		x, y, c := normal(r, n, n), normal(r, n, n), normal(r, n, n)
		k := kernels.For(x)
		t, err := b.measure(fmt.Sprintf("%d x %d x %d", n, n, n), func() { k.Gemm(kernels.Gemm{}, c, x, y) })
		if err != nil {
			return err
		}
		t.work = m.workIn(t.MedianMS, 2*float64(n)*float64(n)*float64(n), 12*float64(n)*float64(n))
		if d, ok := k.(kernels.Describer); ok {
			t.Kernel = d.DescribeGemm(kernels.Gemm{}, c, x, y)
		}
		rows = append(rows, t)
	}
	return b.printTimings(m, rows)
}
