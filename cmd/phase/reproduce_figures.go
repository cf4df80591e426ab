package main

import (
	"context"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"strconv"

	"phase/phase/data"
	"phase/phase/figures"
	"phase/phase/longtail"
	"phase/phase/paper"
	"phase/phase/train"
	"phase/tensor/atomicfile"
)

// A drawing is a figure with the name of its files.
type drawing struct {
	name string
	*figures.Figure
}

// drawings are the figures that show what x came to.
func (p *program) drawings(ctx context.Context, s *settings, x *reproduced, setups []paper.Setup) (all []drawing, err error) {
	add := func(name string, f *figures.Figure, e error) {
		if err == nil {
			all, err = append(all, drawing{name, f}), e
		}
	}
	if x.Name == "fig3" {
		for _, d := range distinct(setups) {
			sets, e := p.classCounts(ctx, s, d, setups)
			if e != nil {
				return nil, e
			}
			f, e := figures.ClassCounts("Images of each class, "+d, sets)
			add("fig3-"+nameOf(d), f, e)
		}
		return all, err
	}
	for _, u := range setups {
		var rows []reproducedRow
		for _, r := range x.Rows {
			if r.setup == u {
				rows = append(rows, r)
			}
		}
		where, name := fmt.Sprintf("%s, imbalance %g", u.Data, u.Imbalance), x.Name+"-"+folderOf(u)
		switch x.Name {
		case "fig4":
			classes, e := p.classesOf(ctx, s, rows[0].Settings)
			if e != nil {
				return nil, e
			}
			var series []figures.Series
			for _, r := range rows {
				series = append(series, figures.Series{Name: r.Label, Values: byClass(r.Accuracy)})
			}
			f, e := figures.AccuracyByClass("Accuracy by class, "+where, classes, series)
			add(name, f, e)
		case "fig6":
			var points []figures.AlphaPoint
			for _, r := range rows {
				alpha, e := strconv.ParseFloat(r.Settings.Params["alpha"], 64)
				if e != nil {
					continue // a method without alpha, which --methods put there
				}
				points = append(points, figures.AlphaPoint{Alpha: alpha, Runs: r.Seeds, Mean: r.Mean.Overall, SD: r.SD.Overall})
			}
			f, e := figures.AccuracyOverAlpha("Accuracy over alpha, "+where, points)
			add(name, f, e)
		default:
			var methods []figures.Method
			for _, r := range rows {
				methods = append(methods, figures.Method{Name: r.Label, Runs: r.Seeds, Mean: r.Mean, SD: r.SD})
			}
			f, e := figures.GroupBars("Many, medium and few, "+where, methods)
			add(name, f, e)
		}
	}
	return all, err
}

// distinct lists the data sets of the columns.
func distinct(setups []paper.Setup) (names []string) {
	seen := map[string]bool{}
	for _, u := range setups {
		if !seen[u.Data] {
			seen[u.Data] = true
			names = append(names, u.Data)
		}
	}
	return names
}

// classCounts is how many images each class has, at each imbalance of a data
// set. For the paper's sets that takes no data.
func (p *program) classCounts(ctx context.Context, s *settings, name string, setups []paper.Setup) (sets []figures.Counts, err error) {
	for _, u := range setups {
		if u.Data != name {
			continue
		}
		most, classes, known := paper.Size(name)
		var n []int
		if known {
			n, err = longtail.Counts(longtail.Exp, most, classes, u.Imbalance)
		} else {
			var c train.Config
			if c, _, err = s.resolveAs("ce", name, func(c *train.Config) { c.Imbalance = u.Imbalance }); err == nil {
				var src *train.Source
				if src, err = s.open(ctx, p, c); err == nil {
					n = src.Counts
				}
			}
		}
		if err != nil {
			return nil, err
		}
		sets = append(sets, figures.Counts{Name: fmt.Sprintf("imbalance %g", u.Imbalance), Images: n})
	}
	return sets, nil
}

// classes are the names and sizes of a run's classes.
func (p *program) classesOf(ctx context.Context, s *settings, c train.Config) (figures.Classes, error) {
	src, err := s.open(ctx, p, c)
	if err != nil {
		return figures.Classes{}, err
	}
	return figures.Classes{Names: src.Train.Classes(), Counts: data.Counts(src.Train), Thresholds: c.Thresholds()}, nil
}

// byClass is the mean accuracy of each class over runs; NaN for a class that the
// test set lacks.
func byClass(runs []longtail.Accuracy) []float64 {
	mean := make([]float64, len(runs[0].PerClass))
	for _, a := range runs {
		for j, v := range a.PerClass {
			if v == nil {
				mean[j] = math.NaN()
				continue
			}
			mean[j] += *v / float64(len(runs))
		}
	}
	return mean
}

// writeDrawings writes figures into a folder, and lists the files.
func writeDrawings(folder string, all []drawing) (paths []string, err error) {
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return nil, err
	}
	for _, d := range all {
		files, err := draw(d.Figure, filepath.Join(folder, d.name))
		if err != nil {
			return nil, err
		}
		for _, w := range files {
			if err := atomicfile.Write(w.path, func(to io.Writer) error { _, err := w.WriteTo(to); return err }); err != nil {
				return nil, err
			}
			paths = append(paths, w.path)
		}
	}
	return paths, nil
}
