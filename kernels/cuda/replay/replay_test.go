package replay

import (
	"fmt"
	"slices"
	"testing"

	"phase/kernels/cuda/launch"

	"pgregory.net/rapid"
)

// A tape is a Stream that writes down which launches ran, and how many calls it took.
type tape struct {
	ran           []string
	calls, starts int
	open          map[*[]launch.Launch]bool
}

func (s *tape) Launch(l launch.Launch) error {
	s.calls++
	s.ran = append(s.ran, name(l))
	return nil
}

func (s *tape) Record(part []launch.Launch) (Graph, error) {
	g := new([]launch.Launch)
	*g = slices.Clone(part)
	s.open[g] = true
	return g, nil
}

func (s *tape) Start(g Graph) error {
	if !s.open[g.(*[]launch.Launch)] {
		return fmt.Errorf("a graph that was dropped is started")
	}
	s.calls++
	s.starts++
	for _, l := range *g.(*[]launch.Launch) {
		s.ran = append(s.ran, name(l))
	}
	return nil
}

func (s *tape) Drop(g Graph) error {
	delete(s.open, g.(*[]launch.Launch))
	return nil
}

func name(l launch.Launch) string { return fmt.Sprint(l.Kernel, l.Grid, l.Block, l.Args) }

func kernel(name string, bits uint64) launch.Launch {
	return launch.Launch{Kernel: name, Grid: [3]int{1, 1, 1}, Block: [3]int{32, 1, 1}, Args: []launch.Arg{{Bits: bits}}}
}

// Whatever comes, all of it runs, in order, and by the end of its part.
func TestOrder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := &tape{open: map[*[]launch.Launch]bool{}}
		r := &Replayer{On: s}
		// Few kernels and arguments, and parts drawn from few, so that parts begin
		// alike, are parts of others, and repeat.
		parts := rapid.SliceOfN(rapid.SliceOfN(rapid.Custom(func(t *rapid.T) launch.Launch {
			return kernel(rapid.SampledFrom([]string{"a", "b"}).Draw(t, "kernel"), rapid.Uint64Range(0, 1).Draw(t, "argument"))
		}), 0, 9), 1, 20).Draw(t, "parts")
		var want []string
		for range rapid.IntRange(1, 60).Draw(t, "times") {
			for _, l := range rapid.SampledFrom(parts).Draw(t, "part") {
				want = append(want, name(l))
				if err := r.Add(l); err != nil {
					t.Fatal(err)
				}
			}
			if err := r.Flush(); err != nil {
				t.Fatal(err)
			}
			if !slices.Equal(s.ran, want) {
				t.Fatalf("ran %v, want %v", s.ran, want)
			}
			if len(s.open) > most {
				t.Fatalf("%d graphs are kept", len(s.open))
			}
			if rapid.IntRange(0, 20).Draw(t, "forget") == 0 {
				if err := r.Forget(); err != nil || len(s.open) != 0 {
					t.Fatalf("forgotten graphs stay: %v, %v", s.open, err)
				}
			}
		}
	})
}

// A step whose parts repeat takes one call a part from its third time on, whatever
// comes in between; one in which an argument changes takes all.
func TestRepeats(t *testing.T) {
	s := &tape{open: map[*[]launch.Launch]bool{}}
	r := &Replayer{On: s}
	step := func(argument uint64) int {
		before := s.calls
		for _, n := range []int{10, 6} { // both begin alike
			for i := range n {
				if err := r.Add(kernel("k", uint64(i)+argument)); err != nil {
					t.Fatal(err)
				}
			}
			r.Flush()
		}
		return s.calls - before
	}
	for i, want := range []int{16, 16, 2, 2} {
		if got := step(0); got != want {
			t.Errorf("step %d takes %d calls, want %d", i, got, want)
		}
	}
	if got := step(1 << 40); got != 16 {
		t.Errorf("a step with other arguments takes %d calls, want 16", got)
	}
	if got := step(0); got != 2 {
		t.Errorf("the step as it was takes %d calls, want 2", got)
	}
}
