package autograd

import (
	"fmt"
	"math"

	"phase/kernels"
	"phase/tensor"
)

// BatchNormParam says how to normalise in training.
type BatchNormParam struct {
	kernels.BatchNorm
	// Mean and Var, where not nil, receive the batch's statistics (c), with
	// which a layer updates its running ones; Var is the biased variance.
	Mean, Var *tensor.Tensor
}

// normShape is shared by the training ops, of inputs x, gamma, beta and, with
// residual, one more of x's shape, and the evaluation ops, which have mean and
// variance after beta.
func normShape(vectors int, in []tensor.Shape) (tensor.Shape, error) {
	x := in[0]
	if len(x) != 2 && len(x) != 4 {
		return nil, fmt.Errorf("x %v: want (n,c) or (n,c,h,w)", x)
	}
	for i, s := range in[1 : 1+vectors] {
		if len(s) != 1 || s[0] != x[1] {
			return nil, fmt.Errorf("input %d is %v: want one number for each of x %v's %d channels", i+1, s, x, x[1])
		}
	}
	if rest := in[1+vectors:]; len(rest) > 1 || len(rest) == 1 && !rest[0].Equal(x) {
		return nil, fmt.Errorf("residual %v: want x's shape %v", rest[0], x)
	}
	return x, nil
}

// last is the residual input, behind the vectors, or nil.
func (c *Ctx) last(vectors int) *tensor.Tensor {
	if len(c.In) > 1+vectors {
		return c.In[1+vectors]
	}
	return nil
}

// lastGrad is where the residual's gradient goes.
func (c *Ctx) lastGrad(vectors int) kernels.Acc {
	if len(c.In) > 1+vectors {
		return c.DIn(1 + vectors)
	}
	return kernels.Acc{}
}

func batchNormRule(name, doc string, relu, residual bool) Rule[BatchNormParam] {
	return Rule[BatchNormParam]{
		Name: name, Doc: doc, Layout: Images,
		Shape: func(p BatchNormParam, in []tensor.Shape) (tensor.Shape, error) {
			s, err := normShape(2, in)
			if err == nil && s.Size() <= s[1] {
				return nil, fmt.Errorf("x %v has one value a channel: a variance needs two", s)
			}
			return s, err
		},
		Forward: func(c *Ctx, p BatchNormParam) {
			d, ch := c.In[0].DType(), c.In[0].Dim(1)
			m, v := c.Keep(c.New(d, ch)), c.Keep(c.New(d, ch))
			p.ReLU = relu
			c.K.BatchNorm(p.BatchNorm, c.Out, m, v, c.In[0], c.In[1], c.In[2], c.last(2))
			if p.Mean != nil {
				c.K.Copy(p.Mean, m)
				c.K.Copy(p.Var, v)
			}
		},
		Backward: func(c *Ctx, p BatchNormParam) {
			p.ReLU = relu
			c.K.BatchNormGrad(p.BatchNorm, c.DIn(0), c.DIn(1), c.DIn(2), c.lastGrad(2), c.In[0], c.Out, c.In[1], c.Kept[0], c.Kept[1], c.DOut)
		},
		Samples: func(g *Gen) []Sample[BatchNormParam] {
			p := BatchNormParam{BatchNorm: kernels.BatchNorm{Eps: 1e-5}}
			in := func(shape ...int) []*tensor.Tensor {
				in := []*tensor.Tensor{g.Normal(shape...), g.Positive(shape[1]), g.Normal(shape[1])}
				if residual {
					in = append(in, g.Normal(shape...))
				}
				return in
			}
			bad := in(4, 3)
			bad[1] = g.Normal(2)
			return []Sample[BatchNormParam]{
				{P: p, In: in(3, 2, 2, 3)}, {P: p, In: in(5, 3)}, {P: p, In: in(2, 4, 3, 1)},
				{P: p, In: bad, Err: "one number for each of x (4,3)'s 3 channels"},
				{P: p, In: in(1, 3), Err: "a variance needs two"},
			}
		},
	}
}

func evalNormRule(name, doc string, relu, residual bool) Rule[kernels.BatchNorm] {
	return Rule[kernels.BatchNorm]{
		Name: name, Doc: doc, Layout: Images, Held: []int{3, 4},
		Shape: func(_ kernels.BatchNorm, in []tensor.Shape) (tensor.Shape, error) { return normShape(4, in) },
		Forward: func(c *Ctx, p kernels.BatchNorm) {
			p.ReLU = relu
			c.K.BatchNormEval(p, c.Out, c.In[0], c.In[1], c.In[2], c.In[3], c.In[4], c.last(4))
		},
		Backward: func(c *Ctx, p kernels.BatchNorm) {
			p.ReLU = relu
			c.K.BatchNormEvalGrad(p, c.DIn(0), c.DIn(1), c.DIn(2), c.lastGrad(4), c.In[0], c.Out, c.In[1], c.In[3], c.In[4], c.DOut)
		},
		Samples: func(g *Gen) []Sample[kernels.BatchNorm] {
			in := func(shape ...int) []*tensor.Tensor {
				c := shape[1]
				in := []*tensor.Tensor{g.Normal(shape...), g.Positive(c), g.Normal(c), g.Normal(c), g.Positive(c)}
				if residual {
					in = append(in, g.Normal(shape...))
				}
				return in
			}
			bad := in(2, 3)
			bad[4] = g.Positive(2)
			p := kernels.BatchNorm{Eps: 1e-5}
			return []Sample[kernels.BatchNorm]{
				{P: p, In: in(2, 3, 2, 2)}, {P: p, In: in(1, 4)},
				{P: p, In: bad, Err: "input 4 is (2): want one number for each of x (2,3)'s 3 channels"},
			}
		},
	}
}

var (
	batchNorm        = Define(batchNormRule("batch_norm", "batch_norm(x, γ, β) = γ·(x-μ)/√(σ²+ε) + β, with μ and the biased σ² of the batch, by channel.", false, false))
	batchNormReLU    = Define(fusedNorm("batch_norm_relu", "batch_norm_relu(x, γ, β) = relu(batch_norm(x, γ, β)).", false))
	batchNormAddReLU = Define(fusedNorm("batch_norm_add_relu", "batch_norm_add_relu(x, γ, β, r) = relu(batch_norm(x, γ, β) + r), the join of a residual block.", true))

	batchNormEval        = Define(evalNormRule("batch_norm_eval", "batch_norm_eval(x, γ, β, μ, σ²) = γ·(x-μ)/√(σ²+ε) + β with constant μ, σ².", false, false))
	batchNormEvalReLU    = Define(fusedEvalNorm("batch_norm_eval_relu", "batch_norm_eval_relu(x, γ, β, μ, σ²) = relu(batch_norm_eval(...)).", false))
	batchNormEvalAddReLU = Define(fusedEvalNorm("batch_norm_eval_add_relu", "batch_norm_eval_add_relu(x, γ, β, μ, σ², r) = relu(batch_norm_eval(...) + r).", true))
)

func fusedNorm(name, doc string, residual bool) Rule[BatchNormParam] {
	r := batchNormRule(name, doc, true, residual)
	r.Same = func(p BatchNormParam, in ...*Var) *Var {
		return joined(batchNorm(p, in[:3]...), in[3:])
	}
	return r
}

func fusedEvalNorm(name, doc string, residual bool) Rule[kernels.BatchNorm] {
	r := evalNormRule(name, doc, true, residual)
	r.Same = func(p kernels.BatchNorm, in ...*Var) *Var {
		return joined(batchNormEval(p, in[:5]...), in[5:])
	}
	return r
}

// joined is relu(y + residual).
func joined(y *Var, residual []*Var) *Var {
	for _, r := range residual {
		y = Add(y, r)
	}
	return ReLU(y)
}

// BatchNorm normalises x, (n,c,h,w) or (n,c), by the mean and the biased
// variance of each channel over the batch, then scales by gamma and shifts by
// beta, both (c); p.ReLU cuts the result at zero. The statistics are left in
// p.Mean and p.Var where those are given.
func BatchNorm(x, gamma, beta *Var, p BatchNormParam) *Var {
	if p.ReLU {
		return batchNormReLU(p, x, gamma, beta)
	}
	return batchNorm(p, x, gamma, beta)
}

// BatchNormAddReLU is max(0, BatchNorm(x) + residual), the join of a residual
// block, in one op.
func BatchNormAddReLU(x, gamma, beta, residual *Var, p BatchNormParam) *Var {
	return batchNormAddReLU(p, x, gamma, beta, residual)
}

// BatchNormEval is BatchNorm with constant statistics, the running ones.
func BatchNormEval(x, gamma, beta *Var, mean, variance *tensor.Tensor, p kernels.BatchNorm) *Var {
	if p.ReLU {
		return batchNormEvalReLU(p, x, gamma, beta, Const(mean), Const(variance))
	}
	return batchNormEval(p, x, gamma, beta, Const(mean), Const(variance))
}

// BatchNormEvalAddReLU is max(0, BatchNormEval(x) + residual).
func BatchNormEvalAddReLU(x, gamma, beta, residual *Var, mean, variance *tensor.Tensor, p kernels.BatchNorm) *Var {
	return batchNormEvalAddReLU(p, x, gamma, beta, Const(mean), Const(variance), residual)
}

// Normalize divides each row of x (n,d) by its Euclidean norm. A row of zeros
// stays zero; eps = 1e-12 bounds the norm's square from below.
func Normalize(x *Var) *Var {
	return Mul(x, Rsqrt(Affine(SumKeep(Square(x), 1), 1, 1e-12)))
}

// CosineLogits is s·cos(x_i, w_j) for x (n,d) and w (c,d): the classifier
// without lengths, of shape (n,c).
func CosineLogits(x, w *Var, scale float64) *Var {
	if x.tape != nil {
		w = x.tape.Use(w)
	} else if w.tape != nil {
		x = w.tape.Use(x)
	}
	return Scale(MatMul(Normalize(x), Permute(Normalize(w), 1, 0)), scale)
}

var dropout = Define(Rule[kernels.Dropout]{
	Name:   "dropout",
	Doc:    "dropout(x; rate, seed) zeroes each element with probability rate and divides the others by 1-rate.",
	Layout: Alike,
	Shape: func(p kernels.Dropout, in []tensor.Shape) (tensor.Shape, error) {
		if p.Rate < 0 || p.Rate >= 1 || math.IsNaN(p.Rate) {
			return nil, fmt.Errorf("rate %g: want 0 <= rate < 1", p.Rate)
		}
		return in[0], nil
	},
	Forward:  func(c *Ctx, p kernels.Dropout) { c.K.Dropout(p, c.Out, c.In[0]) },
	Backward: func(c *Ctx, p kernels.Dropout) { c.K.DropoutGrad(p, c.DIn(0), c.DOut) },
	Samples: func(g *Gen) []Sample[kernels.Dropout] {
		return []Sample[kernels.Dropout]{
			{P: kernels.Dropout{Rate: .4, Seed: 7}, In: []*tensor.Tensor{g.Normal(6, 5)}},
			{P: kernels.Dropout{Seed: 7}, In: []*tensor.Tensor{g.Normal(2, 2)}},
			{P: kernels.Dropout{Rate: 1}, In: []*tensor.Tensor{g.Normal(2, 2)}, Err: "want 0 <= rate < 1"},
		}
	},
})

// Dropout zeroes each element with probability rate, as a fixed function of
// seed and the element's position in memory, and divides the others by 1-rate.
func Dropout(x *Var, rate float64, seed uint64) *Var {
	return dropout(kernels.Dropout{Rate: rate, Seed: seed}, x)
}
