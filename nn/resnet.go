package nn

import (
	"math/rand/v2"

	"phase/autograd"
	"phase/kernels"
)

// ResNet is the residual network of bottleneck blocks for photographs (He et
// al., 2016, table 1), with the names and, for images of 224 pixels and 64
// filters, the numbers of torchvision's resnet50: its files load.
type ResNet struct {
	Conv1                          *Conv2D
	BN1                            *BatchNorm
	Pool                           Module // nil in the small stem
	Layer1, Layer2, Layer3, Layer4 Seq
	FC                             Head

	stem branch
}

// smallStem is the size of images below which the stem does not shrink them.
const smallStem = 128

// newResNet draws the convolutions from N(0, 2/fan_out) and the head as
// PyTorch does. Images of smallStem pixels and more meet a 7x7 convolution of
// stride 2 and a max pool; smaller ones (64, 32) a 3x3 convolution of stride 1.
func newResNet(r *rand.Rand, blocks []int, c Config) *ResNet {
	m := &ResNet{BN1: NewBatchNorm(c.Width)}
	if c.Size >= smallStem {
		m.Conv1 = convFanOut(r, Conv2DConfig{In: c.Channels, Out: c.Width, Kernel: 7, Stride: 2, Pad: 3})
		m.Pool = MaxPool{kernels.Pool2D{Size: 3, Stride: 2, Pad: 1}}
	} else {
		m.Conv1 = convFanOut(r, Conv2DConfig{In: c.Channels, Out: c.Width, Kernel: 3, Pad: 1})
	}
	in := c.Width
	for i, layer := range m.layers() {
		for j := range blocks[i] {
			stride := 1
			if i > 0 && j == 0 {
				stride = 2
			}
			b := newBottleneck(r, in, c.Width<<i, stride)
			*layer = append(*layer, b)
			in = expansion * c.Width << i
		}
	}
	m.FC = newHead(r, in, c, false)
	return m
}

func (m *ResNet) layers() []*Seq { return []*Seq{&m.Layer1, &m.Layer2, &m.Layer3, &m.Layer4} }

func convFanOut(r *rand.Rand, c Conv2DConfig) *Conv2D {
	l := NewConv2D(r, c)
	KaimingNormal(r, l.Weight.Value, FanOut, GainReLU)
	return l
}

// Features is the mean over the last stage's planes, (n,2048) at width 64.
func (m *ResNet) Features(p *Pass, x *autograd.Var) *autograd.Var {
	x = m.stem.forward(p, p.narrow(x), nil, true, 1, layer{m.Conv1, m.BN1})
	if m.Pool != nil {
		x = p.narrow(m.Pool.Forward(p, p.wide(x)))
	}
	for _, layer := range m.layers() {
		x = layer.Forward(p, x)
	}
	return GlobalAvgPool{}.Forward(p, p.wide(x))
}

// Head is the classifier.
func (m *ResNet) Head() Head { return m.FC }

// Forward is the logits.
func (m *ResNet) Forward(p *Pass, x *autograd.Var) *autograd.Var { return forward(m, p, x) }

// expansion is how many times more channels a bottleneck ends with than its
// middle has.
const expansion = 4

// Bottleneck is a 1x1, a 3x3 (which has the stride) and a 1x1 convolution,
// each normalised, added to x or to Downsample of x, then cut at zero.
type Bottleneck struct {
	Conv1      *Conv2D
	BN1        *BatchNorm
	Conv2      *Conv2D
	BN2        *BatchNorm
	Conv3      *Conv2D
	BN3        *BatchNorm
	Downsample Seq // a convolution and a norm; nil where x has the shape of the branch

	branch, side branch
}

func newBottleneck(r *rand.Rand, in, width, stride int) *Bottleneck {
	out := expansion * width
	b := &Bottleneck{
		Conv1: convFanOut(r, Conv2DConfig{In: in, Out: width, Kernel: 1}), BN1: NewBatchNorm(width),
		Conv2: convFanOut(r, Conv2DConfig{In: width, Out: width, Kernel: 3, Stride: stride, Pad: 1}), BN2: NewBatchNorm(width),
		Conv3: convFanOut(r, Conv2DConfig{In: width, Out: out, Kernel: 1}), BN3: NewBatchNorm(out),
	}
	if stride != 1 || in != out {
		b.Downsample = Seq{convFanOut(r, Conv2DConfig{In: in, Out: out, Kernel: 1, Stride: stride}), NewBatchNorm(out)}
	}
	return b
}

// Forward is the block's output.
func (b *Bottleneck) Forward(p *Pass, x *autograd.Var) *autograd.Var {
	return forwardBlock(p, x, b)
}

func (b *Bottleneck) begin(p *Pass, x *autograd.Var) (*autograd.Var, *branch) {
	if b.Downsample != nil {
		x = b.side.forward(p, x, nil, false, 1, layer{b.Downsample[0].(*Conv2D), b.Downsample[1].(*BatchNorm)})
	}
	return x, &b.branch
}

func (b *Bottleneck) layers() []layer {
	return []layer{{b.Conv1, b.BN1}, {b.Conv2, b.BN2}, {b.Conv3, b.BN3}}
}

func (b *Bottleneck) follows() bool { return b.Downsample == nil }
