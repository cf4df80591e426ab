package nn_test

import (
	"math"
	"slices"
	"testing"

	"phase/autograd"
	"phase/nn"
	"phase/tensor"
)

// The blocks of a stage are trained in one op, and come to what they come to one
// by one: output, gradients and running statistics. A block that cannot follow, as
// its shortcut or its norm is another, begins the next op.
func TestSeqOfBlocks(t *testing.T) {
	type trained struct {
		out      []float64
		state    map[string][]float64
		grads    map[string][]float64
		residual int // ops
	}
	train := func(model string, layers func(m nn.Model) nn.Seq, together bool) (r trained) {
		m := made(t, model, nn.Config{Classes: 3, Size: 8, Width: 4})
		s := layers(m)
		channels := 0
		for _, v := range nn.Params(s) { // the first is that of the first convolution
			channels = v.Value.Dim(1)
			break
		}
		tape := autograd.Tape{Trace: func(c autograd.Call) {
			if c.Op == "residual" && c.Part == autograd.Forward {
				r.residual++
			}
		}}
		p := &nn.Pass{Train: true}
		x := tape.Watch(single(noise(3, 4, channels, 8, 8)))
		y := x
		if together {
			y = s.Forward(p, x)
		} else {
			for _, b := range s {
				y = b.Forward(p, y)
			}
		}
		tape.Backward(autograd.Sum(autograd.Mul(y, autograd.Const(single(noise(4, y.Shape()...))))))
		r.out, r.state, r.grads = tensor.Values(y.Value), map[string][]float64{}, map[string][]float64{}
		for name, v := range nn.State(s) {
			r.state[name] = tensor.Values(v)
		}
		for name, v := range nn.Params(s) {
			r.grads[name] = tensor.Values(v.Grad)
		}
		return r
	}
	cifar := func(m nn.Model) nn.Seq { return m.(*nn.CIFARResNet).Layer2 }
	for _, c := range []struct {
		model  string
		layers func(m nn.Model) nn.Seq
		ops    int
	}{
		{"resnet32", func(m nn.Model) nn.Seq { return m.(*nn.CIFARResNet).Layer1 }, 1},
		{"resnet32", cifar, 1},
		{"resnet32", func(m nn.Model) nn.Seq { l := cifar(m); return append(l[:1:1], l[2], nn.Func(autograd.ReLU), l[3]) }, 2},
		{"resnet32", func(m nn.Model) nn.Seq { l := cifar(m); l[2].(*nn.BasicBlock).BN1.Eps *= 2; return l }, 2},
		{"resnet50", func(m nn.Model) nn.Seq { return m.(*nn.ResNet).Layer3 }, 1},
		{"resnet50", func(m nn.Model) nn.Seq {
			r := m.(*nn.ResNet)
			return append(append(nn.Seq{}, r.Layer1...), r.Layer2...)
		}, 2},
	} {
		a, b := train(c.model, c.layers, true), train(c.model, c.layers, false)
		if a.residual != c.ops || b.residual <= c.ops {
			t.Errorf("%s: %d ops together and %d one by one, want %d and more", c.model, a.residual, b.residual, c.ops)
		}
		near := func(x, y float64) bool { return math.Abs(x-y) <= 1e-4*(1+math.Abs(x)) }
		if !slices.EqualFunc(a.out, b.out, near) {
			t.Errorf("%s: another output", c.model)
		}
		for name := range b.state {
			if !slices.EqualFunc(a.state[name], b.state[name], near) {
				t.Errorf("%s: another %s", c.model, name)
			}
		}
		for name := range b.grads {
			if len(b.grads[name]) == 0 || !slices.EqualFunc(a.grads[name], b.grads[name], near) {
				t.Errorf("%s: another gradient of %s", c.model, name)
			}
		}
	}
}
