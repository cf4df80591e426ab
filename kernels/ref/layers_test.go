package ref

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"gonum.org/v1/gonum/blas"
	"gonum.org/v1/gonum/blas/blas64"

	"phase/kernels"
	"phase/tensor"
)

// gonum is the second witness for the product of matrices.
func TestGemmAgreesWithGonum(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 50 {
		m, n, k := 1+r.IntN(9), 1+r.IntN(9), 1+r.IntN(9)
		g := kernels.Gemm{TransA: r.IntN(2) == 0, TransB: r.IntN(2) == 0, Add: r.IntN(2) == 0}
		x, y, z := normal(r, m, k), normal(r, k, n), normal(r, m, n)
		ta, tb, beta := blas.NoTrans, blas.NoTrans, 0.
		if g.TransA {
			x, ta = normal(r, k, m), blas.Trans
		}
		if g.TransB {
			y, tb = normal(r, n, k), blas.Trans
		}
		if g.Add {
			beta = 1
		}
		general := func(t *tensor.Tensor) blas64.General {
			return blas64.General{Rows: t.Dim(0), Cols: t.Dim(1), Stride: t.Dim(1), Data: tensor.Values(t)}
		}
		want := general(z)
		blas64.Gemm(ta, tb, 1, general(x), general(y), beta, want)
		b.Gemm(g, z, x, y)
		nearAll(t, fmt.Sprintf("%+v %dx%dx%d", g, m, n, k), z, 1e-13, want.Data...)
	}
}

// A filter that is not symmetric tells cross-correlation from convolution: the
// mirrored filter would give 23 first.
func TestConvByHand(t *testing.T) {
	x := tensor.Of([]float64{1, 2, 3, 4, 5, 6, 7, 8, 9}, 1, 1, 3, 3)
	w := tensor.Of([]float64{1, 2, 3, 4}, 1, 1, 2, 2)
	y := zeros(1, 1, 2, 2)
	b.Conv2D(kernels.Conv2D{}, y, x, w)
	nearAll(t, "value", y, 0, 37, 47, 67, 77)
	dy := tensor.Of([]float64{1, 0, 0, 10}, 1, 1, 2, 2)
	dx, dw := zeros(1, 1, 3, 3), zeros(1, 1, 2, 2)
	b.Conv2DGradX(kernels.Conv2D{}, acc(dx), w, dy)
	nearAll(t, "by x", dx, 0, 1, 2, 0, 3, 14, 20, 0, 30, 40)
	b.Conv2DGradW(kernels.Conv2D{}, acc(dw), x, dy)
	nearAll(t, "by w", dw, 0, 51, 62, 84, 95)
}

// Another way to the same numbers: x is copied into a padded box, each group is
// cut out, and the filter slides without any test of borders. The derivatives
// are the adjoints: ⟨dy, conv(x,w)⟩ = ⟨dx, x⟩ = ⟨dw, w⟩ for every x and w.
func TestConvAgreesWithPaddedBox(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	for range 60 {
		p := kernels.Conv2D{Stride: r.IntN(4), Pad: r.IntN(3), Dilation: r.IntN(3), Groups: 1 + r.IntN(3)}
		n, c, o, h, wd := 1+r.IntN(2), p.G()*(1+r.IntN(2)), p.G()*(1+r.IntN(2)), 5+r.IntN(4), 5+r.IntN(4)
		kh, kw := 1+r.IntN(3), 1+r.IntN(3)
		x, w := tensor.OfImages(tensor.Values(normal(r, n*c*h*wd)), n, c, h, wd), normal(r, o, c/p.G(), kh, kw)
		y := tensor.NewImages(tensor.CPU, tensor.F64, n, o, p.Out(h, kh), p.Out(wd, kw))
		b.Conv2D(p, y, x, w)

		box := zeros(n, c, h+2*p.Pad, wd+2*p.Pad)
		b.Copy(box.Slice(2, p.Pad, p.Pad+h, 1).Slice(3, p.Pad, p.Pad+wd, 1), x)
		ys := tensor.Values(y)
		for k := range ys {
			in, io, i, j := k/(o*y.Dim(2)*y.Dim(3)), k/(y.Dim(2)*y.Dim(3))%o, k/y.Dim(3)%y.Dim(2), k%y.Dim(3)
			group := io * p.G() / o
			window := box.Slice(0, in, in+1, 1).Slice(1, group*c/p.G(), (group+1)*c/p.G(), 1).
				Slice(2, i*p.S(), i*p.S()+p.D()*(kh-1)+1, p.D()).Slice(3, j*p.S(), j*p.S()+p.D()*(kw-1)+1, p.D())
			near(t, fmt.Sprintf("%+v x %v w %v", p, x.Shape(), w.Shape()), ys[k], dot(window, w.Slice(0, io, io+1, 1)), 1e-13)
		}
		dy, dx, dw := normal(r, y.Shape()...), like(x), like(w)
		b.Conv2DGradX(p, acc(dx), w, dy)
		b.Conv2DGradW(p, acc(dw), x, dy)
		near(t, "adjoint by x", dot(dx, x), dot(dy, y), 1e-12)
		near(t, "adjoint by w", dot(dw, w), dot(dy, y), 1e-12)
	}
}

func TestBatchNormByHand(t *testing.T) {
	// Channel 0 holds 1 2 3 6: mean 3, variance 14/4. Channel 1 holds 5s.
	x := tensor.Of([]float64{1, 5, 2, 5, 3, 5, 6, 5}, 4, 2)
	y, mean, variance := zeros(4, 2), zeros(2), zeros(2)
	gamma, beta := tensor.Of([]float64{2, 3}, 2), tensor.Of([]float64{.5, -1}, 2)
	b.BatchNorm(kernels.BatchNorm{Eps: .5}, y, mean, variance, x, gamma, beta, nil)
	nearAll(t, "mean", mean, 1e-15, 3, 5)
	nearAll(t, "variance", variance, 1e-15, 3.5, 0)
	nearAll(t, "y", y, 1e-14, -1.5, -1, -.5, -1, .5, -1, 3.5, -1)
	b.BatchNorm(kernels.BatchNorm{Eps: .5, ReLU: true}, y, mean, variance, x, gamma, beta, tensor.Of([]float64{1, 2, 1, 2, 1, 2, 1, 0}, 4, 2))
	nearAll(t, "y with residual and relu", y, 1e-14, 0, 1, .5, 1, 1.5, 1, 4.5, 0)
	b.BatchNormEval(kernels.BatchNorm{Eps: 1}, y, x, gamma, beta, tensor.Of([]float64{1, 5}, 2), tensor.Of([]float64{3, 0}, 2), nil)
	nearAll(t, "y in evaluation", y, 1e-14, .5, -1, 1.5, -1, 2.5, -1, 5.5, -1)
}

func TestBatchNormGradients(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	for _, shape := range [][]int{{6, 3}, {2, 3, 2, 2}} {
		for _, relu := range []bool{false, true} {
			p := kernels.BatchNorm{Eps: 1e-3, ReLU: relu}
			x, residual, y, dy := normal(r, shape...), normal(r, shape...), zeros(shape...), normal(r, shape...)
			gamma, beta, mean, variance := normal(r, 3), normal(r, 3), zeros(3), zeros(3)
			dx, dres, dgamma, dbeta := zeros(shape...), zeros(shape...), zeros(3), zeros(3)
			check := func(f func() float64) {
				t.Helper()
				slopes(t, "x", f, x, dx, 1e-7)
				slopes(t, "gamma", f, gamma, dgamma, 1e-7)
				slopes(t, "beta", f, beta, dbeta, 1e-7)
				slopes(t, "residual", f, residual, dres, 1e-7)
			}
			train := func() float64 {
				b.BatchNorm(p, y, mean, variance, x, gamma, beta, residual)
				return dot(y, dy)
			}
			train()
			b.BatchNormGrad(p, acc(dx), acc(dgamma), acc(dbeta), acc(dres), x, y, gamma, mean, variance, dy)
			check(train)
			for _, d := range []*tensor.Tensor{dx, dgamma, dbeta, dres} {
				d.Zero()
			}
			μ, σ2 := normal(r, 3), tensor.Of([]float64{.5, 1, 2}, 3)
			eval := func() float64 { b.BatchNormEval(p, y, x, gamma, beta, μ, σ2, residual); return dot(y, dy) }
			eval()
			b.BatchNormEvalGrad(p, acc(dx), acc(dgamma), acc(dbeta), acc(dres), x, y, gamma, μ, σ2, dy)
			check(eval)
		}
	}
}

func TestPools(t *testing.T) {
	nan := math.NaN()
	x := tensor.Of([]float64{1, 3, 3, 0, 2, 3, nan, 4, -1, -2, -3, -4}, 1, 1, 3, 4)
	p := kernels.Pool2D{Size: 2, Stride: 1}
	y, arg := zeros(1, 1, 2, 3), tensor.New(tensor.CPU, tensor.I64, 1, 1, 2, 3)
	b.MaxPool(p, y, arg, x)
	nearAll(t, "where the maxima stand", arg, 0, 1, 6, 6, 5, 6, 6)
	if v := tensor.Values(y); v[0] != 3 || !math.IsNaN(v[1]) || v[3] != 3 {
		t.Errorf("maxima %v", v)
	}
	dx := zeros(1, 1, 3, 4)
	b.MaxPoolGrad(p, acc(dx), arg, tensor.Of([]float64{1, 2, 3, 4, 5, 6}, 1, 1, 2, 3))
	nearAll(t, "by x", dx, 0, 0, 1, 0, 0, 0, 4, 16, 0, 0, 0, 0, 0)

	// A padded corner: the padding never is the maximum but counts in the mean.
	x = tensor.Of([]float64{-4, -8, -12, -16}, 1, 1, 2, 2)
	p = kernels.Pool2D{Size: 2, Pad: 1}
	y, arg = zeros(1, 1, 2, 2), tensor.New(tensor.CPU, tensor.I64, 1, 1, 2, 2)
	b.MaxPool(p, y, arg, x)
	nearAll(t, "padded maxima", y, 0, -4, -8, -12, -16)
	nearAll(t, "padded places", arg, 0, 0, 1, 2, 3)
	b.AvgPool(p, y, x)
	nearAll(t, "padded means", y, 0, -1, -2, -3, -4)

	r := rand.New(rand.NewPCG(7, 8))
	x = normal(r, 2, 3, 7, 6)
	p = kernels.Pool2D{Size: 3, Stride: 2, Pad: 1}
	y, dx = zeros(2, 3, p.Out(7), p.Out(6)), like(x)
	dy := normal(r, y.Shape()...)
	b.AvgPool(p, y, x)
	b.AvgPoolGrad(p, acc(dx), dy)
	near(t, "average, adjoint", dot(dx, x), dot(dy, y), 1e-13)

	x = tensor.OfImages([]float64{1, 10, 2, 20, 3, 30, 6, 60}, 1, 2, 2, 2)
	g := zeros(1, 2)
	b.GlobalAvgPool(g, x)
	nearAll(t, "global means", g, 0, 3, 30)
	dx = tensor.NewImages(tensor.CPU, tensor.F64, 1, 2, 2, 2)
	b.GlobalAvgPoolGrad(acc(dx), g)
	nearAll(t, "global means, by x", dx, 0, .75, .75, .75, .75, 7.5, 7.5, 7.5, 7.5)
}
