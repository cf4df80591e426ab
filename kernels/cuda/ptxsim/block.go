package ptxsim

import (
	"math/bits"
	"strings"
	"sync"
)

// A block is the block that a worker runs at present: its warps, its shared
// memory and what its threads know of one another's accesses.
type block struct {
	launch *launch
	number int
	warps  []warp
	regs   []vector // of all warps
	shared region
	near   []*region // where each instruction last found memory
	start  uint32    // the block's first stamp
	now    uint32    // its last
	fenced bool
	known  map[uint32]bool // the first stamps of blocks that it has heard of
	left   int             // instructions that it may still execute
}

// newBlock makes what a worker needs to run blocks of a launch.
func newBlock(l *launch) *block {
	k := l.kernel
	threads := l.Block[0] * l.Block[1] * l.Block[2]
	b := &block{launch: l, warps: make([]warp, (threads+warpSize-1)/warpSize), near: make([]*region, len(k.code))}
	size := k.window + l.Shared
	b.shared = region{base: sharedBase, size: uint64(size), data: make([]byte, size), known: make([]byte, size), walled: true,
		pages: make([]page, size>>pageShift+1), name: "shared memory"}
	nowhere := new(region)
	for pc, o := range k.code {
		b.near[pc] = nowhere
		if o.space == spaceShared {
			b.near[pc] = &b.shared
		}
	}
	count := make([]int64, len(k.code))
	n := max(k.regs, 1) // an op without operands names the first
	b.regs = registers(n * len(b.warps))
	for i := range b.warps {
		w := &b.warps[i]
		*w = warp{block: b, code: k.code, regs: b.regs[i*n:][:n], index: i, first: i * warpSize, count: count}
		w.all = 1<<min(threads-w.first, warpSize) - 1
		w.since = make([]uint32, len(b.warps))
		if k.local > 0 {
			w.local = make([]region, warpSize)
		}
		for j := range w.local {
			w.local[j] = region{base: localBase, size: uint64(k.local), data: make([]byte, k.local), known: make([]byte, k.local), name: "local memory"}
		}
		for _, c := range k.consts {
			v := c.value
			switch {
			case c.of == nil:
			case c.of.space == spaceShared:
				v += uint64(k.window)
			default:
				v += l.variables[c.of].base
			}
			broadcast(&w.regs[c.reg], v)
		}
		for _, s := range k.specials {
			w.setSpecial(s)
		}
	}
	return b
}

// spare is registers that no launch uses at present. They are not cleared: no
// lane reads one that it has not written, but for those that a block begins by
// filling.
var spare sync.Pool

func registers(n int) []vector {
	if r, ok := spare.Get().(*[]vector); ok && cap(*r) >= n {
		return (*r)[:n]
	}
	return make([]vector, n)
}

func broadcast(r *vector, v uint64) {
	for i := range r {
		r[i] = v
	}
}

// run runs one block to its end. It panics with a *Fault.
func (b *block) run(number int) {
	b.begin(number)
	for {
		moved, done := false, true
		for i := range b.warps {
			w := &b.warps[i]
			n := w.advance(min(slice, b.left))
			b.left -= n
			moved = moved || n > 0
			if len(w.groups) == 0 {
				continue
			}
			done = false
			if b.left == 0 {
				g := w.groups[0]
				w.fault(&w.code[g.pc], bits.TrailingZeros32(g.lanes), Limit, "the block has executed %d instructions of warps and goes on", b.launch.Limit)
			}
		}
		if done {
			return
		}
		if !b.release() && !moved {
			b.stuck()
		}
	}
}

// begin puts everything as a block finds it.
func (b *block) begin(number int) {
	l, k := b.launch, b.launch.kernel
	b.number, b.left, b.fenced, b.known = number, l.Limit, false, nil
	b.start = b.tick()
	if l.races {
		l.starts = append(l.starts, b.start)
	}
	fill(b.shared.data, poison)
	clear(b.shared.known)
	end := 0 // of the last variable
	for _, p := range k.layout {
		fill(b.shared.known[end:p.offset], wall)
		end = p.offset + p.size
	}
	fill(b.shared.known[end:k.window], wall)
	for i := range b.warps {
		w := &b.warps[i]
		w.alive = w.all
		w.groups = append(w.groups[:0], group{0, w.all, ready})
		w.transfers, w.committed = w.transfers[:0], [warpSize]int{}
		for j := range w.since {
			w.since[j] = b.start
		}
		w.calm = b.start
		for j := range w.local {
			fill(w.local[j].data, poison)
			clear(w.local[j].known)
		}
		for _, r := range k.entry {
			broadcast(&w.regs[r.index], r.typ.mask())
		}
		for _, s := range k.specials {
			if strings.HasPrefix(s.name, "ctaid") {
				w.setSpecial(s)
			}
		}
	}
}

// tick is a new stamp.
func (b *block) tick() uint32 {
	if b.launch.races {
		b.launch.memory.clock++
		b.now = b.launch.memory.clock
	}
	return b.now
}
