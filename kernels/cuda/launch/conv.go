package launch

import (
	"slices"

	"phase/kernels"
	"phase/tensor"
)

// A scene is images and windows over them, as src/conv.h has it: window (i,j) sees
// rows i·step + row + r·tapStep for r below tapRows, columns alike.
type scene struct {
	x                         *tensor.Tensor // (n,c,h,w)
	channels                  int            // of a group
	rows, columns             int            // of windows
	step, row, column         int
	tapRows, tapCols, tapStep int
}

// scene is the windows of p over x that give y.
func sceneOf(p kernels.Conv2D, y, x, filter tensor.Shape, of *tensor.Tensor) scene {
	return scene{of, filter[1], y[2], y[3], p.S(), -p.Pad, -p.Pad, filter[2], filter[3], p.D()}
}

func (s scene) windows() int { return s.x.Dim(0) * s.rows * s.columns }

func (s scene) terms() int { return s.tapRows * s.tapCols * s.channels }

func (s scene) args() []Arg {
	x := s.x.Shape()
	return []Arg{at(s.x), whole(x[0]), whole(x[2]), whole(x[3]), whole(x[1]), whole(s.channels), whole(s.rows), whole(s.columns), whole(s.step),
		whole(s.row), whole(s.column), whole(s.tapRows), whole(s.tapCols), whole(s.tapStep)}
}

// pixels says which pixels of the images that it makes a convolution's windows are:
// rows row, row + step, ..., columns alike.
type pixels struct {
	row, column, step int
	outputs           int // channels of a group
}

// conv plans out += windows × weights; packed is (groups,taps,channels,outputs).
func (w *Work) conv(out kernels.Acc, to pixels, packed *tensor.Tensor, groups int, s scene) {
	if s.windows() == 0 {
		return
	}
	o, d := out.T.Shape(), out.T.DType()
	w.product("conv", "", tileFor(tall, to.outputs, d), d, s.windows(), to.outputs, groups, append([]Arg{
		at(out.T), truth(out.Fresh), at(packed), whole(to.outputs), whole(o[2]), whole(o[3]), whole(o[1]), whole(to.row), whole(to.column), whole(to.step)},
		s.args()...)...)
}

// filterAxes are the groups, tap rows, tap columns, channels and outputs of weights
// (o,c/groups,r,s), with their strides there.
func filterAxes(groups int, s tensor.Shape) [5]axis {
	o, c, r, t := s[0]/groups, s[1], s[2], s[3]
	return [5]axis{{n: groups, s: [4]int{o * c * r * t}}, {n: r, s: [4]int{t}}, {n: t, s: [4]int{1}}, {n: c, s: [4]int{r * t}}, {n: o, s: [4]int{c * r * t}}}
}

// pack plans the copy of weights, from the element first on, along axes that have
// strides there, to scratch memory without gaps.
func (w *Work) pack(weights *tensor.Tensor, first int, axes ...axis) *tensor.Tensor {
	to, axes := w.flat(weights.DType(), sizeOf(axes)), slices.Clone(axes)
	for i, step := len(axes)-1, 1; i >= 0; i-- {
		axes[i].s[1] = axes[i].s[0]
		axes[i].s[0] = step
		step *= axes[i].n
	}
	if first < weights.Size() {
		w.copy(to, weights.Reshape(-1).Slice(0, first, weights.Size(), 1), axes)
	}
	return to
}

func (w *Work) conv2D(p kernels.Conv2D, y, x, filter *tensor.Tensor) {
	a := filterAxes(p.G(), filter.Shape())
	packed := w.pack(filter, 0, a[:]...)
	w.conv(kernels.Acc{T: y, Fresh: true}, pixels{step: 1, outputs: a[4].n}, packed, p.G(), sceneOf(p, y.Shape(), x.Shape(), filter.Shape(), x))
}

// phase is what an axis of pixels sees of the outputs if every S-th counts, from
// pixel first on: count taps of the filter, from tap on, each tapStep taps further,
// and tap i of pixel first + j·S meets output at + j - i·(tapStep·D/S).
type phase struct{ count, tap, tapStep, at int }

// phaseOf is the phase of pixel first for a filter of extent k: of all taps those
// for which first + Pad - tap·D is a multiple of S.
func phaseOf(p kernels.Conv2D, first, k int) phase {
	f := phase{tapStep: p.S() / gcd(p.S(), p.D())}
	for t := range min(k, f.tapStep) {
		if (first+p.Pad-t*p.D())%p.S() == 0 {
			f.tap, f.count, f.at = t, ceil(k-t, f.tapStep), (first+p.Pad-t*p.D())/p.S()
			break
		}
	}
	return f
}

func gcd(a, b int) int {
	for b != 0 {
		a, b = b, a%b
	}
	return a
}

// conv2DGradX goes through the phases of the pixels one by one. For each, the
// gradient is itself a convolution of dy, without a stride.
func (w *Work) conv2DGradX(p kernels.Conv2D, dx kernels.Acc, filter, dy *tensor.Tensor) {
	x, stride := dx.T.Shape(), p.S()
	for i := range min(stride, x[2]) {
		for j := range min(stride, x[3]) {
			a := filterAxes(p.G(), filter.Shape())
			rows, columns := phaseOf(p, i, a[1].n), phaseOf(p, j, a[2].n)
			if !dx.Fresh && rows.count*columns.count == 0 {
				continue
			}
			first := rows.tap*a[1].s[0] + columns.tap*a[2].s[0]
			a[1] = axis{n: rows.count, s: [4]int{a[1].s[0] * rows.tapStep}}
			a[2] = axis{n: columns.count, s: [4]int{a[2].s[0] * columns.tapStep}}
			packed := w.pack(filter, first, a[0], a[1], a[2], a[4], a[3])
			w.conv(dx, pixels{i, j, stride, a[3].n}, packed, p.G(), scene{
				x: dy, channels: a[4].n, rows: ceil(x[2]-i, stride), columns: ceil(x[3]-j, stride), step: 1, row: rows.at, column: columns.at,
				tapRows: rows.count, tapCols: columns.count, tapStep: -rows.tapStep * p.D() / stride})
		}
	}
}

// leastWindows is how many windows a slice of a weight gradient is worth.
const leastWindows = 128

// conv2DGradW cuts the windows into slices, each with a gradient of its own, and
// adds these up.
func (w *Work) conv2DGradW(p kernels.Conv2D, dw kernels.Acc, x, dy *tensor.Tensor) {
	a := filterAxes(p.G(), dw.T.Shape())
	s := sceneOf(p, dy.Shape(), x.Shape(), dw.T.Shape(), x)
	size := sizeOf(a[:])
	if size == 0 {
		return
	}
	t := tileFor(low, a[4].n, x.DType())
	count := max(1, min(ceil(enoughBlocks, t.blocks(s.terms(), a[4].n)*p.G()), s.windows()/leastWindows, most/p.G()))
	part := w.flat(wide(x.DType()), count*size)
	w.product("conv_weights", "", t, x.DType(), s.terms(), a[4].n, count*p.G(), append([]Arg{
		at(part), at(dy), whole(a[4].n), whole(dy.Dim(1)), whole(p.G()), whole(ceil(s.windows(), count))}, s.args()...)...)
	w.sumSlices(dw, part, count, 1, joined(a[:]))
}

// Conv2D is y = x ⋆ w, the cross-correlation.
func (b Backend) Conv2D(p kernels.Conv2D, y, x, filter *tensor.Tensor) {
	b.run(func(w *Work) { w.conv2D(p, y, x, filter) })
}

// Conv2DGradX is the derivative by the input.
func (b Backend) Conv2DGradX(p kernels.Conv2D, dx kernels.Acc, filter, dy *tensor.Tensor) {
	if dx.Wanted() {
		b.run(func(w *Work) { w.conv2DGradX(p, dx, filter, dy) })
	}
}

// Conv2DGradW is the derivative by the filters.
func (b Backend) Conv2DGradW(p kernels.Conv2D, dw kernels.Acc, x, dy *tensor.Tensor) {
	if dw.Wanted() {
		b.run(func(w *Work) { w.conv2DGradW(p, dw, x, dy) })
	}
}
