package cpu

import (
	"fmt"
	"math"
	"math/rand/v2"
	"runtime"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"phase/tensor"
)

// backends is one backend for every variant that this machine can run.
func backends(t testing.TB) (all []*Backend) {
	for _, name := range Variants() {
		all = append(all, made(t, name))
	}
	return all
}

// exactBackends is the exact form of every variant that differs from it.
func exactBackends(t testing.TB) (all []*Backend) {
	for _, b := range winogradBackends(t) {
		all = append(all, made(t, b.name+"-"+exact))
	}
	return all
}

// winogradBackends is those that use Winograd's convolution.
func winogradBackends(t testing.TB) []*Backend {
	return slices.DeleteFunc(backends(t), func(b *Backend) bool { return b.wino.image == nil })
}

func made(t testing.TB, name string) *Backend {
	b, err := New(name)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// each runs f as a subtest with every variant.
func each(t *testing.T, f func(t *testing.T, b *Backend)) {
	for _, b := range backends(t) {
		t.Run(b.name, func(t *testing.T) { f(t, b) })
	}
}

// fill draws t's elements from the standard normal distribution.
func fill(r *rand.Rand, t *tensor.Tensor) *tensor.Tensor {
	if t.DType() == tensor.F64 {
		for i := range tensor.Data[float64](t) {
			tensor.Data[float64](t)[i] = r.NormFloat64()
		}
		return t
	}
	for i := range tensor.Data[float32](t) {
		tensor.Data[float32](t)[i] = float32(r.NormFloat64())
	}
	return t
}

// copyOf is a tensor like t with the same elements.
func copyOf(t *tensor.Tensor) *tensor.Tensor { return t.To(tensor.CPU) }

// agree fails unless got and want agree within tol of the largest element.
func agree(t tester, what string, got, want *tensor.Tensor, tol float64) {
	t.Helper()
	g, w := tensor.Values(got), tensor.Values(want)
	top := 1e-30
	for _, v := range w {
		top = max(top, math.Abs(v))
	}
	for i := range w {
		if !(math.Abs(g[i]-w[i]) <= tol*top) {
			t.Fatalf("%s: element %d is %g, want %g (largest %g)", what, i, g[i], w[i], top)
		}
	}
}

// sameBits fails unless f leaves the same bits with 1, 2 and 7 threads.
func sameBits(t *testing.T, what string, f func() *tensor.Tensor) {
	t.Helper()
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	want := tensor.Data[float32](copyOf(f()))
	for _, procs := range []int{2, 7} {
		runtime.GOMAXPROCS(procs)
		if got := tensor.Data[float32](f()); !slices.Equal(got, want) {
			t.Fatalf("%s: differs between 1 and %d threads", what, procs)
		}
	}
}

func TestSelect(t *testing.T) {
	all := Variants()
	if all[len(all)-1] != "go" {
		t.Errorf("variants are %v, want go as the last", all)
	}
	b, err := New("")
	if err != nil || !strings.HasPrefix(b.String(), "cpu "+all[0]+" x") {
		t.Errorf("the best variant is %v (%v), want %s", b, err, all[0])
	}
	for _, name := range append(all, "") {
		plain, err := New(name)
		if err != nil {
			t.Fatal(err)
		}
		b, err := New(Exact(name))
		if err != nil || b.wino.image != nil || b.name != plain.name+"-exact" {
			t.Errorf("%q without Winograd is %v (%v), want %s-exact", name, b, err, plain.name)
		}
		if again := Exact(Exact(name)); again != Exact(name) {
			t.Errorf("the exact form of %q is %q", Exact(name), again)
		}
	}
	if err := Select("mmx"); err == nil || !strings.Contains(err.Error(), `"mmx"`) || !strings.Contains(err.Error(), "go") {
		t.Errorf("an unknown variant gives %v, want an error that names it and the others", err)
	}
}

func TestPar(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(4))
	for _, n := range []int{0, 1, 3, 1000} {
		count := make([]atomic.Int32, n)
		par(n, func(i int) { count[i].Add(1) })
		for i := range count {
			if c := count[i].Load(); c != 1 {
				t.Fatalf("n=%d: item %d ran %d times", n, i, c)
			}
		}
	}
	var sum atomic.Int64 // par inside par, more than there are threads
	par(10, func(i int) { par(10, func(j int) { sum.Add(int64(10*i + j)) }) })
	if sum.Load() != 99*100/2 {
		t.Errorf("nested: the items sum to %d, want 4950", sum.Load())
	}
	f := func(int) {}
	if got := testing.AllocsPerRun(100, func() { par(8, f) }); got > 1 {
		t.Errorf("par allocates %v times a call", got)
	}
}

func TestPool(t *testing.T) {
	var p pool
	for _, n := range []int{0, 1, 64, 65, 1000} {
		s := p.get(n)
		if len(s.f) != n {
			t.Fatalf("asked for %d floats, got %d", n, len(s.f))
		}
		p.put(s)
		if again := p.get(n); again != s {
			t.Errorf("%d floats: what was given back is not used again", n)
		}
	}
	if a, b := p.get(10), p.get(10); a == b {
		t.Error("the same scratch was lent twice at once")
	}
	if s := fmt.Sprintf("%p", &aligned(100)[0]); !strings.HasSuffix(s, "00") && !strings.HasSuffix(s, "40") && !strings.HasSuffix(s, "80") && !strings.HasSuffix(s, "c0") {
		t.Errorf("aligned memory begins at %s", s)
	}
}
