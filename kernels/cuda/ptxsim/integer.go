package ptxsim

import "math/bits"

// A build makes the lane function of a type out of an instruction's modifiers;
// nil if the type has none.
type build func(t typ, in *inst) lane

// arithmetic is an instruction whose n operands and result have one type.
func arithmetic(n int, ints, floats build) func(*assembler, *inst) {
	return func(a *assembler, in *inst) {
		t := a.typ(in)
		var f lane
		switch {
		case t.integer() && t.bits >= 16 && ints != nil:
			f = ints(t, in)
		case (t == tF32 || t == tF64) && floats != nil:
			f = floats(t, in)
		}
		if f == nil {
			a.misfit(in, t)
		}
		a.lanes(in, f, t, same(t, n)...)
		if t.integer() && (in.name == "div" || in.name == "rem") {
			a.k.code[len(a.k.code)-1].kind = kindRun
			a.k.code[len(a.k.code)-1].run = divide
		}
	}
}

// divide is div and rem: what they give for a divisor of zero is anybody's
// guess on a GPU, and a fault here.
func divide(w *warp, o *op, m uint32) {
	d, x, y := &w.regs[o.d], &w.regs[o.a], &w.regs[o.b]
	for ; m != 0; m &= m - 1 {
		i := bits.TrailingZeros32(m)
		if y[i] == 0 {
			w.fault(o, i, Arithmetic, "divides %d by zero", x[i])
		}
		d[i] = o.f(x[i], y[i], 0)
	}
}

func addInt(t typ, in *inst) lane {
	if in.has("sat") {
		return saturating(t, 1)
	}
	mask := t.mask()
	return func(a, b, _ uint64) uint64 { return (a + b) & mask }
}

func subInt(t typ, in *inst) lane {
	if in.has("sat") {
		return saturating(t, -1)
	}
	mask := t.mask()
	return func(a, b, _ uint64) uint64 { return (a - b) & mask }
}

// saturating is a + sign·b held within .s32, the only type that has it.
func saturating(t typ, sign int64) lane {
	if t != types["s32"] {
		return nil
	}
	return func(a, b, _ uint64) uint64 {
		return uint64(uint32(max(min(t.int(a)+sign*t.int(b), 1<<31-1), -1<<31)))
	}
}

func divInt(t typ, _ *inst) lane {
	if t.class == unsigned {
		return func(a, b, _ uint64) uint64 { return a / b }
	}
	return func(a, b, _ uint64) uint64 { return uint64(t.int(a)/t.int(b)) & t.mask() }
}

func remInt(t typ, _ *inst) lane {
	if t.class == unsigned {
		return func(a, b, _ uint64) uint64 { return a % b }
	}
	return func(a, b, _ uint64) uint64 { return uint64(t.int(a)%t.int(b)) & t.mask() }
}

func absInt(t typ, _ *inst) lane {
	if t.class == unsigned {
		return nil
	}
	return func(a, _, _ uint64) uint64 {
		v := t.int(a)
		return uint64(max(v, -v)) & t.mask()
	}
}

func negInt(t typ, _ *inst) lane {
	if t.class == unsigned {
		return nil
	}
	return func(a, _, _ uint64) uint64 { return -a & t.mask() }
}

func minInt(t typ, _ *inst) lane {
	if t.class == unsigned {
		return func(a, b, _ uint64) uint64 { return min(a, b) }
	}
	return func(a, b, _ uint64) uint64 { return uint64(min(t.int(a), t.int(b))) & t.mask() }
}

func maxInt(t typ, _ *inst) lane {
	if t.class == unsigned {
		return func(a, b, _ uint64) uint64 { return max(a, b) }
	}
	return func(a, b, _ uint64) uint64 { return uint64(max(t.int(a), t.int(b))) & t.mask() }
}

// product is mul (n = 2) and mad (n = 3): the low or the high half of an
// integer product, or all of it, which is as wide as the third operand then.
func product(n int, floats build) func(*assembler, *inst) {
	general := arithmetic(n, nil, floats)
	return func(a *assembler, in *inst) {
		part := in.one("lo", "hi", "wide")
		if part == "" {
			general(a, in)
			return
		}
		t := a.typ(in)
		if !t.integer() || t.bits < 16 || part == "wide" && t.bits == 64 {
			a.misfit(in, t)
		}
		d := t
		f := func(a, b, c uint64) uint64 { return (a*b + c) & t.mask() }
		switch part {
		case "hi":
			f = func(a, b, c uint64) uint64 { return (high(t, a, b) + c) & t.mask() }
		case "wide":
			d.bits *= 2
			f = func(a, b, c uint64) uint64 { return (uint64(t.int(a)*t.int(b)) + c) & d.mask() }
		}
		if n == 2 {
			g := f
			f = func(a, b, _ uint64) uint64 { return g(a, b, 0) }
		}
		a.lanes(in, f, d, []typ{t, t, d}[:n]...)
	}
}

// high is the upper half of the product of two integers.
func high(t typ, a, b uint64) uint64 {
	if t.bits < 64 {
		return uint64(t.int(a)*t.int(b)) >> t.bits
	}
	hi, _ := bits.Mul64(a, b)
	if t.class == signed {
		hi -= uint64(int64(a)>>63)&b + uint64(int64(b)>>63)&a
	}
	return hi
}

// logic is a bitwise operation.
func logic(n int, f lane) func(*assembler, *inst) {
	return func(a *assembler, in *inst) {
		t := a.typ(in)
		if t.class != raw && t.class != predicate || t.bits == 8 {
			a.misfit(in, t)
		}
		a.lanes(in, f, t, same(t, n)...)
	}
}

func not(a *assembler, in *inst) {
	t := a.typ(in)
	in.mods = append(in.mods, t.String()[1:])
	logic(1, func(a, _, _ uint64) uint64 { return ^a & t.mask() })(a, in)
}

// shift is shl and shr, which shift everything out by amounts beyond the size.
func shift(a *assembler, in *inst) {
	t := a.typ(in)
	var f lane
	switch {
	case t.bits < 16 || t.floating():
		a.misfit(in, t)
	case in.name == "shl":
		f = func(a, b, _ uint64) uint64 { return a << b & t.mask() }
	case t.class == signed:
		f = func(a, b, _ uint64) uint64 { return uint64(t.int(a)>>b) & t.mask() }
	default:
		f = func(a, b, _ uint64) uint64 { return a >> b }
	}
	if in.name == "shl" && t.class != raw {
		a.misfit(in, t)
	}
	a.lanes(in, f, t, t, tU32)
}

// funnel is shf: 32 bits out of b:a, shifted by c.
func funnel(a *assembler, in *inst) {
	left := in.one("l", "r") == "l"
	amount := func(c uint64) uint64 { return min(c, 32) }
	switch in.one("wrap", "clamp") {
	case "wrap":
		amount = func(c uint64) uint64 { return c & 31 }
	case "":
		a.fail(in.line, "%s: want .wrap or .clamp", in.text)
	}
	if t := a.typ(in); t != tB32 {
		a.misfit(in, t)
	}
	f := func(a, b, c uint64) uint64 { return (b<<32 | a) >> amount(c) & tB32.mask() }
	if left {
		f = func(a, b, c uint64) uint64 { return (b<<32 | a) << amount(c) >> 32 }
	}
	a.lanes(in, f, tB32, tB32, tB32, tU32)
}

func popc(a uint64, _ typ) int { return bits.OnesCount64(a) }
func clz(a uint64, t typ) int  { return bits.LeadingZeros64(a) - 64 + t.bits }

// counting is an instruction that counts bits: its result is .u32.
func counting(f func(a uint64, t typ) int) func(*assembler, *inst) {
	return func(a *assembler, in *inst) {
		t := a.typ(in)
		if t.class != raw || t.bits < 32 {
			a.misfit(in, t)
		}
		a.lanes(in, func(a, _, _ uint64) uint64 { return uint64(f(a, t)) }, tU32, t)
	}
}

func brev(a *assembler, in *inst) {
	t := a.typ(in)
	if t.class != raw || t.bits < 32 {
		a.misfit(in, t)
	}
	a.lanes(in, func(a, _, _ uint64) uint64 { return bits.Reverse64(a) >> (64 - t.bits) }, t, t)
}

// extract is bfe: c bits of a from bit b on; of a signed type, the sign is that
// of the last one that a has.
func extract(a *assembler, in *inst) {
	t := a.typ(in)
	if !t.integer() || t.bits < 32 {
		a.misfit(in, t)
	}
	a.lanes(in, func(a, b, c uint64) uint64 {
		from, n := b&255, c&255
		field := a >> from
		if n >= uint64(t.bits) {
			n = uint64(t.bits)
		}
		var sign uint64
		if t.class == signed && n > 0 {
			sign = a >> min(from+n-1, uint64(t.bits-1)) & 1
		}
		there := uint64(1)<<n - 1
		if from+n > uint64(t.bits) {
			there = 1<<max(0, t.bits-int(from)) - 1
		}
		return (field&there | -sign&^there) & t.mask()
	}, t, t, tU32, tU32)
}

// insert is bfi: b with the d bits from bit c on replaced by a's lowest.
func insert(a *assembler, in *inst) {
	t := a.typ(in)
	if t.class != raw || t.bits < 32 {
		a.misfit(in, t)
	}
	to := a.operand(in)
	from, base := a.use(a.operand(in), t), a.use(a.operand(in), t)
	at, n := a.use(a.operand(in), tU32), a.use(a.operand(in), tU32)
	field, hole := a.temporary(), a.temporary()
	a.emit(op{kind: kindLane, f: func(a, b, _ uint64) uint64 { return a << (b & 255) & t.mask() }, d: field, a: from, b: at})
	a.emit(op{kind: kindLane, f: func(a, b, _ uint64) uint64 { return (uint64(1)<<(b&255) - 1) << (a & 255) & t.mask() }, d: hole, a: at, b: n})
	a.emit(op{kind: kindLane, f: func(a, b, c uint64) uint64 { return a&c | b&^c }, d: a.set(to, t), a: field, b: base, c: hole})
}

// permute is prmt: each of four bytes is one of the eight in b:a, or eight
// times the sign of it, as a digit of c says.
func permute(a *assembler, in *inst) {
	if t := a.typ(in); t != tB32 {
		a.misfit(in, t)
	}
	a.lanes(in, func(a, b, c uint64) uint64 {
		var d uint64
		for i := range 4 {
			digit := c >> (4 * i) & 15
			v := (b<<32 | a) >> (8 * (digit & 7)) & 255
			if digit&8 != 0 {
				v = -(v >> 7) & 255
			}
			d |= v << (8 * i)
		}
		return d
	}, tB32, tB32, tB32, tB32)
}

// lop3 is any function of three bits, bit by bit: bit 4a+2b+c of the table.
func lop3(a *assembler, in *inst) {
	if t := a.typ(in); t != tB32 || len(in.args) != 5 {
		a.fail(in.line, "%s: want .b32, three sources and a table of 8 bits", in.text)
	}
	table := in.args[4]
	in.args = in.args[:4]
	if table.kind != argInteger || table.value > 255 {
		a.fail(in.line, "%s: the table is a number from 0 to 255", in.text)
	}
	a.lanes(in, func(a, b, c uint64) uint64 {
		var d uint64
		for i := range 8 {
			if table.value>>i&1 != 0 {
				d |= (a ^ -uint64(^i>>2&1)) & (b ^ -uint64(^i>>1&1)) & (c ^ -uint64(^i&1))
			}
		}
		return d & tB32.mask()
	}, tB32, tB32, tB32, tB32)
}
