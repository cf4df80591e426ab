package autograd_test

import (
	"fmt"
	"slices"
	"testing"

	"phase/autograd"
	"phase/kernels"
	"phase/tensor"
)

// TestTrace: a trace is told of every op in the order of the work, of a
// convolution's two gradients apart, and of none that nobody wants; without a
// trace, or after it, nothing is.
func TestTrace(t *testing.T) {
	g := autograd.NewGen(1)
	x, w, v := g.Normal(2, 3, 4, 4), g.Normal(2, 3, 3, 3), g.Normal(2, 2, 3, 3)
	var tape autograd.Tape
	var got []string
	trace := func(c autograd.Call) {
		if c.Seconds <= 0 || c.Seconds > 60 {
			t.Errorf("%s %s took %v s", c.Op, c.Part, c.Seconds)
		}
		if p, ok := c.Param.(kernels.Conv2D); (c.Op == "conv2d") != ok || ok && p.Pad != 1 {
			t.Errorf("%s %s: parameter %+v", c.Op, c.Part, c.Param)
		}
		got = append(got, fmt.Sprint(c.Op, " ", c.Part, " ", c.In[0].Shape(), " ", c.Out.Shape()))
	}
	step := func() {
		got = nil
		tape.Reset()
		p := kernels.Conv2D{Pad: 1}
		h := autograd.Conv2D(tape.Watch(channelsLast(x)), autograd.Param(w), p)
		y := autograd.Sum(autograd.ReLU(autograd.Conv2D(h, autograd.Param(v), p)))
		if !tape.Eval {
			tape.Backward(y)
		}
	}
	forward := []string{
		"conv2d forward (2,3,4,4) (2,2,4,4)", "conv2d forward (2,2,4,4) (2,2,4,4)", "relu forward (2,2,4,4) (2,2,4,4)", "sum forward (2,2,4,4) ()",
	}
	both := append(slices.Clone(forward), "sum backward (2,2,4,4) ()", "relu backward (2,2,4,4) (2,2,4,4)",
		"conv2d input gradient (2,2,4,4) (2,2,4,4)", "conv2d weight gradient (2,2,4,4) (2,2,4,4)", "conv2d weight gradient (2,3,4,4) (2,2,4,4)")
	layout := func(s string) bool {
		return s[:len("channels_last")] == "channels_last" || s[:len("row_major")] == "row_major"
	}
	for _, c := range []struct {
		trace func(autograd.Call)
		eval  bool
		want  []string
	}{{trace, false, both}, {nil, false, nil}, {trace, true, forward}, {trace, false, both}} {
		tape.Trace, tape.Eval = c.trace, c.eval
		step()
		if got = slices.DeleteFunc(got, layout); !slices.Equal(got, c.want) {
			t.Errorf("eval %v: told of\n%q\nwant\n%q", c.eval, got, c.want)
		}
	}
}

func channelsLast(x *tensor.Tensor) *tensor.Tensor {
	y := tensor.NewImages(tensor.CPU, x.DType(), x.Dim(0), x.Dim(1), x.Dim(2), x.Dim(3))
	kernels.For(x).Copy(y, x)
	return y
}
