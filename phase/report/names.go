package report

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"phase/phase/figures"
	"phase/phase/train"
)

// A setting is one of a configuration, as text.
type setting struct{ name, value string }

// open is the value of a setting that a run's method does not have.
const open = "–"

// settings lists a configuration.
func settings(c train.Config) (s []setting) {
	c.Fields(func(name, _, _ string, value any) {
		b, _ := json.Marshal(value) // settings were read from JSON
		text := strings.Trim(string(b), `"`)
		if text == "null" {
			text = open
		}
		s = append(s, setting{name, figures.Printable(text)})
	})
	return s
}

// differing lists the settings in which runs differ, with each run's value.
func differing(runs []*Run) (names []string, values [][]string) {
	var all [][]setting
	for _, r := range runs {
		all = append(all, settings(r.Config))
	}
	for k, s := range all[0] {
		var row []string
		differ := false
		for i := range all {
			row = append(row, all[i][k].value)
			differ = differ || row[i] != row[0]
		}
		if differ {
			names, values = append(names, s.name), append(values, row)
		}
	}
	return names, values
}

// A method is runs that differ in nothing but their seed.
type method struct {
	name string
	runs []*Run
}

// methods groups runs. A method is named after its preset and, where others of
// that preset are there, after the settings in which it differs from them.
func methods(runs []*Run) (all []*method) {
	index := map[string]*method{}
	ofPreset := map[string][]*method{}
	for _, r := range runs {
		c := r.Config
		c.Seed = 0
		b, _ := json.Marshal(c) // as above
		key := string(b) + r.data.SHA256 + r.data.Manifest
		m := index[key]
		if m == nil {
			m = &method{name: c.Method}
			index[key] = m
			all, ofPreset[c.Method] = append(all, m), append(ofPreset[c.Method], m)
		}
		m.runs = append(m.runs, r)
	}
	for _, alike := range ofPreset {
		var first []*Run
		for _, m := range alike {
			first = append(first, m.runs[0])
		}
		names, values := differing(first)
		for k, name := range names {
			if name == "seed" {
				continue
			}
			for i, m := range alike {
				m.name += fmt.Sprintf(", %s %s", name, values[k][i])
			}
		}
	}
	taken := map[string]int{}
	for _, m := range all {
		taken[m.name]++
	}
	for _, m := range all {
		if taken[m.name] > 1 { // on other data of the same name
			m.name += ", " + figures.Printable(m.runs[0].Dir)
		}
	}
	return all
}

// labels names each run: its method, its seed where there are several, and its
// directory where that is not enough.
func labels(runs []*Run, all []*method) map[*Run]string {
	name := map[*Run]string{}
	taken := map[string]int{}
	seeds := slices.ContainsFunc(all, func(m *method) bool { return len(m.runs) > 1 })
	for _, m := range all {
		for _, r := range m.runs {
			name[r] = m.name
			if seeds {
				name[r] += fmt.Sprintf(", seed %d", r.Config.Seed)
			}
			taken[name[r]]++
		}
	}
	for _, r := range runs {
		if taken[name[r]] > 1 {
			name[r] += ", " + figures.Printable(r.Dir)
		}
	}
	return name
}
