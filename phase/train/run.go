package train

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"

	"phase/autograd"
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
	Dir     string        // the run directory
	Resume  bool          // go on with the run in Dir
	Force   bool          // start anew in Dir even if a run is there
	Stage1  string        // begin with stage 2, where the run in this directory stood at that epoch
	Workers int           // goroutines that prepare batches
	Version string        // of the program, for config.json
	Device  tensor.Device // where to compute; nil is the host
	Report  func(Event)   // called after every step and every epoch; nil says nothing
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

	under    *Step          // the step under way, or the last
	resident *data.Resident // the training images on a device that makes batches of them, or nil
	frozen   *frozen        // cached features of a frozen extractor, or nil
	logits   *tensor.Tensor // kept for a step of two passes
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
	if r.o.Device == nil {
		r.o.Device = tensor.CPU
	}
	var res *Result
	if failed := caught(func() { res, err = r.all(ctx) }); failed != nil {
		return nil, r.explain(failed)
	}
	return res, err
}

func (r *run) all(ctx context.Context) (*Result, error) {
	nn.To(r.model, r.o.Device)
	if err := r.begin(); err != nil {
		return nil, err
	}
	for r.at.Epoch < r.c.Epochs {
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
		c := r.c
		c.Device = old.Config.Device // it goes on wherever there is a device
		if d := old.Config.Differences(c); len(d) > 0 {
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
		if batch.Pick != nil {
			batch.X = r.resident.Batch(batch.Pick)
		}
		step := r.stepOn(batch)
		r.under = step
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
