package autograd

import (
	"fmt"

	"phase/kernels"
	"phase/tensor"
)

// same is the shape rule of ops whose inputs all have the output's shape.
func same[P any](_ P, in []tensor.Shape) (tensor.Shape, error) {
	for _, s := range in[1:] {
		if !s.Equal(in[0]) {
			return nil, fmt.Errorf("shapes %v and %v differ", in[0], s)
		}
	}
	return in[0], nil
}

// unary defines an op that applies f to every element.
func unary(name, doc string, f kernels.Fn, draw func(g *Gen, shape ...int) *tensor.Tensor) func(none, ...*Var) *Var {
	return Define(Rule[none]{
		Name: name, Doc: doc, Layout: Alike, Shape: same[none],
		Forward:  func(c *Ctx, _ none) { c.K.Map(f, c.Out, c.In[0]) },
		Backward: func(c *Ctx, _ none) { c.K.MapGrad(f, c.DIn(0), c.In[0], c.Out, c.DOut) },
		Samples: func(g *Gen) []Sample[none] {
			return []Sample[none]{{In: []*tensor.Tensor{draw(g, 2, 5)}}, {In: []*tensor.Tensor{draw(g, 2, 3, 4, 3)}}, {In: []*tensor.Tensor{draw(g)}}}
		},
	})
}

var (
	relu    = unary("relu", "relu(x) = max(x, 0), with derivative 0 at 0.", kernels.ReLU, (*Gen).Normal)
	exp     = unary("exp", "exp(x) = eˣ.", kernels.Exp, (*Gen).Normal)
	log     = unary("log", "log(x) is the natural logarithm.", kernels.Log, (*Gen).Positive)
	tanh    = unary("tanh", "tanh(x) = (eˣ-e⁻ˣ)/(eˣ+e⁻ˣ).", kernels.Tanh, (*Gen).Normal)
	sigmoid = unary("sigmoid", "sigmoid(x) = 1/(1+e⁻ˣ).", kernels.Sigmoid, (*Gen).Normal)
	gelu    = unary("gelu", "gelu(x) = x·Φ(x), Φ the normal distribution function.", kernels.GELU, (*Gen).Normal)
	sqrt    = unary("sqrt", "sqrt(x) = √x.", kernels.Sqrt, (*Gen).Positive)
	rsqrt   = unary("rsqrt", "rsqrt(x) = 1/√x.", kernels.Rsqrt, (*Gen).Positive)
	square  = unary("square", "square(x) = x².", kernels.Square, (*Gen).Normal)
	abs     = unary("abs", "abs(x) = |x|, with derivative 0 at 0.", kernels.Abs, (*Gen).Normal)
)

// ReLU is max(x, 0) of every element.
func ReLU(x *Var) *Var { return relu(none{}, x) }

// Exp is eˣ of every element.
func Exp(x *Var) *Var { return exp(none{}, x) }

// Log is the natural logarithm of every element.
func Log(x *Var) *Var { return log(none{}, x) }

// Tanh is the hyperbolic tangent of every element.
func Tanh(x *Var) *Var { return tanh(none{}, x) }

// Sigmoid is 1/(1+e⁻ˣ) of every element.
func Sigmoid(x *Var) *Var { return sigmoid(none{}, x) }

// GELU is x·Φ(x) of every element, the exact Gaussian error linear unit.
func GELU(x *Var) *Var { return gelu(none{}, x) }

// Sqrt is the square root of every element.
func Sqrt(x *Var) *Var { return sqrt(none{}, x) }

// Rsqrt is one over the square root of every element.
func Rsqrt(x *Var) *Var { return rsqrt(none{}, x) }

// Square is x² of every element.
func Square(x *Var) *Var { return square(none{}, x) }

// Abs is |x| of every element.
func Abs(x *Var) *Var { return abs(none{}, x) }

// binary defines an op of two arguments that are broadcast against each other.
func binary(name, doc string, f kernels.Fn2, second func(g *Gen, shape ...int) *tensor.Tensor) func(none, ...*Var) *Var {
	return Define(Rule[none]{
		Name: name, Doc: doc, Layout: Strided,
		Shape: func(_ none, in []tensor.Shape) (tensor.Shape, error) { return tensor.Broadcast(in[0], in[1]) },
		Forward: func(c *Ctx, _ none) {
			x, y := c.broadcast()
			c.K.Binary(f, c.Out, x, y)
		},
		Backward: func(c *Ctx, _ none) {
			x, y := c.broadcast()
			for arg := range c.In {
				if d := c.DIn(arg); d.Wanted() {
					c.K.BinaryGrad(f, arg, d, x, y, c.DOut)
				}
			}
		},
		Samples: func(g *Gen) (s []Sample[none]) {
			for _, shapes := range [][2]tensor.Shape{
				{{3, 4}, {3, 4}}, {{2, 3, 2, 2}, {3, 1, 1}}, {{3, 1}, {1, 4}}, {{}, {2, 2}}, {{2, 3}, {1}}, {{2, 1, 3}, {4, 1}},
			} {
				s = append(s, Sample[none]{In: []*tensor.Tensor{g.Normal(shapes[0]...), second(g, shapes[1]...)}})
			}
			return append(s, Sample[none]{In: []*tensor.Tensor{g.Normal(3, 4), g.Normal(4, 3)}, Err: "(3,4) and (4,3) differ"})
		},
	})
}

// broadcast is both inputs expanded to the output's shape.
func (c *Ctx) broadcast() (x, y *tensor.Tensor) {
	x, y = c.In[0], c.In[1]
	if !x.Shape().Equal(c.Out.Shape()) {
		x = x.Expand(c.Out.Shape()...)
	}
	if !y.Shape().Equal(c.Out.Shape()) {
		y = y.Expand(c.Out.Shape()...)
	}
	return x, y
}

var (
	add = binary("add", "add(x, y) = x + y, broadcast.", kernels.Add, (*Gen).Normal)
	sub = binary("sub", "sub(x, y) = x - y, broadcast.", kernels.Sub, (*Gen).Normal)
	mul = binary("mul", "mul(x, y) = x·y, broadcast.", kernels.Mul, (*Gen).Normal)
	div = binary("div", "div(x, y) = x/y, broadcast.", kernels.Div, (*Gen).Positive)
)

// Add is x + y, the two broadcast against each other as in NumPy.
func Add(x, y *Var) *Var { return add(none{}, x, y) }

// Sub is x - y, broadcast.
func Sub(x, y *Var) *Var { return sub(none{}, x, y) }

// Mul is the elementwise product x·y, broadcast.
func Mul(x, y *Var) *Var { return mul(none{}, x, y) }

// Div is the elementwise quotient x/y, broadcast.
func Div(x, y *Var) *Var { return div(none{}, x, y) }

var affine = Define(Rule[kernels.Affine]{
	Name: "affine", Doc: "affine(x; a, b) = a·x + b for numbers a, b.", Layout: Alike, Shape: same[kernels.Affine],
	Forward:  func(c *Ctx, p kernels.Affine) { c.K.Affine(p, c.Out, c.In[0]) },
	Backward: func(c *Ctx, p kernels.Affine) { c.K.AXPY(p.Mul, c.DIn(0), c.DOut) },
	Samples: func(g *Gen) []Sample[kernels.Affine] {
		return []Sample[kernels.Affine]{
			{P: kernels.Affine{Mul: -2.5, Add: 1}, In: []*tensor.Tensor{g.Normal(3, 2)}},
			{P: kernels.Affine{Mul: .5}, In: []*tensor.Tensor{g.Normal(2, 3, 2, 2)}},
		}
	},
})

// Affine is a·x + b of every element.
func Affine(x *Var, a, b float64) *Var { return affine(kernels.Affine{Mul: a, Add: b}, x) }

// Scale is a·x of every element.
func Scale(x *Var, a float64) *Var { return Affine(x, a, 0) }
