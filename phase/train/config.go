package train

import (
	"fmt"
	"math"
	"reflect"
	"slices"
	"strings"

	"phase/kernels"
	"phase/nn"
	"phase/optim"
	"phase/phase"
	"phase/phase/data"
	"phase/phase/longtail"
	"phase/tensor"
)

// Config is every setting of a run. The tags are the single source of the
// command's flags, of the keys of settings files and of config.json: name is
// the setting's name in all three (config.json writes - as _), group and help
// are for people.
type Config struct {
	Method string `name:"method" group:"Run" help:"preset: see phase train --methods"`
	Seed   uint64 `name:"seed" group:"Run" help:"of the initial weights, the order of images and their augmentation"`

	Data       string  `name:"data" group:"Data" help:"name (fashion, cifar10, cifar100, tinyimagenet) or folder:DIR, list:FILE, idx:DIR, features:FILE.npz"`
	Imbalance  float64 `name:"imbalance" group:"Data" help:"imbalance factor: largest class over smallest; 1 takes the data as it is"`
	Profile    string  `name:"profile" group:"Data" help:"shape of the tail: exp or step"`
	SubsetSeed uint32  `name:"subset-seed" group:"Data" help:"which images of a class stay (NumPy's shuffle of this seed), and which are held out"`
	Limit      int     `name:"limit" group:"Data" help:"about this many training and this many test images, every class kept; 0 takes all"`
	Holdout    float64 `name:"holdout" group:"Data" help:"share of each class held out as test set where the data has none"`
	Size       int     `name:"size" group:"Data" help:"height and width that images are resized to; 0 keeps their own"`
	MaxPixels  int     `name:"max-pixels" group:"Data" help:"largest image file accepted, in pixels"`
	SkipBad    bool    `name:"skip-bad" group:"Data" help:"leave out unreadable image files and count them"`
	Many       int     `name:"many" group:"Data" help:"classes with more training images than this are many-shot"`
	Few        int     `name:"few" group:"Data" help:"classes with fewer training images than this are few-shot"`
	Augment    string  `name:"augment" group:"Data" help:"none, or a list of crop-flip, crop, flip, jitter"`

	Model string `name:"model" group:"Model" help:"resnet8, 20, 32, 44, 56, 110, resnet50, mlp or linear"`
	Width int    `name:"width" group:"Model" help:"filters of the first stage, units of a layer of the mlp; 0 is the model's usual"`

	Precision   string  `name:"precision" group:"Training" help:"form of a ResNet's images and their gradients between ops: f32, or bf16 in half the memory (arithmetic and parameters stay f32)"`
	Epochs      int     `name:"epochs" group:"Training" help:"epochs of all stages together"`
	Batch       int     `name:"batch" group:"Training" help:"images in a batch"`
	Optimizer   string  `name:"optimizer" group:"Training" help:"sgd or adamw"`
	LR          float64 `name:"lr" group:"Training" help:"learning rate after warm-up"`
	Momentum    float64 `name:"momentum" group:"Training" help:"of SGD, 0 to 1"`
	Nesterov    bool    `name:"nesterov" group:"Training" help:"Nesterov momentum"`
	WeightDecay float64 `name:"weight-decay" group:"Training" help:"added to the gradient as decay times weight (AdamW: decoupled)"`
	Clip        float64 `name:"clip" group:"Training" help:"largest norm of the gradient; 0 does not clip"`
	SAM         float64 `name:"sam" group:"Training" help:"radius rho of sharpness-aware minimisation; 0 is without"`
	Schedule    string  `name:"schedule" group:"Training" help:"multistep or cosine"`
	Warmup      int     `name:"warmup" group:"Training" help:"epochs of linear warm-up"`
	Milestones  []int   `name:"milestones" group:"Training" help:"epochs after which the learning rate drops"`
	LRFactor    float64 `name:"lr-factor" group:"Training" help:"by which it drops at each milestone"`

	GammaPos     float64 `name:"gamma-pos" group:"Stage 1: the loss" help:"DAW's exponent of the true class, focal loss's gamma"`
	GammaNeg     float64 `name:"gamma-neg" group:"Stage 1: the loss" help:"DAW's exponent of the other classes; acts through smoothing only"`
	Smooth       float64 `name:"smooth" group:"Stage 1: the loss" help:"label smoothing, 0 to 1"`
	Form         string  `name:"form" group:"Stage 1: the loss" help:"reading of DAW: asl, eq3 or eq1"`
	Detach       bool    `name:"detach" group:"Stage 1: the loss" help:"no gradient through the modulation"`
	Stage1Weight string  `name:"stage1-weights" group:"Stage 1: the loss" help:"class weights: none, inverse, effective or adrw"`

	Stage2          string  `name:"stage2-weights" group:"Stage 2: the weights" help:"none (no second stage), inverse, effective, adrw, area or msr"`
	Stage2Epochs    int     `name:"stage2-epochs" group:"Stage 2: the weights" help:"epochs of stage 2; by default a quarter with a rate of its own, else what follows the first milestone"`
	Stage2LR        float64 `name:"stage2-lr" group:"Stage 2: the weights" help:"its learning rate, a hundredth in the second half; 0 goes on with the schedule"`
	Stage2Augment   string  `name:"stage2-augment" group:"Stage 2: the weights" help:"same as in stage 1, or none: with --freeze features are then computed once"`
	Freeze          bool    `name:"freeze" group:"Stage 2: the weights" help:"train the classifier alone, on features in evaluation mode"`
	Reinit          bool    `name:"reinit" group:"Stage 2: the weights" help:"start the classifier anew instead of going on"`
	Recompute       bool    `name:"recompute" group:"Stage 2: the weights" help:"compute the weights anew before every epoch instead of once"`
	FeaturesAugment bool    `name:"features-augment" group:"Stage 2: the weights" help:"compute the weights from augmented images"`
	Reduction       string  `name:"reduction" group:"Stage 2: the weights" help:"of weighted losses: weighted-mean (over the sum of weights) or mean (Eq 14's 1/N)"`
	Gamma           float64 `name:"gamma" group:"Stage 2: the weights" help:"exponent of the global weight (Eq 8), also of adrw"`
	Alpha           float64 `name:"alpha" group:"Stage 2: the weights" help:"share of the global weight (Eq 13), 0 to 1"`
	Local           string  `name:"local" group:"Stage 2: the weights" help:"reading of the local weight: area-shift, area, shift, clamp, abs, rms or literal"`
	Block           int     `name:"block" group:"Stage 2: the weights" help:"samples in a block of the effective area"`
	LocalClip       float64 `name:"local-clip" group:"Stage 2: the weights" help:"keeps area-shift's sample factors within 1/clip to clip; 0 does not"`
	Beta            float64 `name:"beta" group:"Stage 2: the weights" help:"of the effective number of samples, 0 to 1"`

	EvalEvery       int    `name:"eval-every" group:"Run" help:"epochs between evaluations on the test set"`
	CheckpointEvery int    `name:"checkpoint-every" group:"Run" help:"epochs between checkpoints"`
	Device          string `name:"device" group:"Run" help:"cpu"`
}

// Recipe is the configuration for a data set before a method has changed it:
// for CIFAR the paper's, for the embedded data one of some seconds.
func Recipe(dataset string) Config {
	c := Config{
		Method: "phase", Seed: 1, Data: dataset, Imbalance: 1, Profile: string(longtail.Exp), Holdout: .2, MaxPixels: data.MaxPixels, Many: 100, Few: 20, Augment: "crop-flip",
		Model: "resnet8", Precision: "f32",
		Epochs: 200, Batch: 128, Optimizer: "sgd", LR: .1, Momentum: .9, WeightDecay: 5e-4, Schedule: "multistep", Warmup: 5, LRFactor: .01,
		Form: "asl", Stage1Weight: "none",
		Stage2: "none", Stage2Epochs: -1, Stage2Augment: "same", Freeze: true, Reduction: string(phase.WeightedMean), Gamma: 1, Alpha: .8, Local: string(phase.AreaShift), Block: 128, Beta: .9999,
		EvalEvery: 1, CheckpointEvery: 1, Device: "cpu",
	}
	switch name, _, _ := strings.Cut(dataset, ":"); name {
	case "cifar10", "cifar100":
		c.Model = "resnet32"
	case "tinyimagenet":
		c.Model, c.Epochs, c.WeightDecay = "resnet50", 100, 2e-4
	case "features":
		c.Model, c.Augment, c.Epochs, c.Warmup, c.LRFactor, c.Stage2LR = "linear", "none", 40, 0, .1, .01
	default:
		c.Epochs, c.Warmup, c.Batch, c.LRFactor, c.Stage2Augment, c.Stage2LR = 40, 2, 64, .1, "none", .01
	}
	return c
}

// Defaults is the recipe for a data set as a method's preset changes it. What
// depends on other settings (the milestones, the length of stage 2) is left
// open: Resolve fills it in.
func Defaults(method, dataset string) (Config, error) {
	c := Recipe(dataset)
	p, err := FindPreset(method)
	if err != nil {
		return c, err
	}
	c.Method = p.Name
	p.Set(&c)
	return c, nil
}

// Resolve fills in what was left open and checks every setting. Errors name
// the setting by its flag, its value and its range.
func (c *Config) Resolve() error {
	if m, err := nn.Resolve(c.Model, nn.Config{Classes: 1}); err == nil && c.Width == 0 {
		c.Width = m.Width
	}
	switch {
	case c.Stage2 == "none":
		c.Stage2Epochs, c.Stage2LR = 0, 0
	case c.Stage2Epochs < 0 && c.Stage2LR > 0:
		c.Stage2Epochs = (c.Epochs + 3) / 4
	}
	if c.Milestones == nil {
		first, second := .7, .9
		if c.LRFactor <= .01 { // the paper's recipe: 160 and 180 of 200
			first = .8
		}
		n := float64(c.scheduled())
		c.Milestones = slices.Compact([]int{int(first * n), int(second * n)})
	}
	if c.Stage2Epochs < 0 && len(c.Milestones) > 0 {
		c.Stage2Epochs = c.Epochs - c.Milestones[0]
	}
	if c.Warmup > c.Epochs/4 {
		c.Warmup = c.Epochs / 4
	}
	return c.check()
}

// scheduled is the number of epochs that the schedule spans: all, or those of
// stage 1 if stage 2 has a learning rate of its own.
func (c Config) scheduled() int {
	if c.Stage2LR > 0 {
		return c.Epochs - c.Stage2Epochs
	}
	return c.Epochs
}

// A bound is the range of one number.
type bound struct {
	name           string
	v              float64
	lo, hi         float64
	loOpen, hiOpen bool // the ends are not in the range
}

func (b bound) String() string {
	switch {
	case math.IsInf(b.hi, 1) && b.loOpen:
		return fmt.Sprintf("more than %g", b.lo)
	case math.IsInf(b.hi, 1):
		return fmt.Sprintf("at least %g", b.lo)
	case b.hiOpen:
		return fmt.Sprintf("%g to below %g", b.lo, b.hi)
	}
	return fmt.Sprintf("%g to %g", b.lo, b.hi)
}

func (c *Config) check() error {
	inf := math.Inf(1)
	for _, b := range []bound{
		{name: "imbalance", v: c.Imbalance, lo: 1, hi: inf},
		{name: "limit", v: float64(c.Limit), lo: 0, hi: inf},
		{name: "holdout", v: c.Holdout, lo: 0, hi: 1, loOpen: true, hiOpen: true},
		{name: "size", v: float64(c.Size), lo: 0, hi: 4096},
		{name: "max-pixels", v: float64(c.MaxPixels), lo: 1, hi: inf},
		{name: "few", v: float64(c.Few), lo: 0, hi: inf},
		{name: "many", v: float64(c.Many), lo: float64(max(c.Few-1, 0)), hi: inf},
		{name: "width", v: float64(c.Width), lo: 0, hi: 4096},
		{name: "epochs", v: float64(c.Epochs), lo: 1, hi: inf},
		{name: "batch", v: float64(c.Batch), lo: 1, hi: inf},
		{name: "lr", v: c.LR, lo: 0, hi: inf, loOpen: true},
		{name: "momentum", v: c.Momentum, lo: 0, hi: 1, hiOpen: true},
		{name: "weight-decay", v: c.WeightDecay, lo: 0, hi: inf},
		{name: "clip", v: c.Clip, lo: 0, hi: inf},
		{name: "sam", v: c.SAM, lo: 0, hi: inf},
		{name: "warmup", v: float64(c.Warmup), lo: 0, hi: float64(c.Epochs)},
		{name: "lr-factor", v: c.LRFactor, lo: 0, hi: 1, loOpen: true},
		{name: "gamma-pos", v: c.GammaPos, lo: 0, hi: inf},
		{name: "gamma-neg", v: c.GammaNeg, lo: 0, hi: inf},
		{name: "smooth", v: c.Smooth, lo: 0, hi: 1},
		{name: "stage2-epochs", v: float64(c.Stage2Epochs), lo: 0, hi: float64(c.Epochs)},
		{name: "stage2-lr", v: c.Stage2LR, lo: 0, hi: inf},
		{name: "gamma", v: c.Gamma, lo: 0, hi: inf},
		{name: "alpha", v: c.Alpha, lo: 0, hi: 1},
		{name: "block", v: float64(c.Block), lo: 1, hi: inf},
		{name: "local-clip", v: c.LocalClip, lo: 0, hi: inf},
		{name: "beta", v: c.Beta, lo: 0, hi: 1},
		{name: "eval-every", v: float64(c.EvalEvery), lo: 1, hi: inf},
		{name: "checkpoint-every", v: float64(c.CheckpointEvery), lo: 1, hi: inf},
	} {
		if !(b.v >= b.lo && b.v <= b.hi) || b.loOpen && b.v == b.lo || b.hiOpen && b.v == b.hi || math.IsInf(b.v, 0) {
			return fmt.Errorf("--%s %g: want %v", b.name, b.v, b)
		}
	}
	for _, w := range []struct {
		name, v string
		of      []string
	}{
		{"profile", c.Profile, []string{"exp", "step"}},
		{"optimizer", c.Optimizer, []string{"sgd", "adamw"}},
		{"schedule", c.Schedule, []string{"multistep", "cosine"}},
		{"stage1-weights", c.Stage1Weight, []string{"none", "inverse", "effective", "adrw"}},
		{"stage2-weights", c.Stage2, []string{"none", "inverse", "effective", "adrw", "area", "msr"}},
		{"stage2-augment", c.Stage2Augment, []string{"same", "none"}},
		{"reduction", c.Reduction, []string{string(phase.WeightedMean), string(phase.Mean)}},
		{"local", c.Local, locals()},
		{"model", c.Model, nn.Names()},
		{"device", c.Device, []string{"cpu"}},
	} {
		if !slices.Contains(w.of, w.v) {
			return fmt.Errorf("--%s %q: want one of %s", w.name, w.v, strings.Join(w.of, ", "))
		}
	}
	if _, err := Pass(c.Model, c.Precision); err != nil {
		return err
	}
	if _, err := phase.Form(c.Form); err != nil {
		return fmt.Errorf("--form: %v", err)
	}
	for i, m := range c.Milestones {
		if m < 0 || i > 0 && m <= c.Milestones[i-1] {
			return fmt.Errorf("--milestones %v: want ascending epochs", c.Milestones)
		}
	}
	if c.Stage2 != "none" && c.Epochs < 2 {
		return fmt.Errorf("--epochs %d: want at least 2, one for each stage (or --stage2-weights none)", c.Epochs)
	}
	if c.Stage2 != "none" && c.Stage2Epochs == 0 {
		return fmt.Errorf("--stage2-epochs 0: stage 2 with %s weights wants at least 1 of the %d epochs", c.Stage2, c.Epochs)
	}
	if c.Freeze && c.Stage2 != "none" && c.Stage2Epochs == c.Epochs {
		return fmt.Errorf("--stage2-epochs %d: no epoch is left for stage 1, whose features stage 2 freezes", c.Stage2Epochs)
	}
	if c.SAM > 0 && c.Clip > 0 {
		return fmt.Errorf("--clip %g: is not defined together with --sam %g, whose step has two gradients", c.Clip, c.SAM)
	}
	if _, err := data.ParseAugment(c.Augment, 32); err != nil {
		return fmt.Errorf("--augment %q: %v", c.Augment, err)
	}
	return nil
}

func locals() (s []string) {
	for _, l := range phase.Locals() {
		s = append(s, string(l))
	}
	return s
}

// Fields calls f for every setting of the configuration, in order, with a
// pointer to its value.
func (c *Config) Fields(f func(name, group, help string, value any)) {
	v := reflect.ValueOf(c).Elem()
	for i := range v.NumField() {
		tag := v.Type().Field(i).Tag
		f(tag.Get("name"), tag.Get("group"), tag.Get("help"), v.Field(i).Addr().Interface())
	}
}

// Pass is a pass of the named model, in evaluation mode, with a setting of
// precision.
func Pass(model, precision string) (nn.Pass, error) {
	switch {
	case precision == "f32":
		return nn.Pass{}, nil
	case precision != "bf16":
		return nn.Pass{}, fmt.Errorf("--precision %q: want one of f32, bf16", precision)
	case !strings.HasPrefix(model, "resnet"):
		return nn.Pass{}, fmt.Errorf("--precision bf16: model %s keeps no images between its layers", model)
	}
	return nn.Pass{Precision: tensor.BF16}, nil
}

// pass is a pass of the run's model, in evaluation mode.
func (c Config) pass() nn.Pass {
	p, _ := Pass(c.Model, c.Precision) // checked by Resolve
	return p
}

// Loss is stage 1's loss.
func (c Config) Loss() kernels.SoftmaxLoss {
	form, _ := phase.Form(c.Form) // checked by Resolve
	return kernels.SoftmaxLoss{GammaPos: c.GammaPos, GammaNeg: c.GammaNeg, Smooth: c.Smooth, Form: form, Detach: c.Detach}
}

// MSR is the setting of stage 2's sample weights.
func (c Config) MSR() phase.MSR {
	return phase.MSR{Gamma: c.Gamma, Alpha: c.Alpha, Local: phase.Local(c.Local), Block: c.Block, Seed: uint32(c.Seed), Clip: c.LocalClip}
}

// AREA is the setting of AREA's class weights.
func (c Config) AREA() phase.AREA { return phase.AREA{Block: c.Block, Seed: uint32(c.Seed)} }

// LearningRate is the learning rate of an epoch, counted from 0 over both
// stages.
func (c Config) LearningRate(epoch int) float64 {
	if second := epoch - (c.Epochs - c.Stage2Epochs); c.Stage2Epochs > 0 && c.Stage2LR > 0 && second >= 0 {
		return optim.MultiStep(c.Stage2LR, .01, (c.Stage2Epochs+1)/2)(second)
	}
	if c.Schedule == "cosine" {
		return optim.Warmup(c.Warmup, optim.Cosine(c.LR, c.scheduled()))(epoch)
	}
	return optim.Warmup(c.Warmup, optim.MultiStep(c.LR, c.LRFactor, c.Milestones...))(epoch)
}
