package cpu

import (
	"sync"

	"phase/kernels"
	"phase/tensor"
)

// A link is one convolution of a branch at work, between the norm before it and
// the norm behind it. Work goes by items of a few images: what the norm before
// makes of them, the convolution and the sums that the norm behind it needs are
// computed while the images are in the near caches, so that memory sees each
// tensor once. The first link of a block finishes the block before, whose output it
// reads. Items, and the partial sums they leave, go by shape alone.
type link struct {
	*Backend
	conv          *gather
	before, after *norming // of the source, nil if it is taken as it is, and of the destination
	src, dst      numbers
	end, shortcut numbers // of the block before: its output, where this link writes that
	images, group int     // in all and in an item
	source, dest  int     // numbers of an image on either side
	derivative
}

var links = sync.Pool{New: func() any { return new(link) }}

// itemFloats bounds the images of an item, as far as there are several: they
// share the second cache with what a convolution copies.
const itemFloats = 64 << 10

// link plans a convolution of the images x, which it reads, into the images z.
func (b *Backend) link(z, x *tensor.Tensor) *link {
	l := links.Get().(*link)
	n := z.Dim(0)
	*l = link{Backend: b, images: n, source: x.Size() / n, dest: z.Size() / n, src: numbersOf(x), derivative: derivative{phases: l.phases[:0]}}
	l.group = max(1, min(n, itemFloats/(l.source+l.dest)))
	return l
}

func (l *link) done() {
	clear(l.phases)
	*l = link{derivative: derivative{phases: l.phases[:0]}}
	links.Put(l)
}

// items is the number of items.
func (l *link) items() int { return ceil(l.images, l.group) }

// item is the images of an item.
func (l *link) item(i int) (first, n int) {
	first = i * l.group
	return first, min(l.group, l.images-first)
}

// input is what the convolution sees of n images: those of the source, or what
// the norm before makes of them, with the shortcut where that ends a block; in buf,
// if they do not lie like that.
func (l *link) input(buf []float32, first, n int) []float32 {
	src := l.src.part(first*l.source, n*l.source)
	switch {
	case l.before == nil:
		return l.wide(src, buf)
	case !l.end.none():
		y := l.end.part(first*l.source, n*l.source)
		l.before.applyTo(y, src, l.shortcut.part(first*l.source, n*l.source))
		return l.wide(y, buf)
	}
	l.before.applyTo(numbers{f: buf[:src.size()]}, src, numbers{})
	return buf[:src.size()]
}

// inputSize is the memory that input needs.
func (l *link) inputSize() int {
	if (l.before == nil || !l.end.none()) && l.src.h == nil {
		return 0
	}
	return l.group * l.source
}

// forward computes an item and its statistics.
func (l *link) forward(i int) {
	first, n := l.item(i)
	into := l.dst.part(first*l.dest, n*l.dest)
	s := l.pool.get(l.inputSize() + len(into.h))
	defer l.pool.put(s)
	z := into.room(s.f[l.inputSize():])
	l.gatherImages(l.conv, l.input(s.f, first, n), z, n)
	start := first * l.dest
	l.after.inSpan(i, func(item, lo, hi int) {
		var kept []tensor.BFloat16
		if into.h != nil {
			kept = into.h[lo-start : hi-start]
		}
		l.after.statistics(item, z[lo-start:hi-start], kept)
	})
}

// Branch is a chain of convolutions, each normalised by its own statistics.
func (b *Backend) Branch(p kernels.Branch, y []*tensor.Tensor, u []kernels.Unit, x, shortcut *tensor.Tensor) {
	if !keeps(y[0]) || y[0].Size() == 0 {
		b.Backend.Branch(p, y, u, x, shortcut)
		return
	}
	each := len(u) / len(y)
	var before *norming
	for i, v := range u {
		l := b.link(v.Z, x)
		l.before = before
		if i > 0 && i%each == 0 {
			end := y[i/each-1]
			l.end, l.shortcut = numbersOf(end), numbersOf(shortcut)
			shortcut = end
		}
		l.dst = numbersOf(v.Z)
		l.after = b.normingBy(p.Norm(i), v.Z.Dim(1), l.dst, v.Z.Size(), l.group*l.dest)
		g := convolutionOf(p.Convs[i], v.Z.Shape(), x.Shape(), v.W)
		g.half = l.src.h != nil
		s := b.prepare(g)
		l.conv = &s.gather
		par(l.items(), l.forward)
		l.after.settle(v.Mean, v.Var, v.Gamma, v.Beta)
		if before != nil {
			before.done()
		}
		before, x = l.after, v.Z
		b.pool.put(s)
		l.done()
	}
	before.applyAll(y[len(y)-1], shortcut)
	before.done()
}
