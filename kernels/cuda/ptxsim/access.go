package ptxsim

import (
	"encoding/binary"
	"fmt"
	"math/bits"
	"strings"
)

// A space is a state space.
type space byte

const (
	spaceGeneric space = iota
	spaceGlobal
	spaceShared
	spaceLocal
	spaceConst
	spaceParam
)

var spaces = map[string]space{"global": spaceGlobal, "shared": spaceShared, "local": spaceLocal, "const": spaceConst, "param": spaceParam}

func (s space) String() string {
	return [...]string{"generic", "global", "shared", "local", "const", "param"}[s]
}

// space takes the state space of an instruction; generic if none is named.
func (a *assembler) space(in *inst) space {
	return spaces[in.one("global", "shared", "local", "const", "param")]
}

// ordered takes the modifiers that make an access one of synchronization, which
// is in no race with others that are, and reports whether one was there.
func (a *assembler) ordered(in *inst, kinds ...string) bool {
	kind := in.one(kinds...)
	if kind == "" {
		in.has("weak")
		return false
	}
	if kind != "volatile" && in.one("cta", "gpu", "sys") == "" {
		a.fail(in.line, "%s: no scope", in.text)
	}
	return true
}

// hints takes what a cache may do.
func (a *assembler) hints(in *inst, ops ...string) {
	in.one(ops...)
	for _, m := range in.mods {
		if strings.HasPrefix(m, "L1::") || strings.HasPrefix(m, "L2::") {
			in.has(m)
			if a.mod.version < 74 {
				a.fail(in.line, ".%s needs .version 7.4", m)
			}
		}
	}
}

// width takes the number of elements.
func (in *inst) width() int {
	switch in.one("v2", "v4") {
	case "v2":
		return 2
	case "v4":
		return 4
	}
	return 1
}

// elements are the operands of a ld or st that moves n elements.
func (a *assembler) elements(in *inst, n int) []arg {
	x := a.operand(in)
	if n == 1 {
		return []arg{x}
	}
	if x.kind != argVector || len(x.list) != n {
		a.fail(in.line, "%s: a vector of %d should stand where registers do", in.text, n)
	}
	return x.list
}

func ld(a *assembler, in *inst) {
	acc := access{atomic: a.ordered(in, "volatile", "relaxed", "acquire"), fixed: in.has("nc")}
	a.hints(in, "ca", "cg", "cs", "lu", "cv")
	acc.space = a.space(in)
	n, t := in.width(), a.typ(in)
	if !movable(t, n, acc) || acc.fixed && acc.space != spaceGlobal {
		a.misfit(in, t)
	}
	to := a.elements(in, n)
	base, off := a.address(a.operand(in), acc.space)
	acc.off, acc.size = off, t.bits/8
	o := op{kind: kindRun, run: load, a: base}
	for _, x := range to {
		r := a.setWide(x, t)
		acc.mask = r.typ.mask()
		if t.class == signed {
			acc.shift = 64 - t.bits
		}
		o.regs = append(o.regs, r.index)
	}
	o.access = acc
	a.emit(o)
}

// movable reports whether ld and st have a form for n elements of a type. Only
// memory that others see has synchronization.
func movable(t typ, n int, acc access) bool {
	return t.class != predicate && t.class != brain && t != tF16 && n*t.bits <= 128 && (!acc.atomic || acc.space <= spaceShared)
}

func st(a *assembler, in *inst) {
	acc := access{atomic: a.ordered(in, "volatile", "relaxed", "release")}
	a.hints(in, "wb", "cg", "cs", "wt")
	acc.space = a.space(in)
	n, t := in.width(), a.typ(in)
	if !movable(t, n, acc) || acc.space == spaceConst || acc.space == spaceParam {
		a.misfit(in, t)
	}
	base, off := a.address(a.operand(in), acc.space)
	acc.off, acc.size = off, t.bits/8
	o := op{kind: kindRun, run: store, a: base, access: acc}
	for _, x := range a.elements(in, n) {
		o.regs = append(o.regs, a.useNarrow(x, t))
	}
	a.emit(o)
}

// load is ld.
func load(w *warp, o *op, m uint32) {
	base := &w.regs[o.a]
	n := uint64(o.size * len(o.regs))
	for ; m != 0; m &= m - 1 {
		i := bits.TrailingZeros32(m) & 31
		p := w.fetch(o, i, base[i]+o.off, n)
		for k, d := range o.regs {
			v := element(p[k*o.size:], o.size)
			w.regs[d][i] = uint64(int64(v<<o.shift)>>o.shift) & o.mask
		}
	}
}

// store is st.
func store(w *warp, o *op, m uint32) {
	base := &w.regs[o.a]
	var buf [16]byte
	for ; m != 0; m &= m - 1 {
		i := bits.TrailingZeros32(m) & 31
		for k, s := range o.regs {
			putElement(buf[k*o.size:], o.size, w.regs[s][i])
		}
		w.put(o, i, base[i]+o.off, buf[:o.size*len(o.regs)])
	}
}

func element(p []byte, size int) uint64 {
	switch size {
	case 1:
		return uint64(p[0])
	case 2:
		return uint64(binary.LittleEndian.Uint16(p))
	case 4:
		return uint64(binary.LittleEndian.Uint32(p))
	}
	return binary.LittleEndian.Uint64(p)
}

func putElement(p []byte, size int, v uint64) {
	switch size {
	case 1:
		p[0] = byte(v)
	case 2:
		binary.LittleEndian.PutUint16(p, uint16(v))
	case 4:
		binary.LittleEndian.PutUint32(p, uint32(v))
	default:
		binary.LittleEndian.PutUint64(p, v)
	}
}

// fetch is the n bytes that lane i reads at addr, checked.
func (w *warp) fetch(o *op, i int, addr, n uint64) []byte {
	r, off := w.reach(o, i, addr, n, "reads")
	if r.known != nil && !written(r.known[off:off+n]) {
		w.unwritten(o, i, r, off, n)
	}
	if w.block.launch.races && r.pages != nil {
		w.reads(r, off, n, i, o)
	}
	return r.data[off : off+n]
}

// put writes p for lane i at addr, checked.
func (w *warp) put(o *op, i int, addr uint64, p []byte) {
	r, off := w.reach(o, i, addr, uint64(len(p)), "writes")
	w.enter(o, i, r, off, p)
}

// enter writes p to a region.
func (w *warp) enter(o *op, i int, r *region, off uint64, p []byte) {
	n := uint64(len(p))
	if r.readonly {
		w.fault(o, i, Bounds, "writes %d bytes to %s, which is constant", n, r.name)
	}
	if r.walled && walled(r.known[off:off+n]) {
		w.outside(o, i, r, off, n, "writes")
	}
	if w.block.launch.races && r.pages != nil {
		w.writes(r, off, n, p, i, o)
	}
	copy(r.data[off:], p)
	if r.known != nil {
		know(r.known[off : off+n])
	}
}

// written reports whether all bytes are known.
func written(known []byte) bool {
	switch len(known) {
	case 4:
		return binary.LittleEndian.Uint32(known) == 0x01010101
	case 8:
		return binary.LittleEndian.Uint64(known) == 0x0101010101010101
	}
	for _, k := range known {
		if k != 1 {
			return false
		}
	}
	return true
}

func know(known []byte) {
	switch len(known) {
	case 4:
		binary.LittleEndian.PutUint32(known, 0x01010101)
	case 8:
		binary.LittleEndian.PutUint64(known, 0x0101010101010101)
	default:
		fill(known, 1)
	}
}

// walled reports whether one of the bytes lies between variables.
func walled(known []byte) bool {
	for _, k := range known {
		if k == wall {
			return true
		}
	}
	return false
}

// reach finds the region that lane i's n bytes at addr lie in: as a rule the one
// that the same instruction reached last.
func (w *warp) reach(o *op, i int, addr, n uint64, does string) (*region, uint64) {
	r := w.block.near[w.pc]
	off := addr - r.base
	if off < r.size && r.size-off >= n && addr&(n-1) == 0 {
		return r, off
	}
	return w.resolve(o, i, o.space, addr, n, does)
}

// noLocal is the local memory of a kernel that declares none.
var noLocal = region{base: localBase, name: "local memory"}

// resolve finds the region among all, or faults.
func (w *warp) resolve(o *op, i int, sp space, addr, n uint64, does string) (r *region, off uint64) {
	b := w.block
	if sp == spaceGeneric {
		sp = spaceGlobal
		for _, s := range []space{spaceShared, spaceLocal} {
			if addr-windows[s] < windowSize {
				sp, addr = s, addr-windows[s]
			}
		}
	}
	switch sp {
	case spaceShared:
		r = &b.shared
	case spaceLocal:
		if r = &noLocal; w.local != nil {
			r = &w.local[i]
		}
	case spaceParam:
		r = &b.launch.params
	default:
		var wrong string
		if r, _, wrong = b.launch.memory.at(addr, n); wrong != "" {
			w.fault(o, i, Bounds, "%s %d bytes %s", does, n, wrong)
		}
		if sp == spaceConst && !r.readonly {
			w.fault(o, i, Bounds, "%s %d bytes of %s, which is not constant memory", does, n, r.name)
		}
		b.near[w.pc] = r
	}
	if off = addr - r.base; off >= r.size || r.size-off < n {
		w.outside(o, i, r, off, n, does)
	}
	if addr&(n-1) != 0 {
		w.fault(o, i, Alignment, "%s %d bytes at %#x, which %d does not divide", does, n, addr, n)
	}
	return r, off
}

// outside faults for bytes that belong to no variable.
func (w *warp) outside(o *op, i int, r *region, off, n uint64, does string) {
	if int64(off) < 0 {
		w.fault(o, i, Bounds, "%s %d bytes %d bytes before %s", does, n, -off, r.name)
	}
	w.fault(o, i, Bounds, "%s %d bytes at %s", does, n, w.block.launch.where(r, off))
}

// where says what is at an offset of a region, or ends before it.
func (l *launch) where(r *region, off uint64) string {
	name, at := r.name, off
	if r.walled {
		for _, p := range l.kernel.layout {
			if uint64(p.offset) <= off {
				name, at = fmt.Sprintf("shared variable %s (%d bytes)", p.name, p.size), off-uint64(p.offset)
			}
		}
		if d := uint64(l.kernel.window); d <= off && l.Shared > 0 {
			name, at = fmt.Sprintf("dynamic shared memory (%d bytes)", l.Shared), off-d
		}
	}
	return fmt.Sprintf("byte %d of %s", at, name)
}

// unwritten faults for bytes that are not all known, if that is to be checked.
func (w *warp) unwritten(o *op, i int, r *region, off, n uint64) {
	if r.walled && walled(r.known[off:off+n]) {
		w.outside(o, i, r, off, n, "reads")
	}
	if w.block.launch.Skip&Uninitialized == 0 {
		w.fault(o, i, Uninitialized, "reads %d bytes at %s, which nobody has written", n, w.block.launch.where(r, off))
	}
}
