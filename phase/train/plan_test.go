package train_test

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"phase/phase/train"
)

// planned makes a plan of methods on CIFAR's schedule, where stage 2 begins
// where the rate drops, and says which run each takes its stage 1 of.
func planned(t *testing.T, methods ...string) (from []string, p *train.Plan) {
	t.Helper()
	var configs []train.Config
	var dirs []string
	for _, m := range methods {
		c, err := train.Defaults(m, "cifar100")
		if err != nil {
			t.Fatal(err)
		}
		if err := c.Resolve(); err != nil {
			t.Fatal(err)
		}
		configs, dirs = append(configs, c), append(dirs, m)
	}
	p = train.NewPlan(configs, dirs)
	for _, j := range p.Jobs {
		s := j.Dir + " alone"
		if j.From >= 0 {
			s = j.Dir + " on " + p.Jobs[j.From].Dir
		}
		from = append(from, s)
	}
	return from, p
}

// Each distinct stage 1 is trained once: by the run of one stage where there is
// one, or by the first of two.
func TestPlanSharesStages(t *testing.T) {
	for _, f := range []struct {
		methods []string
		want    string
	}{
		{[]string{"msr", "ce", "phase", "drw"}, "[ce alone msr on ce phase alone drw on ce]"},
		{[]string{"phase", "phase-area", "daw", "daw"}, "[daw alone phase on daw phase-area on daw]"},
		{[]string{"msr", "area"}, "[msr alone area on msr]"},
		{[]string{"focal", "cb", "phase-literal", "phase"}, "[focal alone cb alone phase-literal alone phase alone]"},
	} {
		if got, _ := planned(t, f.methods...); fmt.Sprint(got) != f.want {
			t.Errorf("%v: %v, want %s", f.methods, got, f.want)
		}
	}
}

// What a run costs, in images through the whole network: all epochs of one
// stage, 160 and the frozen 40 forwards alone, the 40 alone, both passes of SAM.
func TestPlanCosts(t *testing.T) {
	_, p := planned(t, "ce", "msr", "phase", "drw")
	for i, want := range []float64{200, 40. / 3, 160 + 40./3, 40} {
		if got := p.Images(i, 1); got != want {
			t.Errorf("%s: %g epochs, want %g", p.Jobs[i].Dir, got, want)
		}
	}
	p.Jobs[0].Config.SAM = .05
	p.Jobs[2].Config.FeaturePasses = 6
	if a, b := p.Images(0, 3), p.Images(2, 1); a != 1200 || b != 162 {
		t.Errorf("with SAM %g images, with 6 feature passes %g epochs, want 1200 and 162", a, b)
	}
}

// A plan's runs give the bits of runs of their own, and a finished plan trains
// nothing again.
func TestPlanRuns(t *testing.T) {
	var configs []train.Config
	var dirs []string
	out := t.TempDir()
	change := func(weights string) func(c *train.Config) {
		return func(c *train.Config) { c.Stage2Weights = weights }
	}
	for _, w := range []string{"msr", "inverse"} {
		c, _ := small(t, change(w))
		configs, dirs = append(configs, c), append(dirs, train.RunDir(out, w, c.Seed))
	}
	p := train.NewPlan(configs, dirs)
	opened := 0
	open := func(c train.Config) (*train.Source, error) {
		opened++
		return train.OpenSource(t.Context(), c, nil, 0, nil)
	}
	for range 2 {
		for i := range p.Jobs {
			if _, err := p.Run(t.Context(), i, open, train.Options{}); err != nil {
				t.Fatal(err)
			}
		}
	}
	if opened != 2 || p.Jobs[1].From != 0 {
		t.Errorf("the data were opened %d times for 2 runs, the second on the stage 1 of %d", opened, p.Jobs[1].From)
	}
	c, s := small(t, change("inverse"))
	alone := filepath.Join(t.TempDir(), "alone")
	mustRun(t, c, s, train.Options{Dir: alone})
	if !bytes.Equal(model(t, alone), model(t, dirs[1])) {
		t.Error("the second run's model is not that of a run of its own")
	}
	p.Jobs[1].Config.Seed = 7
	if _, err := p.Run(t.Context(), 1, open, train.Options{}); err == nil {
		t.Error("a directory with a run of other settings was taken")
	}
	if err := os.RemoveAll(dirs[0]); err != nil {
		t.Fatal(err)
	}
	if v, err := c.Speed(s, time.Millisecond); err != nil || v <= 0 {
		t.Errorf("speed %g, %v", v, err)
	}
}
