package main

import (
	"context"
	"slices"

	"phase/autograd"
	"phase/nn"
	"phase/phase"
	"phase/phase/data"
	"phase/phase/train"
	"phase/tensor"
)

// explainedWeights is what stage 2's weights are made of.
type explainedWeights struct {
	Kind       string          `json:"kind"`
	Parameters map[string]any  `json:"parameters"` // of the weighting, by name
	Classes    []weighedClass  `json:"classes"`
	Class      int             `json:"class"` // whose samples are listed
	Samples    []weighedSample `json:"samples"`
	Batch      *explainedLoss  `json:"batch"` // stage 1's batch under stage 2's loss and weights; null where its samples are not among those weighed
}

type weighedClass struct {
	Class  int     `json:"class"`
	Name   string  `json:"name"`
	Count  int     `json:"count"`
	Global *figure `json:"global"`      // w^n (Eq 9)
	Area   *figure `json:"area"`        // effective area
	Of     *figure `json:"area_weight"` // wA, 1/area made to add up to C
	Weight figure  `json:"weight"`      // mean over the class
}

type weighedSample struct {
	Index  int     `json:"index"`
	Mean   *figure `json:"m"`       // mean correlation with its class (Eq 12's m_i)
	Shift  *figure `json:"q"`       // 2/(1+m)
	Shape  *figure `json:"q_mean1"` // q over its mean in the class
	Local  *figure `json:"local"`   // w^e
	Weight figure  `json:"weight"`  // w
}

// explainWeights explains stage 2: its weights, and its loss; nil if neither has
// anything to show or to be computed from.
func (in *inputs) explainWeights(how recipe, class, samples int) (*explainedWeights, error) {
	switch {
	case !how.twoStages:
		return nil, nil
	case how.weighting2.Of == nil:
		if how.loss2.Name == "ce" {
			return nil, nil
		}
		b, err := in.explainLoss(how.loss2, how.reduction)
		return &explainedWeights{Kind: "none", Batch: &b}, err
	case in.features == nil && phase.UsesFeatures(how.weighting2.Of) || in.labels == nil:
		return nil, nil
	}
	classes := 1 + slices.Max(in.labels)
	counts := make([]int, classes)
	for _, y := range in.labels {
		counts[y]++
	}
	r, err := weigh(how.weighting2, phase.Samples{Counts: counts, Labels: in.labels, Features: in.features})
	if err != nil {
		return nil, err
	}
	x := &explainedWeights{Kind: r.Kind, Parameters: parameters(how.weighting2), Class: class}
	if class < 0 {
		x.Class = rarest(counts)
	}
	if x.Class >= classes {
		return nil, usagef("--class %d: want 0 to %d", x.Class, classes-1)
	}
	at := func(v []figure, i int) *figure {
		if v == nil {
			return nil
		}
		return &v[i]
	}
	ofArea := areaWeights(r.Areas)
	for j, n := range counts {
		x.Classes = append(x.Classes, weighedClass{j, in.classes[j], n, at(r.Global, j), at(r.Areas, j), at(ofArea, j), r.Class[j]})
	}
	for i, y := range in.labels {
		if y != x.Class || len(x.Samples) == samples {
			continue
		}
		w := weighedSample{Index: i, Mean: at(r.Means, i), Local: at(r.Local, i), Weight: r.Sample[i]}
		if w.Mean != nil {
			q := 2 / (1 + *w.Mean)
			w.Shift = &q
		}
		if w.Mean != nil && ofArea != nil { // area-shift
			q := *w.Local / ofArea[y]
			w.Shape = &q
		}
		x.Samples = append(x.Samples, w)
	}
	return x, in.underWeights(x, r.Sample, how)
}

// underWeights explains the batch once more, under stage 2's loss.
func (in *inputs) underWeights(x *explainedWeights, weights []figure, how recipe) error {
	if in.apart {
		return nil
	}
	second := *in
	w := make([]float64, len(in.index))
	for k, i := range in.index {
		w[k] = float64(weights[i])
	}
	second.batch.weights = tensor.Of(w, len(w))
	b, err := second.explainLoss(how.loss2, how.reduction)
	x.Batch = &b
	return err
}

// areaWeights is 1/area of each class, made to add up to their number.
func areaWeights(areas []figure) []figure {
	if areas == nil {
		return nil
	}
	w, sum := make([]figure, len(areas)), figure(0)
	for j, a := range areas {
		w[j] = 1 / a
		sum += w[j]
	}
	for j := range w {
		w[j] *= figure(len(w)) / sum
	}
	return w
}

// rarest is the class with the fewest samples among those of more than 2, whose
// samples can weigh differently; or else the largest.
func rarest(counts []int) int {
	best := -1
	for j, n := range counts {
		if n > 2 && (best < 0 || n < counts[best]) {
			best = j
		}
	}
	if best < 0 {
		return slices.Index(counts, slices.Max(counts))
	}
	return best
}

// freshBatch is how many images a fresh model sees with those explained: batch
// norms of which no statistics are known yet take the batch's, as in training.
const freshBatch = 64

// fromModel is a batch of training samples, from the most frequent class to the
// rarest, with the model's logits for them, the features that a loss looks at
// and, if stage 2's weights do, those of the whole training set.
func fromModel(ctx context.Context, how recipe, s *train.Source, m nn.Model, fresh bool, samples int) (*inputs, error) {
	in := &inputs{classes: s.Train.Classes(), labels: data.Labels(s.Train), index: spread(s, samples)}
	n := len(in.index)
	in.shown = n
	all := make([]int, s.Train.Len())
	for i := range all {
		all[i] = i
	}
	seen := slices.Clone(in.index)
	for k := range min(freshBatch, len(all)) {
		if i := k * len(all) / freshBatch; fresh && !slices.Contains(seen, i) { // of all classes
			seen = append(seen, i)
		}
	}
	pass := func() *nn.Pass { return &nn.Pass{Train: fresh, Frozen: true} }
	first := func(f func(x *autograd.Var) *autograd.Var) (*tensor.Tensor, error) { // n rows
		v, d, err := forward(ctx, s, seen, len(seen), f)
		if err != nil {
			return nil, err
		}
		return tensor.Of(v[:n*d], n, d), nil
	}
	labels := make([]int64, n)
	for k, i := range in.index {
		labels[k] = int64(in.labels[i])
	}
	in.batch = batch{labels: tensor.Of(labels, n), weights: ones(n), counts: s.Counts}
	var err error
	if in.batch.logits, err = first(func(x *autograd.Var) *autograd.Var { return m.Forward(pass(), x) }); err != nil {
		return nil, err
	}
	if how.needs(phase.UsesFeatures) {
		if in.batch.features, err = first(func(x *autograd.Var) *autograd.Var { return m.Features(pass(), x) }); err != nil {
			return nil, err
		}
	}
	if how.weighting1.Of != nil {
		w, err := how.weighting1.Of.Weigh(phase.Samples{Counts: s.Counts, Labels: in.labels})
		if err != nil {
			return nil, err
		}
		for k, i := range in.index {
			tensor.Data[float64](in.batch.weights)[k] = w.Sample[i]
		}
	}
	if how.weighting2.Of != nil && phase.UsesFeatures(how.weighting2.Of) {
		f, d, err := forward(ctx, s, all, 200, func(x *autograd.Var) *autograd.Var { return m.Features(&nn.Pass{}, x) })
		if err != nil {
			return nil, err
		}
		in.features = phase.Rows(tensor.Of(f, len(all), d))
	}
	return in, nil
}

// forward is f of these training samples, batch by batch, and the width of its
// rows.
func forward(ctx context.Context, s *train.Source, order []int, batch int, f func(x *autograd.Var) *autograd.Var) (values []float64, width int, err error) {
	tape := autograd.Tape{Eval: true}
	l := &data.Loader{Data: s.Train, Batch: batch, Normalize: s.Normalize, Workers: 1, Order: func(int) []int { return order }}
	for b, err := range l.Epoch(ctx, 0, 0) {
		if err != nil {
			return nil, 0, err
		}
		tape.Reset()
		y := f(tape.Watch(b.X)).Value
		values, width = append(values, tensor.Values(y)...), y.Dim(1)
	}
	return values, width, nil
}

// spread chooses n samples of the training set, of classes evenly spread from
// the most frequent to the rarest.
func spread(s *train.Source, n int) (index []int) {
	order := make([]int, 0, len(s.Counts))
	for j, count := range s.Counts {
		if count > 0 {
			order = append(order, j)
		}
	}
	slices.SortStableFunc(order, func(a, b int) int { return s.Counts[b] - s.Counts[a] })
	of := map[int][]int{}
	for i := range s.Train.Len() {
		of[s.Train.Label(i)] = append(of[s.Train.Label(i)], i)
	}
	n = min(n, s.Train.Len())
	for k := range n {
		at := k * (len(order) - 1) / max(1, n-1)
		for len(of[order[at]]) == 0 { // used up
			at = (at + 1) % len(order)
		}
		class := order[at]
		index, of[class] = append(index, of[class][0]), of[class][1:]
	}
	return index
}
