package train

import (
	"fmt"
	"math"

	"phase/autograd"
	"phase/kernels"
	"phase/phase"
	"phase/phase/data"
	"phase/tensor"
)

// stepOn is the present step, on this batch.
func (r *run) stepOn(b *data.Batch) *Step {
	s := &Step{Tape: &r.tape, Model: r.model, X: b.X, Y: b.Y, Weights: r.weights.of(b), Counts: r.s.Counts,
		Epoch: r.at.Epoch, Epochs: r.c.firstOfStage2(), By: r.loss, Mean: r.c.Reduction == string(phase.Mean),
		Seed: r.c.Seed ^ uint64(r.at.Epoch)<<32 ^ uint64(r.at.Step)}
	if r.second() {
		s.Epoch, s.Epochs = r.at.Epoch-r.c.firstOfStage2(), r.c.Stage2Epochs
	}
	return s
}

// step takes a step and returns its loss and how many of its batch were right.
func (r *run) step(s *Step, lr float64) (loss float64, right int, err error) {
	var first *tensor.Tensor // the logits of the first pass
	loss = r.opt.Step(lr, func(pass int) *autograd.Var {
		r.tape.Reset()
		p := r.c.pass()
		p.Train, p.Frozen, p.Seed = true, pass > 0, s.Seed
		s.Pass = &p
		var l, logits *autograd.Var
		if r.second() {
			l, logits = r.step2(s)
		} else {
			l, logits = r.step1(s)
		}
		r.tape.Backward(l)
		if r.c.Clip > 0 {
			r.opt.Parameters().ClipNorm(r.c.Clip)
		}
		if pass == 0 {
			first = logits.Value
			if r.c.SAM > 0 { // the second pass takes its memory
				first = r.kept(first)
			}
		}
		return l
	})
	right = hits(first, s.Y)
	if math.IsNaN(loss) || math.IsInf(loss, 0) {
		return 0, 0, fmt.Errorf("the loss became %g in epoch %d, step %d, at learning rate %g: a smaller --lr may help; the last good checkpoint, after epoch %d, is in %s",
			loss, r.at.Epoch+1, r.at.Step+1, lr, r.saved, r.dir.path)
	}
	return loss, right, nil
}

// kept is a copy of logits that lasts until the next one.
func (r *run) kept(logits *tensor.Tensor) *tensor.Tensor {
	if r.logits == nil || !r.logits.Shape().Equal(logits.Shape()) {
		r.logits = tensor.Like(logits)
	}
	kernels.For(logits).Copy(r.logits, logits)
	return r.logits
}

// step2 is a step of stage 2: of the whole model, of the head on the frozen
// extractor's features, or of the head on cached ones.
func (r *run) step2(s *Step) (loss, logits *autograd.Var) {
	var features *autograd.Var
	switch {
	case r.frozen != nil:
		features = r.tape.Watch(s.X)
	case r.c.Freeze:
		r.eval.Reset()
		eval := r.c.pass()
		eval.Train, eval.Frozen = r.c.NormShift, s.Pass.Frozen
		f := r.model.Features(&eval, r.eval.Watch(s.X))
		features = r.tape.Watch(f.Value)
	default:
		features = r.model.Features(s.Pass, r.tape.Watch(s.X))
	}
	logits = r.scaled(r.model.Head().Forward(s.Pass, features))
	return s.Loss(features, logits, s.Y, s.Weights), logits
}

// scaled is the logits times the factors of their classes, where there are any.
func (r *run) scaled(logits *autograd.Var) *autograd.Var {
	if r.scales == nil {
		return logits
	}
	return autograd.Mul(logits, r.scales.Scale)
}

func sum(w []float32) (s float64) {
	for _, v := range w {
		s += float64(v)
	}
	return s
}

// hits counts the rows of logits (n,k) whose largest element is the label's.
func hits(logits, labels *tensor.Tensor) (n int) {
	y := tensor.Data[int64](labels)
	for i, p := range argmax(logits) {
		if int64(p) == y[i] {
			n++
		}
	}
	return n
}

// argmax is the position of the first largest element of each row of x (n,k).
func argmax(x *tensor.Tensor) []int {
	k, v := x.Dim(1), tensor.Fetch[float32](x)
	out := make([]int, x.Dim(0))
	for i := range out {
		row := v[i*k : (i+1)*k]
		for j := range row {
			if row[j] > row[out[i]] {
				out[i] = j
			}
		}
	}
	return out
}
