package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"strings"
	"syscall"

	"phase/kernels/cpu"
	_ "phase/phase/methods"
	"phase/phase/train"
	"phase/tensor"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// Exit statuses.
const (
	exitDone        = 0
	exitFailed      = 1 // bad data, a check that did not hold
	exitUsage       = 2
	exitInterrupted = 130
)

// A usageError is a call that cannot be carried out as it is written.
type usageError struct{ error }

func usagef(format string, a ...any) error { return usageError{fmt.Errorf(format, a...)} }

// A program is one call of the command: its streams and the flags that all
// commands share.
type program struct {
	in       io.Reader
	out, err io.Writer
	json     bool
	quiet    bool
	verbose  bool
	progress string
	threads  int
	variant  string
	exact    bool
}

// run is the whole command; it returns the exit status.
func run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) (code int) {
	p := &program{in: stdin, out: stdout, err: stderr}
	root := p.root()
	root.SetArgs(args)
	var err error
	if misuse := tensor.Catch(func() { err = root.ExecuteContext(ctx) }); misuse != nil {
		err = misuse
	}
	return p.exit(err)
}

// exit says what went wrong, in one line, and chooses the exit status.
func (p *program) exit(err error) int {
	var usage usageError
	switch {
	case err == nil || errors.Is(err, syscall.EPIPE):
		return exitDone
	case errors.Is(err, train.ErrInterrupted):
		fmt.Fprintln(p.err, "phase: "+oneLine(err))
		return exitInterrupted
	case err == context.Canceled, err == context.DeadlineExceeded: // nothing was under way that had more to say
		err = errors.New("interrupted")
		fallthrough
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		fmt.Fprintln(p.err, "phase: "+oneLine(err))
		return exitInterrupted
	case errors.As(err, &usage):
		fmt.Fprintln(p.err, "phase: "+oneLine(err))
		return exitUsage
	}
	fmt.Fprintln(p.err, "phase: "+oneLine(err))
	return exitFailed
}

// oneLine keeps an error on one line and free of control characters, which may
// come from file names and files.
func oneLine(err error) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\n':
			return ';'
		case r < ' ' || r == 0x7f || r >= 0x80 && r < 0xa0:
			return -1
		}
		return r
	}, strings.TrimSpace(err.Error()))
}

func (p *program) root() *cobra.Command {
	root := &cobra.Command{
		Use:   "phase",
		Short: "train image classifiers on long-tailed data, and see how reweighting works",
		Long: `phase trains image classifiers on long-tailed data with PHASE (difficulty-aware
weighting, then a classifier retrained with multi-scale weights) and the methods
it is compared with, and shows every number on the way.`,
		Example:       "  phase train\n  phase train --data cifar100 --imbalance 100 --model resnet32\n  phase explain",
		Version:       version(),
		SilenceErrors: true,
		SilenceUsage:  true,
		Args:          cobra.ArbitraryArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return cmd.Help()
			}
			var names []string
			for _, c := range cmd.Commands() {
				names = append(names, c.Name())
			}
			return usagef("unknown command %q%s: phase -h lists the commands", args[0], didYouMean(args[0], names))
		},
		PersistentPreRunE: func(*cobra.Command, []string) error { return p.prepare() },
	}
	root.SetIn(p.in)
	root.SetOut(p.out)
	root.SetErr(p.err)
	root.SetVersionTemplate("phase {{.Version}}\n")
	root.SetHelpFunc(p.help)
	root.SetFlagErrorFunc(flagError)
	f := root.PersistentFlags()
	f.BoolVar(&p.json, "json", false, "machine-readable results on standard output, and nothing else there")
	f.BoolVarP(&p.quiet, "quiet", "q", false, "say nothing but results and errors")
	f.BoolVarP(&p.verbose, "verbose", "v", false, "say more")
	f.StringVar(&p.progress, "progress", "auto", "auto, bar, plain or none")
	f.IntVar(&p.threads, "threads", 0, "processors to use; 0 takes all")
	f.StringVar(&p.variant, "cpu", "", "kernels to use: "+strings.Join(cpu.Variants(), ", ")+" (default the fastest, or $PHASE_CPU)")
	f.BoolVar(&p.exact, "exact", false, "convolutions as the sums that define them, without Winograd's shortcut")
	root.AddCommand(p.commands()...)
	for _, c := range root.Commands() {
		c.Flags().SortFlags = false
	}
	root.SetHelpCommand(&cobra.Command{
		Use: "help [COMMAND]", Short: "help about a command", Hidden: true,
		RunE: func(_ *cobra.Command, args []string) error {
			of, rest, err := root.Find(args)
			if err != nil || len(rest) > 0 {
				return usagef("unknown command %q: phase -h lists the commands", strings.Join(args, " "))
			}
			of.InitDefaultHelpFlag()
			return of.Help()
		},
	})
	root.InitDefaultCompletionCmd("completion")
	if c, _, err := root.Find([]string{"completion"}); err == nil {
		c.Short, c.Long, c.Args = "script that completes commands and flags in a shell", "", cobra.ArbitraryArgs
		c.Example = "  source <(phase completion bash)"
		c.RunE = func(_ *cobra.Command, args []string) error {
			if len(args) == 0 {
				return c.Help()
			}
			return usagef("unknown shell %q: phase completion -h lists them", args[0])
		}
	}
	return root
}

// prepare applies the flags that all commands share.
func (p *program) prepare() error {
	switch p.progress {
	case "auto", "bar", "plain", "none":
	default:
		return usagef("--progress %q: want auto, bar, plain or none", p.progress)
	}
	if p.threads < 0 {
		return usagef("--threads %d: want at least 0", p.threads)
	}
	if p.threads > 0 {
		runtime.GOMAXPROCS(p.threads)
	}
	name, from := p.variant, "--cpu"
	if name == "" {
		name, from = os.Getenv("PHASE_CPU"), "PHASE_CPU"
	}
	if p.exact {
		name = cpu.Exact(name)
	}
	if name != "" {
		if err := cpu.Select(name); err != nil {
			return usagef("%s %q: %v", from, name, err)
		}
	}
	return nil
}

// flagError makes a mistake in the flags one line with the nearest flag.
func flagError(cmd *cobra.Command, err error) error {
	if name, ok := strings.CutPrefix(err.Error(), "unknown flag: --"); ok {
		var names []string
		cmd.Flags().VisitAll(func(f *pflag.Flag) { names = append(names, "--"+f.Name) })
		return usagef("unknown flag --%s%s: phase %s -h lists the flags", name, didYouMean("--"+name, names), cmd.Name())
	}
	return usageError{err}
}

// printJSON writes v as one line on standard output.
func (p *program) printJSON(v any) error { return json.NewEncoder(p.out).Encode(v) }

// didYouMean names the candidate nearest to a typo, if one is near.
func didYouMean(typo string, candidates []string) string {
	best, at := 1+len(typo)/3, ""
	for _, c := range candidates {
		if d := distance(typo, c); d < best || d == best && at == "" {
			best, at = d, c
		}
	}
	if at == "" {
		return ""
	}
	return fmt.Sprintf(" (did you mean %s?)", at)
}

// distance is the edit distance of Levenshtein.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			d := diagonal
			if a[i] != b[j] {
				d = min(diagonal, row[j], row[j+1]) + 1
			}
			diagonal, row[j+1] = row[j+1], d
		}
	}
	return row[len(b)]
}
