package kerneltest

import (
	"fmt"
	"math"
	"runtime"
	"strings"
	"testing"
	"unsafe"

	"phase/kernels"
	"phase/kernels/ref"
	"phase/tensor"
)

// Each of these backends is ref with one mistake in it. The suite must see
// every one, and see it in the method that has it.
type (
	overwrites   struct{ ref.Backend } // gradients overwrite instead of adding
	trustsFresh  struct{ ref.Backend } // adds to a fresh accumulator
	needsAll     struct{ ref.Backend } // cannot do without a gradient nobody wants
	unbiased     struct{ ref.Backend } // variance over m-1
	onePass      struct{ ref.Backend } // variance as E[x²]-μ² in float32
	heldStats    struct{ ref.Backend } // training gradient without the statistics
	deafReLU     struct{ ref.Backend } // gradient passes where ReLU cut
	shiftedPad   struct{ ref.Backend } // one row of padding too many
	oddDilation  struct{ ref.Backend } // dilation ignored
	oneGroup     struct{ ref.Backend } // first group's channels for all groups
	mirrored     struct{ ref.Backend } // convolution instead of cross-correlation
	swapped      struct{ ref.Backend } // the second operand not transposed
	decayLate    struct{ ref.Backend } // weight decay after momentum
	readsFirst   struct{ ref.Backend } // velocity read in the first step
	stepZero     struct{ ref.Backend } // Adam's bias correction one step behind
	pastTheEnd   struct{ ref.Backend } // writes one element too many
	readsPast    struct{ ref.Backend } // adds the element after the end
	shortTail    struct{ ref.Backend } // forgets the last odd element
	scribbles    struct{ ref.Backend } // uses its input as scratch
	wrongForm    struct{ ref.Backend } // Eq 3 where ASL was asked
	heldWeights  struct{ ref.Backend } // modulation taken as a constant
	hugeLogits   struct{ ref.Backend } // softmax without subtracting the maximum
	lastWins     struct{ ref.Backend } // of equal maxima the last
	hidesNaN     struct{ ref.Backend } // maximum skips NaN
	realCount    struct{ ref.Backend } // average over the pixels inside only
	lastIndex    struct{ ref.Backend } // rows picked twice receive the last
	sumForMean   struct{ ref.Backend } // the mean's gradient not divided
	manyThreads  struct{ ref.Backend } // sum depends on GOMAXPROCS
	logicalOrder struct{ ref.Backend } // dropout's mask by the row-major index
	firstRow     struct{ ref.Backend } // copies the first image only
	coarse       struct{ ref.Backend } // float32 results rounded to bfloat16
	panics       struct{ ref.Backend }
)

func (overwrites) Conv2DGradW(p kernels.Conv2D, dw kernels.Acc, x, dy *tensor.Tensor) {
	dw.Fresh = true
	ref.Backend{}.Conv2DGradW(p, dw, x, dy)
}

func (overwrites) Gemm(g kernels.Gemm, c, a, b *tensor.Tensor) {
	g.Add = false
	ref.Backend{}.Gemm(g, c, a, b)
}

func (overwrites) SumSquares(dst, x *tensor.Tensor) {
	dst.Zero()
	ref.Backend{}.SumSquares(dst, x)
}

func (trustsFresh) AXPY(a float64, y kernels.Acc, x *tensor.Tensor) {
	y.Fresh = false
	ref.Backend{}.AXPY(a, y, x)
}

func (b needsAll) BatchNormGrad(p kernels.BatchNorm, dx, dgamma, dbeta, dres kernels.Acc, x, y, gamma, mean, variance, dy *tensor.Tensor) {
	_ = dbeta.T.Size()
	b.Backend.BatchNormGrad(p, dx, dgamma, dbeta, dres, x, y, gamma, mean, variance, dy)
}

func (b unbiased) BatchNorm(p kernels.BatchNorm, y, mean, variance, x, gamma, beta, residual *tensor.Tensor) {
	b.Backend.BatchNorm(p, y, mean, variance, x, gamma, beta, residual)
	if m := float64(x.Size() / x.Dim(1)); m > 1 {
		b.Affine(kernels.Affine{Mul: m / (m - 1)}, variance, variance)
	}
}

func (b onePass) BatchNorm(p kernels.BatchNorm, y, mean, variance, x, gamma, beta, residual *tensor.Tensor) {
	b.Backend.BatchNorm(p, y, mean, variance, x, gamma, beta, residual)
	if x.DType() != tensor.F32 || x.Size() == 0 {
		return
	}
	v := tensor.Data[float32](variance)
	for c, μ := range tensor.Data[float32](mean) {
		var sum float32
		for _, a := range tensor.Values(x.Slice(1, c, c+1, 1)) {
			sum += float32(a) * float32(a)
		}
		v[c] = sum/float32(x.Size()/x.Dim(1)) - μ*μ
	}
}

func (b heldStats) BatchNormGrad(p kernels.BatchNorm, dx, dgamma, dbeta, dres kernels.Acc, x, y, gamma, mean, variance, dy *tensor.Tensor) {
	b.BatchNormEvalGrad(p, dx, dgamma, dbeta, dres, x, y, gamma, mean, variance, dy)
}

func (b deafReLU) BatchNormEvalGrad(p kernels.BatchNorm, dx, dgamma, dbeta, dres kernels.Acc, x, y, gamma, mean, variance, dy *tensor.Tensor) {
	p.ReLU = false
	b.Backend.BatchNormEvalGrad(p, dx, dgamma, dbeta, dres, x, y, gamma, mean, variance, dy)
}

// shifted is x moved down by one pixel, as a border too wide would.
func shifted(x *tensor.Tensor) *tensor.Tensor {
	y := tensor.Like(x)
	if h := x.Dim(2); h > 1 {
		ref.Backend{}.Copy(y.Slice(2, 1, h, 1), x.Slice(2, 0, h-1, 1))
	}
	return y
}

func (b shiftedPad) Conv2D(p kernels.Conv2D, y, x, w *tensor.Tensor) {
	if p.Pad > 0 {
		x = shifted(x)
	}
	b.Backend.Conv2D(p, y, x, w)
}

func (b oddDilation) Conv2DGradX(p kernels.Conv2D, dx kernels.Acc, w, dy *tensor.Tensor) {
	p.Dilation = 1
	b.Backend.Conv2DGradX(p, dx, w, dy)
}

func (b oneGroup) Conv2D(p kernels.Conv2D, y, x, w *tensor.Tensor) {
	if p.G() > 1 {
		p.Groups, x = 1, x.Slice(1, 0, w.Dim(1), 1)
	}
	b.Backend.Conv2D(p, y, x, w)
}

func (b mirrored) Conv2D(p kernels.Conv2D, y, x, w *tensor.Tensor) {
	if w.DType() == tensor.F64 {
		m := tensor.Contiguous[float64](w)
		n, k := w.Dim(2)*w.Dim(3), tensor.Data[float64](w)
		for i := range k {
			tensor.Data[float64](m)[i] = k[i/n*n+n-1-i%n]
		}
		w = m
	}
	b.Backend.Conv2D(p, y, x, w)
}

func (b swapped) Gemm(g kernels.Gemm, c, x, y *tensor.Tensor) {
	if g.TransB {
		y, g.TransB = y.Reshape(y.Dim(1), y.Dim(0)), false
	}
	b.Backend.Gemm(g, c, x, y)
}

func (b decayLate) SGD(p kernels.SGD, w, v, g *tensor.Tensor) {
	decay := p.Decay
	p.Decay = 0
	b.Affine(kernels.Affine{Mul: 1 - p.LR*decay}, w, w)
	b.Backend.SGD(p, w, v, g)
}

func (b readsFirst) SGD(p kernels.SGD, w, v, g *tensor.Tensor) {
	p.First = false
	b.Backend.SGD(p, w, v, g)
}

func (b stepZero) AdamW(p kernels.AdamW, w, m, v, g *tensor.Tensor) {
	p.Step++
	b.Backend.AdamW(p, w, m, v, g)
}

// after is the float32 beyond the end of a tensor's memory, where the suite
// keeps canaries.
func after(t *tensor.Tensor) *float32 {
	d := tensor.Data[float32](t)
	return (*float32)(unsafe.Add(unsafe.Pointer(unsafe.SliceData(d)), 4*len(d)))
}

func (b pastTheEnd) Map(f kernels.Fn, y, x *tensor.Tensor) {
	b.Backend.Map(f, y, x)
	if y.DType() == tensor.F32 && y.Size()%8 == 7 {
		*after(y) = 0
	}
}

func (b readsPast) SumSquares(dst, x *tensor.Tensor) {
	b.Backend.SumSquares(dst, x)
	if x.DType() == tensor.F32 && x.Size()%2 == 1 {
		tensor.Data[float64](dst)[0] += float64(*after(x))
	}
}

func (b shortTail) Affine(p kernels.Affine, y, x *tensor.Tensor) {
	n := x.Size() &^ 1
	if x.Dims() == 1 {
		y, x = y.Slice(0, 0, n, 1), x.Slice(0, 0, n, 1)
	}
	b.Backend.Affine(p, y, x)
}

func (b scribbles) LogSoftmax(y, x *tensor.Tensor) {
	b.Backend.LogSoftmax(x, x)
	b.Copy(y, x)
}

func (b wrongForm) SoftmaxLoss(p kernels.SoftmaxLoss, loss, slope, x, label, weight *tensor.Tensor) {
	if p.Form == kernels.ASL {
		p.Form = kernels.Eq3
	}
	b.Backend.SoftmaxLoss(p, loss, slope, x, label, weight)
}

func (b heldWeights) SoftmaxLoss(p kernels.SoftmaxLoss, loss, slope, x, label, weight *tensor.Tensor) {
	p.Detach = true
	b.Backend.SoftmaxLoss(p, loss, slope, x, label, weight)
}

func (b hugeLogits) LogSoftmax(y, x *tensor.Tensor) {
	b.Backend.LogSoftmax(y, x)
	if y.DType() != tensor.F64 || y.Dims() != 2 {
		return
	}
	v, xs, k := tensor.Data[float64](y), tensor.Data[float64](x), y.Dim(1)
	for i := range v {
		sum := 0.
		for _, a := range xs[i/k*k : i/k*k+k] {
			sum += math.Exp(a)
		}
		v[i] = xs[i] - math.Log(sum)
	}
}

func (b lastWins) MaxPool(p kernels.Pool2D, y, arg, x *tensor.Tensor) {
	b.Backend.MaxPool(p, y, arg, x)
	args, w := tensor.Data[int64](arg), x.Dim(3)
	for k, c := range args {
		if int(c)%w+1 < w && p.Size > 1 && p.Pad == 0 && p.S() >= p.Size {
			n, ch := k/(y.Dim(1)*y.Dim(2)*y.Dim(3)), k%y.Dim(1)
			j := k / y.Dim(1) % y.Dim(3)
			v := tensor.Values(x.Slice(0, n, n+1, 1).Slice(1, ch, ch+1, 1))
			if next := int(c)%w + 1; next < j*p.S()+p.Size && v[c+1] == v[c] {
				args[k]++
			}
		}
	}
}

func (b hidesNaN) MaxPool(p kernels.Pool2D, y, arg, x *tensor.Tensor) {
	clean := tensor.Like(x)
	b.Copy(clean, x)
	if x.DType() == tensor.F64 {
		for i, v := range tensor.Data[float64](clean) {
			if math.IsNaN(v) {
				tensor.Data[float64](clean)[i] = math.Inf(-1)
			}
		}
	}
	b.Backend.MaxPool(p, y, arg, clean)
}

func (b realCount) AvgPool(p kernels.Pool2D, y, x *tensor.Tensor) {
	b.Backend.AvgPool(p, y, x)
	ones, count := tensor.Like(x), tensor.Like(y)
	b.Affine(kernels.Affine{Add: 1}, ones, ones)
	b.Backend.AvgPool(p, count, ones)
	b.Binary(kernels.Div, y, y, count)
}

func (b lastIndex) GatherGrad(dx kernels.Acc, index, dy *tensor.Tensor) {
	if dx.Fresh {
		dx.T.Zero()
	}
	rows := tensor.Values(index)
	for i, r := range rows {
		b.CopyGrad(dx.T.Slice(0, int(r), int(r)+1, 1), dy.Slice(0, i, i+1, 1))
		for _, earlier := range rows[:i] {
			if earlier == r {
				b.Copy(dx.T.Slice(0, int(r), int(r)+1, 1), dy.Slice(0, i, i+1, 1))
			}
		}
	}
}

func (b sumForMean) ReduceGrad(p kernels.Reduce, dx kernels.Acc, dy *tensor.Tensor) {
	p.Mean = false
	b.Backend.ReduceGrad(p, dx, dy)
}

func (b manyThreads) SumSquares(dst, x *tensor.Tensor) {
	old := tensor.Values(dst)[0]
	b.Backend.SumSquares(dst, x)
	if runtime.GOMAXPROCS(0) > 1 && x.Size() > 1 {
		d := tensor.Data[float64](dst)
		d[0] = math.Nextafter(d[0], old)
	}
}

func (b logicalOrder) Dropout(p kernels.Dropout, y, x *tensor.Tensor) {
	if x.DType() == tensor.F32 {
		b.Backend.Dropout(p, y, tensor.Contiguous[float32](x))
	} else {
		b.Backend.Dropout(p, y, tensor.Contiguous[float64](x))
	}
}

func (b firstRow) Copy(dst, src *tensor.Tensor) {
	if dst.Dims() == 4 && dst.Dim(0) == 2 && src.Strides()[0] != 0 {
		src = src.Slice(0, 0, 1, 1).Expand(src.Shape()...)
	}
	b.Backend.Copy(dst, src)
}

func (b coarse) GlobalAvgPool(y, x *tensor.Tensor) {
	b.Backend.GlobalAvgPool(y, x)
	if y.DType() == tensor.F32 {
		for i, v := range tensor.Data[float32](y) {
			tensor.Data[float32](y)[i] = math.Float32frombits(math.Float32bits(v) &^ 0xffff)
		}
	}
}

func (panics) OneHot(y, label *tensor.Tensor) { panic("lost") }

// recorder is a test that only remembers.
type recorder []string

func (r *recorder) Errorf(format string, args ...any) { *r = append(*r, fmt.Sprintf(format, args...)) }
func (r *recorder) Helper()                           {}

func TestSuiteSeesPlantedMistakes(t *testing.T) {
	all := calls()
	for _, v := range []struct {
		b              kernels.Backend
		method, report string // the method that is wrong, and what the report says
	}{
		{overwrites{}, "Conv2DGradW", "grad0"}, {overwrites{}, "Gemm", "grad0"}, {overwrites{}, "SumSquares", "sum0"},
		{trustsFresh{}, "AXPY", "fresh accumulator"}, {needsAll{}, "BatchNormGrad", "not wanted: panic"},
		{unbiased{}, "BatchNorm", "out2"}, {onePass{}, "BatchNorm", "mean 100"}, {heldStats{}, "BatchNormGrad", "grad0"},
		{deafReLU{}, "BatchNormEvalGrad", "ReLU:true"}, {shiftedPad{}, "Conv2D", "out0"}, {oddDilation{}, "Conv2DGradX", "Dilation:2"},
		{oneGroup{}, "Conv2D", "Groups:"}, {mirrored{}, "Conv2D", "f64"}, {swapped{}, "Gemm", "transposed 1"},
		{decayLate{}, "SGD", "Decay:0.01"}, {readsFirst{}, "SGD", "First:true"}, {stepZero{}, "AdamW", "Step:"},
		{pastTheEnd{}, "Map", "wrote outside out0"}, {readsPast{}, "SumSquares", "got NaN"}, {shortTail{}, "Affine", "got NaN"},
		{scribbles{}, "LogSoftmax", "changed its input in1"}, {wrongForm{}, "SoftmaxLoss", "Form:0"}, {heldWeights{}, "SoftmaxLoss", "Detach:false"},
		{hugeLogits{}, "LogSoftmax", "1e4"}, {lastWins{}, "MaxPool", "arg1"}, {hidesNaN{}, "MaxPool", "want NaN"},
		{realCount{}, "AvgPool", "Pad:1"}, {lastIndex{}, "GatherGrad", "grad0"}, {sumForMean{}, "ReduceGrad", "mean true"},
		{manyThreads{}, "SumSquares", "GOMAXPROCS"}, {logicalOrder{}, "Dropout", "images"}, {firstRow{}, "Copy", "state0"},
		{coarse{}, "GlobalAvgPool", "out0"}, {panics{}, "OneHot", "panic: lost"},
	} {
		var seen recorder
		check(&seen, v.b, Tolerance{}, ofMethod(all, v.method))
		if !strings.Contains(strings.Join(seen, "\n"), v.report) {
			t.Errorf("%T: want a report of %s that says %q, got:\n%s", v.b, v.method, v.report, strings.Join(seen, "\n"))
		}
	}
}

func TestMissingMethodsAreNamed(t *testing.T) {
	all := calls()
	if m := missing(all); len(m) > 0 {
		t.Errorf("no calls of %v", m)
	}
	if m := missing(all[1:]); len(m) > 0 {
		t.Errorf("one call less, and %v are missing", m)
	}
	var rest []call
	for _, c := range all {
		if c.method != "Conv2DGradW" {
			rest = append(rest, c)
		}
	}
	if m := missing(rest); len(m) != 1 || m[0] != "Conv2DGradW" {
		t.Errorf("without the calls of Conv2DGradW, missing are %v", m)
	}
}
