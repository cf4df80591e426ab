package longtail

import "fmt"

// LabelCounts is the number of labels of each of the classes 0..classes-1. A
// label outside them is an error.
func LabelCounts(labels []int, classes int) ([]int, error) {
	if classes < 0 {
		return nil, fmt.Errorf("longtail: %d classes, want at least 0", classes)
	}
	counts := make([]int, classes)
	for i, c := range labels {
		if c < 0 || c >= classes {
			return nil, fmt.Errorf("longtail: image %d has label %d, want 0 to %d", i, c, classes-1)
		}
		counts[c]++
	}
	return counts, nil
}

// Subset chooses counts[c] of the images of every class c and returns their
// positions in labels. It repeats what LDAM's IMBALANCECIFAR and its
// descendants do with NumPy, so that published subsets can be rebuilt (LDAM,
// DDC, VS and BBN use seed 0, AREA uses 42):
//
//	np.random.seed(seed)
//	for c in classes, ascending:
//	    at = np.where(labels == c)[0]; np.random.shuffle(at); keep at[:counts[c]]
//
// The result has that order too: class by class, and within a class as the
// shuffle left it. Which images stay depends on the order of labels, which is
// that of the data set's own files. With counts equal to LabelCounts every
// image stays.
//
// It is an error if a class has fewer images than asked, a count is negative,
// or a label is not a class.
func Subset(labels []int, counts []int, seed uint32) ([]int, error) {
	have, err := LabelCounts(labels, len(counts))
	if err != nil {
		return nil, err
	}
	total := 0
	for c, n := range counts {
		switch {
		case n < 0:
			return nil, fmt.Errorf("longtail: %d images asked of class %d, want at least 0", n, c)
		case n > have[c]:
			return nil, fmt.Errorf("longtail: %d images asked of class %d, which has %d", n, c, have[c])
		}
		total += n
	}
	at := make([][]int, len(counts))
	for c, n := range have {
		at[c] = make([]int, 0, n)
	}
	for i, c := range labels {
		at[c] = append(at[c], i)
	}
	kept := make([]int, 0, total)
	g := newMT19937(seed)
	for c, n := range counts {
		g.shuffle(at[c])
		kept = append(kept, at[c][:n]...)
	}
	return kept, nil
}
