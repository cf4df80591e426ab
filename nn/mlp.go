package nn

import (
	"math/rand/v2"

	"phase/autograd"
	"phase/tensor"
)

// MLP is layers of linear maps and ReLUs on the flattened input, then a head.
// Without layers it is a linear classifier.
type MLP struct {
	Hidden  []*Linear
	Dropout float64 // rate after each hidden layer
	Linear  Head
}

// newMLP makes layers of the given widths, the first of which is the input's.
func newMLP(r *rand.Rand, widths []int, c Config) *MLP {
	m := &MLP{Dropout: c.Dropout}
	for i, out := range widths[1:] {
		m.Hidden = append(m.Hidden, NewLinear(r, widths[i], out))
	}
	m.Linear = newHead(r, widths[len(widths)-1], c, false)
	return m
}

// Features is the last hidden layer, or the flattened input.
func (m *MLP) Features(p *Pass, x *autograd.Var) *autograd.Var {
	if p.Precision == tensor.BF16 {
		panic(tensor.Errorf("mlp", "has no images between its layers to keep in bf16"))
	}
	x = Flatten{}.Forward(p, x)
	for _, l := range m.Hidden {
		x = autograd.ReLU(l.Forward(p, x))
		if m.Dropout > 0 {
			x = Dropout{m.Dropout}.Forward(p, x)
		}
	}
	return x
}

// Head is the classifier.
func (m *MLP) Head() Head { return m.Linear }

// Forward is the logits.
func (m *MLP) Forward(p *Pass, x *autograd.Var) *autograd.Var { return forward(m, p, x) }
