package ptxsim

import (
	"math"
	"math/big"
)

// A format is a binary floating-point format: the bits of its exponent and of
// its fraction.
type format struct{ exponent, fraction int }

var (
	half     = format{5, 10}
	single   = format{8, 23}
	bfloat16 = format{8, 7}
	tfloat32 = format{8, 10} // in the upper bits of a float32
)

// round is x in the format, rounded once, as bits at the lower end.
func (f format) round(x float64, r rounding) uint64 {
	v := math.Float64bits(x)
	negative := v>>63 != 0
	sign := v >> 63 << (f.exponent + f.fraction)
	inf := (uint64(1)<<f.exponent - 1) << f.fraction
	switch {
	case x != x:
		return inf | (1<<f.fraction - 1)
	case math.IsInf(x, 0):
		return sign | inf
	case x == 0:
		return sign
	}
	// x = m·2^e with 53 bits of m; the last bit that the format keeps is 2^q.
	e, m := int(v>>52&0x7ff)-1075, v&(1<<52-1)
	if e > -1075 {
		m |= 1 << 52
	} else {
		e = -1074
	}
	bias := 1<<(f.exponent-1) - 1
	q := max(e+52-f.fraction, 1-bias-f.fraction)
	drop := min(q-e, 63)
	kept, rest := m>>drop, m&(1<<drop-1)
	tie := uint64(1) << drop >> 1
	if r == toNearest && (rest > tie || rest == tie && kept&1 != 0) || r == toNearestAway && rest >= tie ||
		r == up && !negative && rest > 0 || r == down && negative && rest > 0 {
		kept++
	}
	// The exponent's field is 1 for the least normal number, whose leading bit
	// adds to it, as a carry does.
	bits := uint64(q+bias+f.fraction-1)<<f.fraction + kept
	if bits >= inf {
		bits = inf
		if r == toZero || r == up && negative || r == down && !negative {
			bits-- // the greatest number
		}
	}
	return sign | bits
}

// value is the number that bits in the format stand for.
func (f format) value(v uint64) float64 {
	e := int(v >> f.fraction & (1<<f.exponent - 1))
	m := float64(v & (1<<f.fraction - 1))
	bias := 1<<(f.exponent-1) - 1
	var x float64
	switch {
	case e == 1<<f.exponent-1 && m == 0:
		x = math.Inf(1)
	case e == 1<<f.exponent-1:
		return math.NaN()
	case e == 0:
		x = math.Ldexp(m, 1-bias-f.fraction)
	default:
		x = math.Ldexp(m+float64(int(1)<<f.fraction), e-bias-f.fraction)
	}
	if v>>(f.exponent+f.fraction)&1 != 0 {
		x = -x
	}
	return x
}

// decoder makes the function from a floating-point type's bits to their value,
// which is exact.
func (t typ) decoder() func(v uint64) float64 {
	switch t {
	case tF64:
		return f64
	case tF32:
		return func(v uint64) float64 { return float64(f32(v)) }
	case tTF32:
		return func(v uint64) float64 { return float64(f32(v &^ 0x1fff)) }
	case tBF16:
		return bfloat16.value
	}
	return half.value
}

// encode is x as a floating-point type's bits, rounded once.
func (t typ) encode(x float64, r rounding) uint64 {
	switch t {
	case tF64:
		return bits64(x)
	case tF32:
		if r == toNearest {
			return bits32(float32(x))
		}
		return single.round(x, r)
	case tBF16:
		return bfloat16.round(x, r)
	case tTF32:
		return tfloat32.round(x, r) << 13
	}
	return half.round(x, r)
}

// cvt converts: d = a in another type.
func cvt(a *assembler, in *inst) {
	if in.has("f16x2") {
		pack(a, in, tF16)
		return
	}
	if in.has("bf16x2") {
		a.need(in, 80)
		pack(a, in, tBF16)
		return
	}
	d, s := a.typ(in), a.typ(in)
	var f lane
	switch {
	case d.class == raw || s.class == raw || d.class == predicate || s.class == predicate || s.class == brain:
	case d.class == brain:
		a.need(in, 80)
		f = toBrain(d, s, in)
	case d.floating() && s.floating():
		f = floatToFloat(d, s, in)
	case d.floating():
		f = intToFloat(d, s, in)
	case s.floating():
		f = floatToInt(d, s, in)
	default:
		f = intToInt(d, s, in)
	}
	if f == nil {
		a.fail(in.line, "%s: no conversion from %s to %s like this is known", in.text, s, d)
	}
	to := a.operand(in)
	from := a.useSpecial(a.operand(in), s, s.holds)
	r := a.setWide(to, d)
	if wide := r.typ; wide.bits > d.bits { // extended as d's sign says
		g := f
		f = func(v, _, _ uint64) uint64 { return uint64(d.int(g(v, 0, 0))) & wide.mask() }
	}
	a.emit(op{kind: kindLane, f: f, d: r.index, a: from})
}

func intToInt(d, s typ, in *inst) lane {
	if !in.has("sat") {
		return func(v, _, _ uint64) uint64 { return uint64(s.int(v)) & d.mask() }
	}
	least, most := d.limits()
	if l, m := s.limits(); least <= l && m <= most { // nothing to hold back
		return nil
	}
	return func(v, _, _ uint64) uint64 {
		x := s.int(v)
		switch {
		case s == tU64 && v > most, x > 0 && uint64(x) > most:
			return most
		case s != tU64 && x < least:
			return uint64(least) & d.mask()
		}
		return uint64(x) & d.mask()
	}
}

// limits are the least and the greatest integer of a type.
func (t typ) limits() (int64, uint64) {
	if t.class == unsigned {
		return 0, t.mask()
	}
	return -1 << (t.bits - 1), t.mask() >> 1
}

func intToFloat(d, s typ, in *inst) lane {
	r, named := in.rounding()
	if !named {
		return nil
	}
	return finish(d, in, func(v, _, _ uint64) uint64 {
		negative := s.class == signed && s.int(v) < 0
		v = uint64(s.int(v))
		if negative {
			v = -v
		}
		if d == tF64 {
			return bits64(wholeNumber(v, negative, r))
		}
		x := float64(v)
		if v >= 1<<53 { // rounded to odd, which leaves the last word to encode
			odd := v >> 11
			if v&(1<<11-1) != 0 {
				odd |= 1
			}
			x = float64(odd << 11)
		}
		if negative {
			x = -x
		}
		return d.encode(x, r)
	})
}

// wholeNumber is ±v in float64.
func wholeNumber(v uint64, negative bool, r rounding) float64 {
	modes := [...]big.RoundingMode{toNearest: big.ToNearestEven, toZero: big.ToZero, down: big.ToNegativeInf, up: big.ToPositiveInf}
	x := new(big.Float).SetUint64(v) // with 64 bits
	if negative {
		x.Neg(x)
	}
	y, _ := x.SetMode(modes[r]).SetPrec(53).Float64()
	return y
}

func floatToInt(d, s typ, in *inst) lane {
	var whole func(float64) float64
	switch in.one("rni", "rzi", "rmi", "rpi") {
	case "rni":
		whole = math.RoundToEven
	case "rzi":
		whole = math.Trunc
	case "rmi":
		whole = math.Floor
	case "rpi":
		whole = math.Ceil
	default:
		return nil
	}
	ftz := s == tF32 && in.has("ftz")
	in.has("sat") // the result is held within the type's limits anyway
	number := s.decoder()
	least, most := d.limits()
	var nan uint64
	if s == tF64 || d.bits == 64 {
		nan = 1 << (d.bits - 1)
	}
	return func(v, _, _ uint64) uint64 {
		if ftz {
			v = flush(v)
		}
		switch x := whole(number(v)); {
		case x != x:
			return nan
		case x <= float64(least):
			return uint64(least) & d.mask()
		case x >= float64(most): // a power of two where most has 64 or 63 bits
			return most
		case x < 0:
			return uint64(int64(x)) & d.mask()
		default:
			return uint64(x)
		}
	}
}

func floatToFloat(d, s typ, in *inst) lane {
	number := s.decoder()
	var f lane
	if m := in.one("rni", "rzi", "rmi", "rpi"); m != "" {
		whole := map[string]func(float64) float64{"rni": math.RoundToEven, "rzi": math.Trunc, "rmi": math.Floor, "rpi": math.Ceil}[m]
		if d != s {
			return nil
		}
		f = func(v, _, _ uint64) uint64 { return d.encode(whole(number(v)), toNearest) }
	} else {
		r, named := in.rounding()
		if named != (d.bits < s.bits) { // one is needed where numbers are lost, and none allowed elsewhere
			return nil
		}
		f = func(v, _, _ uint64) uint64 { return d.encode(number(v), r) }
	}
	if in.has("ftz") {
		if d != tF32 && s != tF32 {
			return nil
		}
		g := f
		f = func(v, _, _ uint64) uint64 {
			if s == tF32 {
				v = flush(v)
			}
			if v = g(v, 0, 0); d == tF32 {
				v = flush(v)
			}
			return v
		}
	}
	if in.has("sat") {
		g, number := f, d.decoder()
		f = func(v, _, _ uint64) uint64 {
			x := number(g(v, 0, 0))
			if !(x > 0) { // NaN too
				return 0
			}
			return d.encode(min(x, 1), toNearest)
		}
	}
	return f
}

// toBrain rounds a float32 to bf16 or tf32.
func toBrain(d, s typ, in *inst) lane {
	r, ok := toNearestAway, in.has("rna")
	if d == tBF16 {
		r, ok = in.rounding()
		ok = ok && (r == toNearest || r == toZero)
	}
	if !ok || s != tF32 {
		return nil
	}
	relu := d == tBF16 && in.has("relu")
	return func(v, _, _ uint64) uint64 {
		x := float64(f32(v))
		if relu && x < 0 {
			x = 0
		}
		return d.encode(x, r)
	}
}

// pack converts two f32 to the halves of one register, the first to the upper.
func pack(a *assembler, in *inst, d typ) {
	if t := a.typ(in); t != tF32 {
		a.misfit(in, t)
	}
	r, named := in.rounding()
	if !named || r == up || r == down {
		a.fail(in.line, "%s: want .rn or .rz", in.text)
	}
	relu := in.has("relu")
	a.need(in, 80)
	a.lanes(in, func(u, v, _ uint64) uint64 {
		x, y := float64(f32(u)), float64(f32(v))
		if relu && x < 0 {
			x = 0
		}
		if relu && y < 0 {
			y = 0
		}
		return d.encode(x, r)<<16 | d.encode(y, r)
	}, tB32, tF32, tF32)
}
