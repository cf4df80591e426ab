package data

import (
	"slices"
	"testing"

	"phase/tensor"
)

func TestHoldOut(t *testing.T) {
	var labels []int
	for class, n := range []int{100, 10, 2, 1} {
		for range n {
			labels = append(labels, class)
		}
	}
	stay, held := holdOut(labels, 4, 0.2, 7)
	count := make([]int, 4)
	for _, i := range held {
		count[labels[i]]++
	}
	if want := []int{20, 2, 1, 0}; !slices.Equal(count, want) {
		t.Errorf("held out %v, want %v", count, want)
	}
	all := slices.Sorted(slices.Values(append(slices.Clone(stay), held...)))
	for i, v := range all {
		if i != v {
			t.Fatalf("sample %d is lost or doubled", i)
		}
	}
	_, again := holdOut(labels, 4, 0.2, 7)
	_, other := holdOut(labels, 4, 0.2, 8)
	if !slices.Equal(held, again) || slices.Equal(held, other) {
		t.Error("the split is not a function of the seed, or is the same for all")
	}
	_, twins := holdOut(append(make([]int, 50), slices.Repeat([]int{1}, 50)...), 2, 0.2, 7)
	if slices.EqualFunc(twins[:10], twins[10:], func(a, b int) bool { return a+50 == b }) {
		t.Error("two classes of one size are split at the same places")
	}
	_, fewer := holdOut(labels[:110], 2, 0.2, 7) // a class's split does not hang on other classes
	if !slices.Equal(fewer, held[:22]) {
		t.Error("the split of a class changes when other classes go")
	}
}

func TestSubset(t *testing.T) {
	p := mustOpen(t, Spec{Data: "cifar10", Dirs: []string{"testdata"}})
	s := Subset(Subset(p.Train, []int{9, 3, 3, 7}), []int{3, 0, 1})
	wantLabels(t, s, 7, 9, 3)
	if !slices.Equal(pixelsOf(t, s, 0), gridPixels(7, 1, 32, 32, 3)) {
		t.Error("image 7 differs")
	}
	f, err := NewFeatures([]float32{1, 2, 3, 4, 5, 6}, 2, []int{0, 1, 1}, []string{"a", "b"})
	if err != nil {
		t.Fatal(err)
	}
	row := make([]float32, 2)
	if err := Subset(f, []int{2}).(Features).Row(0, row); err != nil || row[0] != 5 || row[1] != 6 {
		t.Errorf("row %v (%v), want [5 6]", row, err)
	}
	if err := tensor.Catch(func() { Subset(f, []int{0, 3}) }); err == nil {
		t.Error("index 3 of 3 was accepted")
	}
}

func TestChecksum(t *testing.T) {
	sum := func(ds Dataset) string {
		t.Helper()
		s, err := Checksum(t.Context(), ds)
		if err != nil || len(s) != 64 {
			t.Fatalf("%q, %v", s, err)
		}
		return s
	}
	a := mustOpen(t, Spec{Data: "folder:testdata/pictures"})
	b := mustOpen(t, Spec{Data: "folder:testdata/pictures", CacheBytes: -1})
	if sum(a.Train) != sum(b.Train) {
		t.Error("the checksum hangs on how the data is held")
	}
	x := []uint8{1, 2, 3, 4}
	seen := map[string]string{}
	for what, ds := range map[string]func() (Images, error){
		"as it is": func() (Images, error) { return NewImages(x, 1, 2, 1, []int{0, 1}, []string{"a", "b"}) },
		"pixel": func() (Images, error) {
			return NewImages([]uint8{1, 2, 3, 5}, 1, 2, 1, []int{0, 1}, []string{"a", "b"})
		},
		"label": func() (Images, error) { return NewImages(x, 1, 2, 1, []int{1, 0}, []string{"a", "b"}) },
		"name":  func() (Images, error) { return NewImages(x, 1, 2, 1, []int{0, 1}, []string{"a", "c"}) },
		"shape": func() (Images, error) { return NewImages(x, 2, 1, 1, []int{0, 1}, []string{"a", "b"}) },
	} {
		ds2, err := ds()
		if err != nil {
			t.Fatal(err)
		}
		s := sum(ds2)
		if other, twice := seen[s]; twice {
			t.Errorf("%s and %s have one checksum", what, other)
		}
		seen[s] = what
	}
}

func TestChecksumOfFeatures(t *testing.T) {
	seen := map[string]bool{}
	for _, x := range [][]float32{{1, 2}, {1, 3}, {2, 1}} {
		f, err := NewFeatures(x, 1, []int{0, 0}, []string{"a"})
		if err != nil {
			t.Fatal(err)
		}
		s, err := Checksum(t.Context(), f)
		if err != nil {
			t.Fatal(err)
		}
		seen[s] = true
	}
	if len(seen) != 3 {
		t.Errorf("%d checksums of 3 data sets", len(seen))
	}
}
