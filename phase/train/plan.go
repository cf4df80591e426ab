package train

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"path/filepath"
	"slices"
	"time"

	"phase/autograd"
	"phase/nn"
	"phase/optim"
	"phase/tensor"
)

// A Plan is runs that share what they have in common: each distinct stage 1 is
// trained once, by the first run that needs it, and the others begin there.
type Plan struct{ Jobs []Job }

// A Job is one run of a plan.
type Job struct {
	Config Config // resolved
	Dir    string // of the run
	From   int    // the job whose stage 1 it takes, an index into Jobs; -1 trains its own
}

// NewPlan plans runs of the configurations, each in the directory beside it; one
// that is named twice is run once. Runs of one stage come first: where their
// learning rate first drops, others may begin.
func NewPlan(configs []Config, dirs []string) *Plan {
	p := &Plan{}
	for i, c := range configs {
		if !slices.ContainsFunc(p.Jobs, func(j Job) bool { return j.Dir == dirs[i] }) {
			p.Jobs = append(p.Jobs, Job{Config: c, Dir: dirs[i], From: -1})
		}
	}
	slices.SortStableFunc(p.Jobs, func(a, b Job) int { return min(1, a.Config.Stage2Epochs) - min(1, b.Config.Stage2Epochs) })
	for i := range p.Jobs {
		p.Jobs[i].From = slices.IndexFunc(p.Jobs[:i], func(j Job) bool { return shares(j.Config, p.Jobs[i].Config) })
	}
	return p
}

// shares reports whether c can begin with stage 2 where a run of donor stood.
func shares(donor, c Config) bool {
	n := c.firstOfStage2()
	return c.Stage2Epochs > 0 && n > 0 && donor.firstOfStage2() >= n && (donor.forks(n) || donor.Epochs == n) && maps.Equal(donor.Stage1(n), c.Stage1(n))
}

// Done reports whether the job's run is finished. A directory with a run of
// other settings is an error.
func (j Job) Done() (bool, error) {
	old, err := ReadConfig(j.Dir)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	if d := old.Differences(j.Config); len(d) > 0 {
		return false, fmt.Errorf("%s holds a run with other settings (then, now): %s", j.Dir, d[0])
	}
	_, err = ReadResult(j.Dir)
	return err == nil, nil
}

// Run trains the job's run to its end, from where it stands: a finished one is
// read, an interrupted one goes on. The jobs before it must have been run.
func (p *Plan) Run(ctx context.Context, job int, open func(Config) (*Source, error), o Options) (*Result, error) {
	j := p.Jobs[job]
	done, err := j.Done()
	if err != nil {
		return nil, err
	}
	if done {
		r, err := ReadResult(j.Dir)
		return &r, err
	}
	o.Dir, o.Stage1 = j.Dir, ""
	if _, err := ReadConfig(j.Dir); err == nil {
		o.Resume = true
	} else if j.From >= 0 {
		o.Stage1 = p.Jobs[j.From].Dir
	}
	s, err := open(j.Config)
	if err != nil {
		return nil, err
	}
	return Run(ctx, j.Config, s, o)
}

// Images is how many images the job trains on, counted as passes of the whole
// network forwards and backwards, of an epoch of n images. A pass forwards alone
// is a third of one, as usual; a classifier on cached features counts nothing
// but the pass that computes them.
func (p *Plan) Images(job, n int) float64 {
	j := p.Jobs[job]
	c := j.Config
	epochs, steps := 0.0, 1.0
	if c.SAM > 0 {
		steps = 2
	}
	if j.From < 0 {
		epochs = steps * float64(c.firstOfStage2())
	}
	switch {
	case !c.Freeze:
		epochs += steps * float64(c.Stage2Epochs)
	case c.Stage2Epochs > 0 && (c.Stage2Augment == "none" || c.Augment == "none" || c.FeaturePasses > 0) && !c.NormShift:
		epochs += float64(max(1, c.FeaturePasses)) / 3
	case c.Stage2Epochs > 0:
		epochs += float64(c.Stage2Epochs) / 3
	}
	return epochs * float64(n)
}

// Speed measures how many images a second the configured model trains on now,
// forwards and backwards, in steps of random images over about so long.
func (c Config) Speed(s *Source, about time.Duration) (perSecond float64, err error) {
	m, err := NewModel(c, s)
	if err != nil {
		return 0, err
	}
	n := min(c.Batch, s.Train.Len())
	shape := s.Train.Shape()
	x, y, w := make([]float32, n*shape.Size()), make([]int64, n), make([]float32, n)
	for i := range x {
		x[i] = float32(i%7)/3 - 1
	}
	for i := range w {
		w[i] = 1
	}
	var images *tensor.Tensor
	if len(shape) == 3 {
		images = tensor.OfImages(x, n, shape[0], shape[1], shape[2])
	} else {
		images = tensor.Of(x, n, shape[0])
	}
	var tape autograd.Tape
	sgd := &optim.SGD{Params: optim.All(nn.Params(m)), Momentum: c.Momentum}
	var began time.Time
	for steps := -1; ; steps++ { // the first warms up
		if steps == 0 {
			began = time.Now()
		}
		if spent := time.Since(began); steps > 0 && spent > about {
			return float64(steps*n) / spent.Seconds(), nil
		}
		sgd.Step(1e-6, func(int) *autograd.Var {
			tape.Reset()
			p := c.pass()
			p.Train = true
			l := autograd.CrossEntropy(m.Forward(&p, tape.Watch(images)), tensor.Of(y, n))
			tape.Backward(l)
			return l
		})
	}
}

// RunDir is where a plan keeps the run of a configuration that goes by name: a
// folder of parent for each.
func RunDir(parent, name string, seed uint64) string {
	return filepath.Join(parent, fmt.Sprintf("%s-seed%d", name, seed))
}
