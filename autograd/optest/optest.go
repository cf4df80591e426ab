// Package optest holds every op to what its rule promises. Nobody writes a test
// for an op: the samples in its rule drive this battery, and so it is with an op
// that is defined elsewhere.
//
//	var myLoss = autograd.Define(autograd.Rule[...]{...})
//
//	func TestMyOps(t *testing.T) { optest.Run(t) }
//
// The battery computes with the backend that is registered for the host. It
// asks, of each op:
//
//	complete   has it a name of its own, a sentence, legal samples, and illegal
//	           ones if its inputs can be wrong at all?
//	errors     do illegal calls panic with a *tensor.Error in the promised words,
//	           and calls with the wrong dtypes?
//	purity     are the inputs, the value and the upstream gradient bit for bit
//	           what they were, after forward and backward?
//	derivative does the gradient agree with difference quotients to 1e-6?
//	addition   do two backward passes give twice the gradient of one, for
//	           parameters and for values on a tape?
//	shared     is the gradient of a Var that is several inputs at once their sum?
//	unwanted   does a gradient not depend on which others are wanted?
//	fused      does a fused op equal what it stands for, value and gradient?
//	precision  does f32 agree with f64?
//	forms      do views and channels-last images give the same as dense tensors?
//	reuse      do later steps, in memory that was poisoned in between, and steps
//	           without a tape, give the same bits as the first?
//	sizes      do extents of 0, 1 and 7 give a value with a right gradient, or an
//	           error in words?
//
// What it cannot see is a definition that is wrong in value and derivative
// alike. For that there are golden values from another program.
package optest

import (
	"fmt"
	"slices"
	"testing"

	"phase/autograd"
	"phase/tensor"
)

// Run is the battery over every op that autograd.Ops lists, a subtest each.
func Run(t *testing.T) {
	seen := map[string]bool{}
	for _, op := range autograd.Ops() {
		if seen[op.Name] {
			t.Errorf("two ops are called %q", op.Name)
		}
		seen[op.Name] = true
		t.Run(op.Name, func(t *testing.T) { examine(t, op) })
	}
}

// A recorder is the part of testing.T that the battery writes to.
type recorder interface {
	Errorf(format string, args ...any)
}

// examine asks every question of one op.
func examine(to recorder, op autograd.Op) {
	f64, both := []tensor.DType{tensor.F64}, []tensor.DType{tensor.F64, tensor.F32}
	for _, q := range []struct {
		name   string
		ask    func(*exam)
		dtypes []tensor.DType // fast kernels are others for another dtype
	}{
		{"complete", (*exam).complete, f64},
		{"errors", (*exam).errors, f64},
		{"errors", (*exam).dtypes, f64},
		{"purity", (*exam).purity, both},
		{"derivative", (*exam).derivative, f64},
		{"addition", (*exam).addition, both},
		{"shared", (*exam).shared, both},
		{"unwanted", (*exam).unwanted, both},
		{"fused", (*exam).fused, both},
		{"precision", (*exam).precision, f64},
		{"forms", (*exam).forms, both},
		{"narrow", (*exam).narrow, []tensor.DType{tensor.F32}},
		{"reuse", (*exam).reuse, both},
		{"sizes", (*exam).sizes, f64},
	} {
		for _, d := range q.dtypes {
			e := &exam{to: to, Op: op, question: q.name, dtype: d, tol: 1e-11}
			if d == tensor.F32 {
				e.tol = 1e-5
			}
			e.guard("", func() { q.ask(e) })
		}
	}
}

// An exam is one question under way.
type exam struct {
	autograd.Op
	to       recorder
	question string
	dtype    tensor.DType // of the samples' floats
	tol      float64      // what rounding in it may come to, relative to the largest number
}

// fail reports that the op has failed the question, with about saying where.
func (e *exam) fail(about, format string, args ...any) {
	if about != "" {
		about = " " + about
	}
	e.to.Errorf("%s: %s in %v%s: %s", e.question, e.Name, e.dtype, about, fmt.Sprintf(format, args...))
}

// guard runs f and reports its panic, if any.
func (e *exam) guard(about string, f func()) {
	defer func() {
		if r := recover(); r != nil {
			e.fail(about, "panics: %v", r)
		}
	}()
	f()
}

const seed = 1

// each calls f with every legal sample and words that say which it is.
func (e *exam) each(f func(about string, c autograd.Case)) {
	for _, c := range e.Cases(seed) {
		if c.Err == "" {
			about := describe(c)
			c.In = slices.Clone(c.In)
			for i, t := range c.In {
				if t.DType() != tensor.I64 {
					c.In[i] = as(t, tensor.New(tensor.CPU, e.dtype, t.Shape()...))
				}
			}
			e.guard(about, func() { f(about, c) })
		}
	}
}

func describe(c autograd.Case) string {
	s := fmt.Sprintf("%+v", c.P)
	if s == "{}" {
		s = ""
	}
	for _, t := range c.In {
		s += " " + t.Shape().String()
	}
	return "[" + s + "]"
}

// differentiable reports whether input i, t, can have a gradient.
func (e *exam) differentiable(i int, t *tensor.Tensor) bool {
	return e.Differentiable && t.DType() != tensor.I64 && !slices.Contains(e.Held, i)
}

// all lists the inputs that can have a gradient.
func (e *exam) all(in []*tensor.Tensor) (wants []int) {
	for i, t := range in {
		if e.differentiable(i, t) {
			wants = append(wants, i)
		}
	}
	return wants
}
