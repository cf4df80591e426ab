package main

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"

	"phase/kernels"
	"phase/kernels/cpu"
	"phase/phase"
	"phase/tensor"
	"phase/tensor/npy"
)

// pairSamples is the size of the class of which the pairwise formula is measured:
// tests have no time for it.
var pairSamples = 5000

// msr measures MSR's weights of the samples in a file of features, beside a plain
// sum of the same numbers, and those of one class beside Eq 12's N² correlations.
func (b *bench) msr() error {
	path := b.features
	if path == "" {
		dir, err := os.MkdirTemp("", "phase-bench")
		if err != nil {
			return err
		}
		defer os.RemoveAll(dir)
		path = filepath.Join(dir, "features.npy")
		if err := npy.WriteFile(path, normal(rand.New(rand.NewPCG(1, 1)), b.samples, b.dim)); err != nil {
			return err
		}
	}
	m := b.calibrate()
	x, err := npy.ReadFile(path)
	switch {
	case err != nil:
		return err
	case x.Dims() != 2 || x.DType() != tensor.F32 || x.Size() == 0:
		return fmt.Errorf("%s: %v of %v, want float32 features (n,d)", path, x.Shape(), x.DType())
	}
	n, d := x.Dim(0), x.Dim(1)
	classes := min(b.classes, n)
	labels := make([]int, n)
	for i := range labels {
		labels[i] = i % classes
	}
	bytes := 4 * float64(x.Size())
	size := fmt.Sprintf("%dx%d ", n, d)
	pairs := normal(rand.New(rand.NewPCG(2, 1)), pairSamples, d)
	one := make([]int, pairSamples)
	var failed error
	weights := func(m phase.MSR, x *tensor.Tensor, labels []int, classes int) {
		if _, err := m.Weights(phase.Rows(x), labels, classes); err != nil && failed == nil {
			failed = err
		}
	}
	pairwise := phase.DefaultMSR()
	pairwise.Local = phase.Abs
	var rows []timing
	for _, c := range []struct {
		what  string
		bytes float64
		f     func()
	}{
		{size + "msr", bytes, func() { weights(phase.DefaultMSR(), x, labels, classes) }},
		{size + "plain sum", bytes, func() { plainSum(x) }},
		{size + "msr and reading the file", bytes, func() {
			x, err := npy.ReadFile(path)
			if err != nil {
				failed = err
				return
			}
			weights(phase.DefaultMSR(), x, labels, classes)
		}},
		{size + "reading the file", bytes, func() {
			if _, err := npy.ReadFile(path); err != nil {
				failed = err
			}
		}},
		{fmt.Sprintf("one class of %d msr", pairSamples), 4 * float64(pairs.Size()), func() { weights(phase.DefaultMSR(), pairs, one, 1) }},
		{fmt.Sprintf("one class of %d pairwise", pairSamples), 4 * float64(pairs.Size()), func() { weights(pairwise, pairs, one, 1) }},
	} {
		t, err := b.measure(c.what, c.f)
		switch {
		case err != nil:
			return err
		case failed != nil:
			return fmt.Errorf("%s: %w", path, failed)
		}
		t.work = m.workIn(t.MedianMS, 0, c.bytes)
		rows = append(rows, t)
	}
	return b.printTimings(m, rows)
}

// plainSum adds up x on all threads.
func plainSum(x *tensor.Tensor) float64 {
	threads, d := runtime.GOMAXPROCS(0), tensor.Data[float32](x)
	c, ok := kernels.For(x).(*cpu.Backend)
	parts := make([]float64, threads)
	each(threads, func(i int) {
		if part := d[i*len(d)/threads : (i+1)*len(d)/threads]; ok {
			parts[i] = float64(c.Sum(part))
		}
	})
	sum := 0.
	for _, v := range parts {
		sum += v
	}
	return sum
}
