package kernels

import (
	"sync"

	"phase/tensor"
)

// Branch describes a chain of convolutions, each normalised by the statistics of
// its own output: the branch of a residual block or of several one after the other,
// or with one convolution a stem or a shortcut. Behind each but the last there is a
// ReLU; ReLU says whether there is one at the end, after the shortcut has been added.
type Branch struct {
	Convs []Conv2D
	Eps   float64
	ReLU  bool
	Plan  *Plan // for BranchEval, what a backend keeps from call to call; nil: nothing
}

// A Plan is where a backend keeps what it has made of a branch's parameters. It
// holds as long as these do not change. The zero Plan is empty; several calls at
// once may share one.
type Plan struct {
	mu   sync.Mutex
	made any
}

// Get is what was made before, if it fits, or else what build makes now.
func (p *Plan) Get(fits func(made any) bool, build func() any) any {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.made == nil || !fits(p.made) {
		p.made = build()
	}
	return p.made
}

// A Unit is the tensors of one convolution of a branch and of its norm.
type Unit struct {
	W           *tensor.Tensor // (o,c/groups,r,s)
	Gamma, Beta *tensor.Tensor // (o)
	Mean, Var   *tensor.Tensor // (o), of Z; Var is the biased variance
	Z           *tensor.Tensor // the convolution, before its norm
}

// A UnitGrad is where the gradients of a unit's parameters are added up.
type UnitGrad struct{ W, Gamma, Beta Acc }

// Brancher is branches as a whole, so that a backend can pass fewer times over
// memory than there are steps: between two convolutions only Z is written, and
// between two blocks their output.
type Brancher interface {
	// Branch computes, with a_0 = x and u the units,
	//
	//	Z_i = a_{i-1} ⋆ W_i    a_i = relu(norm_i(Z_i))    y = norm_n(Z_n) + shortcut
	//
	// and the ReLU at the end where p has one. It writes y and each unit's Z,
	// Mean and Var. shortcut, of y's shape, may be nil.
	//
	// Several y are the outputs of as many residual blocks, which share the units
	// evenly: shortcut is that of the first, and each other one has the block before
	// it for its x and its shortcut.
	Branch(p Branch, y []*tensor.Tensor, u []Unit, x, shortcut *tensor.Tensor)
	// BranchGrad is its derivative, dy that of the last y. It adds from the last
	// unit to the first to Gamma, Beta and W, before the first block's to
	// dshortcut, and in the end to dx; so one tensor may stand in several places,
	// fresh in the first of them.
	BranchGrad(p Branch, dx, dshortcut Acc, du []UnitGrad, u []Unit, x *tensor.Tensor, y []*tensor.Tensor, dy *tensor.Tensor)
	// BranchEval is Branch of one block with the given, constant Mean and Var; Z
	// plays no part.
	BranchEval(p Branch, y *tensor.Tensor, u []Unit, x, shortcut *tensor.Tensor)
}

// Block is block k of n that share p's convolutions, by itself.
func (p Branch) Block(k, n int) Branch {
	each := len(p.Convs) / n
	p.Convs, p.ReLU = p.Convs[k*each:(k+1)*each], p.ReLU || k < n-1
	return p
}

// Norm is the norm of unit i.
func (p Branch) Norm(i int) BatchNorm {
	return BatchNorm{Eps: p.Eps, ReLU: p.ReLU || i < len(p.Convs)-1}
}
