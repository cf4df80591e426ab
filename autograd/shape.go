package autograd

import (
	"fmt"

	"phase/tensor"
)

// Reshape's parameter is the new shape, in which one extent may be -1.
var reshape = Define(Rule[tensor.Shape]{
	Name:  "reshape",
	Doc:   "reshape(x; shape) holds x's elements in row-major order in another shape.",
	Shape: func(p tensor.Shape, in []tensor.Shape) (tensor.Shape, error) { return in[0].Reshaped(p...) },
	View:  func(p tensor.Shape, x *tensor.Tensor) *tensor.Tensor { return x.Reshape(p...) },
	Samples: func(g *Gen) []Sample[tensor.Shape] {
		return []Sample[tensor.Shape]{
			{P: tensor.Shape{3, 4}, In: []*tensor.Tensor{g.Normal(2, 6)}},
			{P: tensor.Shape{2, -1}, In: []*tensor.Tensor{g.Normal(2, 3, 2, 2)}},
			{P: tensor.Shape{5}, In: []*tensor.Tensor{g.Normal(2, 3)}, Err: "has 6 elements but (5) holds 5"},
		}
	},
})

// Reshape is x's elements, in row-major order, in another shape of the same
// size; one extent may be -1.
func Reshape(x *Var, shape ...int) *Var { return reshape(shape, x) }

var permute = Define(Rule[[]int]{
	Name:   "permute",
	Doc:    "permute(x; axes): axis i of the result is axis axes[i] of x.",
	Layout: Strided,
	Shape:  func(p []int, in []tensor.Shape) (tensor.Shape, error) { return in[0].Permuted(p...) },
	View:   func(p []int, x *tensor.Tensor) *tensor.Tensor { return x.Permute(p...) },
	Samples: func(g *Gen) []Sample[[]int] {
		return []Sample[[]int]{
			{P: []int{1, 0}, In: []*tensor.Tensor{g.Normal(2, 3)}},
			{P: []int{2, 0, 1}, In: []*tensor.Tensor{g.Normal(2, 3, 4)}},
			{P: []int{0, 2, 3, 1}, In: []*tensor.Tensor{g.Normal(2, 3, 2, 2)}},
			{P: []int{0, 0}, In: []*tensor.Tensor{g.Normal(2, 3)}, Err: "are not an order of the 2 axes"},
		}
	},
})

// Permute is x with its axes in another order.
func Permute(x *Var, axes ...int) *Var { return permute(axes, x) }

// A cut is the parameter of slice.
type cut struct{ Axis, Lo, Hi, Step int }

var slice = Define(Rule[cut]{
	Name:   "slice",
	Doc:    "slice(x; axis, lo, hi, step) is the part lo, lo+step, ... below hi of one axis.",
	Layout: Strided,
	Shape: func(p cut, in []tensor.Shape) (tensor.Shape, error) {
		return in[0].Sliced(p.Axis, p.Lo, p.Hi, p.Step)
	},
	View: func(p cut, x *tensor.Tensor) *tensor.Tensor { return x.Slice(p.Axis, p.Lo, p.Hi, p.Step) },
	Samples: func(g *Gen) []Sample[cut] {
		return []Sample[cut]{
			{P: cut{0, 1, 3, 1}, In: []*tensor.Tensor{g.Normal(4, 3)}},
			{P: cut{2, 0, 5, 2}, In: []*tensor.Tensor{g.Normal(2, 3, 5, 2)}},
			{P: cut{1, 2, 2, 1}, In: []*tensor.Tensor{g.Normal(2, 3)}},
			{P: cut{1, 0, 5, 1}, In: []*tensor.Tensor{g.Normal(2, 4)}, Err: "want 0 <= lo <= hi <= 4"},
			{P: cut{2, 0, 1, 1}, In: []*tensor.Tensor{g.Normal(2, 4)}, Err: "which has 2 axes"},
		}
	},
})

// Slice is the part lo, lo+step, ... below hi of one axis of x.
func Slice(x *Var, axis, lo, hi, step int) *Var { return slice(cut{axis, lo, hi, step}, x) }

var expand = Define(Rule[tensor.Shape]{
	Name:   "expand",
	Doc:    "expand(x; shape) repeats x along axes of extent 1 and along new leading axes.",
	Layout: Strided,
	Shape:  func(p tensor.Shape, in []tensor.Shape) (tensor.Shape, error) { return p, in[0].ExpandsTo(p) },
	View:   func(p tensor.Shape, x *tensor.Tensor) *tensor.Tensor { return x.Expand(p...) },
	Samples: func(g *Gen) []Sample[tensor.Shape] {
		return []Sample[tensor.Shape]{
			{P: tensor.Shape{3, 4}, In: []*tensor.Tensor{g.Normal(3, 1)}},
			{P: tensor.Shape{2, 3, 2, 2}, In: []*tensor.Tensor{g.Normal(3, 1, 1)}},
			{P: tensor.Shape{3, 4}, In: []*tensor.Tensor{g.Normal(3, 2)}, Err: "(3,2) does not expand to (3,4)"},
		}
	},
})

// Expand repeats x, by the rules of broadcasting, to a larger shape.
func Expand(x *Var, shape ...int) *Var { return expand(shape, x) }

// A border is the parameter of pad: how many zeros stand before and after the
// elements of one axis.
type border struct{ Axis, Before, After int }

func (p border) inner(y *tensor.Tensor) *tensor.Tensor {
	return y.Slice(p.Axis, p.Before, y.Dim(p.Axis)-p.After, 1)
}

var pad = Define(Rule[border]{
	Name:   "pad",
	Doc:    "pad(x; axis, before, after) is x with zeros before and after it along one axis.",
	Layout: Strided,
	Shape: func(p border, in []tensor.Shape) (tensor.Shape, error) {
		if p.Axis < 0 || p.Axis >= len(in[0]) {
			return nil, fmt.Errorf("axis %d of %v, which has %d axes", p.Axis, in[0], len(in[0]))
		}
		if p.Before < 0 || p.After < 0 {
			return nil, fmt.Errorf("%d before and %d after: want none negative", p.Before, p.After)
		}
		s := append(tensor.Shape{}, in[0]...)
		s[p.Axis] += p.Before + p.After
		return s, nil
	},
	Forward: func(c *Ctx, p border) {
		c.Out.Zero()
		c.K.Copy(p.inner(c.Out), c.In[0])
	},
	Backward: func(c *Ctx, p border) { c.K.CopyGrad(c.DIn(0).Zeroed(), p.inner(c.DOut)) },
	Samples: func(g *Gen) []Sample[border] {
		return []Sample[border]{
			{P: border{1, 1, 2}, In: []*tensor.Tensor{g.Normal(2, 3)}},
			{P: border{1, 2, 2}, In: []*tensor.Tensor{g.Normal(2, 4, 3, 2)}},
			{P: border{2, 0, 1}, In: []*tensor.Tensor{g.Normal(2, 3)}, Err: "which has 2 axes"},
			{P: border{0, -1, 1}, In: []*tensor.Tensor{g.Normal(2, 3)}, Err: "want none negative"},
		}
	},
})

// Pad is x with zeros before and after it along one axis.
func Pad(x *Var, axis, before, after int) *Var { return pad(border{axis, before, after}, x) }

// Concat's parameter is the axis.
var concat = Define(Rule[int]{
	Name:   "concat",
	Doc:    "concat(x, y, ...; axis) puts tensors one after the other along an axis.",
	Layout: Strided,
	Shape: func(axis int, in []tensor.Shape) (tensor.Shape, error) {
		if axis < 0 || axis >= len(in[0]) {
			return nil, fmt.Errorf("axis %d of %v, which has %d axes", axis, in[0], len(in[0]))
		}
		out := append(tensor.Shape{}, in[0]...)
		for _, s := range in[1:] {
			ok := len(s) == len(out)
			for i := 0; ok && i < len(s); i++ {
				ok = i == axis || s[i] == out[i]
			}
			if !ok {
				return nil, fmt.Errorf("%v and %v differ outside axis %d", in[0], s, axis)
			}
			out[axis] += s[axis]
		}
		return out, nil
	},
	Forward: func(c *Ctx, axis int) {
		for i, part := range c.parts(c.Out, axis) {
			c.K.Copy(part, c.In[i])
		}
	},
	Backward: func(c *Ctx, axis int) {
		for i, part := range c.parts(c.DOut, axis) {
			if d := c.DIn(i); d.Wanted() {
				c.K.CopyGrad(d.Zeroed(), part)
			}
		}
	},
	Samples: func(g *Gen) []Sample[int] {
		return []Sample[int]{
			{P: 0, In: []*tensor.Tensor{g.Normal(2, 3), g.Normal(1, 3), g.Normal(4, 3)}},
			{P: 1, In: []*tensor.Tensor{g.Normal(2, 3, 2, 2), g.Normal(2, 1, 2, 2)}},
			{P: 1, In: []*tensor.Tensor{g.Normal(2, 3), g.Normal(1, 3)}, Err: "(2,3) and (1,3) differ outside axis 1"},
			{P: 2, In: []*tensor.Tensor{g.Normal(2, 3)}, Err: "which has 2 axes"},
		}
	},
})

// parts is y cut along axis into pieces of the inputs' extents.
func (c *Ctx) parts(y *tensor.Tensor, axis int) []*tensor.Tensor {
	parts, lo := make([]*tensor.Tensor, len(c.In)), 0
	for i, x := range c.In {
		parts[i] = y.Slice(axis, lo, lo+x.Dim(axis), 1)
		lo += x.Dim(axis)
	}
	return parts
}

// Concat puts tensors, equal in shape but for one axis, one after the other
// along it.
func Concat(axis int, x ...*Var) *Var { return concat(axis, x...) }
