package cpu

import (
	"math/rand/v2"
	"runtime"
	"testing"

	"phase/kernels"
	"phase/kernels/ref"
	"phase/tensor"
)

// TestLarge compares calls of many items each with ref, and demands the same
// bits of any number of threads. Each call returns the one tensor it wrote.
func TestLarge(t *testing.T) {
	r := rand.New(rand.NewPCG(9, 10))
	images := func(n, c, h, w int) *tensor.Tensor {
		return fill(r, tensor.NewImages(tensor.CPU, tensor.F32, n, c, h, w))
	}
	rows := func(shape ...int) *tensor.Tensor { return fill(r, tensor.New(tensor.CPU, tensor.F32, shape...)) }
	add := func(t *tensor.Tensor) kernels.Acc { return kernels.Acc{T: t} }
	fresh := func(t *tensor.Tensor) kernels.Acc { return kernels.Acc{T: t, Fresh: true} }

	long, long2, long3 := rows(3, 11117), rows(3, 11117), rows(3, 11117)
	x, bias, column := images(3, 10, 41, 47), rows(10, 1, 1), rows(3, 1)
	plain := rows(3, 10, 41, 47)
	pooled, arg := images(3, 10, 21, 24), tensor.NewImages(tensor.CPU, tensor.I64, 3, 10, 21, 24)
	window := kernels.Pool2D{Size: 3, Stride: 2, Pad: 1}
	ref.Backend{}.MaxPool(window, pooled, arg, x)
	means, first := rows(3, 10), rows(10, 41, 47)
	mean := kernels.Reduce{Axes: []int{1}, Mean: true}
	index := tensor.New(tensor.CPU, tensor.I64, 50)
	for i := range tensor.Data[int64](index) {
		tensor.Data[int64](index)[i] = int64(r.IntN(3))
	}
	picked := rows(50, 11117)
	logits, label, weight := rows(300, 101), tensor.New(tensor.CPU, tensor.I64, 300), rows(300)
	for i := range tensor.Data[int64](label) {
		tensor.Data[int64](label)[i] = int64(r.IntN(101))
	}
	logp := tensor.Like(logits)
	ref.Backend{}.LogSoftmax(logp, logits)

	type call struct {
		name string
		tol  float64
		run  func(k kernels.Backend) *tensor.Tensor
	}
	for _, c := range []call{
		{"Map", 0, func(k kernels.Backend) *tensor.Tensor {
			y := tensor.Like(x)
			k.Map(kernels.ReLU, y, x)
			return y
		}},
		{"Map Tanh", 3e-7, func(k kernels.Backend) *tensor.Tensor {
			y := tensor.Like(x)
			k.Map(kernels.Tanh, y, x)
			return y
		}},
		{"MapGrad", 3e-7, func(k kernels.Backend) *tensor.Tensor {
			d := copyOf(long)
			k.MapGrad(kernels.ReLU, add(d), long2, long2, long3)
			return d
		}},
		{"Affine", 3e-7, func(k kernels.Backend) *tensor.Tensor {
			y := tensor.Like(x)
			k.Affine(kernels.Affine{Mul: 3, Add: -1}, y, x)
			return y
		}},
		{"AXPY", 3e-7, func(k kernels.Backend) *tensor.Tensor {
			y := copyOf(long)
			k.AXPY(.3, add(y), long2)
			return y
		}},
		{"Binary", 3e-7, func(k kernels.Backend) *tensor.Tensor {
			y := tensor.Like(long)
			k.Binary(kernels.Div, y, long2, long3)
			return y
		}},
		{"Binary with a channel's bias", 3e-7, func(k kernels.Backend) *tensor.Tensor {
			y := tensor.Like(x)
			k.Binary(kernels.Sub, y, x, bias.Expand(3, 10, 41, 47))
			return y
		}},
		{"Binary with a column", 3e-7, func(k kernels.Backend) *tensor.Tensor {
			y := tensor.Like(long)
			k.Binary(kernels.Mul, y, column.Expand(3, 11117), long)
			return y
		}},
		{"Binary of two layouts", 3e-7, func(k kernels.Backend) *tensor.Tensor {
			y := tensor.Like(x)
			k.Binary(kernels.Add, y, x, plain)
			return y
		}},
		{"BinaryGrad", 3e-7, func(k kernels.Backend) *tensor.Tensor {
			d := copyOf(long)
			k.BinaryGrad(kernels.Mul, 0, add(d), long, long2, long3)
			return d
		}},
		{"BinaryGrad of a channel's bias", 1e-6, func(k kernels.Backend) *tensor.Tensor {
			d := copyOf(bias)
			k.BinaryGrad(kernels.Sub, 1, add(d), x, bias.Expand(3, 10, 41, 47), x)
			return d
		}},
		{"BinaryGrad of a column's factor", 1e-6, func(k kernels.Backend) *tensor.Tensor {
			d := copyOf(column)
			k.BinaryGrad(kernels.Mul, 0, fresh(d), column.Expand(3, 11117), long2, long3)
			return d
		}},
		{"BinaryGrad of a row's factor", 1e-6, func(k kernels.Backend) *tensor.Tensor {
			d := rows(11117)
			k.BinaryGrad(kernels.Mul, 1, fresh(d), long, d.Expand(3, 11117), long3)
			return d
		}},
		{"Copy to channels-last", 0, func(k kernels.Backend) *tensor.Tensor {
			y := tensor.Like(x)
			k.Copy(y, plain)
			return y
		}},
		{"Copy from channels-last", 0, func(k kernels.Backend) *tensor.Tensor {
			y := tensor.Like(plain)
			k.Copy(y, x)
			return y
		}},
		{"Copy of every other pixel", 0, func(k kernels.Backend) *tensor.Tensor {
			y := tensor.Like(pooled)
			k.Copy(y, x.Slice(2, 0, 41, 2).Slice(3, 0, 47, 2))
			return y
		}},
		{"Copy into some channels", 0, func(k kernels.Backend) *tensor.Tensor {
			y := tensor.NewImages(tensor.CPU, tensor.F32, 3, 17, 41, 47)
			k.Copy(y.Slice(1, 4, 14, 1), x)
			return y
		}},
		{"Copy of a permutation", 0, func(k kernels.Backend) *tensor.Tensor {
			y := tensor.New(tensor.CPU, tensor.F32, 47, 3, 41, 10)
			k.Copy(y, plain.Permute(3, 0, 2, 1))
			return y
		}},
		{"CopyGrad to every other pixel", 3e-7, func(k kernels.Backend) *tensor.Tensor {
			d := copyOf(x)
			k.CopyGrad(d.Slice(2, 0, 41, 2).Slice(3, 0, 47, 2), pooled)
			return d
		}},
		{"CopyGrad of a broadcast", 1e-6, func(k kernels.Backend) *tensor.Tensor {
			d := copyOf(bias)
			k.CopyGrad(d.Expand(3, 10, 41, 47), x)
			return d
		}},
		{"CopyGrad of a broadcast over rows", 1e-6, func(k kernels.Backend) *tensor.Tensor {
			d := copyOf(column)
			k.CopyGrad(d.Expand(3, 11117), long)
			return d
		}},
		{"Dropout", 3e-7, func(k kernels.Backend) *tensor.Tensor {
			y := tensor.Like(x)
			k.Dropout(kernels.Dropout{Rate: .3, Seed: 5}, y, x)
			return y
		}},
		{"DropoutGrad", 3e-7, func(k kernels.Backend) *tensor.Tensor {
			d := copyOf(long)
			k.DropoutGrad(kernels.Dropout{Rate: .3, Seed: 5}, add(d), long2)
			return d
		}},
		{"MaxPool", 0, func(k kernels.Backend) *tensor.Tensor {
			y := tensor.Like(pooled)
			k.MaxPool(window, y, tensor.Like(arg), x)
			return y
		}},
		{"MaxPoolGrad", 1e-6, func(k kernels.Backend) *tensor.Tensor {
			d := tensor.Like(x)
			k.MaxPoolGrad(window, fresh(d), arg, pooled)
			return d
		}},
		{"AvgPool", 1e-6, func(k kernels.Backend) *tensor.Tensor {
			y := tensor.Like(pooled)
			k.AvgPool(window, y, x)
			return y
		}},
		{"AvgPoolGrad", 1e-6, func(k kernels.Backend) *tensor.Tensor {
			d := copyOf(x)
			k.AvgPoolGrad(window, add(d), pooled)
			return d
		}},
		{"GlobalAvgPool", 1e-6, func(k kernels.Backend) *tensor.Tensor {
			y := tensor.New(tensor.CPU, tensor.F32, 3, 10)
			k.GlobalAvgPool(y, x)
			return y
		}},
		{"GlobalAvgPoolGrad", 1e-6, func(k kernels.Backend) *tensor.Tensor {
			d := copyOf(x)
			k.GlobalAvgPoolGrad(add(d), means)
			return d
		}},
		{"Reduce", 1e-6, func(k kernels.Backend) *tensor.Tensor {
			y := tensor.New(tensor.CPU, tensor.F32, 3)
			k.Reduce(mean, y, long)
			return y
		}},
		{"Reduce of the first axes", 1e-6, func(k kernels.Backend) *tensor.Tensor {
			y := tensor.New(tensor.CPU, tensor.F32, 47)
			k.Reduce(kernels.Reduce{Axes: []int{0, 1, 2}}, y, plain)
			return y
		}},
		{"Reduce of the outer and the inner axis", 1e-6, func(k kernels.Backend) *tensor.Tensor {
			y := tensor.New(tensor.CPU, tensor.F32, 1, 10, 41, 1)
			k.Reduce(kernels.Reduce{Axes: []int{0, 3}}, y, plain)
			return y
		}},
		{"Reduce of a middle axis", 1e-6, func(k kernels.Backend) *tensor.Tensor {
			y := tensor.New(tensor.CPU, tensor.F32, 3, 41, 47)
			k.Reduce(kernels.Reduce{Axes: []int{1}}, y, plain)
			return y
		}},
		{"ReduceGrad", 1e-6, func(k kernels.Backend) *tensor.Tensor {
			d := copyOf(long2)
			k.ReduceGrad(mean, add(d), column)
			return d
		}},
		{"ReduceGrad of the first axis", 1e-6, func(k kernels.Backend) *tensor.Tensor {
			d := tensor.Like(plain)
			k.ReduceGrad(kernels.Reduce{Axes: []int{0}}, fresh(d), first)
			return d
		}},
		{"Gather", 0, func(k kernels.Backend) *tensor.Tensor {
			y := tensor.New(tensor.CPU, tensor.F32, 50, 11117)
			k.Gather(y, long, index)
			return y
		}},
		{"GatherGrad", 1e-6, func(k kernels.Backend) *tensor.Tensor {
			d := copyOf(long)
			k.GatherGrad(add(d), index, picked)
			return d
		}},
		{"LogSoftmaxGrad", 1e-6, func(k kernels.Backend) *tensor.Tensor {
			d := copyOf(logits)
			k.LogSoftmaxGrad(add(d), logp, logits)
			return d
		}},
		{"SoftmaxLoss", 1e-6, func(k kernels.Backend) *tensor.Tensor {
			loss := tensor.New(tensor.CPU, tensor.F32, 300)
			k.SoftmaxLoss(kernels.SoftmaxLoss{GammaPos: 1, GammaNeg: 4, Smooth: .1}, loss, tensor.Like(logits), logits, label, weight)
			return loss
		}},
		{"SoftmaxLoss slope", 1e-6, func(k kernels.Backend) *tensor.Tensor {
			loss, slope := tensor.New(tensor.CPU, tensor.F32, 300), tensor.Like(logits)
			k.SoftmaxLoss(kernels.SoftmaxLoss{GammaPos: 1, GammaNeg: 4, Smooth: .1}, loss, slope, logits, label, weight)
			return slope
		}},
		{"SoftmaxLossGrad", 1e-6, func(k kernels.Backend) *tensor.Tensor {
			d := tensor.Like(logits)
			k.SoftmaxLossGrad(fresh(d), logits, weight)
			return d
		}},
		{"SGD", 1e-6, func(k kernels.Backend) *tensor.Tensor {
			w, v := copyOf(long), copyOf(long2)
			k.SGD(kernels.SGD{LR: .1, Momentum: .9, Decay: .01, Nesterov: true}, w, v, long3)
			return w
		}},
		{"AdamW", 1e-6, func(k kernels.Backend) *tensor.Tensor {
			w, m, v := copyOf(long), copyOf(long2), tensor.Like(long)
			k.AdamW(kernels.AdamW{LR: .1, Beta1: .9, Beta2: .999, Eps: 1e-8, Decay: .01, Step: 3}, w, m, v, long3)
			return w
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			want := c.run(ref.Backend{})
			each(t, func(t *testing.T, b *Backend) {
				agree(t, c.name, c.run(b), want, c.tol)
				sameBits(t, c.name, func() *tensor.Tensor { return c.run(b) })
			})
		})
	}
}

// TestSumSquares adds up many blocks, among them squares that float32 cannot
// hold.
func TestSumSquares(t *testing.T) {
	each(t, func(t *testing.T, b *Backend) {
		x, want := tensor.New(tensor.CPU, tensor.F32, 50021), 7.0
		for i := range tensor.Data[float32](x) {
			v := float32(i%100) * 1e20
			tensor.Data[float32](x)[i] = v
			want += float64(v) * float64(v)
		}
		defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
		var first float64
		for _, procs := range []int{1, 2, 7} {
			runtime.GOMAXPROCS(procs)
			sum := tensor.Of([]float64{7})
			b.SumSquares(sum, x)
			got := tensor.Data[float64](sum)[0]
			if got < want*(1-1e-12) || got > want*(1+1e-12) {
				t.Errorf("Σx² is %g, want %g", got, want)
			}
			if procs == 1 {
				first = got
			}
			if got != first {
				t.Errorf("Σx² is %v with %d threads, %v with one", got, procs, first)
			}
		}
	})
}
