package cpu

import "testing"

// TestYardsticks: each variant's plain sum reads every number once, and Spin does
// at least what it is asked for.
func TestYardsticks(t *testing.T) {
	for _, name := range Variants() {
		b, err := New(name)
		if err != nil {
			t.Fatal(err)
		}
		for _, n := range []int{0, 1, 7, 8, 63, 64, 65, 127, 128, 129, 1000, sumFloatsAtOnce - 1, sumFloatsAtOnce, sumFloatsAtOnce + 200} {
			x, want := make([]float32, n), 0
			for i := range x {
				x[i] = float32(i%5 + 1)
				want += i%5 + 1
			}
			if got := b.Sum(x); got != float32(want) { // small whole numbers: exact in any order
				t.Errorf("%s: the sum of %d numbers is %v, want %d", name, n, got, want)
			}
		}
		for _, flops := range []int{1, b.peak.flops, b.peak.flops + 1, 3*spinRounds*b.peak.flops + 5} {
			if got := b.Spin(flops); got < flops || got >= flops+b.peak.flops {
				t.Errorf("%s: spins %d times when asked for %d", name, got, flops)
			}
		}
	}
}
