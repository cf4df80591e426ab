package ptxsim

import (
	"cmp"
	"math"
	"math/big"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

// A kind of rounding by its name in PTX.
var modes = []string{"rn", "rz", "rm", "rp"}

// oracle rounds an exact number to a format with an exponent of e bits and a
// fraction of f, by whole numbers: x is n + rest units of the last place that
// the format has there. zero is the sign of a zero.
func oracle(x *big.Float, e, f int, mode string, zero bool) uint64 {
	bias := 1<<(e-1) - 1
	negative := x.Signbit()
	if x.Sign() == 0 {
		negative = zero
	}
	sign := uint64(0)
	if negative {
		sign = 1 << (e + f)
	}
	inf := uint64(1<<e-1) << f
	if x.IsInf() {
		return sign | inf
	}
	if x.Sign() == 0 {
		return sign
	}
	unit := max(x.MantExp(nil)-1-f, 1-bias-f)
	scaled := new(big.Float).SetMantExp(new(big.Float).Abs(x), -unit)
	n, _ := scaled.Int(nil)
	rest := new(big.Float).SetPrec(4000).Sub(scaled, new(big.Float).SetInt(n))
	half := rest.Cmp(big.NewFloat(0.5))
	odd := n.Bit(0) == 1
	switch {
	case mode == "rn" && (half > 0 || half == 0 && odd),
		mode == "rna" && half >= 0,
		mode == "rp" && !negative && rest.Sign() > 0,
		mode == "rm" && negative && rest.Sign() > 0:
		n.Add(n, big.NewInt(1))
	}
	if n.BitLen() > f+1 { // a power of two now
		n.Rsh(n, 1)
		unit++
	}
	if n.BitLen() <= f { // subnormal
		return sign | n.Uint64()
	}
	exponent := unit + f + bias
	if exponent >= 1<<e-1 {
		if mode == "rz" || mode == "rp" && negative || mode == "rm" && !negative {
			return sign | (inf - 1)
		}
		return sign | inf
	}
	return sign | uint64(exponent)<<f | n.Uint64()&(1<<f-1)
}

// exact is an exact number of a float64.
func exact(x float64) *big.Float { return new(big.Float).SetPrec(4000).SetFloat64(x) }

// parsed are the values of f32 or f64 bits.
func parsed(name string, x []uint64) []float64 {
	v := make([]float64, len(x))
	for i, b := range x {
		v[i] = math.Float64frombits(b)
		if name == "f32" {
			v[i] = float64(math.Float32frombits(uint32(b)))
		}
	}
	return v
}

// A real is an operation on numbers: in float64, for special numbers and the
// signs of zeros; exactly, unless it has no value; and for one that adds, what
// is added.
type real struct {
	name  string
	n     int
	plain func(x []float64) float64
	exact func(z *big.Float, x []*big.Float) bool
	terms func(x []float64) (float64, float64)
}

var reals = []real{
	{"add", 2, func(x []float64) float64 { return x[0] + x[1] }, func(z *big.Float, x []*big.Float) bool { z.Add(x[0], x[1]); return true },
		func(x []float64) (float64, float64) { return x[0], x[1] }},
	{"sub", 2, func(x []float64) float64 { return x[0] - x[1] }, func(z *big.Float, x []*big.Float) bool { z.Sub(x[0], x[1]); return true },
		func(x []float64) (float64, float64) { return x[0], -x[1] }},
	{"mul", 2, func(x []float64) float64 { return x[0] * x[1] }, func(z *big.Float, x []*big.Float) bool { z.Mul(x[0], x[1]); return true }, nil},
	{"div", 2, func(x []float64) float64 { return x[0] / x[1] }, func(z *big.Float, x []*big.Float) bool {
		if x[1].Sign() == 0 {
			return false
		}
		z.Quo(x[0], x[1])
		return true
	}, nil},
	{"rcp", 1, func(x []float64) float64 { return 1 / x[0] }, func(z *big.Float, x []*big.Float) bool {
		if x[0].Sign() == 0 {
			return false
		}
		z.Quo(exact(1), x[0])
		return true
	}, nil},
	{"sqrt", 1, func(x []float64) float64 { return math.Sqrt(x[0]) }, func(z *big.Float, x []*big.Float) bool { z.Sqrt(x[0]); return true }, nil},
	{"fma", 3, func(x []float64) float64 { return math.FMA(x[0], x[1], x[2]) }, func(z *big.Float, x []*big.Float) bool {
		z.Mul(x[0], x[1])
		z.Add(z, x[2])
		return true
	}, func(x []float64) (float64, float64) { return x[0] * x[1], x[2] }},
}

// want is what the operation gives in f32 or f64.
func (op real) want(name, mode string) func(bits ...uint64) uint64 {
	e, f, nan := 8, 23, uint64(0x7fffffff)
	if name == "f64" {
		e, f, nan = 11, 52, 0x7ff8000000000000
	}
	return func(bits ...uint64) uint64 {
		x := parsed(name, bits)
		v := op.plain(x)
		if v != v {
			return nan
		}
		z, finite := new(big.Float).SetPrec(4000), true
		var args []*big.Float
		for _, y := range x {
			if finite = finite && !math.IsInf(y, 0); finite {
				args = append(args, exact(y))
			}
		}
		negative := math.Signbit(v)
		if !finite || !op.exact(z, args) { // zero or infinite, as v is
			z = exact(v)
		} else if z.Sign() == 0 && mode == "rm" && op.terms != nil {
			p, q := op.terms(x)
			negative = math.Signbit(p) || math.Signbit(q)
		}
		return oracle(z, e, f, mode, negative)
	}
}

func floats32() (list []instruction) {
	for _, op := range reals {
		operands := []string{"%a", "%b", "%c"}[:op.n]
		types := strings.TrimSpace(strings.Repeat("f32 ", op.n+1))
		for _, mode := range modes {
			list = append(list, instruction{op.name + "." + mode + ".f32 %d, " + strings.Join(operands, ", ") + ";", types, op.want("f32", mode)})
		}
		if op.n == 2 && op.name != "div" {
			list = append(list, instruction{op.name + ".f32 %d, %a, %b;", types, op.want("f32", "rn")})
		}
	}
	byName := map[string]real{}
	for _, op := range reals {
		byName[op.name] = op
	}
	near := func(name string) func(x ...uint64) uint64 { return byName[name].want("f32", "rn") }
	flushed := func(f func(x ...uint64) uint64) func(x ...uint64) uint64 {
		zero := func(v uint64) uint64 {
			if x := float64(math.Float32frombits(uint32(v))); x != 0 && math.Abs(x) < 0x1p-126 {
				return v & 0x80000000
			}
			return v
		}
		return func(x ...uint64) uint64 {
			y := make([]uint64, len(x))
			for i := range x {
				y[i] = zero(x[i])
			}
			return zero(f(y...))
		}
	}
	unit := func(f func(x ...uint64) uint64) func(x ...uint64) uint64 {
		return func(x ...uint64) uint64 {
			switch v := math.Float32frombits(uint32(f(x...))); {
			case v > 1:
				return 0x3f800000
			case v > 0:
				return uint64(math.Float32bits(v))
			}
			return 0
		}
	}
	return append(list,
		instruction{"mad.rn.f32 %d, %a, %b, %c;", "f32 f32 f32 f32", near("fma")},
		instruction{"mul.ftz.f32 %d, %a, %b;", "f32 f32 f32", flushed(near("mul"))},
		instruction{"add.rn.ftz.f32 %d, %a, %b;", "f32 f32 f32", flushed(near("add"))},
		instruction{"fma.rn.ftz.f32 %d, %a, %b, %c;", "f32 f32 f32 f32", flushed(near("fma"))},
		instruction{"add.sat.f32 %d, %a, %b;", "f32 f32 f32", unit(near("add"))},
		instruction{"fma.rn.sat.f32 %d, %a, %b, %c;", "f32 f32 f32 f32", unit(near("fma"))},
		instruction{"div.full.f32 %d, %a, %b;", "f32 f32 f32", near("div")},
		instruction{"div.approx.f32 %d, %a, %b;", "f32 f32 f32", func(x ...uint64) uint64 {
			if y := math.Abs(float64(math.Float32frombits(uint32(x[1])))); y > 0x1p126 && !math.IsInf(y, 0) {
				switch a := math.Float32frombits(uint32(x[0])); {
				case a != a || math.IsInf(float64(a), 0):
					return 0x7fffffff
				default:
					return (x[0] ^ x[1]) & 0x80000000
				}
			}
			return near("div")(x...)
		}},
		instruction{"rcp.approx.f32 %d, %a;", "f32 f32", near("rcp")},
		instruction{"rcp.approx.ftz.f32 %d, %a;", "f32 f32", flushed(near("rcp"))},
		instruction{"sqrt.approx.f32 %d, %a;", "f32 f32", near("sqrt")},
		instruction{"neg.f32 %d, %a;", "f32 f32", func(x ...uint64) uint64 { return x[0] ^ 0x80000000 }},
		instruction{"neg.ftz.f32 %d, %a;", "f32 f32", flushed(func(x ...uint64) uint64 { return x[0] ^ 0x80000000 })},
		instruction{"abs.f32 %d, %a;", "f32 f32", func(x ...uint64) uint64 { return x[0] & 0x7fffffff }},
		instruction{"copysign.f32 %d, %a, %b;", "f32 f32 f32", func(x ...uint64) uint64 { return x[0]&0x80000000 | x[1]&0x7fffffff }},
		instruction{"min.f32 %d, %a, %b;", "f32 f32 f32", least("f32", false)},
		instruction{"max.f32 %d, %a, %b;", "f32 f32 f32", greatest("f32", false)},
		instruction{"min.NaN.f32 %d, %a, %b;", "f32 f32 f32", least("f32", true)},
		instruction{"max.NaN.f32 %d, %a, %b;", "f32 f32 f32", greatest("f32", true)},
		instruction{"add.f32 %d, %a, 0f3F000000;", "f32 f32", func(x ...uint64) uint64 { return near("add")(x[0], 0x3f000000) }},
	)
}

func floats64() (list []instruction) {
	for _, op := range reals {
		operands := []string{"%a", "%b", "%c"}[:op.n]
		types := strings.TrimSpace(strings.Repeat("f64 ", op.n+1))
		list = append(list, instruction{op.name + ".rn.f64 %d, " + strings.Join(operands, ", ") + ";", types, op.want("f64", "rn")})
	}
	return append(list,
		instruction{"add.f64 %d, %a, %b;", "f64 f64 f64", reals[0].want("f64", "rn")},
		instruction{"mul.f64 %d, %a, %b;", "f64 f64 f64", reals[2].want("f64", "rn")},
		instruction{"neg.f64 %d, %a;", "f64 f64", func(x ...uint64) uint64 { return x[0] ^ 1<<63 }},
		instruction{"abs.f64 %d, %a;", "f64 f64", func(x ...uint64) uint64 { return x[0] &^ (1 << 63) }},
		instruction{"min.f64 %d, %a, %b;", "f64 f64 f64", least("f64", false)},
		instruction{"max.f64 %d, %a, %b;", "f64 f64 f64", greatest("f64", false)},
		instruction{"copysign.f64 %d, %a, %b;", "f64 f64 f64", func(x ...uint64) uint64 { return x[0]&(1<<63) | x[1]&^(1<<63) }},
	)
}

// least is min: by the order of numbers, -0 before +0, and of a NaN and a
// number the number, or the NaN.
func least(name string, nan bool) func(x ...uint64) uint64 {
	canonical := map[string]uint64{"f32": 0x7fffffff, "f64": 0x7ff8000000000000}[name]
	return func(x ...uint64) uint64 {
		v := parsed(name, x)
		switch first, second := v[0] != v[0], v[1] != v[1]; {
		case first && second, nan && (first || second):
			return canonical
		case second, !first && (v[0] < v[1] || v[0] == v[1] && math.Signbit(v[0])):
			return x[0]
		}
		return x[1]
	}
}

func greatest(name string, nan bool) func(x ...uint64) uint64 {
	sign := map[string]uint64{"f32": 1 << 31, "f64": 1 << 63}[name]
	f := least(name, nan)
	return func(x ...uint64) uint64 {
		v := f(x[0]^sign, x[1]^sign)
		if y := parsed(name, []uint64{v}); y[0] != y[0] {
			return v
		}
		return v ^ sign
	}
}

func comparisons() (list []instruction) {
	type order struct{ less, equal, greater bool }
	orders := map[string]order{"eq": {equal: true}, "ne": {true, false, true}, "lt": {less: true}, "le": {true, true, false}, "gt": {greater: true}, "ge": {false, true, true}}
	of := func(o order, c int) uint64 {
		if c < 0 && o.less || c == 0 && o.equal || c > 0 && o.greater {
			return 1
		}
		return 0
	}
	for name, o := range orders {
		list = append(list,
			instruction{"setp." + name + ".s32 %d, %a, %b;", "pred s32 s32", func(x ...uint64) uint64 { return of(o, cmp.Compare(int32(x[0]), int32(x[1]))) }},
			instruction{"setp." + name + ".u32 %d, %a, %b;", "pred u32 u32", func(x ...uint64) uint64 { return of(o, cmp.Compare(x[0], x[1])) }},
			instruction{"setp." + name + ".s16 %d, %a, %b;", "pred s16 s16", func(x ...uint64) uint64 { return of(o, cmp.Compare(int16(x[0]), int16(x[1]))) }},
			instruction{"setp." + name + ".s64 %d, %a, %b;", "pred s64 s64", func(x ...uint64) uint64 { return of(o, cmp.Compare(int64(x[0]), int64(x[1]))) }},
			instruction{"setp." + name + ".u64 %d, %a, %b;", "pred u64 u64", func(x ...uint64) uint64 { return of(o, cmp.Compare(x[0], x[1])) }},
		)
		for _, t := range []string{"f32", "f64"} {
			real := func(unordered uint64) func(x ...uint64) uint64 {
				return func(x ...uint64) uint64 {
					v := parsed(t, x)
					switch {
					case v[0] < v[1]:
						return of(o, -1)
					case v[0] > v[1]:
						return of(o, 1)
					case v[0] == v[1]:
						return of(o, 0)
					}
					return unordered
				}
			}
			list = append(list,
				instruction{"setp." + name + "." + t + " %d, %a, %b;", "pred " + t + " " + t, real(0)},
				instruction{"setp." + name + "u." + t + " %d, %a, %b;", "pred " + t + " " + t, real(1)})
		}
	}
	eq := func(x ...uint64) uint64 { return of(orders["eq"], cmp.Compare(x[0], x[1])) }
	nan := func(x ...uint64) uint64 {
		v := parsed("f32", x)
		return map[bool]uint64{true: 1}[v[0] != v[0] || v[1] != v[1]]
	}
	return append(list,
		instruction{"setp.eq.b32 %d, %a, %b;", "pred b32 b32", eq},
		instruction{"setp.ne.b64 %d, %a, %b;", "pred b64 b64", func(x ...uint64) uint64 { return 1 - eq(x...) }},
		instruction{"setp.lo.u32 %d, %a, %b;", "pred u32 u32", func(x ...uint64) uint64 { return of(orders["lt"], cmp.Compare(x[0], x[1])) }},
		instruction{"setp.ls.u32 %d, %a, %b;", "pred u32 u32", func(x ...uint64) uint64 { return of(orders["le"], cmp.Compare(x[0], x[1])) }},
		instruction{"setp.hi.u32 %d, %a, %b;", "pred u32 u32", func(x ...uint64) uint64 { return of(orders["gt"], cmp.Compare(x[0], x[1])) }},
		instruction{"setp.hs.u64 %d, %a, %b;", "pred u64 u64", func(x ...uint64) uint64 { return of(orders["ge"], cmp.Compare(x[0], x[1])) }},
		instruction{"setp.nan.f32 %d, %a, %b;", "pred f32 f32", nan},
		instruction{"setp.num.f32 %d, %a, %b;", "pred f32 f32", func(x ...uint64) uint64 { return 1 - nan(x...) }},
		instruction{"setp.lt.ftz.f32 %d, %a, 0f00000000;", "pred f32", func(x ...uint64) uint64 {
			return map[bool]uint64{true: 1}[math.Float32frombits(uint32(x[0])) <= -0x1p-126]
		}},
		instruction{"setp.eq.and.u32 %d, %a, %b, %c;", "pred u32 u32 pred", func(x ...uint64) uint64 { return eq(x...) & x[2] }},
		instruction{"setp.eq.or.u32 %d, %a, %b, !%c;", "pred u32 u32 pred", func(x ...uint64) uint64 { return eq(x...) | (1 - x[2]) }},
		instruction{"setp.eq.xor.u32 %d, %a, %b, %c;", "pred u32 u32 pred", func(x ...uint64) uint64 { return eq(x...) ^ x[2] }},
		instruction{"{ .reg .pred %q<2>; setp.eq.u32 %q0|%q1, %a, %b; not.pred %q1, %q1; and.pred %d, %q0, %q1; }", "pred u32 u32", eq},
		instruction{"{ .reg .pred %q; setp.eq.and.u32 %q|%c, %a, %b, 1; selp.b32 %d, 1, 0, %c; @%q add.u32 %d, %d, 2; }", "u32 u32 u32 pred", func(x ...uint64) uint64 { return 1 + eq(x...) }},
	)
}

// A fused multiply-add that is rounded twice goes wrong where the first
// rounding ends at a tie of the second: products of 48 bits that leave such a
// tie, and addends that push it off by less than float64 shows.
func TestFMA32RoundsOnce(t *testing.T) {
	want := reals[len(reals)-1].want("f32", "rn")
	r := rand.New(rand.NewPCG(5, 6))
	twice, small := 0, 0
	for i := range 100000 {
		a, b := 1+float32(r.IntN(1<<12))*0x1p-12, 1+float32(r.IntN(1<<12))*0x1p-12
		c := float32(math.Ldexp(float64(1+r.IntN(3)), -r.IntN(90)+10))
		if i%4 == 0 { // subnormal results: a·b is 2^-150 + 2^-196, c many times 2^-149
			a, b = 8384513*0x1p-98, 8392705*0x1p-98
			c = float32(1<<22+r.IntN(1<<22)) * 0x1p-149
		}
		if r.IntN(2) == 0 {
			c = -c
		}
		got, exact := fma32(a, b, c), want(uint64(math.Float32bits(a)), uint64(math.Float32bits(b)), uint64(math.Float32bits(c)))
		if uint64(math.Float32bits(got)) != exact {
			t.Fatalf("%v·%v + %v is %v, want %v", a, b, c, got, math.Float32frombits(uint32(exact)))
		}
		if float32(float64(a)*float64(b)+float64(c)) != got {
			if twice++; math.Abs(float64(got)) < 0x1p-126 {
				small++
			}
		}
	}
	if small < 100 || twice-small < 100 {
		t.Errorf("only %d sums, %d of them subnormal, would go wrong if they were rounded twice", twice, small)
	}
}

// Approximate instructions are within two units of the last place of the
// function in float64, and exact where PTX says what they are.
func TestApproximations(t *testing.T) {
	inf, nan := math.Inf(1), math.NaN()
	for _, c := range []struct {
		name    string
		f       func(float64) float64
		special map[float64]float64
	}{
		{"ex2.approx.f32", func(x float64) float64 { return math.Pow(2, x) }, map[float64]float64{-inf: 0, inf: inf, 0: 1, nan: nan, 1: 2, -3: 0.125, 200: inf, -200: 0}},
		{"lg2.approx.f32", func(x float64) float64 { return math.Log(x) / math.Ln2 }, map[float64]float64{-inf: nan, inf: inf, 0: -inf, nan: nan, -1: nan, 1: 0, 8: 3}},
		{"rsqrt.approx.f32", func(x float64) float64 { return math.Pow(x, -0.5) }, map[float64]float64{-inf: nan, inf: 0, 0: inf, nan: nan, -1: nan, 4: 0.5}},
		{"sin.approx.f32", func(x float64) float64 { return math.Cos(x - math.Pi/2) }, map[float64]float64{inf: nan, nan: nan, 0: 0}},
		{"cos.approx.f32", func(x float64) float64 { return math.Sin(x + math.Pi/2) }, map[float64]float64{-inf: nan, nan: nan, 0: 1}},
		{"tanh.approx.f32", func(x float64) float64 { return 1 - 2/(math.Exp(2*x)+1) }, map[float64]float64{-inf: -1, inf: 1, 0: 0, nan: nan}},
	} {
		var x []float32
		for v := range c.special {
			x = append(x, float32(v))
		}
		special := len(x)
		r := rand.New(rand.NewPCG(7, 8))
		for len(x) < 128 {
			x = append(x, float32(r.Float64()*6+0.25))
		}
		k := loaded(t, program(c.name+" %d, %a;", "f32 f32"), "op")
		var m Memory
		out := m.Alloc(4 * len(x))
		if err := k.Run(&m, Launch{Block: [3]int{128}}, out, given(t, &m, x)); err != nil {
			t.Fatal(err)
		}
		for i, got := range results[float32](t, &m, out, len(x)) {
			want := c.f(float64(x[i]))
			if i < special {
				want = nan
				if v, ok := c.special[float64(x[i])]; ok {
					want = v
				}
				if got := float64(got); got != want && !(got != got && want != want) {
					t.Errorf("%s of %v is %v, want %v", c.name, x[i], got, want)
				}
			} else if math.Abs(float64(got)-want) > 0x1p-22*max(math.Abs(want), 0x1p-3) {
				t.Errorf("%s of %v is %v, want %v", c.name, x[i], got, want)
			}
		}
	}
}

// ex2.approx.ftz takes subnormal numbers for zero, on both sides.
func TestFlush(t *testing.T) {
	k := loaded(t, program("ex2.approx.ftz.f32 %d, %a;", "f32 f32"), "op")
	var m Memory
	out := m.Alloc(16)
	if err := k.Run(&m, Launch{Block: [3]int{4}}, out, given(t, &m, []float32{-126, -127, -140, 0x1p-140})); err != nil {
		t.Fatal(err)
	}
	if got, want := results[float32](t, &m, out, 4), []float32{0x1p-126, 0, 0, 1}; !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
}
