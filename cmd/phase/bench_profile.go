package main

import (
	"fmt"
	"runtime"
	"runtime/metrics"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"phase/autograd"
	"phase/tensor"
)

// A stepProfile says where the time of a step goes, the most first.
type stepProfile struct {
	Step timing        `json:"step"`
	Ops  []profileLine `json:"ops"`
	// How long the collector waited for steps to stop, and for goroutines that do
	// nothing but count, which is what the machine takes.
	Stops   stops `json:"collector_stops"`
	Control stops `json:"control_stops"`
}

// stops is how long the collector had to wait for the goroutines to stop while
// they worked and it was made to run all the time. A call of assembly cannot be
// stopped: what is waited longer than for Go is what calls take.
type stops struct {
	Number   int     `json:"number"`
	MedianUS float64 `json:"median_us"` // upper ends of the runtime's histogram
	MaxUS    float64 `json:"max_us"`
}

// counting is work that the collector can stop anywhere.
func counting(n int) {
	var wg sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		wg.Go(func() {
			var x uint64
			for i := range uint64(n) {
				x ^= i * i
			}
			counted.Store(x)
		})
	}
	wg.Wait()
}

var counted atomic.Uint64 // so that counting is not optimised away

// measureStops does work, once or until the collector has run, while another
// goroutine collects garbage again and again.
func measureStops(work func()) stops {
	const name = "/sched/pauses/stopping/gc:seconds"
	read := func() *metrics.Float64Histogram {
		sample := []metrics.Sample{{Name: name}}
		metrics.Read(sample)
		return sample[0].Value.Float64Histogram()
	}
	counts := slices.Clone(read().Counts)
	done, ended := make(chan struct{}), make(chan struct{})
	var runs atomic.Int64
	go func() {
		defer close(ended)
		for {
			select {
			case <-done:
				return
			default:
				runtime.GC()
				runs.Add(1)
			}
		}
	}()
	for work(); runs.Load() == 0; {
		work()
	}
	close(done)
	<-ended
	after := read()
	var r stops
	for i, n := range after.Counts {
		r.Number += int(n - counts[i])
	}
	seen := 0
	for i, n := range after.Counts {
		n -= counts[i]
		end := 1e6 * after.Buckets[i+1]
		if n > 0 {
			r.MaxUS = end
			if 2*seen < r.Number {
				r.MedianUS = end
			}
		}
		seen += int(n)
	}
	return r
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
	m := b.calibrate(tensor.CPU)
	p, err := b.profileOf(s, m)
	if err != nil {
		return err
	}
	p.Stops = measureStops(func() {
		for range b.times {
			s.step()
		}
	})
	p.Control = measureStops(func() { counting(1 << 27) })
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
	wide := len("shape") // the shapes' column
	for _, l := range p.Ops {
		wide = max(wide, len(l.Shape))
	}
	fmt.Fprintf(b.out, "traced step %.1f ms (%.1f to %.1f)\n%-24s %-15s %-*s %5s %9s %9s %9s %6s%s\n", p.Step.MedianMS, p.Step.MinMS, p.Step.MaxMS,
		"op", "", wide, "shape", "calls", "ms", "min", "max", "step", workHeader)
	for _, l := range p.Ops {
		calls := ""
		if l.Calls > 0 {
			calls = strconv.Itoa(l.Calls)
		}
		fmt.Fprintf(b.out, "%-24s %-15s %-*s %5s %9.3f %9.3f %9.3f %5.1f%%%v\n", l.Op, l.Part, wide, l.Shape, calls, l.MedianMS, l.MinMS, l.MaxMS, 100*l.Of, l.work)
	}
	for _, s := range []struct {
		stops
		what string
	}{{p.Stops, "steps"}, {p.Control, "counting in Go"}} {
		fmt.Fprintf(b.out, "the collector waited for %s to stop: median %.0f us, at most %.0f, of %d times\n", s.what, s.MedianUS, s.MaxUS, s.Number)
	}
}
