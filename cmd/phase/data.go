package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"phase/phase/data"
	"phase/phase/longtail"
	"phase/phase/train"
	"phase/tensor/atomicfile"

	"github.com/spf13/cobra"
)

func (p *program) dataCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use: "data", Short: "data sets: list them, count their classes, download them, write a subset's manifest",
		Example: "  phase data list\n  phase data info --data cifar100 --imbalance 100",
		Args:    cobra.ArbitraryArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return cmd.Help()
			}
			return usagef("unknown command data %s%s: phase data -h lists the commands", args[0], didYouMean(args[0], []string{"list", "info", "get", "export"}))
		},
	}
	cmd.AddCommand(p.dataListCommand(), p.dataInfoCommand(), p.dataGetCommand(), p.dataExportCommand())
	return cmd
}

func (p *program) dataListCommand() *cobra.Command {
	var dir string
	cmd := &cobra.Command{
		Use: "list", Short: "the data sets that have names, whether they are there, and the forms of your own", Example: "  phase data list --data-dir ~/data", Args: noArgs,
		RunE: func(*cobra.Command, []string) error {
			type row struct {
				data.Info
				There bool   `json:"there"`
				Path  string `json:"path"`
			}
			var rows []row
			for _, i := range data.Known() {
				r := row{Info: i, There: i.Folder == ""}
				for _, d := range dataDirs(dir) {
					path := filepath.Join(d, i.Folder)
					if r.Path == "" && i.Folder != "" {
						r.Path = path
					}
					if _, err := os.Stat(filepath.Join(path, i.Expects)); !r.There && err == nil {
						r.There, r.Path = true, path
					}
				}
				rows = append(rows, r)
			}
			if p.json {
				return p.printJSON(map[string]any{"schema": outputSchema, "data": rows, "kinds": data.Kinds()})
			}
			for _, r := range rows {
				where := "in " + r.Path
				switch {
				case r.Folder == "":
					where = "embedded"
				case !r.There:
					where = "missing: looked for " + filepath.Join(r.Path, r.Expects) + "; phase data get " + r.Name + " downloads it"
				}
				fmt.Fprintln(p.out, entry(r.Name, fmt.Sprintf("%s (%d classes, %d+%d images); %s", r.About, r.Classes, r.Train, r.Test, where), 16, terminalWidth(p.out)))
			}
			fmt.Fprintln(p.out, "\nYour own:")
			for _, k := range data.Kinds() {
				fmt.Fprintln(p.out, entry("  "+k.Form, k.About, 16, terminalWidth(p.out)))
			}
			return nil
		},
	}
	addDataDir(cmd.Flags(), &dir)
	return cmd
}

// source resolves the settings and opens the data they name.
func (s *settings) source(ctx context.Context, p *program) (train.Config, *train.Source, error) {
	c, err := s.resolve()
	if err != nil {
		return c, nil, err
	}
	src, err := s.open(ctx, p, c)
	return c, src, err
}

func (p *program) dataInfoCommand() *cobra.Command {
	var s *settings
	cmd := &cobra.Command{
		Use: "info", Short: "statistics and class counts of a data set, after --imbalance", Example: "  phase data info --data cifar10 --imbalance 50", Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, src, err := s.source(cmd.Context(), p)
			if err != nil {
				return err
			}
			groups, err := longtail.Groups(src.Counts, c.Thresholds())
			if err != nil {
				return err
			}
			test := data.Counts(src.Test)
			var perGroup [3]int
			for _, g := range groups {
				perGroup[g]++
			}
			if p.json {
				return p.printJSON(map[string]any{"data": c.Data, "imbalance": c.Imbalance, "profile": c.Profile, "subset_seed": c.SubsetSeed, "shape": src.Train.Shape(), "train": src.Train.Len(), "test": src.Test.Len(),
					"classes": src.Train.Classes(), "counts": src.Counts, "test_counts": test, "many": perGroup[longtail.Many], "medium": perGroup[longtail.Medium], "few": perGroup[longtail.Few],
					"mean": src.Normalize.Mean, "std": src.Normalize.Std, "sha256": src.Checksum, "skipped": len(src.Skipped)})
			}
			fmt.Fprintf(p.out, "%s, imbalance %g: %d training and %d test samples of shape %v, %d classes (%d many, %d medium, %d few-shot)\n", c.Data, c.Imbalance,
				src.Train.Len(), src.Test.Len(), src.Train.Shape(), len(src.Counts), perGroup[longtail.Many], perGroup[longtail.Medium], perGroup[longtail.Few])
			fmt.Fprintf(p.out, "mean %.4f, deviation %.4f, sha256 %s\n\n", src.Normalize.Mean, src.Normalize.Std, src.Checksum)
			fmt.Fprintf(p.out, "%5s  %-24s  %6s  %6s  %s\n", "class", "name", "train", "test", "group")
			most := maxOf(src.Counts)
			for i, n := range src.Counts {
				fmt.Fprintf(p.out, "%5d  %-24s  %6d  %6d  %-6s %s\n", i, clean(src.Train.Classes()[i], 24), n, test[i], groups[i], strings.Repeat("▪", (n*24+most-1)/most))
			}
			if n := len(src.Skipped); n > 0 {
				fmt.Fprintf(p.out, "\n%d unreadable files left out:\n", n)
				for _, b := range src.Skipped {
					fmt.Fprintln(p.out, "  "+oneLine(b.Err))
				}
			}
			return nil
		},
	}
	s = addSettings(cmd.Flags())
	return cmd
}

// clean makes a name from a file fit for a table: no control characters, at
// most width runes.
func clean(name string, width int) string {
	r := []rune(oneLine(errors.New(name + " ")))
	if len(r) > width {
		r = append(r[:width-1], '…')
	}
	return string(r)
}

func (p *program) dataExportCommand() *cobra.Command {
	var s *settings
	var out string
	cmd := &cobra.Command{
		Use: "export", Short: "write the manifest of a long-tailed subset: which images, and a hash", Example: "  phase data export --data cifar100 --imbalance 100 --out c100-if100.json", Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			_, src, err := s.source(cmd.Context(), p)
			if err != nil {
				return err
			}
			hash, err := src.Manifest.Hash()
			if err != nil {
				return err
			}
			if out == "" {
				return src.Manifest.Write(p.out)
			}
			if err := atomicfile.Write(out, func(w io.Writer) error { return src.Manifest.Write(w) }); err != nil {
				return err
			}
			if p.json {
				return p.printJSON(map[string]any{"manifest": out, "sha256": hash, "images": len(src.Manifest.Indices)})
			}
			fmt.Fprintf(p.out, "%s: %d images, sha256 %s\n", out, len(src.Manifest.Indices), hash)
			return nil
		},
	}
	s = addSettings(cmd.Flags())
	cmd.Flags().StringVar(&out, "out", "", "file to write (default standard output)")
	return cmd
}
