package autograd

import (
	"fmt"

	"phase/tensor"
)

// A thinning is the parameter of subsample: every how many rows and columns
// stay, and how many channels of zeros stand before and after the others.
type thinning struct{ Stride, Before, After int }

// pixels is what stays of x, channels is where it stands in y.
func (p thinning) pixels(x *tensor.Tensor) *tensor.Tensor {
	return x.Slice(2, 0, x.Dim(2), p.Stride).Slice(3, 0, x.Dim(3), p.Stride)
}

func (p thinning) channels(y *tensor.Tensor) *tensor.Tensor {
	return y.Slice(1, p.Before, y.Dim(1)-p.After, 1)
}

var subsample = Define(Rule[thinning]{
	Name:   "subsample",
	Doc:    "subsample(x; s, before, after)[n,before+c,i,j] = x[n,c,s·i,s·j], and zeros in the channels before and after.",
	Layout: Images,
	Narrow: []int{0},
	Shape: func(p thinning, in []tensor.Shape) (tensor.Shape, error) {
		x := in[0]
		switch {
		case len(x) != 4:
			return nil, fmt.Errorf("x %v: want (n,c,h,w)", x)
		case p.Stride < 1 || p.Before < 0 || p.After < 0:
			return nil, fmt.Errorf("stride %d, %d channels before and %d after: want a stride from 1 on and none negative", p.Stride, p.Before, p.After)
		}
		n := func(extent int) int { return (extent + p.Stride - 1) / p.Stride }
		return tensor.Shape{x[0], p.Before + x[1] + p.After, n(x[2]), n(x[3])}, nil
	},
	Forward: func(c *Ctx, p thinning) {
		if p.Before+p.After > 0 {
			c.Out.Zero()
		}
		c.K.Copy(p.channels(c.Out), p.pixels(c.In[0]))
	},
	Backward: func(c *Ctx, p thinning) { c.K.CopyGrad(p.pixels(c.DIn(0).Zeroed()), p.channels(c.DOut)) },
	Same: func(p thinning, in ...*Var) *Var {
		s := in[0].Shape()
		x := Slice(Slice(in[0], 2, 0, s[2], p.Stride), 3, 0, s[3], p.Stride)
		return Pad(x, 1, p.Before, p.After)
	},
	Samples: func(g *Gen) []Sample[thinning] {
		return []Sample[thinning]{
			{P: thinning{2, 1, 2}, In: []*tensor.Tensor{g.Normal(2, 3, 5, 4)}},
			{P: thinning{3, 0, 0}, In: []*tensor.Tensor{g.Normal(1, 2, 4, 7)}},
			{P: thinning{1, 0, 1}, In: []*tensor.Tensor{g.Normal(2, 2, 2, 3)}},
			{P: thinning{0, 1, 1}, In: []*tensor.Tensor{g.Normal(2, 3, 4, 4)}, Err: "want a stride from 1 on"},
			{P: thinning{2, 1, 1}, In: []*tensor.Tensor{g.Normal(2, 3)}, Err: "want (n,c,h,w)"},
		}
	},
})

// Subsample keeps every stride-th row and column of x (n,c,h,w) and puts
// channels of zeros before and after its own: the shortcut without parameters
// of He et al. (2016), option A.
func Subsample(x *Var, stride, before, after int) *Var {
	return subsample(thinning{stride, before, after}, x)
}
