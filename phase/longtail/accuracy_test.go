package longtail

import (
	"encoding/json"
	"fmt"
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

// On any test set, however uneven, with classes of one image and classes of
// none, overall accuracy weighs images alike (micro) and balanced accuracy
// weighs the classes that are there alike (macro); what is not there is nil,
// never 0. Each figure is found here in a way of its own: from single images.
func TestEvaluateOfAnyTestSet(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		classes := rapid.IntRange(1, 8).Draw(t, "classes")
		th := Thresholds{Few: rapid.IntRange(1, 30).Draw(t, "few")}
		th.Many = th.Few + rapid.IntRange(0, 30).Draw(t, "medium")
		counts := rapid.SliceOfN(rapid.IntRange(1, 60), classes, classes).Draw(t, "counts")
		images := rapid.SliceOfN(rapid.SampledFrom([]int{0, 0, 1, 1, 2, 7, 40}), classes, classes).Draw(t, "images")
		var labels, predicted []int
		for c, n := range images {
			for range n {
				labels = append(labels, c)
				predicted = append(predicted, rapid.IntRange(0, classes-1).Draw(t, "p"))
			}
		}
		if len(labels) == 0 {
			return
		}
		a, err := Evaluate(predicted, labels, counts, th)
		if err != nil {
			t.Fatal(err)
		}
		agree := func(what string, got *float64, sum, weight float64) {
			switch {
			case weight == 0 && got != nil:
				t.Fatalf("%s is %v, want nil", what, *got)
			case weight > 0 && (got == nil || math.Abs(*got-sum/weight) > 1e-12):
				t.Fatalf("%s is %v, want %v", what, got, sum/weight)
			}
		}
		// An image counts 1, or 1 in the number of its class's images.
		within := func(member func(c int) bool, share func(c int) float64) (sum, weight float64) {
			for i, y := range labels {
				if member(y) {
					weight += share(y)
					if predicted[i] == y {
						sum += share(y)
					}
				}
			}
			return sum, weight
		}
		all, one := func(int) bool { return true }, func(int) float64 { return 1 }
		alike := func(c int) float64 { return 1 / float64(images[c]) }
		sum, weight := within(all, one)
		agree("overall", &a.Overall, sum, weight)
		sum, weight = within(all, alike)
		agree("balanced", &a.Balanced, sum, weight)
		for _, g := range []struct {
			what   string
			got    *float64
			member func(c int) bool
		}{
			{"many", a.Many, func(c int) bool { return counts[c] > th.Many }},
			{"medium", a.Medium, func(c int) bool { return counts[c] >= th.Few && counts[c] <= th.Many }},
			{"few", a.Few, func(c int) bool { return counts[c] < th.Few }},
		} {
			sum, weight := within(g.member, alike)
			agree(g.what, g.got, sum, weight)
		}
		for c := range classes {
			sum, weight := within(func(y int) bool { return y == c }, one)
			agree(fmt.Sprint("class ", c), a.PerClass[c], sum, weight)
		}
	})
}

// Three accuracies by hand; a group that two of them have is of those two.
func TestMeanSD(t *testing.T) {
	v := func(x float64) *float64 { return &x }
	mean, sd := MeanSD([]Accuracy{
		{Overall: .1, Balanced: .5, Many: v(.2)},
		{Overall: .2, Balanced: .5, Many: v(.4), Few: v(.3)},
		{Overall: .6, Balanced: .5},
	})
	want := Accuracy{Overall: .3, Balanced: .5, Many: v(.3), Few: v(.3)}
	wantSD := Accuracy{Overall: math.Sqrt((.04 + .01 + .09) / 2), Many: v(math.Sqrt(.02)), Few: v(0)}
	if d := cmp.Diff(want, mean, close12) + cmp.Diff(wantSD, sd, close12); d != "" {
		t.Error(d)
	}
}
