package longtail

import (
	"encoding/json"
	"math"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// Six classes: 0 and 1 many, 2 medium, 3 to 5 few; class 1 and class 5 are not
// in the imbalanced test set.
var counts6 = []int{500, 101, 100, 19, 2, 1}

func TestEvaluateImbalancedTestSet(t *testing.T) {
	labels := []int{0, 0, 0, 0, 0, 0, 0, 0, 2, 2, 3, 4, 4, 4}
	predicted := []int{0, 0, 0, 0, 0, 0, 5, 1, 2, 0, 3, 4, 0, 0}
	a, err := Evaluate(predicted, labels, counts6, Thresholds{})
	if err != nil {
		t.Fatal(err)
	}
	v := func(x float64) *float64 { return &x }
	want := Accuracy{
		Overall:  9. / 14,
		Balanced: (6./8 + 1./2 + 1 + 1./3) / 4,
		Many:     v(6. / 8),
		Medium:   v(1. / 2),
		Few:      v((1 + 1./3) / 2),
		PerClass: []*float64{v(6. / 8), nil, v(.5), v(1), v(1. / 3), nil},
		Confusion: [][]int{
			{6, 1, 0, 0, 0, 1},
			{0, 0, 0, 0, 0, 0},
			{1, 0, 1, 0, 0, 0},
			{0, 0, 0, 1, 0, 0},
			{2, 0, 0, 0, 1, 0},
			{0, 0, 0, 0, 0, 0},
		},
	}
	if d := cmp.Diff(want, a); d != "" {
		t.Error(d)
	}
}

func TestEvaluateGroupWithoutClassesIsNull(t *testing.T) {
	a, err := Evaluate([]int{0, 0}, []int{0, 1}, []int{200, 30, 5}, Thresholds{})
	if err != nil {
		t.Fatal(err)
	}
	b, err := json.Marshal(a)
	if err != nil {
		t.Fatal(err)
	}
	want := `{"overall":0.5,"balanced":0.5,"many":1,"medium":0,"few":null,"per_class":[1,0,null],"confusion":[[1,0,0],[1,0,0],[0,0,0]]}`
	if string(b) != want {
		t.Errorf("got  %s\nwant %s", b, want)
	}
}

func TestEvaluateErrors(t *testing.T) {
	call := func(p, y []int, th Thresholds) error {
		_, err := Evaluate(p, y, []int{200, 5}, th)
		return err
	}
	wantError(t, call([]int{0}, []int{0, 1}, Thresholds{}), "1 predictions", "2 labels")
	wantError(t, call(nil, nil, Thresholds{}), "no test images")
	wantError(t, call([]int{0}, []int{2}, Thresholds{}), "label 2", "0 to 1")
	wantError(t, call([]int{-1}, []int{0}, Thresholds{}), "class -1")
	wantError(t, call([]int{0}, []int{0}, Thresholds{Many: 10}), "above 10", "below 20")
	wantError(t, call([]int{0}, []int{0}, Thresholds{Few: -1}), "below -1")
}

func TestGroupsThresholds(t *testing.T) {
	counts := []int{101, 100, 20, 19, 1, 0}
	for _, c := range []struct {
		t    Thresholds
		want []Group
	}{
		{Thresholds{}, []Group{Many, Medium, Medium, Few, Few, Few}},
		{Thresholds{Many: 19, Few: 20}, []Group{Many, Many, Many, Few, Few, Few}},
		{Thresholds{Few: 1}, []Group{Many, Medium, Medium, Medium, Medium, Few}},
	} {
		got, err := Groups(counts, c.t)
		if d := cmp.Diff(c.want, got); d != "" || err != nil {
			t.Error(c.t, err, d)
		}
	}
	if Many.String()+Medium.String()+Few.String() != "manymediumfew" {
		t.Error("names of the groups")
	}
}

// On a balanced test set overall and balanced accuracy are the same, and
// overall accuracy is the groups' mean weighted with their sizes.
func TestEvaluateBalancedTestSet(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		counts := rapid.SliceOfN(rapid.IntRange(1, 200), 1, 12).Draw(t, "counts")
		images := rapid.IntRange(1, 5).Draw(t, "images")
		var labels, predicted []int
		for c := range counts {
			for range images {
				labels = append(labels, c)
				predicted = append(predicted, rapid.IntRange(0, len(counts)-1).Draw(t, "p"))
			}
		}
		a, err := Evaluate(predicted, labels, counts, Thresholds{})
		if err != nil {
			t.Fatal(err)
		}
		groups, _ := Groups(counts, Thresholds{})
		sum := 0.
		for _, g := range groups {
			sum += *[]*float64{a.Many, a.Medium, a.Few}[g]
		}
		if math.Abs(a.Overall-a.Balanced) > 1e-12 || math.Abs(a.Overall-sum/float64(len(counts))) > 1e-12 {
			t.Fatalf("overall %v, balanced %v, from the groups %v", a.Overall, a.Balanced, sum/float64(len(counts)))
		}
	})
}
