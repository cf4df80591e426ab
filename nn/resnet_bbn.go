package nn

import (
	"math/rand/v2"

	"phase/autograd"
)

// A BranchedResNet is a CIFARResNet whose last block is there twice, side by
// side, with a head on the features of both (Zhou et al., "BBN:
// Bilateral-Branch Network", CVPR 2020). The names are those of its program but
// for the head's.
type BranchedResNet struct {
	CIFARResNet             // the last stage lacks its last block
	CB          *BasicBlock `name:"cb_block"` // of the conventional branch
	RB          *BasicBlock `name:"rb_block"` // of the re-balancing one
}

func newBranchedResNet(r *rand.Rand, depth int, c Config) *BranchedResNet {
	trunk, d := cifarExtractor(r, depth, c)
	last := len(trunk.Layer3) - 1
	m := &BranchedResNet{CIFARResNet: *trunk, CB: trunk.Layer3[last].(*BasicBlock)}
	m.Layer3 = m.Layer3[:last]
	shape := m.CB.Conv1.Weight.Shape()
	m.RB = newBasicBlock(r, shape[1], d, m.CB.Conv1.Op.S())
	m.Linear = newHead(r, 2*d, c, true)
	return m
}

// Conventional is the features of the conventional branch, (n,4w).
func (m *BranchedResNet) Conventional(p *Pass, x *autograd.Var) *autograd.Var {
	return branchFeatures(p, m.CB, m.planes(p, x))
}

// Rebalancing is the features of the re-balancing branch, (n,4w).
func (m *BranchedResNet) Rebalancing(p *Pass, x *autograd.Var) *autograd.Var {
	return branchFeatures(p, m.RB, m.planes(p, x))
}

func branchFeatures(p *Pass, b *BasicBlock, planes *autograd.Var) *autograd.Var {
	return GlobalAvgPool{}.Forward(p, p.wide(b.Forward(p, planes)))
}

// Features is the features of both branches one after the other, (n,8w): what
// BBN evaluates, 2·[λ·f_c ; (1-λ)·f_r] with λ = 1/2.
func (m *BranchedResNet) Features(p *Pass, x *autograd.Var) *autograd.Var {
	planes := m.planes(p, x)
	return autograd.Concat(1, branchFeatures(p, m.CB, planes), branchFeatures(p, m.RB, planes))
}

// Forward is the logits.
func (m *BranchedResNet) Forward(p *Pass, x *autograd.Var) *autograd.Var { return forward(m, p, x) }
