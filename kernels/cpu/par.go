package cpu

import (
	"math/bits"
	"runtime"
	"sync"
	"sync/atomic"
	"unsafe"
)

// A crew is what the goroutines of one par share. Crews are used again, so
// that par itself allocates nothing in the long run.
type crew struct {
	f    func(i int)
	n    int64
	next atomic.Int64
	wait sync.WaitGroup
	help func() // what a helping goroutine runs
}

var crews = sync.Pool{New: func() any {
	c := new(crew)
	c.help = func() {
		c.work()
		c.wait.Done()
	}
	return c
}}

func (c *crew) work() {
	for {
		i := c.next.Add(1) - 1
		if i >= c.n {
			return
		}
		c.f(int(i))
	}
}

// par calls f(i) once for each i in 0..n-1 on up to GOMAXPROCS goroutines, in
// any order, and returns when all are done. The items must not depend on the
// number of goroutines, nor on one another; 20 to 200 µs of work each is a good
// size.
func par(n int, f func(i int)) {
	helpers := min(n, runtime.GOMAXPROCS(0)) - 1
	if helpers <= 0 {
		for i := range n {
			f(i)
		}
		return
	}
	c := crews.Get().(*crew)
	c.f, c.n = f, int64(n)
	c.next.Store(0)
	c.wait.Add(helpers)
	for range helpers {
		go c.help()
	}
	c.work()
	c.wait.Wait()
	c.f = nil
	crews.Put(c)
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
	corner     [maxRows * panel]float32
	sum        chunkSum
	copy       rowCopy
	matrix     matrix
	gather     gather
	weightGrad weightGrad
	strip      strip
	patch      gradPatch
	tileMap    tileMap
	imageTiles imageTiles
	places     placeProducts
	loss       lossRow
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
