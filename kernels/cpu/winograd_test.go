package cpu

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"phase/kernels"
	"phase/kernels/ref"
	"phase/tensor"
)

// winogradCases are shapes that Winograd computes, those of ResNet-32s of width
// 16 and 64 and odd ones, with groups of tiles that end inside a batch or an
// image. Behind each shape is how far its results are from the definition's, of
// the largest: value, gradient by the input, gradient by the filters.
var winogradCases = []struct {
	convCase
	value, gradX, gradW float64
}{
	{convCase{kernels.Conv2D{Pad: 1}, 1, 16, 32, 32, 16, 3, 3}, 3.5e-6, 4.0e-6, 4.5e-6},
	{convCase{kernels.Conv2D{Pad: 1}, 1, 32, 16, 16, 32, 3, 3}, 4.5e-6, 5.0e-6, 2.5e-6},
	{convCase{kernels.Conv2D{Pad: 1}, 1, 64, 8, 8, 64, 3, 3}, 4.5e-6, 5.5e-6, 2.5e-6},
	{convCase{kernels.Conv2D{Pad: 1}, 1, 64, 32, 32, 64, 3, 3}, 5.5e-6, 8.5e-6, 4.5e-6},
	{convCase{kernels.Conv2D{Pad: 1}, 1, 128, 16, 16, 128, 3, 3}, 11.0e-6, 8.5e-6, 2.5e-6},
	{convCase{kernels.Conv2D{Pad: 1}, 1, 256, 8, 8, 256, 3, 3}, 11.5e-6, 7.5e-6, 3.0e-6},
	{convCase{kernels.Conv2D{Pad: 1}, 3, 16, 20, 32, 16, 3, 3}, 4.0e-6, 4.0e-6, 4.5e-6},
	{convCase{kernels.Conv2D{Pad: 1}, 5, 32, 12, 16, 16, 3, 3}, 6.5e-6, 3.5e-6, 5.5e-6},
	{convCase{kernels.Conv2D{Pad: 1}, 7, 64, 8, 8, 16, 3, 3}, 4.5e-6, 4.5e-6, 4.0e-6},
	{convCase{kernels.Conv2D{Pad: 1}, 3, 16, 4, 4, 48, 3, 3}, 4.0e-6, 6.5e-6, 4.0e-6},
	{convCase{kernels.Conv2D{Pad: 1}, 2, 48, 12, 8, 48, 3, 3}, 4.5e-6, 6.5e-6, 3.5e-6},
	{convCase{kernels.Conv2D{Pad: 1}, 1, 16, 4, 8, 144, 3, 3}, 2.5e-6, 10.5e-6, 2.0e-6}, // three pieces of the gradient
	{convCase{kernels.Conv2D{Pad: 1}, 2, 80, 8, 8, 96, 3, 3}, 6.0e-6, 7.0e-6, 2.5e-6},   // two by two pieces
}

// TestWinogradError states how far results are from the definition's; an exact
// backend is within 2e-6. Inputs are what a ReLU leaves.
func TestWinogradError(t *testing.T) {
	for _, q := range winogradCases {
		r := rand.New(rand.NewPCG(5, 5))
		x, w, dy := q.tensors(r)
		for i, v := range tensor.Data[float32](x) {
			tensor.Data[float32](x)[i] = max(v, 0)
		}
		y, dx, dw := tensor.Like(dy), tensor.Like(x), tensor.Like(w) // ref adds up in float64
		ref.Backend{}.Conv2D(q.Conv2D, y, x, w)
		ref.Backend{}.Conv2DGradX(q.Conv2D, kernels.Acc{T: dx}, w, dy)
		ref.Backend{}.Conv2DGradW(q.Conv2D, kernels.Acc{T: dw}, x, dy)
		for _, b := range append(winogradBackends(t), exactBackends(t)...) {
			value, gradX, gradW := q.value, q.gradX, q.gradW
			if b.wino.image == nil {
				value, gradX, gradW = 2e-6, 2e-6, 2e-6
			} else if g := convolution(q.Conv2D, y, x, w); !b.wino.fits(&g) {
				t.Fatalf("%v: %v is not for Winograd", b, q)
			}
			got := fill(r, tensor.Like(y))
			b.Conv2D(q.Conv2D, got, x, w)
			agree(t, fmt.Sprintf("%v: conv2d %v", b, q), got, y, value)
			for _, fresh := range []bool{true, false} {
				what := fmt.Sprintf("%v: %v, fresh %v", b, q, fresh)
				acc, finish := accumulator(r, dx, fresh)
				b.Conv2DGradX(q.Conv2D, acc, w, dy)
				agree(t, "conv2d gradX "+what, finish(), dx, gradX)
				acc, finish = accumulator(r, dw, fresh)
				b.Conv2DGradW(q.Conv2D, acc, x, dy)
				agree(t, "conv2d gradW "+what, finish(), dw, gradW)
			}
		}
	}
}

// TestWinogradChunks has enough tiles for several chunks of a weight gradient,
// and groups of them in each, which the exact form adds up for comparison.
func TestWinogradChunks(t *testing.T) {
	q := convCase{kernels.Conv2D{Pad: 1}, 67, 32, 8, 12, 80, 3, 3}
	x, w, dy := q.tensors(rand.New(rand.NewPCG(6, 6)))
	for _, b := range winogradBackends(t) {
		got, want := tensor.Like(w), tensor.Like(w)
		b.Conv2DGradW(q.Conv2D, kernels.Acc{T: got, Fresh: true}, x, dy)
		made(t, b.name+"-"+exact).Conv2DGradW(q.Conv2D, kernels.Acc{T: want, Fresh: true}, x, dy)
		agree(t, fmt.Sprintf("%v: conv2d gradW %v", b, q), got, want, 1e-5)
	}
}

// TestWinogradThreads: several chunks, several pieces, groups of tiles that end
// inside an image.
func TestWinogradThreads(t *testing.T) {
	for _, b := range winogradBackends(t) {
		convCase{kernels.Conv2D{Pad: 1}, 65, 32, 8, 12, 16, 3, 3}.threads(t, b)
		convCase{kernels.Conv2D{Pad: 1}, 3, 64, 8, 8, 144, 3, 3}.threads(t, b)
	}
}

// TestWinogradBatch: an image gives the same bits alone and in any batch.
func TestWinogradBatch(t *testing.T) {
	q := convCase{kernels.Conv2D{Pad: 1}, 11, 64, 8, 12, 32, 3, 3}
	for _, b := range winogradBackends(t) {
		x, w, y := q.tensors(rand.New(rand.NewPCG(8, 8)))
		b.Conv2D(q.Conv2D, y, x, w)
		for n := range q.n {
			alone := images(1, q.o, q.h, q.w)
			b.Conv2D(q.Conv2D, alone, tensor.OfImages(tensor.Data[float32](x)[n*x.Size()/q.n:][:x.Size()/q.n], 1, q.c, q.h, q.w), w)
			if !slices.Equal(tensor.Data[float32](alone), tensor.Data[float32](y)[n*y.Size()/q.n:][:y.Size()/q.n]) {
				t.Fatalf("%v: image %d of %v differs alone", b, n, q)
			}
		}
	}
}

// TestWinogradRanges: ranges of rows of tiles give the bits of all of them, and
// gradients by the filters add up over ranges.
func TestWinogradRanges(t *testing.T) {
	q := convCase{kernels.Conv2D{Pad: 1}, 3, 32, 12, 8, 80, 3, 3}
	for _, b := range winogradBackends(t) {
		x, w, y := q.tensors(rand.New(rand.NewPCG(8, 9)))
		g := convolution(q.Conv2D, y, x, w)
		g.packed = make([]float32, g.panels()*g.lifted())
		for p := range g.panels() {
			b.liftFilter(&g, p)
		}
		b.winogradRows(&g, 0, 9)
		whole := slices.Clone(g.dst)
		clear(g.dst)
		b.winogradRows(&g, 0, 2)
		b.winogradRows(&g, 2, 7)
		b.winogradRows(&g, 7, 9)
		if !slices.Equal(whole, g.dst) {
			t.Fatalf("%v: parts of %v differ from the whole", b, q)
		}
		grad := b.weightGrad(convolution(q.Conv2D, y, x, w))
		for piece := range grad.pieces {
			sum := func(ends ...int) *tensor.Tensor {
				partial := fill(rand.New(rand.NewPCG(1, 1)), tensor.New(tensor.CPU, tensor.F32, grad.size))
				first := 0
				for i, end := range ends {
					b.winogradGradW(&grad, tensor.Data[float32](partial), first, end, piece, i > 0)
					first = end
				}
				return partial
			}
			agree(t, fmt.Sprintf("%v: ranges of %v, piece %d", b, q, piece), sum(2, 7, 9), sum(9), 1e-6)
		}
	}
}

// TestWinogradFits: what Winograd is not for, among neighbours of what it is.
func TestWinogradFits(t *testing.T) {
	for _, b := range winogradBackends(t) {
		fits := func(p kernels.Conv2D, c, h, w, o, k int) bool {
			x, f := images(1, c, h, w), tensor.New(tensor.CPU, tensor.F32, o, c/p.G(), k, k)
			g := convolution(p, images(1, o, p.Out(h, k), p.Out(w, k)), x, f)
			return b.wino.fits(&g)
		}
		same := kernels.Conv2D{Pad: 1}
		if !fits(same, 16, 8, 12, 32, 3) || !fits(same, 1024, 4, 16, 16, 3) {
			t.Errorf("%v: a shape for Winograd is refused", b)
		}
		for i, wrong := range []bool{
			fits(same, 16, 8, 10, 32, 3), fits(same, 16, 9, 12, 32, 3),
			fits(same, 24, 8, 12, 32, 3), fits(same, 16, 8, 12, 24, 3), fits(same, 0, 8, 12, 16, 3),
			fits(same, 1040, 4, 4, 16, 3), fits(same, 16, 4, 4, 1040, 3), fits(same, 1024, 4, 20, 16, 3),
			fits(kernels.Conv2D{}, 16, 10, 14, 32, 3), fits(kernels.Conv2D{Pad: 1, Stride: 2}, 16, 8, 8, 32, 3),
			fits(kernels.Conv2D{Pad: 2, Dilation: 2}, 16, 8, 8, 32, 3), fits(kernels.Conv2D{Pad: 1, Groups: 2}, 32, 8, 8, 32, 3),
			fits(kernels.Conv2D{Pad: 2}, 16, 8, 8, 16, 5), fits(kernels.Conv2D{}, 16, 8, 8, 16, 1),
		} {
			if wrong {
				t.Errorf("%v: shape %d is not for Winograd", b, i)
			}
		}
	}
}

// TestWinogradSpoils: where the definition's results are NaN or infinite,
// Winograd's are not finite either, and other tiles, other images and other
// channels' gradients keep their bits.
func TestWinogradSpoils(t *testing.T) {
	q := convCase{kernels.Conv2D{Pad: 1}, 2, 16, 12, 12, 32, 3, 3}
	finite := func(v float32) bool { return !math.IsNaN(float64(v)) && !math.IsInf(float64(v), 0) }
	for _, b := range winogradBackends(t) {
		for _, bad := range []float32{float32(math.NaN()), float32(math.Inf(1))} {
			for _, at := range [][2]int{{0, 0}, {3, 4}, {5, 6}, {8, 7}, {11, 11}} {
				x, w, dy := q.tensors(rand.New(rand.NewPCG(2, 6)))
				y, dw := tensor.Like(dy), tensor.Like(w)
				gradW := func() *tensor.Tensor {
					b.Conv2DGradW(q.Conv2D, kernels.Acc{T: dw, Fresh: true}, x, dy)
					return copyOf(dw)
				}
				b.Conv2D(q.Conv2D, y, x, w)
				before, gradBefore := copyOf(y), gradW()
				const channel = 5
				tensor.Data[float32](x)[((12+at[0])*12+at[1])*16+channel] = bad // in image 1
				b.Conv2D(q.Conv2D, y, x, w)
				for i, v := range tensor.Data[float32](y) {
					n, row, col := i/32/144, i/32/12%12, i/32%12
					// The tiles whose 6×6 inputs hold the bad one.
					seen := n == 1 && at[0] >= row/4*4-1 && at[0] <= row/4*4+4 && at[1] >= col/4*4-1 && at[1] <= col/4*4+4
					near := n == 1 && max(row-at[0], at[0]-row, col-at[1], at[1]-col) <= 1
					if near && finite(v) || !seen && v != tensor.Data[float32](before)[i] {
						t.Fatalf("%v: with %v at %v pixel (%d,%d) of image %d is %v", b, bad, at, row, col, n, v)
					}
				}
				after := gradW()
				for i, v := range tensor.Data[float32](after) {
					o, c, ky, kx := i/144, i/9%16, i/3%3, i%3
					oy, ox := at[0]-ky+1, at[1]-kx+1 // the output that used the bad input
					used := c == channel && oy >= 0 && oy < 12 && ox >= 0 && ox < 12
					if used && finite(v) || c != channel && v != tensor.Data[float32](gradBefore)[i] {
						t.Fatalf("%v: with %v at %v the gradient of weight (%d,%d,%d,%d) is %v", b, bad, at, o, c, ky, kx, v)
					}
				}
			}
		}
	}
}
