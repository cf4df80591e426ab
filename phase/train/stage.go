package train

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"

	"phase/autograd"
	"phase/nn"
	"phase/optim"
	"phase/tensor"
)

// firstOfStage2 is the first epoch of stage 2, or Epochs if there is none.
func (c Config) firstOfStage2() int { return c.Epochs - c.Stage2Epochs }

// second reports whether the run is in stage 2.
func (r *run) second() bool { return r.at.Epoch >= r.c.firstOfStage2() }

// stage is the present stage's name: what it does unlike cross-entropy on
// shuffled images.
func (r *run) stage() string {
	var words []string
	say := func(word, usual string) {
		if word != usual {
			words = append(words, word)
		}
	}
	if r.second() {
		say(r.c.Stage2Loss, "ce")
		say(r.c.Stage2Weights, "none")
		say(r.c.Stage2Sampler, "shuffle")
		if r.c.ClassScales != "none" {
			words = append(words, "scales")
		}
	} else {
		say(r.c.Objective, "plain")
		say(r.c.Loss, "ce")
		say(r.c.Stage1Weights, "none")
		say(r.c.Sampler, "shuffle")
	}
	if words == nil {
		return "ce"
	}
	return strings.Join(words, "+")
}

// enter prepares the loss, the parameters and the optimizer of the stage that
// the present epoch belongs to. A stage 2 that freezes the extractor has buffers
// of its own; one that does not goes on with those of stage 1.
func (r *run) enter() (err error) {
	if r.second() {
		r.loss, err = r.c.Loss2()
	} else {
		r.loss, err = r.c.Loss1()
	}
	if err != nil {
		return err
	}
	params := optim.All(nn.Params(r.model))
	if r.second() {
		params = r.enterParts2(params)
	} else if err := r.enterObjective(); err != nil {
		return err
	}
	for _, p := range r.parts {
		nn.To(p.Module, r.o.Device)
		for _, v := range optim.All(nn.Params(p.Module)) {
			params = append(params, optim.Param{Name: p.Name + "." + v.Name, Var: v.Var})
		}
	}
	var base optim.Optimizer
	if r.c.Optimizer == "adamw" {
		base = &optim.AdamW{Params: params, Decay: r.c.WeightDecay}
	} else {
		base = &optim.SGD{Params: params, Momentum: r.c.Momentum, Nesterov: r.c.Nesterov, Decay: r.c.WeightDecay}
	}
	r.opt = base
	if r.c.SAM > 0 {
		r.opt = &optim.SAM{Rho: r.c.SAM, Base: base}
	}
	return nil
}

// enterObjective begins stage 1's objective.
func (r *run) enterObjective() error {
	o, err := r.c.objective()
	if err != nil {
		return err
	}
	s := &Setup{Config: r.c, Model: r.model, Shape: r.s.Train.Shape(), Counts: r.s.Counts, Rand: rand.New(rand.NewPCG(r.c.Seed, 5)), Calibration: r.s.Calibration}
	if r.step1, err = o.Begin(s); err != nil {
		return fmt.Errorf("--objective %s: %w", r.c.Objective, err)
	}
	r.asked, r.parts = s, s.Beside
	return nil
}

// enterParts2 chooses what stage 2 trains among the model's parameters, and
// what besides.
func (r *run) enterParts2(params optim.Params) optim.Params {
	r.parts, r.scales = nil, nil
	if r.c.ClassScales != "none" {
		one := slices.Repeat([]float32{1}, len(r.s.Counts))
		r.scales = &scales{Scale: autograd.Param(tensor.Of(one, 1, len(one)))}
		r.parts = []Part{{"classes", r.scales}}
	}
	if !r.c.Freeze {
		return params
	}
	ofHead := map[*autograd.Var]bool{}
	for _, v := range nn.Params(r.model.Head()) {
		ofHead[v] = r.c.ClassScales != "alone"
	}
	for i := range params {
		params[i].Rate = r.c.Stage2HeadRate
	}
	return slices.DeleteFunc(params, func(p optim.Param) bool { return !ofHead[p.Var] })
}

// enterStage2 does what happens once, between the stages.
func (r *run) enterStage2() error {
	if r.c.Reinit {
		r.model.Head().Reset(rand.New(rand.NewPCG(r.c.Seed, 2)))
	}
	if r.c.Freeze || r.c.Reinit || len(r.parts) > 0 {
		return r.enter()
	}
	loss, err := r.c.Loss2()
	r.loss = loss
	return err
}
