package kerneltest

import (
	"fmt"

	"phase/kernels"
	"phase/tensor"
)

// branches are chains of convolutions and norms, as residual blocks have them.
func branches() (cs []call) {
	type unit struct {
		p    kernels.Conv2D
		o, k int // outputs, filter
	}
	same, half, one := kernels.Conv2D{Pad: 1}, kernels.Conv2D{Stride: 2, Pad: 1}, kernels.Conv2D{}
	for _, v := range []struct {
		x     []int
		relu  bool
		units []unit
		more  int // blocks behind the first
	}{
		{[]int{3, 2, 3, 5}, true, []unit{{same, 3, 3}}, 0},
		{[]int{9, 3, 8, 8}, true, []unit{{same, 16, 3}}, 0},
		{[]int{2, 5, 5, 4}, false, []unit{{kernels.Conv2D{Stride: 2}, 7, 1}}, 0},
		{[]int{2, 16, 8, 8}, true, []unit{{same, 16, 3}, {same, 16, 3}}, 0},
		{[]int{33, 16, 8, 8}, true, []unit{{same, 16, 3}, {same, 16, 3}}, 0},
		{[]int{3, 16, 8, 4}, true, []unit{{half, 32, 3}, {same, 32, 3}}, 0},
		{[]int{2, 4, 7, 5}, true, []unit{{half, 6, 3}, {same, 6, 3}}, 0},
		{[]int{3, 64, 4, 4}, false, []unit{{one, 16, 1}, {same, 16, 3}, {one, 64, 1}}, 0},
		{[]int{2, 24, 6, 6}, true, []unit{{one, 12, 1}, {kernels.Conv2D{Stride: 2, Pad: 1, Groups: 4}, 12, 3}, {one, 40, 1}}, 0},
		{[]int{2, 128, 4, 4}, true, []unit{{same, 160, 3}}, 0},
		{[]int{2, 3, 5, 4}, false, []unit{{half, 6, 3}, {same, 6, 3}, {same, 6, 3}, {same, 6, 3}}, 1},
		{[]int{33, 16, 8, 8}, true, []unit{{same, 16, 3}, {same, 16, 3}, {same, 16, 3}, {same, 16, 3}, {same, 16, 3}, {same, 16, 3}}, 2},
		{[]int{3, 12, 4, 4}, true, []unit{{one, 16, 1}, {one, 16, 1}, {one, 16, 1}}, 2},
		{[]int{2, 24, 6, 6}, true, []unit{{one, 12, 1}, {half, 12, 3}, {one, 40, 1}, {one, 12, 1}, {same, 12, 3}, {one, 40, 1}}, 1},
	} {
		b := kernels.Branch{Eps: 1e-2, ReLU: v.relu}
		shapes := [][]int{v.x} // of what each convolution sees, and of the end
		k := 1                 // terms that a result adds up
		for _, u := range v.units {
			s := shapes[len(shapes)-1]
			b.Convs = append(b.Convs, u.p)
			shapes = append(shapes, []int{s[0], u.o, u.p.Out(s[2], u.k), u.p.Out(s[3], u.k)})
			k = max(k, s[1]*u.k*u.k/u.p.G())
		}
		y := shapes[len(v.units)]
		// Errors of every step are divided by a standard deviation of about one
		// and carried through the next.
		k *= 4 * len(v.units)
		parameters := func(o *operands, i int) kernels.Unit {
			u, c := v.units[i], shapes[i][1]/v.units[i].p.G()
			return kernels.Unit{W: o.filters(u.o, c, u.k, u.k), Gamma: o.positive(u.o), Beta: o.in(u.o)}
		}
		blocks := v.more + 1
		outputs := func(one func(shape ...int) *tensor.Tensor) (y []*tensor.Tensor) {
			for k := range blocks {
				y = append(y, one(shapes[(k+1)*len(v.units)/blocks]...))
			}
			return y
		}
		for _, shortcut := range []bool{false, true} {
			rest := func(o *operands) *tensor.Tensor {
				if shortcut {
					return o.x(0, y...)
				}
				return nil
			}
			detail := fmt.Sprintf("%v %+v blocks %d shortcut %v", tensor.Shape(v.x), b, blocks, shortcut)
			cs = append(cs, call{"Branch", detail, largest, k, func(o *operands) []any {
				var units []kernels.Unit
				for i := range v.units {
					u := parameters(o, i)
					u.Mean, u.Var, u.Z = o.flat(v.units[i].o), o.flat(v.units[i].o), o.out(shapes[i+1]...)
					units = append(units, u)
				}
				return []any{b, outputs(o.out), units, o.x(0, v.x...), rest(o)}
			}}, call{"BranchGrad", detail, largest, 16 * k, func(o *operands) []any {
				dx, dshortcut := o.acc(v.x...), kernels.Acc{}
				if shortcut {
					dshortcut = o.acc(y...)
				}
				var units []kernels.Unit
				var grads []kernels.UnitGrad
				for i := range v.units {
					u, n := parameters(o, i), v.units[i].o
					u.Mean, u.Var, u.Z = o.in(n), o.positive(n), o.x(0, shapes[i+1]...)
					units = append(units, u)
					grads = append(grads, kernels.UnitGrad{W: o.flatAcc(u.W.Shape()...), Gamma: o.flatAcc(n), Beta: o.flatAcc(n)})
				}
				image := func(shape ...int) *tensor.Tensor { return o.x(0, shape...) }
				return []any{b, dx, dshortcut, grads, units, o.x(0, v.x...), outputs(image), o.x(0, y...)}
			}})
			if blocks > 1 {
				continue
			}
			cs = append(cs, call{"BranchEval", detail, largest, k, func(o *operands) []any {
				var units []kernels.Unit
				for i := range v.units {
					u := parameters(o, i)
					u.Mean, u.Var = o.in(v.units[i].o), o.positive(v.units[i].o)
					units = append(units, u)
				}
				return []any{b, o.out(y...), units, o.x(0, v.x...), rest(o)}
			}})
		}
	}
	return cs
}
