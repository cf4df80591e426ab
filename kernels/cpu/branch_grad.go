package cpu

import (
	"phase/kernels"
	"phase/tensor"
)

// derivative is the part of a link that goes backwards: an item's gradient comes
// out of the norm behind the convolution, goes through both derivatives of the
// convolution and is cut by the ReLU before it, in the near caches.
type derivative struct {
	src     []float32
	phases  []*scratch // gathers of the derivative by the source; none where nobody wants it
	weights *weightGrad
	chunks  int // of the weights, if they are made of whole items, else 0

	dx       []float32 // the source's gradient, nil where not wanted
	dz, seen []float32 // in memory the destination's gradient and the convolution's input, nil where they stay in caches

	early, late share // what the shortcut receives, before the convolution or on top of dx
}

// A share is the shortcut's gradient: d += dy where y > 0, or everywhere if y is
// nil.
type share struct {
	d, y, dy []float32 // d: nil where there is nothing to do
	fresh    bool
}

func (b *Backend) pass(s *share, lo, n int) {
	switch {
	case s.d == nil:
	case s.y != nil:
		b.reluGrad(s.d[lo:][:n], s.fresh, s.y[lo:][:n], s.dy[lo:][:n])
	default:
		b.addScaled(s.d[lo:][:n], s.fresh, s.dy[lo:][:n], 1)
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
	s := l.pool.get(l.group*l.dest + l.inputSize())
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

// backwardItem computes the gradients of an item's images and returns what the
// weights' gradient is made of.
func (l *link) backwardItem(s *scratch, i int) (dz, seen []float32) {
	first, n := l.item(i)
	dz, seen = s.f[:n*l.dest], s.f[l.group*l.dest:]
	if l.dz != nil {
		dz = l.dz[first*l.dest:][:n*l.dest]
	}
	if l.seen != nil {
		seen = l.seen[first*l.source:]
	}
	l.pass(&l.early, first*l.dest, n*l.dest)
	l.after.gradTo(dz, first*l.dest)
	seen = l.input(l.src, seen, first, n)
	if l.dx == nil {
		return dz, seen
	}
	dx := l.dx[first*l.source:][:n*l.source]
	for _, phase := range l.phases {
		l.gatherImages(&phase.gather, dz, dx, n, l.ahead(i+1, l.after.x, l.dest))
	}
	if l.before != nil {
		l.point.reluGrad(dx, seen, dx)
		l.before.inSpan(i, l.before.gradSums)
	}
	l.pass(&l.late, first*l.source, n*l.source)
	return dz, seen
}

// BranchGrad is the derivative of Branch.
func (b *Backend) BranchGrad(p kernels.Branch, dx, dshortcut kernels.Acc, du []kernels.UnitGrad, u []kernels.Unit, x, y, dy *tensor.Tensor) {
	if y.DType() != tensor.F32 || y.Size() == 0 {
		b.Backend.BranchGrad(p, dx, dshortcut, du, u, x, y, dy)
		return
	}
	last := len(u) - 1
	end := share{dy: tensor.Data[float32](dy), fresh: dshortcut.Fresh}
	if dshortcut.Wanted() {
		end.d = tensor.Data[float32](dshortcut.T)
	}
	after := b.norming(p.Norm(last), u[last].Z)
	after.dy = end.dy
	if p.ReLU {
		end.y = tensor.Data[float32](y)
		after.y = end.y
	}
	after.centre(u[last].Mean)
	par(after.items, after.gradSums)
	var g *scratch // the gradient behind unit i's norm, but for the last one
	for i := last; i >= 0; i-- {
		after.coefficients(true, true, u[i].Gamma, u[i].Var, du[i].Gamma, du[i].Beta)
		source, into := x, dx
		if i > 0 {
			source = u[i-1].Z
			into = kernels.Acc{T: source, Fresh: true} // for its shape
		}
		l := b.link(u[i].Z, source)
		l.after, l.src = after, tensor.Data[float32](source)
		var behind *scratch // this one's source
		if i > 0 {
			behind = b.pool.get(source.Size())
			l.dx = behind.f
			l.before = b.normingBy(p.Norm(i-1), source.Dim(1), l.src, source.Size(), l.group*l.source)
			l.before.given(u[i-1].Mean, u[i-1].Var, u[i-1].Gamma, u[i-1].Beta)
			l.before.dy = l.dx
		} else if dx.Wanted() {
			l.dx = tensor.Data[float32](dx.T)
		}
		if i == last && dshortcut.T != dx.T {
			l.early = end
		}
		if i == 0 && dx.Wanted() && dshortcut.T == dx.T {
			into.Fresh = dx.Fresh || dshortcut.Fresh
			l.late = end
			l.late.fresh = false
		}
		l.run(p.Convs[i], into, du[i].W, source, u[i])
		after.done()
		if g != nil {
			b.pool.put(g)
		}
		after, g = l.before, behind
		if after != nil {
			after.p.ReLU = false // its gradient has been cut already
		}
		l.done()
	}
}

// run computes the gradients of a convolution of x and of what is before it.
func (l *link) run(p kernels.Conv2D, dx, dw kernels.Acc, x *tensor.Tensor, u kernels.Unit) {
	if l.dx != nil {
		for phase := range p.S() * p.S() {
			if s := l.prepare(inputGrad(p, dx, u.W, u.Z, phase)); s != nil {
				l.phases = append(l.phases, s)
			}
		}
	}
	if dw.Wanted() {
		l.runWithWeights(convolution(p, u.Z, x, dw.Zeroed()))
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
		l.dz, l.weights.dst = dz.f, dz.f
		if l.before != nil {
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
