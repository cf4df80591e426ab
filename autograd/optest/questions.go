package optest

import (
	"fmt"
	"reflect"
	"slices"
	"strings"

	"phase/autograd"
	"phase/autograd/gradcheck"
	"phase/tensor"
)

func (e *exam) complete() {
	if e.Doc == "" {
		e.fail("", "has no sentence that says what it is")
	}
	cases, again := e.Cases(seed), e.Cases(seed)
	legal, illegal := 0, 0
	for k, c := range cases {
		if c.Err != "" {
			illegal++
			continue
		}
		legal++
		for i, t := range c.In {
			switch want := slices.Contains(e.Ints, i); {
			case want && t.DType() != tensor.I64:
				e.fail(describe(c), "input %d of a sample is %v, want i64 as the rule says", i, t.DType())
			case !want && t.DType() != tensor.F64:
				e.fail(describe(c), "input %d of a sample is %v, want f64", i, t.DType())
			}
			if s := apart(tensor.Values(again[k].In[i]), tensor.Values(t), 0); s != "" {
				e.fail(describe(c), "input %d of a sample changes with the same seed: %s", i, s)
			}
		}
	}
	if legal == 0 {
		e.fail("", "has no legal sample")
	}
	if illegal == 0 && e.canFail() {
		e.fail("", "has no illegal sample, but some inputs are refused")
	}
}

// canFail reports whether some input of another shape is refused.
func (e *exam) canFail() (can bool) {
	for _, c := range e.Cases(seed) {
		for _, in := range wrongShapes(c.In) {
			can = can || tensor.Catch(func() { try(c.Call, in, nil) }) != nil
		}
	}
	return can
}

// wrongShapes changes one input at a time: an axis more, an axis one longer.
func wrongShapes(in []*tensor.Tensor) (sets [][]*tensor.Tensor) {
	change := func(i int, shape tensor.Shape) {
		set := slices.Clone(in)
		set[i] = tensor.New(tensor.CPU, in[i].DType(), shape...)
		sets = append(sets, set)
	}
	for i, t := range in {
		change(i, append(tensor.Shape{2}, t.Shape()...))
		for axis := range t.Shape() {
			s := slices.Clone(t.Shape())
			s[axis]++
			change(i, s)
		}
	}
	return sets
}

func (e *exam) errors() {
	for _, c := range e.Cases(seed) {
		if c.Err == "" {
			continue
		}
		e.guard(describe(c), func() {
			err := tensor.Catch(func() { try(c.Call, c.In, nil) })
			switch {
			case err == nil:
				e.fail(describe(c), "is legal, but the rule promises an error that says %q", c.Err)
			case !strings.Contains(err.Error(), c.Err):
				e.fail(describe(c), "says %q, but the rule promises %q", err, c.Err)
			case !strings.HasPrefix(err.Error(), e.Name+": ") || strings.Count(err.Error(), e.Name+": ") > 1:
				e.fail(describe(c), "says %q, want the op's name in front, once", err)
			}
		})
	}
}

// dtypes asks for words where floats and integers are mixed up.
func (e *exam) dtypes() {
	e.each(func(about string, c autograd.Case) {
		floats := len(c.In) - len(e.Ints)
		for i, t := range c.In {
			in := slices.Clone(c.In)
			wrong := "i64"
			switch {
			case slices.Contains(e.Ints, i):
				in[i] = as(t, tensor.New(tensor.CPU, tensor.F64, t.Shape()...))
				wrong = "f64"
			case floats > 1:
				in[i] = as(t, tensor.New(tensor.CPU, tensor.F32, t.Shape()...))
				wrong = "f32 among f64"
			default:
				in[i] = tensor.New(tensor.CPU, tensor.I64, t.Shape()...)
			}
			if tensor.Catch(func() { try(c.Call, in, nil) }) == nil {
				e.fail(about, "takes input %d as %s", i, wrong)
			}
		}
	})
}

func (e *exam) purity() {
	e.each(func(about string, c autograd.Case) {
		var before [][]float64
		for _, t := range c.In {
			before = append(before, tensor.Values(t))
		}
		var tape autograd.Tape
		y := c.Call(watch(&tape, c.In, e.all(c.In))...)
		value := tensor.Values(y.Value)
		unchanged := func(after string) {
			for i, t := range c.In {
				if s := apart(tensor.Values(t), before[i], 0); s != "" {
					e.fail(about, "changes input %d in %s: %s", i, after, s)
				}
			}
			if s := apart(tensor.Values(y.Value), value, 0); s != "" {
				e.fail(about, "changes its value in %s: %s", after, s)
			}
		}
		unchanged("forward")
		if !y.Wants() {
			return
		}
		dy := upstream(y.Value)
		up := tensor.Values(dy)
		tape.BackwardFrom(y, dy)
		unchanged("backward")
		if s := apart(tensor.Values(dy), up, 0); s != "" {
			e.fail(about, "changes the upstream gradient in backward: %s", s)
		}
	})
}

func (e *exam) derivative() {
	if !e.Differentiable {
		return
	}
	for s := range uint64(2) {
		for _, c := range e.Cases(seed + s) {
			if c.Err == "" && !ignoresItself(c.P) {
				e.guard(describe(c), func() { e.gradcheck(describe(c), c.Call, c.In) })
			}
		}
	}
}

// ignoresItself reports whether parameter p has a field Detach that is set: the
// op then holds a part of itself constant on purpose, and no difference
// quotient can agree.
func ignoresItself(p any) bool {
	v := reflect.ValueOf(p)
	if v.Kind() != reflect.Struct {
		return false
	}
	d := v.FieldByName("Detach")
	return d.IsValid() && d.Kind() == reflect.Bool && d.Bool()
}

func (e *exam) gradcheck(about string, f function, in []*tensor.Tensor) {
	if len(e.all(in)) == 0 {
		return
	}
	if _, err := (gradcheck.Config{Held: e.Held, Seed: seed}).Check(f, in...); err != nil {
		e.fail(about, "%v", err)
	}
}

// addition plays the derivative twice. The memory behind the gradient of a value
// on a tape is the tape's, and not cleared the first time; that of a parameter is
// its own. An op of one input that is a parameter is on no tape, so a parameter
// needs company.
func (e *exam) addition() {
	e.each(func(about string, c autograd.Case) {
		wants := e.all(c.In)
		if len(wants) == 0 {
			return
		}
		want := try(c.Call, c.In, wants)
		for _, g := range want.grads {
			for k := range g {
				g[k] *= 2
			}
		}
		twice := func(what string, tape *autograd.Tape, vars []*autograd.Var) {
			play(tape, c.Call, vars)
			if s := read(play(tape, c.Call, vars), vars).differs(want, e.tol); s != "" {
				e.fail(about, "a second backward pass into %s does not double: %s", what, s)
			}
		}
		var tape autograd.Tape
		twice("values on a tape", &tape, watch(&tape, c.In, wants))
		for _, i := range wants {
			if len(c.In) > 1 {
				vars := watch(&tape, c.In, wants)
				vars[i] = autograd.Param(c.In[i])
				twice(fmt.Sprintf("parameter %d", i), &tape, vars)
			}
		}
	})
}

func (e *exam) shared() {
	e.each(func(about string, c autograd.Case) {
		wants := e.all(c.In)
		for a, i := range wants {
			for _, j := range wants[a+1:] {
				if !c.In[i].Shape().Equal(c.In[j].Shape()) {
					continue
				}
				in := slices.Clone(c.In)
				in[j] = in[i]
				each := try(c.Call, in, wants)
				sum := slices.Clone(each.grads[i])
				for k, g := range each.grads[j] {
					sum[k] += g
				}
				// The two may cancel, as in x/x, but not their rounding.
				far := e.tol * max(largest(each.grads[i]), largest(each.grads[j]))
				for step, name := range []string{"in fresh memory", "in used memory"} {
					var tape autograd.Tape
					tape.Poison = true
					for range step {
						play(&tape, c.Call, watch(&tape, in, wants))
						tape.Reset()
					}
					vars := watch(&tape, in, wants)
					vars[j] = vars[i]
					play(&tape, c.Call, vars)
					if s := further(tensor.Values(vars[i].Grad), sum, far); s != "" {
						e.fail(about, "one Var as inputs %d and %d, %s: %s", i, j, name, s)
					}
				}
			}
		}
	})
}

func (e *exam) unwanted() {
	e.each(func(about string, c autograd.Case) {
		wants := e.all(c.In)
		full := try(c.Call, c.In, wants)
		for _, i := range wants {
			got := try(c.Call, c.In, []int{i})
			for j := range c.In {
				if j != i && got.grads[j] != nil {
					e.fail(about, "input %d gets a gradient, though only input %d wants one", j, i)
				}
			}
			if s := apart(got.grads[i], full.grads[i], e.tol); s != "" {
				e.fail(about, "the gradient of input %d depends on the other wishes: %s", i, s)
			}
		}
	})
}

func (e *exam) fused() {
	e.each(func(about string, c autograd.Case) {
		if c.Same == nil {
			return
		}
		wants := e.all(c.In)
		if s := try(c.Call, c.In, wants).differs(try(c.Same, c.In, wants), e.tol); s != "" {
			e.fail(about, "is not what it stands for: %s", s)
		}
	})
}

func (e *exam) precision() {
	e.each(func(about string, c autograd.Case) {
		in, floats := slices.Clone(c.In), false
		for i, t := range in {
			if t.DType() == tensor.F64 {
				in[i], floats = as(t, tensor.New(tensor.CPU, tensor.F32, t.Shape()...)), true
			}
		}
		if !floats {
			return
		}
		wants := e.all(in)
		var tape autograd.Tape
		vars := watch(&tape, in, wants)
		y := play(&tape, c.Call, vars)
		if _, cast := c.P.(tensor.DType); !cast && y.Value.DType() == tensor.F64 {
			e.fail(about, "the value of f32 inputs is f64")
		}
		for _, i := range wants {
			if g := vars[i].Grad; g != nil && g.DType() != tensor.F32 {
				e.fail(about, "the gradient of f32 input %d is %v", i, g.DType())
			}
		}
		if s := read(y, vars).differs(try(c.Call, c.In, wants), 1e-4); s != "" {
			e.fail(about, "f32 is far from f64: %s", s)
		}
	})
}

// narrow asks an op that takes images in bfloat16 for what float32 gives, but for
// the rounding of each image, inside too.
func (e *exam) narrow() {
	if e.Narrow == nil {
		return
	}
	e.each(func(about string, c autograd.Case) {
		wide, in := slices.Clone(c.In), slices.Clone(c.In)
		for _, i := range e.Narrow {
			if i < len(in) {
				in[i] = as(in[i], tensor.New(tensor.CPU, tensor.BF16, in[i].Shape()...))
				wide[i] = as(in[i], tensor.New(tensor.CPU, tensor.F32, in[i].Shape()...))
			}
		}
		wants := e.all(in)
		var tape autograd.Tape
		vars := watch(&tape, in, wants)
		y := play(&tape, c.Call, vars)
		for i, v := range vars {
			if v.Grad != nil && v.Grad.DType() != in[i].DType() {
				e.fail(about, "the gradient of input %d, %v, is %v", i, in[i].DType(), v.Grad.DType())
			}
		}
		if s := read(y, vars).differs(try(c.Call, wide, wants), 0x1p-5); s != "" {
			e.fail(about, "bf16 is far from f32: %s", s)
		}
	})
}

func (e *exam) reuse() {
	e.each(func(about string, c autograd.Case) {
		wants := e.all(c.In)
		want := try(c.Call, c.In, wants)
		tape := autograd.Tape{Poison: true}
		for step := range 3 {
			vars := watch(&tape, c.In, wants)
			if s := read(play(&tape, c.Call, vars), vars).differs(want, 0); s != "" {
				e.fail(about, "step %d, in memory used before, is not step 0: %s", step, s)
			}
			tape.Reset()
		}
		want.grads = make([][]float64, len(c.In))
		eval := autograd.Tape{Eval: true, Poison: true}
		for step := range 2 {
			vars := watch(&eval, c.In, wants)
			y := c.Call(vars...)
			if y.Wants() {
				e.fail(about, "records itself on a tape that is for evaluation")
			}
			if s := read(y, vars).differs(want, 0); s != "" {
				e.fail(about, "evaluation %d on a tape that records nothing: %s", step, s)
			}
			eval.Reset()
		}
		var vars []*autograd.Var
		for _, t := range c.In {
			vars = append(vars, autograd.Const(t))
		}
		if s := read(c.Call(vars...), vars).differs(want, 0); s != "" {
			e.fail(about, "without a tape: %s", s)
		}
	})
}
