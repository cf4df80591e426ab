package nn

import (
	"strings"

	"phase/autograd"
	"phase/tensor"
)

// A Row is one line of a summary: one layer of one forward pass.
type Row struct {
	Name    string       // path of the layer that holds the parameters (layer1.0.conv1); "" without
	Kind    string       // conv 3x3 /2, batch norm + relu, ...
	Out     tensor.Shape // of a batch of one
	Params  int          // trainable numbers, counted where they are first met
	MulAdds int          // multiplications of convolutions and linear maps; each goes with one addition
}

// Summary lists the layers of m in the order in which an input of the given
// shape, without the batch axis, passes them, and their totals. It runs the
// model once, in evaluation, on zeros. Parameters that no layer of this
// package showed stand in a row of their own at the end, so that the total is
// Size(m).
func Summary(m Module, input ...int) (rows []Row, total Row) {
	names, counted := map[*autograd.Var]string{}, map[*autograd.Var]bool{}
	for name, v := range Params(m) {
		names[v] = name
	}
	count := func(v *autograd.Var) int {
		if counted[v] {
			return 0
		}
		counted[v] = true
		return v.Value.Size()
	}
	p := &Pass{trace: func(s seen) {
		row := Row{Kind: s.kind, Out: s.out, MulAdds: s.mulAdds}
		for _, v := range s.params {
			if v == nil {
				continue
			}
			if row.Name == "" {
				row.Name = names[v][:max(strings.LastIndexByte(names[v], '.'), 0)]
			}
			row.Params += count(v)
		}
		rows = append(rows, row)
	}}
	total.Kind, total.Out = "total", m.Forward(p, autograd.Const(zeros(m, input))).Shape()
	for name, v := range Params(m) {
		if n := count(v); n > 0 {
			rows = append(rows, Row{Name: name, Kind: "parameter", Out: v.Shape(), Params: n})
		}
	}
	for _, r := range rows {
		total.Params += r.Params
		total.MulAdds += r.MulAdds
	}
	return rows, total
}

// zeros is a batch of one input in the dtype and on the device of m.
func zeros(m Module, input []int) *tensor.Tensor {
	dev, d := tensor.CPU, tensor.F32
	for _, v := range Params(m) {
		dev, d = v.Value.Device(), v.Value.DType()
		break
	}
	return tensor.New(dev, d, append([]int{1}, input...)...)
}
