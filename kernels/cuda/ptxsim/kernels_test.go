package ptxsim

import (
	_ "embed"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

//go:embed testdata/basic.ptx
var basic string

//go:embed testdata/ampere.ptx
var ampere string

// given copies numbers to new memory.
func given[T Scalar](t testing.TB, m *Memory, x []T) Ptr {
	t.Helper()
	p := m.Alloc(len(x) * sizeOf[T]())
	if err := Write(m, p, x); err != nil {
		t.Fatal(err)
	}
	return p
}

func sizeOf[T Scalar]() int {
	switch any(*new(T)).(type) {
	case int8, uint8:
		return 1
	case int16, uint16:
		return 2
	case int32, uint32, float32:
		return 4
	}
	return 8
}

// results copies n numbers from memory.
func results[T Scalar](t testing.TB, m *Memory, p Ptr, n int) []T {
	t.Helper()
	x := make([]T, n)
	if err := Read(m, p, x); err != nil {
		t.Fatal(err)
	}
	return x
}

func loaded(t testing.TB, ptx, name string) *Kernel {
	t.Helper()
	m, err := Load(ptx)
	if err != nil {
		t.Fatal(err)
	}
	k := m.Kernel(name)
	if k == nil {
		t.Fatalf("no kernel %s", name)
	}
	return k
}

func normals(r *rand.Rand, n int) []float32 {
	x := make([]float32, n)
	for i := range x {
		x[i] = float32(r.NormFloat64())
	}
	return x
}

// errWrong is the error of a trial whose kernel ran and computed something else
// than Go does.
var errWrong = errors.New("wrong result")

// compare reads what a kernel computed and compares it.
func compare(m *Memory, p Ptr, want []float64, tolerance float64) error {
	got := make([]float32, len(want))
	if err := Read(m, p, got); err != nil {
		return err
	}
	for i := range got {
		if d := math.Abs(float64(got[i]) - want[i]); !(d <= tolerance*max(1, math.Abs(want[i]))) {
			return fmt.Errorf("%w: number %d is %v, want %v", errWrong, i, got[i], want[i])
		}
	}
	return nil
}

func compareInts[T int32 | uint32](m *Memory, p Ptr, want []T) error {
	got := make([]T, len(want))
	if err := Read(m, p, got); err != nil {
		return err
	}
	if !slices.Equal(got, want) {
		return fmt.Errorf("%w: %v, want %v", errWrong, got, want)
	}
	return nil
}

// trials run the test kernels on data of their own.
var trials = map[string]func(t testing.TB, k *Kernel, l Launch) error{
	"saxpy": func(t testing.TB, k *Kernel, l Launch) error {
		const n = 300
		var m Memory
		r := rand.New(rand.NewPCG(1, 1))
		x, y := normals(r, n), normals(r, n)
		want := make([]float64, n)
		for i := range want {
			want[i] = 2.5*float64(x[i]) + float64(y[i])
		}
		px, py := given(t, &m, x), given(t, &m, y)
		l.Grid, l.Block = [3]int{5}, [3]int{64}
		if err := k.Run(&m, l, float32(2.5), px, py, n); err != nil {
			return err
		}
		return compare(&m, py, want, 1e-6)
	},
	"sum": func(t testing.TB, k *Kernel, l Launch) error {
		const n, blocks = 2000, 3
		var m Memory
		x := normals(rand.New(rand.NewPCG(2, 1)), n)
		want := make([]float64, blocks)
		for i, v := range x {
			want[i/256%blocks] += float64(v)
		}
		out := m.Alloc(4 * blocks)
		l.Grid, l.Block = [3]int{blocks}, [3]int{256}
		if err := k.Run(&m, l, given(t, &m, x), out, n); err != nil {
			return err
		}
		return compare(&m, out, want, 1e-5)
	},
	"gemm": func(t testing.TB, k *Kernel, l Launch) error {
		const rows, columns, inner = 35, 21, 19
		var m Memory
		r := rand.New(rand.NewPCG(3, 1))
		a, b := normals(r, rows*inner), normals(r, inner*columns)
		want := make([]float64, rows*columns)
		for i := range rows {
			for j := range columns {
				for q := range inner {
					want[i*columns+j] += float64(a[i*inner+q]) * float64(b[q*columns+j])
				}
			}
		}
		out := m.Alloc(4 * rows * columns)
		l.Grid, l.Block = [3]int{2, 3}, [3]int{16, 16}
		if err := k.Run(&m, l, given(t, &m, a), given(t, &m, b), out, rows, columns, inner); err != nil {
			return err
		}
		return compare(&m, out, want, 1e-5)
	},
	"softmax": func(t testing.TB, k *Kernel, l Launch) error {
		const rows, n = 6, 45
		var m Memory
		x := normals(rand.New(rand.NewPCG(4, 1)), rows*n)
		want := make([]float64, rows*n)
		for i := range rows {
			sum := 0.0
			for j := range n {
				want[i*n+j] = math.Exp(float64(x[i*n+j]))
				sum += want[i*n+j]
			}
			for j := range n {
				want[i*n+j] /= sum
			}
		}
		out := m.Alloc(4 * rows * n)
		l.Grid, l.Block = [3]int{2}, [3]int{128}
		if err := k.Run(&m, l, given(t, &m, x), out, rows, n); err != nil {
			return err
		}
		return compare(&m, out, want, 1e-6)
	},
	"histogram": func(t testing.TB, k *Kernel, l Launch) error {
		const n, bins = 1000, 90
		var m Memory
		r := rand.New(rand.NewPCG(5, 1))
		x, want := make([]byte, n), make([]uint32, bins)
		for i := range x {
			x[i] = byte(r.IntN(100))
			if x[i] < bins {
				want[x[i]]++
			}
		}
		out := given(t, &m, make([]uint32, bins))
		l.Grid, l.Block, l.Shared = [3]int{2}, [3]int{64}, 4*bins
		if err := k.Run(&m, l, given(t, &m, x), out, n, bins); err != nil {
			return err
		}
		return compareInts(&m, out, want)
	},
	"total": func(t testing.TB, k *Kernel, l Launch) error {
		const n = 500
		var m Memory
		x := normals(rand.New(rand.NewPCG(6, 1)), n)
		want := []float64{0}
		for _, v := range x {
			want[0] += float64(v)
		}
		px := given(t, &m, x)
		for _, blocks := range []int{9, 3} { // the counter is back where it was
			part, out := m.Alloc(4*blocks), m.Alloc(4)
			l.Grid, l.Block = [3]int{blocks}, [3]int{64}
			if err := k.Run(&m, l, px, part, out, n); err != nil {
				return err
			}
			if err := compare(&m, out, want, 1e-5); err != nil {
				return err
			}
		}
		return nil
	},
	"smooth": func(t testing.TB, k *Kernel, l Launch) error {
		var m Memory
		r := rand.New(rand.NewPCG(7, 1))
		var table []byte
		var counts []byte
		out := m.Alloc(4 * 64 * 3)
		lengths := []int{20, 1, 40}
		want := make([][]float64, 3)
		for i, n := range lengths {
			x := normals(r, n)
			p := given(t, &m, x)
			for b := range 8 {
				table = append(table, byte(p>>(8*b)))
			}
			counts = append(counts, byte(n), 0, 0, 0)
			want[i] = make([]float64, n)
			for j := range n {
				for d, w := range []float64{1, 4, 6, 4, 1} {
					if at := j + d - 2; at >= 0 && at < n {
						want[i][j] += w * float64(x[at]) / 16
					}
				}
			}
		}
		table = append(append(table, counts...), 0, 0, 0, 0)
		l.Grid, l.Block = [3]int{3}, [3]int{32}
		if err := k.Run(&m, l, table, out); err != nil {
			return err
		}
		for i := range want {
			if err := compare(&m, out+Ptr(4*64*i), want[i], 1e-5); err != nil {
				return err
			}
		}
		return nil
	},
	"reverse": func(t testing.TB, k *Kernel, l Launch) error {
		var m Memory
		x, want := make([]int32, 64), make([]int32, 64)
		for i := range x {
			x[i] = int32(i * i)
		}
		for i := range x {
			want[i] = x[i/8*8+7-i%8]
			if i/8%2 == 1 {
				want[i] = -want[i]
			}
		}
		out := m.Alloc(4 * len(x))
		l.Block = [3]int{64}
		if err := k.Run(&m, l, given(t, &m, x), out); err != nil {
			return err
		}
		return compareInts(&m, out, want)
	},
	"mma_tf32": func(t testing.TB, k *Kernel, l Launch) error {
		const inner = 24
		var m Memory
		r := rand.New(rand.NewPCG(8, 1))
		a, b := normals(r, 16*inner), normals(r, inner*8)
		want := make([]float64, 16*8)
		tf32 := func(v float32) float64 { return math.Round(float64(v)*1024/pow2(v)) * pow2(v) / 1024 }
		for i := range 16 {
			for j := range 8 {
				for q := range inner {
					want[i*8+j] += tf32(a[i*inner+q]) * tf32(b[q*8+j])
				}
			}
		}
		out := m.Alloc(4 * len(want))
		l.Block = [3]int{32}
		if err := k.Run(&m, l, given(t, &m, a), given(t, &m, b), out, inner); err != nil {
			return err
		}
		return compare(&m, out, want, 1e-6)
	},
	"mma_bf16": func(t testing.TB, k *Kernel, l Launch) error {
		var m Memory
		r := rand.New(rand.NewPCG(9, 1))
		a, b := make([]uint16, 16*16), make([]uint16, 8*16)
		for i := range a {
			a[i] = uint16(math.Float32bits(float32(r.NormFloat64())) >> 16)
		}
		for i := range b {
			b[i] = uint16(math.Float32bits(float32(r.NormFloat64())) >> 16)
		}
		value := func(h uint16) float64 { return float64(math.Float32frombits(uint32(h) << 16)) }
		want := make([]float64, 16*8)
		for i := range 16 {
			for j := range 8 {
				for q := range 16 {
					want[i*8+j] += value(a[i*16+q]) * value(b[j*16+q])
				}
			}
		}
		out := m.Alloc(4 * len(want))
		l.Block = [3]int{32}
		if err := k.Run(&m, l, given(t, &m, a), given(t, &m, b), out); err != nil {
			return err
		}
		return compare(&m, out, want, 1e-6)
	},
	"stream": func(t testing.TB, k *Kernel, l Launch) error {
		const tiles = 5
		var m Memory
		x := normals(rand.New(rand.NewPCG(10, 1)), tiles*128)
		want := make([]float64, len(x))
		for i := range x {
			if want[i] = float64(x[i]); i%128 < 127 {
				want[i] = float64(x[i] + x[i+1])
			}
		}
		out := m.Alloc(4 * len(x))
		l.Block = [3]int{32}
		if err := k.Run(&m, l, given(t, &m, x), out, tiles); err != nil {
			return err
		}
		return compare(&m, out, want, 1e-6)
	},
}

// pow2 is the power of two at or below a number's magnitude.
func pow2(v float32) float64 {
	_, e := math.Frexp(float64(v))
	return math.Ldexp(1, e-1)
}

// module is the PTX that a test kernel is in.
func module(name string) string {
	if strings.Contains(ampere, ".entry "+name+"(") {
		return ampere
	}
	return basic
}

func TestKernels(t *testing.T) {
	for _, ptx := range []string{basic, ampere} {
		m, err := Load(ptx)
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range m.Kernels() {
			t.Run(name, func(t *testing.T) {
				trial := trials[name]
				if trial == nil {
					t.Fatal("no trial")
				}
				k := m.Kernel(name)
				for _, l := range []Launch{{}, {Late: true}, {Skip: Race}, {Skip: Race | Uninitialized, Workers: 2}} {
					if err := trial(t, k, l); err != nil {
						t.Errorf("%+v: %v", l, err)
					}
				}
				for _, l := range k.Lines() {
					if l.Count == 0 {
						t.Errorf("no lane reaches line %d: %s", l.Number, l.Text)
					}
				}
			})
		}
	}
}

// Blocks run side by side only where nobody can tell.
func TestWorkers(t *testing.T) {
	for _, c := range []struct {
		kernel string
		skip   Check
		want   int
	}{{"saxpy", Race, 4}, {"saxpy", 0, 1}, {"saxpy", Uninitialized, 1}, {"total", Race, 1}, {"histogram", Race, 1}, {"stream", Race, 4}} {
		l := Launch{Workers: 4, Skip: c.skip}
		if err := loaded(t, module(c.kernel), c.kernel).complete(&l); err != nil || l.Workers != c.want {
			t.Errorf("%s, skipping %v: %d workers, want %d; %v", c.kernel, c.skip, l.Workers, c.want, err)
		}
	}
}
