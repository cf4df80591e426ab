package train

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"phase/tensor/atomicfile"

	"github.com/gofrs/flock"
)

// A runDir is a run directory that this process alone writes.
type runDir struct {
	path string
	lock *flock.Flock
	made bool // by this process
}

// openDir opens the directory of a run, made new unless resume or force is
// set, and locks it. The lock is the operating system's, so that the death of
// a process releases it.
func openDir(path string, resume, force bool) (*runDir, error) {
	made := false
	if resume {
		if _, err := os.Stat(filepath.Join(path, ConfigFile)); err != nil {
			return nil, fmt.Errorf("--resume: %v: nothing to go on with", err)
		}
	} else if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return nil, err
	} else if err := os.Mkdir(path, 0o755); errors.Is(err, fs.ErrExist) {
		if !force && !isEmpty(path) {
			return nil, fmt.Errorf("%s exists: --resume goes on with it, --force starts it anew", path)
		}
	} else if err != nil {
		return nil, err
	} else {
		made = true
	}
	d := &runDir{path: path, made: made, lock: flock.New(filepath.Join(path, lockFile))}
	got, err := d.lock.TryLock()
	if err != nil {
		return nil, fmt.Errorf("%s: cannot lock: %v", path, err)
	}
	if !got {
		return nil, fmt.Errorf("%s is being written by another process", path)
	}
	// What a killed process left half-written, and with force all of a run.
	stale, _ := filepath.Glob(d.file(".*.tmp")) // the pattern is well formed
	if force && !resume {
		for _, f := range []string{ConfigFile, MetricsFile, CheckpointFile, ModelFile, WeightsFile, ResultFile} {
			stale = append(stale, d.file(f))
		}
		forks, _ := filepath.Glob(d.file("epoch-*.safetensors"))
		stale = append(stale, forks...)
	}
	for _, f := range stale {
		if err := os.Remove(f); err != nil && !errors.Is(err, fs.ErrNotExist) {
			d.close()
			return nil, err
		}
	}
	return d, nil
}

func isEmpty(path string) bool {
	entries, err := os.ReadDir(path)
	return err == nil && len(entries) == 0
}

func (d *runDir) file(name string) string { return filepath.Join(d.path, name) }

// close unlocks the directory. One that was made for a run that then was refused
// goes again, so that the same command can be given once more.
func (d *runDir) close() error {
	if _, err := os.Stat(d.file(ConfigFile)); d.made && errors.Is(err, fs.ErrNotExist) {
		defer os.Remove(d.path) // stays if it holds anything
		defer os.Remove(d.file(lockFile))
	}
	return d.lock.Close()
}

// writeMetrics writes metrics.jsonl whole: after a kill it may be behind the
// checkpoint, and is then made good by the next.
func (d *runDir) writeMetrics(history []Epoch) error {
	return atomicfile.Write(d.file(MetricsFile), func(w io.Writer) error {
		e := json.NewEncoder(w)
		for _, h := range history {
			if err := e.Encode(h); err != nil {
				return err
			}
		}
		return nil
	})
}

// NewDir makes a new, empty directory METHOD-DATA-NNN under parent and returns
// its path.
func NewDir(parent string, c Config) (string, error) {
	if err := os.MkdirAll(parent, 0o755); err != nil {
		return "", err
	}
	name, _, _ := strings.Cut(c.Data, ":")
	for i := 1; ; i++ {
		path := filepath.Join(parent, fmt.Sprintf("%s-%s-%03d", c.Method, name, i))
		err := os.Mkdir(path, 0o755)
		if err == nil || !errors.Is(err, fs.ErrExist) {
			return path, err
		}
	}
}
