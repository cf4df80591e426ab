package ptxsim

import (
	"math"
	"strings"
)

// The forms of an operand.
type argKind byte

const (
	argName    argKind = iota // register, symbol (value is what is added to it) or label
	argInteger                // value: 64 bits, negative said apart
	argFloat                  // value: the bits of a typ
	argAddress                // [name+value]
	argVector                 // {list}
	argPair                   // list[0]|list[1]
)

type arg struct {
	kind     argKind
	name     string
	value    uint64
	negative bool
	not      bool // !name
	typ      typ
	list     []arg
	line     int
}

// arg reads an operand.
func (a *assembler) arg() arg {
	t := a.peek()
	x := arg{line: t.line}
	switch {
	case a.got('['):
		x.kind = argAddress
		if t := a.peek(); t.kind == 'w' {
			x.name = a.next().text
			x.value = a.plus()
		} else {
			a.fail(t.line, "an address begins with a register or a symbol")
		}
		a.want(']')
	case a.got('{'):
		x.kind = argVector
		x.list = append(x.list, a.part())
		for a.got(',') {
			x.list = append(x.list, a.part())
		}
		a.want('}')
	case a.got('!'):
		x.name, x.not = a.want('w').text, true
	case t.kind == 'w':
		x.name = a.next().text
		if a.got('|') {
			second := a.want('w')
			return arg{kind: argPair, list: []arg{x, {name: second.text, line: second.line}}, line: t.line}
		}
		x.value = a.plus()
	default:
		return a.number()
	}
	return x
}

// part reads an element of a vector.
func (a *assembler) part() arg {
	if t := a.peek(); t.kind == 'w' {
		a.next()
		return arg{name: t.text, line: t.line}
	}
	return a.number()
}

// plus reads what may be added to a name.
func (a *assembler) plus() uint64 {
	if !a.got('+') {
		return 0
	}
	return a.integer()
}

func (a *assembler) integer() uint64 {
	x := a.number()
	if x.kind != argInteger {
		a.fail(x.line, "an integer should stand here")
	}
	return x.value
}

// constant is a number's bits as type t.
func (p *parser) constant(x arg, t typ) uint64 {
	switch {
	case x.kind == argFloat && t == x.typ, x.kind == argFloat && t.class == raw && t.bits == x.typ.bits:
		return x.value
	case x.kind == argFloat && t == tF32:
		return uint64(math.Float32bits(float32(math.Float64frombits(x.value))))
	case x.kind == argFloat && t == tF64:
		return math.Float64bits(float64(math.Float32frombits(uint32(x.value))))
	case x.kind == argInteger && t.class == predicate:
		if x.value == 0 {
			return 0
		}
		return 1
	case x.kind == argInteger && !t.floating():
		if x.negative && int64(x.value) >= -1<<(t.bits-1) || !x.negative && x.value <= t.mask() {
			return x.value & t.mask()
		}
		p.fail(x.line, "%d does not fit %s", int64(x.value), t)
	}
	p.fail(x.line, "a number of another kind than %s", t)
	return 0
}

// use is the register that holds a source operand of type t.
func (a *assembler) use(x arg, t typ) int32 { return a.read(x, t, t.fits) }

// useNarrow is use for st and cvt, where the register may be wider.
func (a *assembler) useNarrow(x arg, t typ) int32 { return a.read(x, t, t.holds) }

// useSpecial is use for mov and cvt, which alone may read special registers.
func (a *assembler) useSpecial(x arg, t typ, fits func(typ) bool) int32 {
	if r, ok := a.special(x); ok && fits(tU32) {
		return r
	}
	return a.read(x, t, fits)
}

func (a *assembler) read(x arg, t typ, fits func(typ) bool) int32 {
	switch x.kind {
	case argInteger, argFloat:
		return a.constantRegister(constant{value: a.parser.constant(x, t)})
	case argName:
		r, ok := a.lookup(x.name)
		if !ok {
			return a.constantRegister(a.standsFor(x, t))
		}
		a.uses = append(a.uses, r.index)
		if x.value != 0 {
			a.fail(x.line, "%s is a register: nothing can be added to it here", x.name)
		}
		if !fits(r.typ) {
			a.fail(x.line, "%s is a register of %s: want %s", x.name, r.typ, t)
		}
		if x.not {
			return a.negated(r, x)
		}
		return r.index
	}
	a.fail(x.line, "a register or a number should stand here")
	return 0
}

// standsFor is the constant of type t that a name which is no register stands for.
func (a *assembler) standsFor(x arg, t typ) constant {
	if x.name == "WARP_SZ" && t.integer() && !x.not {
		return constant{value: warpSize}
	}
	if _, ok := specials[x.name[1:]]; ok {
		a.fail(x.line, "%s: only mov and cvt read special registers", x.name)
	}
	c, ok := a.symbol(x)
	if !ok || x.not {
		a.unknown(x)
	}
	if wide := c.of != nil && c.of.space != spaceShared; t.floating() || t.bits != 64 && (t.bits != 32 || wide) {
		a.fail(x.line, "the address of %s is no %s", x.name, t)
	}
	return c
}

func (a *assembler) unknown(x arg) {
	a.fail(x.line, "%s is not declared", x.name)
}

// negated is a temporary register with what !x says.
func (a *assembler) negated(r register, x arg) int32 {
	if r.typ != tPred {
		a.fail(x.line, "!%s: only a predicate has a negation", x.name)
	}
	d := a.temporary()
	a.emit(op{kind: kindLane, f: func(p, _, _ uint64) uint64 { return p ^ 1 }, d: d, a: r.index})
	return d
}

// constantRegister is the register that holds a constant.
func (a *assembler) constantRegister(c constant) int32 {
	r, ok := a.numbers[c]
	if !ok {
		r = a.temporary()
		a.numbers[c] = r
		c.reg = r
		a.k.consts = append(a.k.consts, c)
	}
	return r
}

// set is the register of a destination of type t; setWide the one of ld and
// cvt, which may be wider.
func (a *assembler) set(x arg, t typ) int32        { return a.destination(x, t, t.fits).index }
func (a *assembler) setWide(x arg, t typ) register { return a.destination(x, t, t.holds) }

func (a *assembler) destination(x arg, t typ, fits func(typ) bool) register {
	if x.kind != argName || x.not || x.value != 0 {
		a.fail(x.line, "a register should stand first")
	}
	r, ok := a.lookup(x.name)
	switch {
	case !ok:
		a.unknown(x)
	case !fits(r.typ):
		a.fail(x.line, "%s is a register of %s: want %s", x.name, r.typ, t)
	}
	a.sets = append(a.sets, r.index)
	return r
}

// special is the register that holds a special register.
func (a *assembler) special(x arg) (int32, bool) {
	name, ok := strings.CutPrefix(x.name, "%")
	if specials[name] == nil || !ok || x.kind != argName || x.not || x.value != 0 {
		return 0, false
	}
	r, ok := a.specials[name]
	if !ok {
		r = a.temporary()
		a.specials[name] = r
		a.k.specials = append(a.k.specials, special{r, name})
	}
	return r, true
}

// symbol is a variable's or a parameter's address in its state space.
func (a *assembler) symbol(x arg) (constant, bool) {
	v := a.find(x.name)
	if v == nil {
		at, ok := a.params[x.name]
		return constant{value: uint64(at) + x.value}, ok
	}
	switch {
	case v.space == spaceShared && v.extern:
		a.place(v)
		return constant{value: sharedBase + x.value, of: v}, true
	case v.space == spaceShared:
		return constant{value: sharedBase + uint64(a.place(v)) + x.value}, true
	case v.space == spaceLocal:
		return constant{value: localBase + uint64(a.place(v)) + x.value}, true
	}
	return constant{value: x.value, of: v}, true
}

// find looks for a variable, from the inside out.
func (a *assembler) find(name string) *variable {
	for s := a.scope; s != nil; s = s.up {
		if v := s.vars[name]; v != nil {
			return v
		}
	}
	return a.mod.vars[name]
}

// address is the register and the offset that [x] is made of, for memory in the
// state space.
func (a *assembler) address(x arg, sp space) (int32, uint64) {
	if x.kind != argAddress {
		a.fail(x.line, "an address in brackets should stand here")
	}
	if r, ok := a.lookup(x.name); ok {
		if !r.typ.integer() && r.typ.class != raw || r.typ.bits < 32 || r.typ.bits == 32 && sp != spaceShared && sp != spaceParam {
			a.fail(x.line, "%s is a register of %s: no address", x.name, r.typ)
		}
		a.uses = append(a.uses, r.index)
		return r.index, x.value
	}
	c, ok := a.symbol(arg{name: x.name})
	if !ok {
		a.unknown(x)
	}
	in := spaceParam
	if v := a.find(x.name); v != nil {
		in = v.space
	}
	if in != sp {
		a.fail(x.line, "%s is in .%s memory", x.name, in)
	}
	return a.constantRegister(c), x.value
}
