package optest

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"

	"phase/autograd"
	"phase/kernels"
	"phase/tensor"
)

type function = func(in ...*autograd.Var) *autograd.Var

// An outcome is what came of one call: copies that outlive the tape.
type outcome struct {
	dtype tensor.DType
	shape tensor.Shape
	value []float64
	grads [][]float64 // by input, row-major; nil where none came
}

// watch puts the inputs on a tape and wants the gradients of those listed.
func watch(tape *autograd.Tape, in []*tensor.Tensor, wants []int) []*autograd.Var {
	vars := make([]*autograd.Var, len(in))
	for i, t := range in {
		vars[i] = tape.Watch(t)
		if slices.Contains(wants, i) {
			vars[i].Want()
		}
	}
	return vars
}

// play calls f and plays the derivative back into vars, from an upstream
// gradient that is the same for equal shapes.
func play(tape *autograd.Tape, f function, vars []*autograd.Var) *autograd.Var {
	y := f(vars...)
	if y.Wants() {
		tape.BackwardFrom(y, upstream(y.Value))
	}
	return y
}

// upstream is a gradient for y: normally distributed, so that no two elements
// of y are treated alike.
func upstream(y *tensor.Tensor) *tensor.Tensor {
	r := rand.New(rand.NewPCG(2, 2))
	d := make([]float64, y.Size())
	for i := range d {
		d[i] = r.NormFloat64()
	}
	return as(tensor.Of(d, y.Shape()...), tensor.Like(y))
}

// as copies t, whatever its dtype, into to, and returns to.
func as(t, to *tensor.Tensor) *tensor.Tensor {
	if t.DType() != to.DType() {
		v := tensor.Values(t)
		switch to.DType() {
		case tensor.F32:
			t = rounded(v, t.Shape(), func(v float64) float32 { return float32(v) })
		case tensor.BF16:
			t = rounded(v, t.Shape(), func(v float64) tensor.BFloat16 { return tensor.ToBFloat16(float32(v)) })
		default:
			t = tensor.Of(v, t.Shape()...)
		}
	}
	kernels.For(to).Copy(to, t)
	return to
}

func rounded[T tensor.Number](v []float64, shape tensor.Shape, round func(v float64) T) *tensor.Tensor {
	d := make([]T, len(v))
	for i := range d {
		d[i] = round(v[i])
	}
	return tensor.Of(d, shape...)
}

func read(y *autograd.Var, vars []*autograd.Var) outcome {
	o := outcome{dtype: y.Value.DType(), shape: slices.Clone(y.Shape()), value: tensor.Values(y.Value), grads: make([][]float64, len(vars))}
	for i, v := range vars {
		if v.Grad != nil {
			o.grads[i] = tensor.Values(v.Grad)
		}
	}
	return o
}

// try is the outcome of f on a tape of its own.
func try(f function, in []*tensor.Tensor, wants []int) outcome {
	var tape autograd.Tape
	vars := watch(&tape, in, wants)
	return read(play(&tape, f, vars), vars)
}

// differs says in words how two outcomes differ by more than tol times the
// largest number of either; "" if they do not. With tol 0 they must be equal
// bit for bit.
func (o outcome) differs(p outcome, tol float64) string {
	if !o.shape.Equal(p.shape) {
		return fmt.Sprintf("shape %v instead of %v", o.shape, p.shape)
	}
	if s := apart(o.value, p.value, tol); s != "" {
		return "value: " + s
	}
	for i := range o.grads {
		if (o.grads[i] == nil) != (p.grads[i] == nil) {
			return fmt.Sprintf("gradient of input %d: there is one in only one of two cases", i)
		}
		if s := apart(o.grads[i], p.grads[i], tol); s != "" {
			return fmt.Sprintf("gradient of input %d: %s", i, s)
		}
	}
	return ""
}

// apart says in words where got is not want, to tol times its largest number.
func apart(got, want []float64, tol float64) string { return further(got, want, tol*largest(want)) }

// largest is the largest size of a finite number in v.
func largest(v []float64) (l float64) {
	for _, x := range v {
		if finite(x) {
			l = max(l, math.Abs(x))
		}
	}
	return l
}

// further says in words where got is further than far from want; with far 0,
// where it is not the same bit for bit.
func further(got, want []float64, far float64) string {
	if len(got) != len(want) {
		return fmt.Sprintf("%d numbers instead of %d", len(got), len(want))
	}
	for i := range want {
		same := math.Float64bits(got[i]) == math.Float64bits(want[i]) || math.IsNaN(got[i]) && math.IsNaN(want[i])
		if !same && !(far > 0 && math.Abs(got[i]-want[i]) <= far) {
			return fmt.Sprintf("element %d is %.9g instead of %.9g", i, got[i], want[i])
		}
	}
	return ""
}

func finite(v float64) bool { return !math.IsNaN(v) && !math.IsInf(v, 0) }

func allFinite(v []float64) bool {
	return !slices.ContainsFunc(v, func(x float64) bool { return !finite(x) })
}
