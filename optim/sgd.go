package optim

import (
	"maps"
	"slices"

	"phase/kernels"
	"phase/tensor"
)

// SGD is stochastic gradient descent as PyTorch does it (kernels.SGD has the
// formula): weight decay joins the gradient, then momentum, then the step.
type SGD struct {
	Params
	Momentum float64
	Decay    float64 // of every parameter, biases and batch norms too
	Nesterov bool

	velocity memory
}

// Step moves the parameters; those without a gradient stay.
func (o *SGD) Step(lr float64, grad Gradient) float64 {
	o.ZeroGrad()
	loss := grad(0)
	var together batches
	for i, p := range o.Params {
		if p.Var.Grad == nil {
			continue
		}
		k := kernels.SGD{LR: p.rate(lr), Momentum: o.Momentum, Decay: o.Decay, Nesterov: o.Nesterov}
		var v *tensor.Tensor
		if o.Momentum != 0 {
			v, k.First = o.velocity.at(o.Params, i)
		}
		together.add(k, p.Var.Value, v, p.Var.Grad)
	}
	together.run()
	return loss.Item()
}

// batches are parameters to move, together where the backend can.
type batches []*batch

// A batch is parameters of one device and dtype that move by one setting, or are
// copied from g.
type batch struct {
	by      kernels.SGD
	copied  bool
	w, v, g []*tensor.Tensor
}

// add puts a parameter down to be moved.
func (bs *batches) add(by kernels.SGD, w, v, g *tensor.Tensor) {
	if !bs.put(batch{by: by}, w, v, g) {
		kernels.For(w).SGD(by, w, v, g)
	}
}

// copy puts a parameter down to be copied. What is put down later for the same
// parameter comes later.
func (bs *batches) copy(to, from *tensor.Tensor) {
	if !bs.put(batch{copied: true}, to, nil, from) {
		kernels.For(to).Copy(to, from)
	}
}

// put reports whether the backend does such things together, and has it put down.
func (bs *batches) put(as batch, w, v, g *tensor.Tensor) bool {
	if _, ok := kernels.For(w).(kernels.ManyUpdater); !ok {
		return false
	}
	i := slices.IndexFunc(*bs, func(b *batch) bool {
		return b.by == as.by && b.copied == as.copied && b.w[0].Device() == w.Device() && b.w[0].DType() == w.DType()
	})
	if i < 0 {
		first := as // so that as itself, of every parameter, needs no memory
		i, *bs = len(*bs), append(*bs, &first)
	}
	b := (*bs)[i]
	b.w, b.g = append(b.w, w), append(b.g, g)
	if v != nil {
		b.v = append(b.v, v)
	}
	return true
}

func (bs batches) run() {
	for _, b := range bs {
		k := kernels.For(b.w[0]).(kernels.ManyUpdater)
		if b.copied {
			k.CopyMany(b.w, b.g)
		} else {
			k.SGDMany(b.by, b.w, b.v, b.g)
		}
	}
}

// State is momentum.NAME of every parameter that has moved.
func (o *SGD) State() map[string]*tensor.Tensor {
	s := map[string]*tensor.Tensor{}
	o.velocity.save(o.Params, "momentum", s)
	return s
}

// Load takes a State.
func (o *SGD) Load(state map[string]*tensor.Tensor) error {
	state = maps.Clone(state)
	v, err := load(o.Params, "momentum", state)
	if err == nil {
		err = taken(state)
	}
	if err == nil {
		o.velocity = v
	}
	return err
}
