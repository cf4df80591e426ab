package autograd

import (
	"time"

	"phase/kernels"
	"phase/tensor"
)

// A Tape remembers, in the order they happened, the ops computed from the
// values watched on it, and owns their memory. It travels with those values:
// there is no global mode. A Tape is used by one goroutine at a time.
type Tape struct {
	// Eval makes a tape that lends memory but records nothing: for evaluation
	// without garbage.
	Eval bool
	// Poison fills memory with NaN when its life ends: for tests.
	Poison bool
	// Trace, if not nil, is told of each op after it has computed: for profiles.
	Trace func(c Call)

	steps []step
	mem   arena
	vars  []*Var // lent, then reused after Reset
	used  int

	call Call // under way, if there is a Trace
	from time.Time
}

// A step is one recorded op.
type step interface {
	back() // plays the derivative, if a gradient has reached the output
	done() // recycles the record
}

// Watch returns x as a value whose consequences are recorded. Its gradient is
// computed only if Want asks for it.
func (t *Tape) Watch(x *tensor.Tensor) *Var {
	v := t.newVar()
	v.Value = x
	return v
}

// Use puts v, a parameter, on the tape and returns it as a value whose
// gradient is added to v's. Ops join the tape of any of their inputs, so it is
// needed only for what is computed from parameters alone: the norm of w in a
// penalty, or w normalised before it meets the data.
func (t *Tape) Use(v *Var) *Var {
	if v.tape != nil {
		return v
	}
	u := t.newVar()
	u.Value = v.Value
	if v.wants && !t.Eval {
		u.wants = true
		t.steps = append(t.steps, &use{of: v, as: u})
	}
	return u
}

// A use is a parameter that stands on a tape as another Var.
type use struct{ of, as *Var }

func (u *use) back() {
	if u.as.Grad == nil {
		return
	}
	kernels.For(u.of.Value).AXPY(1, u.of.acc(), u.as.Grad)
	u.as.tape.mem.giveBack(u.as.Grad)
	u.as.Grad = nil
}

func (u *use) done() {}

func (t *Tape) newVar() *Var {
	if t.used == len(t.vars) {
		t.vars = append(t.vars, new(Var))
	}
	v := t.vars[t.used]
	t.used++
	*v = Var{tape: t}
	return v
}

// Backward adds ∂loss/∂v to the Grad of every leaf v that led to loss, by
// playing the tape in reverse, and forgets what was recorded. The values stay
// until Reset; the gradients of intermediate results do not.
func (t *Tape) Backward(loss *Var) {
	if loss.Value.Size() != 1 {
		panic(tensor.Errorf("backward", "loss has shape %v, want one number", loss.Shape()))
	}
	one := t.mem.like(loss.Value)
	one.Zero()
	kernels.For(one).Affine(kernels.Affine{Add: 1}, one, one)
	t.BackwardFrom(loss, one)
}

// BackwardFrom is Backward of Σ y·dy: it starts from the gradient dy of a y of
// any shape.
func (t *Tape) BackwardFrom(y *Var, dy *tensor.Tensor) {
	if !y.Shape().Equal(dy.Shape()) {
		panic(tensor.Errorf("backward", "the value has shape %v but its gradient %v", y.Shape(), dy.Shape()))
	}
	if !y.wants || y.tape != t {
		panic(tensor.Errorf("backward", "nothing that led to this value wants a gradient on this tape"))
	}
	y.Grad = dy
	if !dy.SameLayout(y.Value) { // a gradient lies as its value does, or dense
		y.Grad = t.mem.like(y.Value)
		kernels.For(dy).Copy(y.Grad, dy)
	}
	for i := len(t.steps) - 1; i >= 0; i-- {
		t.steps[i].back()
	}
	t.forget()
}

func (t *Tape) forget() {
	for i, s := range t.steps {
		s.done()
		t.steps[i] = nil
	}
	t.steps = t.steps[:0]
}

// Reset ends the life of every value computed on the tape and reuses the
// memory.
func (t *Tape) Reset() {
	t.forget()
	t.mem.poison = t.Poison
	t.mem.reset()
	t.used = 0
}
