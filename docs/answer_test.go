package docs

import (
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"

	"phase/autograd"
	"phase/docs/lab"
	"phase/kernels"
	_ "phase/kernels/cpu"
	"phase/nn"
	"phase/optim"
	"phase/phase"
	"phase/tensor"
)

// A toy is chapter 1's: 200 points around (-1, 0), 10 around (1, 0), and a
// linear classifier, in float64.
type toy struct {
	x      *tensor.Tensor
	labels []int
	model  *nn.Linear
}

func newToy(seed uint64) *toy {
	r := rand.New(rand.NewPCG(seed, 0))
	var x []float64
	var labels []int
	for i := range 210 {
		y := i / 200
		x, labels = append(x, float64(2*y-1)+r.NormFloat64(), r.NormFloat64()), append(labels, y)
	}
	t := &toy{tensor.Of(x, 210, 2), labels, nn.NewLinear(r, 2, 2)}
	nn.Replace(t.model, func(p *tensor.Tensor) *tensor.Tensor { return tensor.Of(tensor.Values(p), p.Shape()...) })
	return t
}

// train minimises the weighted mean of cross-entropy.
func (t *toy) train(weights []float64) {
	y, sum := make([]int64, len(t.labels)), 0.
	for i, j := range t.labels {
		y[i] = int64(j)
		sum += weights[i]
	}
	label, weight := tensor.Of(y, len(y)), tensor.Of(weights, len(y))
	sgd := &optim.SGD{Params: optim.All(nn.Params(t.model)), Momentum: 0.9}
	var tape autograd.Tape
	for range 500 {
		sgd.Step(0.3, func(int) *autograd.Var {
			tape.Reset()
			z := t.model.Forward(&nn.Pass{}, tape.Watch(t.x))
			loss := autograd.Scale(autograd.Sum(autograd.SoftmaxLoss(z, label, weight, kernels.SoftmaxLoss{})), 1/sum)
			tape.Backward(loss)
			return loss
		})
	}
}

// tail is the share of the tail in Σ w_i·(1-p_y), and its recall.
func (t *toy) tail(weights []float64) (share, recall float64) {
	p := tensor.Values(autograd.Exp(autograd.LogSoftmax(t.model.Forward(&nn.Pass{}, autograd.Const(t.x)))).Value)
	var pull, hits [2]float64
	for i, y := range t.labels {
		pull[y] += weights[i] * (1 - p[2*i+y])
		if p[2*i+y] > 0.5 {
			hits[y]++
		}
	}
	return pull[1] / (pull[0] + pull[1]), hits[1] / 10
}

// The answer to chapter 1's question.
func TestTailsShareOfTheGradient(t *testing.T) {
	for seed := range uint64(5) {
		toy := newToy(seed)
		alike := make([]float64, 210)
		for i := range alike {
			alike[i] = 1
		}
		msr, err := phase.DefaultMSR().Weights(phase.Rows(toy.x), toy.labels, 2)
		if err != nil {
			t.Fatal(err)
		}
		fresh, _ := toy.tail(alike)
		toy.train(alike)
		trained, before := toy.tail(alike)
		reweighted, _ := toy.tail(msr.Sample)
		toy.train(msr.Sample)
		retrained, after := toy.tail(msr.Sample)
		t.Logf("seed %d: fresh %.2f, trained %.4f, reweighted %.2f, retrained %.4f, recall %.1f and %.1f", seed, fresh, trained, reweighted, retrained, before, after)
		if fresh > 0.1 || math.Abs(trained-0.5) > 1e-3 || reweighted < 0.9 || math.Abs(retrained-0.5) > 1e-3 {
			t.Errorf("seed %d: the tail's share of the gradient is %.3f at first, %.3f trained, %.3f reweighted and %.3f retrained, want less than 0.1, 0.5, more than 0.9 and 0.5", seed, fresh, trained, reweighted, retrained)
		}
		if after <= before {
			t.Errorf("seed %d: the tail's recall goes from %.1f to %.1f, want a rise", seed, before, after)
		}
	}
}

// seeds is five times what f finds for a seed.
func seeds(f func(seed uint64) float64) (found []float64) {
	for seed := range uint64(5) {
		found = append(found, f(seed))
	}
	return found
}

func spread(v []float64) float64 { return slices.Max(v) - slices.Min(v) }

func mean(v []float64) (m float64) {
	for _, x := range v {
		m += x / float64(len(v))
	}
	return m
}

// says fails unless the chapter has the words, however its lines are broken.
func says(t *testing.T, chapter, format string, v ...any) {
	t.Helper()
	text, err := os.ReadFile(chapter + ".md")
	if err != nil {
		t.Fatal(err)
	}
	words := strings.Join(strings.Fields(fmt.Sprintf(format, v...)), " ")
	if !strings.Contains(strings.Join(strings.Fields(string(text)), " "), words) {
		t.Errorf("%s.md does not say %q", chapter, words)
	}
}

// The answer to chapter 2's question.
func TestMoreOfTheHead(t *testing.T) {
	fresh := lab.Clouds(99, 2, 2000, 2000)
	recall := func(head, tail int) []float64 {
		return seeds(func(seed uint64) float64 {
			points := lab.Clouds(seed, 2, head, tail)
			net := lab.NewNet(seed, 2, 2)
			net.Train(points, lab.Recipe{Epochs: 60, LR: 1})
			return *net.Test(fresh, points.Counts).PerClass[1]
		})
	}
	small, head, both := recall(200, 10), recall(2000, 10), recall(2000, 100)
	t.Logf("recall of the tail: 200 to 10 %.2f, 2000 to 10 %.2f, 2000 to 100 %.2f", small, head, both)
	says(t, "02-imbalance", "%.2f in the mean before and %.2f now", mean(small), mean(both))
	says(t, "02-imbalance", "goes from %.2f to %.2f with ten points of the tail, and from %.2f to %.2f with a hundred", slices.Min(small), slices.Max(small), slices.Min(both), slices.Max(both))
	for i := range small {
		if head[i] > 0.75*small[i] || head[i] > 0.2 {
			t.Errorf("seed %d: the tail's recall goes from %.2f to %.2f with more of the head, want a quarter less, and at most 0.2", i, small[i], head[i])
		}
	}
	if a, b := spread(small), spread(both); b > a/2 {
		t.Errorf("the tail's recall is within %.2f of 200 to 10 and %.2f of 2000 to 100, want less than half of that", a, b)
	}
}

// The answer to chapter 3's question.
func TestFocalLossAndTheTail(t *testing.T) {
	fresh := lab.Clouds(99, 2, 2000, 2000)
	measure := func(gamma float64) (recall, sure []float64) {
		for seed := range uint64(5) {
			points := lab.Clouds(seed, 2, 400, 20)
			net := lab.NewNet(seed, 2, 2)
			net.Train(points, lab.Recipe{Epochs: 200, LR: 2, Loss: kernels.SoftmaxLoss{GammaPos: gamma}})
			recall = append(recall, *net.Test(fresh, points.Counts).PerClass[1])
			p := tensor.Values(autograd.Exp(autograd.LogSoftmax(net.Forward(autograd.Const(points.X)))).Value)
			m := 0.
			for i := range points.Y {
				m += max(p[2*i], p[2*i+1]) / float64(len(points.Y))
			}
			sure = append(sure, m)
		}
		return recall, sure
	}
	recall, sure := measure(0)
	focal, modest := measure(2)
	t.Logf("gamma 0: recall %.3f, sure %.3f; gamma 2: recall %.3f, sure %.3f", recall, sure, focal, modest)
	most := 0.
	for i := range recall {
		most = max(most, recall[i]-focal[i])
		if focal[i] > recall[i] || focal[i] < recall[i]-0.03 {
			t.Errorf("seed %d: gamma 2 changes the tail's recall from %.3f to %.3f, want the same or a little less", i, recall[i], focal[i])
		}
		if modest[i] > sure[i]-0.08 {
			t.Errorf("seed %d: the mean of the larger probability goes from %.3f to %.3f with gamma 2, want a fall by more than 0.08", i, sure[i], modest[i])
		}
	}
	says(t, "03-difficulty", "%.2f to %.2f by cross-entropy, changes by at most %.2f, and never upwards", slices.Min(recall), slices.Max(recall), most)
	says(t, "03-difficulty", "%.2f in the mean by cross-entropy and %.2f with γ = 2", mean(sure), mean(modest))
}

// The answer to chapter 4's question.
func TestWeightsInBatches(t *testing.T) {
	fresh := lab.Clouds(99, 2, 2000, 2000)
	recipes := []lab.Recipe{{Batch: 1, Epochs: 20, LR: .01}, {Batch: 4, Epochs: 40, LR: .03}, {Batch: 16, Epochs: 60, LR: .1}, {Epochs: 100, LR: 1}}
	train := func(seed uint64, recipe lab.Recipe, head, tail float64) lab.Net {
		points := lab.Clouds(seed, 2, 200, 10)
		net := lab.NewNet(seed, 2, 2)
		recipe.Seed, recipe.Weights = seed, points.ByClass([]float64{head, tail})
		net.Train(points, recipe)
		return net
	}
	recalls := func(recipe lab.Recipe) []float64 {
		return seeds(func(seed uint64) float64 {
			return *train(seed, recipe, 210./400, 210./20).Test(fresh, []int{200, 10}).PerClass[1]
		})
	}
	whole := recalls(recipes[3])
	var smaller []float64 // by the weighted mean, of the batch before
	var means []any
	for _, recipe := range recipes {
		weighted := recalls(recipe)
		recipe.Mean = true
		literal := recalls(recipe)
		t.Logf("batch %d: weighted mean %.2f, %.3f in the mean; Eq 14 %.2f, %.3f in the mean", recipe.Batch, weighted, mean(weighted), literal, mean(literal))
		for i := range whole {
			if math.Abs(literal[i]-whole[i]) > 0.02 {
				t.Errorf("seed %d: by Eq 14 the tail's recall is %.3f at batch %d and %.3f on all points, want the same", i, literal[i], recipe.Batch, whole[i])
			}
			if recipe.Batch != 1 && weighted[i] < smaller[i]+0.03 {
				t.Errorf("seed %d: by the weighted mean the tail's recall is %.3f at batch %d (0 is all) and %.3f at the batch before, want more", i, weighted[i], recipe.Batch, smaller[i])
			}
		}
		smaller, means = weighted, append(means, mean(weighted))
	}
	says(t, "04-class-weights", "%.2f in the mean, %.2f at 4, %.2f at 16 and %.2f on all", means...)
	for seed := range uint64(5) {
		with, without := train(seed, recipes[0], 210./400, 210./20).Params(), train(seed, recipes[0], 1, 1).Params()
		for k, p := range with {
			a, b := tensor.Values(p.Var.Value), tensor.Values(without[k].Var.Value)
			for i := range a {
				if math.Abs(a[i]-b[i]) > 1e-9 {
					t.Errorf("seed %d: %s[%d] is %v with weights and %v without, at batch 1", seed, p.Name, i, a[i], b[i])
				}
			}
		}
	}
}

// balanced is the mean of the classes' recalls in points.
func balanced(net lab.Net, test lab.Set, counts []int) float64 {
	return 100 * net.Test(test, counts).Balanced
}

// The recipes of the network on small images, for either stage.
var (
	first  = lab.Recipe{Epochs: 20, Batch: 64, LR: .1, Decay: 5e-4}
	second = lab.Recipe{Epochs: 6, Batch: 64, LR: .01, Decay: 5e-4}
)

// trained is that network after cross-entropy; each seed is trained once.
func trained(images lab.Set, seed uint64) lab.Net {
	if stage1[seed] == nil {
		net, recipe := lab.NewNet(seed, 49, 32, 10), first
		recipe.Seed = seed
		net.Train(images, recipe)
		stage1[seed] = net
	}
	return stage1[seed].Clone()
}

var stage1 = map[uint64]lab.Net{}

// The answer to chapter 5's question.
func TestWhatTheSamplePartIsWorth(t *testing.T) {
	images, test := lab.Fashion()
	var areas, changes []float64
	var up, down, far = 0, 0, 0.
	for seed := range uint64(5) {
		net := trained(images, seed)
		features := net.Features(images)
		retrained := func(m phase.MSR) float64 {
			w, err := m.Weights(phase.Rows(features.X), images.Y, 10)
			if err != nil {
				t.Fatal(err)
			}
			twin, recipe := net.Clone(), second
			recipe.Seed, recipe.Weights = seed, w.Sample
			twin.Classifier().Train(features, recipe)
			return balanced(twin, test, images.Counts)
		}
		before, counts := balanced(net, test, images.Counts), retrained(phase.MSR{Gamma: 1, Alpha: 1})
		area, shift := retrained(phase.MSR{Local: phase.Area}), retrained(phase.MSR{Local: phase.AreaShift})
		literal := retrained(phase.MSR{Local: phase.Literal, Force: true})
		t.Logf("seed %d: stage 1 %.1f, w^n %.1f, area %.1f, area-shift %.1f, literal %.1f", seed, before, counts, area, shift, literal)
		if shift < before+4 {
			t.Errorf("seed %d: stage 1 has %.1f and stage 2 with w^e %.1f, want 4 points more", seed, before, shift)
		}
		if literal > before {
			t.Errorf("seed %d: Eq 12 as printed has %.1f after %.1f in stage 1, want less", seed, literal, before)
		}
		areas, changes, far = append(areas, area), append(changes, math.Abs(shift-area)), max(far, math.Abs(shift-counts))
		if shift > area+0.01 {
			up++
		} else if shift < area-0.01 {
			down++
		}
	}
	if up != 2 || down != 2 || far > 0.55 {
		t.Errorf("the sample part is worth something in %d seeds and costs in %d, and w^e is %.1f points from w^n, want 2, 2 and at most 0.5", up, down, far)
	}
	says(t, "05-features", "by %.1f points at most, twice up, twice down, once not at all, while the seeds lie %.1f points apart", slices.Max(changes), spread(areas))
}

// The answer to chapter 6's question.
func TestFiveRemedies(t *testing.T) {
	images, test := lab.Fashion()
	inverse, err := phase.Inverse(images.Counts)
	if err != nil {
		t.Fatal(err)
	}
	names := []string{"weights from the start", "DRW", "classifier with weights", "new classifier on balanced batches", "logit adjustment"}
	found := make([][]float64, len(names))
	wins := make([]int, len(names))
	var before, gains []float64
	for seed := range uint64(5) {
		with := func(r lab.Recipe) lab.Recipe { r.Seed, r.Weights = seed, images.ByClass(inverse); return r }
		net := trained(images, seed)
		before = append(before, balanced(net, test, images.Counts))

		start := lab.NewNet(seed, 49, 32, 10)
		start.Train(images, with(first))
		deferred, classifier, anew := net.Clone(), net.Clone(), net.Clone()
		deferred.Train(images, with(second))
		features := net.Features(images)
		classifier.Classifier().Train(features, with(second))
		anew.Classifier()[0].Reset(rand.New(rand.NewPCG(seed, 9)))
		anew.Classifier().Train(features, lab.Recipe{Epochs: 6, Batch: 64, LR: .03, Decay: 5e-4, Seed: seed, Balanced: true})
		net.Shift(images.LogPrior(-1))

		best := 0.
		for k, remedy := range []lab.Net{start, deferred, classifier, anew, net} {
			found[k] = append(found[k], balanced(remedy, test, images.Counts))
			best = max(best, found[k][seed])
		}
		for k := range names {
			if found[k][seed] == best {
				wins[k]++
			}
			gains = append(gains, found[k][seed]-before[seed])
		}
	}
	t.Logf("cross-entropy %.1f, %.1f in the mean", before, mean(before))
	var means, spreads []float64
	for k, name := range names {
		t.Logf("%s: %.1f, %.1f in the mean, best in %d", name, found[k], mean(found[k]), wins[k])
		means, spreads = append(means, mean(found[k])), append(spreads, spread(found[k]))
		if wins[k] == 5 {
			t.Errorf("%s is the best in every seed", name)
		}
	}
	if slices.Min(gains) < 3 || spread(means) > 1.5 || slices.Min(spreads) < spread(means) {
		t.Errorf("gains of at least %.1f points, means within %.1f, seeds within at least %.1f: want 3, 1.5 and more than the means", slices.Min(gains), spread(means), slices.Min(spreads))
	}
	says(t, "06-two-stages", "cross-entropy finds %.1f %% in the mean", mean(before))
	says(t, "06-two-stages", "by %.1f to %.1f points. Their means lie within %.1f points of each other, while the seeds of any one of them lie %.1f to %.1f points apart",
		slices.Min(gains), slices.Max(gains), spread(means), slices.Min(spreads), slices.Max(spreads))
}

// The answer to chapter 7's question.
func TestFlatGround(t *testing.T) {
	images, test := lab.Fashion()
	// measure is the training loss, its rise at a distance of 1, and the accuracy
	// as it is and without the prior.
	measure := func(seed uint64, rho float64) (v [4]float64) {
		net := trained(images, seed)
		if rho > 0 {
			recipe := first
			recipe.Seed, recipe.SAM = seed, rho
			net = lab.NewNet(seed, 49, 32, 10)
			net.Train(images, recipe)
		}
		v[0] = net.Loss(images)
		r := rand.New(rand.NewPCG(1, 0))
		for range 10 {
			v[1] += (net.Away(r).Loss(images) - v[0]) / 10
		}
		v[2] = balanced(net, test, images.Counts)
		net.Shift(images.LogPrior(-1))
		v[3] = balanced(net, test, images.Counts)
		return v
	}
	var sum, sumSAM [4]float64
	var changes []float64
	better := 0
	for seed := range uint64(5) {
		plain, sam := measure(seed, 0), measure(seed, .2)
		t.Logf("seed %d: loss %.3f and %.3f, rise %.4f and %.4f, accuracy %.1f and %.1f, without the prior %.1f and %.1f", seed, plain[0], sam[0], plain[1], sam[1], plain[2], sam[2], plain[3], sam[3])
		if sam[0] <= plain[0] || sam[1] >= plain[1] {
			t.Errorf("seed %d: the loss goes from %.3f to %.3f with SAM and its rise from %.4f to %.4f, want more and less", seed, plain[0], sam[0], plain[1], sam[1])
		}
		changes = append(changes, sam[2]-plain[2])
		if sam[3] > plain[3] {
			better++
		}
		for k := range sum {
			sum[k], sumSAM[k] = sum[k]+plain[k]/5, sumSAM[k]+sam[k]/5
		}
	}
	if better != 1 || mean(changes) > 0 {
		t.Errorf("SAM changes the accuracy by %.1f, and without the prior it is better in %d of 5 seeds, want no gain in the mean, and 1", changes, better)
	}
	says(t, "07-flat-minima", "The loss is higher in all five, %.2f after %.2f in the mean. The rise is smaller in all five, %.4f after %.4f", sumSAM[0], sum[0], sumSAM[1], sum[1])
	says(t, "07-flat-minima", "changes by %.1f to %+.1f points", slices.Min(changes), slices.Max(changes))
}
