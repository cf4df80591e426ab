package cpu

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"phase/kernels"
	"phase/tensor"
)

// tileBackends have products of tiles: this processor's, if it has any, and loops.
func tileBackends(t *testing.T) (list []*Backend) {
	for _, b := range backends(t) {
		if b.tiles.wide != nil {
			list = append(list, made(t, Exact(b.name)))
		}
	}
	loops := &Backend{variant: portable}
	loops.name, loops.tiles = "loops", tilesGo
	return append(list, loops)
}

// smallIntegers are whole numbers so small that no product and no sum of them rounds, in
// bfloat16 factors and float32 sums either.
func smallIntegers(r *rand.Rand, n int) []float32 {
	v := make([]float32, n)
	for i := range v {
		v[i] = float32(r.IntN(7) - 3)
	}
	return v
}

// TestTiles: what tiles compute of a convolution of whole numbers, and of its
// derivatives, equals to the last bit what is computed without them.
func TestTiles(t *testing.T) {
	for _, b := range tileBackends(t) {
		r := rand.New(rand.NewPCG(1, 2))
		for _, c := range []struct{ n, h, w, in, out, stride, taps int }{
			{1, 8, 8, 16, 16, 1, 3}, {3, 1, 8, 16, 32, 1, 3}, {2, 3, 8, 32, 16, 1, 3}, {2, 8, 8, 64, 64, 1, 3}, {5, 7, 16, 16, 16, 1, 3}, {1, 16, 16, 48, 80, 1, 3},
			{2, 5, 32, 16, 48, 1, 3}, {1, 3, 48, 32, 32, 1, 3}, {3, 9, 8, 160, 144, 1, 3}, {2, 8, 16, 16, 32, 2, 3}, {1, 5, 32, 32, 16, 2, 3}, {2, 7, 16, 64, 48, 2, 3}, {40, 8, 8, 16, 16, 1, 3}, {1, 100, 96, 16, 16, 1, 3}, {2, 28, 28, 16, 32, 1, 3}, {3, 14, 14, 32, 16, 1, 3}, {2, 7, 7, 32, 64, 1, 3}, {1, 14, 14, 64, 64, 2, 3}, {1, 10, 26, 16, 16, 1, 3},
			{1, 4, 8, 16, 16, 1, 1}, {3, 7, 14, 32, 48, 1, 1}, {2, 7, 7, 64, 32, 1, 1}, {2, 16, 16, 64, 256, 1, 1}, {2, 14, 14, 48, 16, 2, 1}, {30, 16, 16, 16, 16, 1, 1},
		} {
			p := kernels.Conv2D{Stride: c.stride, Pad: c.taps / 2}
			xs := tensor.Shape{c.n, c.in, c.h, c.w}
			ys := tensor.Shape{c.n, c.out, p.Out(c.h, c.taps), p.Out(c.w, c.taps)}
			w := tensor.Of(smallIntegers(r, c.out*c.in*c.taps*c.taps), c.out, c.in, c.taps, c.taps)
			x, y, start := smallIntegers(r, xs.Size()), smallIntegers(r, ys.Size()), smallIntegers(r, max(xs.Size(), ys.Size()))
			// gathered is g of src, with tiles or without.
			gathered := func(g gather, src []float32, size int, half, add bool) []float32 {
				dst := append([]float32{}, start[:size]...)
				g.half, g.add = half, add
				s := b.prepare(g)
				if half != s.gather.tiled {
					t.Fatalf("%s, %+v: in tiles %v, want %v", b.name, c, s.gather.tiled, half)
				}
				b.gatherImages(&s.gather, src, dst, c.n)
				b.pool.put(s)
				return dst
			}
			same := func(what string, got, want []float32) {
				t.Helper()
				for i := range want {
					if got[i] != want[i] {
						t.Errorf("%s, %+v, %s: number %d is %g, want %g", b.name, c, what, i, got[i], want[i])
						return
					}
				}
			}
			for _, add := range []bool{false, true} {
				forward := convolutionOf(p, ys, xs, w)
				same(fmt.Sprintf("forward, added %v", add), gathered(forward, x, ys.Size(), true, add), gathered(forward, x, ys.Size(), false, add))
				if c.stride > 1 {
					continue
				}
				back := inputGradOf(p, xs, w, ys, 0)
				same(fmt.Sprintf("by the input, added %v", add), gathered(back, y, xs.Size(), true, add), gathered(back, y, xs.Size(), false, add))
			}
			if c.stride > 1 {
				continue
			}
			byWeights := func(half bool) []float32 {
				dw := tensor.New(tensor.CPU, tensor.F32, w.Shape()...)
				g := convolutionOf(p, ys, xs, dw)
				g.src, g.dst, g.half = x, y, half
				s := b.pool.get(0)
				s.weightGrad = b.weightGrad(g)
				if s.weightGrad.tiled != (half && c.w%2 == 0) {
					t.Fatalf("%s, %+v: weights in tiles %v, want %v", b.name, c, s.weightGrad.tiled, half)
				}
				partial := b.pool.get(s.weightGrad.chunks * s.weightGrad.size)
				s.weightGrad.partial = partial.f
				b.runWeightGrad(&s.weightGrad)
				b.pool.put(partial)
				b.pool.put(s)
				return tensor.Data[float32](dw)
			}
			same("by the weights", byWeights(true), byWeights(false))
		}
	}
}
