package train

import (
	"math/rand/v2"

	"phase/autograd"
	"phase/kernels"
	"phase/nn"
	"phase/phase"
	"phase/phase/data"
	"phase/phase/kind"
	"phase/tensor"
)

// An Objective is what a step of stage 1 minimises. The plain one is the reduced
// loss of one batch; others mix batches, add a branch or weigh samples anew in
// every step.
type Objective interface {
	// Begin makes the step's function for a run.
	Begin(s *Setup) (func(*Step) (loss, logits *autograd.Var), error)
}

// Objectives is the table of objectives. A method adds its own.
var Objectives = &kind.Table[Objective]{What: "objective"}

var _ = Objectives.Add(kind.Kind[Objective]{Name: "plain", Doc: "the reduced loss of the batch", Of: plain{}})

type plain struct{}

func (plain) Begin(*Setup) (func(*Step) (loss, logits *autograd.Var), error) {
	return func(s *Step) (loss, logits *autograd.Var) {
		features, logits := s.Forward(s.X)
		return s.Loss(features, logits, s.Y, s.Weights), logits
	}, nil
}

// A Setup is what an objective may look at before the first step, and where it
// says what it needs besides the model and one batch a step.
type Setup struct {
	Config      Config
	Model       nn.Model
	Shape       tensor.Shape // of a sample: (c,h,w), or (d) of feature rows
	Counts      []int        // training images of each class
	Rand        *rand.Rand   // for the first values of parameters of its own
	Calibration data.Dataset // images kept apart; nil without --calibration

	// Beside lists modules to train with the model: their parameters are
	// optimized and saved in checkpoints, but are no part of the model that the
	// run ends with.
	Beside []Part
	// Other asks for a second batch in every step; nil goes without.
	Other *Draws
	// Twice asks for a second view of every training batch: the same images,
	// augmented anew.
	Twice bool
}

// A Part is a module that a stage trains beside the model, by its name.
type Part struct {
	Name   string
	Module any
}

// Draws says where the second batch of a step comes from. It is as large as the
// first.
type Draws struct {
	By   Sampler
	From data.Dataset // of images that are not augmented; nil: the training images, augmented as those of the first batch
}

// A Step is what one step of training sees. Its function may be called twice for
// one step, at different parameters: both calls must draw the same.
type Step struct {
	Pass    *nn.Pass // in training mode
	Tape    *autograd.Tape
	Model   nn.Model
	X       *tensor.Tensor // images (n,c,h,w), or features (n,d)
	Y       *tensor.Tensor // labels (n)
	Weights []float32      // of the samples
	Counts  []int

	// What the objective asked for.
	XAgain       *tensor.Tensor // the second view of X
	Other        *data.Batch    // the second batch
	OtherWeights []float32      // of its samples: ones of those that are no training images
	OtherAgain   *tensor.Tensor // the second view of Other.X

	Epoch, Epochs int // of the stage, counted from 0

	By   phase.Loss // the run's loss, behind Each and Loss
	Mean bool       // the reduction divides by n, not by the sum of weights
	Seed uint64     // of Rand
}

// Progress is how much of the stage is over, 0 to below 1.
func (s *Step) Progress() float64 { return float64(s.Epoch) / float64(s.Epochs) }

// Rand is random numbers of this step, the same at every call.
func (s *Step) Rand() *rand.Rand { return rand.New(rand.NewPCG(s.Seed, 3)) }

// Forward is the features and logits of images x.
func (s *Step) Forward(x *tensor.Tensor) (features, logits *autograd.Var) {
	features = s.Model.Features(s.Pass, s.Tape.Watch(x))
	return features, s.Model.Head().Forward(s.Pass, features)
}

// Each is the run's loss of each sample times its weight, (n).
func (s *Step) Each(features, logits *autograd.Var, labels *tensor.Tensor, weights []float32) *autograd.Var {
	w := tensor.Of(weights, len(weights))
	if d := logits.Value.DType(); d != tensor.F32 {
		w = tensor.New(w.Device(), d, len(weights))
		kernels.For(w).Cast(w, tensor.Of(weights, len(weights)))
	}
	return s.By.Each(phase.Batch{Logits: logits, Features: features, Labels: labels, Weights: w, Counts: s.Counts})
}

// Loss is the run's loss of a batch, reduced as the run says.
func (s *Step) Loss(features, logits *autograd.Var, labels *tensor.Tensor, weights []float32) *autograd.Var {
	by := float64(len(weights))
	if !s.Mean {
		by = sum(weights)
	}
	return autograd.Scale(autograd.Sum(s.Each(features, logits, labels, weights)), 1/by)
}
