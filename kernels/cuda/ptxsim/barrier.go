package ptxsim

import (
	"fmt"
	"math/bits"
	"slices"
	"strings"
)

// A party is the threads that wait at one barrier.
type party struct {
	arrived int
	want    int // 0: all threads that have not exited
	groups  []*group
	warps   []*warp // of each group
}

// release lets those go who wait at barriers that are complete, and reports
// whether there were any.
func (b *block) release() bool {
	var parties [16]party
	alive := 0
	for i := range b.warps {
		w := &b.warps[i]
		alive += bits.OnesCount32(w.alive)
		for j := range w.groups {
			if g := &w.groups[j]; g.state == waiting {
				w.join(&parties, g)
			}
		}
	}
	released := false
	for i := range parties {
		p := &parties[i]
		want := p.want
		if want == 0 {
			want = alive
		}
		if p.arrived == 0 || p.arrived < want {
			continue
		}
		if p.arrived > want {
			g := p.groups[0]
			p.warps[0].fault(&p.warps[0].code[g.pc], bits.TrailingZeros32(g.lanes), Barrier, "%d threads wait at barrier %d for %d threads", p.arrived, i, want)
		}
		b.meeting(p)
		reduce(p)
		b.order(p.warps)
		for _, g := range p.groups {
			g.state = ready
			g.pc++
		}
		released = true
	}
	return released
}

// join counts a group at its barrier.
func (w *warp) join(parties *[16]party, g *group) {
	o := &w.code[g.pc]
	first := bits.TrailingZeros32(g.lanes)
	for m := g.lanes; m != 0; m &= m - 1 {
		i := bits.TrailingZeros32(m)
		if w.regs[o.a][i] != w.regs[o.a][first] || w.regs[o.b][i] != w.regs[o.b][first] {
			w.fault(o, i, Barrier, "names another barrier or count than the warp's first lane")
		}
	}
	id, want := w.regs[o.a][first], int(w.regs[o.b][first])
	if id >= 16 || want%warpSize != 0 {
		w.fault(o, first, Barrier, "barrier %d for %d threads: there are 16 barriers, for multiples of %d threads", id, want, warpSize)
	}
	p := &parties[id]
	if p.arrived > 0 && p.want != want {
		w.fault(o, first, Barrier, "waits at barrier %d for %d threads and others there for %d", id, want, p.want)
	}
	p.want = want
	p.groups = append(p.groups, g)
	p.warps = append(p.warps, w)
	p.arrived += bits.OnesCount32(g.lanes)
	if want > 0 && o.aligned { // a warp counts in full
		p.arrived += warpSize - bits.OnesCount32(g.lanes)
	}
}

// meeting refuses a barrier for the whole block, and for whole warps, that its
// threads reached at different instructions: __syncthreads in divergent code.
func (b *block) meeting(p *party) {
	for i, g := range p.groups {
		w := p.warps[i]
		o, other := &w.code[g.pc], &w.code[p.groups[0].pc]
		if p.want == 0 && o.aligned && o != other {
			first := bits.TrailingZeros32(p.groups[0].lanes)
			w.fault(o, bits.TrailingZeros32(g.lanes), Barrier, "the block's threads wait at different barriers: %s",
				b.launch.place(int(other.line), b.number, p.warps[0].first+first))
		}
	}
}

// order notes that what the warps did before now is in order with what they do
// from now on, and passes on what each knew of others.
func (b *block) order(warps []*warp) {
	now := b.tick()
	knows := make([]uint32, len(b.warps))
	for _, w := range warps {
		for j, s := range w.since {
			knows[j] = max(knows[j], s)
		}
	}
	for _, w := range warps {
		knows[w.index] = now
	}
	for _, w := range warps {
		copy(w.since, knows)
		w.calm = slices.Min(knows)
	}
}

// stuck faults: nobody can go on.
func (b *block) stuck() {
	type where struct {
		pc    int
		state state
	}
	var order []where
	threads := map[where][]int{}
	gone := 0
	for i := range b.warps {
		w := &b.warps[i]
		gone += bits.OnesCount32(w.all &^ w.alive)
		for _, g := range w.groups {
			at := where{g.pc, g.state}
			if threads[at] == nil {
				order = append(order, at)
			}
			for m := g.lanes; m != 0; m &= m - 1 {
				threads[at] = append(threads[at], w.first+bits.TrailingZeros32(m))
			}
		}
	}
	var list []string
	for _, at := range order {
		o, t := &b.launch.kernel.code[at.pc], threads[at]
		what := "for the block"
		if at.state == parked {
			what = "for the rest of their warp"
		}
		list = append(list, fmt.Sprintf("%d threads, the first %s, wait %s at line %d %q", len(t), triple(split(t[0], b.launch.Block)), what,
			o.line, b.launch.kernel.mod.source.text(int(o.line))))
	}
	if gone > 0 {
		list = append(list, fmt.Sprintf("%d threads have exited", gone))
	}
	at := order[0]
	t := threads[at][0]
	w := &b.warps[t/warpSize]
	check := Barrier
	if w.code[at.pc].kind == kindSync {
		check = Lanes
	}
	w.fault(&w.code[at.pc], t%warpSize, check, "nobody can go on: %s", strings.Join(list, "; "))
}

// bar is bar, barrier and bar.warp.
func bar(a *assembler, in *inst) {
	if in.name == "bar" && in.has("warp") {
		if !in.has("sync") {
			a.fail(in.line, "unknown opcode %s", in.text)
		}
		mask := a.use(a.operand(in), tB32)
		a.emit(op{kind: kindSync, c: mask, run: func(w *warp, _ *op, _ uint32) {
			w.since[w.index] = w.block.tick()
			w.calm = slices.Min(w.since)
		}})
		return
	}
	o := op{kind: kindBarrier, aligned: in.name == "bar" || in.has("aligned"), d: -1}
	switch in.one("sync", "red") {
	case "sync":
	case "red":
		how := in.one("popc", "and", "or")
		t := tPred
		if how == "popc" {
			t = tU32
		}
		if how == "" || a.typ(in) != t {
			a.fail(in.line, "%s: want .popc.u32, .and.pred or .or.pred", in.text)
		}
		o.n = map[string]int{"popc": redPopc, "and": redAnd, "or": redOr}[how]
		o.d = a.set(a.operand(in), t)
	default:
		a.fail(in.line, "unknown opcode %s", in.text)
	}
	o.a = a.use(a.operand(in), tU32)
	if o.d >= 0 && len(in.args) == 2 || o.d < 0 && len(in.args) == 1 {
		o.b = a.use(a.operand(in), tU32)
	} else {
		o.b = a.constantRegister(constant{})
	}
	if o.d >= 0 {
		o.c = a.use(a.operand(in), tPred)
	}
	a.emit(o)
}

// What bar.red makes of the predicates.
const (
	redPopc = 1 + iota
	redAnd
	redOr
)

// reduce is the part of bar.red that follows the waiting.
func reduce(p *party) {
	yes, all := 0, 0
	for i, g := range p.groups {
		w := p.warps[i]
		o := &w.code[g.pc]
		if o.d < 0 {
			continue
		}
		yes += bits.OnesCount32(g.lanes & w.truth(o.c, false))
		all += bits.OnesCount32(g.lanes)
	}
	for i, g := range p.groups {
		w := p.warps[i]
		o := &w.code[g.pc]
		if o.d < 0 {
			continue
		}
		v := map[int]uint64{redPopc: uint64(yes), redAnd: truth(yes == all), redOr: truth(yes > 0)}[o.n]
		for m := g.lanes; m != 0; m &= m - 1 {
			w.regs[o.d][bits.TrailingZeros32(m)] = v
		}
	}
}
