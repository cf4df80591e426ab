package longtail

import (
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// wantError fails unless err says all of the words.
func wantError(t *testing.T, err error, words ...string) {
	t.Helper()
	if err == nil {
		t.Fatalf("no error, want one with %q", words)
	}
	for _, w := range words {
		if !strings.Contains(err.Error(), w) {
			t.Errorf("error %q does not say %q", err, w)
		}
	}
}

// golden is what testdata/make_numpy.py wrote.
type golden struct {
	Shuffles []struct {
		Seed        uint32
		Consecutive [][]int
		Permutation []int
	}
	Subsets []struct {
		Seed                    uint32
		Labels, Counts, Indices []int
	}
	Counts [][]any
}

func numpy(t *testing.T) (g golden) {
	t.Helper()
	b, err := os.ReadFile("testdata/numpy.json")
	if err == nil {
		err = json.Unmarshal(b, &g)
	}
	if err != nil {
		t.Fatal(err)
	}
	return g
}

func TestCountsOfCIFAR(t *testing.T) {
	for _, c := range []struct {
		classes, nMax int
		factor        float64
		total, least  int
		counts        []int // all, where published
		groups        [3]int
	}{
		{10, 5000, 10, 20431, 500, []int{5000, 3871, 2997, 2320, 1796, 1391, 1077, 834, 645, 500}, [3]int{10, 0, 0}},
		{10, 5000, 20, 17023, 250, []int{5000, 3584, 2569, 1842, 1320, 946, 678, 486, 348, 250}, [3]int{10, 0, 0}},
		{10, 5000, 50, 13996, 100, []int{5000, 3237, 2096, 1357, 878, 568, 368, 238, 154, 100}, [3]int{9, 1, 0}},
		{10, 5000, 100, 12406, 50, []int{5000, 2997, 1796, 1077, 645, 387, 232, 139, 83, 50}, [3]int{8, 2, 0}},
		{10, 5000, 200, 11203, 25, []int{5000, 2775, 1540, 854, 474, 263, 146, 81, 45, 25}, [3]int{7, 3, 0}},
		{100, 500, 10, 19573, 50, nil, [3]int{69, 31, 0}},
		{100, 500, 20, 15907, 25, nil, [3]int{53, 47, 0}},
		{100, 500, 50, 12608, 10, nil, [3]int{41, 41, 18}},
		{100, 500, 100, 10847, 5, nil, [3]int{35, 35, 30}},
		{100, 500, 200, 9502, 2, nil, [3]int{30, 31, 39}},
		{200, 500, 256, 18030, 1, nil, [3]int{58, 58, 84}}, // Tiny-ImageNet-LT
		{200, 500, 100, 21549, 5, nil, [3]int{70, 70, 60}},
	} {
		t.Run(fmt.Sprintf("%d classes IF %v", c.classes, c.factor), func(t *testing.T) {
			n, err := Counts(Exp, c.nMax, c.classes, c.factor)
			if err != nil {
				t.Fatal(err)
			}
			total := 0
			for _, v := range n {
				total += v
			}
			if total != c.total || slices.Min(n) != c.least || n[0] != c.nMax {
				t.Errorf("total %d, least %d, first %d, want %d, %d, %d", total, slices.Min(n), n[0], c.total, c.least, c.nMax)
			}
			if c.counts != nil {
				if d := cmp.Diff(c.counts, n); d != "" {
					t.Error(d)
				}
			}
			groups, err := Groups(n, Thresholds{})
			if err != nil {
				t.Fatal(err)
			}
			var sizes [3]int
			for _, g := range groups {
				sizes[g]++
			}
			if sizes != c.groups {
				t.Errorf("groups %v, want %v", sizes, c.groups)
			}
		})
	}
}

func TestCountsEqualNumPy(t *testing.T) {
	for _, row := range numpy(t).Counts {
		profile, nMax, classes, factor := Profile(row[0].(string)), int(row[1].(float64)), int(row[2].(float64)), row[3].(float64)
		n, err := Counts(profile, nMax, classes, factor)
		if err != nil {
			t.Fatal(err)
		}
		total, moment := 0, 0
		for i, v := range n {
			total += v
			moment += i * v
		}
		if float64(total) != row[4] || float64(moment) != row[5] {
			t.Errorf("%v: total %d, moment %d", row, total, moment)
		}
	}
}

func TestCountsStep(t *testing.T) {
	n, err := Counts(Step, 500, 5, 100)
	if d := cmp.Diff([]int{500, 500, 5, 5, 5}, n); d != "" || err != nil {
		t.Error(d, err)
	}
	for _, p := range []Profile{Exp, Step} {
		one, err := Counts(p, 7, 1, 3)
		if err != nil || one[0] != 7 {
			t.Errorf("%s: a single class has %v, %v", p, one, err)
		}
		all, err := Counts(p, 6, 4, 1)
		if d := cmp.Diff([]int{6, 6, 6, 6}, all); d != "" || err != nil {
			t.Error(p, d, err)
		}
	}
}

func TestCountsErrors(t *testing.T) {
	call := func(p Profile, n, c int, f float64) error { _, err := Counts(p, n, c, f); return err }
	nan := 0.0
	nan /= nan
	wantError(t, call("linear", 500, 10, 10), `"linear"`, `"exp"`, `"step"`)
	wantError(t, call(Exp, 0, 10, 10), "0 images")
	wantError(t, call(Exp, 5, 0, 10), "0 classes")
	wantError(t, call(Exp, 500, 10, .5), "0.5", "at least 1")
	wantError(t, call(Exp, 500, 10, nan), "NaN")
	wantError(t, call(Exp, 500, 10, 501), "501", "class 9", "at most 500")
	wantError(t, call(Step, 500, 10, 501), "class 5")
}

func TestCountsFall(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		nMax := rapid.IntRange(1, 10000).Draw(t, "nMax")
		classes := rapid.IntRange(1, 60).Draw(t, "classes")
		factor := rapid.Float64Range(1, float64(nMax)).Draw(t, "factor")
		profile := rapid.SampledFrom([]Profile{Exp, Step}).Draw(t, "profile")
		n, err := Counts(profile, nMax, classes, factor)
		if factor < float64(nMax)*(1-1e-12) && err != nil {
			t.Fatal(err)
		}
		for i, v := range n {
			if v > nMax || i > 0 && v > n[i-1] {
				t.Fatalf("class %d has %d of %v", i, v, n)
			}
		}
	})
}

func TestPermutationVectors(t *testing.T) {
	if d := cmp.Diff([]int{2, 8, 4, 9, 1, 6, 7, 3, 0, 5}, Permutation(10, 0)); d != "" {
		t.Error(d)
	}
	if d := cmp.Diff([]int{1501, 2586, 2653, 1055, 705, 106, 589, 2468}, Permutation(5000, 42)[:8]); d != "" {
		t.Error(d)
	}
	g := newMT19937(0)
	for _, want := range [][]int{{90, 254, 283, 445, 461, 15}, {277, 307, 436, 88, 261, 57}, {52, 34, 347, 492, 196, 233}} {
		a := make([]int, 500)
		for i := range a {
			a[i] = i
		}
		g.shuffle(a)
		if d := cmp.Diff(want, a[:6]); d != "" {
			t.Error(d)
		}
	}
}

func TestShuffleEqualsNumPy(t *testing.T) {
	for _, s := range numpy(t).Shuffles {
		g := newMT19937(s.Seed)
		for _, want := range s.Consecutive {
			a := make([]int, len(want))
			for i := range a {
				a[i] = i
			}
			g.shuffle(a)
			if d := cmp.Diff(want, a); d != "" {
				t.Errorf("seed %d, n %d: %s", s.Seed, len(want), d)
			}
		}
		if d := cmp.Diff(s.Permutation, Permutation(len(s.Permutation), s.Seed)); d != "" {
			t.Errorf("seed %d: %s", s.Seed, d)
		}
	}
}

func TestSubsetEqualsNumPy(t *testing.T) {
	for _, s := range numpy(t).Subsets {
		got, err := Subset(s.Labels, s.Counts, s.Seed)
		if d := cmp.Diff(s.Indices, got); d != "" || err != nil {
			t.Errorf("seed %d: %v %s", s.Seed, err, d)
		}
	}
}

// The first class's shuffle is the first one after the seed, so CIFAR-100's
// class 0 at IF 1 keeps images in the order of the vectors above.
func TestSubsetKeepsEveryImageAtImbalanceOne(t *testing.T) {
	labels := make([]int, 1500)
	for i := range labels {
		labels[i] = i % 3
	}
	counts, err := LabelCounts(labels, 3)
	if err != nil {
		t.Fatal(err)
	}
	got, err := Subset(labels, counts, 0)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff([]int{3 * 90, 3 * 254, 3 * 283}, got[:3]); d != "" {
		t.Error(d)
	}
	if d := cmp.Diff([]int{3*277 + 1, 3*307 + 1}, got[500:502]); d != "" {
		t.Error(d)
	}
	slices.Sort(got)
	for i, v := range got {
		if i != v {
			t.Fatalf("image %d is missing", i)
		}
	}
}

func TestSubsetErrors(t *testing.T) {
	call := func(labels, counts []int) error { _, err := Subset(labels, counts, 0); return err }
	wantError(t, call([]int{0, 1, 1}, []int{1, 3}), "3 images", "class 1", "has 2")
	wantError(t, call([]int{0, 1}, []int{1, -1}), "-1", "class 1")
	wantError(t, call([]int{0, 2}, []int{1, 1}), "image 1", "label 2", "0 to 1")
	wantError(t, call([]int{-1}, []int{1}), "label -1")
	wantError(t, call(nil, []int{1}), "class 0", "has 0")
	if got, err := Subset([]int{1, 1}, []int{0, 1}, 0); err != nil || len(got) != 1 {
		t.Errorf("a class of which nothing is asked: %v, %v", got, err)
	}
}
