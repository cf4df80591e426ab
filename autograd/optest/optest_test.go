package optest

import (
	"fmt"
	"math"
	"strings"
	"testing"

	"phase/autograd"
	"phase/kernels"
	"phase/kernels/ref"
	"phase/tensor"
)

func TestMain(m *testing.M) {
	kernels.Register(ref.Backend{})
	m.Run()
}

// findings collects what the battery says.
type findings []string

func (f *findings) Errorf(format string, args ...any) { *f = append(*f, fmt.Sprintf(format, args...)) }

// examined defines the op that r describes and returns what the battery says.
func examined(r autograd.Rule[none]) findings {
	autograd.Define(r)
	var f findings
	for _, op := range autograd.Ops() {
		if op.Name == r.Name {
			examine(&f, op)
		}
	}
	return f
}

type (
	none = struct{}
	rule = autograd.Rule[none]
	ctx  = autograd.Ctx
)

// product is x·y without broadcasting, as right as an op can be. Every planted
// bug below is one change to it.
func product(name string) rule {
	return rule{
		Name: name, Doc: name + "(x, y) = x·y.", Layout: autograd.Alike,
		Shape: func(_ none, in []tensor.Shape) (tensor.Shape, error) {
			if !in[0].Equal(in[1]) {
				return nil, fmt.Errorf("x %v and y %v differ", in[0], in[1])
			}
			return in[0], nil
		},
		Forward: func(c *ctx, _ none) { c.K.Binary(kernels.Mul, c.Out, c.In[0], c.In[1]) },
		Backward: func(c *ctx, _ none) {
			for arg := range 2 {
				if d := c.DIn(arg); d.Wanted() {
					c.K.BinaryGrad(kernels.Mul, arg, d, c.In[0], c.In[1], c.DOut)
				}
			}
		},
		Same: func(_ none, in ...*autograd.Var) *autograd.Var { return autograd.Mul(in[0], in[1]) },
		Samples: func(g *autograd.Gen) []autograd.Sample[none] {
			return []autograd.Sample[none]{
				{In: []*tensor.Tensor{g.Normal(2, 3), g.Normal(2, 3)}},
				{In: []*tensor.Tensor{g.Normal(2, 3, 2, 2), g.Normal(2, 3, 2, 2)}},
				{In: []*tensor.Tensor{g.Normal(2), g.Normal(3)}, Err: "x (2) and y (3) differ"},
			}
		},
	}
}

func TestRightOpPasses(t *testing.T) {
	for _, finding := range examined(product("right")) {
		t.Error(finding)
	}
}

// Each planted bug must be found by the question that its name begins with.
func TestPlantedBugs(t *testing.T) {
	scale := func(t *tensor.Tensor, a float64) { kernels.For(t).Affine(kernels.Affine{Mul: a}, t, t) }
	var stale *tensor.Tensor
	calls := 0
	for name, plant := range map[string]func(r *rule){
		"complete: no sentence": func(r *rule) { r.Doc = "" },
		"complete: no samples":  func(r *rule) { r.Samples = func(*autograd.Gen) []autograd.Sample[none] { return nil } },
		"complete: no illegal sample": func(r *rule) {
			all := r.Samples
			r.Samples = func(g *autograd.Gen) []autograd.Sample[none] { return all(g)[:2] }
		},
		"complete: samples by chance": func(r *rule) {
			all := r.Samples
			r.Samples = func(*autograd.Gen) []autograd.Sample[none] {
				calls++
				return all(autograd.NewGen(uint64(calls)))
			}
		},
		"complete: sample in f32": func(r *rule) {
			all := r.Samples
			r.Samples = func(g *autograd.Gen) []autograd.Sample[none] {
				f := func() *tensor.Tensor { return tensor.Of([]float32{1, 2}, 2) }
				return append(all(g), autograd.Sample[none]{In: []*tensor.Tensor{f(), f()}})
			}
		},
		"errors: lax shapes": func(r *rule) {
			r.Shape = func(_ none, in []tensor.Shape) (tensor.Shape, error) { return in[0], nil }
			r.Forward = func(c *ctx, _ none) { c.K.Copy(c.Out, c.In[0]) }
		},
		"errors: other words": func(r *rule) {
			strict := r.Shape
			r.Shape = func(p none, in []tensor.Shape) (tensor.Shape, error) {
				if _, err := strict(p, in); err != nil {
					return nil, fmt.Errorf("no")
				}
				return in[0], nil
			}
		},
		"purity: input changed in forward": func(r *rule) {
			r.Forward = func(c *ctx, _ none) {
				c.K.Binary(kernels.Mul, c.Out, c.In[0], c.In[1])
				scale(c.In[1], 1+1e-15)
			}
		},
		"purity: input changed in backward": func(r *rule) {
			right := r.Backward
			r.Backward = func(c *ctx, p none) { right(c, p); scale(c.In[0], 2) }
		},
		"purity: value changed in backward": func(r *rule) {
			right := r.Backward
			r.Backward = func(c *ctx, p none) { right(c, p); scale(c.Out, 2) }
		},
		"purity: upstream gradient changed": func(r *rule) {
			right := r.Backward
			r.Backward = func(c *ctx, p none) { right(c, p); scale(c.DOut, 2) }
		},
		"derivative: wrong factor": func(r *rule) {
			right := r.Backward
			r.Backward = func(c *ctx, p none) { scale(c.DOut, 1.00001); right(c, p) }
		},
		"derivative: forgets what comes from above": func(r *rule) {
			r.Backward = func(c *ctx, _ none) {
				for arg := range 2 {
					if d := c.DIn(arg); d.Wanted() {
						c.K.AXPY(1, d, c.In[1-arg])
					}
				}
			}
		},
		"derivative: forgets an input": func(r *rule) {
			r.Backward = func(c *ctx, _ none) {
				if d := c.DIn(1); d.Wanted() {
					c.K.BinaryGrad(kernels.Mul, 1, d, c.In[0], c.In[1], c.DOut)
				}
			}
		},
		"addition: overwrites": func(r *rule) {
			r.Backward = func(c *ctx, _ none) {
				for arg := range 2 {
					if d := c.DIn(arg); d.Wanted() {
						c.K.Binary(kernels.Mul, d.T, c.DOut, c.In[1-arg])
					}
				}
			}
		},
		"reuse: adds to memory that was not cleared": func(r *rule) {
			r.Backward = func(c *ctx, _ none) {
				for arg := range 2 {
					if d := c.DIn(arg); d.Wanted() {
						c.K.BinaryGrad(kernels.Mul, arg, kernels.Acc{T: d.T}, c.In[0], c.In[1], c.DOut)
					}
				}
			}
		},
		"reuse: keeps memory beyond its step": func(r *rule) {
			stale = nil
			r.Forward = func(c *ctx, _ none) {
				if stale != nil && stale.SameLayout(c.Out) && stale.DType() == c.Out.DType() {
					c.K.Copy(c.Out, stale)
				} else {
					c.K.Binary(kernels.Mul, c.Out, c.In[0], c.In[1])
				}
				stale = c.Out
			}
		},
		"shared: both gradients taken before either is written": func(r *rule) {
			r.Backward = func(c *ctx, _ none) {
				dx, dy := c.DIn(0), c.DIn(1)
				if dy.Wanted() {
					c.K.BinaryGrad(kernels.Mul, 1, dy, c.In[0], c.In[1], c.DOut)
				}
				if dx.Wanted() {
					c.K.BinaryGrad(kernels.Mul, 0, dx, c.In[0], c.In[1], c.DOut)
				}
			}
		},
		"unwanted: one gradient's wish changes the other": func(r *rule) {
			right := r.Backward
			r.Backward = func(c *ctx, p none) {
				if !c.DIn(1).Wanted() {
					scale(c.DOut, 2)
				}
				right(c, p)
			}
		},
		"fused: another value": func(r *rule) {
			r.Same = func(_ none, in ...*autograd.Var) *autograd.Var { return autograd.Add(in[0], in[1]) }
		},
		"fused: another gradient": func(r *rule) {
			r.Same = func(_ none, in ...*autograd.Var) *autograd.Var {
				return autograd.Mul(in[0], autograd.Const(in[1].Value))
			}
		},
		"precision: f32 treated otherwise": func(r *rule) {
			r.Same = nil
			r.Forward = func(c *ctx, _ none) {
				c.K.Binary(kernels.Mul, c.Out, c.In[0], c.In[1])
				if c.Out.DType() == tensor.F32 {
					scale(c.Out, 1.001)
				}
			}
		},
		"forms: counts on dense memory": func(r *rule) {
			r.Layout = autograd.Strided
			r.Forward = func(c *ctx, _ none) {
				if c.Out.DType() == tensor.F64 {
					z, x, y := tensor.Window[float64](c.Out), tensor.Window[float64](c.In[0]), tensor.Window[float64](c.In[1])
					for i := range c.Out.Size() {
						z[i] = x[i] * y[i]
					}
					return
				}
				c.K.Binary(kernels.Mul, c.Out, c.In[0], c.In[1])
			}
		},
		"sizes: counts on two elements": func(r *rule) {
			right := r.Forward
			r.Forward = func(c *ctx, p none) {
				right(c, p)
				if c.Out.DType() == tensor.F64 {
					_ = tensor.Data[float64](c.Out)[1]
				}
			}
		},
		"sizes: drops the seventh": func(r *rule) {
			right := r.Forward
			r.Forward = func(c *ctx, p none) {
				right(c, p)
				if n := c.Out.Size(); n%7 == 0 && n > 0 && c.Out.DType() == tensor.F64 {
					tensor.Data[float64](c.Out)[n-1] = math.Pi
				}
			}
		},
	} {
		r := product("planted " + name)
		plant(&r)
		question, _, _ := strings.Cut(name, ": ")
		found := examined(r)
		hit := false
		for _, finding := range found {
			hit = hit || strings.HasPrefix(finding, question+": ")
		}
		if !hit {
			t.Errorf("%s: not found by that question, but by %q", name, found)
		}
	}
}
