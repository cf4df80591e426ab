package cpu

import (
	"fmt"
	"math/rand/v2"
	"runtime"
	"slices"
	"testing"
	"time"

	"phase/kernels"
	"phase/tensor"
)

// rate reports how many floating-point operations a second b's loop did, each
// turn doing flops of them.
func rate(b *testing.B, flops int) {
	b.ReportMetric(float64(flops)*float64(b.N)/b.Elapsed().Seconds()/1e9, "GFLOP/s")
}

// benchEach runs f as a benchmark with every variant, and with others.
func benchEach(b *testing.B, f func(b *testing.B, k *Backend), others ...*Backend) {
	for _, k := range append(backends(b), others...) {
		b.Run(k.name, func(b *testing.B) { f(b, k) })
	}
}

// BenchmarkGemm times square products and those of a training step's last layer,
// with 64 features and 100 classes or 2048 and 1000.
func BenchmarkGemm(b *testing.B) {
	r := rand.New(rand.NewPCG(1, 1))
	var all []kernels.Gemm
	for i := range 4 {
		all = append(all, kernels.Gemm{TransA: i&1 != 0, TransB: i&2 != 0})
	}
	value, gradX, gradW := all[2:3], all[:1], all[1:2]
	for _, s := range []struct {
		m, n, k int
		forms   []kernels.Gemm
	}{
		{64, 64, 64, all}, {256, 256, 256, all}, {512, 512, 512, all}, {1024, 1024, 1024, all}, {2048, 2048, 2048, all},
		{128, 100, 64, value}, {128, 64, 100, gradX}, {100, 64, 128, gradW},
		{128, 1000, 2048, value}, {128, 2048, 1000, gradX}, {1000, 2048, 128, gradW},
	} {
		for _, g := range s.forms {
			x, y := fill(r, tensor.New(tensor.CPU, tensor.F32, s.m, s.k)), fill(r, tensor.New(tensor.CPU, tensor.F32, s.k, s.n))
			if g.TransA {
				x = x.Reshape(s.k, s.m)
			}
			if g.TransB {
				y = y.Reshape(s.n, s.k)
			}
			z := tensor.New(tensor.CPU, tensor.F32, s.m, s.n)
			b.Run(fmt.Sprintf("%dx%dx%d/A%s·B%s", s.m, s.n, s.k, prime(g.TransA), prime(g.TransB)), func(b *testing.B) {
				benchEach(b, func(b *testing.B, k *Backend) {
					b.ReportAllocs()
					for b.Loop() {
						k.Gemm(g, z, x, y)
					}
					rate(b, 2*s.m*s.n*s.k)
				})
			})
		}
	}
}

func prime(transposed bool) string {
	if transposed {
		return "ᵀ"
	}
	return ""
}

// BenchmarkConv2D times the convolutions of a ResNet-32 of width 16, batch 128,
// and some of a ResNet-50's for images of 64 pixels.
func BenchmarkConv2D(b *testing.B) {
	r := rand.New(rand.NewPCG(1, 1))
	same, half := kernels.Conv2D{Pad: 1}, kernels.Conv2D{Pad: 1, Stride: 2}
	for _, s := range []struct {
		name string
		convCase
	}{
		{"stem3x16@32", convCase{same, 128, 3, 32, 32, 16, 3, 3}},
		{"16@32", convCase{same, 128, 16, 32, 32, 16, 3, 3}},
		{"16x32@32half", convCase{half, 128, 16, 32, 32, 32, 3, 3}},
		{"32@16", convCase{same, 128, 32, 16, 16, 32, 3, 3}},
		{"32x64@16half", convCase{half, 128, 32, 16, 16, 64, 3, 3}},
		{"64@8", convCase{same, 128, 64, 8, 8, 64, 3, 3}},
		{"8@32", convCase{same, 128, 8, 32, 32, 8, 3, 3}},
		{"24@15", convCase{same, 128, 24, 15, 15, 24, 3, 3}},
		{"128@64half", convCase{half, 8, 128, 64, 64, 128, 3, 3}},
		{"512@16half", convCase{half, 32, 512, 16, 16, 512, 3, 3}},
		{"64x256@64flat", convCase{kernels.Conv2D{}, 8, 64, 64, 64, 256, 1, 1}},
		{"256x64@64flat", convCase{kernels.Conv2D{}, 8, 256, 64, 64, 64, 1, 1}},
		{"1024x256@16flat", convCase{kernels.Conv2D{}, 32, 1024, 16, 16, 256, 1, 1}},
		{"512x2048@8flat", convCase{kernels.Conv2D{}, 32, 512, 8, 8, 2048, 1, 1}},
		{"2048x512@8flat", convCase{kernels.Conv2D{}, 32, 2048, 8, 8, 512, 1, 1}},
		{"1024x2048@16flathalf", convCase{kernels.Conv2D{Stride: 2}, 32, 1024, 16, 16, 2048, 1, 1}},
	} {
		x, w, dy := s.tensors(r)
		y, dx, dw := tensor.Like(dy), tensor.Like(x), tensor.Like(w)
		flops := 2 * dy.Size() * w.Size() / s.o
		run := func(name string, f func(k *Backend)) {
			b.Run(s.name+"/"+name, func(b *testing.B) {
				benchEach(b, func(b *testing.B, k *Backend) {
					f(k)
					for b.Loop() {
						f(k)
					}
					rate(b, flops)
				}, exactBackends(b)...)
			})
		}
		run("value", func(k *Backend) { k.Conv2D(s.Conv2D, y, x, w) })
		run("gradX", func(k *Backend) { k.Conv2DGradX(s.Conv2D, kernels.Acc{T: dx, Fresh: true}, w, dy) })
		run("gradW", func(k *Backend) { k.Conv2DGradW(s.Conv2D, kernels.Acc{T: dw, Fresh: true}, x, dy) })
	}
}

// BenchmarkWinograd times the convolutions of residual networks of width 16,
// batch 128, and 64, batch 64, on one goroutine and on two: the least and the
// median time, and the median's rate. Tensors take turns, so that they come from
// memory, as in a training step, rather than from a cache.
func BenchmarkWinograd(b *testing.B) {
	same := kernels.Conv2D{Pad: 1}
	const turns = 6
	for _, q := range []convCase{
		{same, 128, 16, 32, 32, 16, 3, 3}, {same, 128, 32, 16, 16, 32, 3, 3}, {same, 128, 64, 8, 8, 64, 3, 3},
		{same, 64, 64, 32, 32, 64, 3, 3}, {same, 64, 128, 16, 16, 128, 3, 3}, {same, 64, 256, 8, 8, 256, 3, 3},
		{same, 1, 16, 32, 32, 16, 3, 3}, {same, 1, 32, 16, 16, 32, 3, 3}, {same, 1, 64, 8, 8, 64, 3, 3},
	} {
		b.Run(fmt.Sprintf("%dx%d@%d", q.n, q.c, q.h), func(b *testing.B) {
			var x, y [turns]*tensor.Tensor
			var w, dw *tensor.Tensor
			x[0], w, y[0] = q.tensors(rand.New(rand.NewPCG(1, 1)))
			for i := 1; i < turns; i++ {
				x[i], y[i] = copyOf(x[0]), copyOf(y[0])
			}
			dw = tensor.Like(w)
			flops := 2 * y[0].Size() * w.Size() / q.o
			for _, f := range []struct {
				name string
				run  func(k *Backend, x, y *tensor.Tensor)
			}{
				{"value", func(k *Backend, x, y *tensor.Tensor) { k.Conv2D(same, y, x, w) }},
				{"gradX", func(k *Backend, x, y *tensor.Tensor) { k.Conv2DGradX(same, kernels.Acc{T: x, Fresh: true}, w, y) }},
				{"gradW", func(k *Backend, x, y *tensor.Tensor) { k.Conv2DGradW(same, kernels.Acc{T: dw, Fresh: true}, x, y) }},
			} {
				for _, procs := range []int{1, 2} {
					b.Run(fmt.Sprintf("%s/%d", f.name, procs), func(b *testing.B) {
						benchEach(b, func(b *testing.B, k *Backend) {
							defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(procs))
							for i := range turns {
								f.run(k, x[i], y[i])
							}
							var times []time.Duration
							for b.Loop() {
								i := len(times) % turns
								start := time.Now()
								f.run(k, x[i], y[i])
								times = append(times, time.Since(start))
							}
							slices.Sort(times)
							median := times[len(times)/2]
							b.ReportMetric(times[0].Seconds()*1e3, "min-ms")
							b.ReportMetric(median.Seconds()*1e3, "median-ms")
							b.ReportMetric(float64(flops)/median.Seconds()/1e9, "GFLOP/s")
							b.ReportMetric(0, "ns/op")
						})
					})
				}
			}
		})
	}
}

// BenchmarkPar times calls of two items, each of which takes the time in its
// name by itself, about.
func BenchmarkPar(b *testing.B) {
	var sink [2][16]float32
	for _, size := range []struct {
		name  string
		turns int
	}{{"0", 0}, {"1µs", 350}, {"20µs", 7000}} {
		b.Run(size.name, func(b *testing.B) {
			f := func(i int) {
				x := float32(1)
				for range size.turns {
					x = x*.5 + 1
				}
				sink[i][0] = x
			}
			for b.Loop() {
				par(2, f)
			}
		})
	}
}
