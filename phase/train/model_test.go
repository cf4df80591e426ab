package train_test

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"phase/phase/data"
	"phase/phase/train"
)

// turned is images with their classes in the opposite order.
type turned struct{ data.Images }

func (d turned) Classes() []string {
	c := slices.Clone(d.Images.Classes())
	slices.Reverse(c)
	return c
}

func (d turned) Label(i int) int { return len(d.Images.Classes()) - 1 - d.Images.Label(i) }

// renamed is images whose first class has another name.
type renamed struct{ data.Images }

func (d renamed) Classes() []string { return append([]string{"zeppelin"}, d.Images.Classes()[1:]...) }

// The order of classes in the data means nothing; an unknown name is an error.
func TestClassesMatchedByName(t *testing.T) {
	c, s := small(t, func(c *train.Config) { c.Stage2Weights = "none" })
	dir := filepath.Join(t.TempDir(), "run")
	want := mustRun(t, c, s, train.Options{Dir: dir})
	m, err := train.LoadModel(dir)
	if err != nil {
		t.Fatal(err)
	}
	test := s.Test.(data.Images)
	got, err := m.Evaluate(t.Context(), turned{test}, c.Thresholds(), 0)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want.Accuracy, got); diff != "" {
		t.Errorf("classes in the opposite order give another accuracy (-trained +evaluated):\n%s", diff)
	}
	_, err = m.Evaluate(t.Context(), renamed{test}, c.Thresholds(), 0)
	if err == nil || !strings.Contains(err.Error(), `class "zeppelin" of the data is none of the model's 10`) {
		t.Errorf("an unknown class: %v", err)
	}
}
