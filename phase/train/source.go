package train

import (
	"context"
	"fmt"
	"math"

	"phase/phase/data"
	"phase/phase/longtail"
)

// A Source is the data of a run: the training subset, the test set and what
// identifies them.
type Source struct {
	Train, Test data.Dataset
	Calibration data.Dataset // kept apart from Train; nil without
	Normalize   data.Normalize
	Counts      []int  // training images of each class
	Checksum    string // of the whole training set, before the subset was drawn
	Manifest    longtail.Manifest
	Skipped     []data.BadFile
}

// OpenSource opens the configured data and draws the long-tailed subset. Named
// sets are looked for in dirs; cache is data.Spec.CacheBytes, progress its
// Progress.
func OpenSource(ctx context.Context, c Config, dirs []string, cache int64, progress func(done, of int)) (*Source, error) {
	pair, err := data.Open(ctx, data.Spec{Data: c.Data, Dirs: dirs, Holdout: c.Holdout, Seed: uint64(c.SubsetSeed), Size: c.Size, MaxPixels: c.MaxPixels, SkipBad: c.SkipBad, CacheBytes: cache, Progress: progress})
	if err != nil {
		return nil, err
	}
	s := &Source{Train: pair.Train, Test: pair.Test, Normalize: pair.Normalize, Skipped: pair.Skipped}
	if s.Checksum, err = data.Checksum(ctx, pair.Train); err != nil {
		return nil, err
	}
	labels, have := data.Labels(pair.Train), data.Counts(pair.Train)
	s.Counts = have
	if c.Imbalance > 1 {
		s.Counts, err = tailCounts(c, have)
		if err != nil {
			return nil, err
		}
	}
	s.Counts = limited(s.Counts, c.Limit)
	index, err := longtail.Subset(labels, s.Counts, c.SubsetSeed)
	if err != nil {
		return nil, fmt.Errorf("--imbalance %g of %s: %v", c.Imbalance, c.Data, err)
	}
	if c.Calibration > 0 {
		var apart []int
		index, apart = split(index, labels, s.Counts, c.Calibration)
		if len(apart) == 0 {
			return nil, fmt.Errorf("--calibration %g of %s: every class has one image, and none to spare", c.Calibration, c.Data)
		}
		s.Calibration = data.Subset(pair.Train, apart)
		s.Counts = make([]int, len(have))
		for _, i := range index {
			s.Counts[labels[i]]++
		}
	}
	s.Train = data.Subset(pair.Train, index)
	if c.Limit > 0 {
		keep, err := longtail.Subset(data.Labels(pair.Test), limited(data.Counts(pair.Test), c.Limit), c.SubsetSeed)
		if err != nil {
			return nil, err
		}
		s.Test = data.Subset(pair.Test, keep)
	}
	s.Manifest = longtail.Manifest{DataSHA256: s.Checksum, Profile: longtail.Profile(c.Profile), Imbalance: c.Imbalance, Seed: c.SubsetSeed, Counts: s.Counts, Indices: index}
	return s, nil
}

// split keeps a share of each class apart, rounded, but at least one image of it
// and never its last: of a class of one there is none to spare.
func split(index, labels, counts []int, share float64) (keep, apart []int) {
	want := make([]int, len(counts))
	for j, n := range counts {
		want[j] = min(max(1, int(math.Round(share*float64(n)))), n-1)
	}
	for _, i := range index {
		if y := labels[i]; want[y] > 0 {
			want[y]--
			apart = append(apart, i)
		} else {
			keep = append(keep, i)
		}
	}
	return keep, apart
}

// limited scales counts down to a sum of about limit; no class vanishes.
func limited(counts []int, limit int) []int {
	total := 0
	for _, n := range counts {
		total += n
	}
	if limit == 0 || limit >= total {
		return counts
	}
	out := make([]int, len(counts))
	for i, n := range counts {
		out[i] = min(n, max(1, n*limit/total))
	}
	return out
}

// tailCounts is how many images of each class to keep: the profile, starting
// from the largest class. A set that already is a long tail, such as a part of
// CIFAR, must hold what the profile asks for.
func tailCounts(c Config, have []int) ([]int, error) {
	most := 0
	for _, n := range have {
		most = max(most, n)
	}
	want, err := longtail.Counts(longtail.Profile(c.Profile), most, len(have), c.Imbalance)
	if err != nil {
		return nil, fmt.Errorf("--imbalance %g of %s: %v", c.Imbalance, c.Data, err)
	}
	for class, n := range want {
		if n > have[class] {
			return nil, fmt.Errorf("--imbalance %g of %s wants %d images of class %d, which has %d: a larger factor is possible, or 1 for the data as it is", c.Imbalance, c.Data, n, class, have[class])
		}
	}
	return want, nil
}

// Thresholds are the limits of the many/medium/few groups.
func (c Config) Thresholds() longtail.Thresholds {
	return longtail.Thresholds{Many: c.Many, Few: c.Few}
}
