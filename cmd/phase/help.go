package main

import (
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"golang.org/x/term"
)

// group is the annotation that says under which heading a flag stands.
const group = "group"

// help prints a command's purpose, usage, example and flags by group, with
// their defaults, as wide as the terminal.
func (p *program) help(cmd *cobra.Command, _ []string) {
	w, width := cmd.OutOrStdout(), terminalWidth(cmd.OutOrStdout())
	about := cmd.Long
	if about == "" {
		about = cmd.Short
	}
	fmt.Fprintf(w, "%s\n\nUsage:\n  %s\n", wrap(about, width, ""), cmd.UseLine())
	if cmd.HasAvailableSubCommands() {
		fmt.Fprintln(w, "\nCommands:")
		for _, c := range cmd.Commands() {
			if c.IsAvailableCommand() {
				fmt.Fprintln(w, entry("  "+c.Name(), c.Short, 16, width))
			}
		}
	}
	var groups []string
	flags := map[string][]*pflag.Flag{}
	collect := func(other string) func(f *pflag.Flag) {
		return func(f *pflag.Flag) {
			if f.Hidden {
				return
			}
			g := other
			if a := f.Annotations[group]; len(a) > 0 {
				g = a[0]
			}
			if flags[g] == nil {
				groups = append(groups, g)
			}
			flags[g] = append(flags[g], f)
		}
	}
	shared := cmd.Root().PersistentFlags()
	cmd.Flags().SortFlags = false // in the order in which they were defined
	cmd.Flags().VisitAll(func(f *pflag.Flag) {
		if shared.Lookup(f.Name) == nil {
			collect("Flags")(f)
		}
	})
	shared.VisitAll(collect("For every command"))
	for _, g := range groups {
		fmt.Fprintf(w, "\n%s:\n", g)
		for _, f := range flags[g] {
			name := "      --" + f.Name
			if f.Shorthand != "" {
				name = "  -" + f.Shorthand + ", --" + f.Name
			}
			switch kind := f.Value.Type(); kind {
			case "bool":
			case "intSlice":
				name += " int,int,..."
			default:
				name += " " + strings.TrimRight(kind, "3264")
			}
			text := f.Usage
			switch f.DefValue {
			case "", "false", "0", "[]":
			default:
				text += " (default " + f.DefValue + ")"
			}
			fmt.Fprintln(w, entry(name, text, 32, width))
		}
	}
	if cmd.Example != "" {
		fmt.Fprintf(w, "\nExample:\n%s\n", cmd.Example)
	}
}

// entry is a name with a text beside it, wrapped behind column indent.
func entry(name, text string, indent, width int) string {
	lead := name + strings.Repeat(" ", max(2, indent-len(name)))
	body := wrap(text, max(20, width-indent), strings.Repeat(" ", indent))
	if len(lead) > indent {
		return name + "\n" + strings.Repeat(" ", indent) + body
	}
	return lead + body
}

// wrap breaks text into lines of at most width runes; lines after the first
// begin with indent. Line breaks in the text count as spaces.
func wrap(text string, width int, indent string) string {
	var b strings.Builder
	n := 0
	for _, word := range strings.Fields(text) {
		size := len([]rune(word))
		switch {
		case n == 0:
		case n+1+size > width:
			b.WriteString("\n" + indent)
			n = 0
		default:
			b.WriteByte(' ')
			n++
		}
		b.WriteString(word)
		n += size
	}
	return b.String()
}

// terminalWidth is the width of the terminal that w is, at most 100, or 80.
func terminalWidth(w io.Writer) int {
	if f, ok := w.(*os.File); ok {
		if n, _, err := term.GetSize(int(f.Fd())); err == nil && n > 0 {
			return min(n, 100)
		}
	}
	return 80
}

// isTerminal reports whether w is a terminal.
func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}
