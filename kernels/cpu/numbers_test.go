package cpu

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"phase/tensor"
)

// TestRounding: all variants round the same numbers to the same bits: every
// upper half of a float32, with lower halves around the middle, at every place
// in a vector.
func TestRounding(t *testing.T) {
	lower := []uint32{0, 1, 0x7fff, 0x8000, 0x8001, 0xffff, 0x4000}
	for _, b := range backends(t) {
		for _, n := range []int{1, 7, 8, 15, 16, 33, 64, 129} {
			x, got, want := make([]float32, n), make([]tensor.BFloat16, n+2), make([]tensor.BFloat16, n+2)
			wide := make([]float32, n)
			got[n], want[n], got[n+1], want[n+1] = 0x5a5a, 0x5a5a, 0x5a5b, 0x5a5b
			for i := 0; i < 1<<16*len(lower); i += n {
				for k := range x {
					x[k] = math.Float32frombits(uint32((i+k)/len(lower))<<16 | lower[(i+k)%len(lower)])
				}
				b.point.narrow(got[:n], x)
				narrowGo(want[:n], x)
				if !slices.Equal(got, want) {
					t.Fatalf("%s: %d numbers from %#x on: got %#x, want %#x", b.name, n, math.Float32bits(x[0]), got, want)
				}
				b.point.widen(wide, got[:n])
				for k, v := range wide {
					if math.Float32bits(v) != uint32(got[k])<<16 {
						t.Fatalf("%s: %#x becomes %#x", b.name, got[k], math.Float32bits(v))
					}
				}
			}
		}
	}
}

// TestHalfLoops: the loops on bfloat16 images give what those on float32 images
// give for the same numbers.
func TestHalfLoops(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 7))
	for _, b := range backends(t) {
		k := &b.norm
		for n := range 200 {
			var h [4][]tensor.BFloat16
			var f [10][]float32
			for i := range f {
				f[i] = make([]float32, n)
				for j := range f[i] {
					f[i][j] = float32(r.NormFloat64())
					if r.IntN(20) == 0 {
						f[i][j] = []float32{0, float32(math.Inf(1)), float32(math.NaN())}[r.IntN(3)]
					}
				}
				if i < len(h) {
					h[i] = make([]tensor.BFloat16, n)
					narrowGo(h[i], f[i])
					widenGo(f[i], h[i])
				}
			}
			same := func(what string, got, want []float32) {
				for i := range want {
					near := math.Abs(float64(got[i]-want[i])) <= 1e-6*(1+math.Abs(float64(want[i])))
					if both := got[i] != got[i] && want[i] != want[i]; !near && !both && got[i] != want[i] {
						t.Fatalf("%s: %s of %d: element %d is %g, want %g", b.name, what, n, i, got[i], want[i])
					}
				}
			}
			for _, res := range [][]tensor.BFloat16{nil, h[1]} {
				y, want, got, wide := make([]tensor.BFloat16, n), make([]float32, n), make([]float32, n), make([]float32, n)
				var resWide []float32
				if res != nil {
					resWide = f[1]
				}
				k.half.apply(y, h[0], res, f[4], f[5], f[6], 0)
				k.apply(want, f[0], resWide, f[4], f[5], f[6], 0)
				if res == nil {
					k.applyWide(wide, h[0], f[4], f[5], f[6], 0)
					same("applyWide", wide, want)
				}
				rounded := make([]tensor.BFloat16, n)
				narrowGo(rounded, want)
				widenGo(want, rounded)
				widenGo(got, y)
				same("apply", got, want)
			}
			for _, y := range [][]tensor.BFloat16{nil, h[1]} {
				var out []float32
				if y != nil {
					out = f[1]
				}
				name := fmt.Sprintf("masked %v", y != nil)
				got, want := [2][]float32{slices.Clone(f[7]), slices.Clone(f[8])}, [2][]float32{slices.Clone(f[7]), slices.Clone(f[8])}
				k.half.gradSums(got[0], got[1], h[0], y, h[2], f[4])
				k.gradSums(want[0], want[1], f[0], out, f[2], f[4])
				same("gradSums "+name, got[0], want[0])
				same("gradSums "+name, got[1], want[1])
				k.half.grad(got[0], h[0], y, h[2], f[4], f[5], f[6], f[9])
				k.grad(want[0], f[0], out, f[2], f[4], f[5], f[6], f[9])
				same("grad "+name, got[0], want[0])
			}
			got, want := slices.Clone(f[7]), slices.Clone(f[7])
			k.half.reluGradAdd(got, h[1], h[2])
			k.reluGradAdd(want, f[1], f[2])
			same("reluGradAdd", got, want)
			k.half.reluGrad(got, h[1], h[2])
			k.reluGrad(want, f[1], f[2])
			same("reluGrad", got, want)
		}
	}
}
