package cpu

import (
	"fmt"
	"math"
	"math/rand/v2"
	"runtime"
	"testing"

	"pgregory.net/rapid"

	"phase/kernels"
	"phase/kernels/ref"
	"phase/tensor"
)

// A convCase is a convolution of n images of c channels, h by w, with o
// filters k by l.
type convCase struct {
	kernels.Conv2D
	n, c, h, w, o, k, l int
}

func (q convCase) String() string {
	return fmt.Sprintf("x (%d,%d,%d,%d), %d filters %d×%d, %+v", q.n, q.c, q.h, q.w, q.o, q.k, q.l, q.Conv2D)
}

func images(n, c, h, w int) *tensor.Tensor {
	return tensor.NewImages(tensor.CPU, tensor.F32, n, c, h, w)
}

// tensors makes x, w and dy of standard normal numbers.
func (q convCase) tensors(r *rand.Rand) (x, w, dy *tensor.Tensor) {
	x = fill(r, images(q.n, q.c, q.h, q.w))
	w = fill(r, tensor.New(tensor.CPU, tensor.F32, q.o, q.c/q.G(), q.k, q.l))
	dy = fill(r, images(q.n, q.o, q.Out(q.h, q.k), q.Out(q.w, q.l)))
	return x, w, dy
}

// tester is what *testing.T and *rapid.T have in common here.
type tester interface {
	Helper()
	Fatalf(format string, args ...any)
}

// check compares the value and both derivatives, fresh and added to, with ref.
func (q convCase) check(t tester, all []*Backend) {
	t.Helper()
	r := rand.New(rand.NewPCG(7, 8))
	x, w, dy := q.tensors(r)
	y, dx, dw := tensor.Like(dy), tensor.Like(x), tensor.Like(w) // by ref
	ref.Backend{}.Conv2D(q.Conv2D, y, x, w)
	ref.Backend{}.Conv2DGradX(q.Conv2D, kernels.Acc{T: dx}, w, dy)
	ref.Backend{}.Conv2DGradW(q.Conv2D, kernels.Acc{T: dw}, x, dy)
	deep := func(n int) float64 { return 1e-6 * math.Sqrt(float64(n+1)) }

	for _, b := range all {
		got := fill(r, tensor.Like(y))
		b.Conv2D(q.Conv2D, got, x, w)
		agree(t, fmt.Sprintf("%v: conv2d %v", b, q), got, y, deep(q.c*q.k*q.l))
		for _, fresh := range []bool{true, false} {
			what := fmt.Sprintf("%v: %v, fresh %v", b, q, fresh)
			acc, finish := accumulator(r, dx, fresh)
			b.Conv2DGradX(q.Conv2D, acc, w, dy)
			agree(t, "conv2d gradX "+what, finish(), dx, deep(q.o*q.k*q.l))
			acc, finish = accumulator(r, dw, fresh)
			b.Conv2DGradW(q.Conv2D, acc, x, dy)
			agree(t, "conv2d gradW "+what, finish(), dw, deep(dy.Size()))
		}
	}
}

// accumulator is a gradient like g with numbers in it, which must vanish if it
// is fresh; finish returns what was added to it.
func accumulator(r *rand.Rand, g *tensor.Tensor, fresh bool) (acc kernels.Acc, finish func() *tensor.Tensor) {
	acc = kernels.Acc{T: fill(r, tensor.Like(g)), Fresh: fresh}
	before := tensor.Data[float32](copyOf(acc.T))
	return acc, func() *tensor.Tensor {
		if !fresh {
			for i, v := range before {
				tensor.Data[float32](acc.T)[i] -= v
			}
		}
		return acc.T
	}
}

// TestConv2D has the shapes of real networks and those at the kernels' edges.
func TestConv2D(t *testing.T) {
	same := kernels.Conv2D{Pad: 1}
	half := kernels.Conv2D{Pad: 1, Stride: 2}
	cases := []convCase{
		{same, 2, 3, 8, 32, 16, 3, 3},  // stem
		{same, 2, 16, 4, 32, 16, 3, 3}, // 16-pixel strips
		{same, 3, 32, 3, 28, 32, 3, 3}, // 14-pixel strips
		{same, 2, 32, 8, 8, 64, 3, 3},  // 8-pixel strips, two vectors
		{same, 2, 64, 7, 7, 32, 3, 3},  // 7-pixel strips, two vectors
		{same, 1, 16, 8, 8, 16, 3, 3},  // 8-pixel strips, one vector
		{same, 1, 8, 5, 7, 48, 3, 3},
		{same, 2, 12, 1, 16, 16, 3, 3}, // one row
		{same, 17, 16, 4, 1, 16, 3, 3}, // one column
		{same, 3, 16, 5, 13, 16, 3, 3}, // no strip fits
		{same, 3, 16, 8, 16, 24, 3, 3}, // half a panel
		{same, 1, 1, 80, 64, 8, 3, 3},  // more than maxPixels
		{same, 2, 8, 4, 14, 8, 3, 3},   // less than a panel
		{same, 1, 0, 3, 8, 16, 3, 3},   // no channels, so all zeros
		{same, 3, 32, 2, 8, 16, 3, 3},  // sums longer than sumFloats
		{half, 2, 16, 8, 32, 32, 3, 3},
		{half, 2, 32, 15, 17, 20, 3, 3},
		{kernels.Conv2D{Stride: 2}, 2, 20, 8, 9, 36, 1, 1}, // gaps in dx
		{kernels.Conv2D{}, 2, 33, 6, 6, 130, 1, 1},
		{kernels.Conv2D{Stride: 2, Pad: 3}, 1, 3, 24, 24, 16, 7, 7},
		{kernels.Conv2D{Pad: 2, Dilation: 2}, 2, 5, 9, 9, 6, 3, 3},
		{kernels.Conv2D{Stride: 4, Dilation: 6, Pad: 7}, 2, 3, 15, 14, 5, 3, 2},
		{kernels.Conv2D{Pad: 1, Groups: 4}, 2, 8, 6, 8, 12, 3, 3},
		{kernels.Conv2D{Stride: 2, Pad: 1, Groups: 6}, 3, 6, 7, 7, 6, 3, 3},
		{kernels.Conv2D{Pad: 4}, 1, 2, 3, 3, 3, 2, 5}, // more padding than image
		{half, 1, 128, 12, 130, 16, 3, 3},             // two bands
		{kernels.Conv2D{}, 1, 300, 18, 17, 40, 1, 1},  // slices of channels, and of pixels
		{kernels.Conv2D{}, 37, 6, 4, 3, 5, 1, 1},      // chunks of several images
		{kernels.Conv2D{Stride: 2}, 37, 6, 3, 3, 17, 1, 1},
		{half, 35, 3, 16, 16, 17, 3, 3},
	}
	for _, q := range cases {
		q.check(t, append(backends(t), exactBackends(t)...))
	}
}

// TestConv2DDeep has sums deeper than one call of a tile kernel.
func TestConv2DDeep(t *testing.T) {
	convCase{kernels.Conv2D{}, 1, maxDepth + 9, 1, 2, 3, 1, 1}.check(t, backends(t))
	convCase{kernels.Conv2D{Pad: 1}, 1, 8, 2, 8, maxChannels + 16, 3, 3}.check(t, backends(t))
}

// TestConv2DRandom draws convolutions.
func TestConv2DRandom(t *testing.T) {
	all := backends(t)
	rapid.Check(t, func(t *rapid.T) {
		draw := func(name string, lo, hi int) int { return rapid.IntRange(lo, hi).Draw(t, name) }
		g := draw("groups", 1, 3)
		q := convCase{
			kernels.Conv2D{Stride: draw("stride", 0, 3), Pad: draw("pad", 0, 3), Dilation: draw("dilation", 0, 3), Groups: g},
			draw("n", 0, 3), g * draw("c", 1, 9), draw("h", 1, 9), draw("w", 1, 9), g * draw("o", 1, 20), draw("k", 1, 3), draw("l", 1, 3),
		}
		if q.D()*(q.k-1)+1 > q.h+2*q.Pad || q.D()*(q.l-1)+1 > q.w+2*q.Pad {
			t.Skip("the filter is larger than the image")
		}
		q.check(t, all)
	})
}

// TestConv2DThreads says that sums over images do not depend on the number of
// threads.
func TestConv2DThreads(t *testing.T) {
	each(t, func(t *testing.T, b *Backend) {
		for _, q := range []convCase{
			{kernels.Conv2D{Pad: 1}, 19, 16, 9, 14, 32, 3, 3},
			{kernels.Conv2D{Pad: 1, Stride: 2}, 19, 5, 9, 9, 20, 3, 3},
		} {
			q.threads(t, b)
		}
	})
}

// threads fails unless b's bits are the same with any number of threads.
func (q convCase) threads(t *testing.T, b *Backend) {
	t.Helper()
	x, w, dy := q.tensors(rand.New(rand.NewPCG(9, 9)))
	dx, dw := tensor.Like(x), tensor.Like(w)
	sameBits(t, q.String(), func() *tensor.Tensor { b.Conv2D(q.Conv2D, dy, x, w); return dy })
	sameBits(t, q.String(), func() *tensor.Tensor {
		b.Conv2DGradX(q.Conv2D, kernels.Acc{T: dx, Fresh: true}, w, dy)
		return dx
	})
	sameBits(t, q.String(), func() *tensor.Tensor {
		b.Conv2DGradW(q.Conv2D, kernels.Acc{T: dw, Fresh: true}, x, dy)
		return dw
	})
}

// TestConv2DAllocs says that a steady training step allocates next to nothing
// here.
func TestConv2DAllocs(t *testing.T) {
	each(t, func(t *testing.T, b *Backend) {
		q := convCase{kernels.Conv2D{Pad: 1}, 4, 16, 8, 8, 16, 3, 3}
		x, w, dy := q.tensors(rand.New(rand.NewPCG(1, 9)))
		step := func() {
			b.Conv2D(q.Conv2D, dy, x, w)
			b.Conv2DGradX(q.Conv2D, kernels.Acc{T: x}, w, dy)
			b.Conv2DGradW(q.Conv2D, kernels.Acc{T: w}, x, dy)
		}
		least := uint64(math.MaxUint64) // scratch is made when first needed
		for range 5 {
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			for range 5 {
				step()
			}
			runtime.ReadMemStats(&after)
			least = min(least, (after.TotalAlloc-before.TotalAlloc)/15)
		}
		if least > 200 {
			t.Errorf("a call allocates %d bytes", least)
		}
	})
}

// TestPartialGradW: what ranges of images give to a weight gradient's partial sum
// one after another is what all of them give at once.
func TestPartialGradW(t *testing.T) {
	q := convCase{kernels.Conv2D{Pad: 1}, 5, 11, 6, 16, 16, 3, 3}
	each(t, func(t *testing.T, b *Backend) {
		r := rand.New(rand.NewPCG(3, 9))
		x, w, dy := q.tensors(r)
		s := b.pool.get(0)
		defer b.pool.put(s)
		s.weightGrad = weightGrad{gather: convolution(q.Conv2D, dy, x, w)}
		g := &s.weightGrad
		size := g.panels() * g.k() * panel
		ways := map[string]func(partial []float32, first, end int, add bool){
			"lowered": func(partial []float32, first, end int, add bool) {
				b.loweredGradW(g, partial, first, end, 0, 0, add)
			},
		}
		if len(b.conv.patches) > 0 {
			g.patches = &b.conv.patches[0]
			ways["patches"] = func(partial []float32, first, end int, add bool) {
				for o := 0; o < g.out; o += g.patches.outputs {
					b.patches(g, partial, first, end, o, add)
				}
			}
		}
		for name, f := range ways {
			whole, parts := fill(r, tensor.New(tensor.CPU, tensor.F32, size)), fill(r, tensor.New(tensor.CPU, tensor.F32, size))
			f(tensor.Data[float32](whole), 0, q.n, false)
			sum := tensor.Data[float32](parts)
			f(sum, 0, 2, false)
			f(sum, 2, 3, true)
			f(sum, 3, q.n, true)
			agree(t, name, parts, whole, 1e-6)
		}
	})
}
