package nn

import (
	"fmt"
	"math/rand/v2"
	"strings"

	"phase/autograd"
)

// A Model is a classifier in two parts, the extractor φ and the head on top:
// Forward(p, x) = Head().Forward(p, Features(p, x)). Stage 2 of the method
// trains the head alone.
type Model interface {
	Module
	// Features is φ(x) (n,d): what the head sees.
	Features(p *Pass, x *autograd.Var) *autograd.Var
	Head() Head
}

// Config describes a model. Zero fields take the values named here.
type Config struct {
	Classes  int     `json:"classes"`           // at least 1; required
	Channels int     `json:"channels"`          // of the images; 3
	Size     int     `json:"size"`              // their height and width; 32, for resnet50 224
	Width    int     `json:"width"`             // filters of the first stage: 16, resnet50 64; units of a layer of the mlp: 256
	Cosine   float64 `json:"cosine,omitempty"`  // scale of a cosine classifier; 0 is a linear one
	Dropout  float64 `json:"dropout,omitempty"` // rate between the layers of the mlp
	Seed     uint64  `json:"seed"`              // of the initial weights
}

// maker is a kind of model: its defaults and how it is made.
type maker struct {
	name        string
	size, width int
	make        func(r *rand.Rand, c Config) Model
}

var makers = []maker{
	cifarMaker(8), cifarMaker(20), cifarMaker(32), cifarMaker(44), cifarMaker(56), cifarMaker(110),
	branchedMaker(8), branchedMaker(20), branchedMaker(32), branchedMaker(44), branchedMaker(56), branchedMaker(110),
	{"resnet50", 224, 64, func(r *rand.Rand, c Config) Model { return newResNet(r, []int{3, 4, 6, 3}, c) }},
	{"mlp", 32, 256, func(r *rand.Rand, c Config) Model {
		return newMLP(r, []int{c.Channels * c.Size * c.Size, c.Width, c.Width}, c)
	}},
	{"linear", 32, 0, func(r *rand.Rand, c Config) Model { return newMLP(r, []int{c.Channels * c.Size * c.Size}, c) }},
}

func cifarMaker(depth int) maker {
	return maker{fmt.Sprintf("resnet%d", depth), 32, 16, func(r *rand.Rand, c Config) Model { return newCIFARResNet(r, depth, c) }}
}

func branchedMaker(depth int) maker {
	return maker{fmt.Sprintf("resnet%d-bbn", depth), 32, 16, func(r *rand.Rand, c Config) Model { return newBranchedResNet(r, depth, c) }}
}

// Names lists the models that New makes.
func Names() []string {
	names := make([]string, len(makers))
	for i, m := range makers {
		names[i] = m.name
	}
	return names
}

// Resolve fills in the zero fields of c for the model called name; the error
// lists the names, or says which field is out of range.
func Resolve(name string, c Config) (Config, error) {
	m, err := find(name)
	if err != nil {
		return c, err
	}
	for _, f := range []struct {
		v *int
		d int
	}{{&c.Channels, 3}, {&c.Size, m.size}, {&c.Width, m.width}} {
		if *f.v == 0 {
			*f.v = f.d
		}
	}
	const most = 1 << 20 // of any extent: a file's config must not ask for all memory
	for _, f := range []struct {
		what           string
		v, least, most int
	}{{"classes", c.Classes, 1, most}, {"channels", c.Channels, 1, 1 << 12}, {"size", c.Size, 1, 1 << 12}, {"width", c.Width, min(m.width, 1), 1 << 14}} {
		if f.v < f.least || f.v > f.most {
			return c, fmt.Errorf("model %s: %s is %d, want %d to %d", name, f.what, f.v, f.least, f.most)
		}
	}
	if !(c.Cosine >= 0) {
		return c, fmt.Errorf("model %s: cosine is %g, want a scale of 0 or more", name, c.Cosine)
	}
	if !(c.Dropout >= 0 && c.Dropout < 1) {
		return c, fmt.Errorf("model %s: dropout is %g, want 0 <= dropout < 1", name, c.Dropout)
	}
	return c, nil
}

// New makes a model by its name, one of Names, with weights drawn from
// c.Seed.
func New(name string, c Config) (Model, error) {
	c, err := Resolve(name, c)
	if err != nil {
		return nil, err
	}
	m, _ := find(name)
	return m.make(rand.New(rand.NewPCG(c.Seed, 0)), c), nil
}

func find(name string) (maker, error) {
	for _, m := range makers {
		if m.name == name {
			return m, nil
		}
	}
	return maker{}, fmt.Errorf("model %q is unknown: want one of %s", name, strings.Join(Names(), ", "))
}

// newHead makes the head that c asks for; kaiming is Linear's.
func newHead(r *rand.Rand, in int, c Config, kaiming bool) Head {
	if c.Cosine != 0 {
		return NewCosineLinear(r, in, c.Classes, c.Cosine)
	}
	l := &Linear{Weight: param(c.Classes, in), Bias: param(c.Classes), Kaiming: kaiming}
	l.Reset(r)
	return l
}

// forward is the two parts of m, one after the other.
func forward(m Model, p *Pass, x *autograd.Var) *autograd.Var {
	return m.Head().Forward(p, m.Features(p, x))
}
