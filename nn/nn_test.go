package nn_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"phase/autograd"
	"phase/kernels"
	"phase/nn"
	"phase/tensor"
)

func random(seed uint64) *rand.Rand { return rand.New(rand.NewPCG(seed, 0)) }

// net holds what a walk may meet.
type net struct {
	Conv1       *nn.Conv2D
	BN1         *nn.BatchNorm
	Blocks      []nn.Module
	Tied, Again *autograd.Var
	None        *autograd.Var
	OutScale    *autograd.Var `name:"s"`
	nn.Linear
	hidden *autograd.Var
}

func newNet() *net {
	r := random(1)
	v := autograd.Param(noise(1, 2))
	return &net{
		Conv1: nn.NewConv2D(r, nn.Conv2DConfig{In: 1, Out: 2, Kernel: 1, Bias: true}), BN1: nn.NewBatchNorm(2),
		Blocks: []nn.Module{nn.Seq{nn.Func(autograd.ReLU), nn.NewLinear(r, 2, 3)}},
		Tied:   v, Again: v, OutScale: autograd.Param(noise(2, 1)), Linear: *nn.NewLinear(r, 2, 2), hidden: v,
	}
}

func TestNames(t *testing.T) {
	m := newNet()
	var params, buffers []string
	for name := range nn.Params(m) {
		params = append(params, name)
	}
	for name := range nn.Buffers(m) {
		buffers = append(buffers, name)
	}
	if want := strings.Fields("conv1.weight conv1.bias bn1.weight bn1.bias blocks.0.1.weight blocks.0.1.bias tied s weight bias"); !slices.Equal(params, want) {
		t.Errorf("parameters\n%v, want\n%v", params, want)
	}
	if want := strings.Fields("bn1.running_mean bn1.running_var bn1.num_batches_tracked"); !slices.Equal(buffers, want) {
		t.Errorf("buffers %v, want %v", buffers, want)
	}
	for name := range nn.Params(m) { // a walk that ends early
		if name == "bn1.weight" {
			break
		}
	}
	if n := nn.Size(m); n != 2+2+2+2+6+3+2+1+4+2 {
		t.Errorf("size %d", n)
	}
	err := tensor.Catch(func() { nn.State(struct{ BN nn.BatchNorm }{*m.BN1}) })
	if err == nil || !strings.Contains(err.Error(), "buffer bn.running_mean is passed by value") {
		t.Errorf("by value: %v", err)
	}
}

func TestLoad(t *testing.T) {
	from, to := newNet(), newNet()
	for name, v := range nn.State(from) {
		if v.DType() == tensor.F32 {
			copy(tensor.Data[float32](v), tensor.Data[float32](single(noise(len(name), v.Shape()...))))
		}
	}
	state := nn.State(from)
	state["conv1.bias"] = tensor.Of([]float64{.5, .25}, 2) // another float dtype is converted
	delete(state, "bn1.num_batches_tracked")
	if err := nn.Load(to, state); err != nil {
		t.Fatal(err)
	}
	for name, v := range nn.State(to) {
		if want, ok := state[name]; ok && !cmp.Equal(tensor.Values(v), tensor.Values(want)) {
			t.Errorf("%s = %v, want %v", name, v, want)
		}
	}

	before := tensor.Values(to.Conv1.Bias.Value)
	state["conv1.bias"] = noise(7, 2)
	delete(state, "tied")
	state["bn1.weight"] = noise(7, 3)
	state["bn1.bias"] = tensor.Of([]int64{1, 2}, 2)
	for i := range 6 {
		state[fmt.Sprint("extra", i)] = noise(7, 1)
	}
	err := nn.Load(to, state)
	want := "tensors do not fit the model: 1 missing (tied), 6 unknown (extra0, extra1, extra2, extra3 and 2 more), " +
		"2 of another shape or kind (bn1.bias is i64, want f32, bn1.weight is (3), want (2))"
	if err == nil || err.Error() != want {
		t.Errorf("error\n%v, want\n%s", err, want)
	}
	if after := tensor.Values(to.Conv1.Bias.Value); !slices.Equal(before, after) {
		t.Error("a failed Load changed the model")
	}
}

// TestInit compares deviation, mean and bounds of many draws with the
// formulas.
func TestInit(t *testing.T) {
	const in, out, k = 8, 40, 5 // fan in 200, fan out 1000
	for name, c := range map[string]struct {
		draw    func(r *rand.Rand, w *tensor.Tensor)
		std     float64
		uniform bool
	}{
		"kaiming normal in":  {func(r *rand.Rand, w *tensor.Tensor) { nn.KaimingNormal(r, w, nn.FanIn, nn.GainReLU) }, math.Sqrt(2. / 200), false},
		"kaiming normal out": {func(r *rand.Rand, w *tensor.Tensor) { nn.KaimingNormal(r, w, nn.FanOut, nn.GainReLU) }, math.Sqrt(2. / 1000), false},
		"kaiming uniform":    {func(r *rand.Rand, w *tensor.Tensor) { nn.KaimingUniform(r, w, nn.FanIn, nn.GainLinear) }, math.Sqrt(1. / 200), true},
		"xavier normal":      {func(r *rand.Rand, w *tensor.Tensor) { nn.XavierNormal(r, w, nn.GainLinear) }, math.Sqrt(2. / 1200), false},
		"xavier uniform":     {func(r *rand.Rand, w *tensor.Tensor) { nn.XavierUniform(r, w, 3) }, 3 * math.Sqrt(2./1200), true},
	} {
		w := tensor.New(tensor.CPU, tensor.F64, out, in, k, k)
		c.draw(random(3), w)
		var mean, power, most float64
		v := tensor.Values(w)
		for _, x := range v {
			mean += x / float64(len(v))
			power += x * x / float64(len(v))
			most = max(most, math.Abs(x))
		}
		std := math.Sqrt(power - mean*mean)
		if math.Abs(std/c.std-1) > .03 || math.Abs(mean) > 4*c.std/math.Sqrt(float64(len(v))) {
			t.Errorf("%s: mean %g, deviation %g, want 0, %g", name, mean, std, c.std)
		}
		bound := c.std * math.Sqrt(3)
		if tight := most <= bound && most > .99*bound; tight != c.uniform {
			t.Errorf("%s: largest %g, bound of a uniform draw %g", name, most, bound)
		}
	}
	l := nn.NewLinear(random(1), 400, 300)
	for _, v := range []*autograd.Var{l.Weight, l.Bias} {
		most := 0.
		for _, x := range tensor.Values(v.Value) {
			most = max(most, math.Abs(x))
		}
		if most > .05 || most < .045 {
			t.Errorf("linear %v: largest %g, want about 1/√400", v.Shape(), most)
		}
	}
}

// TestInitOfModels: He's deviations, by fan in for CIFAR's networks and their
// heads, by fan out for torchvision's, whose head is PyTorch's own.
func TestInitOfModels(t *testing.T) {
	for _, c := range []struct {
		model, name string
		std         float64
	}{
		{"resnet20", "conv1.weight", math.Sqrt(2. / (3 * 9))},
		{"resnet20", "layer2.0.conv1.weight", math.Sqrt(2. / (16 * 9))},
		{"resnet20", "linear.weight", math.Sqrt(2. / 64)},
		{"resnet20", "linear.bias", math.Sqrt(1. / 64 / 3)},
		{"resnet50", "conv1.weight", math.Sqrt(2. / (16 * 49))},
		{"resnet50", "layer1.1.conv3.weight", math.Sqrt(2. / 64)},
		{"resnet50", "layer2.0.downsample.0.weight", math.Sqrt(2. / 128)},
		{"resnet50", "fc.weight", math.Sqrt(1. / 512 / 3)},
		{"mlp", "hidden.1.weight", math.Sqrt(1. / 16 / 3)},
	} {
		v := tensor.Values(nn.State(made(t, c.model, nn.Config{Classes: 300, Width: 16}))[c.name])
		power := 0.
		for _, x := range v {
			power += x * x / float64(len(v))
		}
		if std := math.Sqrt(power); math.Abs(std/c.std-1) > .15 {
			t.Errorf("%s %s: deviation %g of %d, want %g", c.model, c.name, std, len(v), c.std)
		}
	}
}

func TestConvBias(t *testing.T) {
	l := nn.NewConv2D(random(1), nn.Conv2DConfig{In: 4, Out: 6, Kernel: 3, Stride: 2, Pad: 1, Groups: 2, Bias: true})
	nn.Cast(l, tensor.F64)
	if s := l.Weight.Shape(); !s.Equal(tensor.Shape{6, 2, 3, 3}) {
		t.Fatalf("weight %v", s)
	}
	var tape autograd.Tape
	x := tape.Watch(noise(1, 2, 4, 5, 5))
	with := l.Forward(&nn.Pass{}, x)
	without := autograd.Conv2D(x, l.Weight, kernels.Conv2D{Stride: 2, Pad: 1, Groups: 2})
	bias, a, b := tensor.Values(l.Bias.Value), tensor.Values(with.Value), tensor.Values(without.Value)
	for i := range a {
		if want := b[i] + bias[i/9%6]; math.Abs(a[i]-want) > 1e-12 {
			t.Fatalf("element %d: %g, want %g", i, a[i], want)
		}
	}
	tape.Backward(autograd.Sum(with))
	for _, g := range tensor.Values(l.Bias.Grad) {
		if math.Abs(g-2*3*3) > 1e-12 {
			t.Errorf("gradient of the bias %g, want one for each of 18 elements", g)
		}
	}
}

func TestBatchNormStatistics(t *testing.T) {
	l := nn.NewBatchNorm(1)
	nn.Cast(l, tensor.F64)
	x := autograd.Const(tensor.Of([]float64{1, 2, 6, 3}, 4, 1)) // mean 3, unbiased variance 14/3
	want := func(mean, variance, count float64) {
		t.Helper()
		got := []float64{tensor.Values(l.RunningMean)[0], tensor.Values(l.RunningVar)[0], tensor.Values(l.NumBatchesTracked)[0]}
		if !near(got[0], mean, 1e-12) || !near(got[1], variance, 1e-12) || got[2] != count {
			t.Errorf("running mean, variance, count %v, want %g %g %g", got, mean, variance, count)
		}
	}
	l.Forward(&nn.Pass{Train: true}, x)
	want(.3, .9+.1*14/3, 1)
	trained := l.Forward(&nn.Pass{Train: true, Frozen: true}, x)
	want(.3, .9+.1*14/3, 1)
	evaluated := l.Forward(&nn.Pass{}, x)
	want(.3, .9+.1*14/3, 1)
	if y := tensor.Values(trained.Value)[2]; !near(y, 3/math.Sqrt(3.5+1e-5), 1e-12) {
		t.Errorf("a frozen pass in training gave %g", y)
	}
	if y := tensor.Values(evaluated.Value)[2]; !near(y, 5.7/math.Sqrt(.9+.1*14/3+1e-5), 1e-12) {
		t.Errorf("evaluation gave %g", y)
	}
	err := tensor.Catch(func() { l.Forward(&nn.Pass{Train: true}, autograd.Const(noise(1, 1, 1))) })
	if err == nil || !strings.Contains(err.Error(), "one value a channel") {
		t.Errorf("a batch of one: %v", err)
	}
}

func TestDropoutMasks(t *testing.T) {
	m := nn.Seq{nn.Dropout{Rate: .5}, nn.Func(func(x *autograd.Var) *autograd.Var { return autograd.Affine(x, 0, 1) }), nn.Dropout{Rate: .5}}
	ones := autograd.Const(tensor.Of(slices.Repeat([]float32{1}, 1000), 1000))
	mask := func(m nn.Module, p *nn.Pass) []float64 { return tensor.Values(m.Forward(p, ones).Value) }
	a := mask(m, &nn.Pass{Train: true, Seed: 5})
	if !slices.Equal(a, mask(m, &nn.Pass{Train: true, Frozen: true, Seed: 5})) {
		t.Error("two passes of one seed drew different masks")
	}
	agree := func(b []float64) (n int) {
		for i := range a {
			if (a[i] == 0) == (b[i] == 0) {
				n++
			}
		}
		return n
	}
	if n := agree(mask(m, &nn.Pass{Train: true, Seed: 6})); n < 420 || n > 580 {
		t.Errorf("masks of two seeds agree in %d of 1000", n)
	}
	if n := agree(mask(m[:1], &nn.Pass{Train: true, Seed: 5})); n < 420 || n > 580 {
		t.Errorf("masks of two layers agree in %d of 1000", n)
	}
	if !slices.Equal(mask(m[:1], &nn.Pass{Seed: 5}), tensor.Values(ones.Value)) {
		t.Error("evaluation drops out")
	}
}

func TestCosineLinear(t *testing.T) {
	l := nn.NewCosineLinear(random(1), 2, 2, 30)
	nn.Cast(l, tensor.F64)
	copy(tensor.Data[float64](l.Weight.Value), []float64{5, 0, 1, 1})
	var tape autograd.Tape
	y := l.Forward(&nn.Pass{Train: true}, tape.Watch(tensor.Of([]float64{0, 7, -3, 0}, 2, 2)))
	s := 30 / math.Sqrt2
	sameValues(t, "logits", y.Value, []float64{0, s, -30, -s}, 1e-9)
	tape.Backward(autograd.Sum(autograd.Mul(y, autograd.Const(noise(1, 2, 2)))))
	g, w := tensor.Values(l.Weight.Grad), tensor.Values(l.Weight.Value)
	for i := 0; i < 4; i += 2 {
		if along := g[i]*w[i] + g[i+1]*w[i+1]; math.Abs(along) > 1e-9 || g[i] == 0 && g[i+1] == 0 {
			t.Errorf("row %d: gradient %v along w is %g, want 0: the length does not matter", i/2, g[i:i+2], along)
		}
	}
}

func TestModels(t *testing.T) {
	for _, name := range nn.Names() {
		if strings.HasPrefix(name, "resnet110") || strings.HasPrefix(name, "resnet56") {
			continue // no other code than resnet44's
		}
		m := made(t, name, nn.Config{Classes: 3, Channels: 1, Size: 10, Width: 4, Cosine: 10, Dropout: .1})
		x := autograd.Const(single(noise(1, 2, 1, 10, 10)))
		f := m.Features(&nn.Pass{}, x)
		y := m.Head().Forward(&nn.Pass{}, f)
		if !y.Shape().Equal(tensor.Shape{2, 3}) || f.Value.Dims() != 2 {
			t.Errorf("%s: features %v, logits %v", name, f.Shape(), y.Shape())
		}
		if !slices.Equal(tensor.Values(y.Value), tensor.Values(m.Forward(&nn.Pass{}, x).Value)) {
			t.Errorf("%s: the head of the features is not Forward", name)
		}
		for _, v := range tensor.Values(y.Value) {
			if !(math.Abs(v) <= 10.001) {
				t.Errorf("%s: logit %g of a cosine head of scale 10", name, v)
			}
		}
	}
	a, b := made(t, "mlp", nn.Config{Classes: 2, Seed: 1}), made(t, "mlp", nn.Config{Classes: 2, Seed: 1})
	for name, v := range nn.State(a) {
		if !slices.Equal(tensor.Values(v), tensor.Values(nn.State(b)[name])) {
			t.Errorf("%s differs between two models of one seed", name)
		}
	}
	before := tensor.Values(nn.State(a)["linear.weight"])
	a.Head().Reset(random(9))
	if slices.Equal(before, tensor.Values(nn.State(a)["linear.weight"])) {
		t.Error("Reset left the head as it was")
	}
}

// BBN's network is the plain one with its last block twice: the names of its
// program, the shared layers' sizes, and features that are one branch's after the
// other's.
func TestBranchedResNet(t *testing.T) {
	plain := made(t, "resnet32", nn.Config{Classes: 10})
	m := made(t, "resnet32-bbn", nn.Config{Classes: 10}).(*nn.BranchedResNet)
	const block, head = 2*(9*64*64) + 4*64, 10 * 64 // a block of 64 channels, the weights of 64 features
	if got, want := nn.Size(m), nn.Size(plain)+block+head; got != want {
		t.Errorf("%d parameters, want %d", got, want)
	}
	state := nn.State(m)
	for name, v := range nn.State(plain) {
		name := strings.Replace(name, "layer3.4.", "cb_block.", 1)
		shape := v.Shape()
		if name == "linear.weight" {
			shape = tensor.Shape{10, 128}
		}
		if got := state[name]; got == nil || !got.Shape().Equal(shape) {
			t.Errorf("%s: %v, want %v", name, got, shape)
		}
		if strings.HasPrefix(name, "cb_block.conv") && slices.Equal(tensor.Values(state[name]), tensor.Values(state["r"+name[1:]])) {
			t.Errorf("%s: both blocks begin alike", name)
		}
	}
	for _, name := range []string{"resnet8-bbn", "resnet20-bbn"} { // a last block that halves the image, and one that does not
		m := made(t, name, nn.Config{Classes: 3, Size: 10, Width: 4}).(*nn.BranchedResNet)
		x := autograd.Const(single(noise(1, 2, 3, 10, 10)))
		conventional, rebalancing := m.Conventional(&nn.Pass{}, x), m.Rebalancing(&nn.Pass{}, x)
		if slices.Equal(tensor.Values(conventional.Value), tensor.Values(rebalancing.Value)) {
			t.Errorf("%s: both branches see alike", name)
		}
		both := autograd.Concat(1, conventional, rebalancing)
		if !slices.Equal(tensor.Values(m.Features(&nn.Pass{}, x).Value), tensor.Values(both.Value)) {
			t.Errorf("%s: the features are not those of the branches", name)
		}
	}
}

// With images in bf16 outputs and gradients are those of f32, to what rounding
// each image costs; parameters, gradients and statistics stay f32.
func TestBF16(t *testing.T) {
	for _, c := range []struct {
		name string
		size int
	}{{"resnet8", 10}, {"resnet8-bbn", 10}, {"resnet50", 16}, {"resnet50", 128}} {
		run := func(p nn.Pass) (m nn.Model, logits []float64) {
			m = made(t, c.name, nn.Config{Classes: 3, Size: c.size, Width: 4, Seed: 1})
			var tape autograd.Tape
			y := m.Forward(&p, tape.Watch(single(noise(1, 4, 3, c.size, c.size))))
			tape.Backward(autograd.Sum(autograd.Square(y)))
			return m, tensor.Values(y.Value)
		}
		wide, want := run(nn.Pass{Train: true})
		narrow, got := run(nn.Pass{Train: true, Precision: tensor.BF16})
		about := fmt.Sprintf("%s at %d", c.name, c.size)
		// A fresh ResNet-50 in training turns a change of its input by a 400th into
		// one of the logits by a tenth and of the gradients by all.
		deep := c.name == "resnet50"
		if off := distance(got, want); off > .05 && !deep || off == 0 {
			t.Errorf("%s: logits are off by %g", about, off)
		}
		grads := map[string]*tensor.Tensor{}
		for name, v := range nn.Params(wide) {
			grads[name] = v.Grad
		}
		var all, other []float64
		for name, v := range nn.Params(narrow) {
			if v.Value.DType() != tensor.F32 || v.Grad.DType() != tensor.F32 {
				t.Errorf("%s: %s is %v, its gradient %v", about, name, v.Value.DType(), v.Grad.DType())
			}
			all, other = append(all, tensor.Values(v.Grad)...), append(other, tensor.Values(grads[name])...)
		}
		if off := distance(all, other); off > .2 && !deep || off == 0 {
			t.Errorf("%s: gradients are off by %g", about, off)
		}
		x := autograd.Const(single(noise(2, 2, 3, c.size, c.size)))
		a, b := narrow.Forward(&nn.Pass{Precision: tensor.BF16}, x), narrow.Forward(&nn.Pass{}, x)
		if off := distance(tensor.Values(a.Value), tensor.Values(b.Value)); off > .05 || off == 0 {
			t.Errorf("%s: in evaluation logits are off by %g", about, off)
		}
	}
	m := made(t, "mlp", nn.Config{Classes: 3, Size: 4})
	err := tensor.Catch(func() { m.Forward(&nn.Pass{Precision: tensor.BF16}, autograd.Const(single(noise(1, 2, 3, 4, 4)))) })
	if err == nil || !strings.Contains(err.Error(), "mlp: has no images") {
		t.Errorf("mlp: %v", err)
	}
}

// distance is ‖a-b‖/‖b‖.
func distance(a, b []float64) float64 {
	var d, n float64
	for i := range b {
		d += (a[i] - b[i]) * (a[i] - b[i])
		n += b[i] * b[i]
	}
	return math.Sqrt(d / n)
}

func TestNewErrors(t *testing.T) {
	for want, c := range map[string]struct {
		name string
		cfg  nn.Config
	}{
		`model "resnet34" is unknown: want one of resnet8, resnet20, resnet32,`: {"resnet34", nn.Config{Classes: 2}},
		"model mlp: classes is 0, want 1 to 1048576":                            {"mlp", nn.Config{}},
		"model mlp: size is -1, want 1 to 4096":                                 {"mlp", nn.Config{Classes: 1, Size: -1}},
		"model mlp: dropout is 1, want 0 <= dropout < 1":                        {"mlp", nn.Config{Classes: 1, Dropout: 1}},
		"model resnet8: width is 999999, want 1 to 16384":                       {"resnet8", nn.Config{Classes: 1, Width: 999999}},
		"model resnet8: cosine is -1, want a scale of 0 or more":                {"resnet8", nn.Config{Classes: 1, Cosine: -1}},
	} {
		if _, err := nn.New(c.name, c.cfg); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v: %v, want %s", c, err, want)
		}
	}
}

func TestSummary(t *testing.T) {
	for key, want := range witness.MulAdds {
		var name string
		var width, size int
		fmt.Sscan(key, &name, &width, &size)
		m := made(t, name, nn.Config{Classes: 10, Width: width, Size: size})
		if rows, total := nn.Summary(m, 3, size, size); total.MulAdds != want || total.Params != nn.Size(m) {
			t.Errorf("%s: %d multiply-adds, %d parameters in %d rows, want %d, %d", key, total.MulAdds, total.Params, len(rows), want, nn.Size(m))
		}
	}

	m := nn.Seq{
		nn.NewConv2D(random(1), nn.Conv2DConfig{In: 2, Out: 4, Kernel: 3, Stride: 2, Pad: 1, Bias: true}),
		nn.NewBatchNorm(4), nn.MaxPool{Pool2D: kernels.Pool2D{Size: 2}}, nn.Flatten{}, &scaled{autograd.Param(tensor.Scalar[float32](2))},
	}
	rows, total := nn.Summary(m, 2, 8, 8)
	want := []nn.Row{
		{"0", "conv 3x3 /2", tensor.Shape{1, 4, 4, 4}, 76, 64 * 18},
		{"1", "batch norm", tensor.Shape{1, 4, 4, 4}, 8, 0},
		{"", "max pool 2 /2", tensor.Shape{1, 4, 2, 2}, 0, 0},
		{"", "flatten", tensor.Shape{1, 16}, 0, 0},
		{"4.scale", "parameter", tensor.Shape{}, 1, 0},
	}
	if d := cmp.Diff(want, rows); d != "" {
		t.Error(d)
	}
	if d := cmp.Diff(nn.Row{"", "total", tensor.Shape{1, 16}, 85, 64 * 18}, total); d != "" {
		t.Error(d)
	}
}

// scaled is a layer that says nothing to Summary.
type scaled struct{ Scale *autograd.Var }

func (s *scaled) Forward(_ *nn.Pass, x *autograd.Var) *autograd.Var {
	return autograd.Mul(x, s.Scale)
}
