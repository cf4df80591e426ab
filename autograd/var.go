package autograd

import (
	"phase/kernels"
	"phase/tensor"
)

// A Var is a tensor that may want a gradient.
type Var struct {
	Value *tensor.Tensor
	Grad  *tensor.Tensor // nil until a Backward has reached it; Value's shape and memory form

	tape  *Tape // nil: a parameter, or a value that is only being evaluated
	wants bool
	lost  bool // computed from wanting values on no tape: its gradient goes nowhere
}

// Const wraps t for evaluation: nothing computed from constants alone is
// recorded.
func Const(t *tensor.Tensor) *Var { return &Var{Value: t} }

// Param makes t trainable: its gradient is wanted, and lives until ZeroGrad.
func Param(t *tensor.Tensor) *Var { return &Var{Value: t, wants: true} }

// Shape is the shape of the value.
func (v *Var) Shape() tensor.Shape { return v.Value.Shape() }

// Want makes v's gradient wanted and returns v. It is for leaves: the images
// or logits that someone watches, not the results of ops.
func (v *Var) Want() *Var { v.wants = true; return v }

// Wants reports whether v's gradient is computed by Backward.
func (v *Var) Wants() bool { return v.wants }

// Detach copies v's value to memory of its own, which no Reset ends. The
// result is a constant.
func (v *Var) Detach() *Var {
	t := tensor.Like(v.Value)
	kernels.For(t).Copy(t, v.Value)
	return Const(t)
}

// ZeroGrad forgets the gradient but keeps its memory.
func (v *Var) ZeroGrad() {
	if v.Grad != nil {
		v.Grad.Zero()
	}
}

// Item is the value of a Var with one element.
func (v *Var) Item() float64 {
	if v.Value.Size() != 1 {
		panic(tensor.Errorf("item", "value has shape %v, want one number", v.Shape()))
	}
	return tensor.Values(v.Value)[0]
}

// acc is where v's gradient is added up. Whoever asks for it must use it: a
// fresh one holds garbage until it is written.
func (v *Var) acc() kernels.Acc {
	if !v.wants {
		return kernels.Acc{}
	}
	fresh := false
	if v.Grad == nil {
		if v.tape != nil {
			v.Grad, fresh = v.tape.mem.like(v.Value), true
		} else {
			v.Grad = tensor.Like(v.Value)
		}
	}
	return kernels.Acc{T: v.Grad, Fresh: fresh}
}
