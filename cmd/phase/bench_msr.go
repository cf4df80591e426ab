package main

import (
	"bufio"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"

	"phase/phase"
	"phase/tensor"
	"phase/tensor/npy"
	"phase/tensor/raw"
)

// pairSamples is the size of the class of which the pairwise formula is measured:
// tests have no time for it. Its features are no longer than pairDim.
var pairSamples = 5000

const pairDim = 64

// passes is how often MSR's weights go through all features: for the means, for
// the sums of unit deviations and for their products. The areas see once more
// those samples that share a block with others of their class; that is not
// counted, so that a pass is rather called too slow than too fast.
const passes = 3

// A weighing is how long weights, or a sum, took of some features.
type weighing struct {
	timing
	Passes int     `json:"passes"` // over the features
	PassMS float64 `json:"pass_ms"`
	OfSum  float64 `json:"of_plain_sum"` // speed of a pass as a share of the plain sum's
}

// msr measures MSR's weights of the samples in a file of features, which is read
// in place, beside a plain sum of the same numbers with the same reader; the same
// of features in memory, if there are not too many; and those of one class beside
// Eq 12's N² correlations.
func (b *bench) msr() error {
	path := b.features
	if path == "" {
		dir, err := os.MkdirTemp("", "phase-bench")
		if err != nil {
			return err
		}
		defer os.RemoveAll(dir)
		path = filepath.Join(dir, "features.npy")
		if err := b.writeFeatures(path); err != nil {
			return err
		}
	}
	f, err := npy.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	if s := f.Shape(); len(s) != 2 || f.DType() != tensor.F32 || !f.RowMajor() || s.Size() == 0 {
		return fmt.Errorf("%s: %v of %v, want float32 features (n,d), row-major", path, s, f.DType())
	}
	m := b.calibrate(tensor.CPU)
	n, d := f.Len(), f.Dim()
	classes := min(b.classes, n)
	labels := make([]int, n)
	for i := range labels {
		labels[i] = i % classes
	}
	pairs := phase.Rows(normal(rand.New(rand.NewPCG(2, 1)), pairSamples, min(d, pairDim)))
	one := make([]int, pairSamples)
	pairwise := phase.DefaultMSR()
	pairwise.Local = phase.Abs

	var rows []weighing
	var failed error
	measure := func(what string, of phase.Features, passes int, run func() error) {
		if failed != nil {
			return
		}
		t, err := b.measure(what, func() {
			if err := run(); err != nil && failed == nil {
				failed = fmt.Errorf("%s: %w", path, err)
			}
		})
		if err != nil {
			failed = err
		}
		t.work = m.workIn(t.MedianMS, 0, 4*float64(of.Len())*float64(of.Dim())*float64(passes))
		rows = append(rows, weighing{timing: t, Passes: passes, PassMS: t.MedianMS / float64(passes)})
	}
	weigh := func(what string, of phase.Features, m phase.MSR, labels []int, classes, passes int) {
		measure(what, of, passes, func() error {
			_, err := m.Weights(of, labels, classes)
			return err
		})
	}
	both := func(what string, of phase.Features) {
		measure(what+"plain sum", of, 1, func() error {
			_, err := phase.Total(of)
			return err
		})
		weigh(what+"msr", of, phase.DefaultMSR(), labels, classes, passes)
		if failed == nil {
			sum, msr := &rows[len(rows)-2], &rows[len(rows)-1]
			sum.OfSum, msr.OfSum = 1, sum.PassMS/msr.PassMS
		}
	}
	size := fmt.Sprintf("%dx%d ", n, d)
	both(size, f)
	if 4*int64(n)*int64(d) <= inMemory {
		x, err := npy.ReadFile(path)
		if err != nil {
			return err
		}
		both(size+"in memory ", phase.Rows(x))
	}
	what := fmt.Sprintf("one class of %d ", pairSamples)
	weigh(what+"msr", pairs, phase.DefaultMSR(), one, 1, passes)
	weigh(what+"pairwise", pairs, pairwise, one, 1, 1)
	if failed != nil {
		return failed
	}
	return b.printWeighings(m, rows)
}

// writeFeatures writes normal features, some rows at a time: they may be more
// than fit into memory.
func (b *bench) writeFeatures(path string) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	defer f.Close()
	w := bufio.NewWriterSize(f, 1<<20)
	if err := npy.WriteHeader(w, tensor.F32, tensor.Shape{b.samples, b.dim}); err != nil {
		return err
	}
	r := rand.New(rand.NewPCG(1, 1))
	for left := b.samples; left > 0; {
		if err := b.ctx.Err(); err != nil {
			return err
		}
		n := min(left, max(1<<20/b.dim, 1))
		if err := raw.Write(w, normal(r, n, b.dim)); err != nil {
			return err
		}
		left -= n
	}
	if err := w.Flush(); err != nil {
		return err
	}
	return f.Close()
}

// printWeighings prints rows below the machine.
func (b *bench) printWeighings(m machine, rows []weighing) error {
	if b.json {
		return b.printJSON(map[string]any{"machine": m, "rows": rows})
	}
	fmt.Fprintf(b.out, "%v\n%-36s  %10s  %10s  %10s  %6s  %10s  %6s  %8s\n", m, "", "median ms", "min", "max", "passes", "ms a pass", "GB/s", "of a sum")
	for _, r := range rows {
		share := ""
		if r.OfSum > 0 {
			share = fmt.Sprintf("  %8.2f", r.OfSum)
		}
		fmt.Fprintf(b.out, "%-36s  %10.3f  %10.3f  %10.3f  %6d  %10.3f  %6.1f%s\n", r.What, r.MedianMS, r.MinMS, r.MaxMS, r.Passes, r.PassMS, r.GBs, share)
	}
	return nil
}
