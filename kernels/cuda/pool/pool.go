// Package pool lends the memory of a device in blocks and keeps what comes back,
// because a driver takes long to give and to take memory, and waits for the device
// when it takes.
//
// A Pool asks its Source for slabs and cuts blocks out of them, each from the
// smallest gap that holds it. Neighbours that are free become one gap again. It
// knows addresses only: no memory is touched.
package pool

import (
	"fmt"
	"slices"
	"sort"
)

// Align is what addresses and sizes of blocks are multiples of, as those of
// cuMemAlloc are.
const Align = 256

// A Source is where slabs come from: cuMemAlloc and cuMemFree.
type Source interface {
	Take(bytes int) (address uint64, err error)
	Give(address uint64) error
}

// A Pool is not safe for several goroutines at once.
type Pool struct {
	From Source
	Slab int // the least bytes of a slab; what is larger gets a slab of its own

	slabs []slab
	gaps  []span // by address
	used  map[uint64]int
	inUse int
}

// A span is some bytes from an address on.
type span struct {
	at uint64
	n  int
}

func (s span) end() uint64 { return s.at + uint64(s.n) }

type slab = span

// InUse is the bytes that are lent.
func (p *Pool) InUse() int { return p.inUse }

// Held is the bytes of all slabs.
func (p *Pool) Held() (n int) {
	for _, s := range p.slabs {
		n += s.n
	}
	return n
}

// Fits is an address for a block of at least bytes, if a gap holds it.
func (p *Pool) Fits(bytes int) (address uint64, ok bool) {
	n, best := size(bytes), -1
	for i, g := range p.gaps {
		if g.n >= n && (best < 0 || g.n < p.gaps[best].n) {
			best = i
		}
	}
	if best < 0 {
		return 0, false
	}
	g := &p.gaps[best]
	address = g.at
	if g.at, g.n = g.at+uint64(n), g.n-n; g.n == 0 {
		p.gaps = slices.Delete(p.gaps, best, best+1)
	}
	if p.used == nil {
		p.used = map[uint64]int{}
	}
	p.used[address] = n
	p.inUse += n
	return address, true
}

// Grow adds a slab that holds a block of bytes.
func (p *Pool) Grow(bytes int) error {
	n := max(size(bytes), p.Slab)
	at, err := p.From.Take(n)
	if err != nil {
		return err
	}
	p.slabs = append(p.slabs, slab{at, n})
	p.free(span{at, n})
	return nil
}

// Give takes a block back.
func (p *Pool) Give(address uint64) {
	n, ok := p.used[address]
	if !ok {
		panic(fmt.Sprintf("pool: %#x was not lent", address))
	}
	delete(p.used, address)
	p.inUse -= n
	p.free(span{address, n})
}

// free makes s a gap, or part of one: but gaps of two slabs stay two, even side by
// side, since slabs are given back one by one.
func (p *Pool) free(s span) {
	i := sort.Search(len(p.gaps), func(i int) bool { return p.gaps[i].at > s.at })
	if i < len(p.gaps) && s.end() == p.gaps[i].at && !p.isSlab(s.end()) {
		s.n += p.gaps[i].n
		p.gaps = slices.Delete(p.gaps, i, i+1)
	}
	if i > 0 && p.gaps[i-1].end() == s.at && !p.isSlab(s.at) {
		p.gaps[i-1].n += s.n
		return
	}
	p.gaps = slices.Insert(p.gaps, i, s)
}

// isSlab reports whether a slab begins at an address.
func (p *Pool) isSlab(at uint64) bool {
	return slices.ContainsFunc(p.slabs, func(s slab) bool { return s.at == at })
}

// Shrink gives back the slabs of which nothing is lent, and is their size.
func (p *Pool) Shrink() (bytes int, err error) {
	for i := len(p.slabs) - 1; i >= 0; i-- {
		g := slices.Index(p.gaps, p.slabs[i])
		if g < 0 {
			continue
		}
		if err := p.From.Give(p.slabs[i].at); err != nil {
			return bytes, err
		}
		bytes += p.slabs[i].n
		p.gaps = slices.Delete(p.gaps, g, g+1)
		p.slabs = slices.Delete(p.slabs, i, i+1)
	}
	return bytes, nil
}

// size is bytes rounded up to what a block has; none has nothing, so that each has
// an address of its own.
func size(bytes int) int { return max(1, (bytes+Align-1)/Align) * Align }
