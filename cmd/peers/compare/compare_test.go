package main

import (
	"errors"
	"strings"
	"testing"
)

func TestFigures(t *testing.T) {
	c := source{args: []string{"echo", `{"peer":"P 1","x":2,"machine":{"peak":7},"rows":[{"what":"a b","ms":3},{"what":"c","ms":4},5]}`}}
	f, peer, err := c.run("env")
	if err != nil || peer != "P 1" || f["x"] != 2 || f["machine/peak"] != 7 || f["a b/ms"] != 3 || f["c/ms"] != 4 || f["wall_ms"] <= 0 {
		t.Errorf("%v %q %v", f, peer, err)
	}
	c.bare = true
	if _, _, err := c.run("nowhere-to-be-found"); err != nil {
		t.Errorf("bare: %v", err)
	}
	for _, args := range [][]string{{"nowhere-to-be-found"}, {"false"}, {"echo", "no JSON"}} {
		if _, _, err := (source{args: args}).run(""); err == nil {
			t.Errorf("%q: no error", args)
		}
	}
}

// TestMeasure: ratios are formed within rounds, in the direction asked for, and
// what is missing is told with how to install it.
func TestMeasure(t *testing.T) {
	sub := subject{name: "s", sources: []source{
		{name: "phase", args: []string{"echo", `{"rate":6,"ms":2}`}},
		{name: "peer", args: []string{"echo", `{"peer":"P","rate":3,"ms":5}`}},
		{name: "none", args: []string{"nowhere-to-be-found"}, install: "install: apt install none"},
		{name: "broken", args: []string{"echo", "{}"}, peer: "broken"},
	}}
	for of := 1; of < 4; of++ {
		sub.lines = append(sub.lines, line{what: "rate", want: 2, a: get("rate"), b: get("rate"), of: of},
			line{what: "time", want: 3, a: get("ms"), b: get("ms"), of: of, inverse: true})
	}
	sub.lines = append(sub.lines, line{what: "own", want: 1, atMost: true, alone: true, a: get("ms"), unit: "ms"}, line{what: "no figure", a: get("nope"), b: get("ms")})
	got := sub.measure(setting{rounds: 3}, where{CPU: "C"}, map[string]error{"broken": errors.New("does not build")}, false)
	for i, want := range []result{
		{Ratio: 2, A: 6, B: 3}, {Ratio: 2.5, A: 2, B: 5},
		{Missing: "apt install none"}, {Missing: "apt install none"}, {Missing: "does not build"}, {Missing: "does not build"},
		{Ratio: 2, A: 2}, {Missing: "did not print"},
	} {
		r := got[i]
		if r.Ratio != want.Ratio || r.Min != want.Ratio || r.Max != want.Ratio || r.A != want.A || r.B != want.B || (want.Missing == "") != (r.Missing == "") || !strings.Contains(r.Missing, want.Missing) {
			t.Errorf("line %d: %+v, want %+v", i, r, want)
		}
	}
	if !*got[0].Met || *got[1].Met || *got[6].Met || got[2].Met != nil {
		t.Error("what is met is told wrong")
	}
	sub.asked = "it is large"
	for _, r := range sub.measure(setting{rounds: 1}, where{}, nil, false) {
		if r.Ratio != 0 || !strings.Contains(r.Missing, "--rows s: it is large") {
			t.Errorf("not asked for, but %+v", r)
		}
	}
	text := table(got)
	for _, want := range []string{"(a) C, 0 cores", "| rate | 6 | 3 (P) | 2.00 (2.00 to 2.00) |", "install: apt install none", "| own |  |  | 2 ms (2 to 2) |", "| yes | a |"} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in\n%s", want, text)
		}
	}
}

// TestSubjects: names are distinct, and every line has what it needs.
func TestSubjects(t *testing.T) {
	seen := map[string]bool{}
	for _, sub := range subjects(setting{}) {
		if seen[sub.name] {
			t.Errorf("two subjects are called %s", sub.name)
		}
		seen[sub.name] = true
		for _, l := range sub.lines {
			if l.what == "" || l.target == "" || l.a == nil || (l.b == nil) != l.alone || max(l.from, l.of) >= len(sub.sources) {
				t.Errorf("%s: %+v", sub.name, l)
			}
		}
	}
}
