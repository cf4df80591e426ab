package autograd

import (
	"fmt"

	"phase/kernels"
	"phase/tensor"
)

var conv2d = Define(Rule[kernels.Conv2D]{
	Name:   "conv2d",
	Doc:    "conv2d(x, w)[n,o,i,j] = Σ x[n,c,i·s-p+r·d,j·s-p+t·d]·w[o,c,r,t], c over the channels of o's group.",
	Layout: Images, Weights: []int{1},
	Shape:   func(p kernels.Conv2D, in []tensor.Shape) (tensor.Shape, error) { return convShape(p, in[0], in[1]) },
	Forward: func(c *Ctx, p kernels.Conv2D) { c.K.Conv2D(p, c.Out, c.In[0], c.In[1]) },
	Backward: func(c *Ctx, p kernels.Conv2D) {
		if dx := c.DIn(0); dx.Wanted() {
			c.K.Conv2DGradX(p, dx, c.In[1], c.DOut)
			c.Part("input gradient")
		}
		if dw := c.DIn(1); dw.Wanted() {
			c.K.Conv2DGradW(p, dw, c.In[0], c.DOut)
			c.Part("weight gradient")
		}
	},
	Samples: func(g *Gen) []Sample[kernels.Conv2D] {
		return []Sample[kernels.Conv2D]{
			{In: []*tensor.Tensor{g.Normal(2, 2, 4, 5), g.Normal(3, 2, 3, 3)}},
			{P: kernels.Conv2D{Pad: 1}, In: []*tensor.Tensor{g.Normal(1, 3, 4, 4), g.Normal(2, 3, 3, 3)}},
			{P: kernels.Conv2D{Stride: 2, Pad: 1}, In: []*tensor.Tensor{g.Normal(1, 2, 5, 5), g.Normal(2, 2, 3, 3)}},
			{P: kernels.Conv2D{Stride: 2}, In: []*tensor.Tensor{g.Normal(2, 3, 5, 4), g.Normal(4, 3, 1, 1)}},
			{P: kernels.Conv2D{Pad: 2, Dilation: 2}, In: []*tensor.Tensor{g.Normal(1, 2, 5, 6), g.Normal(2, 2, 3, 2)}},
			{P: kernels.Conv2D{Pad: 1, Groups: 2}, In: []*tensor.Tensor{g.Normal(1, 4, 4, 3), g.Normal(6, 2, 3, 3)}},
			{P: kernels.Conv2D{Groups: 3}, In: []*tensor.Tensor{g.Normal(2, 3, 3, 3), g.Normal(3, 1, 2, 2)}},
			{In: []*tensor.Tensor{g.Normal(1, 3, 4, 4), g.Normal(2, 4, 3, 3)}, Err: "has 3 channels but w"},
			{In: []*tensor.Tensor{g.Normal(1, 3, 4, 4), g.Normal(2, 3, 5, 5)}, Err: "larger than x"},
			{P: kernels.Conv2D{Groups: 2}, In: []*tensor.Tensor{g.Normal(1, 4, 4, 4), g.Normal(3, 2, 3, 3)}, Err: "do not split into 2 groups"},
			{In: []*tensor.Tensor{g.Normal(3, 4), g.Normal(2, 4, 3, 3)}, Err: "want (n,c,h,w)"},
		}
	},
})

// Conv2D is the cross-correlation of x (n,c,h,w) with w (o,c/groups,r,s), of
// shape (n,o,p.Out(h,r),p.Out(w,s)). It has no bias: add one of shape (o,1,1).
func Conv2D(x, w *Var, p kernels.Conv2D) *Var { return conv2d(p, x, w) }

// convShape is the shape of the convolution of x with w.
func convShape(p kernels.Conv2D, x, w tensor.Shape) (tensor.Shape, error) {
	switch {
	case len(x) != 4 || len(w) != 4:
		return nil, fmt.Errorf("x %v and w %v: want (n,c,h,w) and (o,c/groups,r,s)", x, w)
	case p.Pad < 0 || p.Stride < 0 || p.Dilation < 0 || p.Groups < 0:
		return nil, fmt.Errorf("stride %d, pad %d, dilation %d, groups %d: want none negative", p.Stride, p.Pad, p.Dilation, p.Groups)
	case x[1] != w[1]*p.G() && p.G() == 1:
		return nil, fmt.Errorf("x %v has %d channels but w %v expects %d", x, x[1], w, w[1])
	case x[1] != w[1]*p.G() || w[0]%p.G() != 0:
		return nil, fmt.Errorf("x %v and w %v do not split into %d groups: want c = %d·%d and o a multiple of %d", x, w, p.G(), p.G(), w[1], p.G())
	case p.Out(x[2], w[2]) < 1 || p.Out(x[3], w[3]) < 1:
		return nil, fmt.Errorf("w %v with dilation %d is larger than x %v padded by %d", w, p.D(), x, p.Pad)
	}
	return tensor.Shape{x[0], w[0], p.Out(x[2], w[2]), p.Out(x[3], w[3])}, nil
}
