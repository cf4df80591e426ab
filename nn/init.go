package nn

import (
	"math"
	"math/rand/v2"

	"phase/autograd"
	"phase/tensor"
)

// Fan chooses what the variance of new weights is measured by: the number of
// inputs of a unit, which keeps the size of activations, or the number of
// units that it feeds, which keeps that of gradients.
type Fan uint8

// The fans.
const (
	FanIn Fan = iota
	FanOut
)

// of is the fan of weights of shape (out,in,...).
func (f Fan) of(s tensor.Shape) float64 {
	if len(s) < 2 {
		panic(tensor.Errorf("init", "weights of shape %v have no fan: want (out,in,...)", s))
	}
	return float64(s[1-f] * s[2:].Size())
}

// The gains of Kaiming's and Xavier's formulas.
const (
	GainLinear = 1.0
	GainReLU   = math.Sqrt2
)

// KaimingNormal draws w from N(0, gain²/fan) (He et al., 2015, eq 10).
func KaimingNormal(r *rand.Rand, w *tensor.Tensor, fan Fan, gain float64) {
	normal(r, w, gain/math.Sqrt(fan.of(w.Shape())))
}

// KaimingUniform draws w from U(-b, b), b = gain·√(3/fan).
func KaimingUniform(r *rand.Rand, w *tensor.Tensor, fan Fan, gain float64) {
	uniform(r, w, gain*math.Sqrt(3/fan.of(w.Shape())))
}

// XavierNormal draws w from N(0, 2·gain²/(fan_in+fan_out)) (Glorot and Bengio,
// 2010).
func XavierNormal(r *rand.Rand, w *tensor.Tensor, gain float64) {
	normal(r, w, gain*math.Sqrt(2/(FanIn.of(w.Shape())+FanOut.of(w.Shape()))))
}

// XavierUniform draws w from U(-b, b), b = gain·√(6/(fan_in+fan_out)) (Glorot
// and Bengio, 2010, eq 16).
func XavierUniform(r *rand.Rand, w *tensor.Tensor, gain float64) {
	uniform(r, w, gain*math.Sqrt(6/(FanIn.of(w.Shape())+FanOut.of(w.Shape()))))
}

// byFanIn draws w from U(±1/√fanIn), where PyTorch's layers begin.
func byFanIn(r *rand.Rand, w *tensor.Tensor, fanIn int) {
	uniform(r, w, 1/math.Sqrt(float64(fanIn)))
}

func normal(r *rand.Rand, w *tensor.Tensor, std float64) {
	draw(w, func() float64 { return std * r.NormFloat64() })
}

func uniform(r *rand.Rand, w *tensor.Tensor, bound float64) {
	draw(w, func() float64 { return bound * (2*r.Float64() - 1) })
}

// draw fills w, a dense tensor of any device, with one number after the other.
func draw(w *tensor.Tensor, f func() float64) {
	v := make([]float64, w.Size())
	for i := range v {
		v[i] = f()
	}
	host := tensor.New(tensor.CPU, w.DType(), w.Shape()...)
	fill(host, v)
	write(w, host)
}

// param is a trainable tensor of zeros.
func param(shape ...int) *autograd.Var {
	return autograd.Param(tensor.New(tensor.CPU, tensor.F32, shape...))
}

func constant(v float64, n int) *tensor.Tensor {
	t := tensor.New(tensor.CPU, tensor.F32, n)
	d := tensor.Data[float32](t)
	for i := range d {
		d[i] = float32(v)
	}
	return t
}
