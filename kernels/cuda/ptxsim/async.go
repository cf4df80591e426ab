package ptxsim

import "math/bits"

// A transfer is a cp.async of one lane that has not been waited for.
type transfer struct {
	lane  int
	group int    // of the lane's own: commit_group ends one
	me    mark   // of the instruction
	to    uint64 // offset in shared memory
	size  uint64
	from  []byte // what is copied; zeros follow
}

// cpAsync is cp.async, which copies from global to shared memory behind the
// thread's back, and the instructions that wait for it.
func cpAsync(a *assembler, in *inst) {
	a.need(in, 80)
	if !in.has("async") {
		a.fail(in.line, "unknown opcode %s", in.text)
	}
	switch {
	case in.has("commit_group"):
		a.emit(op{kind: kindRun, run: commitGroup})
		return
	case in.has("wait_all"):
		a.emit(op{kind: kindRun, run: waitAll})
		return
	case in.has("wait_group"):
		n := a.operand(in)
		if n.kind != argInteger || n.negative || n.value > 1<<16 {
			a.fail(in.line, "%s: want a number of groups", in.text)
		}
		a.emit(op{kind: kindRun, run: waitGroup, n: int(n.value)})
		return
	}
	whole := in.has("cg") // past the first cache: 16 bytes only
	if !whole && !in.has("ca") || !in.has("shared") || !in.has("global") {
		a.fail(in.line, "%s: want .ca or .cg, .shared and .global", in.text)
	}
	a.hints(in)
	o := op{kind: kindRun, run: startCopy, d: -1}
	var to uint64
	o.a, to = a.address(a.operand(in), spaceShared)
	o.b, o.off = a.address(a.operand(in), spaceGlobal)
	o.n = int(to)
	size := a.operand(in)
	if size.kind != argInteger || size.value != 16 && (whole || size.value != 4 && size.value != 8) {
		a.fail(in.line, "%s: copies 16 bytes, or with .ca 4 or 8", in.text)
	}
	o.size = int(size.value)
	if len(in.args) > 0 {
		o.d = a.use(a.operand(in), tU32)
	}
	a.emit(o)
}

// startCopy is cp.async itself. The bytes arrive at once, or in late mode when
// they are waited for; until then an access to them is in a race with the copy.
func startCopy(w *warp, o *op, m uint32) {
	b := w.block
	for ; m != 0; m &= m - 1 {
		i := bits.TrailingZeros32(m) & 31
		n := uint64(o.size)
		r, to := w.resolve(o, i, spaceShared, w.regs[o.a][i]+uint64(o.n), n, "copies to")
		if walled(r.known[to : to+n]) {
			w.outside(o, i, r, to, n, "copies to")
		}
		c := transfer{lane: i, group: w.committed[i], me: w.me(i), to: to, size: n}
		if o.d >= 0 {
			n = min(n, w.regs[o.d][i])
		}
		c.from = w.origin(o, i, w.regs[o.b][i]+o.off, n)
		if b.launch.races {
			w.writes(r, to, c.size, nil, i, o)
			for j, cells := 0, r.cells(to, c.size); j < len(cells); j++ {
				cells[j].write.stamp = inFlight
			}
		}
		if !b.launch.Late {
			w.arrive(c)
		}
		w.transfers = append(w.transfers, c)
	}
}

// origin is the n bytes that lane i copies from, checked.
func (w *warp) origin(o *op, i int, addr, n uint64) []byte {
	if addr%uint64(o.size) != 0 {
		w.fault(o, i, Alignment, "copies %d bytes from %#x, which %d does not divide", o.size, addr, o.size)
	}
	if n == 0 {
		return nil
	}
	r, off, wrong := w.block.launch.memory.at(addr, n)
	if wrong != "" {
		w.fault(o, i, Bounds, "copies %d bytes %s", n, wrong)
	}
	if r.known != nil && !written(r.known[off:off+n]) {
		w.unwritten(o, i, r, off, n)
	}
	if w.block.launch.races && r.pages != nil {
		part := n & -n // what divides both n and the offset
		for k := uint64(0); k < n; k += part {
			w.reads(r, off+k, part, i, o)
		}
	}
	return r.data[off : off+n]
}

// arrive puts a transfer's bytes where they belong.
func (w *warp) arrive(c transfer) {
	r := &w.block.shared
	p := r.data[c.to : c.to+c.size]
	clear(p[copy(p, c.from):])
	fill(r.known[c.to:c.to+c.size], 1)
}

func commitGroup(w *warp, _ *op, m uint32) {
	for ; m != 0; m &= m - 1 {
		w.committed[bits.TrailingZeros32(m)&31]++
	}
}

func waitAll(w *warp, _ *op, m uint32) {
	w.complete(m, func(transfer) bool { return true })
}

// waitGroup waits until all but the last n groups are there.
func waitGroup(w *warp, o *op, m uint32) {
	w.complete(m, func(c transfer) bool { return c.group < w.committed[c.lane]-o.n })
}

// complete ends transfers of some lanes. What they wrote is as of now.
func (w *warp) complete(lanes uint32, which func(transfer) bool) {
	rest := w.transfers[:0]
	for _, c := range w.transfers {
		if lanes>>c.lane&1 == 0 || !which(c) {
			rest = append(rest, c)
			continue
		}
		if w.block.launch.Late {
			w.arrive(c)
		}
		if w.block.launch.races {
			for j, cells := 0, w.block.shared.cells(c.to, c.size); j < len(cells); j++ {
				cells[j].write = mark{w.block.now, c.me.who}
			}
		}
	}
	w.transfers = rest
}
