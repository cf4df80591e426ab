package main

import (
	"fmt"
	"slices"
	"strings"

	"phase/autograd"
	"phase/autograd/gradcheck"
	"phase/kernels/cuda"
	"phase/tensor"

	"github.com/spf13/cobra"
)

// opInfo is one line of the table of ops.
type opInfo struct {
	Name           string   `json:"name"`
	About          string   `json:"about"`
	Differentiable bool     `json:"differentiable"`
	View           bool     `json:"view"`
	Fused          bool     `json:"fused"`
	Shapes         string   `json:"shapes"` // of a legal call
	DTypes         []string `json:"dtypes"`
	Devices        []string `json:"devices"`
}

func (p *program) opsCommand() *cobra.Command {
	return &cobra.Command{
		Use: "ops", Short: "the table of ops: formula, shapes, dtypes, devices, fused or not", Example: "  phase ops\n  phase ops --json", Args: noArgs,
		RunE: func(*cobra.Command, []string) error {
			var list []opInfo
			for _, op := range autograd.Ops() {
				list = append(list, describe(op))
			}
			if p.json {
				return p.printJSON(map[string]any{"schema": outputSchema, "ops": list})
			}
			for _, op := range list {
				var marks []string
				for _, m := range []struct {
					is   bool
					word string
				}{{op.Fused, "fused"}, {op.View, "view"}, {!op.Differentiable, "no gradient"}} {
					if m.is {
						marks = append(marks, m.word)
					}
				}
				text := op.About + " " + op.Shapes
				if len(marks) > 0 {
					text += " [" + strings.Join(marks, ", ") + "]"
				}
				fmt.Fprintln(p.out, entry(op.Name, text, 26, terminalWidth(p.out)))
			}
			if !p.quiet {
				fmt.Fprintf(p.out, "\n%d ops, each in f32 and f64 on %s; labels and indices are i64\n", len(list), strings.Join(devices(), " and "))
			}
			return nil
		},
	}
}

// devices are those that this program has kernels for: every op runs on each.
func devices() []string {
	d := []string{tensor.CPU.String()}
	if cuda.Built {
		d = append(d, "cuda")
	}
	return d
}

func describe(op autograd.Op) opInfo {
	i := opInfo{Name: op.Name, About: op.Doc, Differentiable: op.Differentiable, View: op.View, Fused: op.Fused, DTypes: []string{"f32", "f64"}, Devices: devices()}
	for _, c := range op.Cases(1) {
		if c.Err != "" {
			continue
		}
		var in []string
		vars := make([]*autograd.Var, len(c.In))
		for j, t := range c.In {
			in, vars[j] = append(in, t.Shape().String()), autograd.Const(t)
		}
		i.Shapes = fmt.Sprintf("%s -> %v", strings.Join(in, " "), c.Call(vars...).Shape())
		break
	}
	return i
}

// checked is the outcome of the gradient checks of one op.
type checked struct {
	Name    string  `json:"name"`
	Error   float64 `json:"relative_error"` // the largest over its samples
	Entries int     `json:"entries"`        // derivatives compared
	Passed  bool    `json:"passed"`
	Where   string  `json:"where"` // the worst place
}

func (p *program) gradcheckCommand() *cobra.Command {
	var tol float64
	var seed uint64
	cmd := &cobra.Command{
		Use: "gradcheck [OP...]", Short: "check the gradient of every op, loss and module against difference quotients",
		Long: `gradcheck compares every derivative that the program uses, in float64, with central
difference quotients of the value, through a random projection of the output, and
prints the largest relative error of each op. Exit status 1 says that one was too large.`,
		Example: "  phase gradcheck\n  phase gradcheck conv2d softmax_loss",
		RunE: func(cmd *cobra.Command, args []string) error {
			if !(tol > 0) {
				return usagef("--tol %g: want more than 0", tol)
			}
			subjects := subjects(seed)
			var names []string
			for _, s := range subjects {
				names = append(names, s.name)
			}
			for _, a := range args {
				if !slices.Contains(names, a) {
					if slices.ContainsFunc(autograd.Ops(), func(op autograd.Op) bool { return op.Name == a }) {
						return usagef("op %q has no gradient", a)
					}
					return usagef("unknown op %q%s: without arguments gradcheck lists them all", a, didYouMean(a, names))
				}
			}
			results, failed := []checked{}, 0
			for _, s := range subjects {
				if len(args) > 0 && !slices.Contains(args, s.name) {
					continue
				}
				if err := cmd.Context().Err(); err != nil {
					return err
				}
				c := s.check(gradcheck.Config{Tol: tol, Seed: seed})
				if !c.Passed {
					failed++
				}
				results = append(results, c)
			}
			if p.json {
				if err := p.printJSON(map[string]any{"schema": outputSchema, "tolerance": tol, "failed": failed, "checks": results}); err != nil {
					return err
				}
			} else {
				fmt.Fprintf(p.out, "%-26s  %14s  %8s\n", "", "relative error", "entries")
				for _, c := range results {
					fmt.Fprintf(p.out, "%-26s  %14.1e  %8d", c.Name, c.Error, c.Entries)
					if !c.Passed {
						fmt.Fprintf(p.out, "  FAILED: %s", c.Where)
					}
					fmt.Fprintln(p.out)
				}
			}
			if failed > 0 {
				return fmt.Errorf("%d of %d gradients are off by more than %g, relative", failed, len(results), tol)
			}
			return nil
		},
	}
	cmd.Flags().Float64Var(&tol, "tol", 1e-6, "largest relative error that passes")
	cmd.Flags().Uint64Var(&seed, "seed", 1, "of the samples and the projection")
	return cmd
}
