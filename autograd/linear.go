package autograd

import (
	"fmt"

	"phase/kernels"
	"phase/tensor"
)

var matmul = Define(Rule[none]{
	Name: "matmul",
	Doc:  "matmul(a, b)[i,j] = Σ a[i,k]·b[k,j].",
	Shape: func(_ none, in []tensor.Shape) (tensor.Shape, error) {
		a, b := in[0], in[1]
		if len(a) != 2 || len(b) != 2 || a[1] != b[0] {
			return nil, fmt.Errorf("a %v and b %v: want (m,k) and (k,n)", a, b)
		}
		return tensor.Shape{a[0], b[1]}, nil
	},
	Forward: func(c *Ctx, _ none) { c.K.Gemm(kernels.Gemm{}, c.Out, c.In[0], c.In[1]) },
	Backward: func(c *Ctx, _ none) {
		if da := c.DIn(0); da.Wanted() {
			c.K.Gemm(kernels.Gemm{TransB: true, Add: !da.Fresh}, da.T, c.DOut, c.In[1])
		}
		if db := c.DIn(1); db.Wanted() {
			c.K.Gemm(kernels.Gemm{TransA: true, Add: !db.Fresh}, db.T, c.In[0], c.DOut)
		}
	},
	Samples: func(g *Gen) []Sample[none] {
		return []Sample[none]{
			{In: []*tensor.Tensor{g.Normal(3, 4), g.Normal(4, 2)}},
			{In: []*tensor.Tensor{g.Normal(1, 1), g.Normal(1, 5)}},
			{In: []*tensor.Tensor{g.Normal(3, 4), g.Normal(3, 4)}, Err: "a (3,4) and b (3,4): want (m,k) and (k,n)"},
		}
	},
})

// MatMul is the product of a (m,k) and b (k,n), of shape (m,n).
func MatMul(a, b *Var) *Var { return matmul(none{}, a, b) }

// linear follows PyTorch's layout: w is (out,in).
var linear = Define(Rule[none]{
	Name: "linear",
	Doc:  "linear(x, w, b) = x·wᵀ + b, for x (n,in), w (out,in), b (out).",
	Shape: func(_ none, in []tensor.Shape) (tensor.Shape, error) {
		x, w, b := in[0], in[1], in[2]
		if len(x) != 2 || len(w) != 2 || x[1] != w[1] || len(b) != 1 || b[0] != w[0] {
			return nil, fmt.Errorf("x %v, w %v, b %v: want (n,in), (out,in), (out)", x, w, b)
		}
		return tensor.Shape{x[0], w[0]}, nil
	},
	Forward: func(c *Ctx, _ none) {
		c.K.Copy(c.Out, c.In[2].Expand(c.Out.Shape()...))
		c.K.Gemm(kernels.Gemm{TransB: true, Add: true}, c.Out, c.In[0], c.In[1])
	},
	Backward: func(c *Ctx, _ none) {
		if dx := c.DIn(0); dx.Wanted() {
			c.K.Gemm(kernels.Gemm{Add: !dx.Fresh}, dx.T, c.DOut, c.In[1])
		}
		if dw := c.DIn(1); dw.Wanted() {
			c.K.Gemm(kernels.Gemm{TransA: true, Add: !dw.Fresh}, dw.T, c.DOut, c.In[0])
		}
		if db := c.DIn(2); db.Wanted() {
			b := c.In[2].Expand(c.Out.Shape()...)
			c.K.BinaryGrad(kernels.Add, 1, db, c.DOut, b, c.DOut)
		}
	},
	Same: func(_ none, in ...*Var) *Var { return Add(MatMul(in[0], Permute(in[1], 1, 0)), in[2]) },
	Samples: func(g *Gen) []Sample[none] {
		return []Sample[none]{
			{In: []*tensor.Tensor{g.Normal(3, 4), g.Normal(2, 4), g.Normal(2)}},
			{In: []*tensor.Tensor{g.Normal(1, 3), g.Normal(5, 3), g.Normal(5)}},
			{In: []*tensor.Tensor{g.Normal(3, 4), g.Normal(4, 2), g.Normal(2)}, Err: "want (n,in), (out,in), (out)"},
		}
	},
})

// Linear is x·wᵀ + b for x (n,in), w (out,in) and b (out), of shape (n,out).
func Linear(x, w, b *Var) *Var { return linear(none{}, x, w, b) }
