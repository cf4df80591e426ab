package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"

	"phase/phase/longtail"
	"phase/phase/train"

	"github.com/spf13/cobra"
)

// compared is what one method came to over its seeds.
type compared struct {
	Method   string                `json:"method"`
	Seeds    int                   `json:"seeds"`
	Mean     longtail.Accuracy     `json:"mean"`
	SD       longtail.Accuracy     `json:"sd"` // over seeds, with n-1; 0 for one seed
	Runs     []string              `json:"runs"`
	Accuracy []longtail.Accuracy   `json:"-"`
	Stages   [][]train.StageResult `json:"stages"`
	Best     []float64             `json:"best"` // of each run, its best epoch's overall accuracy: chosen on the test set
}

func (p *program) compareCommand() *cobra.Command {
	var s *settings
	var seeds, workers int
	var out string
	cmd := &cobra.Command{
		Use: "compare METHOD...", Short: "train several methods alike and print them side by side",
		Long: `compare trains each method with the same settings and seeds, one run directory each,
and prints the mean and the standard deviation of the last epoch's test accuracies.
A stage 1 that several methods share is trained once. Runs that are finished in --out
are not trained again, and interrupted ones go on.`,
		Example: "  phase compare ce daw msr phase --seeds 3 --out runs/fashion",
		RunE: func(cmd *cobra.Command, methods []string) error {
			if len(methods) == 0 {
				return usagef("compare wants at least one method: phase train --methods lists them")
			}
			if seeds < 1 {
				return usagef("--seeds %d: want at least 1", seeds)
			}
			var configs []train.Config
			strange := map[string]int{} // parameters that methods do not know, and how many do not
			for _, m := range methods {
				if err := cmd.Flags().Set("method", m); err != nil {
					return err
				}
				c, unknown, err := s.resolveSome()
				if err != nil {
					return err
				}
				for _, name := range unknown {
					if strange[name]++; strange[name] == len(methods) {
						return usagef("--%s has no meaning for any of these methods", name)
					}
				}
				configs = append(configs, c)
			}
			var names []string
			for _, c := range configs {
				names = append(names, c.Method)
			}
			rows, err := p.compare(cmd.Context(), s, newComparison(configs, names, seeds, out, workers))
			if err != nil {
				return err
			}
			if p.json {
				return p.printJSON(map[string]any{"schema": outputSchema, "methods": rows})
			}
			fmt.Fprintf(p.out, "\nlast epoch's test accuracy in %%, %s\n\n", overSeeds(seeds))
			fmt.Fprintf(p.out, "| method | overall | balanced | many | medium | few |\n|---|---|---|---|---|---|\n")
			for _, r := range rows {
				fmt.Fprintf(p.out, "| %s | %s | %s | %s | %s | %s |\n", r.Method, plusMinus(seeds, &r.Mean.Overall, &r.SD.Overall), plusMinus(seeds, &r.Mean.Balanced, &r.SD.Balanced),
					plusMinus(seeds, r.Mean.Many, r.SD.Many), plusMinus(seeds, r.Mean.Medium, r.SD.Medium), plusMinus(seeds, r.Mean.Few, r.SD.Few))
			}
			return nil
		},
	}
	s = addSettings(cmd.Flags())
	cmd.Flags().Lookup("method").Hidden = true
	f := cmd.Flags()
	f.IntVar(&seeds, "seeds", 1, "runs of each method, from --seed on")
	f.StringVar(&out, "out", filepath.Join("runs", "compare"), "folder for the run directories")
	f.IntVar(&workers, "workers", 1, "goroutines that prepare batches")
	return cmd
}

// A comparison is some configurations, each by its name, to be run with several
// seeds in folders of one folder.
type comparison struct {
	names   []string
	dirs    []string // of each name's runs, a seed after the other
	seeds   int
	out     string
	plan    *train.Plan
	workers int
}

func newComparison(configs []train.Config, names []string, seeds int, out string, workers int) *comparison {
	c := &comparison{names: names, seeds: seeds, out: out, workers: workers}
	var all []train.Config
	for i, config := range configs {
		first := config.Seed
		for k := range seeds {
			config.Seed = first + uint64(k)
			all, c.dirs = append(all, config), append(c.dirs, train.RunDir(out, names[i], config.Seed))
		}
	}
	c.plan = train.NewPlan(all, c.dirs)
	return c
}

// compare runs what is not finished yet, and says what came of each name.
func (p *program) compare(ctx context.Context, s *settings, c *comparison) ([]compared, error) {
	results := map[string]*train.Result{}
	for i, j := range c.plan.Jobs {
		m := p.meter()
		open := func(c train.Config) (*train.Source, error) { return s.open(ctx, p, c) }
		on, err := device(j.Config.Device, j.Config.Precision)
		if err != nil {
			return nil, err
		}
		r, err := c.plan.Run(ctx, i, open, train.Options{Workers: c.workers, Version: version(), Device: on, Report: m.report})
		m.close()
		if errors.Is(err, train.ErrInterrupted) {
			return nil, fmt.Errorf("%w: the same command goes on in %s", err, c.out)
		}
		if err != nil {
			return nil, fmt.Errorf("%s, seed %d: %w", j.Config.Method, j.Config.Seed, err)
		}
		results[j.Dir] = r
		if !p.json && !p.quiet {
			fmt.Fprintf(p.err, "%s (%d of %d): overall %s\n", filepath.Base(j.Dir), i+1, len(c.plan.Jobs), percent(&r.Accuracy.Overall))
		}
	}
	var rows []compared
	for i, name := range c.names {
		row := compared{Method: name, Seeds: c.seeds}
		for _, dir := range c.dirs[i*c.seeds : (i+1)*c.seeds] {
			r := results[dir]
			row.Runs, row.Accuracy, row.Stages, row.Best = append(row.Runs, dir), append(row.Accuracy, r.Accuracy), append(row.Stages, r.Stages), append(row.Best, r.Best.Overall)
		}
		row.Mean, row.SD = longtail.MeanSD(row.Accuracy)
		rows = append(rows, row)
	}
	return rows, nil
}

// overSeeds is what plusMinus prints.
func overSeeds(seeds int) string {
	if seeds == 1 {
		return "one seed"
	}
	return fmt.Sprintf("mean ± standard deviation over %d seeds", seeds)
}

// plusMinus is a mean with its deviation, which one seed does not have, in %.
func plusMinus(seeds int, mean, sd *float64) string {
	switch {
	case mean == nil:
		return "-"
	case seeds == 1:
		return fmt.Sprintf("%.1f", 100**mean)
	}
	return fmt.Sprintf("%.1f ± %.1f", 100**mean, 100**sd)
}
