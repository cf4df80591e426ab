package autograd

import (
	"fmt"

	"phase/kernels"
	"phase/tensor"
)

func poolShape(p kernels.Pool2D, in []tensor.Shape) (tensor.Shape, error) {
	x := in[0]
	switch {
	case len(x) != 4:
		return nil, fmt.Errorf("x %v: want (n,c,h,w)", x)
	case p.Size < 1 || p.Stride < 0 || p.Pad < 0 || 2*p.Pad > p.Size:
		return nil, fmt.Errorf("size %d, stride %d, pad %d: want size >= 1, stride >= 0, 0 <= pad <= size/2", p.Size, p.Stride, p.Pad)
	case p.Out(x[2]) < 1 || p.Out(x[3]) < 1:
		return nil, fmt.Errorf("a window of %d is larger than x %v padded by %d", p.Size, x, p.Pad)
	}
	return tensor.Shape{x[0], x[1], p.Out(x[2]), p.Out(x[3])}, nil
}

func poolSamples(draw func(g *Gen, shape ...int) *tensor.Tensor) func(g *Gen) []Sample[kernels.Pool2D] {
	return func(g *Gen) []Sample[kernels.Pool2D] {
		return []Sample[kernels.Pool2D]{
			{P: kernels.Pool2D{Size: 2}, In: []*tensor.Tensor{draw(g, 2, 3, 4, 5)}},
			{P: kernels.Pool2D{Size: 3, Stride: 2, Pad: 1}, In: []*tensor.Tensor{draw(g, 1, 2, 5, 6)}},
			{P: kernels.Pool2D{Size: 3, Stride: 1}, In: []*tensor.Tensor{draw(g, 1, 1, 4, 4)}},
			{P: kernels.Pool2D{Size: 5}, In: []*tensor.Tensor{draw(g, 1, 1, 4, 4)}, Err: "a window of 5 is larger"},
			{P: kernels.Pool2D{}, In: []*tensor.Tensor{draw(g, 1, 1, 4, 4)}, Err: "want size >= 1"},
			{P: kernels.Pool2D{Size: 2}, In: []*tensor.Tensor{draw(g, 4, 4)}, Err: "want (n,c,h,w)"},
		}
	}
}

var maxPool = Define(Rule[kernels.Pool2D]{
	Name: "max_pool", Doc: "max_pool(x; size, stride, pad) is the largest element of each window.",
	Layout: Images, Shape: poolShape,
	Forward: func(c *Ctx, p kernels.Pool2D) {
		c.K.MaxPool(p, c.Out, c.Keep(c.NewLike(tensor.I64, c.Out)), c.In[0])
	},
	Backward: func(c *Ctx, p kernels.Pool2D) { c.K.MaxPoolGrad(p, c.DIn(0), c.Kept[0], c.DOut) },
	Samples:  poolSamples((*Gen).Distinct),
})

// MaxPool is the largest element of each window of x (n,c,h,w).
func MaxPool(x *Var, p kernels.Pool2D) *Var { return maxPool(p, x) }

var avgPool = Define(Rule[kernels.Pool2D]{
	Name: "avg_pool", Doc: "avg_pool(x; size, stride, pad) is the mean of each window, padding counted as zeros.",
	Layout: Images, Shape: poolShape,
	Forward:  func(c *Ctx, p kernels.Pool2D) { c.K.AvgPool(p, c.Out, c.In[0]) },
	Backward: func(c *Ctx, p kernels.Pool2D) { c.K.AvgPoolGrad(p, c.DIn(0), c.DOut) },
	Samples:  poolSamples((*Gen).Normal),
})

// AvgPool is the mean of each window of x (n,c,h,w); padding counts as zeros.
func AvgPool(x *Var, p kernels.Pool2D) *Var { return avgPool(p, x) }

var globalAvgPool = Define(Rule[none]{
	Name: "global_avg_pool", Doc: "global_avg_pool(x)[n,c] = mean of x[n,c,:,:].", Layout: Images,
	Shape: func(_ none, in []tensor.Shape) (tensor.Shape, error) {
		if len(in[0]) != 4 || in[0][2]*in[0][3] == 0 {
			return nil, fmt.Errorf("x %v: want (n,c,h,w) with h, w >= 1", in[0])
		}
		return tensor.Shape{in[0][0], in[0][1]}, nil
	},
	Forward:  func(c *Ctx, _ none) { c.K.GlobalAvgPool(c.Out, c.In[0]) },
	Backward: func(c *Ctx, _ none) { c.K.GlobalAvgPoolGrad(c.DIn(0), c.DOut) },
	Same:     func(_ none, in ...*Var) *Var { return Mean(in[0], 2, 3) },
	Samples: func(g *Gen) []Sample[none] {
		return []Sample[none]{
			{In: []*tensor.Tensor{g.Normal(2, 3, 4, 5)}},
			{In: []*tensor.Tensor{g.Normal(2, 3)}, Err: "want (n,c,h,w)"},
		}
	},
})

// GlobalAvgPool is the mean of x (n,c,h,w) over its planes, of shape (n,c).
func GlobalAvgPool(x *Var) *Var { return globalAvgPool(none{}, x) }
