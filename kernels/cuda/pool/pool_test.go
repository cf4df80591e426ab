package pool

import (
	"errors"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// A shop sells slabs side by side, up to a limit, so that gaps of two slabs touch.
type shop struct {
	end   uint64
	open  map[uint64]int
	limit int
}

var errSoldOut = errors.New("sold out")

func (s *shop) Take(bytes int) (uint64, error) {
	if s.limit -= bytes; s.limit < 0 {
		s.limit += bytes
		return 0, errSoldOut
	}
	at := s.end + 1<<20
	if s.end > 0 {
		at = s.end
	}
	s.end = at + uint64(bytes)
	s.open[at] = bytes
	return at, nil
}

func (s *shop) Give(at uint64) error {
	if s.open[at] == 0 {
		return errors.New("not sold here")
	}
	s.limit += s.open[at]
	delete(s.open, at)
	return nil
}

// Whatever is asked for and given back: blocks are aligned, lie in a slab and do
// not overlap; gaps and blocks are all of the slabs; and when everything is back,
// every slab is one gap and can go.
func TestPool(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := &shop{open: map[uint64]int{}, limit: 1 << 16}
		p := &Pool{From: s, Slab: rapid.SampledFrom([]int{1, 1 << 10, 1 << 13}).Draw(t, "slab")}
		var lent []uint64
		t.Repeat(map[string]func(*rapid.T){
			"ask": func(t *rapid.T) {
				n := rapid.IntRange(0, 5000).Draw(t, "bytes")
				at, ok := p.Fits(n)
				if !ok {
					if err := p.Grow(n); err != nil {
						return
					}
					if at, ok = p.Fits(n); !ok {
						t.Fatalf("%d bytes do not fit in a slab made for them", n)
					}
				}
				if at%Align != 0 {
					t.Fatalf("block at %#x", at)
				}
				lent = append(lent, at)
			},
			"give": func(t *rapid.T) {
				if len(lent) == 0 {
					t.Skip("nothing is lent")
				}
				i := rapid.IntRange(0, len(lent)-1).Draw(t, "which")
				p.Give(lent[i])
				lent = slices.Delete(lent, i, i+1)
			},
			"shrink": func(t *rapid.T) {
				if _, err := p.Shrink(); err != nil {
					t.Fatal(err)
				}
			},
			"": func(t *rapid.T) { consistent(t, p, s, lent) },
		})
		for _, at := range lent {
			p.Give(at)
		}
		held := p.Held()
		if n, err := p.Shrink(); err != nil || n != held || len(s.open) != 0 || p.InUse() != 0 {
			t.Fatalf("all is back, and %d of %d bytes shrink away (%v): %v are open", n, held, err, s.open)
		}
	})
}

func consistent(t *rapid.T, p *Pool, s *shop, lent []uint64) {
	spans := slices.Clone(p.gaps)
	inUse := 0
	for _, at := range lent {
		spans = append(spans, span{at, p.used[at]})
		inUse += p.used[at]
	}
	if inUse != p.InUse() || len(p.used) != len(lent) {
		t.Fatalf("%d bytes in %d blocks are lent, it says %d in %d", inUse, len(lent), p.InUse(), len(p.used))
	}
	slices.SortFunc(spans, func(a, b span) int { return int(int64(a.at) - int64(b.at)) })
	for at, n := range s.open {
		end := at + uint64(n)
		for _, x := range spans {
			if x.at == at && x.end() <= end {
				at = x.end()
			}
		}
		if at != end {
			t.Fatalf("blocks and gaps %v leave the slab that ends at %#x at %#x", spans, end, at)
		}
	}
}

// The smallest gap that holds a block is taken, so that large ones stay.
func TestBestFit(t *testing.T) {
	s := &shop{open: map[uint64]int{}, limit: 1 << 20}
	p := &Pool{From: s, Slab: 8 * Align}
	if err := p.Grow(1); err != nil {
		t.Fatal(err)
	}
	var at [4]uint64
	for i, n := range []int{3, 1, 1, 3} {
		at[i], _ = p.Fits(n * Align)
	}
	p.Give(at[0])
	p.Give(at[2])
	if got, ok := p.Fits(Align); !ok || got != at[2] {
		t.Errorf("a block of one unit lies at %#x, want the gap of one at %#x", got, at[2])
	}
	if _, ok := p.Fits(4 * Align); ok {
		t.Error("four units fit where the largest gap has three")
	}
}

func TestGiveTwice(t *testing.T) {
	s := &shop{open: map[uint64]int{}, limit: 1 << 20}
	p := &Pool{From: s}
	p.Grow(10)
	at, _ := p.Fits(10)
	p.Give(at)
	defer func() {
		if recover() == nil {
			t.Error("a block given back twice is taken")
		}
	}()
	p.Give(at)
}
