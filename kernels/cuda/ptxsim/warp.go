package ptxsim

import "math/bits"

// A warp is 32 threads that go through the code together as far as they can.
// Lanes that a branch parts become groups. Of all groups that can go on, the
// one at the lowest instruction goes first, and groups that meet become one:
// so lanes come together again where their paths do.
type warp struct {
	block     *block
	code      []op
	regs      []vector
	index     int
	first     int // number of lane 0's thread
	all       uint32
	alive     uint32
	groups    []group
	pc        int      // of the instruction at hand
	since     []uint32 // stamps before which each warp's accesses are in order with this one's
	calm      uint32   // the least of them
	local     []region
	transfers []transfer
	committed [warpSize]int
	count     []int64 // of the launch: lanes that executed each instruction
}

// A group is lanes at one instruction.
type group struct {
	pc    int
	lanes uint32
	state state
}

type state byte

const (
	ready   state = iota
	parked        // at an instruction that needs more lanes
	waiting       // past a barrier that is not complete; pc is the barrier's
)

// next takes the group to go on with: the lowest that is ready, together with
// all groups at the same instruction.
func (w *warp) next() (g group, ok bool) {
	for _, h := range w.groups {
		if h.state == ready && (!ok || h.pc < g.pc) {
			g, ok = h, true
		}
	}
	if !ok {
		return g, false
	}
	rest := w.groups[:0]
	g.lanes = 0
	for _, h := range w.groups {
		if h.pc == g.pc && h.state != waiting {
			g.lanes |= h.lanes
		} else {
			rest = append(rest, h)
		}
	}
	w.groups = rest
	return g, true
}

func (w *warp) part(pc int, lanes uint32, s state) {
	if lanes != 0 {
		w.groups = append(w.groups, group{pc, lanes, s})
	}
}

// slice is how many instructions a warp executes before the others of its block
// get their turn, should it wait for one of them without a barrier.
const slice = 1 << 16

// advance executes instructions until no group can go on, or as many as it may,
// and returns how many.
func (w *warp) advance(may int) int {
	budget := may
	for budget > 0 {
		g, ok := w.next()
		if !ok {
			break
		}
		budget = w.run(g, budget)
	}
	return may - budget
}

// run executes a group up to where it is to wait for another or to part, and
// returns what is left of the budget.
func (w *warp) run(g group, budget int) int {
	pc, lanes := g.pc, g.lanes
	stop := len(w.code) // the next instruction where another group is
	for _, h := range w.groups {
		if h.pc > pc && h.state != waiting {
			stop = min(stop, h.pc)
		}
	}
	for ; ; budget-- {
		if pc >= stop || budget == 0 {
			w.part(pc, lanes, ready)
			return budget
		}
		o := &w.code[pc]
		m := lanes
		if o.guard >= 0 {
			m &= w.truth(o.guard, o.not)
		}
		w.count[pc] += int64(bits.OnesCount32(m))
		w.pc = pc
		switch o.kind {
		case kindLane:
			w.each(o, m)
		case kindMove:
			w.move(o, m)
		case kindRun:
			if m != 0 {
				o.run(w, o, m)
			}
		case kindBranch:
			w.count[pc] += int64(bits.OnesCount32(lanes &^ m)) // who stays has passed the branch too
			if m == lanes {
				pc = o.target
				if len(w.groups) > 0 {
					w.part(pc, lanes, ready)
					return budget - 1
				}
				continue
			}
			if m != 0 {
				w.part(o.target, m, ready)
				w.part(pc+1, lanes&^m, ready)
				return budget - 1
			}
		case kindExit:
			w.exit(m)
			if lanes &^= m; lanes == 0 {
				return budget - 1
			}
		case kindSync:
			if m == 0 {
				break
			}
			if !w.together(o, m) {
				w.part(pc, m, parked)
				w.part(pc+1, lanes&^m, ready)
				return budget - 1
			}
			o.run(w, o, m)
		case kindBarrier:
			if m == 0 {
				break
			}
			w.part(pc+1, lanes&^m, ready)
			if o.aligned && m != w.alive {
				w.part(pc, m, parked)
			} else {
				w.part(pc, m, waiting)
			}
			return budget - 1
		}
		pc++
	}
}

// each executes a lane function.
func (w *warp) each(o *op, m uint32) {
	d, a, b, c := &w.regs[o.d], &w.regs[o.a], &w.regs[o.b], &w.regs[o.c]
	f := o.f
	if m == 1<<warpSize-1 {
		for i := range d {
			d[i] = f(a[i], b[i], c[i])
		}
		return
	}
	for ; m != 0; m &= m - 1 {
		i := bits.TrailingZeros32(m) & 31
		d[i] = f(a[i], b[i], c[i])
	}
}

func (w *warp) move(o *op, m uint32) {
	d, a := &w.regs[o.d], &w.regs[o.a]
	if m == 1<<warpSize-1 {
		*d = *a
		return
	}
	for ; m != 0; m &= m - 1 {
		i := bits.TrailingZeros32(m) & 31
		d[i] = a[i]
	}
}

// truth is the lanes where a predicate holds, or does not.
func (w *warp) truth(p int32, not bool) (m uint32) {
	for i, v := range w.regs[p] {
		m |= uint32(v&1) << i // a lane that is out may hold anything
	}
	if not {
		m = ^m
	}
	return m
}

// exit ends lanes. Their transfers arrive.
func (w *warp) exit(m uint32) {
	if len(w.transfers) > 0 {
		w.complete(m, func(transfer) bool { return true })
	}
	w.alive &^= m
	for i := range w.groups { // who waits for a lane that is gone waits no more
		if w.groups[i].state == parked {
			w.groups[i].state = ready
		}
	}
}

// bra is a branch.
func bra(a *assembler, in *inst) {
	in.has("uni")
	x := a.operand(in)
	if x.kind != argName || x.not || x.value != 0 {
		a.fail(in.line, "%s: a label should stand here", in.text)
	}
	a.branches = append(a.branches, branch{len(a.k.code), x.name, a.scope})
	a.emit(op{kind: kindBranch})
}

func exit(a *assembler, in *inst) {
	in.has("uni")
	a.emit(op{kind: kindExit})
}

func trap(a *assembler, _ *inst) {
	a.emit(op{kind: kindRun, run: func(w *warp, o *op, m uint32) {
		w.fault(o, bits.TrailingZeros32(m), Trap, "the kernel gave up")
	}})
}
