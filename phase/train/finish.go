package train

import (
	"context"
	"errors"
	"slices"

	"phase/kernels"
	"phase/nn"
	"phase/phase/longtail"
	"phase/tensor"
)

// finish writes the model, the weights and the result.
func (r *run) finish(ctx context.Context) (*Result, error) {
	r.fold()
	if err := r.adjust(ctx); errors.Is(err, context.Canceled) {
		return nil, ErrInterrupted // the last epoch's checkpoint stands
	} else if err != nil {
		return nil, err
	}
	res := &Result{
		Schema: Schema, Method: r.c.Method, Data: r.c.Data, Imbalance: r.c.Imbalance, Model: r.c.Model, Width: r.c.Width, Seed: r.c.Seed,
		Device:      kernels.For(r.opt.Parameters()[0].Var.Value).String(),
		TrainImages: r.s.Train.Len(), TestImages: r.s.Test.Len(), SkippedImages: len(r.s.Skipped), Classes: len(r.s.Counts), Counts: r.s.Counts,
		Stages: r.stages, Accuracy: r.last, Chosen: r.chosen, Seconds: r.at.Total,
	}
	scores, err := r.scores(context.Background()) // an interrupt came before or does not come
	if err != nil {
		return nil, err
	}
	c, err := longtail.Calibrate(scores)
	if err != nil {
		return nil, err
	}
	res.Calibration = &c
	if res.Margins, err = longtail.Margins(scores, len(r.s.Counts)); err != nil {
		return nil, err
	}
	var rates []float64
	for _, e := range r.history {
		if e.Test != nil && e.Test.Overall > res.Best.Overall {
			res.Best = Best{Epoch: e.Epoch, Overall: e.Test.Overall}
		}
		if e.Epoch <= r.c.firstOfStage2() || r.c.firstOfStage2() == 0 {
			rates = append(rates, e.ImagesPerSecond)
		}
	}
	slices.Sort(rates)
	res.ImagesPerSecond = rates[len(rates)/2]
	settled := r.c
	settled.Choose = "" // what was chosen is among the parameters
	if err := saveModel(r.dir.file(ModelFile), settled, r.s, r.model); err != nil {
		return nil, err
	}
	if err := r.writeWeights(); err != nil {
		return nil, err
	}
	if err := r.dir.writeMetrics(r.history); err != nil {
		return nil, err
	}
	return res, WriteJSON(r.dir.file(ResultFile), res)
}

// fold makes the factors of the classes part of the classifier: s(w·x + b) is
// (sw)·x + sb.
func (r *run) fold() {
	if r.scales == nil {
		return
	}
	h, s := r.model.Head().(*nn.Linear), tensor.Fetch[float32](r.scales.Scale.Value)
	onHost(r.o.Device, h, func() { scaleRows(h, s) })
	r.scales = nil
}

// scaleRows multiplies each row of a classifier, and its bias, by a factor.
func scaleRows(h *nn.Linear, s []float32) {
	w, b := tensor.Data[float32](h.Weight.Value), tensor.Data[float32](h.Bias.Value)
	d := len(w) / len(s)
	for j, f := range s {
		b[j] *= f
		for k := range d {
			w[j*d+k] *= f
		}
	}
}
