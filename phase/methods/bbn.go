package methods

import (
	"fmt"
	"strings"

	"phase/autograd"
	"phase/nn"
	"phase/phase/kind"
	"phase/phase/train"
)

// bbn trains two branches on two batches (Zhou et al., "BBN: Bilateral-Branch
// Network with Cumulative Learning for Long-Tailed Visual Recognition", CVPR
// 2020): the conventional one on images as they come, (x_c, y_c), the
// re-balancing one on images drawn by the inverse of their class's count, (x_r,
// y_r). Both share all but their last block, and one head sees
//
//	f = 2·[λ·f_c ; (1-λ)·f_r],  loss λ·L(z, y_c) + (1-λ)·L(z, y_r),  λ = 1 - ((T-1)/T_max)²
//
// in epoch T of T_max, so that the weight passes from one to the other. An image
// is classified with λ = 1/2.
type bbn struct{}

// Begin wants a model of two branches.
func (bbn) Begin(s *train.Setup) (func(*train.Step) (loss, logits *autograd.Var), error) {
	m, ok := s.Model.(*nn.BranchedResNet)
	if !ok {
		return nil, fmt.Errorf("it trains two branches, and --model %s has one: want a model whose name ends in -bbn, such as resnet32-bbn", s.Config.Model)
	}
	s.Other = &train.Draws{By: power{-1}}
	return func(s *train.Step) (loss, logits *autograd.Var) {
		lambda := falling(s)
		features := autograd.Concat(1,
			autograd.Scale(m.Conventional(s.Pass, s.Tape.Watch(s.X)), 2*lambda),
			autograd.Scale(m.Rebalancing(s.Pass, s.Tape.Watch(s.Other.X)), 2*(1-lambda)))
		logits = m.Head().Forward(s.Pass, features)
		return blend(lambda, s.Loss(features, logits, s.Y, s.Weights), s.Loss(features, logits, s.Other.Y, s.OtherWeights)), logits
	}, nil
}

// falling is 1 - (e/E)² in epoch e of E, counted from 0.
func falling(s *train.Step) float64 { return 1 - s.Progress()*s.Progress() }

func init() {
	train.Objectives.Add(kind.Kind[train.Objective]{Name: "bbn", Doc: "the loss of two branches on two batches, the second drawn in reverse, the weight passing from one to the other (Zhou et al., CVPR 2020)", Of: bbn{}})
	train.AddPreset(train.Preset{Name: "bbn", Doc: "a bilateral-branch network: the last block twice, one for images as they come, one for images drawn in reverse (Zhou et al., CVPR 2020), one stage at the data's own recipe", Set: func(c *train.Config) {
		c.Objective = "bbn"
		if strings.HasPrefix(c.Model, "resnet") {
			c.Model += "-bbn"
		}
	}})
}
