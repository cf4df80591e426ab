package main

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"phase/autograd"
	"phase/kernels"
	"phase/tensor"
)

// A stepProfile says where the time of a step goes, the most first.
type stepProfile struct {
	Step timing        `json:"step"`
	Ops  []profileLine `json:"ops"`
}

// A profileLine is all calls of one op in one direction on the same shapes.
type profileLine struct {
	Op    string  `json:"op"`
	Part  string  `json:"part,omitempty"` // forward, backward, or a gradient
	Shape string  `json:"shape,omitempty"`
	Calls int     `json:"calls,omitempty"` // in a step
	Of    float64 `json:"share_of_step"`
	timing
	flops, bytes float64
	ms           []float64 // by step
}

// The lines of a profile that are no ops.
const (
	lineOptimizer = "optimizer"
	lineRest      = "tape and loss read-out"
)

// profile prints where the time of a training step goes.
func (b *bench) profile() error {
	s, err := b.newStepper(true)
	if err != nil {
		return err
	}
	m := b.calibrate()
	p, err := b.profileOf(s, m)
	if err != nil {
		return err
	}
	if b.json {
		return b.printJSON(struct {
			Model   string  `json:"model"`
			Batch   int     `json:"batch"`
			Machine machine `json:"machine"`
			*stepProfile
		}{b.model, b.batch, m, p})
	}
	fmt.Fprintf(b.out, "%v\n", m)
	p.print(b)
	return nil
}

// profileOf takes b.times steps of s, after two to warm up, and asks the tape.
func (b *bench) profileOf(s *stepper, m machine) (*stepProfile, error) {
	var p stepProfile
	lines := map[string]*profileLine{}
	line := func(key string, begin func() profileLine) *profileLine {
		l := lines[key]
		if l == nil {
			v := begin()
			v.ms = make([]float64, 2+b.times)
			l, lines[key] = &v, &v
		}
		return l
	}
	at := 0 // the step under way
	s.tape.Trace = func(c autograd.Call) {
		l := line(callKey(c), func() profileLine {
			in, out := callBytes(c)
			return profileLine{Op: c.Op, Part: c.Part, Shape: callShape(c), timing: timing{work: work{Kernel: callKernel(c)}}, flops: callFlops(c), bytes: in + out}
		})
		if at == 0 {
			l.Calls++
		}
		l.ms[at] += c.Seconds * 1e3
	}
	defer func() { s.tape.Trace = nil }()
	var steps []float64
	for at = range 2 + b.times {
		if err := b.ctx.Err(); err != nil {
			return nil, err
		}
		start := time.Now()
		s.step()
		whole := since(start)
		steps = append(steps, whole)
		traced := 0.
		for _, l := range lines {
			if l.Calls > 0 {
				traced += l.ms[at]
			}
		}
		rest := whole - traced
		if s.opt != nil {
			line(lineOptimizer, func() profileLine { return profileLine{Op: lineOptimizer} }).ms[at] = whole - s.gradMS
			rest = s.gradMS - traced
		}
		line(lineRest, func() profileLine { return profileLine{Op: lineRest} }).ms[at] = rest
	}
	p.Step = timingOf("step", steps[2:])
	for _, l := range lines {
		kernel := l.Kernel
		l.timing = timingOf("", l.ms[2:])
		l.Of = l.MedianMS / p.Step.MedianMS
		l.work = m.workIn(l.MedianMS, float64(l.Calls)*l.flops, float64(l.Calls)*l.bytes)
		l.Kernel = kernel
		p.Ops = append(p.Ops, *l)
	}
	slices.SortFunc(p.Ops, func(a, b profileLine) int {
		switch {
		case a.MedianMS > b.MedianMS:
			return -1
		case a.MedianMS < b.MedianMS:
			return 1
		}
		return strings.Compare(a.Op+a.Part+a.Shape, b.Op+b.Part+b.Shape)
	})
	return &p, nil
}

func (p *stepProfile) print(b *bench) {
	fmt.Fprintf(b.out, "traced step %.1f ms (%.1f to %.1f)\n%-24s %-15s %-37s %5s %9s %9s %9s %6s%s\n", p.Step.MedianMS, p.Step.MinMS, p.Step.MaxMS,
		"op", "", "shape", "calls", "ms", "min", "max", "step", workHeader)
	for _, l := range p.Ops {
		calls := ""
		if l.Calls > 0 {
			calls = strconv.Itoa(l.Calls)
		}
		fmt.Fprintf(b.out, "%-24s %-15s %-37s %5s %9.3f %9.3f %9.3f %5.1f%%%v\n", l.Op, l.Part, l.Shape, calls, l.MedianMS, l.MinMS, l.MaxMS, 100*l.Of, l.work)
	}
}

// callKey tells apart calls that are not counted together.
func callKey(c autograd.Call) string {
	var b strings.Builder
	fmt.Fprint(&b, c.Op, c.Part, c.Out.Shape())
	if p, ok := convOf(c); ok {
		fmt.Fprint(&b, p)
	}
	for _, t := range c.In {
		fmt.Fprint(&b, t.Shape())
	}
	return b.String()
}

// convOf finds the convolution in a call.
func convOf(c autograd.Call) (p kernels.Conv2D, ok bool) {
	p, ok = c.Param.(kernels.Conv2D)
	return p, ok && len(c.In) >= 2 && c.In[0].Dims() == 4 && c.In[1].Dims() == 4
}

// callShape is short for the shapes of a call.
func callShape(c autograd.Call) string {
	if p, ok := convOf(c); ok {
		return convName(p, c.In[0], c.In[1])
	}
	if c.In[0].Shape().Equal(c.Out.Shape()) {
		return c.Out.Shape().String()
	}
	return c.In[0].Shape().String() + " -> " + c.Out.Shape().String()
}

// callFlops is the multiplications and additions of a call: those of
// convolutions and matrix products.
func callFlops(c autograd.Call) float64 {
	if _, ok := convOf(c); ok {
		return convFlops(c.Out, c.In[1])
	}
	if c.Op == "linear" || c.Op == "matmul" {
		f := 2 * float64(c.Out.Size()) * float64(c.In[0].Dim(1))
		if c.Part == autograd.Backward { // of both factors
			f *= 2
		}
		return f
	}
	return 0
}

// callBytes is what a call has to read and to write, each tensor once. A
// derivative reads the inputs and the output's gradient, and writes those of the
// inputs.
func callBytes(c autograd.Call) (read, written float64) {
	size := func(t *tensor.Tensor) float64 { return float64(t.Size() * t.DType().Size()) }
	in := 0.
	for _, t := range c.In {
		in += size(t)
	}
	_, conv := convOf(c)
	switch {
	case c.Part == autograd.Forward:
		return in, size(c.Out)
	case conv: // one of the two
		return in + size(c.Out), 0
	}
	return in + size(c.Out), in
}

// callKernel names the kernels of a call, where the backend tells.
func callKernel(c autograd.Call) string {
	p, ok := convOf(c)
	if !ok {
		return ""
	}
	side := kernels.SideY
	switch c.Part {
	case "input gradient":
		side = kernels.SideX
	case "weight gradient":
		side = kernels.SideW
	}
	return describeConv(kernels.For(c.Out), side, p, c.Out, c.In[0], c.In[1])
}
