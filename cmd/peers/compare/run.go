package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// A source is one command of a subject: phase itself, or a peer.
type source struct {
	name    string
	args    []string
	bare    bool   // not by way of --under: the process's own time counts
	install string // how, where it is not there
	peer    string // the nested module that is built for it, if any
}

// figures is what a run of a source says: the numbers of the JSON object that it
// prints, those in its rows behind the row's name, and its own peak_rss_mb and
// wall_ms.
type figures map[string]float64

// limit is the time that a run may take.
const limit = 10 * time.Minute

// run runs c once, by way of the command under if that is not empty; peer is what it
// calls itself.
func (c source) run(under string) (f figures, peer string, err error) {
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	args := c.args
	if under != "" && !c.bare {
		args = append([]string{under}, args...)
	}
	cmd := exec.CommandContext(ctx, args[0], args[1:]...)
	var stderr strings.Builder
	cmd.Stderr = &stderr
	start := time.Now()
	out, err := cmd.Output()
	wall := time.Since(start)
	if err != nil {
		return nil, "", errors.New(lastLine(stderr.String(), err))
	}
	f = figures{"wall_ms": float64(wall.Microseconds()) / 1e3}
	if mb := peakMB(cmd.ProcessState); mb > 0 {
		f["peak_rss_mb"] = mb
	}
	lines := strings.Split(strings.TrimSpace(string(out)), "\n")
	var object map[string]any
	if err := json.Unmarshal([]byte(lines[len(lines)-1]), &object); err != nil {
		return nil, "", fmt.Errorf("prints no JSON: %w", err)
	}
	peer, _ = object["peer"].(string)
	f.take("", object)
	return f, peer, nil
}

// take gathers the numbers of an object, and of the rows in it.
func (f figures) take(prefix string, object map[string]any) {
	for key, v := range object {
		switch v := v.(type) {
		case float64:
			f[prefix+key] = v
		case map[string]any:
			f.take(prefix+key+"/", v)
		case []any:
			for _, row := range v {
				if row, ok := row.(map[string]any); ok && row["what"] != nil {
					f.take(fmt.Sprint(row["what"], "/"), row)
				}
			}
		}
	}
}

// A line is one row of the table: figure a of a source over figure b of another one
// or of the same.
type line struct {
	what, target string
	want         float64 // of the ratio
	atMost       bool    // the ratio may be at most want, not at least
	a            func(f figures) (float64, bool)
	b            func(f figures) (float64, bool)
	from, of     int  // the sources of a and b
	inverse      bool // b over a: where both are times
	unit         string
	alone        bool // a itself is the figure: there is no b
}

// get asks for one figure.
func get(key string) func(f figures) (float64, bool) {
	return func(f figures) (float64, bool) { v, ok := f[key]; return v, ok }
}

// A subject is what is measured in one go.
type subject struct {
	name    string
	asked   string // if not empty, why it is only measured when asked for by name
	sources []source
	lines   []line
}

func subjectNames(s setting) (names []string) {
	for _, sub := range subjects(s) {
		names = append(names, sub.name)
	}
	return names
}

// measure runs the sources in turns and makes the results of all lines.
func (sub subject) measure(s setting, at where, broken map[string]error, byName bool) (results []result) {
	if sub.asked != "" && !byName {
		for _, l := range sub.lines {
			results = append(results, result{Row: sub.name, What: l.what, Target: l.target, where: at, Missing: "measured only when asked for: --rows " + sub.name + ": " + sub.asked})
		}
		return results
	}
	rounds := make([][]figures, s.rounds) // by round, by source
	peers, failed := make([]string, len(sub.sources)), make([]error, len(sub.sources))
	for i, c := range sub.sources {
		peers[i] = c.name
		if err := broken[c.peer]; err != nil {
			failed[i] = err
		}
	}
	for r := range rounds {
		rounds[r] = make([]figures, len(sub.sources))
		for i, c := range sub.sources {
			if failed[i] != nil {
				continue
			}
			f, peer, err := c.run(s.under)
			if err != nil {
				failed[i] = fmt.Errorf("%s: %w", c.name, err)
				if c.install != "" {
					failed[i] = fmt.Errorf("not measured: %s: %w (%s)", c.name, err, c.install)
				}
				continue
			}
			if peer != "" {
				peers[i] = peer
			}
			rounds[r][i] = f
		}
	}
	for _, l := range sub.lines {
		v := result{Row: sub.name, What: l.what, Target: l.target, Unit: l.unit, where: at}
		if l.of != l.from {
			v.Against = peers[l.of]
		}
		switch {
		case failed[l.from] != nil:
			v.Missing = failed[l.from].Error()
		case !l.alone && failed[l.of] != nil:
			v.Missing = failed[l.of].Error()
		default:
			v.fill(l, rounds)
		}
		results = append(results, v)
	}
	return results
}

// fill computes the ratio of l, round by round.
func (v *result) fill(l line, rounds [][]figures) {
	var as, bs, ratios []float64
	for _, r := range rounds {
		a, ok := l.a(r[l.from])
		b, ok2 := 1., true
		if !l.alone {
			b, ok2 = l.b(r[l.of])
		}
		if !ok || !ok2 || a <= 0 || b <= 0 {
			v.Missing = "a command did not print the figure"
			return
		}
		ratio := a / b
		if l.inverse {
			ratio = b / a
		}
		as, bs, ratios = append(as, a), append(bs, b), append(ratios, ratio)
	}
	slices.Sort(as)
	slices.Sort(bs)
	slices.Sort(ratios)
	half := len(ratios) / 2
	v.A, v.Min, v.Ratio, v.Max = as[half], ratios[0], ratios[half], ratios[len(ratios)-1]
	if !l.alone {
		v.B = bs[half]
	}
	if l.want > 0 {
		met := v.Ratio >= l.want
		if l.atMost {
			met = v.Ratio <= l.want
		}
		v.Met = &met
	}
}

// phase is a call of the program itself.
func (s setting) phase(args ...string) source {
	return source{name: "phase", args: append(append([]string{filepath.Join(s.dir, "phase")}, args...), "--json")}
}

// python is a call of one of the scripts beside this folder.
func python(name, interpreter, install, script string, args ...string) source {
	return source{name: name, args: append([]string{interpreter, filepath.Join("cmd/peers", script)}, args...), install: install}
}
