package main

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"phase/autograd"
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
			return profileLine{Op: c.Op, Part: c.Part, Shape: callShape(c), timing: timing{work: work{Kernel: callKernel(c)}}, flops: callFlops(c), bytes: callBytes(c)}
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
	fmt.Fprintf(b.out, "traced step %.1f ms (%.1f to %.1f)\n%-24s %-15s %-36s %5s %9s %9s %9s %6s%s\n", p.Step.MedianMS, p.Step.MinMS, p.Step.MaxMS,
		"op", "", "shape", "calls", "ms", "min", "max", "step", workHeader)
	for _, l := range p.Ops {
		calls := ""
		if l.Calls > 0 {
			calls = strconv.Itoa(l.Calls)
		}
		fmt.Fprintf(b.out, "%-24s %-15s %-36s %5s %9.3f %9.3f %9.3f %5.1f%%%v\n", l.Op, l.Part, l.Shape, calls, l.MedianMS, l.MinMS, l.MaxMS, 100*l.Of, l.work)
	}
}
