package cpu

import (
	"phase/kernels"
	"phase/tensor"
)

// derivative is the part of a link that goes backwards: an item's gradient comes
// out of the norm behind the convolution, goes through both derivatives of the
// convolution and is cut by the ReLU before it, in the near caches; so the norm
// before has its sums at once.
type derivative struct {
	phases  []*scratch // gathers of the derivative by the source; none where nobody wants it
	weights *weightGrad
	chunks  int // of the weights, if they are made of whole items, else 0

	next     *norming  // whose gradient the source's is, once it is cut; nil for the branch's source
	dx       numbers   // the source's gradient, none where not wanted
	adds     bool      // to what dx holds
	dz, seen []float32 // in memory the destination's gradient and the convolution's input, nil where they stay in caches

	early, late share // what the shortcut receives, before the convolution or on top of dx
}

// A share is the shortcut's gradient: d += dy where y > 0, or everywhere if y is
// none.
type share struct {
	d, y, dy numbers // d: none where there is nothing to do
	fresh    bool
}

// pass gives their share to the numbers from lo to hi-1, a block at a time: a call of
// a kernel is not to last.
func (b *Backend) pass(s *share, lo, hi int) {
	if s.d.none() {
		return
	}
	for ; lo < hi; lo += block {
		b.passBlock(s, lo, min(lo+block, hi))
	}
}

func (b *Backend) passBlock(s *share, lo, hi int) {
	d := s.d.part(lo, hi-lo)
	if d.h == nil {
		b.passTo(d.f, s, lo, nil)
		return
	}
	buf := b.pool.get(2 * len(d.h))
	defer b.pool.put(buf)
	sum, spare := buf.f[:len(d.h)], buf.f[len(d.h):]
	if !s.fresh {
		b.wide(d, sum)
	}
	b.passTo(sum, s, lo, spare)
	b.keep(d, sum)
}

// passTo gives d the share of the numbers from lo on. spare is memory for as many,
// where they are in halves.
func (b *Backend) passTo(d []float32, s *share, lo int, spare []float32) {
	y, dy := s.y.part(lo, len(d)), s.dy.part(lo, len(d))
	switch {
	case y.h != nil && s.fresh:
		b.norm.half.reluGrad(d, y.h, dy.h)
	case y.h != nil:
		b.norm.half.reluGradAdd(d, y.h, dy.h)
	case y.f != nil:
		b.reluGrad(d, s.fresh, y.f, dy.f)
	case dy.h != nil && s.fresh:
		b.point.widen(d, dy.h)
	case dy.h != nil:
		b.point.add(d, d, b.wide(dy, spare))
	default:
		b.addScaled(d, s.fresh, dy.f, 1)
	}
}

// fewestChunks is how many chunks of weight gradients keep processors busy; with
// fewer of them, which wide filters have, the weights come after the images.
const fewestChunks = 8

// backward computes the items of a chunk, and what they give to the weights.
func (l *link) backward(chunk int) {
	first, end := chunk, chunk+1
	if l.chunks > 0 {
		first, end = chunk*l.items()/l.chunks, (chunk+1)*l.items()/l.chunks
	}
	s := l.pool.get(l.group*l.dest + l.roomSize() + l.inputSize())
	defer l.pool.put(s)
	for i := first; i < end; i++ {
		dz, seen := l.backwardItem(s, i)
		if l.chunks > 0 {
			w := &s.weightGrad
			*w = *l.weights
			w.src, w.dst, w.images = seen, dz, len(dz)/l.dest
			for piece := range w.groups * w.pieces {
				l.addWeightGrad(w, w.partial[chunk*w.size:][:w.size], 0, w.images, piece, i > first)
			}
		}
	}
}

// roomSize is the memory for an item's dx, if it is not computed in place.
func (l *link) roomSize() int { return len(l.dx.part(0, l.group*l.source).h) }

// backwardItem computes the gradients of an item's images and returns what the
// weights' gradient is made of.
func (l *link) backwardItem(s *scratch, i int) (dz, seen []float32) {
	first, n := l.item(i)
	dz, buf := s.f[:n*l.dest], s.f[l.group*l.dest:]
	seen = buf[l.roomSize():]
	if l.dz != nil {
		dz = l.dz[first*l.dest:][:n*l.dest]
	}
	if l.seen != nil {
		seen = l.seen[first*l.source:]
	}
	l.pass(&l.early, first*l.dest, (first+n)*l.dest)
	l.after.gradTo(dz, first*l.dest)
	seen = l.input(seen, first, n)
	if l.dx.none() {
		return dz, seen
	}
	into := l.dx.part(first*l.source, n*l.source)
	dx := into.room(buf)
	if l.adds {
		l.wide(into, dx)
	}
	for _, phase := range l.phases {
		l.gatherImages(&phase.gather, dz, dx, n)
	}
	row := l.after.row
	if l.next != nil {
		row = l.next.row
	}
	var spare []float32
	if l.late.dy.h != nil {
		more := l.pool.get(row)
		defer l.pool.put(more)
		spare = more.f
	}
	if l.next != nil {
		start := first * l.source
		ready := func(lo, hi int) {
			d := dx[lo-start : hi-start]
			if !l.late.dy.none() {
				l.passTo(d, &l.late, lo, spare)
			}
			l.point.reluGrad(d, seen[lo-start:hi-start], d)
			l.keep(l.dx.part(lo, hi-lo), d)
		}
		l.next.inSpan(i, func(item, _, _ int) { l.next.gradSumsOf(item, ready) })
		return dz, seen
	}
	for lo := 0; lo < len(dx); lo += row {
		hi := min(lo+row, len(dx))
		if !l.late.dy.none() {
			l.passTo(dx[lo:hi], &l.late, first*l.source+lo, spare)
		}
		l.keep(into.part(lo, hi-lo), dx[lo:hi])
	}
	return dz, seen
}

// BranchGrad is the derivative of Branch.
func (b *Backend) BranchGrad(p kernels.Branch, dx, dshortcut kernels.Acc, du []kernels.UnitGrad, u []kernels.Unit, x *tensor.Tensor, y []*tensor.Tensor, dy *tensor.Tensor) {
	if !keeps(dy) || dy.Size() == 0 {
		b.Backend.BranchGrad(p, dx, dshortcut, du, u, x, y, dy)
		return
	}
	last, each := len(u)-1, len(u)/len(y)
	end := share{dy: numbersOf(dy)} // what the shortcut of the present block receives
	if p.ReLU {
		end.y = numbersOf(y[len(y)-1])
	}
	after := b.norming(p.Norm(last), u[last].Z)
	after.y, after.dy = end.y, end.dy
	after.centre(u[last].Mean)
	par(after.items, after.gradSums)
	var g, gy *scratch // the gradients behind unit i's norm and of its block's output, but for the last one
	for i := last; i >= 0; i-- {
		after.coefficients(true, true, u[i].Gamma, u[i].Var, du[i].Gamma, du[i].Beta)
		first, source := i%each == 0, x
		switch {
		case !first:
			source = u[i-1].Z
		case i > 0:
			source = y[i/each-1]
		}
		l := b.link(u[i].Z, source)
		l.after = after
		var made *scratch // this one's source's gradient
		if i > 0 {
			l.dx, made = l.src.like(&b.pool, source.Size())
			l.next = b.normingBy(p.Norm(i-1), source.Dim(1), numbersOf(u[i-1].Z), source.Size(), l.group*l.source)
			l.next.given(u[i-1].Mean, u[i-1].Var, u[i-1].Gamma, u[i-1].Beta)
			l.next.dy = l.dx
			if first {
				l.late = end
			} else {
				l.before = l.next
			}
		} else if dx.Wanted() {
			l.dx, l.adds = numbersOf(dx.T), !dx.Fresh
		}
		if i == each-1 && dshortcut.T != dx.T {
			l.early = end
			l.early.d, l.early.fresh = numbersOf(dshortcut.T), dshortcut.Fresh
		}
		if i == 0 && dx.Wanted() && dshortcut.T == dx.T {
			l.adds = !dx.Fresh && !dshortcut.Fresh
			l.late = end
		}
		l.run(p.Convs[i], du[i].W, source, u[i])
		after.done()
		if g != nil && g != gy {
			b.pool.put(g)
		}
		if first && gy != nil {
			b.pool.put(gy)
		}
		after, g = l.next, made
		if after != nil {
			after.p.ReLU = false // its gradient has been cut already
		}
		if first {
			end, gy = share{dy: l.dx}, made
		}
		l.done()
	}
}

// run computes the gradients of a convolution of x and of what is before it.
func (l *link) run(p kernels.Conv2D, dw kernels.Acc, x *tensor.Tensor, u kernels.Unit) {
	if !l.dx.none() {
		for phase := range p.S() * p.S() {
			g := inputGradOf(p, x.Shape(), u.W, u.Z.Shape(), phase)
			g.add, g.half = l.adds, l.src.h != nil
			if s := l.prepare(g); s != nil {
				l.phases = append(l.phases, s)
			}
		}
	}
	if dw.Wanted() {
		l.runWithWeights(convolutionOf(p, u.Z.Shape(), x.Shape(), dw.Zeroed()))
	} else {
		par(l.items(), l.backward)
	}
	for _, s := range l.phases {
		l.pool.put(s)
	}
}

// runWithWeights computes the weights' gradient too, that of convolution c.
func (l *link) runWithWeights(c gather) {
	s := l.pool.get(0)
	c.half = l.src.h != nil
	s.weightGrad = l.weightGrad(c)
	l.weights = &s.weightGrad
	l.weights.chunks = min(l.weights.chunks, l.items())
	partial := l.pool.get(l.weights.chunks * l.weights.size)
	l.weights.partial = partial.f
	if l.weights.chunks >= min(fewestChunks, l.items()) {
		l.chunks = l.weights.chunks
		par(l.chunks, l.backward)
		l.endWeightGrad(l.weights)
	} else {
		dz, seen := l.pool.get(l.images*l.dest), l.pool.get(0)
		l.dz, l.weights.dst, l.weights.src = dz.f, dz.f, l.src.f
		if l.inputSize() > 0 {
			l.pool.put(seen)
			seen = l.pool.get(l.images * l.source)
			l.seen, l.weights.src = seen.f, seen.f
		}
		par(l.items(), l.backward)
		l.runWeightGrad(l.weights)
		l.pool.put(dz)
		l.pool.put(seen)
	}
	l.pool.put(partial)
	l.pool.put(s)
}
