package data

import (
	"fmt"
	"runtime"
	"sync/atomic"
	"testing"
	"time"
)

// Whichever fails first, the error is that of the lowest number.
func TestParallelReportsTheLowestError(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(4))
	for late := range 4 {
		var started atomic.Int64
		err := parallel(t.Context(), 4, func() func(int) error {
			return func(i int) error {
				for started.Add(1); started.Load() < 4; { // all four are under way before any fails
					runtime.Gosched()
				}
				if i == late {
					time.Sleep(2 * time.Millisecond)
				}
				return fmt.Errorf("number %d", i)
			}
		})
		wantError(t, err, "number 0")
	}
}

func TestParallelDoesEachOnce(t *testing.T) {
	for _, n := range []int{0, 1, 1000} {
		done := make([]atomic.Int64, n)
		if err := parallel(t.Context(), n, func() func(int) error { return func(i int) error { done[i].Add(1); return nil } }); err != nil {
			t.Fatal(err)
		}
		for i := range done {
			if done[i].Load() != 1 {
				t.Fatalf("%d of %d done %d times", i, n, done[i].Load())
			}
		}
	}
}
