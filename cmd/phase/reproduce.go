package main

import (
	"context"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"phase/phase/paper"
	"phase/phase/train"
	"phase/tensor/atomicfile"

	"github.com/spf13/cobra"
	"gonum.org/v1/gonum/stat"
)

// reproduced is what a table or figure came to, and its JSON.
type reproduced struct {
	Schema  int             `json:"schema"`
	Name    string          `json:"name"`
	Title   string          `json:"title"`
	Seeds   int             `json:"seeds"`
	Rows    []reproducedRow `json:"rows"`
	Differs []string        `json:"differs"`
	Files   []string        `json:"files"`
}

// reproducedRow is a method on the data of one column.
type reproducedRow struct {
	Label     string       `json:"label"`
	Data      string       `json:"data"`
	Imbalance float64      `json:"imbalance"`
	Published *float64     `json:"published"` // percent; null where nobody published it
	Source    string       `json:"source,omitempty"`
	BestMean  float64      `json:"best_mean"` // over the runs, of the best epoch's overall accuracy: chosen on the test set
	Settings  train.Config `json:"settings"`
	compared               // what the runs came to

	setup paper.Setup // of the column
}

// A reproduction is what is asked for: a target, with what the flags change.
type reproduction struct {
	seeds, workers int
	methods        []string
	out            string
	dry            bool
}

func (p *program) reproduceCommand() *cobra.Command {
	var s *settings
	var r reproduction
	var names []string
	for _, t := range paper.Targets() {
		names = append(names, t.Name)
	}
	cmd := &cobra.Command{
		Use: "reproduce NAME", Short: "a table or figure of the paper: plan, train, print beside what was published",
		Long: `reproduce runs what stands behind a table or a figure of the paper and prints it beside
what was published: ` + strings.Join(names, ", ") + `.
The plan comes first, with an estimate of its time; --dry-run stops there. A stage 1 that
several methods share is trained once. An interrupt saves; the same command goes on.
--data and --imbalance put other data in place of the paper's, other flags change every
run; what then differs from the paper is listed below the table.`,
		Example: "  phase reproduce table5 --seeds 3\n  phase reproduce table3 --data fashion --methods ce,drw,phase\n  phase reproduce fig6 --dry-run",
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) != 1 {
				return usagef("reproduce wants one name: %s", strings.Join(names, ", "))
			}
			t, err := paper.Find(args[0])
			if err != nil {
				return usagef("reproduce %v%s", err, didYouMean(args[0], names))
			}
			if r.seeds < 1 {
				return usagef("--seeds %d: want at least 1", r.seeds)
			}
			for _, name := range []string{"method", "print-config"} {
				if cmd.Flags().Changed(name) {
					return usagef("--%s has no meaning here: --methods names the methods, --dry-run prints what would be run", name)
				}
			}
			if r.workers < 0 {
				return usagef("--workers %d: want at least 0", r.workers)
			}
			return p.reproduce(cmd, t, s, r)
		},
	}
	addTo(cmd.Flags(), "Reproduction", func() {
		f := cmd.Flags()
		f.IntVar(&r.seeds, "seeds", 1, "runs of each method, from --seed on")
		f.StringSliceVar(&r.methods, "methods", nil, "these methods in place of the paper's rows: phase train --methods lists them")
		f.StringVar(&r.out, "out", "", "folder for the runs and what comes of them (default runs/NAME)")
		f.BoolVar(&r.dry, "dry-run", false, "print the plan and its estimated time, and stop")
		f.IntVar(&r.workers, "workers", 1, "goroutines that prepare batches")
	})
	s = addSettings(cmd.Flags())
	for _, name := range []string{"method", "print-config"} {
		cmd.Flags().Lookup(name).Hidden = true
	}
	return cmd
}

// rowsOf are the target's rows, or those that the flags name.
func (r reproduction) rowsOf(t paper.Target) ([]paper.Row, error) {
	if r.methods == nil || len(t.Rows) == 0 {
		return t.Rows, nil
	}
	var rows []paper.Row
	for _, m := range r.methods {
		if _, err := train.FindPreset(m); err != nil {
			return nil, usagef("--methods: %v", strings.TrimPrefix(err.Error(), "--method "))
		}
		at := slices.IndexFunc(t.Rows, func(row paper.Row) bool { return row.Method == m })
		if at < 0 {
			rows = append(rows, paper.Row{Label: m, Method: m})
			continue
		}
		for _, row := range t.Rows {
			if row.Method == m {
				rows = append(rows, row)
			}
		}
	}
	return rows, nil
}

// setupsOf are the target's columns, or the data that the flags name.
func setupsOf(t paper.Target, s *settings) (setups []paper.Setup) {
	data, factor := s.flags.Lookup("data"), s.flags.Lookup("imbalance")
	add := func(u paper.Setup) {
		if factor.Changed {
			u.Imbalance = s.scratch.Imbalance
		}
		if !slices.Contains(setups, u) {
			setups = append(setups, u)
		}
	}
	for _, u := range t.Setups {
		switch {
		case !data.Changed:
			add(u)
		case s.scratch.Data == u.Data:
			add(u)
		}
	}
	if setups == nil {
		add(paper.Setup{Data: s.scratch.Data, Imbalance: 1})
	}
	return setups
}

func (p *program) reproduce(cmd *cobra.Command, t paper.Target, s *settings, r reproduction) error {
	if r.out == "" {
		r.out = filepath.Join("runs", t.Name)
	}
	rows, err := r.rowsOf(t)
	if err != nil {
		return err
	}
	x := &reproduced{Schema: outputSchema, Name: t.Name, Title: t.Title, Seeds: r.seeds}
	var configs []train.Config
	var names []string
	strange := map[string]int{}
	setups := setupsOf(t, s)
	for _, u := range setups {
		for _, row := range rows {
			c, unknown, err := s.resolveAs(row.Method, u.Data, func(c *train.Config) {
				c.Imbalance = u.Imbalance
				if row.Set != nil {
					row.Set(c)
				}
			})
			if err != nil {
				return err
			}
			for _, name := range unknown {
				if strange[name]++; strange[name] == len(setups)*len(rows) {
					return usagef("--%s has no meaning for any of these methods", name)
				}
			}
			name := row.Name
			if name == "" {
				name = row.Method
			}
			names = append(names, filepath.Join(folderOf(u), name))
			configs = append(configs, c)
			z := reproducedRow{Label: row.Label, Data: u.Data, Imbalance: u.Imbalance, Settings: c, setup: u}
			if n, ok := row.Published[u]; ok {
				z.Published, z.Source = &n.Percent, n.Source
			}
			x.Rows = append(x.Rows, z)
		}
	}
	plan := newComparison(configs, names, r.seeds, r.out, r.workers)
	if len(configs) > 0 {
		if err := p.printPlan(cmd.Context(), s, x, plan, r.dry); err != nil || r.dry {
			return err
		}
	}
	all, err := p.compare(cmd.Context(), s, plan)
	if err != nil {
		return err
	}
	for i := range all {
		x.Rows[i].compared = all[i]
		x.Rows[i].BestMean = stat.Mean(all[i].Best, nil)
	}
	x.Differs = append(differences(t, configs, r.seeds), t.Differs...)
	drawn, err := p.drawings(cmd.Context(), s, x, setups)
	if err != nil {
		return err
	}
	if x.Files, err = writeDrawings(r.out, drawn); err != nil {
		return err
	}
	md := filepath.Join(r.out, t.Name+".md")
	x.Files = append(x.Files, md, filepath.Join(r.out, t.Name+".json"))
	if err := atomicfile.Write(md, func(w io.Writer) error { _, err := io.WriteString(w, x.markdown()); return err }); err != nil {
		return err
	}
	if err := train.WriteJSON(filepath.Join(r.out, t.Name+".json"), x); err != nil {
		return err
	}
	if p.json {
		return p.printJSON(x)
	}
	_, err = fmt.Fprintf(p.out, "%s\nin %s\n", x.markdown(), strings.Join(x.Files, ", "))
	return err
}

// folderOf is where the runs of a column lie.
func folderOf(u paper.Setup) string {
	return fmt.Sprintf("%s-if%g", nameOf(u.Data), u.Imbalance)
}

// nameOf is a data set as part of a file's name.
func nameOf(data string) string {
	name, path, _ := strings.Cut(data, ":")
	if path != "" {
		name += "-" + filepath.Base(path)
	}
	return name
}

// printPlan prints what is going to be trained, and how long it is going to take
// at the speed that the machine has now.
func (p *program) printPlan(ctx context.Context, s *settings, x *reproduced, c *comparison, dry bool) error {
	out := p.err
	if dry {
		out = p.out
	}
	type planned struct {
		Run     string  `json:"run"`
		Stage1  string  `json:"stage1"` // the run that trains it
		Done    bool    `json:"done"`
		Seconds float64 `json:"seconds"` // estimated

		what string
	}
	var jobs []planned
	images, speed := map[string]int{}, map[string]float64{}
	total, left, firsts := 0.0, 0, 0
	for i, j := range c.plan.Jobs {
		q := planned{Run: j.Dir, Stage1: j.Dir, what: "both stages"}
		if !j.Config.TwoStages() {
			q.what = "one stage"
		}
		if j.From >= 0 {
			q.Stage1 = c.plan.Jobs[j.From].Dir
		} else {
			firsts++
		}
		var err error
		if q.Done, err = j.Done(); err != nil {
			return err
		}
		if !q.Done {
			left++
			d := j.Config
			set := fmt.Sprint(d.Data, d.Imbalance, d.Profile, d.Limit, d.Calibration)
			model := fmt.Sprint(d.Data, d.Size, d.Model, d.Width, d.Precision, d.Batch)
			if _, ok := images[set]; !ok || speed[model] == 0 {
				src, err := s.open(ctx, p, d)
				if err != nil {
					return err
				}
				images[set] = src.Train.Len()
				if speed[model] == 0 {
					if speed[model], err = d.Speed(src, time.Second); err != nil {
						return err
					}
				}
			}
			q.Seconds = c.plan.Images(i, images[set]) / speed[model]
			total += q.Seconds
		}
		jobs = append(jobs, q)
	}
	if p.json {
		if dry {
			return p.printJSON(map[string]any{"schema": outputSchema, "name": x.Name, "runs": jobs, "seconds": total})
		}
		return nil
	}
	if p.quiet && !dry {
		return nil
	}
	fmt.Fprintf(out, "%s\n\n", x.Title)
	for _, q := range jobs {
		what := q.what
		if q.Stage1 != q.Run {
			what = "stage 2, on " + within(c.out, q.Stage1)
		}
		if q.Done {
			what = "finished"
		}
		fmt.Fprintf(out, "  %-40s  %9s  %s\n", within(c.out, q.Run), about(q.Seconds), what)
	}
	_, err := fmt.Fprintf(out, "\n%s, %s finished; %d distinct first stages; about %s at the speed of this moment\n\n", count(len(jobs), "run"), fmt.Sprint(len(jobs)-left), firsts, about(total))
	return err
}

// within is path as seen from folder.
func within(folder, path string) string {
	if rel, err := filepath.Rel(folder, path); err == nil {
		return rel
	}
	return path
}

// about is a time in round words.
func about(seconds float64) string {
	d := time.Duration(seconds * float64(time.Second))
	switch {
	case d == 0:
		return "-"
	case d < time.Minute:
		return fmt.Sprintf("%.0f s", max(1, d.Seconds()))
	case d < time.Hour:
		return fmt.Sprintf("%.0f min", d.Minutes())
	}
	return fmt.Sprintf("%.1f h", d.Hours())
}

// differences says how the runs are unlike the paper's for all that the flags
// chose, a line each.
func differences(t paper.Target, configs []train.Config, seeds int) (lines []string) {
	if len(configs) == 0 {
		return nil
	}
	c := configs[0]
	if !slices.ContainsFunc(t.Setups, func(u paper.Setup) bool { return u.Data == c.Data }) {
		lines = append(lines, fmt.Sprintf("data: %s in place of %s", c.Data, t.Setups[0].Data))
	}
	r := train.Recipe(t.Setups[0].Data)
	if c.Epochs != r.Epochs {
		lines = append(lines, fmt.Sprintf("epochs: %d in place of %d", c.Epochs, r.Epochs))
	}
	if c.Model != r.Model {
		lines = append(lines, fmt.Sprintf("model: %s in place of %s", c.Model, r.Model))
	}
	if c.Limit > 0 {
		lines = append(lines, fmt.Sprintf("about %d training images, as --limit says", c.Limit))
	}
	lines = append(lines, fmt.Sprintf("%s, from %d on; the paper says nothing of seeds or spread", count(seeds, "seed"), c.Seed))
	return append(lines, "accuracies are the last epoch's; the best epoch's, chosen by looking at the test set, stand in parentheses")
}

// markdown is the table, the numbers published beside ours.
func (x *reproduced) markdown() string {
	var b strings.Builder
	fmt.Fprintf(&b, "# %s\n", x.Title)
	var sources []string
	source := func(s string) int {
		if !slices.Contains(sources, s) {
			sources = append(sources, s)
		}
		return 1 + slices.Index(sources, s)
	}
	for i := 0; i < len(x.Rows); {
		u := x.Rows[i].setup
		fmt.Fprintf(&b, "\n%s, imbalance %g: top-1 accuracy in %%, %s\n\n", u.Data, u.Imbalance, overSeeds(x.Seeds))
		b.WriteString("| method | overall (best) | balanced | many | medium | few | published |\n|---|---|---|---|---|---|---|\n")
		for ; i < len(x.Rows) && x.Rows[i].setup == u; i++ {
			r := x.Rows[i]
			published := "not published"
			if r.Published != nil {
				published = fmt.Sprintf("%.2f [%d]", *r.Published, source(r.Source))
			}
			fmt.Fprintf(&b, "| %s | %s (%.1f) | %s | %s | %s | %s | %s |\n", r.Label, plusMinus(x.Seeds, &r.Mean.Overall, &r.SD.Overall), 100*r.BestMean,
				plusMinus(x.Seeds, &r.Mean.Balanced, &r.SD.Balanced), plusMinus(x.Seeds, r.Mean.Many, r.SD.Many), plusMinus(x.Seeds, r.Mean.Medium, r.SD.Medium), plusMinus(x.Seeds, r.Mean.Few, r.SD.Few), published)
		}
	}
	for i, s := range sources {
		if i == 0 {
			b.WriteString("\n")
		}
		fmt.Fprintf(&b, "[%d] %s  \n", i+1, s)
	}
	for _, f := range x.Files {
		if strings.HasSuffix(f, ".svg") {
			fmt.Fprintf(&b, "\n![%s](%s)\n", x.Title, filepath.Base(f))
		}
	}
	b.WriteString("\nWhat differs from the paper:\n\n")
	for _, d := range x.Differs {
		fmt.Fprintf(&b, "- %s\n", d)
	}
	return b.String()
}
