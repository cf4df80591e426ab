package ref

import (
	"math"

	"phase/kernels"
	"phase/tensor"
)

// channels calls f(k, c) for every element k of a tensor of shape (n,c,...)
// with its channel c.
func channels(s tensor.Shape, f func(k, c int)) {
	inner := s[2:].Size()
	for k := range s.Size() {
		f(k, k/inner%s[1])
	}
}

// BatchNorm is y = γ(x-μ)/√(σ²+ε) + β, with μ and σ² the mean and the biased
// variance of each channel, which it leaves in mean and variance. They are
// taken in two passes: the mean first, then Σ(x-μ)²/m.
func (b Backend) BatchNorm(p kernels.BatchNorm, y, mean, variance, x, gamma, beta, residual *tensor.Tensor) {
	s, xs := x.Shape(), tensor.Values(x)
	m := float64(s.Size()) / float64(s[1])
	μ, σ2 := make([]float64, s[1]), make([]float64, s[1])
	channels(s, func(k, c int) { μ[c] += xs[k] / m })
	channels(s, func(k, c int) { σ2[c] += (xs[k] - μ[c]) * (xs[k] - μ[c]) / m })
	store(mean, μ)
	store(variance, σ2)
	normalize(p, y, x, gamma, beta, residual, μ, σ2)
}

// BatchNormEval is the same with the statistics given.
func (Backend) BatchNormEval(p kernels.BatchNorm, y, x, gamma, beta, mean, variance, residual *tensor.Tensor) {
	normalize(p, y, x, gamma, beta, residual, tensor.Values(mean), tensor.Values(variance))
}

func normalize(p kernels.BatchNorm, y, x, gamma, beta, residual *tensor.Tensor, μ, σ2 []float64) {
	v, γ, β := tensor.Values(x), tensor.Values(gamma), tensor.Values(beta)
	channels(x.Shape(), func(k, c int) { v[k] = γ[c]*(v[k]-μ[c])/math.Sqrt(σ2[c]+p.Eps) + β[c] })
	if residual != nil {
		for k, r := range tensor.Values(residual) {
			v[k] += r
		}
	}
	if p.ReLU {
		for k := range v {
			v[k] = relu(v[k])
		}
	}
	store(y, v)
}

// BatchNormGrad goes through the statistics. With g = dy where ReLU let it
// pass, z = (x-μ)/√(σ²+ε) and ⟨·⟩ the mean over a channel:
//
//	dβ = Σ g    dγ = Σ g·z    dx = γ/√(σ²+ε) · (g - ⟨g⟩ - z·⟨g·z⟩)
//
// The residual's gradient is g.
func (Backend) BatchNormGrad(p kernels.BatchNorm, dx, dgamma, dbeta, dresidual kernels.Acc, x, y, gamma, mean, variance, dy *tensor.Tensor) {
	batchNormGrad(p, true, dx, dgamma, dbeta, dresidual, x, y, gamma, mean, variance, dy)
}

// BatchNormEvalGrad holds the statistics: dx = γ/√(σ²+ε) · g.
func (Backend) BatchNormEvalGrad(p kernels.BatchNorm, dx, dgamma, dbeta, dresidual kernels.Acc, x, y, gamma, mean, variance, dy *tensor.Tensor) {
	batchNormGrad(p, false, dx, dgamma, dbeta, dresidual, x, y, gamma, mean, variance, dy)
}

func batchNormGrad(p kernels.BatchNorm, through bool, dx, dgamma, dbeta, dresidual kernels.Acc, x, y, gamma, mean, variance, dy *tensor.Tensor) {
	s, g, ys := x.Shape(), tensor.Values(dy), tensor.Values(y)
	if p.ReLU {
		for k := range g {
			if !(ys[k] > 0) {
				g[k] = 0
			}
		}
	}
	γ, μ, σ2 := tensor.Values(gamma), tensor.Values(mean), tensor.Values(variance)
	z := tensor.Values(x)
	channels(s, func(k, c int) { z[k] = (z[k] - μ[c]) / math.Sqrt(σ2[c]+p.Eps) })
	dβ, dγ := make([]float64, s[1]), make([]float64, s[1])
	channels(s, func(k, c int) {
		dβ[c] += g[k]
		dγ[c] += g[k] * z[k]
	})
	m, d := float64(s.Size())/float64(s[1]), make([]float64, s.Size())
	channels(s, func(k, c int) {
		d[k] = g[k]
		if through {
			d[k] -= dβ[c]/m + z[k]*dγ[c]/m
		}
		d[k] *= γ[c] / math.Sqrt(σ2[c]+p.Eps)
	})
	add(dx, d)
	add(dgamma, dγ)
	add(dbeta, dβ)
	add(dresidual, g)
}
