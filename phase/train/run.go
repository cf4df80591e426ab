package train

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"time"

	"phase/autograd"
	"phase/kernels"
	"phase/nn"
	"phase/optim"
	"phase/phase"
	"phase/phase/data"
	"phase/phase/longtail"
	"phase/tensor"
)

// ErrInterrupted is what Run returns after its context was cancelled and its
// work saved: the run can be resumed.
var ErrInterrupted = errors.New("interrupted, and saved")

// Options are what a run may differ in without differing in its result.
type Options struct {
	Dir     string      // the run directory
	Resume  bool        // go on with the run in Dir
	Force   bool        // start anew in Dir even if a run is there
	Stage1  string      // begin with stage 2, where the run in this directory stood at that epoch
	Workers int         // goroutines that prepare batches
	Version string      // of the program, for config.json
	Report  func(Event) // called after every step and every epoch; nil says nothing
}

// An Event is what a run reports while it goes on.
type Event struct {
	Stage           string
	Epoch, Epochs   int // Epoch counted from 1, over all stages
	Step, Steps     int
	Loss            float64
	ImagesPerSecond float64
	Done            *Epoch // set when the epoch has ended
	Note            string // something worth a line, such as what stage 2's weights are
}

// A run is one training under way.
type run struct {
	c   Config
	o   Options
	s   *Source
	dir *runDir

	model nn.Model
	opt   optim.Optimizer // of what the present stage trains
	tape  autograd.Tape
	eval  autograd.Tape

	// Where the run stands: everything that a checkpoint holds besides the
	// tensors.
	at      position
	history []Epoch
	stages  []StageResult
	saved   int               // the epoch after which the checkpoint was written
	last    longtail.Accuracy // what the last evaluation found, by class
	weights *weights          // of the present stage; nil weighs all alike
	chosen  []Chosen          // on the calibration images so far

	// What the present stage does, made by enter.
	loss   phase.Loss
	step1  func(*Step) (loss, logits *autograd.Var) // the objective's
	asked  *Setup                                   // what it asked for
	parts  []Part                                   // modules trained beside the model
	scales *scales                                  // one of them, in a stage 2 that has it

	frozen *frozen // cached features of a frozen extractor, or nil
}

// scales is a factor for the logit of each class (LWS).
type scales struct {
	Scale *autograd.Var // (1,C)
}

// A position is the next step to take and the sums over the epoch so far.
type position struct {
	Epoch   int     `json:"epoch"` // counted from 0
	Step    int     `json:"step"`
	Loss    float64 `json:"loss"` // sum over images
	Right   int     `json:"right"`
	Seen    int     `json:"seen"`
	Seconds float64 `json:"seconds"` // spent in this epoch
	Total   float64 `json:"total_seconds"`
}

// Run trains as c says on s, in the directory that o names, and returns what
// came of it. Cancelling ctx stops it after the step under way, with a
// checkpoint, and ErrInterrupted.
func Run(ctx context.Context, c Config, s *Source, o Options) (*Result, error) {
	dir, err := openDir(o.Dir, o.Resume, o.Force)
	if err != nil {
		return nil, err
	}
	defer dir.close()
	r := &run{c: c, o: o, s: s, dir: dir}
	if r.o.Report == nil {
		r.o.Report = func(Event) {}
	}
	if r.model, err = NewModel(c, s); err != nil {
		return nil, err
	}
	if err := r.begin(); err != nil {
		return nil, err
	}
	for r.at.Epoch < c.Epochs {
		if err := r.epoch(ctx); err != nil {
			return nil, err
		}
	}
	return r.finish(ctx)
}

// NewModel makes the configured model for the data, with weights of the
// configured seed.
func NewModel(c Config, s *Source) (nn.Model, error) {
	shape := s.Train.Shape()
	if len(shape) == 1 { // feature rows
		shape = tensor.Shape{shape[0], 1, 1}
	}
	if shape[1] != shape[2] {
		return nil, fmt.Errorf("the images of %s are %d high and %d wide, and the models take square ones: set --size", c.Data, shape[1], shape[2])
	}
	m, err := nn.New(c.Model, nn.Config{Width: c.Width, Classes: len(s.Counts), Channels: shape[0], Size: shape[1], Cosine: c.cosine(), Seed: c.Seed})
	if err != nil {
		return nil, fmt.Errorf("--model %s on %s: %v", c.Model, c.Data, err)
	}
	return m, nil
}

// begin writes or checks config.json, and restores the checkpoint of a run
// that is resumed.
func (r *run) begin() error {
	hash, err := r.s.Manifest.Hash()
	if err != nil {
		return err
	}
	h := header{Schema: Schema, Version: r.o.Version, DataSHA256: r.s.Checksum, ManifestHash: hash, Config: r.c}
	if r.o.Stage1 != "" && !r.o.Resume {
		if h.Stage1, err = r.checkStage1(h); err != nil {
			return err
		}
	}
	if r.o.Resume {
		old, err := readHeader(r.dir.path)
		if err != nil {
			return err
		}
		if d := old.Config.Differences(r.c); len(d) > 0 {
			return fmt.Errorf("%s was started with other settings (then, now): %s", r.dir.path, d[0])
		}
		if old.DataSHA256 != h.DataSHA256 || old.ManifestHash != hash {
			return fmt.Errorf("%s was started on other data: %s has changed since", r.dir.path, r.c.Data)
		}
		// A run that was killed before its first checkpoint begins anew.
		if _, err := os.Stat(r.dir.file(CheckpointFile)); !errors.Is(err, fs.ErrNotExist) {
			from, err := readCheckpoint(r.dir.file(CheckpointFile))
			if err != nil {
				return err
			}
			return r.restore(from)
		}
		h.Stage1 = old.Stage1
	}
	if err := r.enter(); err != nil { // an objective may refuse: before anything is written
		return err
	}
	if !r.o.Resume {
		if err := WriteJSON(r.dir.file(ConfigFile), h); err != nil {
			return err
		}
	}
	if h.Stage1 != nil {
		return r.takeStage1(h.Stage1)
	}
	return r.save(CheckpointFile)
}

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

// epoch trains one epoch, from the step where it stands, and ends with a
// checkpoint.
func (r *run) epoch(ctx context.Context) error {
	if r.at.Step == 0 && r.at.Epoch == r.c.firstOfStage2() && r.c.Stage2Epochs > 0 && r.at.Epoch > 0 {
		if err := r.chooseStage2(ctx); err != nil {
			return r.stopped(err)
		}
		if err := r.enterStage2(); err != nil {
			return err
		}
	}
	lr, err := r.train(ctx)
	if err != nil {
		return r.stopped(err)
	}
	return r.endEpoch(lr)
}

// train takes the steps of the present epoch that are left.
func (r *run) train(ctx context.Context) (lr float64, err error) {
	if r.at.Step == 0 {
		if err := r.weigh(ctx); err != nil {
			return 0, err
		}
	}
	loader, err := r.loader(ctx)
	if err != nil {
		return 0, err
	}
	beside, done := r.beside(ctx, loader)
	defer done()
	lr, steps := r.c.LearningRate(r.at.Epoch), loader.Len()
	began, before, seen := time.Now(), r.at.Seconds, r.at.Seen
	defer func() { r.at.Seconds = before + time.Since(began).Seconds() }()
	for batch, err := range loader.Epoch(ctx, r.at.Epoch, r.at.Step) {
		if err != nil {
			return 0, err
		}
		step := r.stepOn(batch)
		if err := beside(step); err != nil {
			return 0, err
		}
		loss, right, err := r.step(step, lr)
		if err != nil {
			return 0, err
		}
		n := batch.Y.Size()
		r.at.Step, r.at.Loss, r.at.Right, r.at.Seen = r.at.Step+1, r.at.Loss+loss*float64(n), r.at.Right+right, r.at.Seen+n
		r.o.Report(Event{Stage: r.stage(), Epoch: r.at.Epoch + 1, Epochs: r.c.Epochs, Step: r.at.Step, Steps: steps, Loss: loss,
			ImagesPerSecond: float64(r.at.Seen-seen) / time.Since(began).Seconds()})
		if ctx.Err() != nil && r.at.Step < steps {
			return 0, ctx.Err()
		}
	}
	return lr, nil
}

// endEpoch evaluates, records and saves, and moves on to the next epoch.
func (r *run) endEpoch(lr float64) error {
	seconds := r.at.Seconds
	e := Epoch{Schema: Schema, Stage: r.stage(), Epoch: r.at.Epoch + 1, LR: lr, Seconds: seconds,
		Loss: r.at.Loss / float64(r.at.Seen), TrainAccuracy: float64(r.at.Right) / float64(r.at.Seen), ImagesPerSecond: float64(r.at.Seen) / seconds}
	last := e.Epoch == r.c.Epochs || e.Epoch == r.c.firstOfStage2()
	if last || e.Epoch%r.c.EvalEvery == 0 {
		acc, err := r.evaluate(context.Background()) // an interrupt comes between epochs
		if err != nil {
			return err
		}
		e.Test = &acc
	}
	if e.Test != nil {
		r.last = *e.Test
		short := summary(r.last)
		e.Test = &short
	}
	if last {
		r.stages = append(r.stages, StageResult{Name: e.Stage, Epochs: e.Epoch - r.epochsBefore(), Loss: e.Loss, Accuracy: *e.Test})
	}
	r.history = append(r.history, e)
	r.at = position{Epoch: e.Epoch, Total: r.at.Total + seconds}
	if last || e.Epoch%r.c.CheckpointEvery == 0 {
		if err := r.save(CheckpointFile); err != nil {
			return err
		}
		if err := r.dir.writeMetrics(r.history); err != nil {
			return err
		}
	}
	if e.Epoch < r.c.Epochs && r.c.forks(e.Epoch) {
		if err := r.save(forkFile(e.Epoch)); err != nil {
			return err
		}
	}
	r.o.Report(Event{Stage: e.Stage, Epoch: e.Epoch, Epochs: r.c.Epochs, Done: &e})
	return nil
}

func (r *run) epochsBefore() int {
	n := 0
	for _, s := range r.stages {
		n += s.Epochs
	}
	return n
}

// summary is an accuracy without its tables.
func summary(a longtail.Accuracy) longtail.Accuracy {
	a.PerClass, a.Confusion = nil, nil
	return a
}

// stopped saves the run if err is an interrupt. At the beginning of an epoch that
// was saved there is nothing new, and between the stages what the checkpoint has
// of stage 1 may be gone.
func (r *run) stopped(err error) error {
	if !errors.Is(err, context.Canceled) && !errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	if r.at.Step > 0 || r.saved != r.at.Epoch {
		if err := r.save(CheckpointFile); err != nil {
			return err
		}
	}
	if err := r.dir.writeMetrics(r.history); err != nil {
		return err
	}
	return ErrInterrupted
}

// stepOn is the present step, on this batch.
func (r *run) stepOn(b *data.Batch) *Step {
	s := &Step{Tape: &r.tape, Model: r.model, X: b.X, Y: b.Y, Weights: r.weights.of(b), Counts: r.s.Counts,
		Epoch: r.at.Epoch, Epochs: r.c.firstOfStage2(), By: r.loss, Mean: r.c.Reduction == string(phase.Mean),
		Seed: r.c.Seed ^ uint64(r.at.Epoch)<<32 ^ uint64(r.at.Step)}
	if r.second() {
		s.Epoch, s.Epochs = r.at.Epoch-r.c.firstOfStage2(), r.c.Stage2Epochs
	}
	return s
}

// step takes a step and returns its loss and how many of its batch were right.
func (r *run) step(s *Step, lr float64) (loss float64, right int, err error) {
	loss = r.opt.Step(lr, func(pass int) float64 {
		r.tape.Reset()
		p := r.c.pass()
		p.Train, p.Frozen, p.Seed = true, pass > 0, s.Seed
		s.Pass = &p
		var l, logits *autograd.Var
		if r.second() {
			l, logits = r.step2(s)
		} else {
			l, logits = r.step1(s)
		}
		if pass == 0 {
			right = hits(logits.Value, s.Y)
		}
		r.tape.Backward(l)
		if r.c.Clip > 0 {
			r.opt.Parameters().ClipNorm(r.c.Clip)
		}
		return l.Item()
	})
	if math.IsNaN(loss) || math.IsInf(loss, 0) {
		return 0, 0, fmt.Errorf("the loss became %g in epoch %d, step %d, at learning rate %g: a smaller --lr may help; the last good checkpoint, after epoch %d, is in %s",
			loss, r.at.Epoch+1, r.at.Step+1, lr, r.saved, r.dir.path)
	}
	return loss, right, nil
}

// step2 is a step of stage 2: of the whole model, of the head on the frozen
// extractor's features, or of the head on cached ones.
func (r *run) step2(s *Step) (loss, logits *autograd.Var) {
	var features *autograd.Var
	switch {
	case r.frozen != nil:
		features = r.tape.Watch(s.X)
	case r.c.Freeze:
		r.eval.Reset()
		eval := r.c.pass()
		eval.Train, eval.Frozen = r.c.NormShift, s.Pass.Frozen
		f := r.model.Features(&eval, r.eval.Watch(s.X))
		features = r.tape.Watch(f.Value)
	default:
		features = r.model.Features(s.Pass, r.tape.Watch(s.X))
	}
	logits = r.scaled(r.model.Head().Forward(s.Pass, features))
	return s.Loss(features, logits, s.Y, s.Weights), logits
}

// scaled is the logits times the factors of their classes, where there are any.
func (r *run) scaled(logits *autograd.Var) *autograd.Var {
	if r.scales == nil {
		return logits
	}
	return autograd.Mul(logits, r.scales.Scale)
}

func sum(w []float32) (s float64) {
	for _, v := range w {
		s += float64(v)
	}
	return s
}

// hits counts the rows of logits (n,k) whose largest element is the label's.
func hits(logits, labels *tensor.Tensor) (n int) {
	y := tensor.Data[int64](labels)
	for i, p := range argmax(logits) {
		if int64(p) == y[i] {
			n++
		}
	}
	return n
}

// argmax is the position of the first largest element of each row of x (n,k).
func argmax(x *tensor.Tensor) []int {
	k, v := x.Dim(1), tensor.Data[float32](x)
	out := make([]int, x.Dim(0))
	for i := range out {
		row := v[i*k : (i+1)*k]
		for j := range row {
			if row[j] > row[out[i]] {
				out[i] = j
			}
		}
	}
	return out
}

// finish writes the model, the weights and the result.
func (r *run) finish(ctx context.Context) (*Result, error) {
	r.fold()
	if err := r.adjust(ctx); errors.Is(err, context.Canceled) {
		return nil, ErrInterrupted // the last epoch's checkpoint stands
	} else if err != nil {
		return nil, err
	}
	res := &Result{
		Schema: Schema, Method: r.c.Method, Data: r.c.Data, Imbalance: r.c.Imbalance, Model: r.c.Model, Width: r.c.Width, Seed: r.c.Seed,
		Device:      kernels.For(r.opt.Parameters()[0].Var.Value).String(),
		TrainImages: r.s.Train.Len(), TestImages: r.s.Test.Len(), SkippedImages: len(r.s.Skipped), Classes: len(r.s.Counts), Counts: r.s.Counts,
		Stages: r.stages, Accuracy: r.last, Chosen: r.chosen, Seconds: r.at.Total,
	}
	scores, err := r.scores(context.Background()) // an interrupt came before or does not come
	if err != nil {
		return nil, err
	}
	c, err := longtail.Calibrate(scores)
	if err != nil {
		return nil, err
	}
	res.Calibration = &c
	if res.Margins, err = longtail.Margins(scores, len(r.s.Counts)); err != nil {
		return nil, err
	}
	var rates []float64
	for _, e := range r.history {
		if e.Test != nil && e.Test.Overall > res.Best.Overall {
			res.Best = Best{Epoch: e.Epoch, Overall: e.Test.Overall}
		}
		if e.Epoch <= r.c.firstOfStage2() || r.c.firstOfStage2() == 0 {
			rates = append(rates, e.ImagesPerSecond)
		}
	}
	slices.Sort(rates)
	res.ImagesPerSecond = rates[len(rates)/2]
	settled := r.c
	settled.Choose = "" // what was chosen is among the parameters
	if err := saveModel(r.dir.file(ModelFile), settled, r.s, r.model); err != nil {
		return nil, err
	}
	if err := r.writeWeights(); err != nil {
		return nil, err
	}
	if err := r.dir.writeMetrics(r.history); err != nil {
		return nil, err
	}
	return res, WriteJSON(r.dir.file(ResultFile), res)
}

// fold makes the factors of the classes part of the classifier: s(w·x + b) is
// (sw)·x + sb.
func (r *run) fold() {
	if r.scales == nil {
		return
	}
	h, s := r.model.Head().(*nn.Linear), tensor.Data[float32](r.scales.Scale.Value)
	w, b := tensor.Data[float32](h.Weight.Value), tensor.Data[float32](h.Bias.Value)
	d := len(w) / len(s)
	for j, f := range s {
		b[j] *= f
		for k := range d {
			w[j*d+k] *= f
		}
	}
	r.scales = nil
}
