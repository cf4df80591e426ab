package ptxsim

import "math/bits"

// together reports whether the lanes that an instruction needs are among those
// at it, m: those that lane masks name and that have not exited, or the whole
// warp.
func (w *warp) together(o *op, m uint32) bool {
	first := bits.TrailingZeros32(m)
	if o.aligned {
		if w.alive != 1<<warpSize-1 {
			w.fault(o, first, Lanes, "needs 32 lanes, and of this warp there are %d", bits.OnesCount32(w.alive))
		}
		return m == w.alive
	}
	masks := &w.regs[o.c]
	for rest := m; rest != 0; { // a mask at a time
		i := bits.TrailingZeros32(rest) & 31
		mask := uint32(masks[i])
		if mask>>i&1 == 0 {
			w.fault(o, i, Lanes, "lane %d is not in its own mask, %#x", i, mask)
		}
		if mask&w.alive&^m != 0 {
			return false
		}
		for r := mask & m; r != 0; r &= r - 1 {
			if j := bits.TrailingZeros32(r) & 31; uint32(masks[j]) != mask {
				w.fault(o, i, Lanes, "lane %d names the mask %#x, and lane %d in it %#x", i, mask, j, masks[j])
			}
		}
		rest &^= mask
	}
	return true
}

// shfl is shfl.sync: each lane receives a of another, which b says how to find.
// c holds the last lane that there is within a segment, and above it the bits of
// the lane's number that say which segment.
func shfl(a *assembler, in *inst) {
	if !in.has("sync") {
		a.fail(in.line, "%s: only .sync is known", in.text)
	}
	modes := map[string]int{"up": shflUp, "down": shflDown, "bfly": shflBfly, "idx": shflIdx}
	o := op{kind: kindSync, run: shuffle, n: modes[in.one("up", "down", "bfly", "idx")]}
	if t := a.typ(in); t != tB32 || o.n == 0 {
		a.misfit(in, t)
	}
	to := a.operand(in)
	from, b, c := a.use(a.operand(in), tB32), a.use(a.operand(in), tB32), a.use(a.operand(in), tB32)
	o.c = a.use(a.operand(in), tB32)
	there := int32(-1)
	if to.kind == argPair {
		there = a.set(to.list[1], tPred)
		to = to.list[0]
	}
	o.regs = []int32{a.set(to, tB32), there, from, b, c}
	a.emit(o)
}

const (
	shflUp = 1 + iota
	shflDown
	shflBfly
	shflIdx
)

func shuffle(w *warp, o *op, m uint32) {
	from := w.regs[o.regs[2]] // a copy: the destination may be the same
	bs, cs := w.regs[o.regs[3]], w.regs[o.regs[4]]
	for s := m; s != 0; s &= s - 1 {
		i := bits.TrailingZeros32(s) & 31
		segment, b := int(cs[i]>>8&31), int(bs[i]&31)
		last := i&segment | int(cs[i]&31)&^segment
		j, ok := i, false
		switch o.n {
		case shflUp:
			j = i - b
			ok = j >= last
		case shflDown:
			j = i + b
			ok = j <= last
		case shflBfly:
			j = i ^ b
			ok = j <= last
		case shflIdx:
			j = i&segment | b&^segment
			ok = j <= last
		}
		if !ok {
			j = i
		}
		if mask := uint32(w.regs[o.c][i]); m>>j&1 == 0 || mask>>j&1 == 0 {
			w.fault(o, i, Lanes, "reads from lane %d, which is not there or not in the mask %#x", j, mask)
		}
		w.regs[o.regs[0]][i] = from[j]
		if o.regs[1] >= 0 {
			w.regs[o.regs[1]][i] = truth(ok)
		}
	}
}

// vote is vote.sync: what the lanes of the mask say of a predicate together.
func vote(a *assembler, in *inst) {
	if !in.has("sync") {
		a.fail(in.line, "%s: only .sync is known", in.text)
	}
	votes := map[string]func(yes, mask uint32) uint64{
		"all":    func(yes, mask uint32) uint64 { return truth(yes == mask) },
		"any":    func(yes, _ uint32) uint64 { return truth(yes != 0) },
		"uni":    func(yes, mask uint32) uint64 { return truth(yes == mask || yes == 0) },
		"ballot": func(yes, _ uint32) uint64 { return uint64(yes) },
	}
	how := in.one("all", "any", "uni", "ballot")
	t := tPred
	if how == "ballot" {
		t = tB32
	}
	if u := a.typ(in); votes[how] == nil || u != t {
		a.misfit(in, u)
	}
	to := a.operand(in)
	o := op{kind: kindSync, a: a.use(a.operand(in), tPred)}
	o.c = a.use(a.operand(in), tB32)
	o.d = a.set(to, t)
	o.run = func(w *warp, o *op, m uint32) {
		yes := w.truth(o.a, false)
		for ; m != 0; m &= m - 1 {
			i := bits.TrailingZeros32(m) & 31
			mask := uint32(w.regs[o.c][i]) & w.alive
			w.regs[o.d][i] = votes[how](yes&mask, mask)
		}
	}
	a.emit(o)
}

// activemask is the lanes that execute it.
func activemask(a *assembler, in *inst) {
	if t := a.typ(in); t != tB32 {
		a.misfit(in, t)
	}
	a.emit(op{kind: kindRun, d: a.set(a.operand(in), tB32), run: func(w *warp, o *op, m uint32) {
		for s := m; s != 0; s &= s - 1 {
			w.regs[o.d][bits.TrailingZeros32(s)&31] = uint64(m)
		}
	}})
}

// redux is redux.sync: a reduction over the lanes of the mask.
func redux(a *assembler, in *inst) {
	a.need(in, 80)
	if !in.has("sync") {
		a.fail(in.line, "%s: only .sync is known", in.text)
	}
	name := in.one("add", "min", "max", "and", "or", "xor")
	t := a.typ(in)
	f, ok := atomicFunction(name, t)
	if !ok || t.bits != 32 || t.floating() {
		a.misfit(in, t)
	}
	to := a.operand(in)
	o := op{kind: kindSync, f: f, a: a.use(a.operand(in), t)}
	o.c = a.use(a.operand(in), tB32)
	o.d = a.set(to, t)
	o.run = func(w *warp, o *op, m uint32) {
		from := w.regs[o.a]
		for ; m != 0; m &= m - 1 {
			i := bits.TrailingZeros32(m) & 31
			mask := uint32(w.regs[o.c][i]) & w.alive
			v := from[bits.TrailingZeros32(mask)&31]
			for rest := mask & (mask - 1); rest != 0; rest &= rest - 1 {
				v = o.f(v, from[bits.TrailingZeros32(rest)&31], 0)
			}
			w.regs[o.d][i] = v
		}
	}
	a.emit(o)
}
