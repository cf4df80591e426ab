package ptxsim

import (
	"math"
	"slices"
)

// A rounding is how a result that lies between two numbers becomes one.
type rounding byte

const (
	toNearest rounding = iota // the even one of two as near
	toZero
	down
	up
	toNearestAway // the one farther from zero of two as near
)

// rounding takes the rounding modifier, if there is one.
func (in *inst) rounding() (r rounding, named bool) {
	m := in.one("rn", "rz", "rm", "rp")
	return map[string]rounding{"rz": toZero, "rm": down, "rp": up}[m], m != ""
}

func f32(v uint64) float32 { return math.Float32frombits(uint32(v)) }
func f64(v uint64) float64 { return math.Float64frombits(v) }

// bits32 are the bits of a result: a GPU has one NaN for all in f32.
func bits32(x float32) uint64 {
	if x != x {
		return 0x7fffffff
	}
	return uint64(math.Float32bits(x))
}

// bits64 are the bits of a result, with one NaN for all: which payload a GPU
// would choose in f64 is not simulated.
func bits64(x float64) uint64 {
	if x != x {
		return 0x7ff8000000000000
	}
	return math.Float64bits(x)
}

// f32Lane and f64Lane are functions of numbers as lane functions.
func f32Lane(f func(x, y, z float32) float32) lane {
	return func(a, b, c uint64) uint64 { return bits32(f(f32(a), f32(b), f32(c))) }
}

func f64Lane(f func(x, y, z float64) float64) lane {
	return func(a, b, c uint64) uint64 { return bits64(f(f64(a), f64(b), f64(c))) }
}

// finish gives an f32 operation the modifiers .ftz, which takes subnormal
// numbers for zero, in and out, and .sat, which holds the result in [0, 1].
func finish(t typ, in *inst, f lane) lane {
	if t != tF32 || f == nil {
		return f
	}
	if in.has("ftz") {
		g := f
		f = func(a, b, c uint64) uint64 { return flush(g(flush(a), flush(b), flush(c))) }
	}
	if slices.Contains([]string{"add", "sub", "mul", "fma", "mad", "cvt"}, in.name) && in.has("sat") {
		g := f
		f = func(a, b, c uint64) uint64 { return saturate(g(a, b, c)) }
	}
	return f
}

func flush(v uint64) uint64 {
	if v&0x7f800000 == 0 {
		return v & 0x80000000
	}
	return v
}

// saturate holds an f32 in [0, 1]; NaN becomes 0.
func saturate(v uint64) uint64 {
	switch x := f32(v); {
	case x >= 1:
		return 0x3f800000
	case x > 0:
		return v
	}
	return 0
}

// rounded is an operation of f32 in any rounding, of f64 to nearest. exact is
// the operation in float64 rounded to odd, for roundings other than to nearest.
func rounded(t typ, in *inst, near32, near64 lane, exact func(x, y, z float64, r rounding) float64) lane {
	r, named := in.rounding()
	switch {
	case !named && in.name != "add" && in.name != "sub" && in.name != "mul": // the others must name theirs
		return nil
	case t == tF32 && r == toNearest:
		return finish(t, in, near32)
	case t == tF32:
		return finish(t, in, func(a, b, c uint64) uint64 {
			return single.round(exact(float64(f32(a)), float64(f32(b)), float64(f32(c)), r), r)
		})
	case r == toNearest:
		return near64
	}
	return nil
}

func addFloat(t typ, in *inst) lane {
	return rounded(t, in,
		func(a, b, _ uint64) uint64 { return bits32(f32(a) + f32(b)) },
		func(a, b, _ uint64) uint64 { return bits64(f64(a) + f64(b)) },
		func(x, y, _ float64, r rounding) float64 { return oddSum(x, y, r) })
}

func subFloat(t typ, in *inst) lane {
	return rounded(t, in,
		func(a, b, _ uint64) uint64 { return bits32(f32(a) - f32(b)) },
		func(a, b, _ uint64) uint64 { return bits64(f64(a) - f64(b)) },
		func(x, y, _ float64, r rounding) float64 { return oddSum(x, -y, r) })
}

func mulFloat(t typ, in *inst) lane {
	return rounded(t, in,
		func(a, b, _ uint64) uint64 { return bits32(f32(a) * f32(b)) },
		func(a, b, _ uint64) uint64 { return bits64(f64(a) * f64(b)) },
		func(x, y, _ float64, _ rounding) float64 { return x * y }) // 48 bits: exact
}

func fmaFloat(t typ, in *inst) lane {
	return rounded(t, in,
		func(a, b, c uint64) uint64 { return bits32(fma32(f32(a), f32(b), f32(c))) },
		func(a, b, c uint64) uint64 { return bits64(math.FMA(f64(a), f64(b), f64(c))) },
		func(x, y, z float64, r rounding) float64 { return oddSum(x*y, z, r) })
}

// fma32 is x·y + z rounded once. The product of two float32 is exact in
// float64; its sum with z is rounded there, and that is rounded again. Two
// roundings differ from one only where the first leaves exactly a tie of the
// second: among normal numbers, where the 29 bits that go are 1 and 28 zeros.
func fma32(x, y, z float32) float32 {
	p := float64(x) * float64(y)
	s := p + float64(z)
	if v := math.Float64bits(s); v&(1<<29-1) != 1<<28 && v&^(1<<63) >= 0x3810000000000000 {
		return float32(s)
	}
	return float32(oddSum(p, float64(z), toNearest))
}

// oddSum is x + y rounded to odd: of the two float64 around a sum that is none,
// the one whose last bit is set. With 53 bits that loses nothing which rounding
// to 24 or fewer, in any way, would need. A sum that is exactly zero is -0 where
// it is to be rounded down, unless both are +0.
func oddSum(x, y float64, r rounding) float64 {
	s := x + y
	if s == 0 && r == down && (math.Signbit(x) || math.Signbit(y)) {
		return math.Copysign(0, -1)
	}
	v := s - x
	return odd(s, (x-(s-v))+(y-v)) // what rounding took away, exactly (Knuth)
}

// odd is s rounded to odd, where s is s + e rounded to nearest.
func odd(s, e float64) float64 {
	v := math.Float64bits(s)
	if v&1 != 0 || e == 0 || e != e || math.IsInf(s, 0) {
		return s
	}
	if (e > 0) == (s > 0) {
		return math.Float64frombits(v + 1)
	}
	return math.Float64frombits(v - 1)
}

func divFloat(t typ, in *inst) lane {
	switch {
	case t == tF32 && in.has("full"):
		return finish(t, in, f32Lane(func(x, y, _ float32) float32 { return x / y }))
	case t == tF32 && in.has("approx"):
		return finish(t, in, f32Lane(approximateQuotient))
	}
	return rounded(t, in,
		func(a, b, _ uint64) uint64 { return bits32(f32(a) / f32(b)) },
		func(a, b, _ uint64) uint64 { return bits64(f64(a) / f64(b)) },
		func(x, y, _ float64, _ rounding) float64 { return oddQuotient(x, y) })
}

// approximateQuotient is x/y as div.approx has it: for |y| beyond 2^126 the
// reciprocal that it goes by is zero.
func approximateQuotient(x, y, _ float32) float32 {
	if a := math.Abs(float64(y)); a > 0x1p126 && !math.IsInf(a, 0) {
		return x * float32(math.Copysign(0, float64(y)))
	}
	return x / y
}

func oddQuotient(x, y float64) float64 {
	q := x / y
	return odd(q, math.FMA(-q, y, x)/y)
}

func rcpFloat(t typ, in *inst) lane {
	near := func(a, _, _ uint64) uint64 { return bits32(1 / f32(a)) }
	if t == tF32 && in.has("approx") {
		return finish(t, in, near)
	}
	return rounded(t, in, near,
		func(a, _, _ uint64) uint64 { return bits64(1 / f64(a)) },
		func(x, _, _ float64, _ rounding) float64 { return oddQuotient(1, x) })
}

func sqrtFloat(t typ, in *inst) lane {
	near := func(a, _, _ uint64) uint64 { return bits32(float32(math.Sqrt(float64(f32(a))))) }
	if t == tF32 && in.has("approx") {
		return finish(t, in, near)
	}
	return rounded(t, in, near,
		func(a, _, _ uint64) uint64 { return bits64(math.Sqrt(f64(a))) },
		func(x, _, _ float64, _ rounding) float64 {
			s := math.Sqrt(x)
			return odd(s, math.FMA(-s, s, x))
		})
}

func rsqrtFloat(t typ, in *inst) lane {
	if !in.has("approx") {
		return nil
	}
	if t == tF64 {
		return f64Lane(func(x, _, _ float64) float64 { return 1 / math.Sqrt(x) })
	}
	return finish(t, in, f32Lane(func(x, _, _ float32) float32 { return float32(1 / math.Sqrt(float64(x))) }))
}

// approximate is an .approx.f32 instruction: f in float64, rounded once. A GPU
// may differ in the last bits.
func approximate(f func(float64) float64) build {
	return func(t typ, in *inst) lane {
		if t != tF32 || !in.has("approx") {
			return nil
		}
		return finish(t, in, f32Lane(func(x, _, _ float32) float32 { return float32(f(float64(x))) }))
	}
}

func tanh(a *assembler, in *inst) {
	a.need(in, 75)
	if t := a.typ(in); t != tF32 || !in.has("approx") {
		a.misfit(in, t)
	}
	a.lanes(in, f32Lane(func(x, _, _ float32) float32 { return float32(math.Tanh(float64(x))) }), tF32, tF32)
}

// sign is the bit of an f32's or f64's sign.
func sign(t typ) uint64 { return 1 << (t.bits - 1) }

func absFloat(t typ, in *inst) lane {
	return finish(t, in, func(a, _, _ uint64) uint64 { return a &^ sign(t) })
}

func negFloat(t typ, in *inst) lane {
	return finish(t, in, func(a, _, _ uint64) uint64 { return a ^ sign(t) })
}

// copysignFloat is b with the sign of a.
func copysignFloat(t typ, _ *inst) lane {
	return func(a, b, _ uint64) uint64 { return a&sign(t) | b&^sign(t) }
}

func minFloat(t typ, in *inst) lane {
	return extreme(t, in, func(x, y float64) float64 { return min(x, y) })
}
func maxFloat(t typ, in *inst) lane {
	return extreme(t, in, func(x, y float64) float64 { return max(x, y) })
}

// extreme is min or max. Of a number and a NaN it is the number, unless .NaN is
// said; -0 is less than +0. Go's own are NaN for any NaN.
func extreme(t typ, in *inst, f func(x, y float64) float64) lane {
	g := f
	if t == tF64 || !in.has("NaN") {
		g = func(x, y float64) float64 {
			switch {
			case x != x:
				return y
			case y != y:
				return x
			}
			return f(x, y)
		}
	}
	if t == tF64 {
		return f64Lane(func(x, y, _ float64) float64 { return g(x, y) })
	}
	return finish(t, in, f32Lane(func(x, y, _ float32) float32 { return float32(g(float64(x), float64(y))) }))
}
