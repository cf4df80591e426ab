package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"runtime"
	"slices"
	"strings"
	"sync"
	"time"

	"phase/kernels"
	"phase/kernels/cpu"
	"phase/tensor"

	"github.com/klauspost/cpuid/v2"
)

// A bench is one call of phase bench.
type bench struct {
	*program
	benchOptions
	ctx context.Context
}

// A timing is how long one thing took, measured several times.
type timing struct {
	What     string  `json:"what,omitempty"`
	MedianMS float64 `json:"median_ms"`
	MinMS    float64 `json:"min_ms"`
	MaxMS    float64 `json:"max_ms"`
	work
}

// work is what a thing that took some time did in it.
type work struct {
	GFLOPS float64 `json:"gflops,omitempty"`        // a second; a multiplication and an addition are two
	Share  float64 `json:"share_of_peak,omitempty"` // of the peak on all threads
	MB     float64 `json:"mb,omitempty"`            // that it has to read and write, each array once
	GBs    float64 `json:"gb_per_second,omitempty"`
	Kernel string  `json:"kernel,omitempty"`
}

// workIn is what flops and bytes in some milliseconds come to on m.
func (m machine) workIn(ms, flops, bytes float64) work {
	w := work{GFLOPS: flops / ms / 1e6, MB: bytes / 1e6, GBs: bytes / ms / 1e6}
	if m.PeakGFLOPS > 0 {
		w.Share = w.GFLOPS / m.PeakGFLOPS
	}
	return w
}

// timingOf is the median of some milliseconds with the least and the greatest.
func timingOf(what string, ms []float64) timing {
	ms = slices.Sorted(slices.Values(ms))
	return timing{What: what, MedianMS: ms[len(ms)/2], MinMS: ms[0], MaxMS: ms[len(ms)-1]}
}

// shortest is the time that one measurement takes at least, in milliseconds:
// what is over sooner is done several times.
const shortest = 2

// measure runs f twice to warm up, then times it.
func (b *bench) measure(what string, f func()) (timing, error) {
	f()
	start := time.Now()
	f()
	again := int(shortest / (since(start) + 1e-6))
	var ms []float64
	for range b.times {
		if err := b.ctx.Err(); err != nil {
			return timing{}, err
		}
		start := time.Now()
		for range again + 1 {
			f()
		}
		ms = append(ms, since(start)/float64(again+1))
	}
	return timingOf(what, ms), nil
}

// since is the milliseconds from start until now.
func since(start time.Time) float64 { return float64(time.Since(start).Nanoseconds()) / 1e6 }

// A machine is what the processor can do by itself, measured.
type machine struct {
	CPU        string  `json:"cpu"`
	Backend    string  `json:"backend"`
	Threads    int     `json:"threads"`
	PeakGFLOPS float64 `json:"peak_gflops"` // multiply-adds of the backend's vectors on registers, all threads
	PeakOne    float64 `json:"peak_gflops_one_thread"`
	ReadGBs    float64 `json:"read_gb_per_second"` // a plain sum over an array larger than the caches
	ReadOne    float64 `json:"read_gb_per_second_one_thread"`
}

// streamFloats is the size of the array that is read for the bandwidth of
// memory: tests have no time for it.
var streamFloats = 64 << 20

// calibrate measures the machine: some 0.3 s.
func (b *bench) calibrate(on tensor.Device) machine {
	k := kernels.Registered(on)
	m := machine{CPU: strings.TrimSpace(cpuid.CPU.BrandName), Backend: k.String(), Threads: runtime.GOMAXPROCS(0)}
	c, ok := k.(*cpu.Backend)
	if !ok {
		return m
	}
	const flops = 1 << 30
	x := make([]float32, streamFloats)
	each(m.Threads, func(i int) {
		part := x[i*len(x)/m.Threads : (i+1)*len(x)/m.Threads]
		for i := range part {
			part[i] = 1
		}
	})
	c.Spin(flops) // the clock may take some time to rise
	for range 5 {
		m.PeakOne = max(m.PeakOne, rate(1, func(int) float64 { return float64(c.Spin(flops)) }))
		m.PeakGFLOPS = max(m.PeakGFLOPS, rate(m.Threads, func(int) float64 { return float64(c.Spin(flops)) }))
		read := func(threads int) float64 {
			return rate(threads, func(i int) float64 {
				part := x[i*len(x)/threads : (i+1)*len(x)/threads]
				if c.Sum(part) < 0 {
					panic("a sum of ones is negative")
				}
				return 4 * float64(len(part))
			})
		}
		m.ReadOne, m.ReadGBs = max(m.ReadOne, read(1)), max(m.ReadGBs, read(m.Threads))
	}
	return m
}

// rate runs f on some threads at once and returns the sum of what it returns, in
// billions a second.
func rate(threads int, f func(i int) float64) float64 {
	parts := make([]float64, threads)
	start := time.Now()
	each(threads, func(i int) { parts[i] = f(i) })
	sum := 0.
	for _, v := range parts {
		sum += v
	}
	return sum / since(start) / 1e6
}

// each calls f with 0 to n-1, all at once.
func each(n int, f func(i int)) {
	var all sync.WaitGroup
	for i := range n {
		all.Go(func() { f(i) })
	}
	all.Wait()
}

func (m machine) String() string {
	if m.PeakGFLOPS == 0 {
		return fmt.Sprintf("%s, %s: its peak is not known", m.CPU, m.Backend)
	}
	return fmt.Sprintf("%s, %s: peak %.0f GFLOP/s (one thread %.0f), memory read at %.1f GB/s (one thread %.1f)",
		m.CPU, m.Backend, m.PeakGFLOPS, m.PeakOne, m.ReadGBs, m.ReadOne)
}

// normal draws a tensor of F32, channels-last if it has four axes.
func normal(r *rand.Rand, shape ...int) *tensor.Tensor {
	d := make([]float32, tensor.Shape(shape).Size())
	for i := range d {
		d[i] = float32(r.NormFloat64())
	}
	if len(shape) == 4 {
		return tensor.OfImages(d, shape[0], shape[1], shape[2], shape[3])
	}
	return tensor.Of(d, shape...)
}

// printTimings prints rows below the machine.
func (b *bench) printTimings(m machine, rows []timing) error {
	if b.json {
		return b.printJSON(map[string]any{"machine": m, "rows": rows})
	}
	width := 0
	for _, t := range rows {
		width = max(width, len([]rune(t.What)))
	}
	fmt.Fprintf(b.out, "%v\n%-*s  %10s  %10s  %10s%s\n", m, width, "", "median ms", "min", "max", workHeader)
	for _, t := range rows {
		fmt.Fprintf(b.out, "%-*s  %10.3f  %10.3f  %10.3f%v\n", width, t.What, t.MedianMS, t.MinMS, t.MaxMS, t.work)
	}
	return nil
}

const workHeader = "  GFLOP/s    peak       MB     GB/s  kernel"

// String is a row below workHeader; what is nothing stays blank.
func (w work) String() string {
	s := ""
	for _, f := range []struct {
		format string
		blank  int
		v      float64
	}{{"%9.1f", 9, w.GFLOPS}, {"%7.0f%%", 8, 100 * w.Share}, {"%9.2f", 9, w.MB}, {"%9.1f", 9, w.GBs}} {
		if f.v == 0 {
			s += strings.Repeat(" ", f.blank)
		} else {
			s += fmt.Sprintf(f.format, f.v)
		}
	}
	return strings.TrimRight(s+"  "+w.Kernel, " ")
}
