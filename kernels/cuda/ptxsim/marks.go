package ptxsim

// A mark is an access to memory: when, which thread, which instruction.
type mark struct {
	stamp uint32
	who   uint32 // thread of the block << 22 | instruction
}

// Stamps grow with every block of every launch and with every barrier in it, so
// that they say which launch and which block a mark is of, and which barriers
// came after. 0 is the stamp of no mark.
const inFlight = 1<<32 - 1 // of a cp.async that has not been waited for

// A cell is what is remembered of a few bytes: the last write and two reads
// since, of threads that no barrier has put in order. Two are enough: a write
// that would be in a race with a third reader is so with one of them, unless
// named barriers put it in order with these two and not with the third.
type cell struct {
	write, read, second mark
}

const (
	pageShift = 12
	pageSize  = 1 << pageShift
)

// A page is the cells of some bytes. A cell is for 4 bytes until somebody
// accesses fewer in the page.
type page struct {
	cells []cell
	shift int
}

// cells are those of n bytes at off, which n divides.
func (r *region) cells(off, n uint64) []cell {
	p := &r.pages[off>>pageShift]
	if p.cells == nil || n < 1<<p.shift {
		r.refine(p, off, n)
	}
	at := off % pageSize
	return p.cells[at>>p.shift : (at+n)>>p.shift]
}

// refine makes the cells of the page that off is in, and halves their bytes
// until there is one for n.
func (r *region) refine(p *page, off, n uint64) {
	if p.cells == nil {
		size := min(pageSize, r.size-off&^(pageSize-1))
		*p = page{make([]cell, (size+3)/4), 2}
	}
	for n < 1<<p.shift {
		p.split()
	}
}

// split halves the bytes that a cell is for.
func (p *page) split() {
	cells := make([]cell, 2*len(p.cells))
	for i, c := range p.cells {
		cells[2*i], cells[2*i+1] = c, c
	}
	*p = page{cells, p.shift - 1}
}

// settled reports whether what a mark records cannot be in a race with thread t
// of warp w: it is of an earlier launch, or the thread's own, or a barrier lies
// between. floor is the first stamp that counts.
func (w *warp) settled(x mark, t, floor uint32) bool {
	b := w.block
	switch {
	case x.stamp < floor:
		return true
	case x.stamp < b.start:
		return b.heard(x.stamp)
	}
	u := x.who >> 22
	return x.stamp != inFlight && (u == t || x.stamp < w.since[u/warpSize])
}

// quiet is settled for most marks, and for every thread of the warp: the mark is
// of an earlier launch, or of this block before a barrier of all.
func (w *warp) quiet(stamp, floor uint32) bool {
	return stamp < floor || stamp-w.block.start < w.calm-w.block.start
}

// floor is the first stamp that counts in a region: shared memory is the
// block's own.
func (w *warp) floor(r *region) uint32 {
	if r == &w.block.shared {
		return w.block.start
	}
	return w.block.launch.start
}

// me is the mark of lane i's access now.
func (w *warp) me(i int) mark {
	return mark{w.block.now, uint32(w.first+i)<<22 | uint32(w.pc)}
}

// reads notes that lane i reads n bytes, and faults if another thread's write
// to them is not in order with it.
func (w *warp) reads(r *region, off, n uint64, i int, o *op) {
	me, floor := w.me(i), w.floor(r)
	cells := r.cells(off, n)
	for j := range cells {
		c := &cells[j]
		if !w.quiet(c.write.stamp, floor) || o.fixed && c.write.stamp >= floor {
			w.readsAfter(c, r, off, n, i, o)
		}
		if w.quiet(c.read.stamp, floor) {
			c.read = me
		} else {
			w.noteReader(c, me, floor)
		}
	}
}

// readsAfter is the part of reads that faults.
func (w *warp) readsAfter(c *cell, r *region, off, n uint64, i int, o *op) {
	t, floor := uint32(w.first+i), w.floor(r)
	switch {
	case !w.settled(c.write, t, floor) && !(o.atomic && w.atomic(c.write)):
		w.race(o, i, "reads", r, off, n, c.write)
	case o.fixed:
		w.race(o, i, "reads as unchanging", r, off, n, c.write)
	case !o.atomic && w.atomic(c.write):
		for _, x := range []mark{c.read, c.second} {
			if !w.settled(x, t, floor) && w.atomic(x) {
				w.race(o, i, "reads", r, off, n, x)
			}
		}
	}
}

// noteReader puts me in the place of a read that is settled, for whatever will
// be in a race with that one is so with this. Of two readers of one warp the
// second makes way for another warp's.
func (w *warp) noteReader(c *cell, me mark, floor uint32) {
	t := me.who >> 22
	switch {
	case w.settled(c.read, t, floor):
		c.read = me
	case w.settled(c.second, t, floor):
		c.second = me
	case c.read.who>>22/warpSize == c.second.who>>22/warpSize && c.read.stamp >= w.block.start && c.second.stamp >= w.block.start:
		c.second = me
	}
}

// writes notes that lane i writes p to n bytes, and faults if another thread's
// access is not in order with it. Two plain writes of the same bytes are let
// pass; p is nil where it is not known yet.
func (w *warp) writes(r *region, off, n uint64, p []byte, i int, o *op) {
	me, floor := w.me(i), w.floor(r)
	t := me.who >> 22
	cells := r.cells(off, n)
	for j := range cells {
		c := &cells[j]
		for k, x := range [...]mark{c.write, c.read, c.second} {
			if w.quiet(x.stamp, floor) || w.settled(x, t, floor) || o.atomic && w.atomic(x) {
				continue
			}
			if k == 0 && x.stamp != inFlight && !o.atomic && !w.atomic(x) && string(r.data[off:off+n]) == string(p) {
				continue
			}
			w.race(o, i, "writes", r, off, n, x)
		}
		c.write = me
		if o.atomic {
			w.noteReader(c, me, floor)
		}
	}
}

// atomic reports whether a mark is of an atomic access.
func (w *warp) atomic(x mark) bool {
	return w.code[x.who&(maxCode-1)].atomic
}
