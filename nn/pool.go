package nn

import (
	"phase/autograd"
	"phase/kernels"
)

// MaxPool is the largest element of each window of x (n,c,h,w).
type MaxPool struct{ kernels.Pool2D }

// Forward pools x.
func (l MaxPool) Forward(p *Pass, x *autograd.Var) *autograd.Var {
	return p.saw(l, autograd.MaxPool(x, l.Pool2D))
}

// AvgPool is the mean of each window of x (n,c,h,w), padding counted as zeros.
type AvgPool struct{ kernels.Pool2D }

// Forward pools x.
func (l AvgPool) Forward(p *Pass, x *autograd.Var) *autograd.Var {
	return p.saw(l, autograd.AvgPool(x, l.Pool2D))
}

// GlobalAvgPool is the mean over each plane, from (n,c,h,w) to (n,c).
type GlobalAvgPool struct{}

// Forward pools x.
func (l GlobalAvgPool) Forward(p *Pass, x *autograd.Var) *autograd.Var {
	return p.saw(l, autograd.GlobalAvgPool(x))
}

// Flatten makes x (n,...) a matrix (n,d), its elements in row-major order.
type Flatten struct{}

// Forward reshapes x.
func (l Flatten) Forward(p *Pass, x *autograd.Var) *autograd.Var {
	s := x.Shape()
	if len(s) == 2 {
		return x
	}
	return p.saw(l, autograd.Reshape(x, s[0], s[1:].Size()))
}

// Dropout zeroes each element with probability Rate in training and divides
// the others by 1-Rate.
type Dropout struct{ Rate float64 }

// Forward drops elements of x by a mask that the pass's Seed and the number of
// dropout layers before this one decide.
func (l Dropout) Forward(p *Pass, x *autograd.Var) *autograd.Var {
	if p.Train {
		p.drops++
		x = autograd.Dropout(x, l.Rate, maskSeed(p.Seed, p.drops))
	}
	return p.saw(l, x)
}

// maskSeed mixes the pass's seed and a layer's number (the finaliser of
// MurmurHash3), so that neighbours share no mask.
func maskSeed(seed, n uint64) uint64 {
	z := seed ^ n*0xd6e8feb86659fd93
	z = (z ^ z>>33) * 0xff51afd7ed558ccd
	z = (z ^ z>>33) * 0xc4ceb9fe1a85ec53
	return z ^ z>>33
}
