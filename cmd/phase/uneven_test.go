package main

import (
	"encoding/json"
	"fmt"
	"math"
	"path/filepath"
	"strings"
	"testing"

	"phase/phase/longtail"
)

// A folder as people have it: classes of 12, 3 and 1 training images, and a
// test set of 6, 1 and none. What training writes and eval prints is right for
// it, with thresholds of one's own.
func TestUnevenFolder(t *testing.T) {
	tmp := t.TempDir()
	photos, dir := filepath.Join(tmp, "photos"), filepath.Join(tmp, "run")
	for class, n := range map[string][2]int{"ant": {12, 6}, "bee": {3, 1}, "cow": {1, 0}} {
		for part, m := range map[string]int{"train": n[0], "test": n[1]} {
			for i := range m {
				picture(t, filepath.Join(photos, part, class, fmt.Sprint(i, ".png")), 20+i, 20+n[0])
			}
		}
	}
	groups := []string{"--many", "10", "--few", "2"}
	train := append([]string{"train", "-q", "--json", "--out", dir, "--data", "folder:" + photos, "--size", "12", "--method", "ce", "--epochs", "3", "--width", "4"}, groups...)
	var trained, evaluated, usual struct{ Accuracy longtail.Accuracy }
	for _, k := range []struct {
		args []string
		into any
	}{{train, &trained}, {append([]string{"eval", dir, "--json"}, groups...), &evaluated}, {[]string{"eval", dir, "--json", "--many", "100", "--few", "20"}, &usual}} {
		code, out, stderr := call(t, t.Context(), "", k.args...)
		if err := json.Unmarshal([]byte(out), k.into); code != exitDone || err != nil {
			t.Fatalf("phase %s: exit %d, %v\n%s%s", strings.Join(k.args, " "), code, err, out, stderr)
		}
	}
	for name, a := range map[string]longtail.Accuracy{"train": trained.Accuracy, "eval": evaluated.Accuracy} {
		hits := func(c int) float64 { return float64(a.Confusion[c][c]) }
		ant, bee := hits(0)/6, hits(1)
		if a.PerClass[2] != nil || a.Few != nil {
			t.Errorf("%s: cow is not in the test set, and has %v and %v, want null", name, a.PerClass[2], a.Few)
		}
		if *a.PerClass[0] != ant || *a.PerClass[1] != bee || *a.Many != ant || *a.Medium != bee || math.Abs(a.Overall-(hits(0)+hits(1))/7) > 1e-12 || math.Abs(a.Balanced-(ant+bee)/2) > 1e-12 {
			t.Errorf("%s: ant %v, bee %v, but %+v", name, ant, bee, a)
		}
	}
	if a := usual.Accuracy; a.Many != nil || a.Medium != nil || math.Abs(*a.Few-a.Balanced) > 1e-12 {
		t.Errorf("by the usual thresholds all three are few-shot: %+v", a)
	}

	// predict turns photographs upright: one picture, stored in eight ways.
	var first prediction
	for o := 1; o <= 8; o++ {
		name := filepath.Join("..", "..", "phase", "data", "testdata", "exif", fmt.Sprint(o, ".jpg"))
		var p prediction
		succeedJSON(t, &p, "predict", dir, name)
		if o == 1 {
			first = p
		}
		for i, g := range p.Top {
			if g.Class != first.Top[i].Class || math.Abs(g.Probability-first.Top[i].Probability) > .02 {
				t.Errorf("orientation %d: %+v, want about %+v", o, p.Top, first.Top)
				break
			}
		}
	}
}
