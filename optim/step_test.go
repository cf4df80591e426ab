package optim_test

import (
	"testing"

	"phase/autograd"
	_ "phase/kernels/cpu"
	"phase/nn"
	"phase/optim"
	"phase/tensor"
)

// resnet is the parameters of a ResNet-32 of width 16, with gradients.
func resnet(b *testing.B) optim.Params {
	m, err := nn.New("resnet32", nn.Config{Classes: 100, Channels: 3, Size: 32, Seed: 1})
	if err != nil {
		b.Fatal(err)
	}
	ps := optim.All(nn.Params(m))
	for _, p := range ps {
		p.Var.Grad = tensor.Like(p.Var.Value)
		for i := range tensor.Data[float32](p.Var.Grad) {
			tensor.Data[float32](p.Var.Grad)[i] = 1e-3
		}
	}
	return ps
}

// BenchmarkStep times what the optimizers add to a training step: everything but
// the gradients. SAM's pass over the network comes twice, which is not in here.
func BenchmarkStep(b *testing.B) {
	for _, c := range []struct {
		name string
		make func(ps optim.Params) optim.Optimizer
	}{
		{"sgd", func(ps optim.Params) optim.Optimizer { return &optim.SGD{Params: ps, Momentum: .9, Decay: 5e-4} }},
		{"adamw", func(ps optim.Params) optim.Optimizer { return &optim.AdamW{Params: ps, Decay: .01} }},
		{"sam", func(ps optim.Params) optim.Optimizer {
			return &optim.SAM{Base: &optim.SGD{Params: ps, Momentum: .9, Decay: 5e-4}, Rho: .05}
		}},
	} {
		b.Run(c.name, func(b *testing.B) {
			ps := resnet(b)
			opt := c.make(ps)
			b.ReportAllocs()
			for b.Loop() {
				opt.Step(1e-6, func(int) *autograd.Var { return constant(0) })
			}
		})
	}
}
