package autograd

import (
	"slices"
	"sync"

	"phase/kernels"
	"phase/tensor"
)

// A Layout says how an op wants its inputs to lie in memory, and how its
// output lies. Inputs that lie otherwise are copied first, by the op "layout",
// through which gradients flow.
type Layout uint8

// The layouts.
const (
	RowMajor Layout = iota // everything row-major
	Images                 // 4-d tensors channels-last, except the inputs in Rule.Weights
	Alike                  // elementwise: everything as the first input lies
	Strided                // inputs as they are; a 4-d output channels-last if a 4-d input is
)

// A Rule is everything there is to say about one op. P is its parameter.
type Rule[P any] struct {
	Name    string
	Doc     string // one sentence and the formula
	Layout  Layout
	Weights []int // under Images: 4-d inputs that stay row-major
	Ints    []int // inputs that are I64: labels, indices
	Held    []int // float inputs that are data, never differentiated
	Narrow  []int // float inputs that may be BF16, all of them or none, the others then being F32

	Shape    func(p P, in []tensor.Shape) (tensor.Shape, error) // pure
	DType    func(p P) tensor.DType                             // nil: the first float input's
	Forward  func(c *Ctx, p P)                                  // writes c.Out
	Backward func(c *Ctx, p P)                                  // adds to c.DIn(i); nil: no derivative
	// View makes a rule of one input whose output shares its memory, in place
	// of Forward and Backward. It must work on any tensor of the input's shape.
	View    func(p P, x *tensor.Tensor) *tensor.Tensor
	Same    func(p P, in ...*Var) *Var // for a fused op: what it stands for
	Samples func(g *Gen) []Sample[P]   // drives every test

	// For the ops that change layouts: the output's form, whatever the inputs'.
	fixed, images bool
}

// A Sample is one legal call in F64, or with Err set one illegal call and a
// part of what its error must say.
type Sample[P any] struct {
	P   P
	In  []*tensor.Tensor
	Err string
}

// Ctx is what a rule sees while it runs.
type Ctx struct {
	K    kernels.Backend
	In   []*tensor.Tensor
	Out  *tensor.Tensor
	DOut *tensor.Tensor   // Backward only
	Kept []*tensor.Tensor // left by Forward for Backward

	vars   []*Var
	shapes []tensor.Shape
	tape   *Tape
	given  []*tensor.Tensor // In before they were moved and arranged: what can be looked through on the host
}

// New lends row-major memory that lives as long as the step; it is not
// cleared.
func (c *Ctx) New(d tensor.DType, shape ...int) *tensor.Tensor {
	return c.lend(formOf(c.In[0].Device(), d, false, shape))
}

// NewLike is New with t's shape and memory form.
func (c *Ctx) NewLike(d tensor.DType, t *tensor.Tensor) *tensor.Tensor {
	return c.lend(formOf(t.Device(), d, t.IsImages() && !t.IsDense(), t.Shape()))
}

// Keep remembers t for Backward and returns it.
func (c *Ctx) Keep(t *tensor.Tensor) *tensor.Tensor {
	c.Kept = append(c.Kept, t)
	return t
}

func (c *Ctx) lend(f form) *tensor.Tensor {
	if c.tape != nil {
		return c.tape.mem.take(f)
	}
	return f.alloc()
}

// DIn is the gradient accumulator of input i; it is not Wanted if nobody asks
// for that gradient. A fresh one must be written, so a rule asks for it only
// when it is about to.
func (c *Ctx) DIn(i int) kernels.Acc { return c.vars[i].acc() }

// Op is a Rule with its parameter type forgotten: what tests, docs and the
// command line see.
type Op struct {
	Name, Doc      string
	Differentiable bool
	View, Fused    bool
	Ints, Held     []int
	Narrow         []int
	Cases          func(seed uint64) []Case
}

// A Case is a Sample ready to run.
type Case struct {
	P    any
	In   []*tensor.Tensor
	Err  string
	Call func(in ...*Var) *Var
	Same func(in ...*Var) *Var // nil unless the op is fused
}

var ops []Op

// Ops lists every op defined so far, by name.
func Ops() []Op {
	s := slices.Clone(ops)
	slices.SortFunc(s, func(a, b Op) int {
		if a.Name < b.Name {
			return -1
		}
		return 1
	})
	return s
}

// Define registers r and returns the function that applies it, so an op cannot
// exist unregistered. It is called while packages are initialised.
func Define[P any](r Rule[P]) func(p P, in ...*Var) *Var {
	if r.View != nil {
		r.Backward = func(c *Ctx, p P) {
			c.K.CopyGrad(r.View(p, c.DIn(0).Zeroed()), c.DOut)
		}
	}
	nodes := &sync.Pool{New: func() any { return new(node[P]) }}
	apply := func(p P, in ...*Var) *Var { return run(&r, nodes, p, in) }
	ops = append(ops, Op{
		Name: r.Name, Doc: r.Doc, Differentiable: r.Backward != nil, View: r.View != nil, Fused: r.Same != nil,
		Ints: r.Ints, Held: r.Held, Narrow: r.Narrow,
		Cases: func(seed uint64) (cs []Case) {
			for _, s := range r.Samples(NewGen(seed)) {
				c := Case{P: s.P, In: s.In, Err: s.Err, Call: func(in ...*Var) *Var { return apply(s.P, in...) }}
				if r.Same != nil {
					c.Same = func(in ...*Var) *Var { return r.Same(s.P, in...) }
				}
				cs = append(cs, c)
			}
			return cs
		}})
	return apply
}

// A node is one application of a rule, kept on the tape for Backward.
type node[P any] struct {
	Ctx
	rule *Rule[P]
	pool *sync.Pool
	p    P
	out  *Var
}

func (n *node[P]) back() {
	if n.out.Grad == nil {
		return
	}
	if n.rule.Backward == nil {
		panic(tensor.Errorf(n.rule.Name, "has no derivative, but one is wanted through it"))
	}
	n.DOut = n.out.Grad
	traced := n.tape.Trace != nil
	if traced {
		n.tape.begin(n.rule.Name, n.p, &n.Ctx)
	}
	n.rule.Backward(&n.Ctx, n.p)
	if traced && n.tape.call.Part == "" {
		n.tape.part(Backward)
	}
	n.tape.mem.giveBack(n.out.Grad)
	n.out.Grad = nil
}

func (n *node[P]) done() {
	clear(n.In)
	clear(n.Kept)
	clear(n.vars)
	clear(n.given)
	*n = node[P]{Ctx: Ctx{In: n.In[:0], Kept: n.Kept[:0], vars: n.vars[:0], shapes: n.shapes[:0], given: n.given[:0]}, pool: n.pool}
	n.pool.Put(n)
}

func run[P any](r *Rule[P], pool *sync.Pool, p P, in []*Var) *Var {
	n := pool.Get().(*node[P])
	n.rule, n.pool, n.p = r, pool, p
	wants, lost := false, false
	for i, v := range in {
		n.vars, n.shapes, n.given = append(n.vars, v), append(n.shapes, v.Shape()), append(n.given, v.Value)
		if v.tape != nil {
			if n.tape != nil && n.tape != v.tape {
				panic(tensor.Errorf(r.Name, "input %d is on another tape than the inputs before it", i))
			}
			n.tape = v.tape
		}
		if v.wants && slices.Contains(r.Held, i) {
			panic(tensor.Errorf(r.Name, "input %d %v is data, its gradient is never computed: detach it", i, v.Shape()))
		}
		wants, lost = wants || v.wants, lost || v.lost
	}
	shape, err := r.Shape(p, n.shapes)
	if err != nil {
		panic(r.refused(err))
	}
	if lost && n.tape != nil && !n.tape.Eval {
		panic(tensor.Errorf(r.Name, "an input was computed from parameters alone, on no tape, so that their gradient would be lost: put them on one (Tape.Use), or detach it"))
	}
	d := r.dtype(p, in)
	r.join(n)
	for i := range n.vars {
		n.vars[i] = r.arrange(n, i)
		n.In = append(n.In, n.vars[i].Value)
	}
	n.K = kernels.For(n.In[0])
	if r.View != nil {
		n.Out = r.View(p, n.In[0])
	} else {
		n.Out = n.lend(formOf(n.In[0].Device(), d, r.imagesOut(n.In, shape), shape))
		traced := n.tape != nil && n.tape.Trace != nil
		if traced {
			n.tape.begin(r.Name, p, &n.Ctx)
		}
		r.Forward(&n.Ctx, p)
		if traced {
			n.tape.part(Forward)
		}
	}
	if n.tape == nil {
		out := &Var{Value: n.Out, lost: lost || wants}
		n.done()
		return out
	}
	out := n.tape.newVar()
	out.Value = n.Out
	if !wants || n.tape.Eval {
		n.done()
		return out
	}
	out.wants, n.out = true, out
	n.tape.steps = append(n.tape.steps, n)
	return out
}

// refused is what the op says of a shape rule's error, with its own name in
// front, once.
func (r *Rule[P]) refused(err error) *tensor.Error {
	if e, ok := err.(*tensor.Error); ok {
		return tensor.Errorf(r.Name, "%s", e.Msg)
	}
	return tensor.Errorf(r.Name, "%v", err)
}

// dtype checks that the inputs are of the right kinds and returns the output's.
func (r *Rule[P]) dtype(p P, in []*Var) tensor.DType {
	d, known := tensor.F64, false
	for i, v := range in {
		got := v.Value.DType()
		switch ints := slices.Contains(r.Ints, i); {
		case ints != (got == tensor.I64):
			want := "a float"
			if ints {
				want = "i64"
			}
			panic(tensor.Errorf(r.Name, "input %d %v is %v, want %s", i, v.Shape(), got, want))
		case ints:
		case got == tensor.BF16 && !slices.Contains(r.Narrow, i):
			panic(tensor.Errorf(r.Name, "input %d %v is bf16, which it does not compute with: cast it", i, v.Shape()))
		case d == tensor.BF16 && !slices.Contains(r.Narrow, i):
			if got != tensor.F32 {
				panic(tensor.Errorf(r.Name, "input %d %v is %v, want f32 beside images of bf16", i, v.Shape(), got))
			}
		case known && got != d:
			panic(tensor.Errorf(r.Name, "input %d %v is %v but the inputs before it are %v", i, v.Shape(), got, d))
		default:
			d, known = got, true
		}
	}
	if r.DType != nil {
		return r.DType(p)
	}
	return d
}

// join brings the inputs to one device: data of the host, such as a batch's images
// and labels, go where the others are, into memory that the tape lends. An op is
// told where to compute by its parameters, or by what was computed from them.
func (r *Rule[P]) join(n *node[P]) {
	at, dev := 0, n.vars[0].Value.Device()
	for i, v := range n.vars {
		if dev == tensor.CPU && !n.vars[0].wants && v.Value.Device() != tensor.CPU {
			at, dev = i, v.Value.Device()
			break
		}
	}
	for i, v := range n.vars {
		x := v.Value
		switch {
		case x.Device() == dev:
		case x.Device() != tensor.CPU || v.wants:
			panic(tensor.Errorf(r.Name, "input %d is on %v but input %d on %v", i, x.Device(), at, dev))
		default:
			if !x.IsPacked() {
				x = tensor.New(tensor.CPU, x.DType(), x.Shape()...)
				kernels.For(x).Copy(x, v.Value)
			}
			t := n.lend(formOf(dev, x.DType(), x.IsImages() && !x.IsDense(), x.Shape()))
			tensor.Move(t, x)
			n.vars[i] = Const(t)
		}
	}
}

// arrange returns input i lying in memory as the rule wants it.
func (r *Rule[P]) arrange(n *node[P], i int) *Var {
	v := n.vars[i]
	images := false
	switch r.Layout {
	case Strided:
		return v
	case Images:
		images = v.Value.Dims() == 4 && !slices.Contains(r.Weights, i)
	case Alike:
		first := n.vars[0].Value
		images = first.IsImages() && !first.IsDense()
	}
	if images && v.Value.IsImages() || !images && v.Value.IsDense() {
		return v
	}
	if v.Value.DType() == tensor.I64 { // which has no gradient to flow back
		t := n.lend(formOf(v.Value.Device(), tensor.I64, images, v.Shape()))
		kernels.For(t).Copy(t, v.Value)
		return Const(t)
	}
	if n.tape != nil {
		v = n.tape.Use(v)
	}
	return toLayout(images, v)
}

// imagesOut reports whether the output lies channels-last.
func (r *Rule[P]) imagesOut(in []*tensor.Tensor, shape tensor.Shape) bool {
	if len(shape) != 4 {
		return false
	}
	if r.fixed {
		return r.images
	}
	switch r.Layout {
	case RowMajor:
		return false
	case Images:
		return true
	}
	return slices.ContainsFunc(in, func(t *tensor.Tensor) bool { return t.IsImages() && !t.IsDense() })
}
