package cpu

import (
	"fmt"
	"math"
	"math/rand/v2"
	"runtime"
	"testing"

	"phase/kernels"
	"phase/kernels/ref"
	"phase/tensor"
)

// vector is a row-major vector of n standard normal numbers, plus shift.
func vector(r *rand.Rand, n int, shift float32) *tensor.Tensor {
	t := fill(r, tensor.New(tensor.CPU, tensor.F32, n))
	for i := range tensor.Data[float32](t) {
		tensor.Data[float32](t)[i] += shift
	}
	return t
}

// TestBatchNormLarge compares sizes of many items, and a last one that ends
// within a row, with ref, and demands the same bits of any number of threads.
func TestBatchNormLarge(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	each(t, func(t *testing.T, b *Backend) {
		for _, s := range [][4]int{{3, 16, 37, 41}, {3, 10, 50, 51}, {2, 1, 200, 201}, {2, 257, 9, 17}, {1, 600, 11, 13}} {
			images := func() *tensor.Tensor {
				return fill(r, tensor.NewImages(tensor.CPU, tensor.F32, s[0], s[1], s[2], s[3]))
			}
			c := s[1]
			x, res, dy := images(), images(), images()
			gamma, beta := vector(r, c, 0), vector(r, c, 0)
			p := kernels.BatchNorm{Eps: 1e-5, ReLU: c%2 == 0}
			what := fmt.Sprint(s)

			y, mean, variance := tensor.Like(x), tensor.Like(gamma), tensor.Like(gamma)
			wy, wmean, wvariance := tensor.Like(x), tensor.Like(gamma), tensor.Like(gamma)
			ref.Backend{}.BatchNorm(p, wy, wmean, wvariance, x, gamma, beta, res)
			sameBits(t, what+" y", func() *tensor.Tensor {
				b.BatchNorm(p, y, mean, variance, x, gamma, beta, res)
				return y
			})
			agree(t, what+" y", y, wy, 1e-6)
			for i, want := range tensor.Values(wmean) { // the deviations are 1
				if got := tensor.Values(mean)[i]; math.Abs(got-want) > 1e-7 {
					t.Errorf("%s mean of channel %d is %g, want %g", what, i, got, want)
				}
			}
			agree(t, what+" variance", variance, wvariance, 1e-6)

			grads := func(k kernels.Backend, y *tensor.Tensor) []*tensor.Tensor {
				dx, dg, db, dr := tensor.Like(x), tensor.Like(gamma), tensor.Like(gamma), copyOf(res)
				k.BatchNormGrad(p, kernels.Acc{T: dx, Fresh: true}, kernels.Acc{T: dg}, kernels.Acc{T: db}, kernels.Acc{T: dr}, x, y, gamma, mean, variance, dy)
				return []*tensor.Tensor{dx, dg, db, dr}
			}
			want := grads(ref.Backend{}, y)
			for i, name := range []string{" dx", " dgamma", " dbeta", " dresidual"} {
				var got *tensor.Tensor
				sameBits(t, what+name, func() *tensor.Tensor { got = grads(b, y)[i]; return got })
				agree(t, what+name, got, want[i], 3e-6)
			}
		}
	})
}

// TestBatchNormFarMean has channels whose mean is 100,000 standard deviations
// away, and one in which the first pixels are far from the others, so that
// sums of squares, or a shift by the first value, would lose every digit.
func TestBatchNormFarMean(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	each(t, func(t *testing.T, b *Backend) {
		const n, c, h, w = 4, 3, 60, 61
		x := fill(r, tensor.NewImages(tensor.CPU, tensor.F32, n, c, h, w))
		for i, d := 0, tensor.Data[float32](x); i < len(d); i += c {
			d[i] = 1000 + .01*d[i]
			d[i+1] = -1e-3 + 1e-8*d[i+1]
			d[i+2] = 1000 + .01*d[i+2]
			if i < 5*c {
				d[i+2] = 0
			}
		}
		one, zero := tensor.Of([]float32{1, 1, 1}, c), tensor.Of([]float32{0, 0, 0}, c)
		y, mean, variance := tensor.Like(x), tensor.Like(one), tensor.Like(one)
		wy, wmean, wvariance := tensor.Like(x), tensor.Like(one), tensor.Like(one)
		p := kernels.BatchNorm{Eps: 1e-20}
		b.BatchNorm(p, y, mean, variance, x, one, zero, nil)
		ref.Backend{}.BatchNorm(p, wy, wmean, wvariance, x, one, zero, nil)
		agree(t, "y", y, wy, 1e-5)
		for i := range c {
			for _, v := range []struct {
				name      string
				got, want *tensor.Tensor
				tol       float64
			}{{"mean", mean, wmean, 1e-7}, {"variance", variance, wvariance, 2e-6}} {
				got, want := tensor.Values(v.got)[i], tensor.Values(v.want)[i]
				if math.Abs(got-want) > v.tol*math.Abs(want) {
					t.Errorf("%s of channel %d is %g, want %g", v.name, i, got, want)
				}
			}
		}
	})
}

// TestBatchNormConstant has channels of one value each. Distances from a mean of
// the same numbers are a few units in the last place, whose sums are exact: the
// variance is 0, and no less.
func TestBatchNormConstant(t *testing.T) {
	each(t, func(t *testing.T, b *Backend) {
		const c = 61
		x := tensor.NewImages(tensor.CPU, tensor.F32, 3, c, 40, 41)
		for i := range tensor.Data[float32](x) {
			tensor.Data[float32](x)[i] = 1000.1 / float32(1+i%c)
		}
		one, mean, variance := tensor.New(tensor.CPU, tensor.F32, c), tensor.New(tensor.CPU, tensor.F32, c), tensor.New(tensor.CPU, tensor.F32, c)
		b.BatchNorm(kernels.BatchNorm{Eps: 1e-5}, tensor.Like(x), mean, variance, x, one, one, nil)
		for i, v := range tensor.Data[float32](variance) {
			if !(v >= 0 && v < 1e-8) {
				t.Errorf("the variance of channel %d is %g, want 0 and no less", i, v)
			}
		}
	})
}

// TestSteadyAllocations counts what the kernels of a training step allocate
// once their scratch memory exists: a few closures, no buffers.
func TestSteadyAllocations(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 8))
	b, err := New("")
	if err != nil {
		t.Fatal(err)
	}
	x := fill(r, tensor.NewImages(tensor.CPU, tensor.F32, 8, 16, 32, 32))
	y, dy, d := tensor.Like(x), tensor.Like(x), tensor.Like(x)
	gamma, beta, mean, variance := vector(r, 16, 0), vector(r, 16, 0), vector(r, 16, 0), vector(r, 16, 9)
	logits := fill(r, tensor.New(tensor.CPU, tensor.F32, 128, 100))
	logp, loss, weight := tensor.Like(logits), vector(r, 128, 0), vector(r, 128, 2)
	bias, label, square := vector(r, 100, 0), tensor.New(tensor.CPU, tensor.I64, 128), tensor.New(tensor.CPU, tensor.F64, 1)
	wide, half := bias.Expand(128, 100), tensor.NewImages(tensor.CPU, tensor.F32, 8, 16, 16, 16)
	strided, pooled := x.Slice(2, 0, 32, 2).Slice(3, 0, 32, 2), tensor.New(tensor.CPU, tensor.F32, 8, 16)
	norm, sl := kernels.BatchNorm{Eps: 1e-5, ReLU: true}, kernels.SoftmaxLoss{GammaPos: 1, GammaNeg: 4, Smooth: .1}
	acc := func(t *tensor.Tensor) kernels.Acc { return kernels.Acc{T: t} }
	for name, f := range map[string]func(){
		"BatchNorm":         func() { b.BatchNorm(norm, y, mean, variance, x, gamma, beta, d) },
		"BatchNormEval":     func() { b.BatchNormEval(norm, y, x, gamma, beta, mean, variance, d) },
		"BatchNormGrad":     func() { b.BatchNormGrad(norm, acc(d), acc(beta), acc(beta), acc(d), x, y, gamma, mean, variance, dy) },
		"Map":               func() { b.Map(kernels.ReLU, y, x) },
		"MapGrad":           func() { b.MapGrad(kernels.ReLU, acc(d), x, y, dy) },
		"Binary":            func() { b.Binary(kernels.Add, y, x, dy) },
		"Binary bias":       func() { b.Binary(kernels.Add, logp, logits, wide) },
		"BinaryGrad bias":   func() { b.BinaryGrad(kernels.Add, 1, acc(bias), logits, wide, logp) },
		"Copy":              func() { b.Copy(half, strided) },
		"CopyGrad":          func() { b.CopyGrad(strided, half) },
		"GlobalAvgPool":     func() { b.GlobalAvgPool(pooled, x) },
		"GlobalAvgPoolGrad": func() { b.GlobalAvgPoolGrad(acc(d), pooled) },
		"SoftmaxLoss":       func() { b.SoftmaxLoss(sl, loss, logp, logits, label, weight) },
		"SoftmaxLossGrad":   func() { b.SoftmaxLossGrad(acc(logits), logp, loss) },
		"SGD":               func() { b.SGD(kernels.SGD{LR: 1e-9, Momentum: .9}, d, y, x) },
		"AXPY":              func() { b.AXPY(1e-9, acc(d), x) },
		"SumSquares":        func() { b.SumSquares(square, x) },
	} {
		for range 5 {
			f()
		}
		const runs = 50
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		for range runs {
			f()
		}
		runtime.ReadMemStats(&after)
		if got := (after.TotalAlloc - before.TotalAlloc) / runs; got > 600 {
			t.Errorf("%s allocates %d bytes a call", name, got)
		}
	}
}

// BenchmarkBatchNorm times batch norm with ReLU in the first stage of a
// ResNet-32 of width 16, batch 128, on four sets of tensors in turn, which no
// cache holds. The rate counts what must be read and written: x twice and y
// once forward; x, y and dy twice and dx once backward.
func BenchmarkBatchNorm(b *testing.B) {
	r := rand.New(rand.NewPCG(1, 1))
	var x, y, dy, dx [4]*tensor.Tensor
	for i := range x {
		for _, t := range []*[4]*tensor.Tensor{&x, &y, &dy, &dx} {
			t[i] = fill(r, tensor.NewImages(tensor.CPU, tensor.F32, 128, 16, 32, 32))
		}
	}
	gamma, beta, mean, variance, dgamma, dbeta := vector(r, 16, 0), vector(r, 16, 0), vector(r, 16, 0), vector(r, 16, 9), vector(r, 16, 0), vector(r, 16, 0)
	p := kernels.BatchNorm{Eps: 1e-5, ReLU: true}
	run := func(name string, passes int, f func(k *Backend, i int)) {
		b.Run(name, func(b *testing.B) {
			benchEach(b, func(b *testing.B, k *Backend) {
				i := 0
				for b.Loop() {
					f(k, i%len(x))
					i++
				}
				b.ReportMetric(float64(4*passes*x[0].Size())*float64(b.N)/b.Elapsed().Seconds()/1e9, "GB/s")
			})
		})
	}
	run("forward", 3, func(k *Backend, i int) { k.BatchNorm(p, y[i], mean, variance, x[i], gamma, beta, nil) })
	run("backward", 7, func(k *Backend, i int) {
		k.BatchNormGrad(p, kernels.Acc{T: dx[i], Fresh: true}, kernels.Acc{T: dgamma}, kernels.Acc{T: dbeta}, kernels.Acc{}, x[i], y[i], gamma, mean, variance, dy[i])
	})
}
