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
	n       int64
	next    atomic.Int64
	most    int          // helpers at the same time
	entered int          // helpers that took part; under the staff's lock
	left    atomic.Int64 // helpers that are done, less those waited for
	done    chan struct{}
}

var crews = sync.Pool{New: func() any { return &crew{done: make(chan struct{}, 1)} }}

func (c *crew) work() {
	for {
		i := c.next.Add(1) - 1
		if i >= c.n {
			return
		}
		c.f(int(i))
	}
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
// size.
func par(n int, f func(i int)) {
	procs := runtime.GOMAXPROCS(0)
	most := min(n, procs) - 1
	if most <= 0 {
		for i := range n {
			f(i)
		}
		return
	}
	c := crews.Get().(*crew)
	c.f, c.n, c.most, c.entered = f, int64(n), most, 0
	c.next.Store(0)
	c.left.Store(0)
	helpers.open(c, procs-1)
	c.work()
	c.wait(helpers.close(c))
	c.f = nil
	crews.Put(c)
}

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
	for more := min(c.most-s.idle, limit-s.alive); more > 0; more-- {
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
		c := s.enter()
		if c != nil {
			c.work()
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

// enter is a crew with items left that a helper has joined, the one opened last;
// without one it is nil and the helper idle.
func (s *staff) enter() *crew {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, c := range slices.Backward(s.crews) {
		if c.entered < c.most && c.next.Load() < c.n {
			c.entered++
			return c
		}
	}
	s.idle++
	return nil
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
