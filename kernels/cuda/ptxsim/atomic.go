package ptxsim

import (
	"math/bits"
	"sort"
)

// atom is atom and red: *a = f(*a, b, c), and d = what was there.
func atom(a *assembler, in *inst) {
	acc := access{atomic: true}
	sem := in.one("relaxed", "acquire", "release", "acq_rel")
	in.one("cta", "gpu", "sys")
	acc.space = a.space(in)
	if acc.space == spaceLocal || acc.space == spaceConst || acc.space == spaceParam {
		a.fail(in.line, "%s: .global or .shared memory, or a generic address", in.text)
	}
	name := in.one("and", "or", "xor", "cas", "exch", "add", "inc", "dec", "min", "max")
	t := a.typ(in)
	f, ok := atomicFunction(name, t)
	if !ok || in.name == "red" && (name == "cas" || name == "exch") {
		a.misfit(in, t)
	}
	o := op{kind: kindRun, run: atomicAccess, f: f, d: -1}
	var to arg
	if in.name == "atom" {
		to = a.operand(in)
	}
	o.a, acc.off = a.address(a.operand(in), acc.space)
	acc.size = t.bits / 8
	o.b = a.use(a.operand(in), t)
	if name == "cas" {
		o.c = a.use(a.operand(in), t)
	}
	if in.name == "atom" {
		o.d = a.set(to, t)
	}
	if t == tF32 {
		o.n |= atomFlushes
	}
	if sem != "" && sem != "relaxed" {
		o.n |= atomFences
	}
	o.access = acc
	if acc.space != spaceShared { // what blocks see of one another depends on their order
		a.k.parallel = false
	}
	a.emit(o)
}

// What atomicAccess has to know.
const (
	atomFlushes = 1 << iota // in global memory, subnormal numbers are zero
	atomFences              // it orders other accesses as well
)

func atomicFunction(name string, t typ) (lane, bool) {
	switch name {
	case "and":
		return func(a, b, _ uint64) uint64 { return a & b }, t.class == raw && t.bits >= 32
	case "or":
		return func(a, b, _ uint64) uint64 { return a | b }, t.class == raw && t.bits >= 32
	case "xor":
		return func(a, b, _ uint64) uint64 { return a ^ b }, t.class == raw && t.bits >= 32
	case "exch":
		return func(_, b, _ uint64) uint64 { return b }, t.class == raw && t.bits >= 32
	case "cas":
		return func(a, b, c uint64) uint64 {
			if a == b {
				return c
			}
			return a
		}, t.class == raw && t.bits >= 16
	case "inc":
		return func(a, b, _ uint64) uint64 {
			if a >= b {
				return 0
			}
			return a + 1
		}, t == tU32
	case "dec":
		return func(a, b, _ uint64) uint64 {
			if a == 0 || a > b {
				return b
			}
			return a - 1
		}, t == tU32
	case "min":
		return minInt(t, nil), t.integer() && t.bits >= 32
	case "max":
		return maxInt(t, nil), t.integer() && t.bits >= 32
	case "add":
		switch t {
		case tF32:
			return func(a, b, _ uint64) uint64 { return bits32(f32(a) + f32(b)) }, true
		case tF64:
			return func(a, b, _ uint64) uint64 { return bits64(f64(a) + f64(b)) }, true
		}
		mask := t.mask()
		return func(a, b, _ uint64) uint64 { return (a + b) & mask }, t.integer() && t.bits >= 32 && t != types["s64"]
	}
	return nil, false
}

// atomicAccess is atom and red, the lanes in their order.
func atomicAccess(w *warp, o *op, m uint32) {
	for ; m != 0; m &= m - 1 {
		i := bits.TrailingZeros32(m) & 31
		addr := w.regs[o.a][i] + o.off
		r, off := w.reach(o, i, addr, uint64(o.size), "updates")
		p := r.data[off : off+uint64(o.size)]
		if r.known != nil && !written(r.known[off:off+uint64(o.size)]) {
			w.unwritten(o, i, r, off, uint64(o.size))
		}
		old, b := element(p, o.size), w.regs[o.b][i]
		flushes := r.flushing && o.n&atomFlushes != 0
		if flushes {
			b = flush(b)
		}
		v := old
		if flushes {
			v = flush(v)
		}
		v = o.f(v, b, w.regs[o.c][i])
		if flushes {
			v = flush(v)
		}
		var buf [8]byte
		putElement(buf[:], o.size, v)
		w.enter(o, i, r, off, buf[:o.size])
		if r.flushing { // global
			if o.n&atomFences != 0 {
				w.block.fenced = true
			}
			w.block.meet(addr, o.d >= 0)
		}
		if o.d >= 0 {
			w.regs[o.d][i] = old
		}
	}
}

// fence is membar and fence: what this block has written before, others that
// learn of it by an atomic operation may read.
func fence(a *assembler, in *inst) {
	wide := "gl"
	if in.name == "fence" {
		in.one("sc", "acq_rel")
		wide = "gpu"
	}
	scope := in.one("cta", wide, "sys")
	if scope == "" {
		a.fail(in.line, "%s: no scope", in.text)
	}
	if scope == "cta" {
		return
	}
	a.emit(op{kind: kindRun, run: func(w *warp, _ *op, m uint32) { w.block.fenced = w.block.fenced || m != 0 }})
}

// meet lets blocks learn of one another: by an atomic operation on addr after a
// fence, a block publishes what it has written, and by one that returns
// something, a later block hears of all that were published there. This is how
// the last block of a grid reads what the others left.
func (b *block) meet(addr uint64, hears bool) {
	l := b.launch
	if hears && len(l.published[addr]) > 0 {
		if b.known == nil {
			b.known = map[uint32]bool{}
		}
		for _, from := range l.published[addr] {
			b.known[from] = true
		}
	}
	if b.fenced {
		if l.published == nil {
			l.published = map[uint64][]uint32{}
		}
		if n := len(l.published[addr]); n == 0 || l.published[addr][n-1] != b.start {
			l.published[addr] = append(l.published[addr], b.start)
		}
	}
}

// heard reports whether the block knows what the block with this stamp wrote.
func (b *block) heard(stamp uint32) bool {
	if len(b.known) == 0 {
		return false
	}
	starts := b.launch.starts
	i := sort.Search(len(starts), func(i int) bool { return starts[i] > stamp })
	return b.known[starts[i-1]]
}
