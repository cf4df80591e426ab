package main

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"phase/phase/figures"
	"phase/phase/report"
	"phase/tensor/atomicfile"

	"github.com/spf13/cobra"
)

// reportDPI is the resolution of the PNG figures: 1280 pixels wide.
const reportDPI = 192

func (p *program) reportCommand() *cobra.Command {
	var out, figures string
	cmd := &cobra.Command{
		Use: "report RUN...", Short: "one page of what runs came to, and their figures",
		Long: `report writes one HTML page that needs no other file and no network: accuracies,
settings that differ, means over seeds, training curves, classes, confusion, weights and
what else the runs hold. A run that is not finished is shown as far as it came.`,
		Example: "  phase report runs/phase-fashion-001\n  phase report runs/fashion/* --out fashion.html --figures figures",
		RunE: func(_ *cobra.Command, dirs []string) error {
			if len(dirs) == 0 {
				return usagef("report wants at least one run directory")
			}
			if out == "" {
				out = "report.html"
				if len(dirs) == 1 {
					out = filepath.Join(dirs[0], out)
				}
			}
			return p.report(dirs, out, figures)
		},
	}
	f := cmd.Flags()
	f.StringVar(&out, "out", "", "the page (default report.html, in the run directory if there is one RUN)")
	f.StringVar(&figures, "figures", "", "folder for the figures as SVG and PNG")
	return cmd
}

// A written is a file that report is about to write.
type written struct {
	path string
	bytes.Buffer
}

// report makes everything before it writes anything.
func (p *program) report(dirs []string, out, figures string) error {
	var runs []*report.Run
	seen := map[string]bool{}
	for _, dir := range dirs {
		dir = filepath.Clean(dir)
		if seen[dir] {
			return usagef("report: %s is given twice", dir)
		}
		seen[dir] = true
		run, err := report.Open(dir)
		if err != nil {
			return err
		}
		runs = append(runs, run)
	}
	r, err := report.New(runs)
	if err != nil {
		return err
	}
	page := &written{path: out}
	if err := r.HTML(page); err != nil {
		return err
	}
	var drawn []*written
	if figures != "" {
		for _, f := range r.Figures {
			files, err := draw(f.Figure, filepath.Join(figures, f.Name))
			if err != nil {
				return err
			}
			drawn = append(drawn, files...)
		}
		if err := os.MkdirAll(figures, 0o755); err != nil {
			return err
		}
	}
	size := page.Len()
	paths := []string{}
	for _, w := range append(drawn, page) {
		if err := atomicfile.Write(w.path, func(to io.Writer) error { _, err := w.WriteTo(to); return err }); err != nil {
			return err
		}
		if w != page {
			paths = append(paths, w.path)
		}
	}
	if p.json {
		notes := append([]string{}, r.Notes...)
		return p.printJSON(map[string]any{"schema": outputSchema, "report": out, "bytes": size, "runs": dirs, "figures": paths, "notes": notes})
	}
	for _, n := range r.Notes {
		fmt.Fprintln(p.out, "note: "+clean(n, 1000))
	}
	fmt.Fprintf(p.out, "%s, %d kB", out, (size+999)/1000)
	if figures != "" {
		fmt.Fprintf(p.out, "; %d figures as SVG and PNG in %s", len(r.Figures), figures)
	}
	fmt.Fprintln(p.out)
	return nil
}

// draw is a figure as an SVG and a PNG file of that path, to be written.
func draw(f *figures.Figure, path string) ([]*written, error) {
	svg, png := &written{path: path + ".svg"}, &written{path: path + ".png"}
	if err := f.SVG(svg); err != nil {
		return nil, err
	}
	return []*written{svg, png}, f.PNG(png, reportDPI)
}
