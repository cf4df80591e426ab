package train

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"phase/phase/longtail"
	"phase/tensor/atomicfile"
)

// Schema is the version of every JSON and CSV file that a run writes.
const Schema = 1

// An Epoch is one line of metrics.jsonl. Accuracies are fractions; Test is nil
// in an epoch after which the test set was not looked at.
type Epoch struct {
	Schema          int                `json:"schema"`
	Stage           string             `json:"stage"`
	Epoch           int                `json:"epoch"` // counted from 1 over all stages
	LR              float64            `json:"lr"`
	Loss            float64            `json:"loss"`           // mean over the epoch's batches, as they were trained on
	TrainAccuracy   float64            `json:"train_accuracy"` // of the same, augmented and under way
	Test            *longtail.Accuracy `json:"test"`
	ImagesPerSecond float64            `json:"images_per_second"`
	Seconds         float64            `json:"seconds"`
}

// StageResult is how things stood at the end of a stage.
type StageResult struct {
	Name     string            `json:"name"`
	Epochs   int               `json:"epochs"`
	Loss     float64           `json:"loss"` // of its last epoch
	Accuracy longtail.Accuracy `json:"accuracy"`
}

// Best is the epoch with the highest overall accuracy on the test set. It
// stands beside the last epoch's and is never the headline: it was chosen by
// looking at the test set.
type Best struct {
	Epoch   int     `json:"epoch"`
	Overall float64 `json:"overall"`
}

// Result is what came of a run, and result.json. Accuracies are fractions and
// those of the last epoch.
type Result struct {
	Schema          int                   `json:"schema"`
	Method          string                `json:"method"`
	Data            string                `json:"data"`
	Imbalance       float64               `json:"imbalance"`
	Model           string                `json:"model"`
	Width           int                   `json:"width"`
	Seed            uint64                `json:"seed"`
	Device          string                `json:"device"`
	TrainImages     int                   `json:"train_images"`
	TestImages      int                   `json:"test_images"`
	SkippedImages   int                   `json:"skipped_images"`
	Classes         int                   `json:"classes"`
	Counts          []int                 `json:"counts"`
	Stages          []StageResult         `json:"stages"`
	Accuracy        longtail.Accuracy     `json:"accuracy"`
	Best            Best                  `json:"best"`
	Chosen          []Chosen              `json:"chosen,omitempty"`      // on the calibration images
	Calibration     *longtail.Calibration `json:"calibration,omitempty"` // results before it have none
	Margins         []longtail.Margin     `json:"margins,omitempty"`     // by class
	Seconds         float64               `json:"seconds"`
	ImagesPerSecond float64               `json:"images_per_second"` // median over the epochs of stage 1
}

// The files of a run directory.
const (
	ConfigFile     = "config.json"
	MetricsFile    = "metrics.jsonl"
	CheckpointFile = "checkpoint.safetensors"
	ModelFile      = "model.safetensors"
	WeightsFile    = "weights.csv"
	ResultFile     = "result.json"
	lockFile       = ".lock"
)

// A header is config.json: the settings and what they were applied to.
type header struct {
	Schema       int    `json:"schema"`
	Version      string `json:"version"`
	DataSHA256   string `json:"data_sha256"`
	ManifestHash string `json:"manifest_sha256"`
	Stage1       *fork  `json:"stage1,omitempty"` // where stage 1 was trained, if not here
	Config       Config `json:"config"`
}

// ReadConfig is the configuration of the run in dir.
func ReadConfig(dir string) (Config, error) {
	h, err := readHeader(dir)
	return h.Config, err
}

func readHeader(dir string) (header, error) {
	var h header
	path := filepath.Join(dir, ConfigFile)
	err := readJSON(path, &h)
	if err == nil && h.Schema != Schema {
		err = fmt.Errorf("%s: schema %d, this program reads %d", path, h.Schema, Schema)
	}
	return h, err
}

// ReadResult is the result of the finished run in dir.
func ReadResult(dir string) (Result, error) {
	var r Result
	path := filepath.Join(dir, ResultFile)
	err := readJSON(path, &r)
	if err == nil && r.Schema != Schema {
		err = fmt.Errorf("%s: schema %d, this program reads %d", path, r.Schema, Schema)
	}
	return r, err
}

// maxJSON is the largest JSON file that is read, in bytes.
const maxJSON = 64 << 20

func readJSON(path string, v any) error {
	f, err := os.Open(path)
	if err != nil {
		return fmt.Errorf("%w: not a run directory, or the run never started", err)
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, maxJSON+1))
	if err != nil {
		return fmt.Errorf("%s: %v", path, err)
	}
	if len(b) > maxJSON {
		return fmt.Errorf("%s: more than %d bytes", path, maxJSON)
	}
	if err := json.Unmarshal(b, v); err != nil {
		return fmt.Errorf("%s: %v", path, err)
	}
	return nil
}

// WriteJSON writes v as an indented JSON file, whole or not at all.
func WriteJSON(path string, v any) error {
	return atomicfile.Write(path, func(w io.Writer) error {
		e := json.NewEncoder(w)
		e.SetIndent("", " ")
		return e.Encode(v)
	})
}
