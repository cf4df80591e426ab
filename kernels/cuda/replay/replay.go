// Package replay finds out that a program does the same thing again, and lets a
// device do it as one.
//
// A training step is some hundreds of launches, each of which takes a processor a
// few microseconds, and the next step is the same launches with the same arguments:
// memory comes back from an arena at the same addresses, and what differs is in it.
// CUDA can record launches as a graph and start that in one call. A Replayer sees
// all launches between two points where the host takes part (a Part), records a
// Part that came twice, and from then on starts its graph. Nobody needs to say what
// a step is, and what does not repeat is launched as it comes.
package replay

import (
	"slices"

	"phase/kernels/cuda/launch"
)

// Zero is the Kernel of a launch that fills memory with zeros: its arguments are an
// address and a number of bytes.
const Zero = ""

// A Graph is launches that a Stream has recorded.
type Graph any

// A Stream is where launches run in order.
type Stream interface {
	Launch(l launch.Launch) error
	Record(part []launch.Launch) (Graph, error) // without running them
	Start(g Graph) error
	Drop(g Graph) error
}

// A Part is recorded if it has so many launches.
const least = 4

// most is how many different Parts are remembered.
const most = 16

// A Replayer hands launches to a Stream. Arguments lie outside scratch memory.
type Replayer struct {
	On Stream

	known []*part // the latest last
	now   []launch.Launch
	guess *part // which now may turn out to be: its first held launches
	held  int   // have come and have not been handed on
}

type part struct {
	launches []launch.Launch
	graph    Graph // nil until it came twice
}

// Add runs l, now or by Flush at the latest.
func (r *Replayer) Add(l launch.Launch) error {
	if r.guess == nil && len(r.now) == 0 {
		r.guess = r.like(nil, l)
	}
	if r.guess != nil {
		if !r.continues(r.guess, l) {
			if other := r.like(r.guess.launches[:r.held], l); other != nil {
				r.guess = other
			} else if err := r.release(); err != nil {
				return err
			}
		}
		if r.guess != nil {
			r.held++
			return nil
		}
	}
	r.now = append(r.now, own(l))
	return r.On.Launch(l)
}

// continues reports whether l comes next in p.
func (r *Replayer) continues(p *part, l launch.Launch) bool {
	return r.held < len(p.launches) && same(p.launches[r.held], l)
}

// like is the latest part with a graph that begins with these launches and goes on
// with l.
func (r *Replayer) like(begin []launch.Launch, l launch.Launch) *part {
	for _, p := range slices.Backward(r.known) {
		if p.graph != nil && len(p.launches) > len(begin) && r.continues(p, l) && slices.EqualFunc(p.launches[:len(begin)], begin, same) {
			return p
		}
	}
	return nil
}

// release runs what was held back: the guess was wrong.
func (r *Replayer) release() error {
	begin := r.guess.launches[:r.held]
	r.now = append(r.now, begin...)
	r.guess, r.held = nil, 0
	for _, l := range begin {
		if err := r.On.Launch(l); err != nil {
			return err
		}
	}
	return nil
}

// Flush ends a part. All that was added has been handed on when it returns.
func (r *Replayer) Flush() error {
	if r.guess != nil {
		if p := r.find(r.guess.launches[:r.held]); p != nil && p.graph != nil {
			r.guess, r.held = nil, 0
			r.touch(p)
			return r.On.Start(p.graph)
		}
		if err := r.release(); err != nil {
			return err
		}
	}
	now := r.now
	r.now = nil
	if len(now) < least {
		return nil
	}
	if p := r.find(now); p != nil {
		r.touch(p)
		if p.graph != nil {
			return nil
		}
		var err error
		p.graph, err = r.On.Record(p.launches)
		return err
	}
	if r.known = append(r.known, &part{launches: now}); len(r.known) > most {
		return r.forget(1)
	}
	return nil
}

// find is the part that is these launches, nil if none is.
func (r *Replayer) find(launches []launch.Launch) *part {
	for _, p := range r.known {
		if slices.EqualFunc(p.launches, launches, same) {
			return p
		}
	}
	return nil
}

// touch makes p the latest.
func (r *Replayer) touch(p *part) {
	i := slices.Index(r.known, p)
	r.known = append(slices.Delete(r.known, i, i+1), p)
}

// Forget drops all graphs, as when memory that they name is gone. It comes after a
// Flush.
func (r *Replayer) Forget() error { return r.forget(len(r.known)) }

func (r *Replayer) forget(n int) error {
	for _, p := range r.known[:n] {
		if p.graph != nil {
			if err := r.On.Drop(p.graph); err != nil {
				return err
			}
		}
	}
	r.known = slices.Delete(r.known, 0, n)
	return nil
}

// own is l, to keep: without the tensors behind its arguments, whose memory would
// not come back otherwise.
func own(l launch.Launch) launch.Launch {
	l.Args = slices.Clone(l.Args)
	for i := range l.Args {
		l.Args[i].Of = nil
	}
	return l
}

func same(a, b launch.Launch) bool {
	return a.Kernel == b.Kernel && a.Grid == b.Grid && a.Block == b.Block &&
		slices.EqualFunc(a.Args, b.Args, func(a, b launch.Arg) bool { return a.Bits == b.Bits })
}
