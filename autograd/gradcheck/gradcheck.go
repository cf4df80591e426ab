// Package gradcheck compares derivatives with difference quotients: whoever
// writes a function of Vars learns in one call whether its gradient is right.
//
// There are only a few types: a Config says how, a Report says what was found.
//
//	err := gradcheck.Check(func(in ...*autograd.Var) *autograd.Var {
//		return autograd.Mul(in[0], autograd.Tanh(in[1]))
//	}, x, y)
//
// The result y of the function may have any shape. It is projected to a number,
// L = Σ r·y with fixed random r, so that no error can hide behind gradients that
// are all alike. What a difference quotient cannot see, it does not find: a
// gradient that overwrites instead of adding (package optest looks for that), or
// a function whose value is as wrong as its derivative.
package gradcheck

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"

	"phase/autograd"
	"phase/kernels"
	"phase/tensor"
)

// Config says how to check. The zero value is what Check uses.
type Config struct {
	// Tol is the largest relative error that passes, 1e-6 if zero.
	Tol float64
	// Step is h in (L(x+h)-L(x-h))/2h, for numbers of size 1; larger ones have
	// proportionally larger steps. 1e-5 if zero.
	Step float64
	// Entries is the size up to which an input is checked entry by entry, 200 if
	// zero. A larger one is checked along random directions.
	Entries int
	// Directions is the number of random directions, 8 if zero.
	Directions int
	// Held lists float inputs that are data: they are not checked. I64 inputs
	// never are.
	Held []int
	// Seed fixes the projection and the directions.
	Seed uint64
}

// A Report says how well derivatives and difference quotients agreed, and where
// they did so worst.
type Report struct {
	Error      float64      // the largest relative error
	Input      int          // where it is: which input
	Shape      tensor.Shape // of that input
	Element    []int        // which element of it; nil: a random direction
	Derivative float64      // what the gradient says there
	Quotient   float64      // what the difference quotient says
	Checked    int          // how many quotients were taken
}

// String is the worst place with both numbers, in one line.
func (r Report) String() string {
	return fmt.Sprintf("%s: derivative %.9g, difference quotient %.9g, relative error %.2g of %d checked",
		place(r.Input, r.Shape, r.Element), r.Derivative, r.Quotient, r.Error, r.Checked)
}

func place(input int, shape tensor.Shape, element []int) string {
	if element == nil {
		return fmt.Sprintf("input %d %v along a random direction", input, shape)
	}
	return fmt.Sprintf("input %d %v element %v", input, shape, tensor.Shape(element))
}

// Check is nil if the gradients of f at the inputs in, which are F64 or I64,
// agree with central difference quotients to a relative error of 1e-6.
// Otherwise the error names the worst element and both numbers.
func Check(f func(in ...*autograd.Var) *autograd.Var, in ...*tensor.Tensor) error {
	_, err := Config{}.Check(f, in...)
	return err
}

// Check is the function Check, with c's settings and a report. The relative
// error of one entry is |a-b|/max(|a|, |b|, s): the scale s is a thousandth of
// the input's largest gradient, or 1e-4·Σ|r·y| where that is more, since the
// rounding of L alone moves a quotient by about 1e-11·Σ|r·y|.
//
// The error is not nil if an entry exceeds Tol, if a gradient is missing, not
// finite or of another shape or dtype than its input, if f gives different
// values for the same inputs, or if f panics with a *tensor.Error. The inputs
// are not changed: f gets copies.
func (c Config) Check(f func(in ...*autograd.Var) *autograd.Var, in ...*tensor.Tensor) (Report, error) {
	c.defaults()
	var (
		r   Report
		err error
	)
	if e := tensor.Catch(func() { r, err = c.check(f, in) }); e != nil {
		err = fmt.Errorf("gradcheck: %w", e)
	}
	return r, err
}

func (c *Config) defaults() {
	c.Tol = orElse(c.Tol, 1e-6)
	c.Step = orElse(c.Step, 1e-5)
	c.Entries = orElse(c.Entries, 200)
	c.Directions = orElse(c.Directions, 8)
}

func orElse[T int | float64](v, zero T) T {
	if v == 0 {
		return zero
	}
	return v
}

func (c Config) check(f func(in ...*autograd.Var) *autograd.Var, in []*tensor.Tensor) (Report, error) {
	p := &probe{Config: c, f: f, rand: rand.New(rand.NewPCG(c.Seed, 1))}
	if err := p.copyInputs(in); err != nil {
		return Report{}, err
	}
	if err := p.derive(); err != nil {
		return Report{}, err
	}
	var worst Report
	checked := 0
	for i, g := range p.grads {
		if g == nil {
			continue
		}
		found := p.quotients(i)
		checked += len(found)
		for _, r := range found {
			if !finite(r.Derivative) || !finite(r.Quotient) {
				return r, fmt.Errorf("gradcheck: %s: derivative %v, difference quotient %v: not finite", place(r.Input, r.Shape, r.Element), r.Derivative, r.Quotient)
			}
			if r.Error > worst.Error || worst.Shape == nil {
				worst = r
			}
		}
	}
	worst.Checked = checked
	switch {
	case worst.Error <= c.Tol:
		return worst, nil
	case p.missing[worst.Input]:
		return worst, fmt.Errorf("gradcheck: %v: no gradient reached this input, but the value depends on it", worst)
	}
	return worst, fmt.Errorf("gradcheck: %v, want at most %g", worst, c.Tol)
}

func finite(v float64) bool { return !math.IsNaN(v) && !math.IsInf(v, 0) }

// A probe is one check under way.
type probe struct {
	Config
	f       func(in ...*autograd.Var) *autograd.Var
	rand    *rand.Rand
	in      []*tensor.Tensor // copies, which the quotients move about
	up      []float64        // r, the projection
	size    float64          // Σ|r·y|
	grads   [][]float64      // by input, row-major; nil: not checked
	missing []bool           // by input: no gradient came, which counts as zero
	tape    autograd.Tape    // for evaluation
}

func (p *probe) copyInputs(in []*tensor.Tensor) error {
	floats := 0
	for i, t := range in {
		switch {
		case t.Device() != tensor.CPU:
			return fmt.Errorf("gradcheck: input %d %v is on %v, want cpu", i, t.Shape(), t.Device())
		case t.DType() == tensor.F32:
			return fmt.Errorf("gradcheck: input %d %v is f32, too coarse for difference quotients: want f64", i, t.Shape())
		case p.checks(i, t):
			floats++
		}
		own := tensor.Like(t)
		kernels.For(t).Copy(own, t)
		p.in = append(p.in, own)
	}
	if floats == 0 {
		return fmt.Errorf("gradcheck: none of the %d inputs is f64 and not held: nothing to check", len(in))
	}
	p.tape.Eval = true
	return nil
}

func (p *probe) checks(i int, t *tensor.Tensor) bool {
	return t.DType() == tensor.F64 && !slices.Contains(p.Held, i)
}

// derive evaluates f once with a tape and keeps its gradients.
func (p *probe) derive() error {
	var tape autograd.Tape
	vars := make([]*autograd.Var, len(p.in))
	for i, t := range p.in {
		vars[i] = tape.Watch(t)
		if p.checks(i, t) {
			vars[i].Want()
		}
	}
	y := p.f(vars...)
	if d := y.Value.DType(); d != tensor.F64 {
		return fmt.Errorf("gradcheck: the value is %v, want f64", d)
	}
	values := tensor.Values(y.Value)
	for i, v := range values {
		if !finite(v) {
			return fmt.Errorf("gradcheck: the value %v is %v at element %v", y.Shape(), v, tensor.Shape(index(y.Shape(), i)))
		}
		r := p.rand.NormFloat64()
		p.up, p.size = append(p.up, r), p.size+math.Abs(r*v)
	}
	for range 2 { // the first may leave state behind that the second sees
		if again := p.f(p.watch()...); !again.Shape().Equal(y.Shape()) || !slices.Equal(tensor.Values(again.Value), values) {
			return fmt.Errorf("gradcheck: the function gives different values for the same inputs")
		}
		p.tape.Reset()
	}
	dy := tensor.Like(y.Value)
	kernels.For(dy).Copy(dy, tensor.Of(p.up, y.Shape()...))
	tape.BackwardFrom(y, dy)
	for i, v := range vars {
		var g []float64
		missing := false
		switch {
		case !p.checks(i, p.in[i]):
		case v.Grad == nil:
			g, missing = make([]float64, v.Value.Size()), true
		case !v.Grad.Shape().Equal(v.Shape()) || v.Grad.DType() != tensor.F64:
			return fmt.Errorf("gradcheck: input %d is f64 %v but its gradient %v %v", i, v.Shape(), v.Grad.DType(), v.Grad.Shape())
		default:
			g = tensor.Values(v.Grad)
		}
		p.grads, p.missing = append(p.grads, g), append(p.missing, missing)
	}
	return nil
}

func (p *probe) watch() []*autograd.Var {
	vars := make([]*autograd.Var, len(p.in))
	for i, t := range p.in {
		vars[i] = p.tape.Watch(t)
	}
	return vars
}

// at is L at the inputs as they now are.
func (p *probe) at() (sum float64) {
	for i, v := range tensor.Values(p.f(p.watch()...).Value) {
		sum += p.up[i] * v
	}
	p.tape.Reset()
	return sum
}

// quotients compares input i with difference quotients, entry by entry or
// along random directions.
func (p *probe) quotients(i int) (found []Report) {
	t, g := p.in[i], p.grads[i]
	x := tensor.Data[float64](t)
	add := func(element []int, a, b float64) {
		found = append(found, Report{Input: i, Shape: t.Shape(), Element: element, Derivative: a, Quotient: b})
	}
	if len(x) <= p.Entries {
		for k := range x {
			idx := index(t.Shape(), k)
			at := 0
			for axis, j := range idx {
				at += j * t.Strides()[axis]
			}
			home := x[at]
			h := p.Step * max(1, math.Abs(home))
			x[at] = home + h
			hi, up := x[at], p.at()
			x[at] = home - h
			lo, down := x[at], p.at()
			x[at] = home
			add(idx, g[k], (up-down)/(hi-lo))
		}
	} else {
		home := slices.Clone(x)
		gm := tensor.Like(t) // the gradient in x's memory order
		kernels.For(gm).Copy(gm, tensor.Of(slices.Clone(g), t.Shape()...))
		for range p.Directions {
			v, a := make([]float64, len(x)), 0.0
			for k := range v {
				v[k] = p.rand.NormFloat64() * max(1, math.Abs(home[k]))
				a += v[k] * tensor.Data[float64](gm)[k]
			}
			move := func(h float64) float64 {
				for k := range x {
					x[k] = home[k] + h*v[k]
				}
				return p.at()
			}
			b := (move(p.Step) - move(-p.Step)) / (2 * p.Step)
			copy(x, home)
			add(nil, a, b)
		}
	}
	largest := 0.0
	for _, r := range found {
		largest = max(largest, math.Abs(r.Derivative), math.Abs(r.Quotient))
	}
	for k := range found {
		r := &found[k]
		if diff := math.Abs(r.Derivative - r.Quotient); diff != 0 {
			r.Error = diff / max(math.Abs(r.Derivative), math.Abs(r.Quotient), 1e-3*largest, 1e-4*p.size)
		}
	}
	return found
}

// index is where element k, in row-major order, of a tensor of shape s stands.
func index(s tensor.Shape, k int) []int {
	at := make([]int, len(s))
	for axis := len(s) - 1; axis >= 0; axis-- {
		at[axis], k = k%s[axis], k/s[axis]
	}
	return at
}
