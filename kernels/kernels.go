package kernels

import (
	"math"
	"sync"

	"phase/tensor"
)

// A Backend computes on the tensors of one device.
type Backend interface {
	Device() tensor.Device
	String() string // for people: cpu avx512 x2
	Pointwise
	Linear
	Convolver
	Brancher
	Normalizer
	Pooler
	Reducer
	Indexer
	Classifier
	Updater
}

// An Acc is where a gradient kernel adds. When Fresh is set the memory behind
// T has not been cleared and counts as zero: the kernel then writes every
// element instead of adding, which saves a pass over memory. The zero Acc is a
// gradient that nobody wants.
type Acc struct {
	T     *tensor.Tensor
	Fresh bool
}

// Wanted reports whether anybody wants this gradient.
func (a Acc) Wanted() bool { return a.T != nil }

// Zeroed is the accumulator as a tensor to add to, cleared first if fresh.
func (a Acc) Zeroed() *tensor.Tensor {
	if a.Fresh {
		a.T.Zero()
	}
	return a.T
}

// Fn names an elementwise function of one number.
type Fn uint8

// The elementwise functions. GELU is the exact one, x·Φ(x).
const (
	ReLU Fn = iota
	Exp
	Log
	Tanh
	Sigmoid
	GELU
	Sqrt
	Rsqrt // 1/√x
	Square
	Abs
	NumFn
)

// Fn2 names an elementwise function of two numbers.
type Fn2 uint8

// The elementwise functions of two numbers.
const (
	Add Fn2 = iota
	Sub
	Mul
	Div
	NumFn2
)

// Affine describes y = Mul·x + Add.
type Affine struct{ Mul, Add float64 }

// Dropout describes the mask of a dropout layer: element i (in memory order)
// is dropped, with probability Rate, as a fixed function of (Seed, i);
// the others are divided by 1-Rate.
type Dropout struct {
	Rate float64
	Seed uint64
}

// Keep reports whether element i survives. It is a counter-based generator
// (the finaliser of SplitMix64 over Seed and i), so that every backend and any
// number of threads draw the same mask.
func (p Dropout) Keep(i int) bool {
	z := p.Seed + (uint64(i)+1)*0x9e3779b97f4a7c15
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	z ^= z >> 31
	return float64(z>>11)*0x1p-53 >= p.Rate
}

// Pointwise is elementwise work and copying.
type Pointwise interface {
	Map(f Fn, y, x *tensor.Tensor)
	MapGrad(f Fn, dx Acc, x, y, dy *tensor.Tensor) // dx += f'(x)·dy

	Affine(p Affine, y, x *tensor.Tensor)
	AXPY(a float64, y Acc, x *tensor.Tensor) // y += a·x

	// Binary computes z = f(x, y) for x, y of z's shape and any strides
	// (0 where they were broadcast); z is packed.
	Binary(f Fn2, z, x, y *tensor.Tensor)
	// BinaryGrad adds ∂f/∂x·dz (arg 0) or ∂f/∂y·dz (arg 1) to d, a packed
	// tensor that may have extent 1, or fewer leading axes, where the argument
	// was broadcast; there it receives the sum. x, y as in Binary.
	BinaryGrad(f Fn2, arg int, d Acc, x, y, dz *tensor.Tensor)

	Copy(dst, src *tensor.Tensor)       // any strides on both sides, one shape, any dtype
	CopyGrad(dx, dy *tensor.Tensor)     // dx += dy, any strides on both sides; stride 0 in dx sums
	Cast(y, x *tensor.Tensor)           // y = x, rounded to y's dtype, any float dtypes
	CastGrad(dx Acc, dy *tensor.Tensor) // dx += dy
	Dropout(p Dropout, y, x *tensor.Tensor)
	DropoutGrad(p Dropout, dx Acc, dy *tensor.Tensor)
}

// Gemm says what to multiply: C = op(A)·op(B), added to C when Add is set.
type Gemm struct {
	TransA, TransB bool
	Add            bool
}

// Linear is matrix multiplication of row-major matrices.
type Linear interface {
	// Gemm computes c (m,n) from op(a) (m,k) and op(b) (k,n).
	Gemm(g Gemm, c, a, b *tensor.Tensor)
}

// Conv2D describes a convolution with square parameters. The zero value means
// stride 1, no padding, dilation 1, one group.
type Conv2D struct{ Stride, Pad, Dilation, Groups int }

// S is the stride, at least 1.
func (p Conv2D) S() int { return max(p.Stride, 1) }

// D is the dilation, at least 1.
func (p Conv2D) D() int { return max(p.Dilation, 1) }

// G is the number of groups, at least 1.
func (p Conv2D) G() int { return max(p.Groups, 1) }

// Out is the output extent for an input of extent n and a filter of extent k.
func (p Conv2D) Out(n, k int) int { return places(n+2*p.Pad-p.D()*(k-1)-1, p.S()) }

// places is how many steps, each of the stride, fit into the room that a window
// has to move in, counting the first: none where it does not fit at all.
func places(room, stride int) int {
	if room < 0 {
		return 0
	}
	return room/stride + 1
}

// Convolver is two-dimensional cross-correlation. x (n,c,h,w) and y
// (n,o,h',w') are channels-last, w (o,c/groups,r,s) is row-major.
type Convolver interface {
	Conv2D(p Conv2D, y, x, w *tensor.Tensor)
	Conv2DGradX(p Conv2D, dx Acc, w, dy *tensor.Tensor)
	Conv2DGradW(p Conv2D, dw Acc, x, dy *tensor.Tensor)
}

// A Side is what of y = x ⋆ w a kernel computes.
type Side uint8

// The sides.
const (
	SideY Side = iota // Conv2D
	SideX             // Conv2DGradX
	SideW             // Conv2DGradW
)

// A Describer is a Backend that can say by which algorithm and kernels it would
// compute: for people and profiles. The tensors are those of the call; a gradient
// has the shape of its value.
type Describer interface {
	DescribeConv2D(s Side, p Conv2D, y, x, w *tensor.Tensor) string
	DescribeGemm(g Gemm, c, a, b *tensor.Tensor) string
}

// BatchNorm describes batch normalisation, y = γ(x-μ)/√(σ²+Eps) + β, over all
// axes but the second of x, which is channels-last (n,c,h,w) or row-major
// (n,c). If ReLU is set then y = max(0, ·); a residual, where given, is added
// before that.
type BatchNorm struct {
	Eps  float64
	ReLU bool
}

// Normalizer is batch normalisation. gamma, beta, mean and variance are (c);
// variance is the biased one, Σ(x-μ)²/m. residual (of x's shape) may be nil.
type Normalizer interface {
	// BatchNorm normalises by the batch's own statistics and leaves them in
	// mean and variance.
	BatchNorm(p BatchNorm, y, mean, variance, x, gamma, beta, residual *tensor.Tensor)
	// BatchNormGrad is its derivative, through the statistics too; y is the
	// output, which says where ReLU cut.
	BatchNormGrad(p BatchNorm, dx, dgamma, dbeta, dresidual Acc, x, y, gamma, mean, variance, dy *tensor.Tensor)
	// BatchNormEval normalises by the given, constant statistics.
	BatchNormEval(p BatchNorm, y, x, gamma, beta, mean, variance, residual *tensor.Tensor)
	// BatchNormEvalGrad is its derivative with the statistics held.
	BatchNormEvalGrad(p BatchNorm, dx, dgamma, dbeta, dresidual Acc, x, y, gamma, mean, variance, dy *tensor.Tensor)
}

// Pool2D describes pooling with a square window. The zero stride means Size.
// Padding counts as -Inf for the maximum and as zeros, which are counted, for
// the average (PyTorch's defaults).
type Pool2D struct{ Size, Stride, Pad int }

// S is the stride.
func (p Pool2D) S() int {
	if p.Stride > 0 {
		return p.Stride
	}
	return p.Size
}

// Out is the output extent for an input of extent n.
func (p Pool2D) Out(n int) int { return places(n+2*p.Pad-p.Size, p.S()) }

// Pooler is pooling over channels-last images.
type Pooler interface {
	// MaxPool keeps in arg (I64, y's shape and memory form) where in its plane,
	// as i·w+j, each maximum stands; the first wins, and a NaN always does.
	MaxPool(p Pool2D, y, arg, x *tensor.Tensor)
	MaxPoolGrad(p Pool2D, dx Acc, arg, dy *tensor.Tensor)
	AvgPool(p Pool2D, y, x *tensor.Tensor)
	AvgPoolGrad(p Pool2D, dx Acc, dy *tensor.Tensor)
	// GlobalAvgPool is the mean over h and w: y (n,c) from x (n,c,h,w).
	GlobalAvgPool(y, x *tensor.Tensor)
	GlobalAvgPoolGrad(dx Acc, dy *tensor.Tensor)
}

// Reduce describes a sum, or with Mean an average, over Axes, which are
// ascending. The reduced axes are kept with extent 1 in the output's shape or
// dropped from it: the kernel only sees that the sizes agree.
type Reduce struct {
	Axes []int
	Mean bool
}

// Reducer sums over axes of row-major tensors.
type Reducer interface {
	Reduce(p Reduce, y, x *tensor.Tensor)
	ReduceGrad(p Reduce, dx Acc, dy *tensor.Tensor)
	// SumSquares adds Σx² to the one element of dst, which is F64.
	SumSquares(dst, x *tensor.Tensor)
}

// Indexer picks rows.
type Indexer interface {
	// Gather is y[i,...] = x[index[i],...].
	Gather(y, x, index *tensor.Tensor)
	GatherGrad(dx Acc, index, dy *tensor.Tensor)
	// OneHot is y[i,j] = 1 where j = label[i], else 0.
	OneHot(y, label *tensor.Tensor)
}

// Form is how a SoftmaxLoss reads the modulation A of the PHASE paper.
type Form uint8

// The forms. With p = softmax(x) and label y:
//
//	ASL  A_y = (1-p_y)^γ+, A_j = p_j^γ-; loss -Σ_j s_j A_j log p_j. What
//	     ASLSingleLabel computes, and the default.
//	Eq3  A_j = (1-p_j)^γ± with the same loss: Eq 3 as printed, which contradicts
//	     Eq 2.
//	Eq1  loss -A_y log p_y - Σ_{j≠y} p_j^γ- log(1-p_j): Eq 1, binary negatives,
//	     no smoothing.
const (
	ASL Form = iota
	Eq3
	Eq1
)

// SoftmaxLoss describes the loss -Σ_j s_j·A_j·log p_j of a row of logits, with
// s the one-hot label smoothed by Smooth: s_y = 1-ε+ε/C, s_j = ε/C. The zero
// value is plain cross-entropy, {0,0,ε} is label smoothing, {γ,·,0} focal
// loss, {1,4,.1} the paper's DAW. The exponents go by the hard label and the
// gradient flows through A unless Detach is set.
type SoftmaxLoss struct {
	GammaPos, GammaNeg float64
	Smooth             float64
	Form               Form
	Detach             bool
}

// Classifier is softmax and what is built on it. x is (n,k), row-major.
type Classifier interface {
	LogSoftmax(y, x *tensor.Tensor) // over the last axis, any number of rows
	LogSoftmaxGrad(dx Acc, y, dy *tensor.Tensor)
	// SoftmaxLoss writes loss[i] = weight[i]·(the loss of row i) and its slope
	// ∂loss[i]/∂x (n,k), for which everything is at hand.
	SoftmaxLoss(p SoftmaxLoss, loss, slope, x, label, weight *tensor.Tensor)
	// SoftmaxLossGrad is dx_ij += dloss_i·slope_ij.
	SoftmaxLossGrad(dx Acc, slope, dloss *tensor.Tensor)
}

// SGD describes stochastic gradient descent as PyTorch does it: g += Decay·w;
// v = Momentum·v + g (v = g when First); then w -= LR·v, or with Nesterov
// w -= LR·(g + Momentum·v).
type SGD struct {
	LR, Momentum, Decay float64
	Nesterov            bool
	First               bool // the first step: v holds nothing yet
}

// AdamW describes one step of Adam with decoupled weight decay; Step counts
// from 1.
type AdamW struct {
	LR, Beta1, Beta2, Eps, Decay float64
	Step                         int
}

// Rescale describes adding a part x of a vector whose whole is brought to a length:
//
//	y += a·x,  a = Length/(√squares + Eps),  with Shrink at most 1
//
// Squares is what SumSquares made of the vector: one element, F64, where x is. That a
// is found there spares the host a wait for it.
type Rescale struct {
	Length, Eps float64
	Shrink      bool
}

// By is the factor a for a vector of so large a sum of squares; NaN for NaN.
func (p Rescale) By(squares float64) float64 {
	a := p.Length / (math.Sqrt(squares) + p.Eps)
	if p.Shrink {
		a = min(a, 1)
	}
	return a
}

// Updater changes parameters in place. g is the gradient and is not changed.
type Updater interface {
	SGD(p SGD, w, v, g *tensor.Tensor) // v is nil when Momentum is 0
	AdamW(p AdamW, w, m, v, g *tensor.Tensor)
	Rescale(p Rescale, y Acc, x, squares *tensor.Tensor) // where y is fresh it may be x itself
}

// ManyUpdater is a backend that moves or copies many parameters at once, which saves
// it the calls. All are of one dtype.
type ManyUpdater interface {
	SGDMany(p SGD, w, v, g []*tensor.Tensor)                                          // SGD for each w, v and g of the same index; v is nil when Momentum is 0
	CopyMany(to, from []*tensor.Tensor)                                               // Copy for each pair of the same index
	RescaleMany(p Rescale, fresh bool, y, x []*tensor.Tensor, squares *tensor.Tensor) // Rescale for each y and x of the same index
	SumSquaresMany(dst *tensor.Tensor, x []*tensor.Tensor)                            // SumSquares of each
}

// ImageMaker is a backend that makes training images of bytes in its own memory, so
// that they need not be brought to it for every step.
type ImageMaker interface {
	// Images makes y (n,c,h,w). bytes is I64 whose memory is read as bytes, from the
	// lowest of an element: images of (h,w,c) side by side. pick (n,4) is I64 and
	// says of each of y's images which one it is, how many rows and columns further
	// down and right its first pixel stands there, and whether (1) it is flipped left
	// to right; beyond the border all is black, byte 0. table (c,256) in F32 says what
	// number each byte is.
	Images(y, bytes, pick, table *tensor.Tensor)
}

var registry struct {
	sync.RWMutex
	byDevice map[string]Backend
}

// Register makes b the backend of its device. Backends call it from init; a
// later call replaces an earlier one.
func Register(b Backend) {
	registry.Lock()
	defer registry.Unlock()
	if registry.byDevice == nil {
		registry.byDevice = map[string]Backend{}
	}
	registry.byDevice[b.Device().String()] = b
}

// For returns the backend that computes on t's device.
func For(t *tensor.Tensor) Backend {
	b := Registered(t.Device())
	if b == nil {
		panic(tensor.Errorf("kernels", "no backend for device %v: import one, or correct the variant that PHASE_CPU names", t.Device()))
	}
	return b
}

// Registered is the backend of a device, nil if it has none.
func Registered(d tensor.Device) Backend {
	registry.RLock()
	defer registry.RUnlock()
	return registry.byDevice[d.String()]
}
