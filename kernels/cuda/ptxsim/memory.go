package ptxsim

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"maps"
	"slices"
	"sort"
)

// A Ptr is an address in a Memory's global space. 0 is no address.
type Ptr uint64

// A Memory is a GPU's global memory. Allocations lie far apart and an address is
// never used twice, so that a pointer that has run off its allocation, or
// outlived it, points at nothing. It is not safe for use by several goroutines.
// The zero Memory is empty and ready.
type Memory struct {
	all    []*region // by address
	end    uint64    // of the last one
	clock  uint32    // the last stamp given to a mark
	placed map[*Module]map[*variable]*region
}

// A region is a stretch of memory that an access must not leave.
type region struct {
	base     uint64
	size     uint64
	data     []byte
	known    []byte // 1 where a byte has been written, wall where none may be; nil: all are known
	pages    []page // who read and wrote last; nil: nobody else can
	name     string
	readonly bool
	freed    bool
	walled   bool // known has walls
	flushing bool // atomic additions of f32 take subnormal numbers for zero
}

const (
	heapBase   = 1 << 33 // so that an address cut to 32 bits is none
	sharedBase = 1 << 10 // so that 0 is no address of shared memory
	localBase  = 1 << 10
	distance   = 1 << 20 // between allocations, at least

	wall = 2
	// poison fills memory that nobody has written: a NaN in every floating-point
	// format, and an index that is out of everything's bounds.
	poison = 0xff
)

// windows is where a state space lies among generic addresses.
var windows = map[space]uint64{spaceShared: 1 << 45, spaceLocal: 1 << 46}

const windowSize = 1 << 30

// Alloc makes an allocation of n bytes, aligned to 256 and at a greater address
// than all before. What is in it counts as never written.
func (m *Memory) Alloc(n int) Ptr {
	if n < 0 {
		panic(fmt.Sprintf("ptxsim: allocation of %d bytes", n))
	}
	r := m.add(n, fmt.Sprintf("allocation %d (%d bytes)", len(m.all)+1, n))
	r.known = make([]byte, n)
	fill(r.data, poison)
	return Ptr(r.base)
}

func (m *Memory) add(n int, name string) *region {
	base := max(heapBase, m.end+distance+uint64(n))
	base = (base + 255) &^ 255
	r := &region{base: base, size: uint64(n), data: make([]byte, n), pages: make([]page, n>>pageShift+1), name: name, flushing: true}
	m.all = append(m.all, r)
	if m.end = base + r.size; m.end > windows[spaceShared] {
		panic("ptxsim: no addresses are left")
	}
	return r
}

// Free ends an allocation. p is what Alloc gave.
func (m *Memory) Free(p Ptr) error {
	r := m.find(uint64(p))
	switch {
	case r != nil && r.base == uint64(p) && r.freed:
		return fmt.Errorf("ptxsim: free of %s, which has been freed", r.name)
	case r == nil || r.base != uint64(p) || r.known == nil: // a module's variable
		return fmt.Errorf("ptxsim: free of %#x, which is the start of no allocation", uint64(p))
	}
	r.freed = true
	r.size, r.data, r.known, r.pages = 0, nil, nil, nil
	return nil
}

// find is the last region that begins at or before an address.
func (m *Memory) find(addr uint64) *region {
	i := sort.Search(len(m.all), func(i int) bool { return m.all[i].base > addr })
	if i == 0 {
		return nil
	}
	return m.all[i-1]
}

// at finds the region that holds n bytes, or says what is wrong with them.
func (m *Memory) at(addr, n uint64) (*region, uint64, string) {
	r := m.find(addr)
	if r == nil {
		if addr < 1<<16 {
			return nil, 0, fmt.Sprintf("at %#x, a null pointer's", addr)
		}
		return nil, 0, fmt.Sprintf("at %#x, before all allocations", addr)
	}
	off := addr - r.base
	switch {
	case r.freed:
		return nil, 0, fmt.Sprintf("at %#x, %d bytes into %s, which has been freed", addr, off, r.name)
	case off > r.size || r.size-off < n:
		return nil, 0, fmt.Sprintf("at %#x, which is byte %d of %s", addr, off, r.name)
	}
	return r, off, ""
}

// Bytes is n bytes of global memory itself. What is written to them so does not
// count as written: Write does.
func (m *Memory) Bytes(p Ptr, n int) ([]byte, error) {
	r, off, wrong := m.at(uint64(p), uint64(n))
	if wrong != "" {
		return nil, fmt.Errorf("ptxsim: %d bytes %s", n, wrong)
	}
	return r.data[off : off+uint64(n) : off+uint64(n)], nil
}

// A Scalar is an element of memory. bf16 and f16 are 16 bits.
type Scalar interface {
	~int8 | ~uint8 | ~int16 | ~uint16 | ~int32 | ~uint32 | ~int64 | ~uint64 | ~float32 | ~float64
}

// Write copies src to memory, little-endian.
func Write[T Scalar](m *Memory, p Ptr, src []T) error {
	n := binary.Size(src)
	b, err := m.Bytes(p, n)
	if err != nil {
		return fmt.Errorf("write: %w", err)
	}
	if known := m.known(p, n); known != nil {
		fill(known, 1)
	}
	_, err = binary.Encode(b, binary.LittleEndian, src)
	return err
}

// Read copies memory to dst. It is an error if something in it was never
// written: Bytes does not mind.
func Read[T Scalar](m *Memory, p Ptr, dst []T) error {
	n := binary.Size(dst)
	b, err := m.Bytes(p, n)
	if err != nil {
		return fmt.Errorf("read: %w", err)
	}
	if i := bytes.IndexByte(m.known(p, n), 0); i >= 0 {
		r := m.find(uint64(p))
		return fmt.Errorf("ptxsim: read: byte %d of %s has never been written", uint64(p)-r.base+uint64(i), r.name)
	}
	_, err = binary.Decode(b, binary.LittleEndian, dst)
	return err
}

// known is what is known of n bytes that are there; nil if all are.
func (m *Memory) known(p Ptr, n int) []byte {
	r := m.find(uint64(p))
	if r.known == nil {
		return nil
	}
	off := uint64(p) - r.base
	return r.known[off : off+uint64(n)]
}

func fill(b []byte, v byte) {
	if len(b) > 0 {
		b[0] = v
	}
	for n := 1; n < len(b); n *= 2 {
		copy(b[n:], b[:n])
	}
}

// variables gives a module's variables in global and constant memory their
// places, which they keep from the first launch on, as on a GPU from loading on.
func (m *Memory) variables(mod *Module) map[*variable]*region {
	if at := m.placed[mod]; at != nil {
		return at
	}
	at := map[*variable]*region{}
	for _, name := range slices.Sorted(maps.Keys(mod.vars)) {
		v := mod.vars[name]
		if v.space != spaceGlobal && v.space != spaceConst {
			continue
		}
		r := m.add(v.size, fmt.Sprintf("variable %s (%d bytes)", v.name, v.size))
		copy(r.data, v.value)
		r.readonly = v.space == spaceConst
		at[v] = r
	}
	if m.placed == nil {
		m.placed = map[*Module]map[*variable]*region{}
	}
	m.placed[mod] = at
	return at
}

// forget clears all marks, so that stamps can begin again.
func (m *Memory) forget() {
	m.clock = 0
	for _, r := range m.all {
		clear(r.pages)
	}
}
