package nn

import (
	"math/rand/v2"

	"phase/autograd"
	"phase/tensor"
)

// A CIFARResNet is the residual network for small images of He et al. (2016,
// section 4.2): a convolution, three stages of basic blocks with w, 2w and 4w
// channels, each after the first at half the size, global average pooling and
// a head. Its depth is 6n+2 for n blocks a stage. Shortcuts hold no
// parameters (option A).
type CIFARResNet struct {
	Conv1                  *Conv2D
	BN1                    *BatchNorm
	Layer1, Layer2, Layer3 Seq
	Linear                 Head

	stem branch
}

// newCIFARResNet draws weights as the long-tail literature does: of the
// convolutions and the head from N(0, 2/fan_in), the head's bias from
// U(±1/√d).
func newCIFARResNet(r *rand.Rand, depth int, c Config) *CIFARResNet {
	m, d := cifarExtractor(r, depth, c)
	m.Linear = newHead(r, d, c, true)
	return m
}

// cifarExtractor is the network without its head, and the number of its
// features.
func cifarExtractor(r *rand.Rand, depth int, c Config) (m *CIFARResNet, d int) {
	w := c.Width
	m = &CIFARResNet{Conv1: conv3x3(r, c.Channels, w, 1), BN1: NewBatchNorm(w)}
	in := w
	for i, layer := range []*Seq{&m.Layer1, &m.Layer2, &m.Layer3} {
		for j := range (depth - 2) / 6 {
			out, stride := w<<i, 1
			if i > 0 && j == 0 {
				stride = 2
			}
			*layer = append(*layer, newBasicBlock(r, in, out, stride))
			in = out
		}
	}
	return m, in
}

func newBasicBlock(r *rand.Rand, in, out, stride int) *BasicBlock {
	return &BasicBlock{
		Conv1: conv3x3(r, in, out, stride), BN1: NewBatchNorm(out),
		Conv2: conv3x3(r, out, out, 1), BN2: NewBatchNorm(out),
	}
}

// conv3x3 keeps the size of its images, but for the stride.
func conv3x3(r *rand.Rand, in, out, stride int) *Conv2D {
	l := NewConv2D(r, Conv2DConfig{In: in, Out: out, Kernel: 3, Stride: stride, Pad: 1})
	KaimingNormal(r, l.Weight.Value, FanIn, GainReLU)
	return l
}

// planes is the last stage's output, (n,4w,h,w) in the pass's precision.
func (m *CIFARResNet) planes(p *Pass, x *autograd.Var) *autograd.Var {
	x = m.stem.forward(p, p.narrow(x), nil, true, 1, layer{m.Conv1, m.BN1})
	for _, layer := range []Seq{m.Layer1, m.Layer2, m.Layer3} {
		x = layer.Forward(p, x)
	}
	return x
}

// Features is the mean over the last stage's planes, (n,4w).
func (m *CIFARResNet) Features(p *Pass, x *autograd.Var) *autograd.Var {
	return GlobalAvgPool{}.Forward(p, p.wide(m.planes(p, x)))
}

// Head is the classifier.
func (m *CIFARResNet) Head() Head { return m.Linear }

// Forward is the logits.
func (m *CIFARResNet) Forward(p *Pass, x *autograd.Var) *autograd.Var { return forward(m, p, x) }

// BasicBlock is relu(bn2(conv2(relu(bn1(conv1(x))))) + x), with x cut to the
// branch's size and channels where they differ.
type BasicBlock struct {
	Conv1 *Conv2D
	BN1   *BatchNorm
	Conv2 *Conv2D
	BN2   *BatchNorm

	branch branch
}

// Forward is the block's output.
func (b *BasicBlock) Forward(p *Pass, x *autograd.Var) *autograd.Var {
	return forwardBlock(p, x, b)
}

func (b *BasicBlock) begin(_ *Pass, x *autograd.Var) (*autograd.Var, *branch) {
	return shortcutA(x, b.Conv1.Weight.Value.Dim(0), b.Conv1.Op.S()), &b.branch
}

func (b *BasicBlock) layers() []layer { return []layer{{b.Conv1, b.BN1}, {b.Conv2, b.BN2}} }

func (b *BasicBlock) follows() bool {
	w := b.Conv1.Weight.Value
	return b.Conv1.Op.S() == 1 && w.Dim(0) == w.Dim(1)
}

// shortcutA is option A of He et al.: every stride-th row and column of x,
// with channels of zeros, half before and half after, to make out of them.
func shortcutA(x *autograd.Var, out, stride int) *autograd.Var {
	s := x.Shape()
	if len(s) != 4 || out < s[1] {
		panic(tensor.Errorf("basic block", "x %v: want (n,c,h,w) with c <= %d", s, out))
	}
	if more := out - s[1]; more > 0 || stride > 1 {
		x = autograd.Subsample(x, stride, more/2, more-more/2)
	}
	return x
}
