package kerneltest

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"

	"phase/kernels"
	"phase/tensor"
)

// calls is the whole suite, the same every time.
func calls() []call {
	r := rand.New(rand.NewPCG(20251125, 12))
	return slices.Concat(pointwise(r), strided(r), linear(r), reductions(r), indexing(r), losses(r), updates(r),
		convolutions(r), norms(r), branches(), pools(r))
}

// lengths are where vector loops and their tails begin and end.
var lengths = []int{0, 1, 2, 3, 5, 7, 8, 9, 15, 16, 17, 31, 32, 33, 63, 64, 65, 100, 255, 1000, 4097, 20011}

// special numbers pass through as in ref.
var special = []float64{
	0, math.Copysign(0, -1), 1, -1, math.Inf(1), math.Inf(-1), math.NaN(), 0x1p-1040, -0x1p-1040, 0x1p-130, -0x1p-130,
	1e-3, -1e-3, 20, -20, 80, -80, 100, -100, 3e38, -3e38, 0.5, -0.5, 5, -5, 10, -10,
}

// pick is special numbers in turn, starting anywhere.
func pick(from int) func(i int) float64 {
	return func(i int) float64 { return special[(from+i)%len(special)] }
}

func pointwise(r *rand.Rand) (cs []call) {
	name := []string{"relu", "exp", "log", "tanh", "sigmoid", "gelu", "sqrt", "rsqrt", "square", "abs"}
	kind := map[kernels.Fn]scale{kernels.Log: largest, kernels.Tanh: largest, kernels.GELU: largest}
	add := func(method, detail string, s scale, args func(o *operands) []any) {
		cs = append(cs, call{method, detail, s, 1, args})
	}
	for f := range kernels.NumFn {
		s, ok := kind[f]
		if !ok {
			s = own
		}
		roots := f == kernels.Log || f == kernels.Sqrt || f == kernels.Rsqrt
		for i, n := range lengths {
			if f > kernels.Exp && i%2 != int(f)%2 {
				continue // every length meets some function of each kind
			}
			detail := fmt.Sprintf("%s of %d", name[f], n)
			in := func(o *operands) *tensor.Tensor {
				if roots {
					return o.positive(n)
				}
				return o.in(n)
			}
			add("Map", detail, s, func(o *operands) []any { return []any{f, o.out(n), in(o)} })
			add("MapGrad", detail, largest, func(o *operands) []any {
				x := in(o)
				return []any{f, o.acc(n), x, o.positive(n), o.in(n)}
			})
		}
		add("Map", name[f]+" of special numbers", s, func(o *operands) []any { return []any{f, o.out(61), o.of(pick(0), 61)} })
		add("Map", name[f]+" of images", s, func(o *operands) []any {
			return []any{f, o.out(2, 3, 5, 4), o.floats("in", true, []int{2, 3, 5, 4}, pick(3)).t}
		})
		// Where ReLU cuts, not even an infinite gradient passes.
		add("MapGrad", name[f]+", NaN and Inf in dy", largest, func(o *operands) []any {
			return []any{f, o.acc(61), o.positive(61), o.of(func(i int) float64 { return float64(i%3) / 2 }, 61), o.of(pick(1), 61)}
		})
	}
	for _, n := range lengths {
		detail := fmt.Sprintf("%d", n)
		add("Affine", detail, terms, func(o *operands) []any { return []any{kernels.Affine{Mul: 1.5, Add: .25}, o.out(n), o.in(n)} })
		add("AXPY", detail, terms, func(o *operands) []any { return []any{-.7, o.acc(n), o.in(n)} })
		p := kernels.Dropout{Rate: .3, Seed: r.Uint64()}
		add("Dropout", detail, own, func(o *operands) []any { return []any{p, o.out(n), o.in(n)} })
		add("DropoutGrad", detail, own, func(o *operands) []any { return []any{p, o.acc(n), o.in(n)} })
	}
	for _, rate := range []float64{0, .5, .999} {
		p := kernels.Dropout{Rate: rate, Seed: r.Uint64()}
		add("Dropout", fmt.Sprintf("rate %v of images", rate), own, func(o *operands) []any { return []any{p, o.out(2, 5, 3, 7), o.x(0, 2, 5, 3, 7)} })
		add("DropoutGrad", fmt.Sprintf("rate %v of images", rate), own, func(o *operands) []any { return []any{p, o.acc(2, 5, 3, 7), o.x(0, 2, 5, 3, 7)} })
	}
	add("Affine", "special numbers", own, func(o *operands) []any { return []any{kernels.Affine{Mul: 2}, o.out(61), o.of(pick(2), 61)} })
	add("AXPY", "special numbers", own, func(o *operands) []any { return []any{2., o.acc(61), o.of(pick(4), 61)} })
	add("AXPY", "images", terms, func(o *operands) []any { return []any{2., o.acc(1, 3, 4, 5), o.x(0, 1, 3, 4, 5)} })
	return cs
}

// strided is what takes other strides: copies and broadcasting.
func strided(r *rand.Rand) (cs []call) {
	name := []string{"add", "sub", "mul", "div"}
	type pair struct{ x, y, z []int }
	pairs := []pair{
		{[]int{}, []int{}, []int{}}, {[]int{0, 3}, []int{3}, []int{0, 3}},
		{[]int{2, 3}, []int{1, 3}, []int{2, 3}}, {[]int{2, 1}, []int{1, 3}, []int{2, 3}}, {[]int{4, 3, 5}, []int{3, 1}, []int{4, 3, 5}},
		{[]int{65, 33}, []int{33}, []int{65, 33}}, {[]int{65, 33}, []int{65, 1}, []int{65, 33}}, {[]int{300, 10}, []int{}, []int{300, 10}},
		{[]int{2, 3, 2, 3, 2, 3}, []int{3, 1, 3, 1, 3}, []int{2, 3, 2, 3, 2, 3}}, {[]int{1}, []int{1000}, []int{1000}}, {[]int{7, 1}, []int{}, []int{7, 1}},
	}
	for _, n := range lengths {
		pairs = append(pairs, pair{[]int{n}, []int{n}, []int{n}})
	}
	for f := range kernels.NumFn2 {
		for _, s := range pairs {
			k := max(tensor.Shape(s.z).Size()/max(min(tensor.Shape(s.x).Size(), tensor.Shape(s.y).Size()), 1), 1)
			detail := fmt.Sprintf("%s %v %v", name[f], tensor.Shape(s.x), tensor.Shape(s.y))
			cs = append(cs, call{"Binary", detail, own, 1, func(o *operands) []any {
				return []any{f, o.flat(s.z...), o.in(s.x...).Expand(s.z...), o.positive(s.y...).Expand(s.z...)}
			}})
			for arg, d := range [][]int{s.x, s.y} {
				cs = append(cs, call{"BinaryGrad", fmt.Sprintf("%s, argument %d", detail, arg), terms, k, func(o *operands) []any {
					return []any{f, arg, o.flatAcc(d...), o.in(s.x...).Expand(s.z...), o.positive(s.y...).Expand(s.z...), o.in(s.z...)}
				}})
			}
		}
		// A bias of one number a channel, and two maps, over channels-last images.
		for _, s := range [][]int{{2, 5, 3, 4}, {1, 17, 2, 2}, {3, 1, 4, 4}, {2, 64, 3, 3}} {
			bias := []int{s[1], 1, 1}
			detail := fmt.Sprintf("%s images %v", name[f], tensor.Shape(s))
			cs = append(cs,
				call{"Binary", detail, own, 1, func(o *operands) []any { return []any{f, o.out(s...), o.x(0, s...), o.x(3, s...)} }},
				call{"Binary", detail + " and bias", own, 1, func(o *operands) []any {
					return []any{f, o.out(s...), o.x(0, s...), o.positive(bias...).Expand(s...)}
				}},
				call{"BinaryGrad", detail, terms, 1, func(o *operands) []any {
					return []any{f, 1, o.acc(s...), o.x(0, s...), o.x(3, s...), o.x(0, s...)}
				}},
				call{"BinaryGrad", detail + " and bias", terms, s[0] * s[2] * s[3], func(o *operands) []any {
					return []any{f, 1, o.flatAcc(bias...), o.x(0, s...), o.positive(bias...).Expand(s...), o.x(0, s...)}
				}})
		}
		cs = append(cs,
			call{"Binary", name[f] + " transposed", own, 1, func(o *operands) []any {
				return []any{f, o.flat(7, 9), o.in(9, 7).Permute(1, 0), o.positive(7, 20).Slice(1, 1, 19, 2)}
			}},
			call{"BinaryGrad", name[f] + " transposed", terms, 1, func(o *operands) []any {
				return []any{f, 1, o.flatAcc(7, 9), o.in(9, 7).Permute(1, 0), o.positive(7, 20).Slice(1, 1, 19, 2), o.in(7, 9)}
			}},
			call{"Binary", name[f] + " special numbers", own, 1, func(o *operands) []any {
				n := len(special)
				return []any{f, o.flat(n, n), o.of(pick(0), n).Expand(n, n), o.of(pick(0), n, 1).Expand(n, n)}
			}})
	}
	return slices.Concat(cs, copies(), casts())
}

// casts go between bfloat16 and the mode's dtype.
func casts() (cs []call) {
	for i, n := range lengths {
		detail := fmt.Sprintf("%d", n)
		numbers := pick(i)
		cs = append(cs,
			call{"Cast", detail + " to bf16", exact, 1, func(o *operands) (args []any) {
				o.inHalves(func() { args = []any{o.out(n)} })
				return append(args, o.of(numbers, n))
			}},
			call{"Cast", detail + " of any size to bf16", exact, 1, func(o *operands) (args []any) {
				o.inHalves(func() { args = []any{o.out(n)} })
				return append(args, o.in(n))
			}},
			call{"Cast", detail + " from bf16", exact, 1, func(o *operands) []any {
				y := o.out(n)
				var x *tensor.Tensor
				o.inHalves(func() { x = o.of(numbers, n) })
				return []any{y, x}
			}},
			call{"CastGrad", detail + " from bf16", own, 1, func(o *operands) []any {
				dx := o.acc(n)
				var dy *tensor.Tensor
				o.inHalves(func() { dy = o.positive(n) })
				return []any{dx, dy}
			}},
			call{"CastGrad", detail + " to bf16", largest, 1 << 32, func(o *operands) []any {
				var dx kernels.Acc
				o.inHalves(func() { dx = o.acc(n) })
				return []any{dx, o.in(n)}
			}})
	}
	cs = append(cs, call{"Cast", "images", exact, 1, func(o *operands) (args []any) {
		o.inHalves(func() { args = []any{o.out(2, 5, 3, 7)} })
		return append(args, o.x(0, 2, 5, 3, 7))
	}})
	return cs
}

// copies pairs every kind of view with every other.
func copies() (cs []call) {
	type view struct {
		name string
		of   func(base func(shape ...int) *tensor.Tensor) *tensor.Tensor // a (2,6,4,5)
	}
	type makes = func(shape ...int) *tensor.Tensor
	views := []view{
		{"row-major", func(base makes) *tensor.Tensor { return base(2, 6, 4, 5) }},
		{"channels-last", func(base makes) *tensor.Tensor { return base(2, 4, 5, 6).Permute(0, 3, 1, 2) }},
		{"reversed axes", func(base makes) *tensor.Tensor { return base(5, 4, 6, 2).Permute(3, 2, 1, 0) }},
		{"cropped", func(base makes) *tensor.Tensor { return base(2, 6, 6, 8).Slice(2, 1, 5, 1).Slice(3, 2, 7, 1) }},
		{"every other channel", func(base makes) *tensor.Tensor { return base(2, 13, 4, 5).Slice(1, 1, 13, 2) }},
		{"cropped channels-last", func(base makes) *tensor.Tensor {
			return base(2, 6, 9, 6).Permute(0, 3, 1, 2).Slice(2, 1, 5, 1).Slice(3, 0, 9, 2)
		}},
		{"broadcast", func(base makes) *tensor.Tensor { return base(6, 1, 5).Expand(2, 6, 4, 5) }},
	}
	for _, from := range views {
		for _, to := range views {
			detail := from.name + " to " + to.name
			if to.name != "broadcast" {
				cs = append(cs, call{"Copy", detail, exact, 1, func(o *operands) []any { return []any{to.of(o.state), from.of(o.in)} }})
			}
			cs = append(cs, call{"CopyGrad", detail, largest, 8, func(o *operands) []any { return []any{to.of(o.state), from.of(o.in)} }})
		}
	}
	for _, n := range lengths {
		cs = append(cs,
			call{"Copy", fmt.Sprintf("%d", n), exact, 1, func(o *operands) []any { return []any{o.flat(n), o.of(pick(0), n)} }},
			call{"CopyGrad", fmt.Sprintf("%d", n), own, 1, func(o *operands) []any { return []any{o.state(n), o.positive(n)} }})
	}
	cs = append(cs, call{"Copy", "integers, transposed", exact, 1, func(o *operands) []any {
		return []any{o.places(1, 3, 5, 7), o.ints(1<<40, 1, 7, 5, 3).Permute(0, 3, 2, 1)}
	}})
	return cs
}

func linear(r *rand.Rand) (cs []call) {
	sizes := [][3]int{
		{1, 1, 1}, {0, 3, 4}, {3, 0, 4}, {3, 4, 0}, {1, 1000, 3}, {1000, 1, 3}, {3, 5, 1031}, {5, 1037, 7}, {130, 5, 70}, {64, 64, 64},
		{65, 33, 17}, {48, 16, 300}, {128, 100, 64}, {6, 16, 9}, {12, 32, 5}, {14, 32, 2}, {100, 100, 31},
	}
	for range 60 {
		sizes = append(sizes, [3]int{1 + r.IntN(40), 1 + r.IntN(40), 1 + r.IntN(40)})
	}
	gemm := func(detail string, s [3]int, flags int, a, b func(o *operands, shape ...int) *tensor.Tensor) {
		m, n, k := s[0], s[1], s[2]
		detail = fmt.Sprintf("%sm %d n %d k %d, transposed %02b", detail, m, n, k, flags)
		cs = append(cs, call{"Gemm", detail, terms, k, func(o *operands) []any {
			g := kernels.Gemm{TransA: flags&1 != 0, TransB: flags&2 != 0, Add: !o.fresh}
			ashape, bshape := []int{m, k}, []int{k, n}
			if g.TransA {
				slices.Reverse(ashape)
			}
			if g.TransB {
				slices.Reverse(bshape)
			}
			return []any{g, o.flatAcc(m, n).T, a(o, ashape...), b(o, bshape...)}
		}})
	}
	in := (*operands).in
	for i, s := range sizes {
		for flags := range 4 {
			if i < 24 || flags == i%4 {
				gemm("", s, flags, in, in)
			}
		}
	}
	// One bad number spoils one row or one column, no more.
	for flags := range 4 {
		for _, bad := range []float64{math.NaN(), math.Inf(1)} {
			spoiled := func(o *operands, shape ...int) *tensor.Tensor {
				r := o.rand()
				return o.of(func(i int) float64 {
					if i == 2*shape[1]+3 {
						return bad
					}
					return r.NormFloat64()
				}, shape...)
			}
			gemm(fmt.Sprintf("%v in a, ", bad), [3]int{13, 21, 9}, flags, spoiled, in)
			gemm(fmt.Sprintf("%v in b, ", bad), [3]int{13, 21, 9}, flags, in, spoiled)
		}
	}
	return cs
}

func reductions(r *rand.Rand) (cs []call) {
	type red struct {
		x    []int
		axes []int
	}
	reds := []red{
		{[]int{}, nil}, {[]int{3, 4}, nil}, {[]int{0, 4}, []int{0}}, {[]int{4, 0}, []int{0}}, {[]int{7, 9, 5}, []int{1}}, {[]int{7, 9, 5}, []int{0, 2}},
		{[]int{7, 9, 5}, []int{0, 1, 2}}, {[]int{1, 9, 1}, []int{0, 2}}, {[]int{2, 3, 2, 3, 2, 3}, []int{1, 3, 5}}, {[]int{2, 3, 2, 3, 2, 3}, []int{0, 1, 4}},
		{[]int{1000, 3}, []int{0}}, {[]int{3, 1000}, []int{1}}, {[]int{129, 65}, []int{0}}, {[]int{129, 65}, []int{1}},
	}
	for _, n := range lengths[1:] {
		reds = append(reds, red{[]int{n}, []int{0}})
	}
	for _, v := range reds {
		for i := range 4 {
			p, keep := kernels.Reduce{Axes: v.axes, Mean: i&1 != 0}, i&2 != 0
			k, y := 1, []int{}
			for a, n := range v.x {
				switch {
				case !slices.Contains(v.axes, a):
					y = append(y, n)
				case keep:
					y = append(y, 1)
				}
				if slices.Contains(v.axes, a) {
					k *= n
				}
			}
			if p.Mean && k == 0 {
				continue // the mean of nothing means nothing
			}
			detail := fmt.Sprintf("%v axes %v mean %v keep %v", tensor.Shape(v.x), v.axes, p.Mean, keep)
			cs = append(cs,
				call{"Reduce", detail, terms, k, func(o *operands) []any { return []any{p, o.flat(y...), o.in(v.x...)} }},
				call{"ReduceGrad", detail, terms, 1, func(o *operands) []any { return []any{p, o.flatAcc(v.x...), o.in(y...)} }})
		}
	}
	cs = append(cs, call{"Reduce", "NaN and Inf", terms, 27, func(o *operands) []any {
		return []any{kernels.Reduce{Axes: []int{1}}, o.flat(len(special)), o.of(func(i int) float64 {
			if i%28 == 0 {
				return special[i/28]
			}
			return 1
		}, len(special), len(special))}
	}})
	for _, n := range lengths {
		cs = append(cs, call{"SumSquares", fmt.Sprintf("%d", n), terms, n, func(o *operands) []any {
			dst := hold(o, "sum", false, []float64{1.5}, []int{1}, func(v float64) float64 { return v })
			dst.written = true
			return []any{dst.t, o.in(n)}
		}})
	}
	return cs
}

func indexing(*rand.Rand) (cs []call) {
	for _, v := range []struct{ rows, picks, row int }{{1, 1, 1}, {5, 0, 3}, {5, 9, 3}, {40, 17, 33}, {3, 300, 2}, {100, 10, 1}, {7, 5, 1000}} {
		detail := fmt.Sprintf("%d of %d rows of %d", v.picks, v.rows, v.row)
		cs = append(cs,
			call{"Gather", detail, exact, 1, func(o *operands) []any {
				return []any{o.flat(v.picks, v.row), o.in(v.rows, v.row), o.ints(v.rows, v.picks)}
			}},
			call{"GatherGrad", detail, terms, v.picks/v.rows + 1, func(o *operands) []any {
				return []any{o.flatAcc(v.rows, v.row), o.ints(v.rows, v.picks), o.in(v.picks, v.row)}
			}},
			call{"OneHot", detail, exact, 1, func(o *operands) []any { return []any{o.flat(v.picks, v.row), o.ints(v.row, v.picks)} }})
	}
	cs = append(cs,
		call{"Gather", "(5,2,3)", exact, 1, func(o *operands) []any { return []any{o.flat(4, 2, 3), o.in(5, 2, 3), o.ints(5, 4)} }},
		call{"Gather", "numbers, not rows", exact, 1, func(o *operands) []any { return []any{o.flat(4), o.in(5), o.ints(5, 4)} }},
		call{"GatherGrad", "(5,2,3)", terms, 4, func(o *operands) []any { return []any{o.flatAcc(5, 2, 3), o.ints(5, 4), o.in(4, 2, 3)} }})
	return cs
}

func updates(r *rand.Rand) (cs []call) {
	for i, n := range append(lengths, lengths...) {
		p := kernels.SGD{LR: .1, Momentum: .9, Decay: .01, Nesterov: i%2 == 0, First: i%3 == 0}
		cs = append(cs, call{"SGD", fmt.Sprintf("%+v of %d", p, n), largest, 1, func(o *operands) []any {
			v := o.state
			if p.First {
				v = o.flat
			}
			return []any{p, o.state(n), v(n), o.in(n)}
		}})
		q := kernels.AdamW{LR: .01, Beta1: .9, Beta2: .99, Eps: 1e-3, Decay: .1, Step: 1 + i%5*r.IntN(100)}
		cs = append(cs, call{"AdamW", fmt.Sprintf("%+v of %d", q, n), largest, 1, func(o *operands) []any {
			v := o.floats("state", false, []int{n}, func(i int) float64 { return .1 + float64(i%7) })
			v.written = true
			return []any{q, o.state(n), o.state(n), v.t, o.in(n)}
		}})
		toward := kernels.Rescale{Length: .5 + float64(i%3), Eps: 1e-6, Shrink: i%2 == 0}
		for _, squares := range []float64{0, .1, 30, math.NaN(), math.Inf(1)} {
			detail := fmt.Sprintf("%+v by %g of %d", toward, squares, n)
			sum := func(o *operands) *tensor.Tensor {
				return hold(o, "squares", false, []float64{squares}, []int{1}, func(v float64) float64 { return v }).t
			}
			cs = append(cs,
				call{"Rescale", detail, largest, 1, func(o *operands) []any { return []any{toward, o.flatAcc(n), o.in(n), sum(o)} }},
				call{"Rescale", detail + ", in place", largest, 1, func(o *operands) []any {
					x := o.state(n)
					return []any{toward, kernels.Acc{T: x, Fresh: true}, x, sum(o)}
				}})
		}
		s := kernels.SGD{LR: .1, Decay: .5 * float64(i%2)}
		cs = append(cs, call{"SGD", fmt.Sprintf("%+v of %d", s, n), largest, 1, func(o *operands) []any {
			return []any{s, o.state(n), (*tensor.Tensor)(nil), o.in(n)}
		}})
	}
	return cs
}
