package methods_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"gonum.org/v1/gonum/stat/distuv"

	"phase/autograd"
	_ "phase/kernels/cpu"
	"phase/nn"
	"phase/phase"
	"phase/phase/data"
	"phase/phase/train"
	"phase/tensor"
)

// A lab is one step of an objective in float64, on a network so small that it
// can be computed again by loops.
type lab struct {
	train.Step
	setup train.Setup
	f     func(*train.Step) (loss, logits *autograd.Var)
	tape  autograd.Tape
}

// The batch of a lab: n images of c channels and size·size pixels.
const (
	n, channels, size, classes = 6, 2, 8, 3
	pixels                     = channels * size * size
)

var counts = []int{40, 10, 4}

func random(seed uint64, n int) []float64 {
	r := rand.New(rand.NewPCG(seed, 9))
	v := make([]float64, n)
	for i := range v {
		v[i] = r.NormFloat64()
	}
	return v
}

// images makes a batch of numbers in the order (n,c,h,w).
func images(v []float64) *tensor.Tensor {
	lie := make([]float64, len(v))
	for at := range v {
		i, c, p := at/pixels, at/(size*size)%channels, at%(size*size)
		lie[i*pixels+p*channels+c] = v[at]
	}
	return tensor.OfImages(lie, len(v)/pixels, channels, size, size)
}

func newLab(t *testing.T, objective, model string, params map[string]string) *lab {
	t.Helper()
	k, err := train.Objectives.Find(objective)
	if err != nil {
		t.Fatal(err)
	}
	o, err := k.With(func(name string) (string, bool) { v, ok := params[name]; return v, ok })
	if err != nil {
		t.Fatal(err)
	}
	m, err := nn.New(model, nn.Config{Width: 2, Classes: classes, Channels: channels, Size: size, Seed: 7})
	if err != nil {
		t.Fatal(err)
	}
	nn.Cast(m, tensor.F64)
	rows, err := data.NewFeatures([]float32{1}, 1, []int{0}, []string{"a", "b", "c"})
	if err != nil {
		t.Fatal(err)
	}
	l := &lab{setup: train.Setup{Model: m, Shape: tensor.Shape{channels, size, size}, Counts: counts, Rand: rand.New(rand.NewPCG(1, 5)), Calibration: rows}}
	if l.f, err = o.Begin(&l.setup); err != nil {
		t.Fatal(err)
	}
	for _, p := range l.setup.Beside {
		nn.Cast(p.Module, tensor.F64)
	}
	l.Step = train.Step{
		Tape: &l.tape, Model: m, Counts: counts, Epoch: 1, Epochs: 3, By: phase.Focal{Gamma: 2}, Seed: 11,
		X: images(random(1, n*pixels)), Y: tensor.Of([]int64{0, 1, 2, 0, 1, 0}, n), Weights: []float32{1, .5, 2, 1, .25, 3},
		XAgain:       images(random(2, n*pixels)),
		Other:        &data.Batch{X: images(random(3, n*pixels)), Y: tensor.Of([]int64{2, 2, 1, 2, 0, 1}, n)},
		OtherWeights: []float32{2, 1, 1, .5, 1, 4},
		OtherAgain:   images(random(4, n*pixels)),
	}
	return l
}

// forward is the objective's loss.
func (l *lab) forward(frozen bool) *autograd.Var {
	l.tape.Reset()
	l.Pass = &nn.Pass{Train: true, Frozen: frozen}
	loss, _ := l.f(&l.Step)
	return loss
}

// params lists what is trained.
func (l *lab) params() (all []*autograd.Var) {
	for _, v := range nn.Params(l.Model) {
		all = append(all, v)
	}
	for _, p := range l.setup.Beside {
		for _, v := range nn.Params(p.Module) {
			all = append(all, v)
		}
	}
	return all
}

// along moves the parameters by h times the direction of a seed, and is the
// derivative that their gradients give along it.
func (l *lab) along(seed uint64, h float64) (slope float64) {
	for i, p := range l.params() {
		x, d := tensor.Data[float64](p.Value), random(seed+uint64(i), p.Value.Size())
		for k := range x {
			x[k] += h * d[k]
			if p.Grad != nil {
				slope += tensor.Data[float64](p.Grad)[k] * d[k]
			}
		}
	}
	return slope
}

// A batch is samples with their labels and weights.
type batch struct {
	x       []float64 // (n,c,h,w)
	labels  []int
	weights []float64
}

func batchOf(x, y *tensor.Tensor, w []float32) (b batch) {
	b.x = tensor.Values(x)
	for i, v := range tensor.Data[int64](y) {
		b.labels, b.weights = append(b.labels, int(v)), append(b.weights, float64(w[i]))
	}
	return b
}

// inOrder is the batch in another order.
func (b batch) inOrder(perm []int) (to batch) {
	for _, i := range perm {
		to.x = append(to.x, b.x[i*pixels:(i+1)*pixels]...)
		to.labels, to.weights = append(to.labels, b.labels[i]), append(to.weights, b.weights[i])
	}
	return to
}

// features is the extractor's output of images in training mode, row by row.
func (l *lab) features(x []float64) (rows [][]float64) {
	f := l.Model.Features(&nn.Pass{Train: true, Frozen: true}, autograd.Const(images(x)))
	return slices.Collect(slices.Chunk(tensor.Values(f.Value), f.Value.Dim(1)))
}

// linear is a layer's output of rows.
func linear(l *nn.Linear, rows [][]float64) (out [][]float64) {
	w, b := tensor.Values(l.Weight.Value), tensor.Values(l.Bias.Value)
	for _, x := range rows {
		y := slices.Clone(b)
		for j := range y {
			for k, v := range x {
				y[j] += v * w[j*len(x)+k]
			}
		}
		out = append(out, y)
	}
	return out
}

func (l *lab) logits(x []float64) [][]float64 {
	return linear(l.Model.Head().(*nn.Linear), l.features(x))
}

// focal is the loss of one sample.
func focal(z []float64, y int) float64 {
	sum := 0.
	for _, v := range z {
		sum += math.Exp(v)
	}
	p := math.Exp(z[y]) / sum
	return -(1 - p) * (1 - p) * math.Log(p)
}

// loss is a batch's, reduced as the step says.
func (l *lab) loss(z [][]float64, b batch) float64 {
	sum, by := 0., 0.
	for i, y := range b.labels {
		sum += b.weights[i] * focal(z[i], y)
		by += b.weights[i]
	}
	if l.Mean {
		by = float64(len(z))
	}
	return sum / by
}

func mixed(lambda float64, a, b []float64) []float64 {
	out := make([]float64, len(a))
	for i := range out {
		out[i] = lambda*a[i] + (1-lambda)*b[i]
	}
	return out
}

// boxOf draws a box of a share 1-λ of an image's area, and says which of a
// batch's numbers are in it.
func boxOf(r *rand.Rand, lambda float64) (in func(i int) bool) {
	half := int(math.Sqrt(1-lambda)*size) / 2
	row, column := r.IntN(size), r.IntN(size)
	return func(i int) bool {
		y, x := i/size%size, i%size
		return y >= row-half && y < row+half && x >= column-half && x < column+half
	}
}

// pasted is a with a box of b, and the share of a that is left.
func pasted(in func(i int) bool, a, b []float64) (out []float64, left float64) {
	out = slices.Clone(a)
	for i := range out {
		if in(i) {
			out[i] = b[i]
		} else {
			left += 1 / float64(len(out))
		}
	}
	return out, left
}

func lambdaOf(r *rand.Rand, alpha float64) float64 {
	return distuv.Beta{Alpha: alpha, Beta: alpha, Src: r}.Rand()
}

// naives are the objectives written down once more, by loops over numbers; only
// the extractor is nn's. What an objective holds constant comes with the first
// call, before the parameters move.
var naives = []struct {
	objective, model string
	params           map[string]string
	begin            func(l *lab) func() float64
}{
	{"plain", "resnet8", nil, func(l *lab) func() float64 {
		return func() float64 {
			b := batchOf(l.X, l.Y, l.Weights)
			return l.loss(l.logits(b.x), b)
		}
	}},
	{"mixup", "resnet8", map[string]string{"mix-alpha": "2"}, func(l *lab) func() float64 {
		return func() float64 { return l.mixup(l.Rand(), 2) }
	}},
	{"regmixup", "resnet8", map[string]string{"mix-weight": "0.7"}, func(l *lab) func() float64 {
		return func() float64 {
			b := batchOf(l.X, l.Y, l.Weights)
			return l.loss(l.logits(b.x), b) + .7*l.mixup(l.Rand(), 10)
		}
	}},
	{"cutmix", "resnet8", nil, func(l *lab) func() float64 {
		return func() float64 {
			r, a := l.Rand(), batchOf(l.X, l.Y, l.Weights)
			in := boxOf(r, lambdaOf(r, 1))
			b := a.inOrder(r.Perm(n))
			x, left := pasted(in, a.x, b.x)
			z := l.logits(x)
			return left*l.loss(z, a) + (1-left)*l.loss(z, b)
		}
	}},
	{"bbn", "resnet8-bbn", nil, func(l *lab) func() float64 {
		return func() float64 {
			a, b := batchOf(l.X, l.Y, l.Weights), batchOf(l.Other.X, l.Other.Y, l.OtherWeights)
			lambda := 1 - 1./9
			first, second := l.features(a.x), l.features(b.x)
			for i, f := range first {
				for k := range f {
					if k < len(f)/2 {
						f[k] *= 2 * lambda
					} else {
						f[k] = 2 * (1 - lambda) * second[i][k]
					}
				}
			}
			z := linear(l.Model.Head().(*nn.Linear), first)
			return lambda*l.loss(z, a) + (1-lambda)*l.loss(z, b)
		}
	}},
	{"glmc", "resnet8", map[string]string{"label-power": "0.5", "consistency": "3"}, glmcByLoops},
}

func (l *lab) mixup(r *rand.Rand, alpha float64) float64 {
	lambda := lambdaOf(r, alpha)
	a := batchOf(l.X, l.Y, l.Weights)
	b := a.inOrder(r.Perm(n))
	z := l.logits(mixed(lambda, a.x, b.x))
	return lambda*l.loss(z, a) + (1-lambda)*l.loss(z, b)
}

func glmcByLoops(l *lab) func() float64 {
	heads := map[string]*nn.Linear{"fc": {}, "projection_head": {}, "contrast_head": {}}
	for name, v := range nn.Params(l.setup.Beside[0].Module) {
		of, what, _ := strings.Cut(name, ".")
		if what == "weight" {
			heads[of].Weight = v
		} else {
			heads[of].Bias = v
		}
	}
	class := make([]float64, classes)
	sum := 0.
	for j, n := range counts {
		class[j] = 1 / math.Sqrt(float64(n))
		sum += class[j]
	}
	// views is both views' features, and the labels' proportion.
	views := func() (global, local [][]float64, lambda float64) {
		r := l.Rand()
		lambda = lambdaOf(r, 1)
		x, _ := pasted(boxOf(r, lambda), tensor.Values(l.XAgain), tensor.Values(l.OtherAgain))
		return l.features(mixed(lambda, tensor.Values(l.X), tensor.Values(l.Other.X))), l.features(x), lambda
	}
	global, local, _ := views()
	constant := [][][]float64{linear(heads["projection_head"], local), linear(heads["projection_head"], global)}
	return func() float64 {
		a, b := batchOf(l.X, l.Y, l.Weights), batchOf(l.Other.X, l.Other.Y, l.OtherWeights)
		global, local, lambda := views()
		total := 0.
		for v, f := range [][][]float64{global, local} {
			u, z := linear(heads["fc"], f), linear(l.Model.Head().(*nn.Linear), f)
			total += (1 - 1./9) * (lambda*l.loss(u, a) + (1-lambda)*l.loss(u, b))
			p := linear(heads["contrast_head"], linear(heads["projection_head"], f))
			for i := range n {
				wa, wb := class[a.labels[i]]/sum*classes, class[b.labels[i]]/sum*classes
				total += 1. / 9 / n * (lambda*a.weights[i]*wa*focal(z[i], a.labels[i]) + (1-lambda)*b.weights[i]*wb*focal(z[i], b.labels[i]))
				dot, pp, qq := 0., 0., 0.
				for k, q := range constant[v][i] {
					dot, pp, qq = dot+p[i][k]*q, pp+p[i][k]*p[i][k], qq+q*q
				}
				total -= 3 * dot / math.Sqrt(pp*qq) / n
			}
		}
		return total
	}
}

// Each objective's loss is that of its formula, and its gradient the difference
// quotient of it, whichever the reduction; a second pass of the step draws what
// the first has drawn.
func TestObjectives(t *testing.T) {
	for _, c := range naives {
		for _, mean := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, mean %v", c.objective, mean), func(t *testing.T) {
				l := newLab(t, c.objective, c.model, c.params)
				l.Mean = mean
				naive := c.begin(l)
				loss := l.forward(false)
				value := loss.Item()
				if want := naive(); math.Abs(value-want) > 1e-7*math.Abs(want) {
					t.Fatalf("loss %.12g, want %.12g", value, want)
				}
				l.tape.Backward(loss)
				for seed := range uint64(4) {
					const h = 1e-6
					slope := l.along(100*seed, h)
					up := naive()
					l.along(100*seed, -2*h)
					down := naive()
					l.along(100*seed, h)
					if want := (up - down) / (2 * h); math.Abs(slope-want) > 1e-5*max(1, math.Abs(want)) {
						t.Errorf("direction %d: derivative %.9g, difference quotient %.9g", seed, slope, want)
					}
				}
				if again := l.forward(true).Item(); math.Abs(again-value) > 1e-9 {
					t.Errorf("a second pass finds %.12g, the first %.12g", again, value)
				}
			})
		}
	}
}

// Second batches come from where the methods say.
func TestSecondBatches(t *testing.T) {
	for _, c := range []struct {
		objective string
		params    map[string]string
		want      func(n float64) float64 // by which classes of n images are drawn
	}{
		{"bbn", nil, func(n float64) float64 { return 1 / n }},
		{"glmc", nil, func(n float64) float64 { return n }},
		{"glmc", map[string]string{"resample": "2"}, func(n float64) float64 { return 1 / n }},
		{"glmc", map[string]string{"resample": "0.2"}, func(n float64) float64 { return math.Pow(n, .8) }},
		{"l2rw", nil, func(float64) float64 { return 1 }},
	} {
		l := newLab(t, c.objective, map[bool]string{true: "resnet8-bbn", false: "resnet8"}[c.objective == "bbn"], c.params)
		p := l.setup.Other.By.Classes(counts, 0)
		for j, n := range counts {
			if want := c.want(float64(n)) / c.want(float64(counts[0])) * p[0]; math.Abs(p[j]-want) > 1e-12 {
				t.Errorf("%s %v: class %d is drawn with %g, want %g", c.objective, c.params, j, p[j], want)
			}
		}
		if own := l.setup.Other.From == nil; own != (c.objective != "l2rw") || l.setup.Twice != (c.objective == "glmc") {
			t.Errorf("%s: from the training images: %v, two views: %v", c.objective, own, l.setup.Twice)
		}
	}
}

// L2RW's weights are the positive parts of the inner products of each sample's
// gradient with that of the validation batch, found here by a pass backward for
// each sample; parameters and statistics are then what they were.
func TestL2RW(t *testing.T) {
	for _, c := range []struct {
		model string
		tol   float64
	}{{"linear", 1e-4}, {"resnet8", .01}} { // a network with ReLUs bends within the difference
		l := newLab(t, "l2rw", c.model, nil)
		if d := l.setup.Other; d == nil || d.From != l.setup.Calibration {
			t.Fatal("no second batch of calibration images")
		}
		before := nn.State(l.Model)
		for name, v := range before {
			before[name] = v.To(tensor.CPU) // a copy
		}
		gradient := func(b batch, i int) (g []float64) { // of sample i, or of the mean for -1
			var tape autograd.Tape
			for _, p := range l.params() {
				p.Grad = nil
			}
			y, w := make([]int64, n), make([]float32, n)
			for k := range y {
				y[k], w[k] = int64(b.labels[k]), float32(b.weights[k])
			}
			s := train.Step{Tape: &tape, Pass: &nn.Pass{Train: true, Frozen: true}, Model: l.Model, By: l.By}
			each := s.Each(nil, second(s.Forward(images(b.x))), tensor.Of(y, n), w)
			if i >= 0 {
				each = autograd.Gather(each, tensor.Of([]int64{int64(i)}, 1))
			}
			tape.Backward(autograd.Mean(each))
			for _, p := range l.params() {
				g = append(g, tensor.Values(p.Grad)...)
				p.Grad = nil
			}
			return g
		}
		a, b := batchOf(l.X, l.Y, l.Weights), batchOf(l.Other.X, l.Other.Y, l.OtherWeights)
		v := gradient(b, -1)
		w, total, zeros := make([]float64, n), 0., 0
		for i := range w {
			for k, g := range gradient(a, i) {
				w[i] += g * v[k]
			}
			if w[i] <= 0 {
				zeros++
			}
			w[i] = max(0, w[i])
			total += w[i]
		}
		if zeros == 0 || zeros == n {
			t.Fatalf("%s: %d of %d samples weigh nothing: the test sees no difference", c.model, zeros, n)
		}
		naive := func() (loss float64) {
			for i, z := range l.logits(a.x) {
				loss += w[i] / total * a.weights[i] * focal(z, a.labels[i])
			}
			return loss
		}
		for range 2 { // memory used again
			for _, p := range l.params() {
				p.ZeroGrad()
			}
			l.forward(false)
		}
		loss := l.forward(false)
		for name, v := range nn.State(l.Model) {
			if got, want := tensor.Values(v), tensor.Values(before[name]); !slices.Equal(got, want) && !strings.Contains(name, "running") && !strings.Contains(name, "tracked") {
				t.Errorf("%s: %s is not where it was", c.model, name)
			}
		}
		if v := nn.State(l.Model)["bn1.num_batches_tracked"]; v != nil && tensor.Values(v)[0] != 3 {
			t.Errorf("three steps count as %v batches", v)
		}
		if want := naive(); math.Abs(loss.Item()-want) > c.tol*want {
			t.Errorf("%s: loss %.9g, want %.9g", c.model, loss.Item(), want)
		}
		again := l.forward(true).Item()
		if math.Abs(again-loss.Item()) > 1e-12 {
			t.Errorf("%s: a second pass finds %.12g, the first %.12g", c.model, again, loss.Item())
		}
		loss = l.forward(false)
		l.tape.Backward(loss)
		const h = 1e-6
		slope := l.along(5, h)
		up := naive()
		l.along(5, -2*h)
		if want := (up - naive()) / (2 * h); math.Abs(slope-want) > c.tol*max(1, math.Abs(want)) {
			t.Errorf("%s: derivative %.9g, difference quotient %.9g", c.model, slope, want)
		}
	}
}

func second(_, logits *autograd.Var) *autograd.Var { return logits }

// Where no sample would help the loss is nothing, and not 0/0: here every
// gradient is opposite to that of the validation batch, on the same images with
// other labels.
func TestL2RWWithoutHelp(t *testing.T) {
	l := newLab(t, "l2rw", "linear", nil)
	for _, v := range nn.Params(l.Model) {
		v.Value.Zero()
	}
	one := slices.Repeat(random(1, pixels), n)
	l.X, l.Y = images(one), tensor.Of(make([]int64, n), n)
	l.Other.X, l.Other.Y = images(one), tensor.Of([]int64{1, 2, 1, 2, 1, 2}, n)
	if got := l.forward(false).Item(); got != 0 {
		t.Errorf("loss %g, want 0", got)
	}
}

// A glass is a model that keeps what it was shown.
type glass struct {
	nn.Model
	seen []float64
}

func (g *glass) Features(p *nn.Pass, x *autograd.Var) *autograd.Var {
	g.seen = tensor.Values(x.Value)
	return g.Model.Features(p, x)
}

// Images are mixed in proportions of the Beta distribution (by the statistic of
// Kolmogorov and Smirnov), and boxes are boxes that reach every pixel.
func TestMixtures(t *testing.T) {
	show := func(objective, alpha string, seeds int, look func(image []float64)) {
		l := newLab(t, objective, "linear", map[string]string{"mix-alpha": alpha})
		l.Model = &glass{Model: l.Model}
		l.X = images(slices.Concat(make([]float64, pixels), slices.Repeat([]float64{1}, pixels)))
		l.Y, l.Weights = tensor.Of([]int64{0, 1}, 2), []float32{1, 1}
		for seed := range seeds {
			l.Seed = uint64(seed)
			l.forward(false)
			if image := l.Model.(*glass).seen[:pixels]; slices.Max(image) > 0 { // its partner is the other
				look(image)
			}
		}
	}
	for _, alpha := range []float64{.2, 1, 10} {
		var drawn []float64
		show("mixup", fmt.Sprint(alpha), 400, func(image []float64) { drawn = append(drawn, 1-image[0]) })
		slices.Sort(drawn)
		far := 0.
		for i, v := range drawn {
			far = max(far, math.Abs(distuv.Beta{Alpha: alpha, Beta: alpha}.CDF(v)-(float64(i)+.5)/float64(len(drawn))))
		}
		if len(drawn) < 160 || far*math.Sqrt(float64(len(drawn))) > 1.95 { // exceeded by one in a thousand
			t.Errorf("alpha %g: %d proportions are %g from their distribution", alpha, len(drawn), far)
		}
	}
	var reached [size * size]int
	show("cutmix", "1", 200, func(image []float64) {
		y0, y1, x0, x1, area := size, 0, size, 0, 0
		for i, v := range image[:size*size] {
			if v == 1 {
				y, x := i/size, i%size
				y0, y1, x0, x1, area = min(y0, y), max(y1, y+1), min(x0, x), max(x1, x+1), area+1
				reached[i]++
			} else if v != 0 {
				t.Fatalf("a pixel of %g in a pasted image", v)
			}
			if image[size*size+i] != v {
				t.Fatal("the box is another in the second channel")
			}
		}
		if area != (y1-y0)*(x1-x0) {
			t.Errorf("%d pixels from row %d to %d, column %d to %d", area, y0, y1, x0, x1)
		}
	})
	if slices.Contains(reached[:], 0) {
		t.Errorf("some pixel is in no box: %v", reached)
	}
}

// What cuts boxes out of images refuses rows.
func TestBoxesWantImages(t *testing.T) {
	for _, name := range []string{"cutmix", "glmc"} {
		k, err := train.Objectives.Find(name)
		if err != nil {
			t.Fatal(err)
		}
		l := newLab(t, "plain", "linear", nil)
		l.setup.Shape = tensor.Shape{64}
		if _, err := k.Of.Begin(&l.setup); err == nil || !strings.Contains(err.Error(), "feature rows of shape (64)") {
			t.Errorf("%s: %v", name, err)
		}
	}
}
