package report

import (
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"fmt"
	"html/template"
	"io"
	"slices"
	"strconv"
	"time"

	"phase/phase/figures"
	"phase/phase/longtail"
)

//go:embed report.html
var layout string

//go:embed report.css
var style string

//go:embed report.js
var script string

var pageTemplate = template.Must(template.New("report").Parse(layout))

// A page is what the template shows.
type page struct {
	Title  string
	Notes  []string
	Style  template.CSS
	Script template.JS
	Hash   string // of Script: the only one that the page allows to run

	Tables   []table // of all runs
	Overview []drawing
	Classes  []table
	Runs     []section
}

// A section is one run's.
type section struct {
	ID, Title string
	Open      bool
	Drawings  []drawing
	Tables    []table
}

// A drawing is a figure set into the page.
type drawing struct {
	Caption string
	SVG     template.HTML
}

// A table has a heading that names its columns, and a first column that names
// its rows.
type table struct {
	ID, Title, Caption string
	Head               []string
	Rows               []row
	Sortable           bool
}

// Filters is what the buttons above a table of classes show.
func (table) Filters() []string {
	f := []string{"all"}
	for g := longtail.Many; g <= longtail.Few; g++ {
		f = append(f, g.String())
	}
	return f
}

// A column is a heading, and whether numbers stand under it.
type column struct {
	Name   string
	Number bool
}

// Columns is the headings of a table that has rows.
func (t table) Columns() (c []column) {
	for i, name := range t.Head {
		c = append(c, column{name, t.Rows[0].Cells[i].Number})
	}
	return c
}

type row struct {
	Group string // many, medium or few, where rows are classes
	Cells []cell
}

// A cell is a text and what to sort it by, if not by that.
type cell struct {
	Text, Sort string
	Number     bool
}

func text(s string) cell { return cell{Text: figures.Printable(s)} }

func number(v float64, digits int) cell {
	return cell{strconv.FormatFloat(v, 'f', digits, 64), strconv.FormatFloat(v, 'g', -1, 64), true}
}

// none is the cell of a number that there is none of.
var none = cell{Text: "–", Number: true}

// percent is a fraction in per cent; a figure that does not exist is a dash.
func percent(v *float64) cell {
	if v == nil {
		return none
	}
	return number(100**v, 1)
}

// HTML writes the page: one file that needs no other, and no network.
func (r *Report) HTML(w io.Writer) error {
	sum := sha256.Sum256([]byte(script))
	p := page{Title: r.Title, Notes: r.Notes, Style: template.CSS(style), Script: template.JS(script), Hash: base64.StdEncoding.EncodeToString(sum[:])}
	p.Tables = append(p.Tables, r.runTable())
	if len(r.runs) > 1 {
		p.Tables = append(p.Tables, r.differenceTable())
	}
	if t := r.seedTable(); len(t.Rows) > 0 {
		p.Tables = append(p.Tables, t)
	}
	if t := r.stageTable(); len(t.Rows) > 0 {
		p.Tables = append(p.Tables, t)
	}
	for i, pop := range r.populations() {
		if t := r.classTable(pop); len(t.Rows) > 0 {
			t.ID = fmt.Sprintf("classes-%d", i+1)
			p.Classes = append(p.Classes, t)
		}
	}
	for i, run := range r.runs {
		p.Runs = append(p.Runs, section{ID: fmt.Sprintf("run-%d", i+1), Title: r.label[run], Open: len(r.runs) <= 2})
		if run.Result != nil {
			p.Runs[i].Tables = append(p.Runs[i].Tables, mistakesTable(run))
		}
		p.Runs[i].Tables = append(p.Runs[i].Tables, settingsTable(run))
	}
	for _, f := range r.Figures {
		svg, err := f.HTML()
		if err != nil {
			return err
		}
		d := drawing{f.Caption, template.HTML(svg)}
		if f.run == nil {
			p.Overview = append(p.Overview, d)
			continue
		}
		s := &p.Runs[slices.Index(r.runs, f.run)]
		s.Drawings = append(s.Drawings, d)
	}
	return pageTemplate.Execute(w, p)
}

// The headings of accuracies; they do not break before the per cent.
var accuracyHead = []string{"overall,\u00a0%", "balanced,\u00a0%", "many,\u00a0%", "medium,\u00a0%", "few,\u00a0%"}

func accuracyCells(a *longtail.Accuracy) []cell {
	if a == nil {
		return slices.Repeat([]cell{none}, len(accuracyHead))
	}
	return []cell{percent(&a.Overall), percent(&a.Balanced), percent(a.Many), percent(a.Medium), percent(a.Few)}
}

// runTable is the runs, one a line.
func (r *Report) runTable() table {
	t := table{ID: "runs", Title: "Runs", Sortable: true,
		Caption: "Test accuracy after the last epoch. Best is that of the epoch that did best on the test set: it was chosen by looking, and stands beside.",
		Head:    slices.Concat([]string{"run"}, accuracyHead, []string{"best,\u00a0% (epoch)", "epochs", "time", "method", "data", "imbalance", "model", "seed", "directory"})}
	for _, run := range r.runs {
		c, best := run.Config, run.best()
		cells := append([]cell{text(r.label[run])}, accuracyCells(run.accuracy())...)
		at := none
		if best.Epoch > 0 {
			at = percent(&best.Overall)
			at.Text += fmt.Sprintf(" (%d)", best.Epoch)
		}
		epochs := number(float64(c.Epochs), 0)
		if run.Result == nil {
			epochs.Text = fmt.Sprintf("%d of %d, not finished", len(run.Epochs), c.Epochs)
		}
		time := number(run.seconds(), 0)
		time.Text = duration(run.seconds())
		t.Rows = append(t.Rows, row{Cells: append(cells, at, epochs, time,
			text(c.Method), text(c.Data), number(c.Imbalance, -1), text(fmt.Sprintf("%s, width %d", c.Model, c.Width)), number(float64(c.Seed), 0), text(run.Dir))})
	}
	return t
}

// duration is seconds in words.
func duration(s float64) string {
	d := time.Duration(s * float64(time.Second))
	if d < 2*time.Minute {
		return fmt.Sprintf("%.1f s", s)
	}
	if d < 2*time.Hour {
		return fmt.Sprintf("%.1f min", d.Minutes())
	}
	return fmt.Sprintf("%.1f h", d.Hours())
}

// differenceTable is the settings in which the runs differ.
func (r *Report) differenceTable() table {
	t := table{ID: "settings", Title: "Settings that differ", Caption: "All other settings are the same.", Head: []string{"setting"}}
	for _, run := range r.runs {
		t.Head = append(t.Head, r.label[run])
	}
	names, values := differing(r.runs)
	if len(names) == 0 {
		t.Caption = "The runs have the same settings throughout."
	}
	for i, name := range names {
		cells := []cell{text(name)}
		for _, v := range values[i] {
			cells = append(cells, text(v))
		}
		t.Rows = append(t.Rows, row{Cells: cells})
	}
	return t
}

// settingsTable is all settings of a run.
func settingsTable(run *Run) table {
	t := table{Title: "Settings", Caption: "All settings of the run.", Head: []string{"setting", "value"}}
	for _, s := range settings(run.Config) {
		if s.value != open {
			t.Rows = append(t.Rows, row{Cells: []cell{text(s.name), text(s.value)}})
		}
	}
	return t
}

// seedTable is means and standard deviations, if a method has several runs.
func (r *Report) seedTable() table {
	t := table{ID: "seeds", Title: "Mean over runs", Sortable: true,
		Caption: "Test accuracy after the last epoch of runs that differ in nothing but their seed: mean ± standard deviation (with n−1).",
		Head:    slices.Concat([]string{"method", "runs"}, accuracyHead)}
	several := false
	for _, m := range r.means() {
		cells := []cell{text(m.Name), number(float64(m.Runs), 0)}
		mean, sd := accuracyCells(&m.Mean), accuracyCells(&m.SD)
		for i, c := range mean {
			if m.Runs > 1 && c.Sort != "" {
				c.Text += " ± " + sd[i].Text
			}
			cells = append(cells, c)
		}
		several = several || m.Runs > 1
		t.Rows = append(t.Rows, row{Cells: cells})
	}
	if !several {
		t.Rows = nil
	}
	return t
}

// stageTable is where the runs of several stages stood after each.
func (r *Report) stageTable() table {
	t := table{ID: "stages", Title: "Stages", Caption: "Test accuracy at the end of each stage.",
		Head: slices.Concat([]string{"run", "stage", "epochs", "loss"}, accuracyHead)}
	for _, run := range finished(r.runs) {
		if len(run.Result.Stages) < 2 {
			continue
		}
		for i, s := range run.Result.Stages {
			loss := none
			if s.Epochs > 0 { // what is done after training has no loss
				loss = number(s.Loss, 4)
			}
			cells := []cell{text(r.label[run]), text(fmt.Sprintf("%d: %s", i+1, s.Name)), number(float64(s.Epochs), 0), loss}
			t.Rows = append(t.Rows, row{Cells: append(cells, accuracyCells(&s.Accuracy)...)})
		}
	}
	return t
}

// classTable is the classes, with the accuracy of each finished run.
func (r *Report) classTable(p *population) table {
	runs := finished(p.runs)
	t := table{Title: "Classes", Caption: "Accuracy of each class in %, by run. A heading sorts; the buttons choose a group.", Sortable: true,
		Head: []string{"class", "number", "training images", "group"}}
	if len(r.populations()) > 1 {
		t.Title = "Classes of " + p.name
	}
	if len(runs) == 0 {
		return t
	}
	for _, run := range runs {
		t.Head = append(t.Head, r.label[run])
	}
	classes := runs[0].Classes
	groups, err := longtail.Groups(classes.Counts, classes.Thresholds)
	if err != nil { // the figures were drawn with them
		return t
	}
	for i, name := range classes.Names {
		cells := []cell{text(name), number(float64(i), 0), number(float64(classes.Counts[i]), 0), {Text: groups[i].String(), Sort: strconv.Itoa(int(groups[i]))}}
		for _, run := range runs {
			cells = append(cells, percent(run.Result.Accuracy.PerClass[i]))
		}
		t.Rows = append(t.Rows, row{Group: groups[i].String(), Cells: cells})
	}
	return t
}

// mistakes is how many pairs of classes mistakesTable lists.
const mistakes = 10

// mistakesTable is the pairs of classes that a run confuses most.
func mistakesTable(run *Run) table {
	t := table{Title: "Most confused", Caption: "True classes of which the largest share is taken for one other class.", Head: []string{"true class", "taken for", "images", "share, %"}}
	type pair struct {
		y, p, n int
		share   float64
	}
	var pairs []pair
	for y, counts := range run.Result.Accuracy.Confusion {
		images := 0
		for _, n := range counts {
			images += n
		}
		for p, n := range counts {
			if p != y && n > 0 {
				pairs = append(pairs, pair{y, p, n, float64(n) / float64(images)})
			}
		}
	}
	slices.SortStableFunc(pairs, func(a, b pair) int {
		switch {
		case a.share > b.share:
			return -1
		case a.share < b.share:
			return 1
		}
		return 0
	})
	for _, q := range pairs[:min(mistakes, len(pairs))] {
		t.Rows = append(t.Rows, row{Cells: []cell{text(run.Classes.Names[q.y]), text(run.Classes.Names[q.p]), number(float64(q.n), 0), percent(&q.share)}})
	}
	return t
}
