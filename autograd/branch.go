package autograd

import (
	"fmt"
	"sync"

	"phase/kernels"
	"phase/tensor"
)

// BranchParam describes a branch in training.
type BranchParam struct {
	kernels.Branch
	// Blocks is how many residual blocks share the convolutions evenly; 0 is
	// one.
	Blocks int
	// Mean and Var, where not nil, receive the batch's statistics of each
	// unit, as in BatchNormParam.
	Mean, Var []*tensor.Tensor
}

func (p BranchParam) blocks() int { return max(1, p.Blocks) }

// A BranchUnit is the parameters of one convolution of a branch and of its
// norm: w (o,c/groups,r,s), gamma and beta (o). In evaluation mode it has the
// norm's constant statistics too.
type BranchUnit struct {
	W, Gamma, Beta *Var
	Mean, Var      *tensor.Tensor
}

// A branchForm says where the inputs of a branch stand: x, the shortcut if
// there is one, then the same number of tensors for each unit.
type branchForm struct {
	shortcut bool
	each     int
}

// Training units are w, γ, β; in evaluation mode μ, σ² follow.
const (
	trainInputs = 3
	evalInputs  = 5
)

// MostUnits is how many convolutions a branch has at the most.
const MostUnits = 64

// first is where unit i begins.
func (f branchForm) first(i int) int {
	if f.shortcut {
		i = i*f.each + 1
	} else {
		i *= f.each
	}
	return i + 1
}

// places lists where the units' tensors from lo to hi-1 stand.
func (f branchForm) places(lo, hi int) (at []int) {
	for i := range MostUnits {
		for k := lo; k < hi; k++ {
			at = append(at, f.first(i)+k)
		}
	}
	return at
}

// images lists where the images stand.
func (f branchForm) images() []int {
	if f.shortcut {
		return []int{0, 1}
	}
	return []int{0}
}

// shape checks the inputs of a branch of several blocks.
func (f branchForm) shape(p kernels.Branch, blocks int, in []tensor.Shape) (tensor.Shape, error) {
	if n := len(p.Convs); n == 0 || n > MostUnits || len(in) != f.first(n) {
		return nil, fmt.Errorf("%d inputs for %d convolutions: want x, the shortcut if it takes one, and %d for each of 1 to %d", len(in), n, f.each, MostUnits)
	}
	if blocks > 1 && (!f.shortcut || len(p.Convs)%blocks != 0) {
		return nil, fmt.Errorf("%d convolutions in %d blocks: want a shortcut and as many convolutions in each", len(p.Convs), blocks)
	}
	x, shortcut, each := in[0], in[1], len(p.Convs)/blocks // in[1] is one if f has it
	for i, c := range p.Convs {
		at := f.first(i)
		y, err := convShape(c, x, in[at])
		if err != nil {
			return nil, fmt.Errorf("convolution %d: %w", i+1, err)
		}
		for k := at + 1; k < at+f.each; k++ {
			if s := in[k]; len(s) != 1 || s[0] != y[1] {
				return nil, fmt.Errorf("input %d is %v: want one number for each of the %d channels of convolution %d", k, s, y[1], i+1)
			}
		}
		if f.each == trainInputs && y.Size() <= y[1] {
			return nil, fmt.Errorf("convolution %d gives %v, one value a channel: a variance needs two", i+1, y)
		}
		x = y
		if f.shortcut && (i+1)%each == 0 {
			if !shortcut.Equal(x) {
				return nil, fmt.Errorf("shortcut %v: want the branch's shape %v", shortcut, x)
			}
			shortcut = x
		}
	}
	return x, nil
}

// A branchCall is what the kernels are handed, used again.
type branchCall struct {
	units   []kernels.Unit
	grads   []kernels.UnitGrad
	outputs []*tensor.Tensor // the blocks'
}

var branchCalls = sync.Pool{New: func() any { return new(branchCall) }}

func (b *branchCall) done() {
	clear(b.units)
	clear(b.grads)
	clear(b.outputs)
	b.units, b.grads, b.outputs = b.units[:0], b.grads[:0], b.outputs[:0]
	branchCalls.Put(b)
}

// call collects the units from the inputs and, in training, from what Forward
// has kept.
func (f branchForm) call(c *Ctx, n int) *branchCall {
	b := branchCalls.Get().(*branchCall)
	for i := range n {
		in := c.In[f.first(i):]
		u := kernels.Unit{W: in[0], Gamma: in[1], Beta: in[2]}
		if f.each == evalInputs {
			u.Mean, u.Var = in[3], in[4]
		} else {
			u.Z, u.Mean, u.Var = c.Kept[3*i], c.Kept[3*i+1], c.Kept[3*i+2]
		}
		b.units = append(b.units, u)
	}
	if f.each == trainInputs {
		b.outputs = append(b.outputs, c.Kept[3*n:]...)
	}
	b.outputs = append(b.outputs, c.Out)
	return b
}

// shortcutOf is the shortcut, or nil.
func (f branchForm) shortcutOf(c *Ctx) *tensor.Tensor {
	if f.shortcut {
		return c.In[1]
	}
	return nil
}

// keep lends each unit's Z, mean and variance, then the outputs of all blocks but
// the last, which are alike.
func (f branchForm) keep(c *Ctx, p BranchParam) {
	s := c.In[0].Shape()
	h, w := s[2], s[3]
	z := form{dev: c.In[0].Device(), d: c.In[0].DType(), images: true, n: 4}
	for i, v := range p.Convs {
		ws := c.In[f.first(i)].Shape()
		h, w = v.Out(h, ws[2]), v.Out(w, ws[3])
		z.dims[0], z.dims[1], z.dims[2], z.dims[3] = s[0], ws[0], h, w
		c.Keep(c.lend(z))
		d := c.In[f.first(i)].DType()
		c.Keep(c.New(d, ws[0]))
		c.Keep(c.New(d, ws[0]))
	}
	for range p.blocks() - 1 {
		c.Keep(c.lend(z))
	}
}

func branchRule(name, doc string, shortcut bool) Rule[BranchParam] {
	f := branchForm{shortcut, trainInputs}
	return Rule[BranchParam]{
		Name: name, Doc: doc, Layout: Images, Weights: f.places(0, 1), Narrow: f.images(),
		Shape: func(p BranchParam, in []tensor.Shape) (tensor.Shape, error) { return f.shape(p.Branch, p.blocks(), in) },
		Forward: func(c *Ctx, p BranchParam) {
			f.keep(c, p)
			b := f.call(c, len(p.Convs))
			c.K.Branch(p.Branch, b.outputs, b.units, c.In[0], f.shortcutOf(c))
			for i, u := range b.units {
				if p.Mean != nil {
					c.K.Copy(p.Mean[i], u.Mean)
					c.K.Copy(p.Var[i], u.Var)
				}
			}
			b.done()
		},
		Backward: func(c *Ctx, p BranchParam) {
			b := f.call(c, len(p.Convs))
			dshortcut := kernels.Acc{}
			// Asked for in the order in which the kernel writes them.
			b.grads = append(b.grads, make([]kernels.UnitGrad, len(b.units))...)
			for i := len(b.units) - 1; i >= 0; i-- {
				if shortcut && i == len(b.units)/p.blocks()-1 {
					dshortcut = c.DIn(1)
				}
				at := f.first(i)
				b.grads[i] = kernels.UnitGrad{Gamma: c.DIn(at + 1), Beta: c.DIn(at + 2), W: c.DIn(at)}
			}
			dx := c.DIn(0)
			c.K.BranchGrad(p.Branch, dx, dshortcut, b.grads, b.units, c.In[0], b.outputs, c.DOut)
			b.done()
		},
		Same: func(p BranchParam, in ...*Var) *Var {
			return f.composed(p.Branch, p.blocks(), in, func(norm kernels.BatchNorm, z *Var, in []*Var) *Var {
				return batchNorm(BatchNormParam{BatchNorm: norm}, z, in[1], in[2])
			})
		},
		Samples: func(g *Gen) []Sample[BranchParam] {
			samples := branchSamples(g, f, func(b kernels.Branch) BranchParam { return BranchParam{Branch: b} })
			if shortcut {
				samples = append(samples, blockSamples(g)...)
			}
			return samples
		},
	}
}

// evalBranchRule keeps no Z: its derivative computes them again.
func evalBranchRule(name, doc string, shortcut bool) Rule[kernels.Branch] {
	f := branchForm{shortcut, evalInputs}
	return Rule[kernels.Branch]{
		Name: name, Doc: doc, Layout: Images, Weights: f.places(0, 1), Held: f.places(3, 5), Narrow: f.images(),
		Shape: func(p kernels.Branch, in []tensor.Shape) (tensor.Shape, error) { return f.shape(p, 1, in) },
		Forward: func(c *Ctx, p kernels.Branch) {
			b := f.call(c, len(p.Convs))
			c.K.BranchEval(p, c.Out, b.units, c.In[0], f.shortcutOf(c))
			b.done()
		},
		Backward: f.evalGrad,
		Same: func(p kernels.Branch, in ...*Var) *Var {
			return f.composed(p, 1, in, func(norm kernels.BatchNorm, z *Var, in []*Var) *Var {
				return batchNormEval(norm, z, in[1], in[2], in[3], in[4])
			})
		},
		Samples: func(g *Gen) []Sample[kernels.Branch] {
			return branchSamples(g, f, func(b kernels.Branch) kernels.Branch { return b })
		},
	}
}

// evalGrad goes through the units backwards, after it has computed their
// convolutions and outputs again: in the parameters' dtype, also where the images
// are BF16.
func (f branchForm) evalGrad(c *Ctx, p kernels.Branch) {
	n, d := len(p.Convs), c.In[f.first(0)].DType()
	wide := func(t *tensor.Tensor) *tensor.Tensor {
		if t.DType() == d {
			return t
		}
		w := c.NewLike(d, t)
		c.K.Cast(w, t)
		return w
	}
	z, a := make([]*tensor.Tensor, n), make([]*tensor.Tensor, n+1)
	a[0], a[n] = wide(c.In[0]), wide(c.Out)
	for i, v := range p.Convs {
		u, x := c.In[f.first(i):], a[i].Shape()
		z[i] = c.lend(formOf(c.In[0].Device(), d, true, tensor.Shape{x[0], u[0].Dim(0), v.Out(x[2], u[0].Dim(2)), v.Out(x[3], u[0].Dim(3))}))
		c.K.Conv2D(v, z[i], a[i], u[0])
		if i < n-1 {
			a[i+1] = c.NewLike(d, z[i])
			c.K.BatchNormEval(p.Norm(i), a[i+1], z[i], u[1], u[2], u[3], u[4], nil)
		}
	}
	dy := wide(c.DOut)
	for i := n - 1; i >= 0; i-- {
		u, at := c.In[f.first(i):], f.first(i)
		dz, dres, add := c.NewLike(d, z[i]), kernels.Acc{}, func() {}
		if f.shortcut && i == n-1 {
			dres, add = c.wideDIn(1, d)
		}
		c.K.BatchNormEvalGrad(p.Norm(i), kernels.Acc{T: dz, Fresh: true}, c.DIn(at+1), c.DIn(at+2), dres, z[i], a[i+1], u[1], u[3], u[4], dy)
		add()
		if dw := c.DIn(at); dw.Wanted() {
			c.K.Conv2DGradW(p.Convs[i], dw, a[i], dz)
		}
		if i == 0 {
			if dx, add := c.wideDIn(0, d); dx.Wanted() {
				c.K.Conv2DGradX(p.Convs[0], dx, u[0], dz)
				add()
			}
			return
		}
		dy = c.NewLike(d, a[i])
		c.K.Conv2DGradX(p.Convs[i], kernels.Acc{T: dy, Fresh: true}, u[0], dz)
	}
}

// wideDIn is DIn(i) in dtype d: if the input has another one, memory in its
// place, whose content add then gives to the gradient.
func (c *Ctx) wideDIn(i int, d tensor.DType) (wide kernels.Acc, add func()) {
	a := c.DIn(i)
	if !a.Wanted() || a.T.DType() == d {
		return a, func() {}
	}
	w := c.NewLike(d, a.T)
	return kernels.Acc{T: w, Fresh: true}, func() { c.K.CastGrad(a, w) }
}

// composed is the branch from convolutions, norms and the joins.
func (f branchForm) composed(p kernels.Branch, blocks int, in []*Var, norm func(norm kernels.BatchNorm, z *Var, in []*Var) *Var) *Var {
	x, shortcut, each := in[0], in[1], len(p.Convs)/blocks // in[1] is one if f has it
	for i, c := range p.Convs {
		unit := in[f.first(i):]
		x = norm(kernels.BatchNorm{Eps: p.Eps}, Conv2D(x, unit[0], c), unit)
		end := f.shortcut && (i+1)%each == 0
		if end {
			x = Add(x, shortcut)
		}
		if i < len(p.Convs)-1 || p.ReLU {
			x = ReLU(x)
		}
		if end {
			shortcut = x
		}
	}
	return x
}

func branchSamples[P any](g *Gen, f branchForm, param func(kernels.Branch) P) []Sample[P] {
	unit := func(o, c, k int) []*tensor.Tensor {
		u := []*tensor.Tensor{g.Normal(o, c, k, k), g.Positive(o), g.Normal(o)}
		if f.each == evalInputs {
			u = append(u, g.Normal(o), g.Positive(o))
		}
		return u
	}
	// sample has an output of shape out.
	sample := func(relu bool, convs []kernels.Conv2D, x *tensor.Tensor, out []int, units ...[]*tensor.Tensor) Sample[P] {
		in := []*tensor.Tensor{x}
		if f.shortcut {
			in = append(in, g.Normal(out...))
		}
		for _, u := range units {
			in = append(in, u...)
		}
		return Sample[P]{P: param(kernels.Branch{Convs: convs, Eps: 1e-2, ReLU: relu}), In: in}
	}
	same, half := kernels.Conv2D{Pad: 1}, kernels.Conv2D{Stride: 2, Pad: 1}
	channels := sample(true, []kernels.Conv2D{same}, g.Normal(2, 3, 3, 3), []int{2, 2, 3, 3}, unit(2, 4, 3))
	channels.Err = "has 3 channels but w"
	gamma := sample(true, []kernels.Conv2D{same}, g.Normal(2, 2, 3, 3), []int{2, 2, 3, 3}, unit(2, 2, 3))
	gamma.In[f.first(0)+1], gamma.Err = g.Normal(3), "one number for each of the 2 channels of convolution 1"
	few := sample(true, []kernels.Conv2D{same, same}, g.Normal(2, 2, 3, 3), []int{2, 2, 3, 3}, unit(2, 2, 3))
	few.Err = "inputs for 2 convolutions"
	samples := []Sample[P]{
		sample(true, []kernels.Conv2D{same}, g.Normal(3, 2, 4, 3), []int{3, 3, 4, 3}, unit(3, 2, 3)),
		sample(false, []kernels.Conv2D{{Stride: 2}}, g.Normal(2, 3, 5, 4), []int{2, 2, 3, 2}, unit(2, 3, 1)),
		sample(true, []kernels.Conv2D{half, same}, g.Normal(2, 2, 5, 4), []int{2, 3, 3, 2}, unit(3, 2, 3), unit(3, 3, 3)),
		sample(true, []kernels.Conv2D{{}, half, {}}, g.Normal(2, 3, 4, 4), []int{2, 4, 2, 2}, unit(2, 3, 1), unit(2, 2, 3), unit(4, 2, 1)),
		channels, gamma, few,
	}
	if f.shortcut {
		wrong := sample(true, []kernels.Conv2D{half}, g.Normal(2, 2, 4, 4), []int{2, 2, 4, 4}, unit(2, 2, 3))
		wrong.Err = "want the branch's shape (2,2,2,2)"
		samples = append(samples, wrong)
	}
	if f.each == trainInputs {
		one := sample(true, []kernels.Conv2D{{}}, g.Normal(1, 2, 3, 3), []int{1, 2, 1, 1}, unit(2, 2, 3))
		one.Err = "a variance needs two"
		samples = append(samples, one)
	}
	return samples
}

// blockSamples are residual blocks one after the other.
func blockSamples(g *Gen) []Sample[BranchParam] {
	unit := func(o, c, k int) []*tensor.Tensor {
		return []*tensor.Tensor{g.Normal(o, c, k, k), g.Positive(o), g.Normal(o)}
	}
	same, half := kernels.Conv2D{Pad: 1}, kernels.Conv2D{Stride: 2, Pad: 1}
	sample := func(blocks int, relu bool, convs []kernels.Conv2D, x, shortcut *tensor.Tensor, units ...[]*tensor.Tensor) Sample[BranchParam] {
		in := []*tensor.Tensor{x, shortcut}
		for _, u := range units {
			in = append(in, u...)
		}
		return Sample[BranchParam]{P: BranchParam{Branch: kernels.Branch{Convs: convs, Eps: 1e-2, ReLU: relu}, Blocks: blocks}, In: in}
	}
	uneven := sample(2, true, []kernels.Conv2D{same, same, same}, g.Normal(2, 2, 3, 3), g.Normal(2, 2, 3, 3), unit(2, 2, 3), unit(2, 2, 3), unit(2, 2, 3))
	uneven.Err = "3 convolutions in 2 blocks"
	wider := sample(2, true, []kernels.Conv2D{same, same}, g.Normal(2, 2, 3, 3), g.Normal(2, 2, 3, 3), unit(2, 2, 3), unit(3, 2, 3))
	wider.Err = "shortcut (2,2,3,3): want the branch's shape (2,3,3,3)"
	return []Sample[BranchParam]{
		sample(2, true, []kernels.Conv2D{half, same, same, same}, g.Normal(2, 2, 5, 4), g.Normal(2, 3, 3, 2), unit(3, 2, 3), unit(3, 3, 3), unit(3, 3, 3), unit(3, 3, 3)),
		sample(3, false, []kernels.Conv2D{same, {}, same}, g.Normal(3, 2, 3, 3), g.Normal(3, 2, 3, 3), unit(2, 2, 3), unit(2, 2, 1), unit(2, 2, 3)),
		uneven, wider,
	}
}

var (
	branch       = Define(branchRule("branch", "branch(x, w₁, γ₁, β₁, ...) = batch_norm(conv2d(... relu(batch_norm(conv2d(x, w₁), γ₁, β₁)) ...)), with a ReLU at the end if the parameter says so.", false))
	residual     = Define(branchRule("residual", "residual(x, s, w₁, γ₁, β₁, ...) = relu(branch(x, w₁, γ₁, β₁, ...) + s), a residual block in as few passes over memory as can be; or several, y ← residual(y, y, ...).", true))
	branchEval   = Define(evalBranchRule("branch_eval", "branch_eval(x, w₁, γ₁, β₁, μ₁, σ²₁, ...) = branch with constant statistics.", false))
	residualEval = Define(evalBranchRule("residual_eval", "residual_eval(x, s, w₁, γ₁, β₁, μ₁, σ²₁, ...) = residual with constant statistics.", true))
)

// inputs collects the inputs of a branch.
func (f branchForm) inputs(x, shortcut *Var, units []BranchUnit) []*Var {
	in := make([]*Var, 0, f.first(len(units)))
	in = append(in, x)
	if f.shortcut {
		in = append(in, shortcut)
	}
	for _, u := range units {
		in = append(in, u.W, u.Gamma, u.Beta)
		if f.each == evalInputs {
			in = append(in, Const(u.Mean), Const(u.Var))
		}
	}
	return in
}

// Branch is a chain of convolutions of x (n,c,h,w), each normalised by the
// batch's statistics and followed by ReLU, the last one only if p.ReLU is set;
// before that the shortcut, of the chain's shape, is added if it is not nil. With
// p.Blocks it is residual blocks one after the other, the shortcut that of the first;
// the others' is what they begin with. It equals the ops it is composed of and passes
// fewer times over memory.
func Branch(x, shortcut *Var, units []BranchUnit, p BranchParam) *Var {
	f := branchForm{shortcut != nil, trainInputs}
	if shortcut == nil {
		return branch(p, f.inputs(x, nil, units)...)
	}
	return residual(p, f.inputs(x, shortcut, units)...)
}

// BranchEval is Branch with the units' own, constant statistics.
func BranchEval(x, shortcut *Var, units []BranchUnit, p kernels.Branch) *Var {
	f := branchForm{shortcut != nil, evalInputs}
	if shortcut == nil {
		return branchEval(p, f.inputs(x, nil, units)...)
	}
	return residualEval(p, f.inputs(x, shortcut, units)...)
}
