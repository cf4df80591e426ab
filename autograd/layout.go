package autograd

import (
	"phase/tensor"
)

// none is the parameter of an op that has none.
type none = struct{}

// layout is the identity; it changes only how the value lies in memory.
// It is the one op that rules use on their inputs, so it is made by hand: its
// output's form is its parameter.
func toLayout(images bool, x *Var) *Var {
	if images {
		return asImages(none{}, x)
	}
	return asRows(none{}, x)
}

var (
	asImages func(none, ...*Var) *Var
	asRows   func(none, ...*Var) *Var
)

func init() {
	// Assigned here, not where they are declared: run refers to them.
	asImages = Define(identity("channels_last", "channels_last(x) = x, lying channels-last in memory.", true))
	asRows = Define(identity("row_major", "row_major(x) = x, lying row-major in memory.", false))
}

func identity(name, doc string, images bool) Rule[none] {
	return Rule[none]{
		Name: name, Doc: doc, Layout: Strided, Narrow: []int{0}, fixed: true, images: images,
		Shape:    func(_ none, in []tensor.Shape) (tensor.Shape, error) { return in[0], nil },
		Forward:  func(c *Ctx, _ none) { c.K.Copy(c.Out, c.In[0]) },
		Backward: func(c *Ctx, _ none) { c.K.CopyGrad(c.DIn(0).Zeroed(), c.DOut) },
		Samples: func(g *Gen) []Sample[none] {
			return []Sample[none]{{In: []*tensor.Tensor{g.Normal(2, 3, 4, 5)}}, {In: []*tensor.Tensor{g.Normal(3, 1, 2, 2)}}}
		},
	}
}
