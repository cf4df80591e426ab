package train

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// A fork is where a run began with stage 2, and part of config.json.
type fork struct {
	Run   string `json:"run"`   // directory of the run that trained stage 1
	Epoch int    `json:"epoch"` // how many epochs of it
	Seed  uint64 `json:"seed"`  // of that run; another than this run's draws stage 2 alone anew
}

// forkFile is the checkpoint that a run leaves for others to go on from.
func forkFile(epoch int) string { return fmt.Sprintf("epoch-%d.safetensors", epoch) }

// forks reports whether a run leaves a checkpoint after so many epochs: at the
// end of stage 1 and where the learning rate first drops, which is where a
// second stage would begin.
func (c Config) forks(epoch int) bool {
	return epoch == c.firstOfStage2() || c.Schedule == "multistep" && len(c.Milestones) > 0 && epoch == c.Milestones[0]
}

// Stage1 is what decides how a run stands after the n first epochs, of stage 1:
// the settings that they depend on, as text by name, with the learning rates in
// place of the schedule. Two runs on the same data that agree in it stand alike,
// bit for bit.
func (c Config) Stage1(n int) map[string]string {
	s := map[string]string{}
	apart := []string{"method", "epochs", "lr", "lr-factor", "schedule", "warmup", "milestones", "eval-every", "checkpoint-every", "many", "few", "device",
		"freeze", "norm-shift", "reinit", "class-scales", "recompute", "features-augment", "feature-passes", "posthoc", "choose"}
	if c.Stage1Weights == "none" && c.Objective == "plain" {
		apart = append(apart, "reduction")
	}
	if c.Head == "linear" {
		apart = append(apart, "scale")
	}
	c.Fields(func(name, _, _ string, value any) {
		if _, ok := value.(*param); ok || strings.HasPrefix(name, "stage2-") || slices.Contains(apart, name) {
			return
		}
		v, _ := json.Marshal(value) // texts, numbers and lists of them
		s[name] = string(v)
	})
	all, _ := c.uses() // checked by Resolve
	for _, u := range all {
		for _, p := range u.params {
			if text, ok := c.Params[p.Name]; ok && u.stage == 1 {
				s[p.Name] = text
			}
		}
	}
	if c.Objective != "plain" || c.Sampler != "shuffle" { // they may go by the stage's progress
		s["epochs of stage 1"] = strconv.Itoa(c.firstOfStage2())
	}
	var rates []string
	for e := range n {
		if r := strconv.FormatFloat(c.LearningRate(e), 'g', -1, 64); e == 0 || !strings.HasSuffix(rates[len(rates)-1], " "+r) {
			rates = append(rates, fmt.Sprintf("from epoch %d %s", e+1, r))
		}
	}
	s["learning rate"] = strings.Join(rates, ", ")
	return s
}

// checkStage1 is the fork that --stage1 asks for, if its run has the data and
// the stage 1 of this one, but for the seed: to ask for another run's stage 1 with
// a seed of one's own is to ask what stage 2's draws alone do.
func (r *run) checkStage1(h header) (*fork, error) {
	dir := r.o.Stage1
	if !r.c.TwoStages() {
		return nil, fmt.Errorf("--stage1 %s: the method has one stage, and no other to begin with", dir)
	}
	of, err := readHeader(dir)
	if err != nil {
		return nil, fmt.Errorf("--stage1: %w", err)
	}
	if of.DataSHA256 != h.DataSHA256 || of.ManifestHash != h.ManifestHash {
		return nil, fmt.Errorf("--stage1 %s: it was trained on other images than %s at imbalance %g", dir, r.c.Data, r.c.Imbalance)
	}
	f := &fork{Run: dir, Epoch: r.c.firstOfStage2(), Seed: of.Config.Seed}
	if n := of.Config.firstOfStage2(); n < f.Epoch {
		return nil, fmt.Errorf("--stage1 %s: its stage 1 has %d epochs, and this run's has %d", dir, n, f.Epoch)
	}
	theirs, ours := of.Config.Stage1(f.Epoch), r.c.Stage1(f.Epoch)
	for _, name := range slices.Sorted(maps.Keys(ours)) {
		if theirs[name] != ours[name] && name != "seed" {
			return nil, fmt.Errorf("--stage1 %s: its stage 1 is another one: %s is %s there and %s here", dir, name, cmp.Or(theirs[name], "not set"), ours[name])
		}
	}
	_, err = f.open()
	return f, err
}

// open reads the checkpoint of the fork.
func (f *fork) open() (*saved, error) {
	s, err := readCheckpoint(filepath.Join(f.Run, forkFile(f.Epoch)))
	if !errors.Is(err, fs.ErrNotExist) {
		return s, err
	}
	if s, err = readCheckpoint(filepath.Join(f.Run, CheckpointFile)); err != nil {
		return nil, err
	}
	if s.At.Epoch != f.Epoch || s.At.Step != 0 {
		return nil, fmt.Errorf("--stage1 %s: it stands at epoch %d, and has no %s of the %d epochs that stage 1 has here", f.Run, s.At.Epoch, forkFile(f.Epoch), f.Epoch)
	}
	return s, nil
}

// takeStage1 puts the run where the fork's run stood.
func (r *run) takeStage1(f *fork) error {
	s, err := f.open()
	if err != nil {
		return err
	}
	if err := r.restore(s); err != nil {
		return err
	}
	if len(r.stages) == 0 { // to that run, the end of stage 1 was an epoch like others
		last := &r.history[len(r.history)-1]
		if r.last, err = r.evaluate(context.Background()); err != nil {
			return err
		}
		short := summary(r.last)
		last.Test = &short
		r.stages = []StageResult{{Name: last.Stage, Epochs: f.Epoch, Loss: last.Loss, Accuracy: short}}
	}
	return r.save(CheckpointFile)
}
