// Package lab is the bench of the book: problems small enough to be solved while
// one looks, and in float64, so that every machine prints the same figures.
//
// There are only a few types: a Set is points and their classes, a Net is a
// classifier of a few layers, and a Recipe says how one is trained.
package lab

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"

	"phase/autograd"
	"phase/kernels"
	"phase/nn"
	"phase/optim"
	"phase/phase/data"
	"phase/phase/longtail"
	"phase/tensor"
)

// A Set is points and their classes.
type Set struct {
	X      *tensor.Tensor // F64 (n,d)
	Y      []int          // (n), 0 to C-1
	Counts []int          // (C), the points of each class
}

// Clouds draws head points of class 0 around (-1, 0, ...) and tail points of class
// 1 around (1, 0, ...), normal with deviation 1 in each of d directions. More of a
// class are those of before and others.
func Clouds(seed uint64, d, head, tail int) Set {
	var x []float64
	var y []int
	for class, n := range []int{head, tail} {
		r := rand.New(rand.NewPCG(seed, uint64(class)))
		for range n {
			for k := range d {
				x = append(x, r.NormFloat64())
				if k == 0 {
					x[len(x)-1] += float64(2*class - 1)
				}
			}
			y = append(y, class)
		}
	}
	return Set{tensor.Of(x, len(y), d), y, []int{head, tail}}
}

// Fashion is the embedded Fashion-MNIST-LT shrunk from 28 to 7 pixels a side: 49
// greys of about mean 0 and deviation 1. The files are part of the program, so
// that an error is a mistake in it, and panics.
func Fashion() (training, test Set) {
	pair, err := data.Open(context.Background(), data.Spec{Data: "fashion"})
	if err != nil {
		panic(err)
	}
	return shrink(pair.Train), shrink(pair.Test)
}

func shrink(ds data.Dataset) Set {
	x, image := make([]float64, 49*ds.Len()), make([]uint8, 28*28)
	for i := range ds.Len() {
		if err := ds.(data.Images).Pixels(i, image); err != nil {
			panic(err)
		}
		row := x[49*i:]
		for k := range 49 {
			row[k] = -.3 / .35
		}
		for at, v := range image {
			row[at/28/4*7+at%28/4] += float64(v) / 255 / 16 / .35
		}
	}
	return Set{tensor.Of(x, ds.Len(), 49), data.Labels(ds), data.Counts(ds)}
}

// ByClass is the number of each point's class.
func (s Set) ByClass(class []float64) []float64 {
	v := make([]float64, len(s.Y))
	for i, y := range s.Y {
		v[i] = class[y]
	}
	return v
}

// labels is the classes as a loss takes them.
func (s Set) labels() *tensor.Tensor {
	y := make([]int64, len(s.Y))
	for i, class := range s.Y {
		y[i] = int64(class)
	}
	return tensor.Of(y, len(y))
}

// LogPrior is so many times the logarithm of each class's share of the points.
func (s Set) LogPrior(times float64) []float64 {
	v := make([]float64, len(s.Counts))
	for j, n := range s.Counts {
		v[j] = times * math.Log(float64(n)/float64(len(s.Y)))
	}
	return v
}

// A Net is linear layers with a ReLU after each but the last, the classifier.
type Net []*nn.Linear

// NewNet makes layers of these widths, from the length of a point to the number of
// classes: two widths are a linear classifier.
func NewNet(seed uint64, widths ...int) (net Net) {
	r := rand.New(rand.NewPCG(seed, 2))
	for k, in := range widths[:len(widths)-1] {
		l := nn.NewLinear(r, in, widths[k+1])
		nn.Cast(l, tensor.F64)
		net = append(net, l)
	}
	return net
}

// Clone is a copy that is trained apart.
func (net Net) Clone() (twin Net) {
	copied := func(v *autograd.Var) *autograd.Var {
		return autograd.Param(tensor.Of(tensor.Values(v.Value), v.Shape()...))
	}
	for _, l := range net {
		twin = append(twin, &nn.Linear{Weight: copied(l.Weight), Bias: copied(l.Bias)})
	}
	return twin
}

// Classifier is the last layer, as a Net on Features. It is not copied.
func (net Net) Classifier() Net { return net[len(net)-1:] }

// Params are the parameters of all layers.
func (net Net) Params() (ps optim.Params) {
	for k, l := range net {
		ps = append(ps, optim.Param{Name: fmt.Sprintf("%d.weight", k), Var: l.Weight}, optim.Param{Name: fmt.Sprintf("%d.bias", k), Var: l.Bias})
	}
	return ps
}

// Forward is the logits of x (n,d), (n,C).
func (net Net) Forward(x *autograd.Var) *autograd.Var {
	for k, l := range net {
		if k > 0 {
			x = autograd.ReLU(x)
		}
		x = l.Forward(&nn.Pass{}, x)
	}
	return x
}

// Features is the set as the classifier sees it.
func (net Net) Features(s Set) Set {
	if last := len(net) - 1; last > 0 {
		s.X = autograd.ReLU(net[:last].Forward(autograd.Const(s.X))).Value
	}
	return s
}

// Shift adds a number to each class's logit, by way of the classifier's bias.
func (net Net) Shift(by []float64) {
	bias := tensor.Data[float64](net.Classifier()[0].Bias.Value)
	for j, v := range by {
		bias[j] += v
	}
}

// Away is a copy whose parameters lie a distance of 1 from the net's, in a random
// direction.
func (net Net) Away(r *rand.Rand) Net {
	twin, square := net.Clone(), 0.
	var steps [][]float64
	for _, p := range twin.Params() {
		step := make([]float64, p.Var.Value.Size())
		for i := range step {
			step[i] = r.NormFloat64()
			square += step[i] * step[i]
		}
		steps = append(steps, step)
	}
	for k, p := range twin.Params() {
		for i, v := range steps[k] {
			tensor.Data[float64](p.Var.Value)[i] += v / math.Sqrt(square)
		}
	}
	return twin
}

// Loss is the mean cross-entropy of a set.
func (net Net) Loss(s Set) float64 {
	return autograd.Mean(autograd.CrossEntropy(net.Forward(autograd.Const(s.X)), s.labels())).Item()
}

// Test is the accuracy on a set; counts are those of training, by which classes
// are many-, medium- or few-shot.
func (net Net) Test(s Set, counts []int) longtail.Accuracy {
	z := tensor.Values(net.Forward(autograd.Const(s.X)).Value)
	var found []int
	for row := range slices.Chunk(z, len(counts)) {
		found = append(found, slices.Index(row, slices.Max(row)))
	}
	a, err := longtail.Evaluate(found, s.Y, counts, longtail.Thresholds{})
	if err != nil {
		panic(err)
	}
	return a
}

// A Recipe says how a Net is trained: SGD with momentum 0.9 on cross-entropy,
// unless it says otherwise. The learning rate falls to a tenth for the last three
// tenths of the epochs.
type Recipe struct {
	Epochs   int
	Batch    int     // points in a step; 0 takes all, in every step
	LR       float64 // learning rate
	Decay    float64 // of weights
	SAM      float64 // radius of sharpness-aware minimisation
	Seed     uint64  // of the order of points
	Loss     kernels.SoftmaxLoss
	Weights  []float64 // of the points; nil is 1 each
	Mean     bool      // divide by the number of points in the batch (Eq 14), not by the sum of their weights
	Balanced bool      // draw a class, all with the same chance, then one of its points
}

// Train changes the net.
func (net Net) Train(s Set, recipe Recipe) {
	n, batch := len(s.Y), recipe.Batch
	if batch == 0 {
		batch = n
	}
	byClass := make([][]int, len(s.Counts))
	for i, y := range s.Y {
		byClass[y] = append(byClass[y], i)
	}
	var opt optim.Optimizer = &optim.SGD{Params: net.Params(), Momentum: .9, Decay: recipe.Decay}
	if recipe.SAM > 0 {
		opt = &optim.SAM{Base: opt, Rho: recipe.SAM}
	}
	lr := optim.MultiStep(recipe.LR, .1, (recipe.Epochs*7+9)/10)
	r := rand.New(rand.NewPCG(recipe.Seed, 3))
	var tape autograd.Tape
	for epoch := range recipe.Epochs {
		order := r.Perm(n)
		for k := range order {
			if recipe.Balanced {
				class := byClass[r.IntN(len(byClass))]
				order[k] = class[r.IntN(len(class))]
			}
		}
		for part := range slices.Chunk(order, batch) {
			x, y, w, by := s.batch(part, recipe)
			opt.Step(lr(epoch), func(int) *autograd.Var {
				tape.Reset()
				loss := autograd.Scale(autograd.Sum(autograd.SoftmaxLoss(net.Forward(tape.Watch(x)), y, w, recipe.Loss)), 1/by)
				tape.Backward(loss)
				return loss
			})
		}
	}
}

// batch is the points of these numbers, their labels and weights, and what the sum
// of their losses is divided by.
func (s Set) batch(part []int, recipe Recipe) (x, y, w *tensor.Tensor, by float64) {
	d, data := s.X.Dim(1), tensor.Data[float64](s.X)
	var rows, weights []float64
	var labels []int64
	for _, i := range part {
		rows, labels, weights = append(rows, data[i*d:(i+1)*d]...), append(labels, int64(s.Y[i])), append(weights, 1)
		if recipe.Weights != nil {
			weights[len(weights)-1] = recipe.Weights[i]
		}
		by += weights[len(weights)-1]
	}
	if recipe.Mean {
		by = float64(len(part))
	}
	return tensor.Of(rows, len(part), d), tensor.Of(labels, len(part)), tensor.Of(weights, len(part)), by
}
