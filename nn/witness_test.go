package nn_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"runtime"
	"slices"
	"strings"
	"testing"

	"phase/autograd"
	"phase/kernels"
	"phase/kernels/cpu"
	"phase/kernels/ref"
	"phase/nn"
	"phase/optim"
	"phase/tensor"
)

// witness is what testdata/witness.py says.
var witness struct {
	Sizes   map[string]int
	MulAdds map[string]int `json:"mul_adds"`
	Outputs map[string]struct {
		Eval, Train []float64
		State       map[string]float64
	}
	Steps map[string]struct {
		Losses []float64
		State  map[string]float64
	}
}

func TestMain(m *testing.M) {
	b, err := os.ReadFile("testdata/witness.json")
	if err == nil {
		err = json.Unmarshal(b, &witness)
	}
	if err != nil {
		panic(err)
	}
	os.Exit(m.Run())
}

// numbers is n numbers in [0,1), SplitMix64 of key·2³²+i, as in witness.py.
func numbers(key, n int) []float64 {
	v := make([]float64, n)
	for i := range v {
		z := uint64(key)<<32 + uint64(i) + 0x9e3779b97f4a7c15
		z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
		z = (z ^ z>>27) * 0x94d049bb133111eb
		z ^= z >> 31
		v[i] = float64(z>>11) * 0x1p-53
	}
	return v
}

// noise is centred numbers of deviation 1.
func noise(key int, shape ...int) *tensor.Tensor {
	v := numbers(key, tensor.Shape(shape).Size())
	for i := range v {
		v[i] = (v[i] - .5) * math.Sqrt(12)
	}
	return tensor.Of(v, shape...)
}

// floats is the names of the floats in m's state, in order.
func floats(m nn.Module) (names []string) {
	for name, t := range nn.State(m) {
		if t.DType() != tensor.I64 {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// filled is m with witness.py's numbers for its state, in dtype d.
func filled(t *testing.T, m nn.Module, d tensor.DType) nn.Module {
	state := nn.State(m)
	for j, name := range floats(m) {
		s := state[name].Shape()
		v := noise(j, s...)
		scale, shift := .2, 0.
		switch {
		case len(s) > 1:
			scale = math.Sqrt(2 / float64(s[1:].Size()))
		case strings.HasSuffix(name, "running_var"), strings.HasSuffix(name, "downsample.1.weight"):
			shift = 1
		case strings.HasSuffix(name, "bn1.weight"), strings.HasSuffix(name, "bn2.weight"), strings.HasSuffix(name, "bn3.weight"):
			shift = 1
		}
		x := tensor.Data[float64](v)
		for i := range x {
			x[i] = shift + scale*x[i]
		}
		state[name] = v
	}
	nn.Cast(m, d)
	if err := nn.Load(m, state); err != nil {
		t.Fatal(err)
	}
	return m
}

// sameState compares m with the projections that the witness took of its
// state.
func sameState(t *testing.T, m nn.Module, want map[string]float64, tol float64) {
	t.Helper()
	state, names := nn.State(m), floats(m)
	if len(names) != len(want) {
		t.Errorf("state has %d float tensors, PyTorch's %d", len(names), len(want))
	}
	for j, name := range names {
		got, along := 0., tensor.Values(noise(1000+j, state[name].Shape()...))
		for i, v := range tensor.Values(state[name]) {
			got += v * along[i]
		}
		if w, ok := want[name]; !ok || !near(got, w, tol) {
			t.Errorf("%s: projection %.12g, PyTorch %.12g", name, got, w)
		}
	}
}

// near is false for NaN.
func near(got, want, tol float64) bool { return math.Abs(got-want) <= tol*(1+math.Abs(want)) }

func sameValues(t *testing.T, what string, got *tensor.Tensor, want []float64, tol float64) {
	t.Helper()
	v := tensor.Values(got)
	if len(v) != len(want) {
		t.Fatalf("%s: %d values, want %d", what, len(v), len(want))
	}
	for i := range v {
		if !near(v[i], want[i], tol) {
			t.Errorf("%s[%d] = %.12g, PyTorch %.12g", what, i, v[i], want[i])
		}
	}
}

func made(t *testing.T, name string, c nn.Config) nn.Model {
	t.Helper()
	m, err := nn.New(name, c)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func TestOutputsOfPyTorch(t *testing.T) {
	for _, c := range []struct {
		key, name string
		cfg       nn.Config
		in        []int
	}{
		{"resnet20", "resnet20", nn.Config{Width: 5, Channels: 1, Classes: 7, Size: 9}, []int{3, 1, 9, 9}},
		{"resnet50", "resnet50", nn.Config{Width: 4, Classes: 6, Size: 128}, []int{2, 3, 128, 128}},
		{"resnet50 small", "resnet50", nn.Config{Width: 4, Classes: 6, Size: 32}, []int{2, 3, 32, 32}},
	} {
		t.Run(c.key, func(t *testing.T) {
			m, x, want := filled(t, made(t, c.name, c.cfg), tensor.F64), autograd.Const(noise(500, c.in...)), witness.Outputs[c.key]
			sameValues(t, "eval", m.Forward(&nn.Pass{}, x).Value, want.Eval, 1e-10)
			sameValues(t, "train", m.Forward(&nn.Pass{Train: true}, x).Value, want.Train, 1e-8)
			sameState(t, m, want.State, 1e-10)
		})
	}
}

// TestTenSteps trains ResNet-8 beside PyTorch: same weights, same batches, same
// losses, same final state.
func TestTenSteps(t *testing.T) {
	fast, err := cpu.New("")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { kernels.Register(fast) })
	for _, c := range []struct {
		b     kernels.Backend
		d     tensor.DType
		kinds []string
	}{
		{fast, tensor.F32, []string{"sgd", "nesterov", "adamw", "sam", "blocks"}},
		{fast, tensor.F64, []string{"sgd", "sam", "blocks"}},
		{ref.Backend{}, tensor.F64, []string{"sgd", "blocks"}},
	} {
		for _, kind := range c.kinds {
			t.Run(fmt.Sprint(c.b, " ", c.d, " ", kind), func(t *testing.T) {
				kernels.Register(c.b)
				tenSteps(t, kind, c.d, tensor.CPU)
			})
		}
	}
}

func tenSteps(t *testing.T, kind string, d tensor.DType, dev tensor.Device) {
	want := witness.Steps[kind]
	if len(want.Losses) != 10 {
		t.Fatalf("the witness has %d losses", len(want.Losses))
	}
	model := "resnet8"
	if kind == "blocks" { // that follow one another
		model = "resnet20"
	}
	m := filled(t, made(t, model, nn.Config{Width: 4, Classes: 5, Size: 16}), d)
	nn.To(m, dev)
	ps, lr := optim.All(nn.Params(m)), optim.Warmup(4, optim.Constant(.1))
	var opt optim.Optimizer = &optim.SGD{Params: ps, Momentum: .9, Decay: 5e-4, Nesterov: kind == "nesterov"}
	switch kind {
	case "adamw":
		opt, lr = &optim.AdamW{Params: ps, Decay: .05}, optim.Warmup(4, optim.Constant(.003))
	case "sam":
		opt = &optim.SAM{Base: opt, Rho: .05}
	}
	tol := 1e-12
	if d == tensor.F32 {
		tol = 1e-5
	}
	short := kind == "blocks" && d == tensor.F32
	if short { // in so deep a network ten steps at rate 0.1 blow up what rounding does
		want.Losses = want.Losses[:5]
	}
	tape := autograd.Tape{Poison: true}
	for step, w := range want.Losses {
		x := noise(600+step, 8, 3, 16, 16)
		if d == tensor.F32 {
			x = single(x)
		}
		labels := make([]int64, 8)
		for i, u := range numbers(700+step, 8) {
			labels[i] = int64(u * 5)
		}
		loss := opt.Step(lr(step), func(pass int) *autograd.Var {
			tape.Reset()
			logits := m.Forward(&nn.Pass{Train: true, Frozen: pass > 0}, tape.Watch(x))
			l := autograd.CrossEntropy(logits, tensor.Of(labels, 8))
			tape.Backward(l)
			return l
		})
		if math.Abs(loss-w) > tol || math.IsNaN(loss) {
			t.Fatalf("step %d: loss %.12g, PyTorch %.12g", step, loss, w)
		}
	}
	if short {
		return
	}
	sameState(t, m, want.State, 10*tol)
	if n := nn.State(m)["bn1.num_batches_tracked"]; tensor.Values(n)[0] != 10 {
		t.Errorf("num_batches_tracked is %v after ten steps", tensor.Values(n))
	}
}

func single(t *tensor.Tensor) *tensor.Tensor {
	v := make([]float32, t.Size())
	for i, x := range tensor.Values(t) {
		v[i] = float32(x)
	}
	return tensor.Of(v, t.Shape()...)
}

func TestSizesOfPyTorch(t *testing.T) {
	for key, want := range witness.Sizes {
		var name string
		var c nn.Config
		fmt.Sscan(key, &name, &c.Width, &c.Classes)
		if got := nn.Size(made(t, name, c)); got != want {
			t.Errorf("%s: %d parameters, PyTorch has %d", key, got, want)
		}
	}
	// The numbers of the literature, whatever the witness says.
	for key, want := range map[string]int{"resnet32 16 10": 464154, "resnet32 16 100": 470004, "resnet32 64 10": 7386186, "resnet32 64 100": 7409316, "resnet50 64 1000": 25557032} {
		if witness.Sizes[key] != want {
			t.Errorf("%s: the witness has %d parameters, want %d", key, witness.Sizes[key], want)
		}
	}
}

// TestNamesOfPyTorch holds the names and shapes in files: a renamed field
// would orphan every checkpoint.
func TestNamesOfPyTorch(t *testing.T) {
	for name, classes := range map[string]int{"resnet32": 100, "resnet50": 1000} {
		m := made(t, name, nn.Config{Classes: classes})
		var lines []string
		for path, v := range nn.State(m) {
			lines = append(lines, strings.TrimSpace(path+" "+strings.Trim(fmt.Sprint([]int(v.Shape())), "[]")))
		}
		b, err := os.ReadFile("testdata/names_" + name + ".txt")
		if err != nil {
			t.Fatal(err)
		}
		want := strings.Split(string(bytes.TrimSpace(b)), "\n")
		slices.Sort(lines)
		slices.Sort(want)
		if !slices.Equal(lines, want) {
			for _, l := range lines {
				if !slices.Contains(want, l) {
					t.Errorf("%s: %s is not in PyTorch's state", name, l)
				}
			}
			for _, l := range want {
				if !slices.Contains(lines, l) {
					t.Errorf("%s: lacks %s", name, l)
				}
			}
		}
	}
}

// TestSteadyStep: a step of training leaves next to no garbage behind.
func TestSteadyStep(t *testing.T) {
	for _, d := range []tensor.DType{tensor.F32, tensor.BF16} {
		t.Run(d.String(), func(t *testing.T) { steadyStep(t, d) })
	}
}

func steadyStep(t *testing.T, d tensor.DType) {
	m := made(t, "resnet32", nn.Config{Width: 4, Classes: 5, Size: 8})
	opt := &optim.SGD{Params: optim.All(nn.Params(m)), Momentum: .9}
	x, labels := single(noise(1, 8, 3, 8, 8)), tensor.Of(make([]int64, 8), 8)
	var tape autograd.Tape
	step := func() {
		opt.Step(.1, func(int) *autograd.Var {
			tape.Reset()
			l := autograd.CrossEntropy(m.Forward(&nn.Pass{Train: true, Precision: d}, tape.Watch(x)), labels)
			tape.Backward(l)
			return l
		})
	}
	step()
	step()
	const runs = 5
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	for range runs {
		step()
	}
	runtime.ReadMemStats(&after)
	n := (after.TotalAlloc - before.TotalAlloc) / runs
	t.Logf("a step of ResNet-32 allocates %d bytes", n)
	if n > 64<<10 {
		t.Errorf("want 64 KB at most")
	}
}
