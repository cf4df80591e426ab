package ptxsim

import (
	"encoding/binary"
	"math/bits"
	"strconv"
	"strings"
)

// A Module is loaded PTX.
type Module struct {
	Target  int // compute capability it is for: 70 for sm_70
	version int // of PTX: 70 for 7.0
	source  source
	kernels map[string]*Kernel
	vars    map[string]*variable // at the module's level
}

// A variable is memory with a name.
type variable struct {
	name        string
	space       space
	size, align int
	value       []byte // what .global and .const begin with
	extern      bool   // .extern .shared: dynamic shared memory
}

// Sizes beyond which a declaration is a mistake, or no GPU's.
const (
	maxVariable = 1 << 26
	maxStatic   = 48 << 10  // of shared memory that a kernel declares, as ptxas has it
	maxLocal    = 512 << 10 // of one thread
	maxCode     = 1 << 22   // instructions of a kernel: as many as a mark can tell apart
)

// A parser reads a module's tokens.
type parser struct {
	source
	tokens []token
	mod    *Module
}

// Load reads PTX. It knows every opcode, directive and form of operand that it
// accepts: anything else is an error that names the line and shows its text, so
// what has been loaded is run in full.
func Load(ptx string) (m *Module, err error) {
	src := newSource(ptx)
	defer func() {
		if x := recover(); x != nil {
			wrong, ok := x.(*syntaxError)
			if !ok {
				panic(x)
			}
			m, err = nil, wrong
		}
	}()
	p := &parser{src, src.scan(), &Module{source: src, kernels: map[string]*Kernel{}, vars: map[string]*variable{}}}
	p.module()
	return p.mod, nil
}

func (p *parser) peek() token { return p.tokens[0] }

// next takes the next token; the end stays.
func (p *parser) next() token {
	t := p.tokens[0]
	if t.kind != 0 {
		p.tokens = p.tokens[1:]
	}
	return t
}

// got takes the next token if it is of the kind.
func (p *parser) got(kind byte) bool {
	if p.peek().kind != kind {
		return false
	}
	p.next()
	return true
}

// gotWord takes the next token if it is this word.
func (p *parser) gotWord(text string) bool {
	if t := p.peek(); t.kind != 'w' || t.text != text {
		return false
	}
	p.next()
	return true
}

func (p *parser) want(kind byte) token {
	t := p.next()
	if t.kind != kind {
		p.unexpected(t, map[byte]string{'w': "a name", 'n': "a number", '"': "a string"}[kind], kind)
	}
	return t
}

func (p *parser) unexpected(t token, what string, kind byte) {
	if what == "" {
		what = strconv.QuoteRune(rune(kind))
	}
	if t.kind == 0 {
		p.fail(t.line, "the text ends where %s should stand", what)
	}
	p.fail(t.line, "%q stands where %s should", t.text, what)
}

// count reads a whole number of at most limit.
func (p *parser) count(limit int) int {
	t := p.want('n')
	n, ok := integerBits(t.text)
	if !ok || n > uint64(limit) {
		p.fail(t.line, "%s is no whole number from 0 to %d", t.text, limit)
	}
	return int(n)
}

// integerBits reads PTX's integers: decimal, 0x, 0b, octal after a zero, U at
// the end.
func integerBits(text string) (uint64, bool) {
	text = strings.TrimSuffix(text, "U")
	if strings.Contains(text, "_") {
		return 0, false
	}
	n, err := strconv.ParseUint(text, 0, 64)
	return n, err == nil
}

// floatBits reads 0fXXXXXXXX and 0dXXXXXXXXXXXXXXXX, bits in hexadecimal.
func floatBits(text string) (v uint64, t typ, ok bool) {
	digits, single := strings.CutPrefix(strings.ToLower(text), "0f")
	t = tF32
	if !single {
		var double bool
		if digits, double = strings.CutPrefix(digits, "0d"); !double {
			return 0, t, false
		}
		t = tF64
	}
	v, err := strconv.ParseUint(digits, 16, 64)
	return v, t, err == nil && len(digits) == t.bits/4
}

func (p *parser) module() {
	for p.peek().kind != 0 {
		t := p.want('w')
		switch t.text {
		case ".version":
			p.version()
		case ".target":
			p.target()
		case ".address_size":
			if p.count(64) != 64 {
				p.fail(t.line, "want .address_size 64")
			}
		case ".file":
			p.skipLine(t.line)
		case ".visible", ".extern", ".weak":
			p.declaration(p.want('w'), t.text == ".extern")
		default:
			p.declaration(t, false)
		}
	}
	if p.mod.Target == 0 {
		p.fail(1, "no .target")
	}
	if p.mod.version == 0 {
		p.fail(1, "no .version")
	}
}

func (p *parser) version() {
	t := p.want('n')
	major, minor, ok := strings.Cut(t.text, ".")
	m, err := strconv.Atoi(major)
	n, err2 := strconv.Atoi(minor)
	if !ok || err != nil || err2 != nil || m < 6 || m > 99 || n > 9 {
		p.fail(t.line, "version %s: want 6.0 or later", t.text)
	}
	p.mod.version = 10*m + n
}

func (p *parser) target() {
	t := p.want('w')
	digits, ok := strings.CutPrefix(t.text, "sm_")
	n, err := strconv.Atoi(digits)
	if !ok || err != nil || n <= 0 {
		p.fail(t.line, "target %s: want sm_ and a number", t.text)
	}
	p.mod.Target = n
	for p.got(',') {
		if t := p.want('w'); t.text != "debug" {
			p.fail(t.line, "unknown target option %s", t.text)
		}
	}
}

// skipLine passes over what is left of a line that says where code came from.
func (p *parser) skipLine(line int) {
	for p.peek().kind != 0 && p.peek().line == line {
		p.next()
	}
}

// declaration reads what stands at the module's level.
func (p *parser) declaration(t token, extern bool) {
	switch t.text {
	case ".entry":
		p.kernel()
	case ".func":
		p.fail(t.line, "device functions are not run: inline them")
	default:
		sp, ok := spaces[strings.TrimPrefix(t.text, ".")]
		if !ok || sp == spaceParam || sp == spaceLocal {
			p.fail(t.line, "unknown directive %s", t.text)
		}
		v := p.variable(sp, extern)
		if p.mod.vars[v.name] != nil {
			p.fail(t.line, "%s is declared twice", v.name)
		}
		p.mod.vars[v.name] = v
	}
}

// variable reads a variable's declaration from behind its state space to the
// semicolon.
func (p *parser) variable(sp space, extern bool) *variable {
	v := &variable{space: sp, extern: extern}
	line := p.peek().line
	v.align = p.alignment()
	t := p.elementType()
	v.align = max(v.align, t.bits/8)
	v.name = p.want('w').text
	elements, open := 1, false
	for p.got('[') {
		if p.peek().kind == ']' {
			open = true
		} else if n := p.count(maxVariable); n > 0 && elements > maxVariable/n {
			p.fail(line, "%s is larger than %d bytes", v.name, maxVariable)
		} else {
			elements *= n
		}
		p.want(']')
	}
	if v.size = elements * t.bits / 8; v.size > maxVariable {
		p.fail(line, "%s is larger than %d bytes", v.name, maxVariable)
	}
	switch {
	case open && !(extern && sp == spaceShared):
		p.fail(line, "%s has no size: only .extern .shared may have none", v.name)
	case extern && sp != spaceShared:
		p.fail(line, "%s is defined elsewhere: only .extern .shared is known", v.name)
	case extern:
		v.size = 0
	case sp == spaceGlobal || sp == spaceConst:
		v.value = make([]byte, v.size)
		if p.got('=') {
			p.values(t, v.value, 4)
		}
	}
	p.want(';')
	return v
}

// alignment reads .align N where it stands; it is 1 elsewhere.
func (p *parser) alignment() int {
	if !p.gotWord(".align") {
		return 1
	}
	line := p.peek().line
	n := p.count(1 << 12)
	if bits.OnesCount(uint(n)) != 1 {
		p.fail(line, "alignment %d is no power of two", n)
	}
	return n
}

// elementType reads the type of a variable, parameter or register.
func (p *parser) elementType() typ {
	w := p.want('w')
	t, ok := types[strings.TrimPrefix(w.text, ".")]
	if !ok || w.text[0] != '.' || t.class == predicate || t == tTF32 {
		p.fail(w.line, "unknown type %s", w.text)
	}
	return t
}

// values reads an initializer, with braces as deep as an array's dimensions, into
// dst and returns what it left of it, which is zeros.
func (p *parser) values(t typ, dst []byte, depth int) []byte {
	if depth > 0 && p.got('{') {
		dst = p.values(t, dst, depth-1)
		for p.got(',') {
			dst = p.values(t, dst, depth-1)
		}
		p.want('}')
		return dst
	}
	line := p.peek().line
	v := p.number()
	if len(dst) < t.bits/8 {
		p.fail(line, "more values than the variable has elements")
	}
	var b [8]byte
	binary.LittleEndian.PutUint64(b[:], p.constant(v, t))
	copy(dst, b[:t.bits/8])
	return dst[t.bits/8:]
}

// number reads a number with its sign as an operand.
func (p *parser) number() arg {
	negative := p.got('-')
	t := p.want('n')
	if v, ft, ok := floatBits(t.text); ok {
		if negative {
			v ^= 1 << (ft.bits - 1)
		}
		return arg{kind: argFloat, value: v, typ: ft, line: t.line}
	}
	v, ok := integerBits(t.text)
	if !ok {
		p.fail(t.line, "%s is no number", t.text)
	}
	if negative {
		if v > 1<<63 {
			p.fail(t.line, "-%s has more than 64 bits", t.text)
		}
		v = -v
	}
	return arg{kind: argInteger, value: v, negative: negative && v != 0, line: t.line}
}
