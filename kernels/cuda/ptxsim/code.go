package ptxsim

import (
	"slices"
	"strings"
)

const warpSize = 32

// A vector is one register of a warp: the bits that each lane holds, those
// beyond the register's size zero. A predicate is 0 or 1.
type vector [warpSize]uint64

// A lane function is what an arithmetic instruction does in one lane.
type lane func(a, b, c uint64) uint64

// A kind is how a warp goes about an instruction.
type kind byte

const (
	kindLane    kind = iota // d = f(a, b, c) in each lane
	kindMove                // d = a
	kindRun                 // run does it
	kindSync                // so, once the lanes that it names have come together
	kindBranch              // to target
	kindBarrier             // wait for the block's other threads
	kindExit                // the lanes end
)

// An op is a decoded instruction. Registers are indices.
type op struct {
	kind    kind
	not     bool // it runs where the guard is false
	aligned bool // it wants all lanes of the warp
	guard   int32
	line    int32
	target  int
	f       lane
	run     func(w *warp, o *op, m uint32)
	d       int32
	a, b, c int32
	regs    []int32 // more registers: a vector's, fragments
	n       int     // a number that run knows the meaning of

	access
}

// An access says how an op touches memory.
type access struct {
	off    uint64 // added to the address in register a
	space  space
	size   int    // bytes of one element
	shift  int    // of sign extension when loading: 64 less the bits that come
	mask   uint64 // of the register that it comes to
	atomic bool   // no race with others that are
	fixed  bool   // ld.global.nc: the memory does not change during the launch
}

// An inst is an instruction as it stands in the text. Who assembles it takes
// modifiers and operands from it; what is left over is an error.
type inst struct {
	name string
	mods []string
	args []arg
	text string
	line int
}

// instruction reads an instruction from behind its opcode.
func (a *assembler) instruction(w token) {
	parts := strings.Split(w.text, ".")
	in := &inst{name: parts[0], mods: parts[1:], text: w.text, line: w.line}
	assemble := opcodes[in.name]
	if assemble == nil {
		a.fail(w.line, "unknown opcode %s", in.name)
	}
	if !a.got(';') {
		for {
			in.args = append(in.args, a.arg())
			if !a.got(',') {
				break
			}
		}
		a.want(';')
	}
	first := len(a.k.code)
	a.line, a.uses, a.sets = w.line, nil, nil
	assemble(a, in)
	if len(in.mods) > 0 {
		a.fail(w.line, "unknown modifier .%s of %s", in.mods[0], in.name)
	}
	if len(in.args) > 0 {
		a.fail(w.line, "%s has %d operands too many", in.text, len(in.args))
	}
	if len(a.k.code) >= maxCode {
		a.fail(w.line, "kernel %s has more than %d instructions", a.k.Name, maxCode)
	}
	if a.guard >= 0 {
		a.uses = append(a.uses, a.guard)
		a.sets = nil // perhaps
	}
	a.flow = append(a.flow, flow{first, a.uses, a.sets})
}

// emit adds an op under the guard of the instruction at hand.
func (a *assembler) emit(o op) {
	o.guard, o.not, o.line = a.guard, a.not, int32(a.line)
	a.k.code = append(a.k.code, o)
}

// has takes a modifier if it is there.
func (in *inst) has(mod string) bool {
	i := slices.Index(in.mods, mod)
	if i < 0 {
		return false
	}
	in.mods = slices.Delete(slices.Clone(in.mods), i, i+1)
	return true
}

// one takes one of some modifiers; "" if none is there.
func (in *inst) one(mods ...string) string {
	for _, m := range mods {
		if in.has(m) {
			return m
		}
	}
	return ""
}

// next takes the next operand.
func (a *assembler) operand(in *inst) arg {
	if len(in.args) == 0 {
		a.fail(in.line, "%s has too few operands", in.text)
	}
	x := in.args[0]
	in.args = in.args[1:]
	return x
}

// typ takes the next modifier that is a type.
func (a *assembler) typ(in *inst) typ {
	for _, m := range in.mods {
		if t, ok := types[m]; ok {
			in.has(m)
			return t
		}
	}
	a.fail(in.line, "%s names too few types", in.text)
	return typ{}
}

// misfit ends with an error about a type that the instruction does not have.
func (a *assembler) misfit(in *inst, t typ) {
	a.fail(in.line, "%s: %s has no form for %s", in.text, in.name, t)
}

// need refuses an instruction that the module's target does not have.
func (a *assembler) need(in *inst, target int) {
	if a.mod.Target < target {
		a.fail(in.line, "%s needs sm_%d, and the target is sm_%d", in.text, target, a.mod.Target)
	}
}

// lanes emits d = f(sources), with operands of the types given.
func (a *assembler) lanes(in *inst, f lane, d typ, sources ...typ) {
	to := a.operand(in)
	var r [3]int32
	for i, t := range sources {
		r[i] = a.use(a.operand(in), t)
	}
	a.emit(op{kind: kindLane, f: f, d: a.set(to, d), a: r[0], b: r[1], c: r[2]})
}

// same is n times one type.
func same(t typ, n int) []typ { return slices.Repeat([]typ{t}, n) }
