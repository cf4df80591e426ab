package train

import (
	"bytes"
	"context"
	"encoding/csv"
	"fmt"
	"io"
	"slices"
	"strconv"

	"phase/kernels"
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
	kind, weighting := r.c.Stage1Weights, r.c.Weighting1
	first := r.at.Epoch == 0
	if r.second() {
		kind, weighting, first = r.c.Stage2Weights, r.c.Weighting2, r.at.Epoch == r.c.firstOfStage2()
	}
	if !first && !(r.second() && r.c.Recompute) {
		return nil
	}
	r.weights = nil
	how, err := weighting()
	if err != nil || how == nil {
		return err
	}
	s := phase.Samples{Counts: r.s.Counts, Labels: data.Labels(r.s.Train)}
	if phase.UsesFeatures(how) {
		f, _, err := r.features(ctx, r.s.Train, r.c.FeaturesAugment, r.at.Epoch)
		if err != nil {
			return err
		}
		s.Features = phase.Rows(f)
	}
	res, err := how.Weigh(s)
	if err != nil {
		return err
	}
	r.weights = &weights{kind: kind, class: res.Class, sample: make([]float32, len(res.Sample))}
	for i, v := range res.Sample {
		r.weights.sample[i] = float32(v)
	}
	if first {
		lo, hi := slices.Min(res.Class), slices.Max(res.Class)
		r.o.Report(Event{Stage: r.stage(), Epoch: r.at.Epoch + 1, Epochs: r.c.Epochs, Note: fmt.Sprintf("%s weights of the classes: %.4g to %.4g", kind, lo, hi)})
	}
	return nil
}

// evalBatch is how many images are evaluated at a time.
const evalBatch = 200

// features is the extractor's output in evaluation mode for every sample of
// ds, in order, as a tensor (n,d), and the labels; of augmented images as they
// look in the given epoch.
func (r *run) features(ctx context.Context, ds data.Dataset, augmented bool, epoch int) (*tensor.Tensor, []int, error) {
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
	for b, err := range l.Epoch(ctx, epoch, 0) {
		if err != nil {
			return nil, nil, err
		}
		r.eval.Reset()
		p := r.c.pass()
		p.Plans = &plans
		f := r.model.Features(&p, r.eval.Watch(b.X)).Value
		dim = f.Dim(1)
		all = append(all, tensor.Fetch[float32](f)...)
	}
	return tensor.Of(all, ds.Len(), dim), data.Labels(ds), nil
}

// A frozen holds the features of a frozen extractor, so that every image goes
// through it once, or once for each of some augmented passes.
type frozen struct {
	train []data.Dataset // one a pass
	test  data.Dataset
}

// loader gives the batches of the present stage. On a device that keeps the images
// they are picks; the host makes its own batches in the loader's goroutines.
func (r *run) loader(ctx context.Context) (*data.Loader, error) {
	l, err := r.reader(ctx)
	if err != nil {
		return nil, err
	}
	images, ok := l.Data.(data.Images)
	by, makes := kernels.Registered(r.o.Device).(kernels.ImageMaker)
	if r.o.Device == tensor.CPU || !ok || !makes || r.c.Objective != "plain" || !l.Augment.Moves() || images.Len()*images.Shape().Size() > residentBytes {
		return l, nil
	}
	if r.resident == nil {
		if r.resident, err = data.NewResident(ctx, r.o.Device, by, images, l.Normalize); err != nil {
			return nil, err
		}
	}
	l.Picks = true
	return l, nil
}

// residentBytes is how many bytes of images a device keeps: those of every data set of
// 50,000 small images, and little of its memory.
const residentBytes = 256 << 20

// reader is a loader of batches on the host.
func (r *run) reader(ctx context.Context) (*data.Loader, error) {
	l := &data.Loader{Data: r.s.Train, Batch: r.c.Batch, Seed: r.c.Seed, Workers: r.o.Workers, Normalize: r.s.Normalize}
	var err error
	if l.Augment, err = r.augment(); err != nil {
		return nil, err
	}
	if !r.second() {
		return l, r.draw(l, r.c.Sampler, 0, r.c.firstOfStage2())
	}
	if r.c.Stage2Augment == "none" {
		l.Augment = data.Augment{}
	}
	if err := r.draw(l, r.c.Stage2Sampler, r.c.firstOfStage2(), r.c.Stage2Epochs); err != nil {
		return nil, err
	}
	random := l.Augment != (data.Augment{})
	if !r.c.Freeze || r.c.NormShift || random && r.c.FeaturePasses == 0 {
		return l, nil
	}
	if r.frozen == nil {
		if r.frozen, err = r.freeze(ctx, random); err != nil {
			return nil, err
		}
	}
	l.Data, l.Normalize, l.Augment = r.frozen.train[(r.at.Epoch-r.c.firstOfStage2())%len(r.frozen.train)], data.Normalize{}, data.Augment{}
	return l, nil
}

// draw makes a loader draw its images as the named sampler says, in a stage
// from epoch first on.
func (r *run) draw(l *data.Loader, name string, first, epochs int) error {
	s, err := with(r.c, Samplers, "sampler", name)
	if err != nil {
		return err
	}
	l.Order = Order(s, data.Labels(l.Data), r.s.Counts, l.Data.Len(), l.Seed, first, epochs)
	l.Shuffle = l.Order == nil
	return nil
}

func (r *run) augment() (data.Augment, error) {
	shape := r.s.Train.Shape()
	if len(shape) != 3 {
		return data.Augment{}, nil
	}
	return data.ParseAugment(r.c.Augment, shape[1])
}

// freeze computes the features of a frozen extractor: of the images as they are,
// or of each as it looks in some augmented passes.
func (r *run) freeze(ctx context.Context, random bool) (*frozen, error) {
	var f frozen
	passes := 1
	if random {
		passes = r.c.FeaturePasses
	}
	for k := range passes {
		d, err := r.frozenSet(ctx, r.s.Train, random, r.c.firstOfStage2()+k)
		if err != nil {
			return nil, err
		}
		f.train = append(f.train, d)
	}
	var err error
	f.test, err = r.frozenSet(ctx, r.s.Test, false, 0)
	return &f, err
}

func (r *run) frozenSet(ctx context.Context, ds data.Dataset, augmented bool, epoch int) (data.Dataset, error) {
	x, labels, err := r.features(ctx, ds, augmented, epoch)
	if err != nil {
		return nil, err
	}
	d, err := data.NewFeatures(tensor.Data[float32](x), x.Dim(1), labels, ds.Classes())
	if err != nil {
		return nil, fmt.Errorf("features of the frozen extractor: %v", err)
	}
	return d, nil
}

// scores is what the model says of each test image, in order.
func (r *run) scores(ctx context.Context) (all []longtail.Score, err error) {
	forward, ds, norm := r.model.Forward, r.s.Test, r.s.Normalize
	if r.frozen != nil && r.second() {
		forward, ds, norm = r.model.Head().Forward, r.frozen.test, data.Normalize{}
	}
	l := &data.Loader{Data: ds, Batch: evalBatch, Workers: r.o.Workers, Normalize: norm}
	labels := data.Labels(ds)
	var plans nn.Plans
	for b, err := range l.Epoch(ctx, 0, 0) {
		if err != nil {
			return nil, err
		}
		r.eval.Reset()
		p := r.c.pass()
		p.Plans = &plans
		logits := tensor.Fetch[float32](r.scaled(forward(&p, r.eval.Watch(b.X))).Value)
		s, err := longtail.Scores(logits, labels[len(all):len(all)+b.Y.Size()], len(r.s.Counts))
		if err != nil {
			return nil, err
		}
		all = append(all, s...)
	}
	return all, nil
}

// evaluate is the accuracy on the test set.
func (r *run) evaluate(ctx context.Context) (longtail.Accuracy, error) {
	scores, err := r.scores(ctx)
	if err != nil {
		return longtail.Accuracy{}, err
	}
	predictions := make([]int, len(scores))
	for i, s := range scores {
		predictions[i] = s.Prediction
	}
	return longtail.Evaluate(predictions, data.Labels(r.s.Test), r.s.Counts, r.c.Thresholds())
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
