package train

import (
	"fmt"
	"math"
	"reflect"
	"regexp"
	"slices"
	"strings"

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

	Data        string  `name:"data" group:"Data" help:"name (fashion, cifar10, cifar100, tinyimagenet) or folder:DIR, list:TRAIN[,TEST[,ROOT[,NAMES]]], idx:DIR, features:FILE.npz"`
	Imbalance   float64 `name:"imbalance" group:"Data" help:"imbalance factor: largest class over smallest; 1 takes the data as it is"`
	Profile     string  `name:"profile" group:"Data" help:"shape of the tail: exp or step"`
	SubsetSeed  uint32  `name:"subset-seed" group:"Data" help:"which images of a class stay (NumPy's shuffle of this seed), and which are held out"`
	Limit       int     `name:"limit" group:"Data" help:"about this many training and this many test images, every class kept; 0 takes all"`
	Holdout     float64 `name:"holdout" group:"Data" help:"share of each class held out as test set where the data has none"`
	Calibration float64 `name:"calibration" group:"Calibration" help:"share of each class's training images, at least one of each, kept apart to choose what the test set must not: tau, temperature, the weights of L2RW"`
	Choose      string  `name:"choose" group:"Calibration" help:"parameters of a frozen stage 2 and of --posthoc, with values of which those are taken that do best on the calibration images: alpha=0:1:0.1 gamma=0.5,1"`
	Size        int     `name:"size" group:"Data" help:"height and width that images are resized to; 0 keeps their own"`
	MaxPixels   int     `name:"max-pixels" group:"Data" help:"largest image file accepted, in pixels"`
	SkipBad     bool    `name:"skip-bad" group:"Data" help:"leave out unreadable image files and count them"`
	Many        int     `name:"many" group:"Data" help:"classes with more training images than this are many-shot"`
	Few         int     `name:"few" group:"Data" help:"classes with fewer training images than this are few-shot"`
	Augment     string  `name:"augment" group:"Data" help:"none, or a list of crop-flip, crop, flip, autoaugment, jitter, cutout"`

	Model string  `name:"model" group:"Model" help:"resnet8, 20, 32, 44, 56, 110 (with -bbn of two branches), resnet50, mlp or linear"`
	Head  string  `name:"head" group:"Model" help:"classifier: linear or cosine (logits are scale times the cosine); by default what the loss takes"`
	Scale float64 `name:"scale" group:"Model" help:"of a cosine classifier's logits, also of LDAM's"`
	Width int     `name:"width" group:"Model" help:"filters of the first stage, units of a layer of the mlp; 0 is the model's usual"`

	Precision   string  `name:"precision" group:"Training" help:"form of a ResNet's images and their gradients between ops: f32, or bf16 in half the memory (sums and parameters stay f32, products too where the processor has no AMX); on a GPU tf32 and bf16 compute with tensor cores"`
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

	Loss          string `name:"loss" group:"Stage 1: the loss" kinds:"loss"`
	Stage1Weights string `name:"stage1-weights" group:"Stage 1: the loss" kinds:"weights by count" help:"what samples weigh"`
	Reduction     string `name:"reduction" group:"Stage 1: the loss" help:"of weighted losses: weighted-mean (over the sum of weights) or mean (Eq 14's 1/N)"`
	Objective     string `name:"objective" group:"Stage 1: what a step minimises" kinds:"objective"`
	Sampler       string `name:"sampler" group:"Stage 1: what a step minimises" kinds:"sampler" help:"how images are drawn"`

	Stage2Epochs    int     `name:"stage2-epochs" group:"Stage 2: the training" help:"epochs of stage 2; by default none if no setting speaks of it or there is one epoch only, else a quarter with a rate of its own, else what follows the first milestone"`
	Stage2LR        float64 `name:"stage2-lr" group:"Stage 2: the training" help:"its learning rate; 0 goes on with the schedule"`
	Stage2HeadRate  float64 `name:"stage2-head-rate" group:"Stage 2: the training" help:"of the classifier, as a multiple of that of the factors, with --class-scales with-head"`
	Stage2Schedule  string  `name:"stage2-schedule" group:"Stage 2: the training" help:"of --stage2-lr: step (a hundredth in the second half) or cosine"`
	Stage2Loss      string  `name:"stage2-loss" group:"Stage 2: the training" kinds:"loss"`
	Stage2Sampler   string  `name:"stage2-sampler" group:"Stage 2: the training" kinds:"sampler" help:"how images are drawn"`
	Stage2Augment   string  `name:"stage2-augment" group:"Stage 2: the training" help:"same as in stage 1, or none: with --freeze features are then computed once"`
	FeaturePasses   int     `name:"feature-passes" group:"Stage 2: the training" help:"with --freeze and augmentation: train on this many passes of features, computed once; 0 computes them anew each epoch"`
	Freeze          bool    `name:"freeze" group:"Stage 2: the training" help:"train the classifier alone, on features in evaluation mode"`
	NormShift       bool    `name:"norm-shift" group:"Stage 2: the training" help:"with --freeze, let the statistics of batch norms follow stage 2's images (MiSLAS)"`
	Reinit          bool    `name:"reinit" group:"Stage 2: the training" help:"start the classifier anew instead of going on"`
	ClassScales     string  `name:"class-scales" group:"Stage 2: the training" help:"a learned factor for the logit of each class: none, alone (the classifier stays, LWS) or with-head (MiSLAS)"`
	Stage2Weights   string  `name:"stage2-weights" group:"Stage 2: the weights" kinds:"weights" help:"what samples weigh"`
	Recompute       bool    `name:"recompute" group:"Stage 2: the weights" help:"compute the weights anew before every epoch instead of once"`
	FeaturesAugment bool    `name:"features-augment" group:"Stage 2: the weights" help:"compute the weights from augmented images"`

	Posthoc string `name:"posthoc" group:"After training" kinds:"posthoc" help:"what is done to the trained classifier"`

	EvalEvery       int    `name:"eval-every" group:"Run" help:"epochs between evaluations on the test set"`
	CheckpointEvery int    `name:"checkpoint-every" group:"Run" help:"epochs between checkpoints"`
	Device          string `name:"device" group:"Run" help:"cpu, cuda or cuda:N"`

	Params Params // of the kinds that are named above
}

// Recipe is the configuration for a data set before a method has changed it:
// for CIFAR the paper's, for the embedded data one of some seconds.
func Recipe(dataset string) Config {
	c := Config{
		Method: "phase", Seed: 1, Data: dataset, Imbalance: 1, Profile: string(longtail.Exp), Holdout: .2, MaxPixels: data.MaxPixels, Many: 100, Few: 20, Augment: "crop-flip",
		Model: "resnet8", Scale: 30, Precision: "f32",
		Epochs: 200, Batch: 128, Optimizer: "sgd", LR: .1, Momentum: .9, WeightDecay: 5e-4, Schedule: "multistep", Warmup: 5, LRFactor: .01,
		Loss: "ce", Stage1Weights: "none", Reduction: string(phase.WeightedMean), Objective: "plain", Sampler: "shuffle",
		Stage2Epochs: -1, Stage2HeadRate: 1, Stage2Schedule: "step", Stage2Loss: "ce", Stage2Sampler: "shuffle", Stage2Augment: "same", Freeze: true, ClassScales: "none", Stage2Weights: "none",
		Posthoc:   "none",
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
	return Recipe(dataset).For(method)
}

// For is c as a method's preset changes it, which may go by the other settings:
// what is said of the epochs or of the loss is said before.
func (c Config) For(method string) (Config, error) {
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
	if c.Head == "" {
		c.Head = "linear"
		if c.lossOfCosines() != "" {
			c.Head = "cosine"
		}
	}
	switch {
	case !c.TwoStages():
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
	if err := c.check(); err != nil {
		return err
	}
	if err := c.resolveChoose(); err != nil {
		return err
	}
	return c.fillParams()
}

// TwoStages reports whether there is a second stage: one that was given epochs,
// or, where that is left open, one that some setting speaks of and that has an
// epoch beside the first.
func (c Config) TwoStages() bool {
	if c.Stage2Epochs >= 0 {
		return c.Stage2Epochs > 0
	}
	return c.Epochs != 1 && c.DescribesStage2()
}

// DescribesStage2 reports whether some setting speaks of a second stage, which
// may have no epochs all the same.
func (c Config) DescribesStage2() bool {
	return c.Stage2Weights != "none" || c.Stage2Loss != "ce" || c.Stage2Sampler != "shuffle" || c.ClassScales != "none" || c.Reinit
}

// lossOfCosines is the name of a loss of the run that is one of cosines, or "".
func (c Config) lossOfCosines() string {
	for _, name := range []string{c.Loss, c.Stage2Loss} {
		k, err := phase.Losses.Find(name)
		if _, ok := k.Of.(phase.CosineUser); ok && err == nil {
			return name
		}
	}
	return ""
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
		{name: "calibration", v: c.Calibration, lo: 0, hi: .5},
		{name: "scale", v: c.Scale, lo: 0, hi: inf, loOpen: true},
		{name: "feature-passes", v: float64(c.FeaturePasses), lo: 0, hi: 1000},
		{name: "size", v: float64(c.Size), lo: 0, hi: 4096},
		{name: "max-pixels", v: float64(c.MaxPixels), lo: 1, hi: inf},
		{name: "few", v: float64(c.Few), lo: 1, hi: inf},
		{name: "many", v: float64(c.Many), lo: float64(max(c.Few-1, 1)), hi: inf},
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
		{name: "stage2-epochs", v: float64(c.Stage2Epochs), lo: 0, hi: float64(c.Epochs)},
		{name: "stage2-lr", v: c.Stage2LR, lo: 0, hi: inf},
		{name: "stage2-head-rate", v: c.Stage2HeadRate, lo: 0, hi: inf, loOpen: true},
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
		{"head", c.Head, []string{"linear", "cosine"}},
		{"stage1-weights", c.Stage1Weights, append([]string{"none"}, byCount()...)},
		{"sampler", c.Sampler, Samplers.Names()},
		{"stage2-sampler", c.Stage2Sampler, Samplers.Names()},
		{"stage2-schedule", c.Stage2Schedule, []string{"step", "cosine"}},
		{"stage2-augment", c.Stage2Augment, []string{"same", "none"}},
		{"class-scales", c.ClassScales, []string{"none", "alone", "with-head"}},
		{"reduction", c.Reduction, []string{string(phase.WeightedMean), string(phase.Mean)}},
		{"model", c.Model, nn.Names()},
	} {
		if !slices.Contains(w.of, w.v) {
			return fmt.Errorf("--%s %q: want one of %s", w.name, w.v, strings.Join(w.of, ", "))
		}
	}
	if err := CheckDevice(c.Device); err != nil {
		return err
	}
	if _, err := Pass(c.Model, c.Precision); err != nil {
		return err
	}
	for i, m := range c.Milestones {
		if m < 0 || i > 0 && m <= c.Milestones[i-1] {
			return fmt.Errorf("--milestones %v: want ascending epochs", c.Milestones)
		}
	}
	if c.TwoStages() {
		switch {
		case c.Epochs < 2:
			return fmt.Errorf("--epochs %d: want at least 2, one for each stage (or --stage2-epochs 0)", c.Epochs)
		case c.Stage2Epochs == c.Epochs && (c.Freeze || c.ClassScales != "none"):
			return fmt.Errorf("--stage2-epochs %d: no epoch is left for stage 1, whose features stage 2 freezes", c.Stage2Epochs)
		case c.ClassScales != "none" && !c.Freeze:
			return fmt.Errorf("--class-scales %s: goes with --freeze, a factor beside a network that moves means nothing", c.ClassScales)
		case c.Stage2HeadRate != 1 && c.ClassScales != "with-head":
			return fmt.Errorf("--stage2-head-rate %g: goes with --class-scales with-head, beside which it is the classifier's", c.Stage2HeadRate)
		case c.NormShift && !c.Freeze:
			return fmt.Errorf("--norm-shift: goes with --freeze, without which the statistics move anyway")
		}
	}
	if l := c.lossOfCosines(); l != "" && c.Head != "cosine" {
		return fmt.Errorf("--head %s: %s is a loss of cosines: want cosine", c.Head, l)
	}
	if c.Head == "cosine" && (c.ClassScales != "none" || c.Posthoc != "none") {
		return fmt.Errorf("--head cosine: --class-scales and --posthoc change the rows and the bias of a linear classifier")
	}
	if c.SAM > 0 && c.Clip > 0 {
		return fmt.Errorf("--clip %g: is not defined together with --sam %g, whose step has two gradients", c.Clip, c.SAM)
	}
	if _, err := data.ParseAugment(c.Augment, 32); err != nil {
		return fmt.Errorf("--augment %q: %v", c.Augment, err)
	}
	return nil
}

// Fields calls f for every setting of the configuration, in order, with a
// pointer to its value; the parameters of kinds, which come last, are values
// with the methods of a flag.
func (c *Config) Fields(f func(name, group, help string, value any)) {
	v := reflect.ValueOf(c).Elem()
	for i := range v.NumField() {
		tag := v.Type().Field(i).Tag
		if name := tag.Get("name"); name != "" {
			f(name, tag.Get("group"), help(tag), v.Field(i).Addr().Interface())
		}
	}
	seen := slices.Clone(shared)
	for _, g := range groups() {
		for _, p := range g.params {
			if !slices.Contains(seen, p.Name) {
				seen = append(seen, p.Name)
				help := p.Help
				if p.Of != nil && !p.Varies || strings.HasPrefix(p.Range(), "0 to") {
					help += ": " + strings.TrimPrefix(p.Range(), "one of ")
				}
				f(p.Name, g.heading, help, &param{c, p})
			}
		}
	}
}

// byCount lists the weightings that do not look at features, which stage 1 has
// yet to learn.
func byCount() (names []string) {
	for _, k := range phase.Weightings.All() {
		if !phase.UsesFeatures(k.Of) {
			names = append(names, k.Name)
		}
	}
	return names
}

// help is a setting's help; one that names a kind lists the kinds.
func help(tag reflect.StructTag) string {
	text := tag.Get("help")
	var names []string
	switch tag.Get("kinds") {
	case "loss":
		names = phase.Losses.Names()
	case "weights":
		names = append([]string{"none"}, phase.Weightings.Names()...)
	case "weights by count":
		names = append([]string{"none"}, byCount()...)
	case "objective":
		names = Objectives.Names()
	case "sampler":
		names = Samplers.Names()
	case "posthoc":
		names = append([]string{"none"}, Posthocs.Names()...)
	default:
		return text
	}
	if text != "" {
		text += ": "
	}
	return text + strings.Join(names, ", ")
}

var deviceName = regexp.MustCompile(`^(cpu|cuda|cuda:[0-9]{1,3})$`)

// CheckDevice is an error unless name is one that --device takes.
func CheckDevice(name string) error {
	if !deviceName.MatchString(name) {
		return fmt.Errorf("--device %q: want cpu, cuda, or cuda:1 for the second GPU", name)
	}
	return nil
}

// Pass is a pass of the named model, in evaluation mode, with a setting of
// precision.
func Pass(model, precision string) (nn.Pass, error) {
	switch {
	case precision == "f32" || precision == "tf32": // which is a matter of the device
		return nn.Pass{}, nil
	case precision != "bf16":
		return nn.Pass{}, fmt.Errorf("--precision %q: want one of f32, tf32, bf16", precision)
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

// LearningRate is the learning rate of an epoch, counted from 0 over both
// stages.
func (c Config) LearningRate(epoch int) float64 {
	if second := epoch - (c.Epochs - c.Stage2Epochs); c.Stage2Epochs > 0 && c.Stage2LR > 0 && second >= 0 {
		if c.Stage2Schedule == "cosine" {
			return optim.Cosine(c.Stage2LR, c.Stage2Epochs)(second)
		}
		return optim.MultiStep(c.Stage2LR, .01, (c.Stage2Epochs+1)/2)(second)
	}
	if c.Schedule == "cosine" {
		return optim.Warmup(c.Warmup, optim.Cosine(c.LR, c.scheduled()))(epoch)
	}
	return optim.Warmup(c.Warmup, optim.MultiStep(c.LR, c.LRFactor, c.Milestones...))(epoch)
}

// cosine is nn.Config's: the scale of a cosine classifier, or 0.
func (c Config) cosine() float64 {
	if c.Head == "cosine" {
		return c.Scale
	}
	return 0
}
