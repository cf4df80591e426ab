package ref

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"phase/kernels"
	"phase/tensor"
)

// lossOf runs both kernels on one row of logits.
func lossOf(p kernels.SoftmaxLoss, z []float64, y int) (loss float64, grad *tensor.Tensor) {
	x, l, slope, dx := tensor.Of(z, 1, len(z)), zeros(1), zeros(1, len(z)), zeros(1, len(z))
	label, one := tensor.Of([]int64{int64(y)}, 1), tensor.Of([]float64{1}, 1)
	b.SoftmaxLoss(p, l, slope, x, label, one)
	b.SoftmaxLossGrad(acc(dx), slope, one)
	return tensor.Values(l)[0], dx
}

// Values of ASLSingleLabel and its variants at z = (2,-1,.5,0), y = 2, made
// with PyTorch in float64; they are right to the printed digits.
func TestSoftmaxLossVectors(t *testing.T) {
	daw := func(pos, neg, smooth float64, form kernels.Form, detach bool) kernels.SoftmaxLoss {
		return kernels.SoftmaxLoss{GammaPos: pos, GammaNeg: neg, Smooth: smooth, Form: form, Detach: detach}
	}
	ce := []float64{.71009992, .03535379, -.84155529, .09610157}
	for _, v := range []struct {
		p    kernels.SoftmaxLoss
		want float64
		grad []float64
		tol  float64
	}{
		{kernels.SoftmaxLoss{}, 1.8423495824, ce, 6e-9},
		{daw(0, 0, .1, kernels.ASL, false), 1.8548495824, []float64{.68509992, .01035379, -.76655529, .07110157}, 6e-9},
		{daw(0, 4, 0, kernels.ASL, false), 1.8423495824, ce, 6e-9},
		{daw(0, 4, .1, kernels.ASL, false), 1.7063546332, []float64{.65751012, .03261908, -.77881359, .08868439}, 6e-9},
		{daw(0, 4, .1, kernels.Eq3, false), 1.8156784889, []float64{.70317899, .00279279, -.76792800, .06195622}, 6e-9},
		{daw(1, 4, .1, kernels.ASL, false), 1.4363373796, []float64{.74517614, .03698371, -.88270855, .10054869}, 6e-9},
		{daw(1, 4, .1, kernels.ASL, true), 1.4363373796, []float64{.550928, .027746, -.654092, .075418}, 6e-7},
		{daw(1, 4, .1, kernels.Eq3, false), 1.5456612353, []float64{.79084501, .00715742, -.87182297, .07382053}, 6e-9},
		{daw(2, 2, .1, kernels.ASL, false), 1.2118825962, []float64{.78602167, .03950923, -.93329604, .10776513}, 6e-9},
		{daw(0, 0, 0, kernels.Eq1, false), 3.2176007153, nil, 0},
		{daw(0, 4, 0, kernels.Eq1, false), 2.1571876828, nil, 0},
		{daw(1, 4, 0, kernels.Eq1, false), 1.8652771383, nil, 0},
		{daw(2, 2, 0, kernels.Eq1, false), 1.9301201940, nil, 0},
	} {
		got, grad := lossOf(v.p, []float64{2, -1, .5, 0}, 2)
		if math.Abs(got-v.want) > 6e-11 {
			t.Errorf("%+v: loss %.10f, want %.10f", v.p, got, v.want)
		}
		for j, want := range v.grad {
			if g := tensor.Values(grad)[j]; math.Abs(g-want) > v.tol {
				t.Errorf("%+v: gradient %d is %.8f, want %.8f", v.p, j, g, want)
			}
		}
	}
}

// brute is the loss as the paper's equations print it, without any care for
// rounding. The modulation is read at the logits at.
func brute(p kernels.SoftmaxLoss, z, at []float64, y int) (loss float64) {
	softmax := func(z []float64) []float64 {
		out, sum := make([]float64, len(z)), 0.
		for j := range z {
			out[j] = math.Exp(z[j])
			sum += out[j]
		}
		for j := range z {
			out[j] /= sum
		}
		return out
	}
	ps, as := softmax(z), softmax(at)
	for j := range z {
		base, γ, s := as[j], p.GammaNeg, p.Smooth/float64(len(z))
		if j == y {
			base, γ, s = 1-as[j], p.GammaPos, 1-p.Smooth+s
		} else if p.Form == kernels.Eq3 {
			base = 1 - as[j]
		}
		switch {
		case p.Form == kernels.Eq1 && j == y:
			loss -= math.Pow(base, γ) * math.Log(ps[j])
		case p.Form == kernels.Eq1:
			loss -= math.Pow(base, γ) * math.Log(1-ps[j])
		default:
			loss -= s * math.Pow(base, γ) * math.Log(ps[j])
		}
	}
	return loss
}

func TestSoftmaxLossDifferenceQuotients(t *testing.T) {
	r := rand.New(rand.NewPCG(9, 10))
	gammas := []float64{0, .5, 1, 2, 4}
	for range 400 {
		p := kernels.SoftmaxLoss{
			GammaPos: gammas[r.IntN(5)], GammaNeg: gammas[r.IntN(5)], Smooth: []float64{0, .1, 1}[r.IntN(3)],
			Form: kernels.Form(r.IntN(3)), Detach: r.IntN(2) == 0,
		}
		k := 2 + r.IntN(6)
		z, y := tensor.Values(normal(r, k)), r.IntN(k)
		loss, grad := lossOf(p, z, y)
		near(t, fmt.Sprintf("%+v: loss", p), loss, brute(p, z, z, y), 1e-12)
		here := append([]float64{}, z...)
		slopes(t, fmt.Sprintf("%+v z %v y %d", p, z, y), func() float64 {
			if p.Detach {
				return brute(p, z, here, y)
			}
			return brute(p, z, z, y)
		}, tensor.Of(z, k), grad, 1e-8)
		sum := 0.
		for _, g := range tensor.Values(grad) {
			sum += g
		}
		near(t, "a softmax loss's gradient sums to zero", sum, 0, 1e-13)
		for j := range z {
			z[j] += 1000
		}
		shifted, _ := lossOf(p, z, y)
		near(t, "shifted logits", shifted, loss, 1e-10)
	}
}

// At the ends of the range every loss is finite (or rightly infinite), and
// gradients keep their limits.
func TestSoftmaxLossExtremes(t *testing.T) {
	for _, form := range []kernels.Form{kernels.ASL, kernels.Eq3, kernels.Eq1} {
		for _, γ := range []float64{0, .3, 1, 4} {
			for _, detach := range []bool{false, true} {
				for _, z := range [][]float64{{1e4, 0, -1e4}, {-1e4, 1e4, 1e4}, {40, 0, 0}, {800, 0, 1}, {3}} {
					for y := range z {
						p := kernels.SoftmaxLoss{GammaPos: γ, GammaNeg: γ, Smooth: .1, Form: form, Detach: detach}
						loss, grad := lossOf(p, z, y)
						for _, v := range append(tensor.Values(grad), loss) {
							if math.IsNaN(v) || math.IsInf(v, 0) {
								t.Errorf("%+v z %v y %d: loss %v gradient %v", p, z, y, loss, tensor.Values(grad))
								break
							}
						}
					}
				}
			}
		}
	}
	// Eq 1 where the wrong class is certain: -log p_y = 1e4 and -log(1-p_0) = 1e4.
	loss, grad := lossOf(kernels.SoftmaxLoss{Form: kernels.Eq1}, []float64{1e4, 0}, 1)
	near(t, "eq 1, certain and wrong", loss, 2e4, 1e-12)
	nearAll(t, "eq 1, certain and wrong, gradient", grad, 1e-12, 2, -2)
	// Focal loss with γ = 1/2 at 1-p = ε: loss ε^1.5, gradient by z_y -1.5·ε^1.5.
	ε := math.Exp(-40) // smaller than float64's spacing at 1
	loss, grad = lossOf(kernels.SoftmaxLoss{GammaPos: .5}, []float64{40, 0}, 0)
	near(t, "focal at p near 1", loss/math.Pow(ε, 1.5), 1, 1e-9)
	near(t, "focal at p near 1, gradient", tensor.Values(grad)[0]/math.Pow(ε, 1.5), -1.5, 1e-9)
	// A class masked with -Inf takes no part in a loss without smoothing.
	loss, grad = lossOf(kernels.SoftmaxLoss{GammaPos: 1, GammaNeg: 4}, []float64{1, math.Inf(-1), 0}, 0)
	short, g := lossOf(kernels.SoftmaxLoss{GammaPos: 1, GammaNeg: 4}, []float64{1, 0}, 0)
	near(t, "masked", loss, short, 1e-14)
	nearAll(t, "masked, gradient", grad, 1e-14, tensor.Values(g)[0], 0, tensor.Values(g)[1])
	if loss, _ := lossOf(kernels.SoftmaxLoss{}, []float64{1, math.NaN(), 0}, 0); !math.IsNaN(loss) {
		t.Errorf("a NaN among the logits gave loss %v", loss)
	}
}

func TestSoftmaxLossWeights(t *testing.T) {
	x, label := tensor.Of([]float32{1, 2, 0, -1}, 2, 2), tensor.Of([]int64{0, 1}, 2)
	loss, slope := tensor.New(tensor.CPU, tensor.F32, 2), tensor.New(tensor.CPU, tensor.F32, 2, 2)
	b.SoftmaxLoss(kernels.SoftmaxLoss{}, loss, slope, x, label, tensor.Of([]float32{2, 3}, 2))
	ce := math.Log1p(math.E)
	nearAll(t, "weighted cross-entropy", loss, 1e-7, 2*ce, 3*ce)
	dx, p := tensor.Of([]float32{1, 1, 1, 1}, 2, 2), 1/(1+math.E)
	b.SoftmaxLossGrad(acc(dx), slope, tensor.Of([]float32{.5, -1}, 2))
	nearAll(t, "its gradient", dx, 1e-7, 1+p-1, 1+1-p, 1-3*(1-p), 1+3*(1-p))
}

func TestLogSoftmax(t *testing.T) {
	y := zeros(2, 3)
	b.LogSoftmax(y, tensor.Of([]float64{0, 0, 0, 1e4, 0, -1e4}, 2, 3))
	nearAll(t, "log softmax", y, 1e-14, -math.Log(3), -math.Log(3), -math.Log(3), 0, -1e4, -2e4)
	r := rand.New(rand.NewPCG(11, 12))
	x, dy, dx := normal(r, 2, 2, 3), normal(r, 2, 2, 3), zeros(2, 2, 3)
	y = zeros(2, 2, 3)
	b.LogSoftmax(y, x)
	b.LogSoftmaxGrad(acc(dx), y, dy)
	slopes(t, "log softmax", func() float64 { b.LogSoftmax(y, x); return dot(y, dy) }, x, dx, 1e-8)
}
