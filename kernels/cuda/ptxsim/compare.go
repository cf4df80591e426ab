package ptxsim

// A test compares two values.
type test func(a, b uint64) bool

// comparison takes the comparison of an instruction and makes the test for its
// type.
func (a *assembler) comparison(in *inst) (test, typ) {
	name := in.one("eq", "ne", "lt", "le", "gt", "ge", "lo", "ls", "hi", "hs",
		"equ", "neu", "ltu", "leu", "gtu", "geu", "num", "nan")
	t := a.typ(in)
	ftz := t == tF32 && in.has("ftz")
	var f test
	switch {
	case t.bits < 16 || t.class == brain || t == tF16:
	case t.class == float:
		f = compareFloat(name, t, ftz)
	default:
		f = compareInt(name, t)
	}
	if f == nil {
		a.fail(in.line, "%s: no comparison like this of %s is known", in.text, t)
	}
	return f, t
}

func compareInt(name string, t typ) test {
	switch {
	case name == "eq":
		return func(a, b uint64) bool { return a == b }
	case name == "ne":
		return func(a, b uint64) bool { return a != b }
	case t.class == raw:
		return nil
	case t.class == signed:
		shift := 64 - t.bits // signs where they are compared
		switch name {
		case "lt":
			return func(a, b uint64) bool { return int64(a<<shift) < int64(b<<shift) }
		case "le":
			return func(a, b uint64) bool { return int64(a<<shift) <= int64(b<<shift) }
		case "gt":
			return func(a, b uint64) bool { return int64(a<<shift) > int64(b<<shift) }
		case "ge":
			return func(a, b uint64) bool { return int64(a<<shift) >= int64(b<<shift) }
		}
		return nil
	}
	switch name {
	case "lt", "lo":
		return func(a, b uint64) bool { return a < b }
	case "le", "ls":
		return func(a, b uint64) bool { return a <= b }
	case "gt", "hi":
		return func(a, b uint64) bool { return a > b }
	case "ge", "hs":
		return func(a, b uint64) bool { return a >= b }
	}
	return nil
}

// compareFloat: a comparison with a NaN is false, and true where the name ends
// in u, unordered.
func compareFloat(name string, t typ, ftz bool) test {
	less := func(x, y float64) bool { return x < y }
	var f func(x, y float64) bool
	unordered := false
	switch name {
	case "eq", "equ":
		f, unordered = func(x, y float64) bool { return x == y }, name == "equ"
	case "ne", "neu":
		f, unordered = func(x, y float64) bool { return x != y }, name == "neu"
	case "lt", "ltu":
		f, unordered = less, name == "ltu"
	case "le", "leu":
		f, unordered = func(x, y float64) bool { return x <= y }, name == "leu"
	case "gt", "gtu":
		f, unordered = func(x, y float64) bool { return x > y }, name == "gtu"
	case "ge", "geu":
		f, unordered = func(x, y float64) bool { return x >= y }, name == "geu"
	case "num":
		f = func(x, y float64) bool { return true }
	case "nan":
		f, unordered = func(x, y float64) bool { return false }, true
	default:
		return nil
	}
	number := t.decoder()
	return func(a, b uint64) bool {
		if ftz {
			a, b = flush(a), flush(b)
		}
		x, y := number(a), number(b)
		if x != x || y != y {
			return unordered
		}
		return f(x, y)
	}
}

// setp sets a predicate, p = a ? b, and perhaps its negation, each combined
// with a third predicate.
func setp(a *assembler, in *inst) {
	how := in.one("and", "or", "xor")
	f, t := a.comparison(in)
	to := a.operand(in)
	x, y := a.use(a.operand(in), t), a.use(a.operand(in), t)
	var c int32
	if how != "" {
		c = a.use(a.operand(in), tPred)
	}
	yes := op{kind: kindLane, f: combined(f, how), a: x, b: y, c: c}
	if to.kind != argPair {
		yes.d = a.set(to, tPred)
		a.emit(yes)
		return
	}
	no := op{kind: kindLane, f: combined(func(a, b uint64) bool { return !f(a, b) }, how), a: x, b: y, c: c}
	yes.d, no.d = a.temporary(), a.set(to.list[1], tPred) // the first is set last: it may be c, or the guard
	p := a.set(to.list[0], tPred)
	if a.guard >= 0 && a.guard == no.d || c == no.d && how != "" {
		a.fail(in.line, "%s: the second predicate is read too", in.text)
	}
	a.emit(yes)
	a.emit(no)
	a.emit(op{kind: kindMove, d: p, a: yes.d})
}

// combined is a test's result, combined with c.
func combined(f test, how string) lane {
	switch how {
	case "and":
		return func(a, b, c uint64) uint64 { return truth(f(a, b)) & c }
	case "or":
		return func(a, b, c uint64) uint64 { return truth(f(a, b)) | c }
	case "xor":
		return func(a, b, c uint64) uint64 { return truth(f(a, b)) ^ c }
	}
	return func(a, b, _ uint64) uint64 { return truth(f(a, b)) }
}

func truth(b bool) uint64 {
	if b {
		return 1
	}
	return 0
}

// selp chooses: d = p ? a : b.
func selp(a *assembler, in *inst) {
	t := a.typ(in)
	if t.bits < 16 || t.class == brain || t == tF16 {
		a.misfit(in, t)
	}
	a.lanes(in, func(a, b, p uint64) uint64 {
		if p != 0 {
			return a
		}
		return b
	}, t, t, t, tPred)
}

// mov copies a register, a number, an address, or between a register and the
// parts of a vector.
func mov(a *assembler, in *inst) {
	t := a.typ(in)
	if t.bits == 8 || t.class == brain || t == tF16 {
		a.misfit(in, t)
	}
	to := a.operand(in)
	from := a.operand(in)
	switch {
	case to.kind == argVector && from.kind == argName:
		a.unpack(in, t, to, from)
	case from.kind == argVector:
		a.pack(in, t, to, from)
	default:
		a.emit(op{kind: kindMove, d: a.set(to, t), a: a.useSpecial(from, t, t.fits)})
	}
}

// parts is the type of a vector's n parts that together have type t.
func (a *assembler) parts(in *inst, t typ, n int) typ {
	part := typ{raw, t.bits / n}
	if t.class != raw || n != 2 && n != 4 || part.bits < 16 {
		a.fail(in.line, "%s: %d parts do not make %s", in.text, n, t)
	}
	return part
}

func (a *assembler) unpack(in *inst, t typ, to, from arg) {
	part := a.parts(in, t, len(to.list))
	r := a.use(from, t)
	for i, x := range to.list {
		shift := i * part.bits
		a.emit(op{kind: kindLane, f: func(v, _, _ uint64) uint64 { return v >> shift & part.mask() }, d: a.set(x, part), a: r})
	}
}

func (a *assembler) pack(in *inst, t typ, to, from arg) {
	part := a.parts(in, t, len(from.list))
	d := a.set(to, t)
	whole := a.use(from.list[0], part)
	for i, x := range from.list[1:] {
		shift := (i + 1) * part.bits
		a.emit(op{kind: kindLane, f: func(v, w, _ uint64) uint64 { return v | w<<shift }, d: d, a: whole, b: a.use(x, part)})
		whole = d
	}
}

// cvta turns an address in a state space into a generic one, and back with .to.
// Global and constant memory have the same addresses both ways.
func cvta(a *assembler, in *inst) {
	back := in.has("to")
	sp := a.space(in)
	if t := a.typ(in); t != tU64 || sp == spaceGeneric || sp == spaceParam {
		a.fail(in.line, "%s: want .u64 and .global, .shared, .local or .const", in.text)
	}
	shift := windows[sp]
	if back {
		shift = -shift
	}
	a.lanes(in, func(v, _, _ uint64) uint64 { return v + shift }, tU64, tU64)
}
