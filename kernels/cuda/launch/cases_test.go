package launch

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"phase/kernels"
	"phase/kernels/ref"
	"phase/tensor"
)

// agree makes one call with ref on the operands, with b on copies of them, and
// compares what they are afterwards. tol is relative to 1 + the largest number of
// an operand.
func agree(t *testing.T, what string, b kernels.Backend, tol float64, call func(b kernels.Backend, x []*tensor.Tensor), operands ...*tensor.Tensor) {
	t.Helper()
	var there []*tensor.Tensor
	for _, x := range operands {
		there = append(there, x.To(simulated))
	}
	call(ref.Backend{}, operands)
	call(b, there)
	for i := range operands {
		near(t, fmt.Sprintf("%s, operand %d %v", what, i, operands[i].Shape()), tol, tensor.Values(there[i]), tensor.Values(operands[i]))
	}
}

func near(t *testing.T, what string, tol float64, got, want []float64) {
	t.Helper()
	top := 1.0
	for _, v := range want {
		top = max(top, 1+math.Abs(v))
	}
	for i, v := range want {
		if !(math.Abs(got[i]-v) <= tol*top) {
			t.Errorf("%s: element %d is %v, want %v", what, i, got[i], v)
			return
		}
	}
}

// numbers are normally distributed; images channels-last.
func numbers(r *rand.Rand, d tensor.DType, shape ...int) *tensor.Tensor {
	t := tensor.New(tensor.CPU, d, shape...)
	if len(shape) == 4 {
		t = tensor.NewImages(tensor.CPU, d, shape[0], shape[1], shape[2], shape[3])
	}
	v := make([]float64, t.Size())
	for i := range v {
		v[i] = r.NormFloat64()
	}
	ref.Backend{}.Cast(t, tensor.Of(v, shape...))
	return t
}

func generator() *rand.Rand { return rand.New(rand.NewPCG(3, 5)) }

// The tile for large products, here on small ones that leave it nearly empty or
// reach just beyond it.
func TestLargeTile(t *testing.T) {
	r := generator()
	for _, cores := range []bool{false, true} {
		for flags := range 4 {
			g := kernels.Gemm{TransA: flags&1 != 0, TransB: flags&2 != 0, Add: flags != 0}
			for _, s := range [][3]int{{3, 5, 7}, {130, 66, 17}} {
				a, b, c := numbers(r, tensor.F32, s[0]*s[2]), numbers(r, tensor.F32, s[2]*s[1]), numbers(r, tensor.F32, s[0]*s[1])
				as, bs, tol := []int{s[0], s[2]}, []int{s[2], s[1]}, 1e-6
				if g.TransA {
					as = []int{s[2], s[0]}
				}
				if g.TransB {
					bs = []int{s[1], s[2]}
				}
				if cores {
					tol = 4e-3
				}
				agree(t, fmt.Sprintf("%+v %v, tensor cores %v", g, s, cores), simulator(cores), tol, func(b kernels.Backend, x []*tensor.Tensor) {
					c, a, y := x[0].Reshape(s[0], s[1]), x[1].Reshape(as...), x[2].Reshape(bs...)
					if b, ok := b.(backend); ok {
						b.run(func(w *Work) { w.gemm(tile{128, 64, 128}, g, c, a, y) })
						return
					}
					b.Gemm(g, c, a, y)
				}, c, a, b)
			}
		}
	}
}

// Images in bfloat16 through tiles of every width.
func TestBranchesInHalves(t *testing.T) {
	r := generator()
	for i, width := range []int{3, 20, 40, 70, 3, 20, 40, 70} {
		b := simulator(i >= 4)
		p := kernels.Branch{Convs: []kernels.Conv2D{{Pad: 1}}, Eps: 1e-2, ReLU: true}
		x, y, z, dx, dy := numbers(r, tensor.BF16, 2, 4, 3, 5), numbers(r, tensor.BF16, 2, width, 3, 5), numbers(r, tensor.BF16, 2, width, 3, 5),
			numbers(r, tensor.BF16, 2, 4, 3, 5), numbers(r, tensor.BF16, 2, width, 3, 5)
		filter, dw := numbers(r, tensor.F32, width, 4*9), numbers(r, tensor.F32, width, 4*9)
		vector := func() *tensor.Tensor { return numbers(r, tensor.F32, width) }
		unit := func(x []*tensor.Tensor) []kernels.Unit {
			return []kernels.Unit{{W: x[0].Reshape(width, 4, 3, 3), Gamma: x[1], Beta: x[2], Mean: x[3], Var: x[4], Z: x[5]}}
		}
		agree(t, "branch", b, 4e-2, func(b kernels.Backend, x []*tensor.Tensor) { b.Branch(p, x[6:7], unit(x), x[7], nil) },
			filter, vector(), vector(), vector(), vector(), z, y, x)
		variance := tensor.Like(vector())
		ref.Backend{}.Map(kernels.Square, variance, vector())
		agree(t, "branch's gradient", b, 4e-2, func(b kernels.Backend, x []*tensor.Tensor) {
			b.BranchGrad(p, kernels.Acc{T: x[6]}, kernels.Acc{}, []kernels.UnitGrad{{W: kernels.Acc{T: x[7].Reshape(width, 4, 3, 3)}, Gamma: kernels.Acc{T: x[8]}, Beta: kernels.Acc{T: x[9]}}},
				unit(x), x[10], x[11:12], x[12])
		}, filter, vector(), vector(), vector(), variance, z, dx, dw, vector(), vector(), x, y, dy)
	}
}

// planner is a Machine that notes how much scratch memory it is asked for.
type planner struct{ scratch int }

func (p *planner) Run(w *Work) { p.scratch = w.Scratch }

// Blocks one after the other need the scratch memory of one, and backwards two
// gradients between them.
func TestScratchOfBlocks(t *testing.T) {
	there := func(shape ...int) *tensor.Tensor { return numbers(generator(), tensor.F32, shape...).To(simulated) }
	image := func() *tensor.Tensor { return there(2, 4, 5, 3) }
	filter := func() *tensor.Tensor { return there(4, 36).Reshape(4, 4, 3, 3) }
	const bytes = 512 // of an image, in whole pieces of alignment
	scratch := func(blocks int) (forward, backward int) {
		p := kernels.Branch{Eps: 1e-2, ReLU: true}
		var y []*tensor.Tensor
		var u []kernels.Unit
		var du []kernels.UnitGrad
		for range blocks {
			for range 2 {
				p.Convs = append(p.Convs, kernels.Conv2D{Pad: 1})
				u = append(u, kernels.Unit{W: filter(), Gamma: there(4), Beta: there(4), Mean: there(4), Var: there(4), Z: image()})
				du = append(du, kernels.UnitGrad{W: kernels.Acc{T: filter()}, Gamma: kernels.Acc{T: there(4)}, Beta: kernels.Acc{T: there(4)}})
			}
			y = append(y, image())
		}
		x, dx := image(), image()
		var m planner
		Backend{Machine: &m}.Branch(p, y, u, x, x)
		forward = m.scratch
		Backend{Machine: &m}.BranchGrad(p, kernels.Acc{T: dx}, kernels.Acc{T: dx, Fresh: true}, du, u, x, y, image())
		return forward, m.scratch
	}
	f1, b1 := scratch(1)
	f4, b4 := scratch(4)
	if f1 == 0 || f4 != f1 {
		t.Errorf("forwards %d bytes for one block, %d for four", f1, f4)
	}
	if b1 == 0 || b4 != b1+2*bytes {
		t.Errorf("backwards %d bytes for one block, %d for four, want %d more", b1, b4, 2*bytes)
	}
}

// What is cut into slices.
func TestSlices(t *testing.T) {
	r := generator()
	for _, d := range []tensor.DType{tensor.F32, tensor.F64} {
		tol := map[tensor.DType]float64{tensor.F32: 1e-6, tensor.F64: 1e-15}[d]
		for _, p := range []kernels.Conv2D{{Pad: 1}, {Stride: 2}} {
			agree(t, "weight gradient", simulator(false), 10*tol, func(b kernels.Backend, x []*tensor.Tensor) {
				b.Conv2DGradW(p, kernels.Acc{T: x[0].Reshape(3, 2, 3, 3)}, x[1], x[2])
			}, numbers(r, d, 3, 18), numbers(r, d, 3, 2, 21, 19), numbers(r, d, 3, 3, p.Out(21, 3), p.Out(19, 3)))
		}
		norm := kernels.BatchNorm{Eps: 1e-3}
		agree(t, "norm of many rows", simulator(false), 10*tol, func(b kernels.Backend, x []*tensor.Tensor) {
			b.BatchNorm(norm, x[0], x[1], x[2], x[3], x[4], x[5], nil)
		},
			numbers(r, d, 1100, 5), numbers(r, d, 5), numbers(r, d, 5), numbers(r, d, 1100, 5), numbers(r, d, 5), numbers(r, d, 5))
		variance := tensor.New(tensor.CPU, d, 5)
		ref.Backend{}.Map(kernels.Square, variance, numbers(r, d, 5))
		agree(t, "its gradient", simulator(false), 10*tol, func(b kernels.Backend, x []*tensor.Tensor) {
			b.BatchNormGrad(norm, kernels.Acc{T: x[0]}, kernels.Acc{T: x[1]}, kernels.Acc{T: x[2]}, kernels.Acc{}, x[3], x[4], x[5], x[6], x[7], x[8])
		}, numbers(r, d, 1100, 5), numbers(r, d, 5), numbers(r, d, 5), numbers(r, d, 1100, 5), numbers(r, d, 1100, 5), numbers(r, d, 5), numbers(r, d, 5), variance, numbers(r, d, 1100, 5))
		agree(t, "sum of squares", simulator(false), 10*tol, func(b kernels.Backend, x []*tensor.Tensor) { b.SumSquares(x[0], x[1]) },
			tensor.Scalar(1.5), numbers(r, d, 9001))
		for _, axis := range []int{0, 1} {
			shape := [][]int{{5000, 2}, {2, 5000}}[axis]
			agree(t, "sum", simulator(false), 100*tol, func(b kernels.Backend, x []*tensor.Tensor) {
				b.Reduce(kernels.Reduce{Axes: []int{axis}, Mean: true}, x[0], x[1])
			},
				numbers(r, d, 2), numbers(r, d, shape...))
		}
	}
	agree(t, "halves that share a place", simulator(false), 1e-2, func(b kernels.Backend, x []*tensor.Tensor) { b.CopyGrad(x[0].Expand(5000, 2), x[1]) },
		numbers(r, tensor.BF16, 2), numbers(r, tensor.BF16, 5000, 2))
}

// Every form of numbers to every other.
func TestCasts(t *testing.T) {
	r := generator()
	for _, from := range []tensor.DType{tensor.F32, tensor.F64, tensor.BF16} {
		for _, to := range []tensor.DType{tensor.F32, tensor.F64, tensor.BF16} {
			agree(t, fmt.Sprintf("%v to %v", from, to), simulator(false), 0, func(b kernels.Backend, x []*tensor.Tensor) {
				b.Cast(x[0], x[1])
				b.CastGrad(kernels.Acc{T: x[2]}, x[1])
			}, numbers(r, to, 300), numbers(r, from, 300), numbers(r, to, 300))
		}
	}
}

// An empty batch has no statistics, and writes none that are not numbers.
func TestNormOfNothing(t *testing.T) {
	r := generator()
	agree(t, "norm", simulator(false), 0, func(b kernels.Backend, x []*tensor.Tensor) {
		b.BatchNorm(kernels.BatchNorm{Eps: 1e-3}, x[0], x[1], x[2], x[3], x[4], x[5], nil)
		b.BatchNormGrad(kernels.BatchNorm{Eps: 1e-3}, kernels.Acc{T: x[0]}, kernels.Acc{T: x[4]}, kernels.Acc{T: x[5]}, kernels.Acc{}, x[3], x[3], x[4], x[1], x[2], x[3])
	}, numbers(r, tensor.F32, 0, 3), numbers(r, tensor.F32, 3), numbers(r, tensor.F32, 3), numbers(r, tensor.F32, 0, 3), numbers(r, tensor.F32, 3), numbers(r, tensor.F32, 3))
}

// A channel whose first number is infinite has a mean all the same.
func TestNormFromInfinity(t *testing.T) {
	x := tensor.New(simulated, tensor.F32, 3, 2)
	mean, variance, one := tensor.New(simulated, tensor.F32, 2), tensor.New(simulated, tensor.F32, 2), tensor.Of([]float32{1, 1}, 2).To(simulated)
	b := simulator(false)
	b.Copy(x, tensor.Of([]float32{float32(math.Inf(1)), 1, 2, 2, 3, 3}, 3, 2).To(simulated))
	b.BatchNorm(kernels.BatchNorm{}, tensor.Like(x), mean, variance, x, one, one, nil)
	m, v := tensor.Values(mean), tensor.Values(variance)
	if !math.IsInf(m[0], 1) || !math.IsNaN(v[0]) || m[1] != 2 || math.Abs(v[1]-2./3) > 1e-6 {
		t.Errorf("means %v and variances %v, want [+Inf 2] and [NaN 2/3]", m, v)
	}
}

// A table moves all its parameters as SGD moves each.
func TestSGDTable(t *testing.T) {
	r := generator()
	for _, d := range []tensor.DType{tensor.F32, tensor.F64} {
		for _, p := range []kernels.SGD{{LR: .1, Decay: .01}, {LR: .1, Momentum: .9, Decay: .01, Nesterov: true}, {LR: .1, Momentum: .9, First: true}} {
			var table Table
			var want, got []*tensor.Tensor
			for _, n := range []int{1, 300, 0, 256, 257, 5} {
				w, v, g := numbers(r, d, n), numbers(r, d, n), numbers(r, d, n)
				w1, v1, g1 := w.To(simulated), v.To(simulated), g.To(simulated)
				if p.Momentum == 0 {
					v1 = nil
				} else {
					want, got = append(want, v), append(got, v1)
				}
				table.Add(w1, v1, g1)
				ref.Backend{}.SGD(p, w, v, g)
				want, got = append(want, w), append(got, w1)
			}
			simulator(false).SGDTable(p, &table, tensor.Of(table.Rows, len(table.Rows)).To(simulated))
			for i := range want {
				near(t, fmt.Sprintf("%+v, tensor %d", p, i), 1e-6, tensor.Values(got[i]), tensor.Values(want[i]))
			}
		}
	}
	simulator(false).SGDTable(kernels.SGD{}, &Table{}, nil) // nothing to move
}

// A table copies all its parameters, and nothing beyond their ends.
func TestCopyTable(t *testing.T) {
	r := generator()
	for _, d := range []tensor.DType{tensor.F32, tensor.F64} {
		var table Table
		var want, got []*tensor.Tensor
		for _, n := range []int{1, 300, 0, 256, 257, 5} {
			from, to := numbers(r, d, n).To(simulated), tensor.New(simulated, d, n)
			table.Add(to, nil, from)
			want, got = append(want, from), append(got, to)
		}
		simulator(false).CopyTable(&table, tensor.Of(table.Rows, len(table.Rows)).To(simulated))
		for i := range want {
			near(t, fmt.Sprintf("%v, tensor %d", d, i), 0, tensor.Values(got[i]), tensor.Values(want[i]))
		}
	}
}

// The squares of a whole table are those of its parameters, of which some have several
// blocks and a block of threads takes several of those; by them each is rescaled.
func TestRescaleTable(t *testing.T) {
	r := generator()
	for _, d := range []tensor.DType{tensor.F32, tensor.F64} {
		for _, p := range []kernels.Rescale{{Length: .05, Eps: 1e-12}, {Length: 2, Eps: 1e-6, Shrink: true}, {Length: 1e6, Shrink: true}} {
			for _, fresh := range []bool{false, true} {
				var table Table
				var y, x, got []*tensor.Tensor
				squares := tensor.New(tensor.CPU, tensor.F64)
				for _, n := range []int{1, 300, 0, 256, 256*20 + 1, 5} {
					x, y = append(x, numbers(r, d, n)), append(y, numbers(r, d, n))
					got = append(got, y[len(y)-1].To(simulated))
					table.Add(got[len(got)-1], nil, x[len(x)-1].To(simulated))
					ref.Backend{}.SumSquares(squares, x[len(x)-1])
				}
				rows, sum := tensor.Of(table.Rows, len(table.Rows)).To(simulated), tensor.New(simulated, tensor.F64)
				simulator(false).SumSquaresTable(sum, &table, rows)
				near(t, "squares", 1e-12, tensor.Values(sum), tensor.Values(squares))
				simulator(false).RescaleTable(p, fresh, &table, rows, sum)
				for i := range y {
					ref.Backend{}.Rescale(p, kernels.Acc{T: y[i], Fresh: fresh}, x[i], squares)
					near(t, fmt.Sprintf("%+v, fresh %v, tensor %d", p, fresh, i), 1e-6, tensor.Values(got[i]), tensor.Values(y[i]))
				}
			}
		}
	}
	simulator(false).SumSquaresTable(nil, &Table{}, nil) // nothing to add
}

// Images are cropped, flipped and normalised as the definition has it.
func TestImages(t *testing.T) {
	r := generator()
	const n, c, h, w = 3, 3, 4, 5
	bytes := make([]int64, (n*h*w*c+7)/8)
	for i := range bytes {
		bytes[i] = int64(r.Uint64())
	}
	picks := []int64{2, 0, 0, 0, 0, -1, 2, 0, 2, 3, -4, 1, 1, -4, 0, 1, 0, 1, 1, 1}
	for _, d := range []tensor.DType{tensor.F32, tensor.F64, tensor.BF16} {
		y := tensor.NewImages(tensor.CPU, d, len(picks)/4, c, h, w)
		agree(t, d.String(), simulator(false), map[tensor.DType]float64{tensor.BF16: 4e-3}[d], func(b kernels.Backend, x []*tensor.Tensor) {
			b.(kernels.ImageMaker).Images(x[0], x[1], x[2], x[3])
		}, y, tensor.Of(bytes, len(bytes)), tensor.Of(picks, len(picks)/4, 4), numbers(r, tensor.F32, c, 256))
	}
}

// Each pixel meets each tap at the output that sees it there, once, over all
// phases.
func TestPhases(t *testing.T) {
	for _, p := range []kernels.Conv2D{{}, {Pad: 1}, {Stride: 2, Pad: 1}, {Stride: 2}, {Stride: 3, Pad: 2, Dilation: 2}, {Stride: 2, Dilation: 2}, {Stride: 4, Dilation: 6, Pad: 3}, {Stride: 6, Dilation: 4, Pad: 1}} {
		for k := 1; k <= 5; k++ {
			got := map[[3]int]int{}
			for first := range p.S() {
				f := phaseOf(p, first, k)
				for j := range 10 {
					for i := range f.count {
						got[[3]int{first + j*p.S(), f.tap + i*f.tapStep, f.at + j - i*f.tapStep*p.D()/p.S()}]++
					}
				}
			}
			want := 0
			for pixel := range 10 * p.S() {
				for tap := range k {
					if d := pixel + p.Pad - tap*p.D(); d%p.S() == 0 {
						want++
						if got[[3]int{pixel, tap, d / p.S()}] != 1 {
							t.Errorf("%+v, %d taps: pixel %d meets tap %d %d times at output %d", p, k, pixel, tap, got[[3]int{pixel, tap, d / p.S()}], d/p.S())
						}
					}
				}
			}
			if len(got) != want {
				t.Errorf("%+v, %d taps: %d meetings, want %d", p, k, len(got), want)
			}
		}
	}
}

// What kernels cannot do is said in words.
func TestMisuse(t *testing.T) {
	half, whole := tensor.New(simulated, tensor.BF16, 3), tensor.New(simulated, tensor.F32, 3)
	b := simulator(false)
	for want, f := range map[string]func(){
		"cuda: no kernel map computes in bf16, only in f32 and f64":               func() { b.Map(kernels.ReLU, half, half) },
		"cuda: a tensor on cpu, not in the GPU's memory: move it with To":         func() { b.Map(kernels.ReLU, whole, tensor.Of([]float32{1, 2, 3}, 3)) },
		"sgd: a parameter in bf16 among parameters in f32":                        func() { var u Table; u.Add(whole, nil, whole); u.Add(half, nil, half) },
		"cuda: a tensor in memory of 2147483648 elements, the most is 2147483647": func() { at(tensor.New(huge{}, tensor.F32, 3)) },
	} {
		if err := tensor.Catch(f); err == nil || err.Error() != want {
			t.Errorf("got %v, want %s", err, want)
		}
	}
	var w Work
	err := tensor.Catch(func() { w.launch("conv", [3]int{1, 1, 65536}, [3]int{1, 1, 1}) })
	if want := "cuda: kernel conv would need a grid of (1,1,65536) blocks, the most is (2147483647,65535,65535): make the batch smaller"; err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
}

// huge is a device whose memory is one element too large.
type huge struct{ *memory }

func (h huge) String() string                         { return "huge" }
func (h huge) Alloc(tensor.DType, int) tensor.Storage { return h }
func (huge) Len() int                                 { return math.MaxInt32 + 1 }
