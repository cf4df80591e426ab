package report

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"phase/phase/figures"
	"phase/phase/longtail"
	"phase/phase/train"
)

// A Report is the page and the figures of some runs.
type Report struct {
	Title   string
	Notes   []string // what is missing or must not be compared
	Figures []Figure

	runs    []*Run
	methods []*method
	label   map[*Run]string
}

// A Figure is one of a report's, with a name that a file can have.
type Figure struct {
	*figures.Figure
	Name    string
	Caption string

	run *Run // whose it is; nil if it is of several
}

// New makes the report of at least one run. It is an error if runs on the same
// data have different numbers of classes.
func New(runs []*Run) (*Report, error) {
	if len(runs) == 0 {
		return nil, fmt.Errorf("report: no runs")
	}
	r := &Report{runs: runs, methods: methods(runs)}
	for _, p := range r.populations() {
		f := finished(p.runs)
		for _, run := range f {
			if n, first := len(run.Result.Counts), len(f[0].Result.Counts); n != first {
				return nil, fmt.Errorf("%s has %d classes, and %s, on the same data, %d", run.Dir, n, f[0].Dir, first)
			}
		}
	}
	r.label = labels(runs, r.methods)
	r.Title = fmt.Sprintf("%s on %s", r.label[runs[0]], figures.Printable(runs[0].Config.Data))
	if len(runs) > 1 {
		r.Title = fmt.Sprintf("%d runs on %s", len(runs), figures.Printable(runs[0].Config.Data))
		if len(r.populations()) > 1 {
			r.Title = fmt.Sprintf("%d runs on different data", len(runs))
			r.Notes = append(r.Notes, "The runs were trained on different data or different subsets of it: their accuracies do not compare.")
		}
	}
	for _, run := range runs {
		r.Notes = append(r.Notes, run.Notes...)
	}
	return r, r.draw()
}

// A population is runs on the same training images.
type population struct {
	name string
	runs []*Run
}

func (r *Report) populations() (all []*population) {
	index := map[data]*population{}
	for _, run := range r.runs {
		p := index[run.data]
		if p == nil {
			c := run.Config
			p = &population{name: figures.Printable(c.Data)}
			if c.Imbalance > 1 {
				p.name += fmt.Sprintf(", imbalance %g", c.Imbalance)
			}
			index[run.data] = p
			all = append(all, p)
		}
		p.runs = append(p.runs, run)
	}
	return all
}

// finished is the runs with a result.
func finished(runs []*Run) (f []*Run) {
	for _, r := range runs {
		if r.Result != nil {
			f = append(f, r)
		}
	}
	return f
}

// add adds a figure, unless making it failed.
func (r *Report) add(name, caption string, run *Run) func(f *figures.Figure, err error) error {
	return func(f *figures.Figure, err error) error {
		if err == nil {
			r.Figures = append(r.Figures, Figure{f, r.free(name), caption, run})
		}
		return err
	}
}

// free is a name for a figure that no other has and every file system takes.
func (r *Report) free(name string) string {
	name = strings.Map(func(c rune) rune {
		switch {
		case c >= 'a' && c <= 'z' || c >= '0' && c <= '9' || c == '.':
			return c
		case c >= 'A' && c <= 'Z':
			return c + 'a' - 'A'
		}
		return '-'
	}, name)
	name = strings.Join(strings.FieldsFunc(name, func(c rune) bool { return c == '-' }), "-")
	if len(name) > 80 {
		name = name[:80]
	}
	for k, try := 2, name; ; k++ {
		if !slices.ContainsFunc(r.Figures, func(f Figure) bool { return f.Name == try }) {
			return try
		}
		try = fmt.Sprintf("%s-%d", name, k)
	}
}

// draw makes the figures that the runs have data for.
func (r *Report) draw() error {
	var errs []error
	try := func(err error) { errs = append(errs, err) }
	if means := r.means(); len(means) > 0 {
		try(r.add("groups", "Test accuracy over all images and by the number of a class's training images.", nil)(figures.GroupBars("Accuracy by group", means)))
	}
	if curves := r.curves(); len(curves) > 0 {
		try(r.add("curves", "Loss and accuracy by epoch. Losses of different methods or stages are different sums.", nil)(figures.TrainingCurves("Training", curves)))
	}
	for _, p := range r.populations() {
		r.compare(p, try)
	}
	for _, run := range finished(r.runs) {
		name := r.label[run]
		acc := run.Result.Accuracy
		try(r.add("accuracy-"+name, "Accuracy of each class above its number of training images.", run)(
			figures.AccuracyByClass("Accuracy by class: "+name, run.Classes, []figures.Series{{Name: name, Values: numbers(acc.PerClass)}})))
		if run.Kind != "" && run.Kind != "none" {
			try(r.add("weights-"+name, "What a class weighs in the last stage ("+run.Kind+"); for weights of samples, their mean.", run)(
				figures.WeightByClass("Weight by class: "+name, run.Classes, []figures.Series{{Name: name, Values: run.Weights}})))
		}
		try(r.add("confusion-"+name, "Rows are true classes, columns what they are taken for.", run)(
			figures.Confusion("Confusion: "+name, run.Classes, acc.Confusion)))
		if run.Result.Calibration != nil {
			try(r.add("reliability-"+name, "Of the images in each bin of confidence, the share that is right.", run)(
				figures.Reliability("Reliability: "+name, *run.Result.Calibration)))
		}
		if run.Result.Margins != nil {
			try(r.add("margins-"+name, "How far test images are from a mistake, by class.", run)(
				figures.MarginByClass("Logit margins: "+name, run.Classes, run.Result.Margins)))
		}
	}
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// comparable is how many methods a figure by class can hold and be read.
const comparable = 6

// compare adds the figures by class of a population's methods.
func (r *Report) compare(p *population, try func(error)) {
	runs := finished(p.runs)
	if len(runs) == 0 {
		return
	}
	suffix, classes := "", runs[0].Classes
	if len(r.populations()) > 1 {
		suffix = ": " + p.name
	}
	var accuracy, weights []figures.Series
	for _, m := range methods(runs) {
		accuracy = append(accuracy, figures.Series{Name: m.name, Values: meanOf(m.runs, func(run *Run) []float64 { return numbers(run.Result.Accuracy.PerClass) })})
		if kind := m.runs[0].Kind; kind != "" && kind != "none" {
			weights = append(weights, figures.Series{Name: m.name, Values: meanOf(m.runs, func(run *Run) []float64 { return run.Weights })})
		}
	}
	if n := len(accuracy); n > 1 && n <= comparable {
		try(r.add("accuracy-by-class-"+suffix, "Accuracy of each class by method, mean over runs, above its number of training images.", nil)(figures.AccuracyByClass("Accuracy by class"+suffix, classes, accuracy)))
	}
	if n := len(weights); n > 1 && n <= comparable {
		try(r.add("weight-by-class-"+suffix, "What a class weighs in the last stage; for weights of samples, their mean.", nil)(figures.WeightByClass("Weight by class"+suffix, classes, weights)))
	}
}

// meanOf is the mean over runs of numbers by class; NaN where a run has none.
func meanOf(runs []*Run, of func(*Run) []float64) (sum []float64) {
	for _, run := range runs {
		v := of(run)
		if sum == nil {
			sum = make([]float64, len(v))
		}
		for i := range sum {
			sum[i] += v[i] / float64(len(runs))
		}
	}
	return sum
}

// numbers is figures with NaN for nil.
func numbers(v []*float64) []float64 {
	s := make([]float64, len(v))
	for i, p := range v {
		s[i] = math.NaN()
		if p != nil {
			s[i] = *p
		}
	}
	return s
}

// means is what each method with a test accuracy came to. Runs that are not
// finished count in a method that has no others.
func (r *Report) means() (all []figures.Method) {
	for _, m := range r.methods {
		runs := finished(m.runs)
		if len(runs) == 0 {
			runs = m.runs
		}
		var acc []longtail.Accuracy
		for _, run := range runs {
			if a := run.accuracy(); a != nil {
				acc = append(acc, *a)
			}
		}
		if len(acc) > 0 {
			mean, sd := longtail.MeanSD(acc)
			name := m.name
			if runs[0].Result == nil {
				name += " (not finished)"
			}
			all = append(all, figures.Method{Name: name, Runs: len(acc), Mean: mean, SD: sd})
		}
	}
	return all
}

// curves is how the runs went.
func (r *Report) curves() (all []figures.Curve) {
	for _, m := range r.methods {
		for _, run := range m.runs {
			if len(run.Epochs) > 0 {
				all = append(all, curve(m.name, run.Epochs))
			}
		}
	}
	return all
}

func curve(name string, epochs []train.Epoch) figures.Curve {
	c := figures.Curve{Name: name}
	for _, e := range epochs {
		test := math.NaN()
		if e.Test != nil {
			test = e.Test.Overall
		}
		c.Stage, c.Loss, c.Train, c.Test = append(c.Stage, e.Stage), append(c.Loss, e.Loss), append(c.Train, e.TrainAccuracy), append(c.Test, test)
	}
	return c
}
