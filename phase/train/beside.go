package train

import (
	"context"
	"errors"
	"iter"

	"phase/phase/data"
)

// A stream is batches that an objective wants in every step besides the first,
// and where in the Step they go.
type stream struct {
	data.Loader
	give func(*Step, *data.Batch)
}

// streams lists what the objective asked for besides the batches of l.
func (r *run) streams(l data.Loader) (all []stream) {
	add := func(l data.Loader, give func(*Step, *data.Batch)) { all = append(all, stream{l, give}) }
	twice := func(l data.Loader, give func(*Step, *data.Batch)) {
		if r.asked.Twice {
			l.Again = true
			add(l, give)
		}
	}
	twice(l, func(s *Step, b *data.Batch) { s.XAgain = b.X })
	d := r.asked.Other
	if d == nil {
		return all
	}
	w := r.weights
	o := data.Loader{Data: r.s.Train, Batch: r.c.Batch, Seed: ^r.c.Seed, Workers: r.o.Workers, Normalize: r.s.Normalize, Augment: l.Augment}
	if d.From != nil {
		o.Data, o.Augment, w = d.From, data.Augment{}, nil
	}
	o.Order = Order(d.By, data.Labels(o.Data), r.s.Counts, r.s.Train.Len(), o.Seed, 0, r.c.firstOfStage2())
	o.Shuffle = o.Order == nil
	add(o, func(s *Step, b *data.Batch) { s.Other, s.OtherWeights = b, w.of(b) })
	if d.From == nil {
		twice(o, func(s *Step, b *data.Batch) { s.OtherAgain = b.X })
	}
	return all
}

// beside gives the steps of the present epoch, from the present one on, what
// their objective asked for besides the batches of l. done ends it.
func (r *run) beside(ctx context.Context, l *data.Loader) (next func(*Step) error, done func()) {
	var nexts []func(*Step) error
	var stops []func()
	if !r.second() {
		for _, t := range r.streams(*l) {
			pull, stop := iter.Pull2(t.Epoch(ctx, r.at.Epoch, r.at.Step))
			stops = append(stops, stop)
			nexts = append(nexts, func(s *Step) error {
				b, err, ok := pull()
				if !ok {
					return errors.New("the batches besides the first ran out")
				}
				if err == nil {
					t.give(s, b)
				}
				return err
			})
		}
	}
	next = func(s *Step) error {
		for _, n := range nexts {
			if err := n(s); err != nil {
				return err
			}
		}
		return nil
	}
	done = func() {
		for _, stop := range stops {
			stop()
		}
	}
	return next, done
}
