package optest

import (
	"fmt"
	"math"
	"slices"

	"phase/autograd"
	"phase/tensor"
)

// A form is another way for the numbers of a tensor to lie in memory; nil where
// there is none.
type form struct {
	name string
	of   func(t *tensor.Tensor) *tensor.Tensor
}

var memoryForms = []form{
	{"with its axes in the opposite order", transposed},
	{"sliced out of a larger one", sliced},
	{"channels-last", channelsLast},
}

func transposed(t *tensor.Tensor) *tensor.Tensor {
	if t.Dims() < 2 {
		return nil
	}
	shape, axes := slices.Clone(t.Shape()), make([]int, t.Dims())
	slices.Reverse(shape)
	for i := range axes {
		axes[i] = len(axes) - 1 - i
	}
	return as(t, tensor.New(tensor.CPU, t.DType(), shape...).Permute(axes...))
}

// sliced lies between numbers that spoil whatever reads them.
func sliced(t *tensor.Tensor) *tensor.Tensor {
	if t.Dims() == 0 {
		return nil
	}
	shape := slices.Clone(t.Shape())
	for i := range shape {
		shape[i] = 2*shape[i] + 1
	}
	big := tensor.New(tensor.CPU, t.DType(), shape...)
	switch t.DType() {
	case tensor.F64:
		fill(big, math.NaN())
	case tensor.F32:
		fill(big, float32(math.NaN()))
	case tensor.I64:
		fill(big, int64(math.MinInt64))
	}
	for axis, n := range shape {
		big = big.Slice(axis, 1, n, 2)
	}
	return as(t, big)
}

func fill[T tensor.Elem](t *tensor.Tensor, v T) {
	d := tensor.Data[T](t)
	for i := range d {
		d[i] = v
	}
}

func channelsLast(t *tensor.Tensor) *tensor.Tensor {
	if t.Dims() != 4 {
		return nil
	}
	s := t.Shape()
	return as(t, tensor.NewImages(tensor.CPU, t.DType(), s[0], s[1], s[2], s[3]))
}

// dense is a row-major copy.
func dense(t *tensor.Tensor) *tensor.Tensor {
	return as(t, tensor.New(tensor.CPU, t.DType(), t.Shape()...))
}

// forms compares calls with inputs in every form, one at a time and all at once,
// with the dense call; likewise inputs that repeat themselves along an axis
// without memory, and upstream gradients of other forms than the value's.
func (e *exam) forms() {
	e.each(func(about string, c autograd.Case) {
		wants := e.all(c.In)
		compare := func(name string, in, plain []*tensor.Tensor) {
			e.guard(about+" "+name, func() {
				if s := try(c.Call, in, wants).differs(try(c.Call, plain, wants), e.tol); s != "" {
					e.fail(about, "%s is not what dense tensors give: %s", name, s)
				}
			})
		}
		for _, f := range memoryForms {
			all, changed := slices.Clone(c.In), 0
			for i, t := range c.In {
				if v := f.of(t); v != nil {
					one := slices.Clone(c.In)
					one[i], all[i] = v, v
					changed++
					compare(fmt.Sprintf("input %d %s", i, f.name), one, c.In)
				}
			}
			if changed > 1 {
				compare("every input "+f.name, all, c.In)
			}
		}
		for i, t := range c.In {
			for axis, n := range t.Shape() {
				if n > 1 {
					in, plain := slices.Clone(c.In), slices.Clone(c.In)
					in[i] = t.Slice(axis, 0, 1, 1).Expand(t.Shape()...)
					plain[i] = dense(in[i])
					compare(fmt.Sprintf("input %d repeated along axis %d", i, axis), in, plain)
				}
			}
		}
		e.upstreams(about, c, wants)
	})
}

func (e *exam) upstreams(about string, c autograd.Case, wants []int) {
	if len(wants) == 0 {
		return
	}
	want := try(c.Call, c.In, wants)
	for _, f := range append([]form{{"row-major", dense}}, memoryForms...) {
		var tape autograd.Tape
		vars := watch(&tape, c.In, wants)
		y := c.Call(vars...)
		dy := f.of(upstream(y.Value))
		if dy == nil {
			continue
		}
		e.guard(about+" upstream gradient "+f.name, func() {
			tape.BackwardFrom(y, dy)
			if s := read(y, vars).differs(want, e.tol); s != "" {
				e.fail(about, "an upstream gradient %s: %s", f.name, s)
			}
		})
	}
}

// sizes changes an extent wherever it occurs in the inputs of a sample. What
// comes of it must be an error in words, or a value with the right gradient.
func (e *exam) sizes() {
	e.each(func(about string, c autograd.Case) {
		if ignoresItself(c.P) {
			return
		}
		seen := []int{}
		for _, t := range c.In {
			for _, n := range t.Shape() {
				if !slices.Contains(seen, n) {
					seen = append(seen, n)
				}
			}
		}
		for _, old := range seen {
			for _, size := range []int{0, 1, 7} {
				if size == old {
					continue
				}
				in := resized(c.In, old, size)
				about := fmt.Sprintf("%s with %d instead of %d", about, size, old)
				e.guard(about, func() {
					var o outcome
					if tensor.Catch(func() { o = try(c.Call, in, e.all(in)) }) != nil {
						return
					}
					for i, g := range o.grads {
						if g != nil && len(g) != in[i].Size() {
							e.fail(about, "input %d %v has a gradient of %d numbers", i, in[i].Shape(), len(g))
						}
					}
					if e.Differentiable && len(o.value) > 0 && allFinite(o.value) {
						e.gradcheck(about, c.Call, in)
					}
				})
			}
		}
	})
}

// resized replaces the extent old by size everywhere. Floats are the sample's,
// over and over, each shrunk by up to a fifth so that no two are equal and all
// stay in the op's domain; integers are 0.
func resized(in []*tensor.Tensor, old, size int) []*tensor.Tensor {
	g := autograd.NewGen(seed)
	out := make([]*tensor.Tensor, len(in))
	for i, t := range in {
		shape := slices.Clone(t.Shape())
		for axis := range shape {
			if shape[axis] == old {
				shape[axis] = size
			}
		}
		out[i] = tensor.New(tensor.CPU, t.DType(), shape...)
		if v := tensor.Values(t); t.DType() == tensor.F64 && len(v) > 0 {
			d := tensor.Data[float64](out[i])
			for k := range d {
				d[k] = v[k%len(v)] * (1 - g.Float64()/5)
			}
		}
	}
	return out
}
