package optim

import "math"

// A Schedule is a learning rate over time t, counted from 0 in whatever the
// caller steps it by: epochs or batches. Schedules compose as functions do.
type Schedule func(t int) float64

// Constant is always lr.
func Constant(lr float64) Schedule { return func(int) float64 { return lr } }

// MultiStep begins at lr and is multiplied by factor at each milestone, from
// that t on.
func MultiStep(lr, factor float64, milestones ...int) Schedule {
	return func(t int) float64 {
		rate := lr
		for _, m := range milestones {
			if t >= m {
				rate *= factor
			}
		}
		return rate
	}
}

// Cosine falls from peak at t = 0 along half a cosine to 0 at t = total, where
// it stays: peak·(1 + cos(π·t/total))/2.
func Cosine(peak float64, total int) Schedule {
	return func(t int) float64 {
		if t >= total {
			return 0
		}
		return peak / 2 * (1 + math.Cos(math.Pi*float64(t)/float64(total)))
	}
}

// Warmup multiplies the first n values of s by 1/n, 2/n, ... 1. It does not
// shift s: milestones stay where they are. With n = 5 epochs it is the warm-up
// of the long-tail literature, lr·e/5 for e = 1..5.
func Warmup(n int, s Schedule) Schedule {
	return func(t int) float64 {
		if t < n {
			return s(t) * float64(t+1) / float64(n)
		}
		return s(t)
	}
}
