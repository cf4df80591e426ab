package main

import (
	"fmt"

	"phase/phase/longtail"
	"phase/phase/train"

	"github.com/spf13/cobra"
)

func (p *program) evalCommand() *cobra.Command {
	var s *settings
	var workers int
	cmd := &cobra.Command{
		Use: "eval RUN [flags]", Short: "accuracy of a run's model on its test set, or on other data",
		Long: `eval measures a trained model: overall accuracy, balanced accuracy (the mean over
classes), many-, medium- and few-shot classes by the run's training counts, and each
class. Without --data it takes the run's own test set. Classes are matched by name.
With --posthoc the classifier is changed first, as train --posthoc does after training;
the run's model stays as it is.`,
		Example: "  phase eval runs/phase-fashion-001\n  phase eval runs/phase-fashion-001 --data folder:photos\n  phase eval runs/ce-fashion-001 --posthoc logit-adjust",
		Args:    oneRun,
		RunE: func(cmd *cobra.Command, args []string) error {
			m, err := train.LoadModel(args[0])
			if err != nil {
				return err
			}
			what, err := s.adjust(m)
			if err != nil {
				return fmt.Errorf("%s: %w", args[0], err)
			}
			on, _ := cmd.Flags().GetString("device")
			if err := onto(m, on); err != nil {
				return err
			}
			c := m.Config
			if cmd.Flags().Changed("data") {
				if c, err = s.resolve(); err != nil {
					return err
				}
				c.Imbalance = 1
				if c.Size == 0 {
					c.Size = m.About.Config.Size
				}
			}
			for name, to := range map[string]*int{"many": &c.Many, "few": &c.Few} {
				if cmd.Flags().Changed(name) {
					*to, _ = cmd.Flags().GetInt(name)
				}
			}
			src, err := s.open(cmd.Context(), p, c)
			if err != nil {
				return err
			}
			acc, err := m.Evaluate(cmd.Context(), src.Test, c.Thresholds(), workers)
			if err != nil {
				return fmt.Errorf("%s on %s: %w", args[0], c.Data, err)
			}
			if p.json {
				return p.printJSON(map[string]any{"schema": train.Schema, "run": args[0], "data": c.Data, "test_images": src.Test.Len(), "classes": m.About.Classes, "posthoc": what, "accuracy": acc})
			}
			groups, err := longtail.Groups(m.Counts, c.Thresholds())
			if err != nil {
				return err
			}
			fmt.Fprintf(p.out, "%s%s on the %d test images of %s\n\naccuracy, %%  %s\n             %s\n", args[0], after(what), src.Test.Len(), c.Data, accuracyHead, accuracyRow(acc))
			if !p.quiet {
				fmt.Fprintf(p.out, "\n%5s  %-24s  %6s  %-6s  %8s\n", "class", "name", "train", "group", "accuracy")
				for i, name := range m.About.Classes {
					fmt.Fprintf(p.out, "%5d  %-24s  %6d  %-6s  %8s\n", i, clean(name, 24), m.Counts[i], groups[i], percent(acc.PerClass[i]))
				}
			}
			return nil
		},
	}
	s = addSettings(cmd.Flags())
	names := []string{"data", "device", "data-dir", "holdout", "size", "max-pixels", "skip-bad", "many", "few", "posthoc"}
	for _, q := range train.Posthocs.Params() {
		names = append(names, q.Name)
	}
	hideAllBut(cmd, names...)
	cmd.Flags().IntVar(&workers, "workers", 1, "goroutines that prepare batches")
	return cmd
}

// adjust does to a model what the settings say is done after training, and says
// what that is: "none", or "tau-norm 0.7".
func (s *settings) adjust(m *train.Model) (what string, err error) {
	given, err := s.given()
	if err != nil {
		return "", err
	}
	params := train.Params{}
	for _, q := range train.Posthocs.Params() {
		if v, ok := given[q.Name]; ok {
			params[q.Name] = v
		}
	}
	name, ok := given["posthoc"]
	if !ok || name == "none" {
		for of := range params {
			return "", usagef("--%s is a parameter of what --posthoc does: say which", of)
		}
		return "none", nil
	}
	if what, err = m.Adjust(name, params); err != nil {
		err = usageError{err}
	}
	return what, err
}

// after is what was done to a model in words, to follow its name.
func after(what string) string {
	if what == "none" {
		return ""
	}
	return ", " + what + ","
}

func oneRun(cmd *cobra.Command, args []string) error {
	if len(args) != 1 {
		return usagef("%s wants one run directory, %d arguments were given: phase %s -h shows its flags", cmd.Name(), len(args), cmd.Name())
	}
	return nil
}

// hideAllBut hides the settings that have no meaning for a command; it refuses
// them too.
func hideAllBut(cmd *cobra.Command, names ...string) {
	var all train.Config
	all.Fields(func(name, _, _ string, _ any) {
		if !contains(names, name) {
			cmd.Flags().Lookup(name).Hidden = true
		}
	})
	for _, name := range []string{"config", "print-config"} {
		cmd.Flags().Lookup(name).Hidden = true
	}
	cmd.PreRunE = func(cmd *cobra.Command, _ []string) error {
		var err error
		all.Fields(func(name, _, _ string, _ any) {
			if f := cmd.Flags().Lookup(name); f.Hidden && f.Changed {
				err = usagef("--%s has no meaning for %s: phase %s -h lists its flags", name, cmd.Name(), cmd.Name())
			}
		})
		return err
	}
}
