package autograd

import (
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
