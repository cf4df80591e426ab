package data

import (
	"fmt"
	"io/fs"
	"iter"
	"maps"
	"slices"
	"strconv"
	"strings"
)

const (
	maxListBytes = 1 << 30
	maxClasses   = 1 << 20 // a label above this in a list is taken for a mistake
)

// lines iterates over the lines of a text with their numbers from 1; empty
// ones are left out, as are a byte-order mark and the carriage returns of
// Windows.
func lines(b []byte) iter.Seq2[int, string] {
	return func(yield func(int, string) bool) {
		no := 0
		for line := range strings.Lines(strings.TrimPrefix(string(b), "\ufeff")) {
			no++
			if line = strings.TrimRight(line, "\r\n"); strings.TrimSpace(line) != "" && !yield(no, line) {
				return
			}
		}
	}
}

// entry is one line of a path list.
type entry struct {
	line        int
	path, label string
}

// parseList reads lines `path label`. The label is what follows the last tab,
// or the last space of a line without tabs, so that paths may hold spaces.
func parseList(b []byte) ([]entry, error) {
	var list []entry
	for no, line := range lines(b) {
		line = strings.TrimSpace(line)
		cut := strings.LastIndexByte(line, '\t')
		if cut < 0 {
			cut = strings.LastIndexByte(line, ' ')
		}
		if cut < 0 {
			return nil, fmt.Errorf("line %d: %q, want a path, a space and a label", no, line)
		}
		name := strings.TrimPrefix(strings.TrimSpace(line[:cut]), "./")
		if !fs.ValidPath(name) || name == "." {
			return nil, fmt.Errorf("line %d: path %q, want one below the list's folder, with /", no, name)
		}
		list = append(list, entry{no, name, strings.TrimSpace(line[cut+1:])})
	}
	if len(list) == 0 {
		return nil, fmt.Errorf("no lines `path label`")
	}
	return list, nil
}

// listClassNames says which classes the labels of a list stand for: the
// numbers 0, 1, ... up to the largest if all are numbers, else the different
// labels sorted by their bytes.
func listClassNames(list []entry) ([]string, error) {
	seen := map[string]bool{}
	top, numeric := 0, true
	for _, e := range list {
		seen[e.label] = true
		n, err := strconv.Atoi(e.label)
		if numeric = numeric && err == nil; !numeric {
			continue
		}
		if n < 0 || n >= maxClasses {
			return nil, fmt.Errorf("line %d: label %d, want 0 to %d", e.line, n, maxClasses-1)
		}
		top = max(top, n)
	}
	if numeric {
		return numbered(top + 1), nil
	}
	return slices.Sorted(maps.Keys(seen)), nil
}

// listPaths lists the images of a path list that lies in f. known are the
// training classes, nil for the training list itself.
func listPaths(f folder, name string, known []string) (*fileImages, error) {
	b, err := f.readFile(name, maxListBytes)
	if err != nil {
		return nil, err
	}
	list, err := parseList(b)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", f.at(name), err)
	}
	s := &fileImages{folder: f, labelled: labelled{classes: known}}
	if known == nil {
		if s.classes, err = listClassNames(list); err != nil {
			return nil, fmt.Errorf("%s: %w", f.at(name), err)
		}
	}
	label := map[string]int{}
	for i, class := range s.classes {
		label[class] = i
	}
	for _, e := range list {
		class := e.label
		if n, err := strconv.Atoi(class); err == nil { // 007 is 7
			if _, ok := label[class]; !ok {
				class = strconv.Itoa(n)
			}
		}
		y, ok := label[class]
		if !ok {
			return nil, fmt.Errorf("%s: line %d: label %q is not one of the %d training classes", f.at(name), e.line, e.label, len(s.classes))
		}
		s.add(e.path, y)
	}
	return s, nil
}
