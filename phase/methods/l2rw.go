package methods

import (
	"errors"

	"phase/autograd"
	"phase/kernels"
	"phase/nn"
	"phase/phase/kind"
	"phase/phase/train"
	"phase/tensor"
)

// l2rw weighs the samples of a batch by how much a step on each would help a
// batch of images kept apart (Ren et al., "Learning to Reweight Examples for
// Robust Deep Learning", ICML 2018). With the weights ε of a step from θ to
// θ - α·Σ_i ε_i·∇l_i(θ),
//
//	w_i ∝ max(0, -∂L_val/∂ε_i at ε = 0) ∝ max(0, ⟨∇l_i(θ), ∇L_val(θ)⟩),  Σ_i w_i = 1,
//
// and no sample weighs anything where none would help. L_val is the mean loss of
// calibration images drawn so that every class is seen alike. The loss of the
// step is Σ_i w_i·l_i, whatever the run's reduction; weights that the run gives
// samples belong to l_i.
//
// The inner products are derivatives of the l_i along v = ∇L_val, for which two
// passes forward are enough:
//
//	⟨∇l_i, v⟩ ≈ (l_i(θ+h·v) - l_i(θ-h·v))/2h,  h = 0.001/‖v‖,
//
// as Liu et al. find such a product ("DARTS", ICLR 2019, eq 8), with a tenth of
// their step, within which ReLUs bend less and float32 still sees a difference. As
// in L2RW's program all these passes normalise by their batch's statistics.
type l2rw struct{}

// Begin wants calibration images.
func (l2rw) Begin(s *train.Setup) (func(*train.Step) (loss, logits *autograd.Var), error) {
	if s.Calibration == nil {
		return nil, errors.New("its weights are learned on images kept apart: --calibration says what share of the training images")
	}
	s.Other = &train.Draws{By: power{0}, From: s.Calibration}
	var m meta
	return func(s *train.Step) (loss, logits *autograd.Var) {
		if !s.Pass.Frozen { // the weights are those of the step's first pass
			m.weigh(s)
		}
		features, logits := s.Forward(s.X)
		return autograd.Sum(s.Each(features, logits, s.Y, m.weights)), logits
	}, nil
}

// A meta finds the weights of a step. Its memory is used again.
type meta struct {
	weights []float32 // of the samples, their own included

	tape    autograd.Tape
	home, v []*tensor.Tensor // of each parameter, θ and ∇L_val
}

// weigh sets the weights. Parameters, their gradients and all statistics are
// then what they were.
func (m *meta) weigh(s *train.Step) {
	var params []*autograd.Var
	for _, p := range nn.Params(s.Model) {
		if params = append(params, p); len(m.home) < len(params) {
			m.home, m.v = append(m.home, tensor.Like(p.Value)), append(m.v, tensor.Like(p.Value))
		}
	}
	val := m.each(s, s.Other.X, s.Other.Y, s.OtherWeights)
	m.tape.Backward(autograd.Mean(val))
	squares := tensor.New(m.v[0].Device(), tensor.F64)
	for i, p := range params {
		k := kernels.For(p.Value)
		k.Copy(m.home[i], p.Value)
		k.Copy(m.v[i], p.Grad)
		k.SumSquares(squares, m.v[i])
		p.ZeroGrad()
	}
	h := kernels.Rescale{Length: .001, Eps: 1e-12}.By(tensor.Values(squares)[0])
	at := func(h float64) []float64 {
		for i, p := range params {
			k := kernels.For(p.Value)
			k.Copy(p.Value, m.home[i])
			k.AXPY(h, kernels.Acc{T: p.Value}, m.v[i])
		}
		return tensor.Values(m.each(s, s.X, s.Y, s.Weights).Value)
	}
	up, down := at(h), at(-h)
	at(0)
	total := 0.
	for i := range up {
		up[i] = max(0, up[i]-down[i])
		total += up[i]
	}
	if total == 0 {
		total = 1
	}
	m.weights = m.weights[:0]
	for i, w := range s.Weights {
		m.weights = append(m.weights, w*float32(up[i]/total))
	}
}

// each is the loss of each sample, in training mode with statistics left alone,
// on the meta's own tape.
func (m *meta) each(s *train.Step, x, y *tensor.Tensor, weights []float32) *autograd.Var {
	m.tape.Reset()
	look, pass := *s, *s.Pass
	look.Tape, look.Pass, pass.Frozen = &m.tape, &pass, true
	features, logits := look.Forward(x)
	return look.Each(features, logits, y, weights)
}

func init() {
	train.Objectives.Add(kind.Kind[train.Objective]{Name: "l2rw", Doc: "samples weighed in every step by how much they would help calibration images (Ren et al., ICML 2018)", Of: l2rw{}})
	train.AddPreset(train.Preset{Name: "l2rw", Doc: "learning to reweight: samples weigh what helps a tenth of the training images, kept apart and drawn alike by class (Ren et al., ICML 2018), one stage", Set: func(c *train.Config) {
		c.Objective, c.Calibration = "l2rw", .1
	}})
}
