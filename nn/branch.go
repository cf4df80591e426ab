package nn

import (
	"sync"

	"phase/autograd"
	"phase/kernels"
)

// A layer is a convolution and the norm behind it.
type layer struct {
	conv *Conv2D
	norm *BatchNorm
}

// A branch applies layers one after the other, with ReLU between them. It is
// memory that training uses again; the zero value is ready.
type branch struct {
	p     autograd.BranchParam
	units []autograd.BranchUnit
}

// A residual is a residual block: it ends with a ReLU.
type residual interface {
	Module
	// begin is the shortcut that x takes, and the memory of the block.
	begin(p *Pass, x *autograd.Var) (shortcut *autograd.Var, memory *branch)
	// layers are those of its branch.
	layers() []layer
	// follows reports whether its shortcut is x itself.
	follows() bool
}

// forwardBlock is the output of a block.
func forwardBlock(p *Pass, x *autograd.Var, b residual) *autograd.Var {
	y, _ := forwardBlocks(p, x, b, nil)
	return y
}

// forwardBlocks is the output of a block and of as many of those behind it as one op
// can be, and the number of blocks.
func forwardBlocks(p *Pass, x *autograd.Var, first residual, rest Seq) (y *autograd.Var, n int) {
	own := first.layers()
	each := len(own)
	all := append(make([]layer, 0, each*(1+len(rest))), own...)
	for n = 1; n <= len(rest) && p.trace == nil; n++ {
		b, ok := rest[n-1].(residual)
		if !ok || !b.follows() {
			break
		}
		more := append(all, b.layers()...)
		if len(more) != (n+1)*each || len(more) > autograd.MostUnits || !fusible(more) {
			break
		}
		all = more
	}
	shortcut, memory := first.begin(p, x)
	return memory.forward(p, x, shortcut, true, n, all...), n
}

// forward is the layers' output plus the shortcut, if that is not nil, and ReLU
// of it if relu is set: in one op, unless somebody wants to see each layer. In
// training the layers may be those of several residual blocks.
func (b *branch) forward(p *Pass, x, shortcut *autograd.Var, relu bool, blocks int, layers ...layer) *autograd.Var {
	if p.trace != nil || !fusible(layers) {
		return composed(p, x, shortcut, relu, layers)
	}
	var plan *kernels.Plan
	if !p.Train {
		plan = p.Plans.of(b)
		b = new(branch) // a model may evaluate several batches at once
	}
	b.p = autograd.BranchParam{Branch: kernels.Branch{Convs: b.p.Convs[:0], Eps: layers[0].norm.Eps, ReLU: relu, Plan: plan}, Blocks: blocks, Mean: b.p.Mean[:0], Var: b.p.Var[:0]}
	b.units = b.units[:0]
	for _, l := range layers {
		b.p.Convs = append(b.p.Convs, l.conv.Op)
		b.units = append(b.units, autograd.BranchUnit{W: l.conv.Weight, Gamma: l.norm.Weight, Beta: l.norm.Bias, Mean: l.norm.RunningMean, Var: l.norm.RunningVar})
	}
	if !p.Train {
		return autograd.BranchEval(x, shortcut, b.units, b.p.Branch)
	}
	if p.Frozen {
		seen := b.p
		seen.Mean, seen.Var = nil, nil
		return autograd.Branch(x, shortcut, b.units, seen)
	}
	for _, l := range layers {
		mean, variance := l.norm.batch()
		b.p.Mean, b.p.Var = append(b.p.Mean, mean), append(b.p.Var, variance)
	}
	y := autograd.Branch(x, shortcut, b.units, b.p)
	s := x.Shape()
	n, h, w := s[0], s[2], s[3]
	for _, l := range layers {
		k := l.conv.Weight.Shape()
		h, w = l.conv.Op.Out(h, k[2]), l.conv.Op.Out(w, k[3])
		l.norm.track(n * h * w)
	}
	return y
}

// fusible reports whether one op can be all the layers.
func fusible(layers []layer) bool {
	for _, l := range layers {
		if l.conv.Bias != nil || l.norm.Eps != layers[0].norm.Eps {
			return false
		}
	}
	return true
}

// composed is forward, layer by layer.
func composed(p *Pass, x, shortcut *autograd.Var, relu bool, layers []layer) *autograd.Var {
	for i, l := range layers {
		x = l.conv.Forward(p, x)
		switch {
		case i < len(layers)-1 || relu && shortcut == nil:
			x = l.norm.ReLU(p, x)
		case relu:
			x = l.norm.AddReLU(p, x, shortcut)
		default:
			x = l.norm.Forward(p, x)
			if shortcut != nil {
				x = autograd.Add(x, shortcut)
			}
		}
	}
	return x
}

// Plans is what evaluating a model keeps from batch to batch: what the kernels
// make of its parameters. It holds as long as these do not change, and may be
// shared by passes at the same time. The zero value is ready.
type Plans struct {
	mu sync.Mutex
	by map[*branch]*kernels.Plan
}

// of is b's plan, nil where nothing is kept.
func (p *Plans) of(b *branch) *kernels.Plan {
	if p == nil {
		return nil
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.by == nil {
		p.by = map[*branch]*kernels.Plan{}
	}
	if p.by[b] == nil {
		p.by[b] = new(kernels.Plan)
	}
	return p.by[b]
}
