package ref

import (
	"math"
	"math/rand/v2"
	"testing"

	"phase/kernels"
	"phase/tensor"
)

var b Backend

func normal(r *rand.Rand, shape ...int) *tensor.Tensor {
	v := make([]float64, tensor.Shape(shape).Size())
	for i := range v {
		v[i] = r.NormFloat64()
	}
	return tensor.Of(v, shape...)
}

func zeros(shape ...int) *tensor.Tensor { return tensor.New(tensor.CPU, tensor.F64, shape...) }

func like(t *tensor.Tensor) *tensor.Tensor { return zeros(t.Shape()...) }

func acc(t *tensor.Tensor) kernels.Acc { return kernels.Acc{T: t} }

func dot(a, b *tensor.Tensor) (sum float64) {
	bs := tensor.Values(b)
	for i, v := range tensor.Values(a) {
		sum += v * bs[i]
	}
	return sum
}

func near(t *testing.T, what string, got, want, tol float64) {
	t.Helper()
	if !(math.Abs(got-want) <= tol*(1+math.Abs(want))) {
		t.Errorf("%s: got %.12g, want %.12g", what, got, want)
	}
}

func nearAll(t *testing.T, what string, got *tensor.Tensor, tol float64, want ...float64) {
	t.Helper()
	v := tensor.Values(got)
	if len(v) != len(want) {
		t.Fatalf("%s: %d numbers, want %d", what, len(v), len(want))
	}
	for i := range v {
		if !(math.Abs(v[i]-want[i]) <= tol*(1+math.Abs(want[i]))) {
			t.Errorf("%s: got %v, want %v", what, v, want)
			return
		}
	}
}

// slopes checks that grad is the derivative of f by the numbers of x, which f
// reads, by central differences.
func slopes(t *testing.T, what string, f func() float64, x, grad *tensor.Tensor, tol float64) {
	t.Helper()
	v, g := tensor.Data[float64](x), tensor.Values(grad)
	for i, old := range v {
		const h = 1e-5
		v[i] = old + h
		up := f()
		v[i] = old - h
		down := f()
		v[i] = old
		if want := (up - down) / (2 * h); !(math.Abs(g[i]-want) <= tol*(1+math.Abs(want))) {
			t.Errorf("%s: element %d has gradient %.9g, difference quotient %.9g", what, i, g[i], want)
			return
		}
	}
}

func TestAccumulatorsAddOrOverwrite(t *testing.T) {
	x := tensor.Of([]float64{1, 2}, 2)
	y := tensor.Of([]float32{10, 20}, 2)
	b.AXPY(3, kernels.Acc{T: y}, x)
	nearAll(t, "added", y, 0, 13, 26)
	y = tensor.Of([]float32{float32(math.NaN()), float32(math.Inf(1))}, 2)
	b.AXPY(3, kernels.Acc{T: y, Fresh: true}, x)
	nearAll(t, "fresh", y, 0, 3, 6)
	b.AXPY(3, kernels.Acc{}, x) // nobody wants it
}

func TestViewsAreReadAndWrittenByTheirStrides(t *testing.T) {
	x := tensor.Of([]float64{1, 2, 3, 4, 5, 6}, 2, 3)
	y := tensor.Of(make([]float64, 12), 3, 4)
	b.Map(kernels.Square, y.Slice(1, 1, 4, 2), x.Permute(1, 0))
	nearAll(t, "square of a transpose into every other column", y, 0, 0, 1, 0, 16, 0, 4, 0, 25, 0, 9, 0, 36)
	b.Copy(y.Slice(0, 0, 2, 1).Slice(1, 0, 3, 1), x.Slice(0, 1, 2, 1).Expand(2, 3))
	nearAll(t, "copy", y, 0, 4, 5, 6, 16, 4, 5, 6, 25, 0, 9, 0, 36)
	big := tensor.Of([]int64{1<<62 + 1, -1<<62 - 1}, 2)
	to := tensor.New(tensor.CPU, tensor.I64, 2)
	b.Copy(to, big)
	if got := tensor.Data[int64](to); got[0] != 1<<62+1 || got[1] != -1<<62-1 {
		t.Errorf("copy of large integers: %v", got)
	}
	d := tensor.Of([]float64{100, 200}, 2, 1)
	b.CopyGrad(d.Expand(2, 3), x)
	nearAll(t, "copy's gradient sums where the copy repeated", d, 0, 106, 215)
}

func TestCurves(t *testing.T) {
	// At x = 0.7, from the textbook; GELU(0.7) = 0.7·Φ(0.7), Φ(0.7) = 0.7580363478.
	want := map[kernels.Fn]float64{
		kernels.ReLU: .7, kernels.Exp: 2.01375270747, kernels.Log: -.35667494394, kernels.Tanh: .60436777712,
		kernels.Sigmoid: .66818777216, kernels.GELU: .53062544344, kernels.Sqrt: .83666002653,
		kernels.Rsqrt: 1.19522860933, kernels.Square: .49, kernels.Abs: .7,
	}
	r := rand.New(rand.NewPCG(1, 1))
	for f := range kernels.NumFn {
		x, y := tensor.Of([]float64{.7}, 1), zeros(1)
		b.Map(f, y, x)
		near(t, "value", tensor.Values(y)[0], want[f], 1e-10)

		x = normal(r, 9)
		if v := tensor.Data[float64](x); f == kernels.Log || f == kernels.Sqrt || f == kernels.Rsqrt {
			for i := range v {
				v[i] = .5 + v[i]*v[i]
			}
		}
		y, dy, dx := zeros(9), normal(r, 9), zeros(9)
		b.Map(f, y, x)
		b.MapGrad(f, acc(dx), x, y, dy)
		slopes(t, "map", func() float64 { b.Map(f, y, x); return dot(y, dy) }, x, dx, 1e-8)
	}
	tiny := zeros(1)
	b.Map(kernels.Log, tiny, tensor.Of([]float64{0x1p-1040}, 1))
	near(t, "log of a subnormal number", tensor.Values(tiny)[0], -1040*math.Ln2, 1e-15)

	x := tensor.Of([]float64{math.NaN(), 0, -1}, 3)
	y, dx := zeros(3), zeros(3)
	b.Map(kernels.ReLU, y, x)
	if v := tensor.Values(y); !math.IsNaN(v[0]) || v[1] != 0 || v[2] != 0 {
		t.Errorf("relu of NaN, 0, -1: %v", v)
	}
	b.MapGrad(kernels.ReLU, acc(dx), x, y, tensor.Of([]float64{1, 1, math.Inf(1)}, 3))
	nearAll(t, "relu's slope at NaN, 0, -1", dx, 0, 0, 0, 0)
}

func TestAffineAndDropout(t *testing.T) {
	y := zeros(3)
	b.Affine(kernels.Affine{Mul: 2, Add: -1}, y, tensor.Of([]float64{1, 2, 3}, 3))
	nearAll(t, "affine", y, 0, 1, 3, 5)

	// The mask goes by the place in memory, so the same bytes drop alike
	// whatever the axes are called, and the gradient has the value's mask.
	p := kernels.Dropout{Rate: .25, Seed: 7}
	ones := make([]float64, 4*64)
	for i := range ones {
		ones[i] = 1
	}
	flat, images, dx := zeros(256), tensor.NewImages(tensor.CPU, tensor.F64, 1, 4, 8, 8), zeros(256)
	b.Dropout(p, flat, tensor.Of(ones, 256))
	b.Dropout(p, images, tensor.OfImages(ones, 1, 4, 8, 8))
	b.DropoutGrad(p, acc(dx), tensor.Of(ones, 256))
	kept := 0
	for i, v := range tensor.Data[float64](flat) {
		if v != tensor.Data[float64](images)[i] || v != tensor.Data[float64](dx)[i] {
			t.Fatalf("element %d: %v flat, %v as images, gradient %v", i, v, tensor.Data[float64](images)[i], tensor.Data[float64](dx)[i])
		}
		if v != 0 {
			near(t, "kept", v, 4./3, 1e-15)
			kept++
		}
	}
	if kept < 160 || kept > 224 {
		t.Errorf("%d of 256 kept at rate 1/4", kept)
	}
}

func TestBinary(t *testing.T) {
	x, y := tensor.Of([]float64{6, 1, 2, 8}, 2, 2), tensor.Of([]float64{2, 4}, 2)
	z := zeros(2, 2)
	for f, want := range map[kernels.Fn2][]float64{
		kernels.Add: {8, 5, 4, 12}, kernels.Sub: {4, -3, 0, 4}, kernels.Mul: {12, 4, 4, 32}, kernels.Div: {3, .25, 1, 2},
	} {
		b.Binary(f, z, x, y.Expand(2, 2))
		nearAll(t, "binary", z, 0, want...)
		dz := tensor.Of([]float64{1, -2, 3, .5}, 2, 2)
		dx, dy := zeros(2, 2), zeros(2)
		b.BinaryGrad(f, 0, acc(dx), x, y.Expand(2, 2), dz)
		b.BinaryGrad(f, 1, acc(dy), x, y.Expand(2, 2), dz)
		loss := func() float64 { b.Binary(f, z, x, y.Expand(2, 2)); return dot(z, dz) }
		slopes(t, "binary, x", loss, x, dx, 1e-8)
		slopes(t, "binary, broadcast y", loss, y, dy, 1e-8)
	}
}

func TestReduce(t *testing.T) {
	x := tensor.Of([]float64{1, 2, 3, 4, 5, 6, 7, 8}, 2, 2, 2)
	y := zeros(2)
	b.Reduce(kernels.Reduce{Axes: []int{0, 2}}, y, x)
	nearAll(t, "sum", y, 0, 14, 22)
	b.Reduce(kernels.Reduce{Axes: []int{0, 2}, Mean: true}, y, x)
	nearAll(t, "mean", y, 0, 3.5, 5.5)
	dx := zeros(2, 2, 2)
	b.ReduceGrad(kernels.Reduce{Axes: []int{0, 2}, Mean: true}, acc(dx), tensor.Of([]float64{4, 8}, 1, 2, 1))
	nearAll(t, "gradient of the mean", dx, 0, 1, 1, 2, 2, 1, 1, 2, 2)
	sum := tensor.Scalar(1.)
	b.SumSquares(sum, tensor.Of([]float32{3, 4}, 2))
	nearAll(t, "sum of squares", sum, 0, 26)
	empty := zeros(3)
	b.Reduce(kernels.Reduce{Axes: []int{0}}, empty, zeros(0, 3))
	nearAll(t, "sum of nothing", empty, 0, 0, 0, 0)
}

func TestRows(t *testing.T) {
	x, index := tensor.Of([]float64{1, 2, 3, 4, 5, 6}, 3, 2), tensor.Of([]int64{2, 0, 2}, 3)
	y := zeros(3, 2)
	b.Gather(y, x, index)
	nearAll(t, "gather", y, 0, 5, 6, 1, 2, 5, 6)
	dx := zeros(3, 2)
	b.GatherGrad(acc(dx), index, tensor.Of([]float64{1, 2, 3, 4, 5, 6}, 3, 2))
	nearAll(t, "gather's gradient", dx, 0, 3, 4, 0, 0, 6, 8)
	b.OneHot(dx, tensor.Of([]int64{1, 0, 1}, 3))
	nearAll(t, "one-hot", dx, 0, 0, 1, 1, 0, 0, 1)
}

// Two steps of each optimizer, worked out by hand from PyTorch's formulas.
func TestUpdates(t *testing.T) {
	one := func(v float64) *tensor.Tensor { return tensor.Of([]float64{v}, 1) }
	w, v := one(1), one(math.NaN())
	p := kernels.SGD{LR: .1, Momentum: .9, Decay: .1, Nesterov: true, First: true}
	b.SGD(p, w, v, one(.5))
	nearAll(t, "nesterov, step 1", w, 1e-14, .886)
	p.First = false
	b.SGD(p, w, v, one(.5))
	nearAll(t, "nesterov, step 2", w, 1e-14, .725566)
	nearAll(t, "nesterov, velocity", v, 1e-14, 1.1286)

	w, v = one(1), one(0)
	p = kernels.SGD{LR: .1, Momentum: .9, Decay: .1}
	b.SGD(p, w, v, one(.5))
	b.SGD(p, w, v, one(.5)) // g = .594, v = .54+.594
	nearAll(t, "momentum, step 2", w, 1e-14, .94-.1134)
	w = one(1)
	b.SGD(kernels.SGD{LR: .1, Decay: .1}, w, nil, one(.5))
	nearAll(t, "plain", w, 1e-14, .94)

	w, m, v := one(1), one(0), one(0)
	a := kernels.AdamW{LR: .1, Beta1: .9, Beta2: .999, Eps: 1e-8, Decay: .01, Step: 1}
	b.AdamW(a, w, m, v, one(.5))
	nearAll(t, "adamw, step 1", w, 1e-12, .899000002)
	a.Step = 2
	b.AdamW(a, w, m, v, one(-1)) // m = -.055, v = .00124975
	nearAll(t, "adamw, step 2", w, 1e-8, .899000002*.999+.1*(.055/.19)/math.Sqrt(.00124975/.001999))
	nearAll(t, "adamw, m", m, 1e-14, -.055)
	nearAll(t, "adamw, v", v, 1e-14, .00124975)
}
