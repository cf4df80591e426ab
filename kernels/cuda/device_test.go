//go:build cuda && linux && amd64

package cuda

import (
	"flag"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"strings"
	"testing"
	"unsafe"

	"phase/autograd"
	"phase/kernels"
	_ "phase/kernels/cpu"
	"phase/kernels/kerneltest"
	"phase/optim"
	"phase/tensor"
)

var (
	demand = flag.Bool("device", false, "fail, in place of saying so, where there is no GPU")
	full   = flag.Bool("full", slabBytes > 1, "conformance with large operands too: minutes on the simulator")
)

// There is a GPU, or the tests say in one line that there is none. They then pass
// only if nobody asked for it: with the tag cudasim there always is one.
func TestMain(m *testing.M) {
	flag.Parse()
	if err := ready(); err != nil {
		fmt.Printf("no GPU, nothing is tested: %v\n", err)
		if *demand {
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

func ready() error {
	_, err := Open(0, false)
	return err
}

func open(t *testing.T, cores bool) kernels.Backend {
	t.Helper()
	b, err := Open(0, cores)
	if err != nil {
		t.Fatal(err)
	}
	t.Log(b)
	return b
}

func upload(t *tensor.Tensor, v []float32) {
	t.Storage().Upload(unsafe.Slice((*byte)(unsafe.Pointer(&v[0])), 4*len(v)))
}

// limit is how many elements the operands of a call may have.
func limit() int {
	if *full {
		return math.MaxInt
	}
	return 1000
}

// The tolerances are those of package launch, whose tests run the same PTX without
// a driver.
func TestConformance(t *testing.T) {
	b := open(t, false)
	var exact []string
	for _, m := range kerneltest.Methods() {
		if m != "BatchNorm" && m != "SoftmaxLoss" {
			exact = append(exact, m)
		}
	}
	kerneltest.RunSmall(t, b, kerneltest.Tolerance{}, limit(), exact...)
	kerneltest.RunSmall(t, b, kerneltest.Tolerance{F32: 4, F64: 4e4}, limit(), "BatchNorm", "SoftmaxLoss")
}

func TestTensorCores(t *testing.T) {
	if open(t, false).(backend).on.major < coresMajor {
		t.Skip("this GPU has no tensor cores for TF32: package launch tests their kernels on the simulator")
	}
	kerneltest.RunSmall(t, open(t, true), kerneltest.Tolerance{F32: 8192, F64: 4}, limit(),
		"Gemm", "Conv2D", "Conv2DGradX", "Conv2DGradW", "Branch", "BranchEval", "BranchGrad")
}

// What is uploaded comes back, in any size around that of a slot.
func TestCopies(t *testing.T) {
	dev := open(t, false).Device()
	r := rand.New(rand.NewPCG(1, 2))
	for _, n := range []int{0, 1, 3, 1000, slotBytes/8 - 1, slotBytes / 8, slotBytes/8 + 1, 5*slotBytes/8 + 3} {
		v := make([]int64, n)
		for i := range v {
			v[i] = r.Int64()
		}
		x := tensor.Of(v, n).To(dev)
		for i, got := range tensor.Data[int64](x.To(tensor.CPU)) {
			if got != v[i] {
				t.Fatalf("element %d of %d comes back as %d, was %d", i, n, got, v[i])
			}
		}
	}
}

// Work on memory that comes back and is lent again stays in order: a sum of sums,
// each of a tensor that lives for one call.
func TestGarbage(t *testing.T) {
	b := open(t, false)
	sum, want := tensor.New(b.Device(), tensor.F32, 100), make([]float32, 100)
	for i := range 60 {
		v := make([]float32, 100)
		for j := range v {
			v[j] = float32(i * j)
			want[j] += v[j]
		}
		x := tensor.Of(v, 100).To(b.Device())
		b.AXPY(1, kernels.Acc{T: sum}, x)
		if i%7 == 0 {
			collect()
		}
	}
	for j, got := range tensor.Data[float32](sum.To(tensor.CPU)) {
		if got != want[j] {
			t.Fatalf("element %d is %g, want %g", j, got, want[j])
		}
	}
}

// Steps that repeat are graphs from the third on, and compute the same.
func TestReplay(t *testing.T) {
	b := open(t, false)
	d := b.Device().(*device)
	x, y := tensor.New(d, tensor.F32, 50), tensor.New(d, tensor.F32, 50)
	for i := range 6 {
		v := make([]float32, 50)
		for j := range v {
			v[j] = float32(i + j)
		}
		upload(x, v)
		y.Zero()
		for range 5 {
			b.AXPY(2, kernels.Acc{T: y}, x)
		}
		for j, got := range tensor.Data[float32](y.To(tensor.CPU)) {
			if want := 10 * float32(i+j); got != want {
				t.Fatalf("step %d: element %d is %g, want %g", i, j, got, want)
			}
		}
	}
	if !d.careful && d.graphs.Load() == 0 {
		t.Error("no graph was started")
	}
}

// Many parameters at once are what each is alone, whatever tables were used before:
// those of other parameters of the same sizes, or of these in another role.
func TestTogether(t *testing.T) {
	b := open(t, false).(backend)
	set := func(first float32) (ts []*tensor.Tensor) {
		for _, n := range []int{3, 300, 0, 1} {
			v := make([]float32, n)
			for i := range v {
				v[i] = first + float32(i)
			}
			ts = append(ts, tensor.Of(v, n).To(b.Device()))
		}
		return ts
	}
	want := func(what string, ts []*tensor.Tensor, first, slope float32) {
		t.Helper()
		for k, x := range ts {
			for i, got := range tensor.Data[float32](x.To(tensor.CPU)) {
				if got != first+slope*float32(i) {
					t.Fatalf("%s: element %d of tensor %d is %g, want %g", what, i, k, got, first+slope*float32(i))
				}
			}
		}
	}
	for i := range 10 { // more tables than are kept
		round := float32(i)
		w, g, home := set(round), set(100*round), set(-1)
		b.CopyMany(home, w)
		want("copied", home, round, 1)
		b.SGDMany(kernels.SGD{LR: -2}, w, nil, g)
		want("moved", w, 201*round, 3)
		want("copied before", home, round, 1)
		b.CopyMany(w, home)
		want("copied back", w, round, 1)
		squares := tensor.New(b.Device(), tensor.F64)
		b.SumSquaresMany(squares, w)
		sum := 0.
		for _, x := range home {
			for _, v := range tensor.Values(x) {
				sum += v * v
			}
		}
		if got := tensor.Values(squares)[0]; math.Abs(got-sum) > 1e-12*sum {
			t.Fatalf("the sum of squares is %g, want %g", got, sum)
		}
		four := tensor.Of([]float64{4}, 1).To(b.Device())
		b.RescaleMany(kernels.Rescale{Length: 3, Eps: 1}, true, g, w, four)
		want("rescaled", g, round, 1)
		b.RescaleMany(kernels.Rescale{Length: 30, Eps: 3}, false, g, w, four)
		want("and added", g, 7*round, 7)
		b.RescaleMany(kernels.Rescale{Length: 30, Shrink: true}, false, g, w, four)
		want("by no more than 1", g, 8*round, 8)
	}
}

// A step waits for the GPU once, when its loss is read at the end, SAM's two passes
// and clipping included.
func TestOneWaitAStep(t *testing.T) {
	dev := open(t, false).Device()
	w, x := autograd.Param(tensor.Of([]float32{1, 2, 3}, 3).To(dev)), tensor.Of([]float32{3, 2, 1}, 3).To(dev)
	var tape autograd.Tape
	ps := optim.Params{{Name: "w", Var: w}}
	opt := &optim.SAM{Rho: .1, Base: &optim.SGD{Params: ps, Momentum: .9}}
	reads := &dev.(*device).reads
	for step := range 4 {
		before := reads.Load()
		opt.Step(.1, func(int) *autograd.Var {
			tape.Reset()
			l := autograd.Sum(autograd.Square(autograd.Mul(w, tape.Watch(x))))
			tape.Backward(l)
			ps.ClipNorm(1)
			return l
		})
		if n := reads.Load() - before; n != 1 {
			t.Errorf("step %d waited %d times", step, n)
		}
	}
}

// Memory that is not there is an error with figures, after which the GPU is well.
func TestOutOfMemory(t *testing.T) {
	b := open(t, false)
	err := tensor.Catch(func() { tensor.New(b.Device(), tensor.F64, 1<<45) })
	if err == nil || !strings.Contains(err.Error(), "out of memory: 268435456.0 MiB asked for") {
		t.Errorf("256 TiB give %v", err)
	}
	if got := tensor.Values(tensor.Of([]float32{7}, 1).To(b.Device()))[0]; got != 7 {
		t.Errorf("7 comes back as %g", got)
	}
}

func TestOpenOther(t *testing.T) {
	for _, n := range []int{-1, 99} {
		if _, err := Open(n, false); err == nil || !strings.Contains(err.Error(), "the driver shows") {
			t.Errorf("GPU %d gives %v", n, err)
		}
	}
}
