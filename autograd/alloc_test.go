package autograd_test

import (
	"runtime"
	"runtime/debug"
	"slices"
	"testing"

	"phase/autograd"
	"phase/kernels"
	"phase/kernels/cpu"
	"phase/tensor"
)

// A network is small, but has what a ResNet has: convolutions with and without
// stride, batch norm in its three forms, a residual join, pools and a head.
type network struct {
	x             *tensor.Tensor
	label, weight *tensor.Tensor
	params        []*autograd.Var
}

func newNetwork() *network {
	g := autograd.NewGen(5)
	n := &network{label: g.Labels(16, 10)}
	f32 := func(t *tensor.Tensor, scale float64) *tensor.Tensor {
		u := inDType(t, tensor.F32)
		kernels.For(u).Affine(kernels.Affine{Mul: scale}, u, u)
		return u
	}
	x := f32(g.Normal(16, 3, 16, 16), 1)
	n.x = tensor.NewImages(tensor.CPU, tensor.F32, 16, 3, 16, 16)
	kernels.For(n.x).Copy(n.x, x)
	n.weight = f32(g.Positive(16), .1)
	for _, shape := range []tensor.Shape{{16, 3, 3, 3}, {16}, {16}, {16, 16, 3, 3}, {16}, {16}, {24, 16, 3, 3}, {24}, {24}, {10, 24}, {10}} {
		n.params = append(n.params, autograd.Param(f32(g.Normal(shape...), .3)))
	}
	return n
}

// step is forward and backward of one batch; the gradients stay in params.
func (n *network) step(tape *autograd.Tape) float64 {
	tape.Reset()
	for _, p := range n.params {
		p.ZeroGrad()
	}
	p, bn := n.params, autograd.BatchNormParam{BatchNorm: kernels.BatchNorm{Eps: 1e-5}}
	relu := bn
	relu.ReLU = true
	same, down := kernels.Conv2D{Pad: 1}, kernels.Conv2D{Pad: 1, Stride: 2}
	h := autograd.BatchNorm(autograd.Conv2D(tape.Watch(n.x), p[0], same), p[1], p[2], relu)
	h = autograd.BatchNormAddReLU(autograd.Conv2D(h, p[3], same), p[4], p[5], h, bn)
	h = autograd.MaxPool(autograd.BatchNorm(autograd.Conv2D(h, p[6], down), p[7], p[8], bn), kernels.Pool2D{Size: 2})
	logits := autograd.Linear(autograd.GlobalAvgPool(autograd.GELU(h)), p[9], p[10])
	daw := kernels.SoftmaxLoss{GammaPos: 1, GammaNeg: 4, Smooth: .1}
	loss := autograd.Sum(autograd.SoftmaxLoss(logits, n.label, n.weight, daw))
	tape.Backward(loss)
	return loss.Item()
}

// A steady step lends all its memory from the tape: the third one allocates less
// than 10 KB. With several threads the kernels' scratch memory grows to what was
// ever in use at once, which the scheduler decides, so that single steps may
// come later; half of them must be steady.
func TestSteadyStepAllocatesNothing(t *testing.T) {
	const most = 10_000
	defer debug.SetGCPercent(debug.SetGCPercent(-1)) // pools keep what they hold
	for procs, steps := range map[int]int{1: 1, runtime.GOMAXPROCS(0): 15} {
		defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(procs))
		b, err := cpu.New("")
		if err != nil {
			t.Fatal(err)
		}
		with(t, b)
		n, tape := newNetwork(), new(autograd.Tape)
		first := n.step(tape)
		n.step(tape)
		var bytes []uint64
		for range steps {
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			again := n.step(tape)
			runtime.ReadMemStats(&after)
			bytes = append(bytes, after.TotalAlloc-before.TotalAlloc)
			if again != first {
				t.Errorf("GOMAXPROCS=%d: loss %v, in the first step %v", procs, again, first)
			}
		}
		slices.Sort(bytes)
		if got := bytes[len(bytes)/2]; got >= most {
			t.Errorf("GOMAXPROCS=%d: a step allocates %d bytes from the third on, want less than %d", procs, got, most)
		}
	}
}

// Evaluation on a tape that records nothing reuses memory as well.
func TestSteadyEvaluationAllocatesNothing(t *testing.T) {
	b, err := cpu.New("")
	if err != nil {
		t.Fatal(err)
	}
	with(t, b)
	n, tape := newNetwork(), &autograd.Tape{Eval: true}
	forward := func() {
		tape.Reset()
		h := autograd.Conv2D(tape.Watch(n.x), n.params[0], kernels.Conv2D{Pad: 1})
		autograd.GlobalAvgPool(autograd.ReLU(h))
	}
	forward()
	if pieces := testing.AllocsPerRun(20, forward); pieces > 20 {
		t.Errorf("an evaluation makes %v allocations, want at most 20", pieces)
	}
}
