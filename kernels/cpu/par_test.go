package cpu

import (
	"bytes"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// TestParWaits: par returns after the slowest item, on whichever goroutine that
// is, of two that run at the same time, as they do sooner or later.
func TestParWaits(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(2))
	together := [2]bool{}
	for round := 0; round < 1000 && together != [2]bool{true, true}; round++ {
		var started, ended, met atomic.Int32
		slow := round % 2
		par(2, func(i int) {
			started.Add(1)
			for start := time.Now(); started.Load() < 2 && time.Since(start) < 20*time.Millisecond; {
				runtime.Gosched()
			}
			if started.Load() == 2 {
				met.Add(1)
			}
			if i == slow {
				time.Sleep(5 * time.Millisecond)
			}
			ended.Add(1)
		})
		if n := ended.Load(); n != 2 {
			t.Fatalf("par returned after %d of 2 items", n)
		}
		together[slow] = together[slow] || met.Load() == 2
	}
	if together != [2]bool{true, true} {
		t.Error("no two items ever ran at the same time")
	}
}

// TestParNested: pars inside items, from several goroutines at once, call every
// item once and wait for it.
func TestParNested(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(3))
	var callers sync.WaitGroup
	for range 4 {
		callers.Go(func() {
			for range 200 {
				var sums [7]int // not atomic: an item runs on one goroutine
				par(len(sums), func(i int) {
					var parts [5]int
					par(len(parts), func(j int) { parts[j] = i * j })
					for _, p := range parts {
						sums[i] += p
					}
				})
				for i, sum := range sums {
					if sum != 10*i {
						t.Errorf("item %d has %d, want %d", i, sum, 10*i)
						return
					}
				}
			}
		})
	}
	callers.Wait()
}

// TestParLeaves: soon after a par no goroutine of it lives, also where GOMAXPROCS
// has shrunk since.
func TestParLeaves(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(5))
	var most atomic.Int64
	item := func(int) {
		time.Sleep(time.Millisecond)
		helpers.mu.Lock()
		most.Store(max(most.Load(), int64(helpers.alive)))
		helpers.mu.Unlock()
	}
	var other sync.WaitGroup
	other.Go(func() { par(64, item) })
	par(64, item)
	other.Wait()
	if n := most.Load(); n < 1 || n > 4 {
		t.Errorf("%d helpers with GOMAXPROCS 5", n)
	}
	runtime.GOMAXPROCS(1)
	serving := func() bool {
		stacks := make([]byte, 1<<20)
		return bytes.Contains(stacks[:runtime.Stack(stacks, true)], []byte("(*staff).serve"))
	}
	for start := time.Now(); serving(); time.Sleep(time.Millisecond) {
		if time.Since(start) > 5*time.Second {
			t.Fatal("a helper has not ended after 5 s")
		}
	}
	par(2, func(int) {})
	if serving() {
		t.Error("a helper with GOMAXPROCS 1")
	}
}
