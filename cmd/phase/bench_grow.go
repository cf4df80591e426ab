package main

import (
	"fmt"
	"runtime"
	"slices"
	"strings"

	"phase/tensor"
)

// A grown is one training step on the way from small to large.
type grown struct {
	timing
	NS   float64 `json:"ns_per_megaflop"` // of the step's convolutions and products
	Best float64 `json:"times_best"`      // NS over the least of all rows; of threads, over that of one
}

// axes are what grow lets grow, each with what it sets of a bench.
var axes = []struct {
	name string
	at   []int
	set  func(b *bench, v int)
}{
	{"batch", []int{8, 16, 32, 64, 128, 256, 512}, func(b *bench, v int) { b.batch = v }},
	{"width", []int{8, 16, 32, 64, 128}, func(b *bench, v int) { b.width = v }},
	{"depth", []int{8, 20, 32, 44, 56, 110}, func(b *bench, v int) { b.model = fmt.Sprint("resnet", v) }},
}

// axisNames lists the axes; that of threads is the machine's.
func axisNames() (names []string) {
	for _, a := range axes {
		names = append(names, a.name)
	}
	return append(names, "threads")
}

// grow measures training steps as one thing after another grows.
func (b *bench) grow() error {
	if !b.changed("batch") {
		b.batch = 32
	}
	for _, a := range b.axes {
		if !slices.Contains(axisNames(), a) {
			return usagef("--axes %s: want some of %s%s", a, strings.Join(axisNames(), ", "), didYouMean(a, axisNames()))
		}
	}
	m := b.calibrate(tensor.CPU)
	var rows []grown
	add := func(axis string, at int, b bench) error {
		s, err := b.newStepper(true)
		if err != nil {
			return err
		}
		var r grown
		if r.timing, err = b.measure(fmt.Sprint(axis, " ", at), s.step); err != nil {
			return err
		}
		flops := s.flops()
		r.work, r.NS = m.workIn(r.MedianMS, flops, 0), r.MedianMS*1e12/flops
		rows = append(rows, r)
		return nil
	}
	for _, a := range axes {
		for _, v := range a.at {
			if !slices.Contains(b.axes, a.name) {
				break
			}
			grown := *b
			a.set(&grown, v)
			if err := add(a.name, v, grown); err != nil {
				return err
			}
		}
	}
	best := 0.
	for i := range rows {
		if best == 0 || rows[i].NS < best {
			best = rows[i].NS
		}
	}
	for i := range rows {
		rows[i].Best = rows[i].NS / best
	}
	if slices.Contains(b.axes, "threads") {
		first := len(rows)
		defer runtime.GOMAXPROCS(m.Threads)
		for n := range m.Threads {
			runtime.GOMAXPROCS(n + 1)
			if err := add("threads", n+1, *b); err != nil {
				return err
			}
			rows[first+n].Best = rows[first+n].NS / rows[first].NS
		}
	}
	if b.json {
		return b.printJSON(map[string]any{"machine": m, "rows": rows})
	}
	fmt.Fprintf(b.out, "%v\n%-12s  %10s  %10s  %10s  %11s  %10s%s\n", m, "", "median ms", "min", "max", "ns/megaflop", "times best", workHeader)
	for _, r := range rows {
		fmt.Fprintf(b.out, "%-12s  %10.3f  %10.3f  %10.3f  %11.3f  %10.3f%v\n", r.What, r.MedianMS, r.MinMS, r.MaxMS, r.NS, r.Best, r.work)
	}
	return nil
}
