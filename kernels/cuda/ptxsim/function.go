package ptxsim

import "strings"

// An assembler turns the text of one kernel into its code.
type assembler struct {
	*parser
	k        *Kernel
	scope    *scope
	params   map[string]int // offsets
	numbers  map[constant]int32
	specials map[string]int32
	shared   map[*variable]int // offsets
	branches []branch
	named    []register
	flow     []flow
	uses     []int32 // named registers that the instruction at hand reads
	sets     []int32 // and writes
	guard    int32   // of the instruction at hand; -1: none
	not      bool    // it runs where the guard is false
	line     int
}

// A scope is what is declared between two braces.
type scope struct {
	up        *scope
	families  map[string]family // %r<8> declares %r0 to %r7
	registers map[string]register
	labels    map[string]int
	vars      map[string]*variable
}

type family struct {
	typ typ
	n   int
}

type register struct {
	index int32
	typ   typ
}

// A branch is an instruction whose target is still a label.
type branch struct {
	pc    int
	label string
	scope *scope
}

func (a *assembler) push() {
	a.scope = &scope{a.scope, map[string]family{}, map[string]register{}, map[string]int{}, map[string]*variable{}}
}

// kernel reads an .entry from its name on.
func (p *parser) kernel() {
	name := p.want('w')
	if p.mod.kernels[name.text] != nil {
		p.fail(name.line, "kernel %s is defined twice", name.text)
	}
	k := &Kernel{Name: name.text, mod: p.mod, parallel: true}
	a := &assembler{parser: p, k: k, params: map[string]int{}, numbers: map[constant]int32{}, specials: map[string]int32{}, shared: map[*variable]int{}}
	a.push()
	if p.got('(') && !p.got(')') {
		a.param()
		for p.got(',') {
			a.param()
		}
		p.want(')')
	}
	a.bounds()
	p.want('{')
	for depth := 1; depth > 0; {
		switch t := p.next(); {
		case t.kind == '{':
			a.push()
			depth++
		case t.kind == '}':
			a.scope = a.scope.up
			depth--
		case t.kind == 0:
			p.fail(t.line, "kernel %s has no end", k.Name)
		default:
			a.statement(t)
		}
	}
	a.finish(name.line)
	p.mod.kernels[k.Name] = k
}

// param reads one parameter.
func (a *assembler) param() {
	t := a.want('w')
	if t.text != ".param" {
		a.fail(t.line, "%q stands where .param should", t.text)
	}
	align := a.alignment()
	p := Param{typ: a.elementType()}
	p.Type, p.Size = p.typ.String(), p.typ.bits/8
	if a.gotWord(".ptr") { // what it points to is the caller's business
		for _, s := range []string{".global", ".shared", ".const", ".local"} {
			a.gotWord(s)
		}
		a.alignment()
	}
	p.Align = max(align, p.Size)
	p.Name = a.want('w').text
	if a.got('[') {
		p.Size *= a.count(4096)
		a.want(']')
	}
	if _, twice := a.params[p.Name]; twice {
		a.fail(t.line, "parameter %s is declared twice", p.Name)
	}
	p.offset = roundUp(a.k.params, p.Align)
	a.params[p.Name] = p.offset
	if a.k.params = p.offset + p.Size; a.k.params > 4352 {
		a.fail(t.line, "parameters take more than 4352 bytes")
	}
	a.k.Params = append(a.k.Params, p)
}

func roundUp(n, to int) int { return (n + to - 1) / to * to }

// bounds reads what a kernel says of its launches.
func (a *assembler) bounds() {
	for a.peek().kind == 'w' {
		t := a.next()
		switch t.text {
		case ".maxntid", ".reqntid":
			block := [3]int{a.count(1024), 1, 1}
			for i := 1; i < 3 && a.got(','); i++ {
				block[i] = a.count(1024)
			}
			a.k.MaxThreads = block[0] * block[1] * block[2]
			if t.text == ".reqntid" {
				a.k.Block = block
			}
		case ".minnctapersm", ".maxnctapersm", ".maxnreg": // occupancy, which nothing here shows
			a.count(1024)
		default:
			a.fail(t.line, "unknown directive %s", t.text)
		}
	}
}

// statement reads what stands in a body: a declaration, a label or an
// instruction.
func (a *assembler) statement(t token) {
	a.line, a.guard, a.not = t.line, -1, false
	switch {
	case t.text == ".reg":
		a.registers()
	case t.text == ".shared", t.text == ".local":
		v := a.variable(spaces[t.text[1:]], false)
		a.declare(v.name)
		a.scope.vars[v.name] = v
		a.place(v)
	case t.text == ".loc" || t.text == ".file":
		a.skipLine(t.line)
	case t.text == ".pragma":
		a.want('"')
		a.want(';')
	case t.kind == 'w' && a.got(':'):
		a.declare(t.text)
		a.scope.labels[t.text] = len(a.k.code)
	case t.kind == '@':
		a.not = a.got('!')
		w := a.want('w')
		a.guard = a.use(arg{kind: argName, name: w.text, line: w.line}, tPred)
		a.instruction(a.want('w'))
	case t.kind == 'w' && t.text[0] != '.':
		a.instruction(t)
	default:
		a.fail(t.line, "%q begins no statement", t.text)
	}
}

// declare refuses a name that the scope has.
func (a *assembler) declare(name string) {
	_, family := a.scope.families[name]
	_, label := a.scope.labels[name]
	if family || label || a.scope.vars[name] != nil {
		a.fail(a.line, "%s is declared twice", name)
	}
}

// registers reads a .reg from its type on. A family of one is a register whose
// name has no number.
func (a *assembler) registers() {
	w := a.want('w')
	t, ok := types[strings.TrimPrefix(w.text, ".")]
	if !ok || t.class != predicate && t.bits < 16 || t == tTF32 || t == tBF16 {
		a.fail(w.line, "registers have no type %s", w.text)
	}
	for {
		name := a.want('w').text
		a.declare(name)
		f := family{typ: t}
		if a.got('<') {
			f.n = max(a.count(1<<24), 1)
			a.want('>')
		}
		a.scope.families[name] = f
		if !a.got(',') {
			break
		}
	}
	a.want(';')
}

// lookup finds a register and numbers it when it is first named.
func (a *assembler) lookup(name string) (register, bool) {
	for s := a.scope; s != nil; s = s.up {
		if r, ok := s.registers[name]; ok {
			return r, true
		}
		t, ok := s.declared(name)
		if ok {
			r := register{a.temporary(), t}
			a.named = append(a.named, r)
			s.registers[name] = r
			return r, true
		}
	}
	return register{}, false
}

// declared is the type of a register that this scope declares.
func (s *scope) declared(name string) (typ, bool) {
	if f, ok := s.families[name]; ok && f.n == 0 {
		return f.typ, true
	}
	number := 0
	for i, unit := len(name)-1, 1; i > 0 && isDigit(name[i]) && unit < 1<<24; i, unit = i-1, unit*10 {
		number += int(name[i]-'0') * unit
		f, ok := s.families[name[:i]]
		if ok && number < f.n && (name[i] != '0' || i == len(name)-1) {
			return f.typ, true
		}
	}
	return typ{}, false
}

// temporary is a register that no text names.
func (a *assembler) temporary() int32 {
	a.k.regs++
	return int32(a.k.regs - 1)
}

// gap is how many bytes between two variables in shared memory belong to none,
// so that running past one of them is seen.
const gap = 256

// place finds room for a variable of shared or local memory and returns its
// offset.
func (a *assembler) place(v *variable) int {
	if at, ok := a.shared[v]; ok {
		return at
	}
	at := 0
	switch {
	case v.space == spaceLocal:
		at = roundUp(a.k.local, v.align)
		if a.k.local = at + v.size; a.k.local > maxLocal {
			a.fail(a.line, "local memory takes more than %d bytes", maxLocal)
		}
	case v.extern:
		a.k.dynamic = max(a.k.dynamic, v.align, 16)
	default:
		at = roundUp(a.k.window, max(v.align, 16))
		a.k.layout = append(a.k.layout, placed{v, at})
		a.k.window = at + v.size + gap
		if a.k.Shared = roundUp(a.k.Shared, v.align) + v.size; a.k.Shared > maxStatic {
			a.fail(a.line, "shared memory that is declared takes more than %d bytes", maxStatic)
		}
	}
	a.shared[v] = at
	return at
}

// finish resolves the branches and completes the kernel.
func (a *assembler) finish(line int) {
	k := a.k
	for _, b := range a.branches {
		o := &k.code[b.pc]
		at, ok := 0, false
		for s := b.scope; s != nil && !ok; s = s.up {
			at, ok = s.labels[b.label]
		}
		if !ok {
			a.fail(int(o.line), "no label %s", b.label)
		}
		o.target = at
	}
	if n := len(k.code); n >= maxCode {
		a.fail(line, "kernel %s has %d instructions: at most %d are known", k.Name, n, maxCode-1)
	}
	k.code = append(k.code, op{kind: kindExit, guard: -1, line: int32(line)}) // where the text ends without ret
	k.window = roundUp(k.window, max(k.dynamic, 16))
	k.count = make([]int64, len(k.code))
	k.entry = a.liveAtEntry()
}
