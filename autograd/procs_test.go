package autograd_test

import (
	"math"
	"runtime"
	"testing"

	"phase/autograd"
	"phase/kernels/cpu"
	"phase/tensor"
)

// Loss and gradients do not depend on the number of threads, bit for bit, with
// any variant: work is cut into fixed blocks, and partial sums are added in
// their order.
func TestGOMAXPROCS(t *testing.T) {
	for _, name := range cpu.Variants() {
		run := func(procs int) (bits []uint64) {
			defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(procs))
			b, err := cpu.New(name)
			if err != nil {
				t.Fatal(err)
			}
			with(t, b)
			n, tape := newNetwork(), new(autograd.Tape)
			bits = append(bits, math.Float64bits(n.step(tape)))
			for _, p := range n.params {
				for _, g := range tensor.Values(p.Grad) {
					bits = append(bits, math.Float64bits(g))
				}
			}
			return bits
		}
		one := run(1)
		for _, procs := range []int{2, 3, 7} {
			for i, bits := range run(procs) {
				if bits != one[i] {
					t.Errorf("%s: number %d is %v with GOMAXPROCS=%d and %v with 1", name, i, math.Float64frombits(bits), procs, math.Float64frombits(one[i]))
					break
				}
			}
		}
	}
}
