package train

import (
	"bytes"
	"context"
	"encoding/csv"
	"fmt"
	"io"
	"slices"
	"strconv"

	"phase/nn"
	"phase/phase"
	"phase/phase/data"
	"phase/phase/longtail"
	"phase/tensor"
	"phase/tensor/atomicfile"
)

// weights are what the samples of a stage weigh.
type weights struct {
	kind   string
	class  []float64 // of each class, or the mean over its samples
	sample []float32 // of each training sample
}

// of is the weights of a batch, in order: ones if nothing is weighted.
func (w *weights) of(b *data.Batch) []float32 {
	out := make([]float32, len(b.Index))
	for i, at := range b.Index {
		out[i] = 1
		if w != nil {
			out[i] = w.sample[at]
		}
	}
	return out
}

// weigh computes the weights of the present epoch, where they are due: at the
// beginning of a stage, or before every epoch of a stage 2 that recomputes.
func (r *run) weigh(ctx context.Context) error {
	kind := r.c.Stage1Weight
	first := r.at.Epoch == 0
	if r.second() {
		kind, first = r.c.Stage2, r.at.Epoch == r.c.firstOfStage2()
	}
	if !first && !(r.second() && r.c.Recompute) {
		return nil
	}
	w, err := r.compute(ctx, kind)
	if err != nil {
		return err
	}
	r.weights = w
	if w != nil && first {
		lo, hi := slices.Min(w.class), slices.Max(w.class)
		r.o.Report(Event{Stage: r.stage(), Epoch: r.at.Epoch + 1, Epochs: r.c.Epochs, Note: fmt.Sprintf("%s weights of the classes: %.4g to %.4g", kind, lo, hi)})
	}
	return nil
}

// compute is the weights of one kind.
func (r *run) compute(ctx context.Context, kind string) (*weights, error) {
	w := &weights{kind: kind}
	var err error
	switch kind {
	case "none":
		return nil, nil
	case "inverse":
		w.class, err = phase.Inverse(r.s.Counts)
	case "effective":
		w.class, err = phase.Effective(r.s.Counts, r.c.Beta)
	case "adrw":
		w.class, err = phase.ADRW(r.s.Counts, r.c.Gamma)
	case "area", "msr":
		return r.fromFeatures(ctx, kind)
	}
	if err != nil {
		return nil, err
	}
	w.sample = make([]float32, r.s.Train.Len())
	for i := range w.sample {
		w.sample[i] = float32(w.class[r.s.Train.Label(i)])
	}
	return w, nil
}

// fromFeatures is the weights that depend on how the classes lie in feature
// space.
func (r *run) fromFeatures(ctx context.Context, kind string) (*weights, error) {
	f, labels, err := r.features(ctx, r.s.Train, r.c.FeaturesAugment)
	if err != nil {
		return nil, err
	}
	w := &weights{kind: kind}
	if kind == "area" {
		w.class, _, err = r.c.AREA().Weights(phase.Rows(f), labels, len(r.s.Counts))
		if err != nil {
			return nil, err
		}
		w.sample = make([]float32, len(labels))
		for i, y := range labels {
			w.sample[i] = float32(w.class[y])
		}
		return w, nil
	}
	res, err := r.c.MSR().Weights(phase.Rows(f), labels, len(r.s.Counts))
	if err != nil {
		return nil, err
	}
	w.class, w.sample = res.Class, make([]float32, len(labels))
	for i, v := range res.Sample {
		w.sample[i] = float32(v)
	}
	return w, nil
}

// evalBatch is how many images are evaluated at a time.
const evalBatch = 200

// features is the extractor's output in evaluation mode for every sample of
// ds, in order, as a tensor (n,d), and the labels.
func (r *run) features(ctx context.Context, ds data.Dataset, augmented bool) (*tensor.Tensor, []int, error) {
	l := &data.Loader{Data: ds, Batch: evalBatch, Seed: r.c.Seed, Workers: r.o.Workers, Normalize: r.s.Normalize}
	if augmented {
		a, err := r.augment()
		if err != nil {
			return nil, nil, err
		}
		l.Augment = a
	}
	var all []float32
	var plans nn.Plans
	dim := 0
	for b, err := range l.Epoch(ctx, r.at.Epoch, 0) {
		if err != nil {
			return nil, nil, err
		}
		r.eval.Reset()
		p := r.c.pass()
		p.Plans = &plans
		f := r.model.Features(&p, r.eval.Watch(b.X)).Value
		dim = f.Dim(1)
		all = append(all, tensor.Data[float32](f)...)
	}
	return tensor.Of(all, ds.Len(), dim), data.Labels(ds), nil
}

// A frozen holds the features of a frozen extractor, so that every image goes
// through it once.
type frozen struct{ train, test data.Dataset }

// loader gives the batches of the present stage.
func (r *run) loader(ctx context.Context) (*data.Loader, error) {
	l := &data.Loader{Data: r.s.Train, Batch: r.c.Batch, Shuffle: true, Seed: r.c.Seed, Workers: r.o.Workers, Normalize: r.s.Normalize, DropLast: false}
	var err error
	if l.Augment, err = r.augment(); err != nil {
		return nil, err
	}
	if !r.second() {
		return l, nil
	}
	if r.c.Stage2Augment == "none" {
		l.Augment = data.Augment{}
	}
	if !r.c.Freeze || l.Augment != (data.Augment{}) {
		return l, nil
	}
	if r.frozen == nil {
		if r.frozen, err = r.freeze(ctx); err != nil {
			return nil, err
		}
	}
	l.Data, l.Normalize = r.frozen.train, data.Normalize{}
	return l, nil
}

func (r *run) augment() (data.Augment, error) {
	shape := r.s.Train.Shape()
	if len(shape) != 3 {
		return data.Augment{}, nil
	}
	return data.ParseAugment(r.c.Augment, shape[1])
}

func (r *run) freeze(ctx context.Context) (*frozen, error) {
	var f frozen
	for _, part := range []struct {
		from data.Dataset
		to   *data.Dataset
	}{{r.s.Train, &f.train}, {r.s.Test, &f.test}} {
		x, labels, err := r.features(ctx, part.from, false)
		if err != nil {
			return nil, err
		}
		d, err := data.NewFeatures(tensor.Data[float32](x), x.Dim(1), labels, part.from.Classes())
		if err != nil {
			return nil, fmt.Errorf("features of the frozen extractor: %v", err)
		}
		*part.to = d
	}
	return &f, nil
}

// evaluate is the accuracy on the test set.
func (r *run) evaluate() (longtail.Accuracy, error) {
	forward, ds, norm := r.model.Forward, r.s.Test, r.s.Normalize
	if r.frozen != nil && r.second() {
		forward, ds, norm = r.model.Head().Forward, r.frozen.test, data.Normalize{}
	}
	l := &data.Loader{Data: ds, Batch: evalBatch, Workers: r.o.Workers, Normalize: norm}
	var predictions []int
	var plans nn.Plans
	for b, err := range l.Epoch(context.Background(), 0, 0) {
		if err != nil {
			return longtail.Accuracy{}, err
		}
		r.eval.Reset()
		p := r.c.pass()
		p.Plans = &plans
		predictions = append(predictions, argmax(forward(&p, r.eval.Watch(b.X)).Value)...)
	}
	return longtail.Evaluate(predictions, data.Labels(ds), r.s.Counts, r.c.Thresholds())
}

// writeWeights writes weights.csv: what each class weighed in the last stage.
func (r *run) writeWeights() error {
	groups, err := longtail.Groups(r.s.Counts, r.c.Thresholds())
	if err != nil {
		return err
	}
	var b bytes.Buffer
	w := csv.NewWriter(&b)
	w.Write([]string{"schema", "class", "name", "count", "group", "kind", "weight"})
	for i, n := range r.s.Counts {
		kind, weight := "none", 1.0
		if r.weights != nil {
			kind, weight = r.weights.kind, r.weights.class[i]
		}
		w.Write([]string{strconv.Itoa(Schema), strconv.Itoa(i), r.s.Train.Classes()[i], strconv.Itoa(n), groups[i].String(), kind, strconv.FormatFloat(weight, 'g', -1, 64)})
	}
	w.Flush()
	if err := w.Error(); err != nil {
		return err
	}
	return atomicfile.Write(r.dir.file(WeightsFile), func(f io.Writer) error { _, err := f.Write(b.Bytes()); return err })
}
