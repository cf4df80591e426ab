package cpu

import (
	"sync"

	"phase/kernels"
	"phase/tensor"
)

// chainPlan is what a branch in evaluation mode makes of its parameters, for
// images of one shape.
type chainPlan struct {
	of    *Backend
	half  bool         // images are kept in bfloat16
	image tensor.Shape // (c,h,w)
	units []chainUnit
	most  int // numbers of an image between convolutions, at most
	size  int // on both sides of a convolution, at most
}

type chainUnit struct {
	conv         *scratch
	norm         *norming
	source, dest int // numbers of an image
}

// chainPlan packs the filters and prepares the norms for images of x, kept in bfloat16
// if half says so.
func (b *Backend) chainPlan(p kernels.Branch, u []kernels.Unit, x tensor.Shape, half bool) *chainPlan {
	plan := &chainPlan{of: b, half: half, image: append(tensor.Shape{}, x[1:]...)}
	for i, v := range u {
		ws, conv := v.W.Shape(), p.Convs[i]
		z := tensor.Shape{x[0], ws[0], conv.Out(x[2], ws[2]), conv.Out(x[3], ws[3])}
		g := convolutionOf(conv, z, x, v.W)
		g.half = half
		unit := chainUnit{conv: b.prepare(g), source: x[1:].Size(), dest: z[1:].Size()}
		unit.norm = b.normingBy(p.Norm(i), z[1], numbers{}, unit.dest, unit.dest)
		unit.norm.given(v.Mean, v.Var, v.Gamma, v.Beta)
		plan.units = append(plan.units, unit)
		plan.most, plan.size = max(plan.most, unit.dest), max(plan.size, unit.source+unit.dest)
		x = z
	}
	return plan
}

// release ends the plan's life.
func (p *chainPlan) release() {
	for _, unit := range p.units {
		p.of.pool.put(unit.conv)
		unit.norm.done()
	}
}

// A chain is a branch in evaluation mode at work. An item goes through all its
// convolutions in the near caches.
type chain struct {
	*Backend
	*chainPlan
	y, x, shortcut numbers // the last one: none where there is none
	images, group  int
	room           int // numbers of an image in either of two buffers
}

var chains = sync.Pool{New: func() any { return new(chain) }}

// BranchEval is a chain of convolutions, each normalised by given statistics.
func (b *Backend) BranchEval(p kernels.Branch, y *tensor.Tensor, u []kernels.Unit, x, shortcut *tensor.Tensor) {
	if !keeps(y) || y.Size() == 0 {
		b.Backend.BranchEval(p, y, u, x, shortcut)
		return
	}
	c := chains.Get().(*chain)
	*c = chain{Backend: b, y: numbersOf(y), x: numbersOf(x), shortcut: numbersOf(shortcut), images: y.Dim(0)}
	half := c.y.h != nil
	if p.Plan == nil {
		c.chainPlan = b.chainPlan(p, u, x.Shape(), half)
	} else {
		c.chainPlan = p.Plan.Get(
			func(made any) bool {
				plan, ok := made.(*chainPlan)
				return ok && plan.of == b && plan.half == half && plan.image.Equal(x.Shape()[1:])
			},
			func() any { return b.chainPlan(p, u, x.Shape(), half) }).(*chainPlan)
	}
	c.room = c.most
	if c.x.h != nil {
		c.room = max(c.room, c.units[0].source)
	}
	c.group = max(1, min(c.images, itemFloats/c.size))
	par(ceil(c.images, c.group), c.item)
	if p.Plan == nil {
		c.release()
	}
	*c = chain{}
	chains.Put(c)
}

// item computes some images.
func (c *chain) item(i int) {
	first := i * c.group
	n := min(c.group, c.images-first)
	s := c.pool.get(2 * n * c.room)
	defer c.pool.put(s)
	src := c.wide(c.x.part(first*c.units[0].source, n*c.units[0].source), s.f[n*c.room:])
	for k, u := range c.units {
		z := s.f[k%2*n*c.room:][:n*u.dest]
		c.gatherImages(&u.conv.gather, src, z, n)
		if k < len(c.units)-1 {
			u.norm.applyTo(numbers{f: z}, numbers{f: z}, numbers{})
			src = z
			continue
		}
		y, shortcut := c.y.part(first*u.dest, n*u.dest), c.shortcut.part(first*u.dest, n*u.dest)
		into := y.room(z)
		u.norm.applyTo(numbers{f: into}, numbers{f: z}, numbers{f: c.wide(shortcut, s.f[(k+1)%2*n*c.room:])})
		c.keep(y, into)
	}
}
