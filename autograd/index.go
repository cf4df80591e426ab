package autograd

import (
	"fmt"

	"phase/tensor"
)

var gather = Define(Rule[none]{
	Name: "gather",
	Doc:  "gather(x, index)[i,...] = x[index[i],...].",
	Ints: []int{1},
	Shape: func(_ none, in []tensor.Shape) (tensor.Shape, error) {
		if len(in[0]) < 1 || len(in[1]) != 1 {
			return nil, fmt.Errorf("x %v and index %v: want (r,...) and (n)", in[0], in[1])
		}
		return append(tensor.Shape{in[1][0]}, in[0][1:]...), nil
	},
	Forward: func(c *Ctx, _ none) {
		c.inRange("gather", "index", 1, c.In[0].Dim(0))
		c.K.Gather(c.Out, c.In[0], c.In[1])
	},
	Backward: func(c *Ctx, _ none) { c.K.GatherGrad(c.DIn(0), c.In[1], c.DOut) },
	Samples: func(g *Gen) []Sample[none] {
		return []Sample[none]{
			{In: []*tensor.Tensor{g.Normal(3, 4), g.Labels(5, 3)}},
			{In: []*tensor.Tensor{g.Normal(4), g.Labels(6, 4)}},
			{In: []*tensor.Tensor{g.Normal(2, 2), tensor.Of([]int64{0, 2}, 2)}, Err: "index[1] is 2, want 0 to 1"},
		}
	},
})

// Gather picks rows: x[index[i],...] for x (r,...) and index (n), which is I64.
func Gather(x *Var, index *tensor.Tensor) *Var { return gather(none{}, x, Const(index)) }

// A oneHotParam says how many classes there are and in which dtype to write.
type oneHotParam struct {
	Classes int
	DType   tensor.DType
}

var oneHot = Define(Rule[oneHotParam]{
	Name:  "one_hot",
	Doc:   "one_hot(label; classes)[i,j] = 1 where j = label[i], else 0.",
	Ints:  []int{0},
	DType: func(p oneHotParam) tensor.DType { return p.DType },
	Shape: func(p oneHotParam, in []tensor.Shape) (tensor.Shape, error) {
		if len(in[0]) != 1 || p.Classes < 1 {
			return nil, fmt.Errorf("labels %v of %d classes: want (n) and at least 1", in[0], p.Classes)
		}
		return tensor.Shape{in[0][0], p.Classes}, nil
	},
	Forward: func(c *Ctx, p oneHotParam) {
		c.inRange("one_hot", "label", 0, p.Classes)
		c.K.OneHot(c.Out, c.In[0])
	},
	Samples: func(g *Gen) []Sample[oneHotParam] {
		return []Sample[oneHotParam]{
			{P: oneHotParam{4, tensor.F64}, In: []*tensor.Tensor{g.Labels(5, 4)}},
			{P: oneHotParam{2, tensor.F64}, In: []*tensor.Tensor{tensor.Of([]int64{-1}, 1)}, Err: "label[0] is -1, want 0 to 1"},
			{P: oneHotParam{0, tensor.F64}, In: []*tensor.Tensor{g.Labels(5, 4)}, Err: "want (n) and at least 1"},
		}
	},
})

// OneHot is the (n,classes) matrix with a one at each label, in dtype d.
func OneHot(label *tensor.Tensor, classes int, d tensor.DType) *Var {
	return oneHot(oneHotParam{classes, d}, Const(label))
}

// inRange panics unless every element of input i, which is I64, is in [0, n). Only
// tensors of the host are looked through, before they go to another device.
func (c *Ctx) inRange(op, what string, i, n int) {
	t := c.given[i]
	if t.Device() != tensor.CPU {
		return
	}
	if !t.IsPacked() {
		t = tensor.Contiguous[int64](t)
	}
	for i, v := range tensor.Data[int64](t) {
		if v < 0 || v >= int64(n) {
			panic(tensor.Errorf(op, "%s[%d] is %d, want 0 to %d", what, i, v, n-1))
		}
	}
}
