package main

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"

	"phase/phase/longtail"
	"phase/phase/train"

	"github.com/spf13/cobra"
	"gonum.org/v1/gonum/stat"
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
}

func (p *program) compareCommand() *cobra.Command {
	var s *settings
	var seeds, workers int
	var out string
	cmd := &cobra.Command{
		Use: "compare METHOD...", Short: "train several methods alike and print them side by side",
		Long: `compare trains each method with the same settings and seeds, one run directory each,
and prints the mean and the standard deviation of the last epoch's test accuracies.
Runs that are finished in --out are not trained again, and interrupted ones go on.`,
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
			var rows []compared
			for _, c := range configs {
				row := compared{Method: c.Method, Seeds: seeds}
				first := c.Seed
				for i := range seeds {
					c.Seed = first + uint64(i)
					dir := filepath.Join(out, fmt.Sprintf("%s-seed%d", c.Method, c.Seed))
					res, err := p.finished(cmd, c, s, dir, workers)
					if errors.Is(err, train.ErrInterrupted) {
						return fmt.Errorf("%w: the same command goes on in %s", err, out)
					}
					if err != nil {
						return fmt.Errorf("%s, seed %d: %w", c.Method, c.Seed, err)
					}
					row.Runs, row.Accuracy, row.Stages = append(row.Runs, dir), append(row.Accuracy, res.Accuracy), append(row.Stages, res.Stages)
				}
				row.Mean, row.SD = meanAndSD(row.Accuracy)
				rows = append(rows, row)
				if !p.json && !p.quiet {
					fmt.Fprintf(p.err, "%s: overall %s\n", row.Method, percent(&row.Mean.Overall))
				}
			}
			if p.json {
				return p.printJSON(map[string]any{"schema": outputSchema, "methods": rows})
			}
			fmt.Fprintf(p.out, "\nlast epoch's test accuracy in %%, mean ± standard deviation over %d seeds\n\n", seeds)
			fmt.Fprintf(p.out, "| method | overall | balanced | many | medium | few |\n|---|---|---|---|---|---|\n")
			for _, r := range rows {
				fmt.Fprintf(p.out, "| %s | %s | %s | %s | %s | %s |\n", r.Method, plusMinus(&r.Mean.Overall, &r.SD.Overall), plusMinus(&r.Mean.Balanced, &r.SD.Balanced),
					plusMinus(r.Mean.Many, r.SD.Many), plusMinus(r.Mean.Medium, r.SD.Medium), plusMinus(r.Mean.Few, r.SD.Few))
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

// finished is the result of the run in dir, which is trained to its end first
// if need be.
func (p *program) finished(cmd *cobra.Command, c train.Config, s *settings, dir string, workers int) (*train.Result, error) {
	old, err := train.ReadConfig(dir)
	resume := err == nil
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	if resume {
		if d := old.Differences(c); len(d) > 0 {
			return nil, fmt.Errorf("%s holds a run with other settings (then, now): %s", dir, d[0])
		}
		if res, err := train.ReadResult(dir); err == nil {
			return &res, nil
		}
	}
	src, err := s.open(c)
	if err != nil {
		return nil, err
	}
	m := p.meter()
	defer m.close()
	return train.Run(cmd.Context(), c, src, train.Options{Dir: dir, Resume: resume, Workers: workers, Version: version(), Report: m.report})
}

// meanAndSD is the mean and the standard deviation of the figures of several
// accuracies. A group without classes stays without a figure.
func meanAndSD(a []longtail.Accuracy) (mean, sd longtail.Accuracy) {
	figure := func(get func(longtail.Accuracy) *float64) (m, d *float64) {
		var v []float64
		for _, x := range a {
			if f := get(x); f != nil {
				v = append(v, *f)
			}
		}
		if len(v) == 0 {
			return nil, nil
		}
		mean, dev := stat.MeanStdDev(v, nil)
		if len(v) == 1 {
			dev = 0
		}
		return &mean, &dev
	}
	must := func(get func(longtail.Accuracy) *float64) (m, d float64) {
		x, y := figure(get)
		return *x, *y
	}
	mean.Overall, sd.Overall = must(func(a longtail.Accuracy) *float64 { return &a.Overall })
	mean.Balanced, sd.Balanced = must(func(a longtail.Accuracy) *float64 { return &a.Balanced })
	mean.Many, sd.Many = figure(func(a longtail.Accuracy) *float64 { return a.Many })
	mean.Medium, sd.Medium = figure(func(a longtail.Accuracy) *float64 { return a.Medium })
	mean.Few, sd.Few = figure(func(a longtail.Accuracy) *float64 { return a.Few })
	return mean, sd
}

func plusMinus(mean, sd *float64) string {
	if mean == nil {
		return "-"
	}
	return fmt.Sprintf("%.1f ± %.1f", 100**mean, 100**sd)
}
