package cpu

import (
	"math/bits"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"time"
	"unsafe"
)

// A crew is what the goroutines of one par share. Crews are used again, so
// that par itself allocates nothing in the long run.
type crew struct {
	f       func(i int)
	shares  []stretch    // of the items, one for each goroutine to begin with
	back    bool         // each from its last item to its first
	entered int          // helpers that took part; under the staff's lock
	left    atomic.Int64 // helpers that are done, less those waited for
	done    chan struct{}
}

// A stretch is items that follow one another.
type stretch struct {
	first, n int
	taken    atomic.Int64
	_        [40]byte // the others' lie in other cache lines
}

var crews = sync.Pool{New: func() any { return &crew{done: make(chan struct{}, 1)} }}

// deal makes shares of n items.
func (c *crew) deal(n, shares int) {
	if cap(c.shares) < shares {
		c.shares = make([]stretch, shares)
	}
	c.shares = c.shares[:shares]
	for k := range c.shares {
		s := &c.shares[k]
		s.first = k * n / shares
		s.n = (k+1)*n/shares - s.first
		s.taken.Store(0)
	}
}

// work computes the items of share k, then what the others have left of theirs.
func (c *crew) work(k int) {
	for range c.shares {
		s := &c.shares[k]
		for {
			i := int(s.taken.Add(1)) - 1
			if i >= s.n {
				break
			}
			if c.back {
				i = s.n - 1 - i
			}
			c.f(s.first + i)
		}
		k = (k + 1) % len(c.shares)
	}
}

// open reports whether there is a place for a helper and something to do.
func (c *crew) open() bool {
	if c.entered == len(c.shares)-1 {
		return false
	}
	for k := range c.shares {
		if s := &c.shares[k]; s.taken.Load() < int64(s.n) {
			return true
		}
	}
	return false
}

// leave ends a helper's part.
func (c *crew) leave() {
	if c.left.Add(1) == 0 {
		c.done <- struct{}{}
	}
}

// wait waits for some helpers to leave.
func (c *crew) wait(helpers int) {
	n := int64(helpers)
	if !await(func() bool { return c.left.Load() == n }) && c.left.Add(-n) < 0 {
		<-c.done
	}
}

// par calls f(i) once for each i in 0..n-1 on up to GOMAXPROCS goroutines, in
// any order, and returns when all are done. The items must not depend on the
// number of goroutines, nor on one another; 20 to 200 µs of work each is a good
// size. A processor gets items that follow one another, and one par after the other
// those of the same place, in the opposite order: it begins with what it has left in
// its caches.
func par(n int, f func(i int)) {
	procs := runtime.GOMAXPROCS(0)
	c := crews.Get().(*crew)
	c.f, c.entered = f, 0
	c.deal(n, max(1, min(n, procs)))
	c.back = n >= many && turns.Add(1)%2 == 0
	if len(c.shares) == 1 {
		c.work(0)
	} else {
		c.left.Store(0)
		helpers.open(c, procs-1)
		c.work(0)
		c.wait(helpers.close(c))
	}
	c.f = nil
	crews.Put(c)
}

// many is how many items a par has at least for the order to matter: smaller ones,
// which lie between the passes over images, leave the caches as they are.
const many = 16

// turns counts such pars.
var turns atomic.Int64

// A staff is the helpers of all pars together: goroutines that take part in one
// par after another, no more than there are processors beside the caller's. To
// start one takes longer than a small par: so a helper that finds nothing to do
// looks out for the next par for a while, and only then ends.
type staff struct {
	mu     sync.Mutex
	crews  []*crew // at work
	alive  int     // helpers
	idle   int     // those that look out
	opened atomic.Int64
}

var helpers staff

// open lets helpers into c, and starts new ones while fewer than limit live.
func (s *staff) open(c *crew, limit int) {
	s.mu.Lock()
	s.crews = append(s.crews, c)
	for more := min(len(c.shares)-1-s.idle, limit-s.alive); more > 0; more-- {
		s.alive++
		go s.serve()
	}
	s.mu.Unlock()
	s.opened.Add(1)
}

// close lets no further helper into c and returns how many there were.
func (s *staff) close(c *crew) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	i := slices.Index(s.crews, c)
	s.crews = slices.Delete(s.crews, i, i+1)
	return c.entered
}

// serve is the life of a helper.
func (s *staff) serve() {
	for {
		opened := s.opened.Load()
		c, place := s.enter()
		if c != nil {
			c.work(place)
			c.leave()
			continue
		}
		news := await(func() bool { return s.opened.Load() != opened })
		s.mu.Lock()
		s.idle--
		if !news {
			s.alive--
		}
		s.mu.Unlock()
		if !news {
			return
		}
	}
}

// enter is a crew with items left that a helper has joined, the one opened last, and
// the share that it begins with; without one it is nil and the helper idle.
func (s *staff) enter() (c *crew, place int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, c := range slices.Backward(s.crews) {
		if c.open() {
			c.entered++
			return c, c.entered
		}
	}
	s.idle++
	return nil, 0
}

// patience is how long a goroutine looks out for what others do before it
// sleeps. A thread that sleeps is woken late, and some kernels then let it share
// a processor with the one that woke it for milliseconds; so helpers outlast the
// gaps between the pars of a training step.
const patience = 5 * time.Millisecond

// await waits for ok, but not longer than patience, and returns what it said last.
// In between it lets other threads and, more rarely, other goroutines have its
// processor.
func await(ok func() bool) bool {
	start := time.Now()
	for round := 1; ; round++ {
		for range 100 {
			if ok() {
				return true
			}
		}
		yield()
		if round%64 != 0 {
			continue
		}
		runtime.Gosched()
		if time.Since(start) > patience {
			return ok()
		}
	}
}

// A pool lends scratch memory. It remembers what was given back, in lists by
// size, and so holds as much as was ever in use at once.
type pool struct {
	mu   sync.Mutex
	free [bits.UintSize][]*scratch // by the logarithm of the length
}

// scratch is memory for one call or one item of work: floats, 64-byte aligned
// and of any content, and descriptions of the work, zeroed, which would
// otherwise be allocated anew each time.
type scratch struct {
	f     []float32 // of the length asked for
	whole []float32
	descriptions
}

type descriptions struct {
	tile       tile
	prod       product
	sum        chunkSum
	copy       rowCopy
	turn       transposition
	matrix     matrix
	gather     gather
	weightGrad weightGrad
	strip      strip
	patch      gradPatch
	tileMap    tileMap
	imageTiles imageTiles
	places     placeProducts
	loss       lossRow
	tiles      tileProduct
	pairs      rowPairs
	halves     rowHalves
}

// get lends n floats.
func (p *pool) get(n int) *scratch {
	class := bits.Len(uint(max(n, 64) - 1))
	p.mu.Lock()
	var s *scratch
	if list := p.free[class]; len(list) > 0 {
		s = list[len(list)-1]
		p.free[class] = list[:len(list)-1]
	}
	p.mu.Unlock()
	if s == nil {
		s = &scratch{whole: aligned(1 << class)}
	}
	s.f = s.whole[:n]
	return s
}

// put takes s back.
func (p *pool) put(s *scratch) {
	class := bits.Len(uint(len(s.whole) - 1))
	s.descriptions = descriptions{} // they hold on to the caller's memory
	p.mu.Lock()
	p.free[class] = append(p.free[class], s)
	p.mu.Unlock()
}

// aligned allocates n floats that start on a cache line.
func aligned(n int) []float32 {
	s := make([]float32, n+15)
	skip := -int(uintptr(unsafe.Pointer(&s[0]))/4) & 15
	return s[skip:][:n:n]
}
