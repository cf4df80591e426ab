// Package autograd says what an op means: its shape rule, its value and its
// derivative, side by side, once per op.
//
// There are only a few types: a Var is a tensor that may want a gradient, a
// Tape remembers what was computed from it, a Rule is one op.
//
//	var tape autograd.Tape
//	loss := autograd.Sum(autograd.Mul(tape.Watch(x), w)) // w := autograd.Param(t)
//	tape.Backward(loss)                                  // w.Grad now holds ∂loss/∂w
//	tape.Reset()                                         // every value above is gone
//
// Gradients add up until ZeroGrad: two Backward calls leave the sum. Values
// computed on a tape live until its Reset; Var.Detach keeps one. Shapes follow
// PyTorch; images are (n,c,h,w) and lie channels-last in memory, which the ops
// arrange by themselves.
//
// Misuse panics with a *tensor.Error that names the op and the shapes.
package autograd
