package cpu

import (
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// TestParWaits: par returns after the slowest item, on whichever goroutine that
// is. Both items have started before either ends.
func TestParWaits(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(2))
	for round := range 10 {
		var started sync.WaitGroup
		var ended atomic.Int32
		started.Add(2)
		par(2, func(i int) {
			started.Done()
			started.Wait()
			if i == round%2 {
				time.Sleep(5 * time.Millisecond)
			}
			ended.Add(1)
		})
		if n := ended.Load(); n != 2 {
			t.Fatalf("par returned after %d of 2 items", n)
		}
	}
}
