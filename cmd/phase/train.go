package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"time"

	"phase/nn"
	"phase/phase/longtail"
	"phase/phase/train"

	"github.com/schollz/progressbar/v3"
	"github.com/spf13/cobra"
)

func (p *program) trainCommand() *cobra.Command {
	var s *settings
	var o train.Options
	var methods bool
	cmd := &cobra.Command{
		Use:   "train [flags]",
		Short: "train with a method on a data set and write a run directory",
		Long: `train trains a classifier in one stage or two and writes a run directory:
settings, metrics, checkpoint, model, weights and result. Without flags it takes the
embedded Fashion-MNIST-LT, the method phase and a small ResNet. An interrupt saves;
train --resume --out RUN goes on as if nothing had happened, with the settings that
the run has. Defaults that differ by data set or method are shown by --print-config.`,
		Example: "  phase train\n  phase train --data cifar100 --imbalance 100 --model resnet32 --out runs/c100\n  phase train --method ce --data folder:photos --size 64",
		Args:    noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if methods {
				return p.printMethods()
			}
			c, err := trainSettings(s, o)
			if err != nil {
				return err
			}
			if s.print {
				return p.writeTOML(c)
			}
			return p.train(cmd.Context(), c, s, o)
		},
	}
	s = addSettings(cmd.Flags())
	addTo(cmd.Flags(), "Run", func() {
		f := cmd.Flags()
		f.StringVar(&o.Dir, "out", "", "run directory (default runs/METHOD-DATA-NNN)")
		f.BoolVar(&o.Resume, "resume", false, "go on with the run in --out, with its settings")
		f.StringVar(&o.Stage1, "stage1", "", "begin with stage 2, on what the run in this directory had trained by then: its settings of stage 1 must be these, but for the seed: with another, stage 2 alone is drawn anew")
		f.BoolVar(&o.Force, "force", false, "start anew in --out, whatever is there")
		f.IntVar(&o.Workers, "workers", 1, "goroutines that prepare batches")
		f.BoolVar(&methods, "methods", false, "list the methods and stop")
	})
	return cmd
}

func noArgs(cmd *cobra.Command, args []string) error {
	if len(args) > 0 {
		return usagef("%s takes no arguments, but %q was given: phase %s -h shows its flags", cmd.Name(), args[0], cmd.Name())
	}
	return nil
}

func (p *program) printMethods() error {
	if p.json {
		list := []map[string]string{}
		for _, m := range train.Presets() {
			list = append(list, map[string]string{"name": m.Name, "about": m.Doc})
		}
		return p.printJSON(map[string]any{"schema": outputSchema, "methods": list})
	}
	for _, m := range train.Presets() {
		fmt.Fprintln(p.out, entry("  "+m.Name, m.Doc, 24, terminalWidth(p.out)))
	}
	return nil
}

// trainSettings is the configuration of the run that o asks for: of one that goes
// on, its own.
func trainSettings(s *settings, o train.Options) (train.Config, error) {
	var none train.Config
	switch {
	case !o.Resume:
		return s.resolve()
	case o.Dir == "":
		return none, usagef("--resume wants --out, the run directory to go on with")
	case o.Stage1 != "":
		return none, usagef("--resume goes on with a run that knows where its stage 1 was trained: leave --stage1 out")
	case o.Force:
		return none, usagef("--resume goes on and --force starts anew: choose one")
	}
	return s.resume(o.Dir)
}

// train runs one training and prints its result.
func (p *program) train(ctx context.Context, c train.Config, s *settings, o train.Options) error {
	if o.Workers < 0 {
		return usagef("--workers %d: want at least 0", o.Workers)
	}
	var err error
	if o.Device, err = device(c.Device, c.Precision); err != nil {
		return err
	}
	src, err := s.open(ctx, p, c)
	if err != nil {
		return err
	}
	if n := len(src.Skipped); n > 0 && !p.quiet {
		fmt.Fprintf(p.err, "%d unreadable files left out, the first: %v\n", n, src.Skipped[0].Err)
	}
	if o.Dir == "" {
		if o.Dir, err = train.NewDir("runs", c); err != nil {
			return err
		}
	}
	if p.verbose && !p.json {
		if err := p.printSummary(c, src); err != nil {
			return err
		}
	}
	o.Version = version()
	meter := p.meter()
	// Said once the run directory is known to be good.
	begun := sync.OnceFunc(func() {
		if !p.quiet && !p.json {
			alone := ""
			if !c.TwoStages() && c.DescribesStage2() {
				alone = ", stage 1 alone" // its one epoch, or --stage2-epochs 0
			}
			fmt.Fprintf(p.out, "%s%s on %s: %d training images of %d classes (%d to %d a class), %d test images, %s\n",
				c.Method, alone, c.Data, src.Train.Len(), len(src.Counts), maxOf(src.Counts), minOf(src.Counts), src.Test.Len(), c.Model)
		}
	})
	o.Report = func(e train.Event) {
		begun()
		meter.report(e)
	}
	res, err := train.Run(ctx, c, src, o)
	meter.close()
	if errors.Is(err, train.ErrInterrupted) {
		return fmt.Errorf("%w: phase train --resume --out %s goes on", err, o.Dir)
	}
	if err != nil {
		return err
	}
	if p.json {
		return p.printJSON(struct {
			*train.Result
			Run string `json:"run"`
		}{res, o.Dir})
	}
	printStages(p.out, res.Stages)
	fmt.Fprintf(p.out, "\n%s of training; run directory: %s\n", time.Duration(res.Seconds*float64(time.Second)).Round(100*time.Millisecond), o.Dir)
	return nil
}

// printSummary prints the model layer by layer, for one image.
func (p *program) printSummary(c train.Config, src *train.Source) error {
	m, err := train.NewModel(c, src)
	if err != nil {
		return err
	}
	rows, total := nn.Summary(m, src.Train.Shape()...)
	fmt.Fprintf(p.out, "%-24s  %-28s  %-14s  %10s  %12s\n", "layer", "kind", "output", "parameters", "mult-adds")
	for _, r := range append(rows, total) {
		fmt.Fprintf(p.out, "%-24s  %-28s  %-14v  %10d  %12d\n", r.Name, r.Kind, r.Out, r.Params, r.MulAdds)
	}
	fmt.Fprintln(p.out)
	return nil
}

func maxOf(v []int) int {
	m := v[0]
	for _, x := range v {
		m = max(m, x)
	}
	return m
}

func minOf(v []int) int {
	m := v[0]
	for _, x := range v {
		m = min(m, x)
	}
	return m
}

// accuracyHead is the heading of a table of accuracies.
const accuracyHead = "overall  balanced    many  medium     few"

// accuracyRow is the figures of a in percent; a group without classes is -.
func accuracyRow(a longtail.Accuracy) string {
	return fmt.Sprintf("%7s  %8s  %6s  %6s  %6s", percent(&a.Overall), percent(&a.Balanced), percent(a.Many), percent(a.Medium), percent(a.Few))
}

func percent(v *float64) string {
	if v == nil {
		return "-"
	}
	return fmt.Sprintf("%.1f", 100**v)
}

// printStages prints the accuracies after each stage and the change.
func printStages(w io.Writer, stages []train.StageResult) {
	fmt.Fprintf(w, "\ntest accuracy, %%                %s\n", accuracyHead)
	for i, s := range stages {
		label := fmt.Sprintf("after stage %d: %s, %s", i+1, s.Name, count(s.Epochs, "epoch"))
		if s.Epochs == 0 {
			label = "after " + s.Name
		}
		fmt.Fprintf(w, "%-30s  %s\n", label, accuracyRow(s.Accuracy))
	}
	if len(stages) == 2 {
		a, b := stages[0].Accuracy, stages[1].Accuracy
		change := func(x, y *float64) string {
			if x == nil || y == nil {
				return "-"
			}
			return fmt.Sprintf("%+.1f", 100*(*y-*x))
		}
		fmt.Fprintf(w, "%-30s  %7s  %8s  %6s  %6s  %6s\n", "change", change(&a.Overall, &b.Overall), change(&a.Balanced, &b.Balanced), change(a.Many, b.Many), change(a.Medium, b.Medium), change(a.Few, b.Few))
	}
}

// count is n things, in words: 1 epoch, 2 epochs.
func count(n int, thing string) string {
	if n == 1 {
		return "1 " + thing
	}
	return fmt.Sprintf("%d %ss", n, thing)
}

// A meter shows how a training goes on: a bar on a terminal, elsewhere a plain
// line now and then.
type meter struct {
	out   io.Writer
	bar   *progressbar.ProgressBar
	plain bool
	last  time.Time
}

// between is how often a plain line is printed.
const between = 5 * time.Second

func (p *program) meter() *meter {
	m := &meter{out: p.err, last: time.Now()}
	mode := p.progress
	if mode == "auto" {
		mode = "plain"
		if isTerminal(p.err) {
			mode = "bar"
		}
	}
	if p.quiet {
		mode = "none"
	}
	m.plain = mode == "plain"
	if mode == "bar" {
		m.bar = progressbar.NewOptions(-1, progressbar.OptionSetWriter(p.err), progressbar.OptionFullWidth(),
			progressbar.OptionThrottle(100*time.Millisecond), progressbar.OptionClearOnFinish(), progressbar.OptionSetPredictTime(true))
	}
	return m
}

func (m *meter) report(e train.Event) {
	switch {
	case e.Note != "":
		m.line("stage %s: %s", e.Stage, e.Note)
	case e.Done != nil:
		if m.plain && (time.Since(m.last) >= between || e.Epoch == e.Epochs) {
			m.last = time.Now()
			m.line("epoch %d of %d (%s): loss %.4f, %s, %.0f images/s", e.Epoch, e.Epochs, e.Stage, e.Done.Loss, testText(e.Done), e.Done.ImagesPerSecond)
		}
	case m.bar != nil:
		m.bar.ChangeMax(e.Epochs * e.Steps)
		text := fmt.Sprintf("%s %d/%d", e.Stage, e.Epoch, e.Epochs)
		if terminalWidth(m.out) >= 80 {
			text = fmt.Sprintf("%s, epoch %d of %d, loss %.3f, %.0f images/s", e.Stage, e.Epoch, e.Epochs, e.Loss, e.ImagesPerSecond)
		}
		m.bar.Describe(text)
		_ = m.bar.Set((e.Epoch-1)*e.Steps + e.Step)
	}
}

// reading shows how many image files have been read and checked.
func (m *meter) reading(done, of int) {
	switch {
	case m.bar != nil:
		m.bar.ChangeMax(of)
		m.bar.Describe("reading images")
		_ = m.bar.Set(done)
	case time.Since(m.last) >= between:
		m.last = time.Now()
		m.line("%d of %d images read", done, of)
	}
}

func testText(e *train.Epoch) string {
	if e.Test == nil {
		return fmt.Sprintf("training accuracy %.1f %%", 100*e.TrainAccuracy)
	}
	return fmt.Sprintf("test accuracy %.1f %% (few-shot %s)", 100*e.Test.Overall, percent(e.Test.Few))
}

// line prints a line that is not part of the bar.
func (m *meter) line(format string, a ...any) {
	if m.bar != nil {
		_ = m.bar.Clear()
	} else if !m.plain {
		return
	}
	fmt.Fprintln(m.out, strings.TrimSpace(fmt.Sprintf(format, a...)))
}

func (m *meter) close() {
	if m.bar != nil {
		_ = m.bar.Clear()
	}
}
