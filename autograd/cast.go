package autograd

import (
	"fmt"

	"phase/tensor"
)

// Cast's parameter is the dtype of the result.
var cast = Define(Rule[tensor.DType]{
	Name:   "cast",
	Doc:    "cast(x; d) = x, rounded to the numbers of the float dtype d.",
	Layout: Alike, Narrow: []int{0},
	Shape: func(d tensor.DType, in []tensor.Shape) (tensor.Shape, error) {
		if d == tensor.I64 {
			return nil, fmt.Errorf("to %v: want a float", d)
		}
		return in[0], nil
	},
	DType:    func(d tensor.DType) tensor.DType { return d },
	Forward:  func(c *Ctx, _ tensor.DType) { c.K.Cast(c.Out, c.In[0]) },
	Backward: func(c *Ctx, _ tensor.DType) { c.K.CastGrad(c.DIn(0), c.DOut) },
	Samples: func(g *Gen) []Sample[tensor.DType] {
		return []Sample[tensor.DType]{
			{P: tensor.F64, In: []*tensor.Tensor{g.Normal(2, 3, 4, 2)}},
			{P: tensor.F64, In: []*tensor.Tensor{g.Normal(5)}},
			{P: tensor.I64, In: []*tensor.Tensor{g.Normal(5)}, Err: "want a float"},
		}
	},
})

// Cast is x in the float dtype d. Images in BF16 are half as large; branches and
// Subsample take them, other ops want them cast back.
func Cast(x *Var, d tensor.DType) *Var { return cast(d, x) }
