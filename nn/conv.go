package nn

import (
	"math/rand/v2"

	"phase/autograd"
	"phase/kernels"
)

// Conv2DConfig describes a convolution layer with a square filter. The zero
// Stride, Dilation and Groups mean 1.
type Conv2DConfig struct {
	In, Out, Kernel               int
	Stride, Pad, Dilation, Groups int
	Bias                          bool
}

// Conv2D is the cross-correlation of x (n,in,h,w) with Weight, plus Bias.
type Conv2D struct {
	Weight *autograd.Var // (out,in/groups,kernel,kernel)
	Bias   *autograd.Var // (out), or nil
	Op     kernels.Conv2D
}

// NewConv2D makes a layer as PyTorch does, weights and bias from
// U(±1/√(in/groups·kernel²)).
func NewConv2D(r *rand.Rand, c Conv2DConfig) *Conv2D {
	op := kernels.Conv2D{Stride: c.Stride, Pad: c.Pad, Dilation: c.Dilation, Groups: c.Groups}
	l := &Conv2D{Weight: param(c.Out, c.In/op.G(), c.Kernel, c.Kernel), Op: op}
	fanIn := c.In / op.G() * c.Kernel * c.Kernel
	byFanIn(r, l.Weight.Value, fanIn)
	if c.Bias {
		l.Bias = param(c.Out)
		byFanIn(r, l.Bias.Value, fanIn)
	}
	return l
}

// Forward is the convolution, of shape (n,out,h',w').
func (l *Conv2D) Forward(p *Pass, x *autograd.Var) *autograd.Var {
	y := autograd.Conv2D(x, l.Weight, l.Op)
	if l.Bias != nil {
		y = autograd.Permute(autograd.Add(autograd.Permute(y, 0, 2, 3, 1), l.Bias), 0, 3, 1, 2)
	}
	return p.saw(l, y)
}
