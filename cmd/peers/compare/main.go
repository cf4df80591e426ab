// Command compare runs phase bench and the peers in turns, A B A B ..., and writes
// what came of it into docs/performance.md, between its marks, and
// docs/performance.json.
//
//	go run ./cmd/peers/compare [--rows train,infer,...] [--rounds 3] [--torch PYTHON] [--debian PYTHON] [--under COMMAND]
//
// A ratio is formed within each round and told as least, median and greatest. A
// peer that is not there is named, with how to install it. Rows that are not asked
// for stay as they are in the files. It runs from the module's root.
package main

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"
)

// A setting is what the command line says.
type setting struct {
	rounds        int
	torch, debian string // Python interpreters
	dir           string // where the built programs lie
	under         string // the command that runs each measurement, or nothing
}

func main() {
	s := setting{}
	rows := flag.String("rows", "all", "the rows to measure: "+strings.Join(subjectNames(s), ","))
	build := flag.Bool("build", false, "only build what is needed, into --dir")
	flag.IntVar(&s.rounds, "rounds", 3, "rounds of A B A B ...")
	flag.StringVar(&s.torch, "torch", "python3", "Python with PyTorch from pip")
	flag.StringVar(&s.debian, "debian", "/usr/bin/python3", "Python with Debian's python3-torch")
	flag.StringVar(&s.dir, "dir", "", "folder for the programs that it builds; a new one if empty")
	flag.StringVar(&s.under, "under", "", "a command, without arguments, that runs each measurement: a script that calls taskset, or waits for a quiet moment")
	flag.Parse()
	if err := compare(s, *rows, *build); err != nil {
		fmt.Fprintln(os.Stderr, "compare:", err)
		os.Exit(1)
	}
}

const (
	page = "docs/performance.md"
	file = "docs/performance.json"
)

// A report is docs/performance.json.
type report struct {
	Schema  int      `json:"schema"`
	Results []result `json:"results"`
}

// A result is one row: a ratio, or the reason why there is none.
type result struct {
	Row     string  `json:"row"`
	What    string  `json:"what"`
	Target  string  `json:"target"`
	A       float64 `json:"a,omitempty"` // medians over the rounds
	B       float64 `json:"b,omitempty"`
	Unit    string  `json:"unit,omitempty"`
	Against string  `json:"against,omitempty"`
	Min     float64 `json:"ratio_min,omitempty"`
	Ratio   float64 `json:"ratio,omitempty"`
	Max     float64 `json:"ratio_max,omitempty"`
	Met     *bool   `json:"met,omitempty"`
	Missing string  `json:"missing,omitempty"`
	where
}

// where says when and on what a result was measured.
type where struct {
	CPU    string `json:"cpu"`
	Cores  int    `json:"cores"`
	Go     string `json:"go"`
	Commit string `json:"commit"`
	Date   string `json:"date"`
	Rounds int    `json:"rounds"`
}

func compare(s setting, rows string, only bool) error {
	if _, err := os.Stat(page); err != nil {
		return fmt.Errorf("%w: run it from the module's root", err)
	}
	if s.rounds < 1 {
		return errors.New("--rounds wants at least 1")
	}
	chosen := strings.Split(rows, ",")
	for _, r := range chosen {
		if r != "all" && !slices.Contains(subjectNames(s), r) {
			return fmt.Errorf("--rows %s: want some of %s", r, strings.Join(subjectNames(s), ","))
		}
	}
	if s.dir == "" {
		dir, err := os.MkdirTemp("", "peers")
		if err != nil {
			return err
		}
		defer os.RemoveAll(dir)
		s.dir = dir
	}
	if err := s.build("phase", ".", "./cmd/phase"); err != nil {
		return err
	}
	broken := map[string]error{}
	for _, peer := range []string{"gorgonia", "gomlx", "born"} {
		if rows == "all" || slices.Contains(chosen, "conv") || only {
			broken[peer] = s.build(peer, filepath.Join("cmd/peers", peer), ".")
		}
	}
	if only {
		return nil
	}
	at := here(s)
	old, err := load()
	if err != nil {
		return err
	}
	var all report
	all.Schema = 1
	for _, sub := range subjects(s) {
		if rows != "all" && !slices.Contains(chosen, sub.name) {
			for _, r := range old.Results {
				if r.Row == sub.name {
					all.Results = append(all.Results, r)
				}
			}
			continue
		}
		start := time.Now()
		all.Results = append(all.Results, sub.measure(s, at, broken, slices.Contains(chosen, sub.name))...)
		fmt.Printf("%s: %.0f s\n", sub.name, time.Since(start).Seconds())
	}
	text, err := json.MarshalIndent(all, "", "  ")
	if err == nil {
		err = os.WriteFile(file, append(text, '\n'), 0o666)
	}
	if err != nil {
		return err
	}
	return write(all)
}

// build builds a program of the module in folder into s.dir: a peer once, phase as it
// is now.
func (s setting) build(name, folder, pkg string) error {
	out, err := filepath.Abs(filepath.Join(s.dir, name))
	if err != nil {
		return err
	}
	if _, err := os.Stat(out); err == nil && name != "phase" {
		return nil
	}
	cmd := exec.Command("go", "build", "-C", folder, "-trimpath", "-ldflags=-s", "-o", out, pkg) // as README installs phase
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if text, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("go build %s: %s", name, lastLine(string(text), err))
	}
	return nil
}

func lastLine(text string, err error) string {
	lines := strings.Split(strings.TrimSpace(text), "\n")
	if last := lines[len(lines)-1]; last != "" {
		return last
	}
	return err.Error()
}

// here describes this machine and this tree.
func here(s setting) where {
	w := where{Cores: runtime.NumCPU(), Go: runtime.Version(), Date: time.Now().UTC().Format("2006-01-02"), Rounds: s.rounds}
	var info struct{ CPU string }
	if out, err := exec.Command(filepath.Join(s.dir, "phase"), "info", "--json").Output(); err == nil && json.Unmarshal(out, &info) == nil {
		w.CPU = strings.TrimSpace(info.CPU)
	}
	git := func(args ...string) string {
		out, _ := exec.Command("git", args...).Output() // no git, no commit
		return strings.TrimSpace(string(out))
	}
	w.Commit = git("rev-parse", "--short", "HEAD")
	if git("status", "--porcelain", "--", ":!docs") != "" { // what is written here does not count
		w.Commit += " with changes"
	}
	return w
}

func load() (r report, err error) {
	text, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		return r, nil
	}
	if err == nil {
		err = json.Unmarshal(text, &r)
	}
	return r, err
}
