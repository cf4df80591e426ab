package kind_test

import (
	"strings"
	"testing"

	"phase/phase/kind"
)

type thing interface{ size() float64 }

type box struct {
	Side  float64 `name:"side" range:"(0..10" help:"length"`
	Many  int     `name:"many" range:"1.."`
	Seed  uint32  `name:"seed"`
	Open  bool    `name:"open"`
	Form  shape   `name:"form" of:"cube,flat"`
	inner int
}

type shape string

func (b box) size() float64 { return b.Side*float64(b.Many) + float64(b.inner) }

type point struct{}

func (point) size() float64 { return 0 }

func table() *kind.Table[thing] {
	t := &kind.Table[thing]{What: "thing"}
	t.Add(kind.Kind[thing]{Name: "box", Of: box{Side: 2, Many: 3, Form: "cube", inner: 1}})
	t.Add(kind.Kind[thing]{Name: "point", Of: point{}})
	t.Add(kind.Kind[thing]{Name: "flat", Of: box{Side: 1, Many: 1, Form: "flat"}})
	return t
}

func TestWith(t *testing.T) {
	k, err := table().Find("box")
	if err != nil {
		t.Fatal(err)
	}
	given := map[string]string{"side": "2.5", "open": "true", "form": "flat", "elsewhere": "x"}
	v, err := k.With(func(name string) (string, bool) { s, ok := given[name]; return s, ok })
	if err != nil {
		t.Fatal(err)
	}
	if want := (box{Side: 2.5, Many: 3, Open: true, Form: "flat", inner: 1}); v != want {
		t.Errorf("got %+v, want %+v", v, want)
	}
	if k.Of.size() != 7 {
		t.Errorf("the table's own value changed to %+v", k.Of)
	}
}

func TestRefusals(t *testing.T) {
	k, _ := table().Find("box")
	for _, c := range []struct{ name, text, want string }{
		{"side", "0", "--side 0: want a finite number above 0 and at most 10"},
		{"side", "10.5", "at most 10"},
		{"side", "NaN", "--side NaN"},
		{"side", "Inf", "--side Inf"},
		{"side", "wide", "--side wide"},
		{"many", "0", "--many 0: want a whole number of at least 1"},
		{"many", "1.5", "--many 1.5"},
		{"seed", "-1", "--seed -1"},
		{"seed", "4294967296", "--seed 4294967296"},
		{"open", "maybe", "want true or false"},
		{"form", "round", `--form "round": want one of cube, flat`},
	} {
		_, err := k.With(func(name string) (string, bool) { return c.text, name == c.name })
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s %s: error %v, want it to say %q", c.name, c.text, err, c.want)
		}
	}
	if _, err := table().Find("ball"); err == nil || err.Error() != `thing "ball": want one of box, point, flat` {
		t.Errorf("unknown name: %v", err)
	}
}

func TestParams(t *testing.T) {
	var names []string
	for _, p := range table().Params() {
		if p.Varies {
			p.Name += "*"
		}
		names = append(names, p.Name)
	}
	if got := strings.Join(names, " "); got != "side* many* seed open form*" {
		t.Errorf("parameters %q", got)
	}
}

func TestMistakesPanic(t *testing.T) {
	for name, add := range map[string]func(){
		"taken": func() { table().Add(kind.Kind[thing]{Name: "box", Of: point{}}) },
		"range": func() {
			var t kind.Table[any]
			t.Add(kind.Kind[any]{Name: "x", Of: struct {
				V float64 `name:"v" range:"0-1"`
			}{}})
		},
		"type": func() {
			var t kind.Table[any]
			t.Add(kind.Kind[any]{Name: "x", Of: struct {
				V []int `name:"v"`
			}{}})
		},
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s: did not panic", name)
				}
			}()
			add()
		}()
	}
}
