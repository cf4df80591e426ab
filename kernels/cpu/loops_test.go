package cpu

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"phase/kernels"
)

// guarded is a slice of n floats between two zones that nobody may write, at
// an unaligned start.
type guarded struct{ all, s []float32 }

const guard, sentinel = 37, float32(-7.25e20)

func newGuarded(r *rand.Rand, n int) guarded {
	g := guarded{all: make([]float32, n+2*guard)}
	for i := range g.all {
		g.all[i] = sentinel
	}
	g.s = g.all[guard : guard+n]
	for i := range g.s {
		g.s[i] = float32(r.NormFloat64())
	}
	return g
}

func (g guarded) clone() guarded {
	all := append([]float32(nil), g.all...)
	return guarded{all, all[guard : guard+len(g.s)]}
}

// sameGuarded compares two slices and their guard zones; a NaN equals a NaN.
func sameGuarded(t *testing.T, what string, got, want guarded) {
	t.Helper()
	for i, w := range want.all {
		v := got.all[i]
		if v == w || v != v && w != w {
			continue
		}
		if math.IsInf(float64(w), 0) || !(math.Abs(float64(v-w)) <= 1e-5*(1+math.Abs(float64(w)))) {
			t.Fatalf("%s: n=%d, element %d is %v, want %v", what, len(want.s), i-guard, v, w)
		}
	}
}

// TestLoops compares every loop of every variant with the Go loop, at all the
// lengths around the vectors' and with infinities and NaNs among the numbers.
func TestLoops(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	special := []float32{float32(math.NaN()), float32(math.Inf(1)), float32(math.Inf(-1)), 0, float32(math.Copysign(0, -1))}
	type loop struct {
		name string
		outs int // the first outs slices are written
		ins  int
		run  func(p *pointwiseKernels, q *normKernels, s [][]float32)
	}
	loops := []loop{
		{"mulAdd", 1, 2, func(p *pointwiseKernels, q *normKernels, s [][]float32) { p.mulAdd(s[0], s[1], s[2]) }},
		{"axpy", 1, 1, func(p *pointwiseKernels, q *normKernels, s [][]float32) { p.axpy(s[0], s[1], .7) }},
		{"affine", 1, 1, func(p *pointwiseKernels, q *normKernels, s [][]float32) { p.affine(s[0], s[1], .7, 2) }},
		{"exp", 1, 1, func(p *pointwiseKernels, q *normKernels, s [][]float32) { p.exp(s[0], s[1], &series) }},
		{"relu", 1, 1, func(p *pointwiseKernels, q *normKernels, s [][]float32) { p.relu(s[0], s[1]) }},
		{"reluGrad", 1, 2, func(p *pointwiseKernels, q *normKernels, s [][]float32) { p.reluGrad(s[0], s[1], s[2]) }},
		{"reluGradAdd", 1, 2, func(p *pointwiseKernels, q *normKernels, s [][]float32) { p.reluGradAdd(s[0], s[1], s[2]) }},
		{"sgd", 1, 1, func(p *pointwiseKernels, q *normKernels, s [][]float32) { p.sgd(s[0], s[1], .1, .01) }},
		{"sgdMomentum", 2, 1, func(p *pointwiseKernels, q *normKernels, s [][]float32) {
			p.sgdMomentum(s[0], s[1], s[2], .1, .9, .01)
		}},
		{"sgdNesterov", 2, 1, func(p *pointwiseKernels, q *normKernels, s [][]float32) {
			p.sgdNesterov(s[0], s[1], s[2], .1, .9, .01)
		}},
		{"adamW", 3, 1, func(p *pointwiseKernels, q *normKernels, s [][]float32) {
			p.adamW(s[0], s[1], s[2], s[3], &adamStep{.1, .9, .1, .99, .01, 1.5, 1e-8})
		}},
		{"moments", 2, 2, func(p *pointwiseKernels, q *normKernels, s [][]float32) { q.moments(s[0], s[1], s[2], s[3]) }},
		{"apply", 1, 4, func(p *pointwiseKernels, q *normKernels, s [][]float32) {
			q.apply(s[0], s[1], nil, s[2], s[3], s[4], 0)
		}},
		{"apply to residual", 1, 5, func(p *pointwiseKernels, q *normKernels, s [][]float32) {
			q.apply(s[0], s[1], s[5], s[2], s[3], s[4], float32(math.Inf(-1)))
		}},
		{"gradSums", 2, 4, func(p *pointwiseKernels, q *normKernels, s [][]float32) {
			q.gradSums(s[0], s[1], s[2], s[3], s[4], s[5])
		}},
		{"gradSums without ReLU", 2, 3, func(p *pointwiseKernels, q *normKernels, s [][]float32) {
			q.gradSums(s[0], s[1], s[2], nil, s[3], s[4])
		}},
		{"grad", 1, 7, func(p *pointwiseKernels, q *normKernels, s [][]float32) {
			q.grad(s[0], s[1], s[2], s[3], s[4], s[5], s[6], s[7])
		}},
		{"grad without ReLU", 1, 6, func(p *pointwiseKernels, q *normKernels, s [][]float32) {
			q.grad(s[0], s[1], nil, s[2], s[3], s[4], s[5], s[6])
		}},
		{"gradAdd", 1, 7, func(p *pointwiseKernels, q *normKernels, s [][]float32) {
			q.gradAdd(s[0], s[1], s[2], s[3], s[4], s[5], s[6], s[7])
		}},
		{"gradAdd without ReLU", 1, 6, func(p *pointwiseKernels, q *normKernels, s [][]float32) {
			q.gradAdd(s[0], s[1], nil, s[2], s[3], s[4], s[5], s[6])
		}},
	}
	for f, name := range []string{"add", "sub", "mul", "div"} {
		loops = append(loops, loop{name, 1, 2, func(p *pointwiseKernels, q *normKernels, s [][]float32) {
			p.binary[kernels.Fn2(f)](s[0], s[1], s[2])
		}})
	}
	for _, v := range variants {
		if !v.have || v.name == "go" {
			continue
		}
		for n := range 150 {
			for _, l := range loops {
				var got, want []guarded
				for k := range l.outs + l.ins {
					g := newGuarded(r, n)
					if l.name == "adamW" && k == 2 { // a mean square is not negative
						for i := range g.s {
							g.s[i] *= g.s[i]
						}
					}
					if n > 100 && n%2 == 0 {
						for range 3 {
							g.s[r.IntN(n)] = special[r.IntN(len(special))]
						}
					}
					got, want = append(got, g), append(want, g.clone())
				}
				floats := func(g []guarded) (s [][]float32) {
					for _, x := range g {
						s = append(s, x.s)
					}
					return s
				}
				l.run(&v.point, &v.norm, floats(got))
				l.run(&pointwiseGo, &normGo, floats(want))
				for k := range got {
					sameGuarded(t, v.name+" "+l.name, got[k], want[k])
				}
			}
			testMaxTap(t, &v, r, n)
			x := newGuarded(r, n)
			var got, want [16]float64
			got[3], want[3] = 1, 1
			v.point.sumSquares(&got, x.s)
			pointwiseGo.sumSquares(&want, x.s)
			for i := range got {
				if math.Abs(got[i]-want[i]) > 1e-12*(1+want[i]) {
					t.Fatalf("%s sumSquares: n=%d, sum %d is %v, want %v", v.name, n, i, got[i], want[i])
				}
			}
		}
	}
}

func testMaxTap(t *testing.T, v *variant, r *rand.Rand, n int) {
	nan := float32(math.NaN())
	x, got := newGuarded(r, n), newGuarded(r, n)
	for i := range n {
		switch r.IntN(5) {
		case 0:
			x.s[i] = nan
		case 1:
			got.s[i] = nan
		case 2:
			x.s[i], got.s[i] = nan, nan
		case 3:
			x.s[i] = got.s[i]
		}
	}
	want, gotAt, wantAt := got.clone(), make([]int32, n+1), make([]int32, n+1)
	v.point.maxTap(got.s, gotAt[:n], x.s, 77)
	pointwiseGo.maxTap(want.s, wantAt[:n], x.s, 77)
	sameGuarded(t, v.name+" maxTap", got, want)
	if !slices.Equal(gotAt, wantAt) {
		t.Fatalf("%s maxTap: places are %v, want %v", v.name, gotAt, wantAt)
	}
}
