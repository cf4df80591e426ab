package phase

import (
	"errors"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"testing"

	"gonum.org/v1/gonum/floats"
	"gonum.org/v1/gonum/mat"

	_ "phase/kernels/cpu" // has the sums over rows of float32; those of float64 are this package's
	"phase/tensor"
	"phase/tensor/npy"
)

// cloud is a labelled set of features of some classes.
type cloud struct {
	x       []float64
	labels  []int
	classes int
	d       int
}

func (c cloud) features() Features { return Rows(tensor.Of(c.x, len(c.labels), c.d)) }

func (c cloud) row(i int) []float64 { return c.x[i*c.d : i*c.d+c.d] }

// newCloud is a cloud of normal features around a mean of its own for each
// class, in mixed order.
func newCloud(seed uint64, d int, counts ...int) cloud {
	r := rand.New(rand.NewPCG(seed, 1))
	c := cloud{classes: len(counts), d: d}
	for j, n := range counts {
		for range n {
			c.labels = append(c.labels, j)
		}
	}
	r.Shuffle(len(c.labels), func(i, j int) { c.labels[i], c.labels[j] = c.labels[j], c.labels[i] })
	mean := make([]float64, c.classes*d)
	for i := range mean {
		mean[i] = 3 * r.NormFloat64()
	}
	for _, j := range c.labels {
		for k := range d {
			c.x = append(c.x, mean[j*d+k]+r.NormFloat64())
		}
	}
	return c
}

// class is the rows of class j.
func (c cloud) class(j int) (rows []int) {
	for i, l := range c.labels {
		if l == j {
			rows = append(rows, i)
		}
	}
	return rows
}

// matrix is the whole correlation matrix R of some rows around the mean of
// their class, made with gonum: Eqs 10 and 11 as they stand. length is |D_i|.
func (c cloud) matrix(j int, rows []int) (r *mat.Dense, length []float64) {
	mu := mat.NewVecDense(c.d, nil)
	all := c.class(j)
	for _, i := range all {
		mu.AddScaledVec(mu, 1/float64(len(all)), mat.NewVecDense(c.d, c.row(i)))
	}
	dev := mat.NewDense(len(rows), c.d, nil)
	for at, i := range rows {
		var v mat.VecDense
		v.SubVec(mat.NewVecDense(c.d, c.row(i)), mu)
		length = append(length, mat.Norm(&v, 2))
		v.ScaleVec(1/length[at], &v)
		dev.SetRow(at, v.RawVector().Data)
	}
	r = new(mat.Dense)
	r.Mul(dev, dev.T())
	return r, length
}

func weigh(t testing.TB, m MSR, c cloud) Result {
	t.Helper()
	r, err := m.Weights(c.features(), c.labels, c.classes)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// hashed is features that exist only when asked for.
type hashed struct{ n, d, fail int }

func (h hashed) Len() int            { return h.n }
func (h hashed) Dim() int            { return h.d }
func (h hashed) DType() tensor.DType { return tensor.F64 }
func (h hashed) Read(lo int, dst *tensor.Tensor) error {
	for at := range dst.Dim(0) {
		if lo+at == h.fail {
			return os.ErrDeadlineExceeded
		}
		h.row(lo+at, tensor.Data[float64](dst)[at*h.d:][:h.d])
	}
	return nil
}

func (h hashed) row(i int, dst []float64) {
	r := rand.New(rand.NewPCG(uint64(i), 0))
	for k := range dst {
		dst[k] = r.NormFloat64() + float64(i%3*k%2)
	}
}

// means is m_i of each sample by the definition, u_i·Σ_k u_k/N_j.
func (h hashed) means(labels []int, classes int) []float64 {
	mean, sum, count := mat.NewDense(classes, h.d, nil), mat.NewDense(classes, h.d, nil), make([]float64, classes)
	unit := mat.NewDense(h.n, h.d, nil)
	for i, j := range labels {
		h.row(i, unit.RawRowView(i))
		floats.Add(mean.RawRowView(j), unit.RawRowView(i))
		count[j]++
	}
	m := make([]float64, h.n)
	for i, j := range labels {
		u := unit.RawRowView(i)
		floats.AddScaled(u, -1/count[j], mean.RawRowView(j))
		floats.Scale(1/floats.Norm(u, 2), u)
		floats.Add(sum.RawRowView(j), u)
	}
	for i, j := range labels {
		m[i] = floats.Dot(unit.RawRowView(i), sum.RawRowView(j)) / count[j]
	}
	return m
}

// Streamed features give what a tensor of them gives, whatever GOMAXPROCS is,
// bit for bit, in memory that does not hold them. There are several windows.
func TestMSRStreamsAndIsDeterministic(t *testing.T) {
	streamed(t, 1<<20)
	const d = 600 // more than a stripe
	h := hashed{n: 2<<20/d + 900, d: d, fail: -1}
	x := make([]float64, h.n*h.d)
	labels := make([]int, h.n)
	for i := range labels {
		h.row(i, x[i*h.d:i*h.d+h.d])
		if i%10 == 0 {
			labels[i] = 1 + i/10%2
		}
	}
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	m := DefaultMSR()
	whole, err := m.Weights(Rows(tensor.Of(x, h.n, h.d)), labels, 3)
	if err != nil {
		t.Fatal(err)
	}
	near(t, "m of several windows", whole.Means, h.means(labels, 3), 1e-11)
	for _, procs := range []int{1, 2, 5} {
		runtime.GOMAXPROCS(procs)
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		r, err := m.Weights(h, labels, 3)
		runtime.ReadMemStats(&after)
		if err != nil {
			t.Fatal(err)
		}
		near(t, "streamed", r.Sample, whole.Sample, 0)
		near(t, "streamed", r.Areas, whole.Areas, 0)
		if used, all := after.TotalAlloc-before.TotalAlloc, uint64(8*h.n*h.d); used > all*2/3 {
			t.Errorf("allocated %d bytes, the features are %d", used, all)
		}
	}
	small := newCloud(10, 4, 300, 40, 3)
	for _, l := range []Local{Abs, RMS} {
		runtime.GOMAXPROCS(1)
		want := weigh(t, MSR{Local: l}, small).Sample
		runtime.GOMAXPROCS(3)
		near(t, string(l), weigh(t, MSR{Local: l}, small).Sample, want, 0)
	}
	h.fail = 77
	_, err = m.Weights(h, labels, 3)
	wantError(t, err, "rows 0 to ", "timeout")
}

// Float32 features, whose sums the host makes in vectors, give the same bits
// whatever GOMAXPROCS is, few or many of them, and the weights of the same
// numbers in float64.
func TestMSRVectorsAreDeterministic(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	for _, size := range []struct{ n, d, classes int }{{500, 7, 3}, {3000, 64, 20}, {5000, 600, 11}} {
		r := rand.New(rand.NewPCG(uint64(size.n), 5))
		x, y := make([]float32, size.n*size.d), make([]float64, size.n*size.d)
		for i := range x {
			x[i] = float32(r.NormFloat64())
			y[i] = float64(x[i])
		}
		labels := make([]int, size.n)
		for i := range labels {
			labels[i] = min(i%size.classes, i%(2*size.classes))
		}
		m := DefaultMSR()
		weigh := func(f Features) Result {
			w, err := m.Weights(f, labels, size.classes)
			if err != nil {
				t.Fatal(err)
			}
			return w
		}
		want := weigh(Rows(tensor.Of(x, size.n, size.d)))
		near(t, "float64", weigh(Rows(tensor.Of(y, size.n, size.d))).Sample, want.Sample, 1e-9)
		for _, procs := range []int{2, 5} {
			runtime.GOMAXPROCS(procs)
			got := weigh(Rows(tensor.Of(x, size.n, size.d)))
			near(t, "sample", got.Sample, want.Sample, 0)
			near(t, "means", got.Means, want.Means, 0)
			near(t, "areas", got.Areas, want.Areas, 0)
		}
		runtime.GOMAXPROCS(1)
	}
}

// streamed lets features be read by each pass, however small they are, in windows
// of some numbers.
func streamed(t *testing.T, window int) {
	k, l := keep, look
	t.Cleanup(func() { keep, look = k, l })
	keep, look = 0, window
}

// Features of float32 and of a view of a larger tensor.
func TestRows(t *testing.T) {
	x := tensor.Of([]float32{1, 2, 3, 4, 5, 6}, 2, 3)
	row := tensor.New(tensor.CPU, tensor.F32, 1, 2)
	f := Rows(x.Permute(1, 0).Slice(0, 1, 3, 1))
	if err := f.Read(1, row); err != nil || f.Len() != 2 || f.Dim() != 2 {
		t.Fatal(f.Len(), f.Dim(), err)
	}
	near(t, "row", tensor.Values(row), []float64{3, 6}, 0)
	for _, bad := range []*tensor.Tensor{tensor.New(tensor.CPU, tensor.I64, 2, 2), tensor.New(tensor.CPU, tensor.F32, 4)} {
		wantError(t, tensor.Catch(func() { Rows(bad) }), "want (n,d) of f32 or f64")
	}
}

// failing is features whose row 5 can be read only so many times.
type failing struct {
	Features
	left *int
}

func (f failing) Read(lo int, dst *tensor.Tensor) error {
	if lo <= 5 && 5 < lo+dst.Dim(0) {
		if *f.left == 0 {
			return os.ErrDeadlineExceeded
		}
		*f.left--
	}
	return f.Features.Read(lo, dst)
}

// Rows that cannot be read are named in whichever pass that is.
func TestUnreadableRowInAnyPass(t *testing.T) {
	streamed(t, 1)
	c := newCloud(11, 3, 9, 4)
	for l, passes := range map[Local]int{AreaShift: 4, Area: 2, Shift: 3, Abs: 2, RMS: 2} {
		for reads := range passes + 1 {
			left := reads
			_, err := MSR{Local: l}.Weights(failing{c.features(), &left}, c.labels, c.classes)
			if reads == passes {
				if err != nil || left != 0 {
					t.Errorf("%s: %v after %d passes, %d to go", l, err, reads, left)
				}
				continue
			}
			wantError(t, err, "msr: row")
			if !errors.Is(err, os.ErrDeadlineExceeded) {
				t.Errorf("%s: %v hides its cause", l, err)
			}
		}
	}
	left := 1
	_, _, err := AREA{}.Weights(failing{c.features(), &left}, c.labels, c.classes)
	wantError(t, err, "area: row 5: ")
}

// Features in a file give what a tensor of them gives, to the bit.
func TestMSRFromFile(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	for _, dtype := range []tensor.DType{tensor.F32, tensor.F64} {
		x := tensor.New(tensor.CPU, dtype, 900, 37)
		labels := make([]int, x.Dim(0))
		for i := range labels {
			labels[i] = min(i%7, 3)
		}
		for i := range x.Size() {
			if dtype == tensor.F32 {
				tensor.Data[float32](x)[i] = float32(r.NormFloat64())
			} else {
				tensor.Data[float64](x)[i] = r.NormFloat64()
			}
		}
		path := filepath.Join(t.TempDir(), "x.npy")
		if err := npy.WriteFile(path, x); err != nil {
			t.Fatal(err)
		}
		f, err := npy.Open(path)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		for _, l := range Locals() {
			m := MSR{Gamma: 1, Alpha: .5, Local: l, Force: l == Literal}
			want, err := m.Weights(Rows(x), labels, 4)
			if err != nil {
				t.Fatal(err)
			}
			got, err := m.Weights(f, labels, 4)
			if err != nil {
				t.Fatal(err)
			}
			near(t, string(l), got.Sample, want.Sample, 0)
		}
		sum := 0.
		for _, v := range tensor.Values(x) {
			sum += v
		}
		got, err := Total(f)
		if err != nil {
			t.Fatal(err)
		}
		near(t, "sum", []float64{got}, []float64{sum}, 1e-10)
	}
}

// BenchmarkMSR times the weights of features in a file beside one sum of them
// with the same reader. PHASE_BENCH_FEATURES names an NPY file, whose rows are
// given 1000 classes in turn; without it there are 50,000 rows of 64.
func BenchmarkMSR(b *testing.B) {
	path, classes := os.Getenv("PHASE_BENCH_FEATURES"), 1000
	if path == "" {
		path, classes = filepath.Join(b.TempDir(), "x.npy"), 100
		r, x := rand.New(rand.NewPCG(1, 2)), make([]float32, 50000*64)
		for i := range x {
			x[i] = float32(r.NormFloat64())
		}
		if err := npy.WriteFile(path, tensor.Of(x, 50000, 64)); err != nil {
			b.Fatal(err)
		}
	}
	f, err := npy.Open(path)
	if err != nil {
		b.Fatal(err)
	}
	defer f.Close()
	labels := make([]int, f.Len())
	for i := range labels {
		labels[i] = i % classes
	}
	features := map[string]Features{"file": f}
	if f.Shape().Size() < 1<<27 {
		x, err := npy.ReadFile(path)
		if err != nil {
			b.Fatal(err)
		}
		features["memory"] = Rows(x)
	}
	for name, f := range features {
		b.Run(name+"/sum", func(b *testing.B) {
			for b.Loop() {
				if _, err := Total(f); err != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run(name+"/msr", func(b *testing.B) {
			for b.Loop() {
				if _, err := DefaultMSR().Weights(f, labels, classes); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkPairs times m_i of one class of 5,000 in linear time beside all pairs
// of it, as Algorithm 2 of the paper has them.
func BenchmarkPairs(b *testing.B) {
	c := newCloud(1, 64, 5000)
	for name, run := range map[string]func(p *population){
		"linear": func(p *population) { _, _ = p.correlations() },
		"pairs": func(p *population) {
			_ = p.eachClass(func(_ []int, u [][]float64) {
				pairs(u, func(r float64) float64 { return r }, func(int, float64) {})
			})
		},
	} {
		b.Run(name, func(b *testing.B) {
			p, err := newPopulation("msr", c.features(), c.labels, 1)
			if err != nil {
				b.Fatal(err)
			}
			for b.Loop() {
				run(p)
			}
		})
	}
}
