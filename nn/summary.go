package nn

import (
	"fmt"
	"strings"

	"phase/autograd"
	"phase/tensor"
)

// A Row is one line of a summary: one layer of one forward pass.
type Row struct {
	Name    string       // path of the layer that holds the parameters (layer1.0.conv1); "" without
	Kind    string       // conv 3x3 /2, batch norm, ...
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
	p := &Pass{trace: func(layer Module, y *autograd.Var) {
		row := describe(layer, y.Shape())
		for name, v := range Params(layer) {
			row.Name = strings.TrimSuffix(strings.TrimSuffix(names[v], name), ".")
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

// describe says what a layer with outputs of shape y, of a batch of one, is and
// what it costs.
func describe(layer Module, y tensor.Shape) Row {
	row := Row{Out: append(tensor.Shape{}, y...)}
	switch l := layer.(type) {
	case *Linear:
		row.Kind, row.MulAdds = "linear", y.Size()*l.Weight.Value.Dim(1)
	case *CosineLinear:
		row.Kind, row.MulAdds = "cosine linear", y.Size()*l.Weight.Value.Dim(1)
	case *Conv2D:
		w := l.Weight.Shape()
		row.Kind, row.MulAdds = fmt.Sprintf("conv %dx%d", w[2], w[3]), y.Size()*w[1:].Size()
		if l.Op.S() > 1 {
			row.Kind += fmt.Sprintf(" /%d", l.Op.S())
		}
	case *BatchNorm:
		row.Kind = "batch norm"
	case MaxPool:
		row.Kind = fmt.Sprintf("max pool %d /%d", l.Size, l.S())
	case AvgPool:
		row.Kind = fmt.Sprintf("avg pool %d /%d", l.Size, l.S())
	case GlobalAvgPool:
		row.Kind = "global avg pool"
	case Flatten:
		row.Kind = "flatten"
	case Dropout:
		row.Kind = "dropout"
	}
	return row
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
