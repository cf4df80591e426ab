package autograd

import (
	"fmt"

	"phase/kernels"
	"phase/tensor"
)

// A fold is the parameter of sum and mean.
type fold struct {
	Axes []int // ascending; none means all
	Keep bool  // keep the reduced axes, with extent 1
}

func (p fold) axes(dims int) []int {
	if len(p.Axes) > 0 {
		return p.Axes
	}
	all := make([]int, dims)
	for i := range all {
		all[i] = i
	}
	return all
}

func (p fold) shape(in tensor.Shape) (tensor.Shape, error) {
	out, next := tensor.Shape{}, 0
	axes := p.axes(len(in))
	for i, d := range in {
		switch {
		case next == len(axes) || axes[next] != i:
			out = append(out, d)
		default:
			next++
			if p.Keep {
				out = append(out, 1)
			}
		}
	}
	if next != len(axes) {
		return nil, fmt.Errorf("axes %v of %v: want them ascending, each once, from 0 to %d", p.Axes, in, len(in)-1)
	}
	return out, nil
}

func reduction(name, doc string, mean bool) func(fold, ...*Var) *Var {
	return Define(Rule[fold]{
		Name: name, Doc: doc,
		Shape: func(p fold, in []tensor.Shape) (tensor.Shape, error) { return p.shape(in[0]) },
		Forward: func(c *Ctx, p fold) {
			c.K.Reduce(kernels.Reduce{Axes: p.axes(c.In[0].Dims()), Mean: mean}, c.Out, c.In[0])
		},
		Backward: func(c *Ctx, p fold) {
			c.K.ReduceGrad(kernels.Reduce{Axes: p.axes(c.In[0].Dims()), Mean: mean}, c.DIn(0), c.DOut)
		},
		Samples: func(g *Gen) []Sample[fold] {
			return []Sample[fold]{
				{In: []*tensor.Tensor{g.Normal(2, 3)}},
				{P: fold{Axes: []int{0}}, In: []*tensor.Tensor{g.Normal(4, 3)}},
				{P: fold{Axes: []int{1}, Keep: true}, In: []*tensor.Tensor{g.Normal(2, 5)}},
				{P: fold{Axes: []int{0, 2, 3}}, In: []*tensor.Tensor{g.Normal(2, 3, 2, 4)}},
				{P: fold{Axes: []int{1, 2}, Keep: true}, In: []*tensor.Tensor{g.Normal(2, 3, 2, 4)}},
				{P: fold{Axes: []int{1, 0}}, In: []*tensor.Tensor{g.Normal(2, 3)}, Err: "want them ascending"},
				{P: fold{Axes: []int{2}}, In: []*tensor.Tensor{g.Normal(2, 3)}, Err: "from 0 to 1"},
			}
		},
	})
}

var (
	sum  = reduction("sum", "sum(x; axes, keep) adds up over axes (all when none is named).", false)
	mean = reduction("mean", "mean(x; axes, keep) averages over axes (all when none is named).", true)
)

// Sum adds up over the given axes, which are dropped; over all when none is
// given.
func Sum(x *Var, axes ...int) *Var { return sum(fold{Axes: axes}, x) }

// SumKeep is Sum with the reduced axes kept, of extent 1.
func SumKeep(x *Var, axes ...int) *Var { return sum(fold{Axes: axes, Keep: true}, x) }

// Mean averages over the given axes, which are dropped; over all when none is
// given.
func Mean(x *Var, axes ...int) *Var { return mean(fold{Axes: axes}, x) }

// MeanKeep is Mean with the reduced axes kept, of extent 1.
func MeanKeep(x *Var, axes ...int) *Var { return mean(fold{Axes: axes, Keep: true}, x) }
