package data

import (
	"context"
	"runtime"
	"sync"
	"sync/atomic"
)

// parallel calls do(0), ..., do(n-1) from several goroutines, each with a
// function of its own from start, which may keep scratch memory. The error it
// returns is that of the lowest i that failed, whatever the scheduling was;
// numbers above a failed one may be left out, those below never are. Once ctx
// is done, what has not begun fails with its error.
func parallel(ctx context.Context, n int, start func() func(i int) error) error {
	var next, failed atomic.Int64
	failed.Store(int64(n))
	errs := make(map[int64]error)
	var mu sync.Mutex
	var wg sync.WaitGroup
	for range min(runtime.GOMAXPROCS(0), n) {
		wg.Go(func() {
			do := start()
			for {
				i := next.Add(1) - 1
				if i >= failed.Load() {
					return
				}
				err := ctx.Err()
				if err == nil {
					err = do(int(i))
				}
				if err != nil {
					mu.Lock()
					errs[i] = err
					failed.Store(min(i, failed.Load()))
					mu.Unlock()
				}
			}
		})
	}
	wg.Wait()
	return errs[failed.Load()]
}
