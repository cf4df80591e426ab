// Package report says what runs came to: one page that needs nothing else, and
// the figures in it.
//
// There are only a few types: a Run is what a run directory holds, as far as it
// is there, and a Report is the page and the figures of one run or several.
package report

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"

	"phase/phase/figures"
	"phase/phase/longtail"
	"phase/phase/train"
)

// A Run is what a run directory holds. A run that did not end has no Result; a
// file that is not there is a note.
type Run struct {
	Dir     string
	Config  train.Config
	Epochs  []train.Epoch
	Result  *train.Result
	Classes figures.Classes
	Weights []float64 // of each class in the last stage
	Kind    string    // of the weights; none if all classes weighed alike
	Notes   []string  // what is missing, and what that costs

	data data
}

// data identifies what a run was trained on.
type data struct {
	SHA256   string `json:"data_sha256"`
	Manifest string `json:"manifest_sha256"`
}

// Open reads the run directory dir. A directory without settings is not one; a
// file that contradicts itself or another is an error too.
func Open(dir string) (*Run, error) {
	r := &Run{Dir: dir}
	var err error
	if r.Config, err = train.ReadConfig(dir); err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			err = notARun(dir)
		}
		return nil, err
	}
	if err := readJSON(filepath.Join(dir, train.ConfigFile), &r.data); err != nil {
		return nil, err
	}
	if err := r.readMetrics(); err != nil {
		return nil, err
	}
	switch res, err := train.ReadResult(dir); {
	case errors.Is(err, fs.ErrNotExist):
		r.note("is not finished: %d of %d epochs, and no figures by class", len(r.Epochs), r.Config.Epochs)
		return r, nil
	case err != nil:
		return nil, err
	default:
		r.Result = &res
	}
	path := filepath.Join(dir, train.ResultFile)
	if err := r.check(); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return r, r.readWeights()
}

// notARun says what dir is instead of a run directory.
func notARun(dir string) error {
	if _, err := os.Stat(dir); err != nil {
		return err
	}
	inside, _ := filepath.Glob(filepath.Join(dir, "*", train.ConfigFile)) // at worst there is no hint
	if len(inside) > 0 {
		return fmt.Errorf("%s is no run directory: it has no %s; it holds %d, of which %s is one", dir, train.ConfigFile, len(inside), filepath.Dir(inside[0]))
	}
	return fmt.Errorf("%s is no run directory: it has no %s", dir, train.ConfigFile)
}

func (r *Run) note(format string, a ...any) {
	r.Notes = append(r.Notes, figures.Printable(r.Dir+" "+fmt.Sprintf(format, a...)))
}

// check says what is contradictory in the result.
func (r *Run) check() error {
	a, n := r.Result.Accuracy, len(r.Result.Counts)
	switch {
	case n == 0 || n != r.Result.Classes:
		return fmt.Errorf("counts of %d classes, and classes %d", n, r.Result.Classes)
	case len(a.PerClass) != n:
		return fmt.Errorf("accuracy of %d classes, want %d", len(a.PerClass), n)
	case len(a.Confusion) != n:
		return fmt.Errorf("confusion of %d classes, want %d", len(a.Confusion), n)
	case r.Result.Margins != nil && len(r.Result.Margins) != n:
		return fmt.Errorf("margins of %d classes, want %d", len(r.Result.Margins), n)
	}
	for _, v := range append([]*float64{&a.Overall, &a.Balanced, a.Many, a.Medium, a.Few, &r.Result.Best.Overall}, a.PerClass...) {
		if v != nil && !(*v >= 0 && *v <= 1) {
			return fmt.Errorf("an accuracy is %g, want 0 to 1", *v)
		}
	}
	for i, row := range a.Confusion {
		if len(row) != n || slices.Min(row) < 0 {
			return fmt.Errorf("confusion: row %d has %d numbers, want %d from 0 on", i, len(row), n)
		}
	}
	return nil
}

// maxFile is the largest file that is read, in bytes.
const maxFile = 64 << 20

func readFile(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err == nil && len(b) > maxFile {
		err = fmt.Errorf("more than %d bytes", maxFile)
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return b, nil
}

func readJSON(path string, into any) error {
	b, err := readFile(path)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(b, into); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return nil
}

// readMetrics reads metrics.jsonl.
func (r *Run) readMetrics() error {
	path := filepath.Join(r.Dir, train.MetricsFile)
	b, err := readFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		r.note("has no %s: no training curves", train.MetricsFile)
		return nil
	}
	if err != nil {
		return err
	}
	line := 0
	for text := range bytes.Lines(b) {
		line++
		var e train.Epoch
		err := json.Unmarshal(text, &e)
		if err == nil && e.Schema != train.Schema {
			err = fmt.Errorf("schema %d, this program reads %d", e.Schema, train.Schema)
		}
		if err == nil && e.Epoch != line {
			err = fmt.Errorf("epoch %d, want %d", e.Epoch, line)
		}
		if err != nil {
			return fmt.Errorf("%s: line %d: %w", path, line, err)
		}
		r.Epochs = append(r.Epochs, e)
	}
	return nil
}

// readWeights reads weights.csv: what the classes are called and weighed.
func (r *Run) readWeights() error {
	n := len(r.Result.Counts)
	r.Classes = figures.Classes{Counts: r.Result.Counts, Thresholds: r.Config.Thresholds()}
	path := filepath.Join(r.Dir, train.WeightsFile)
	b, err := readFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		r.note("has no %s: classes are numbers, and no weights", train.WeightsFile)
		for i := range n {
			r.Classes.Names = append(r.Classes.Names, "class "+strconv.Itoa(i))
		}
		return nil
	}
	if err != nil {
		return err
	}
	rows, err := csv.NewReader(bytes.NewReader(b)).ReadAll()
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	if len(rows) != n+1 {
		return fmt.Errorf("%s: %d lines, want a heading and %d classes", path, len(rows), n)
	}
	column := map[string]int{}
	for i, name := range rows[0] {
		column[name] = i
	}
	for _, name := range []string{"name", "kind", "weight"} {
		if _, ok := column[name]; !ok {
			return fmt.Errorf("%s: no column %q", path, name)
		}
	}
	for i, row := range rows[1:] {
		w, err := strconv.ParseFloat(row[column["weight"]], 64)
		if err != nil || !(w >= 0) {
			return fmt.Errorf("%s: line %d: weight %q, want a number of at least 0", path, i+2, row[column["weight"]])
		}
		r.Classes.Names, r.Weights, r.Kind = append(r.Classes.Names, row[column["name"]]), append(r.Weights, w), row[column["kind"]]
	}
	return nil
}

// accuracy is that of the last epoch, or of the last that looked at the test
// set in a run that is not finished; nil if none did.
func (r *Run) accuracy() *longtail.Accuracy {
	if r.Result != nil {
		return &r.Result.Accuracy
	}
	for _, e := range slices.Backward(r.Epochs) {
		if e.Test != nil {
			return e.Test
		}
	}
	return nil
}

// best is the epoch with the highest overall accuracy on the test set; epoch 0
// if there is none.
func (r *Run) best() (b train.Best) {
	if r.Result != nil {
		return r.Result.Best
	}
	for _, e := range r.Epochs {
		if e.Test != nil && e.Test.Overall > b.Overall {
			b = train.Best{Epoch: e.Epoch, Overall: e.Test.Overall}
		}
	}
	return b
}

func (r *Run) seconds() (s float64) {
	if r.Result != nil {
		return r.Result.Seconds
	}
	for _, e := range r.Epochs {
		s += e.Seconds
	}
	return s
}
