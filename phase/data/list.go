package data

import (
	"cmp"
	"context"
	"fmt"
	"io/fs"
	"iter"
	"maps"
	"path/filepath"
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
// Paths are relative, with /: to the list's folder, or to the root given.
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
			return nil, fmt.Errorf("line %d: path %q, want one below the images' folder, with /", no, name)
		}
		list = append(list, entry{no, name, strings.TrimSpace(line[cut+1:])})
	}
	if len(list) == 0 {
		return nil, fmt.Errorf("no lines `path label`")
	}
	return list, nil
}

// listFiles are the parts of TRAIN[,TEST[,ROOT[,NAMES]]]: the lists of the
// training and the test images, the folder that the paths in them start from
// (that of each list itself if it is empty), and the names of the classes.
type listFiles struct{ train, test, root, names string }

func parseListFiles(path string) (f listFiles, err error) {
	parts := strings.Split(path, ",")
	if len(parts) > 4 || parts[0] == "" {
		return f, fmt.Errorf("data %q: want list:TRAIN[,TEST[,ROOT[,NAMES]]]", "list:"+path)
	}
	for i, to := range []*string{&f.train, &f.test, &f.root, &f.names}[:len(parts)] {
		*to = parts[i]
	}
	return f, nil
}

// folder is where the images of the training list lie.
func (l listFiles) folder() string { return cmp.Or(l.root, filepath.Dir(l.train)) }

// list lists the images in f and, unless the root is given, of the test list
// in its own folder.
func (l listFiles) list(_ context.Context, f folder) (train, test *fileImages, err error) {
	entries, at, err := readList(l.train)
	if err != nil {
		return nil, nil, err
	}
	var classes listClasses
	if l.names != "" {
		classes, err = readListClasses(l.names)
	} else if classes, err = findListClasses(entries); err != nil {
		err = fmt.Errorf("%s: %w", at, err)
	}
	if err != nil {
		return nil, nil, err
	}
	if train, err = classes.images(f, entries, at); err != nil || l.test == "" {
		return train, nil, err
	}
	if entries, at, err = readList(l.test); err != nil {
		return nil, nil, err
	}
	if l.root == "" {
		if f, err = openFolder(filepath.Dir(l.test)); err != nil {
			return nil, nil, err
		}
	}
	test, err = classes.images(f, entries, at)
	return train, test, err
}

// readBeside reads a file that the user named, and says how errors name it.
func readBeside(path string) (b []byte, at string, err error) {
	f, err := openFolder(filepath.Dir(path))
	if err != nil {
		return nil, "", err
	}
	name := filepath.Base(path)
	b, err = f.readFile(name, maxListBytes)
	return b, f.at(name), err
}

// readList reads a path list.
func readList(path string) (list []entry, at string, err error) {
	b, at, err := readBeside(path)
	if err != nil {
		return nil, "", err
	}
	if list, err = parseList(b); err != nil {
		return nil, "", fmt.Errorf("%s: %w", at, err)
	}
	return list, at, nil
}

// listClasses says which classes the labels of a list stand for.
type listClasses struct {
	names   []string
	numeric bool   // a label that is a number counts the names from 0
	from    string // how errors call the names
}

// findListClasses takes the classes from a training list: the numbers 0, 1,
// ... up to the largest label if all are numbers, else the different labels
// sorted by their bytes.
func findListClasses(list []entry) (c listClasses, err error) {
	c.from = "training classes"
	seen := map[string]bool{}
	top, numeric := 0, true
	for _, e := range list {
		seen[e.label] = true
		n, err := strconv.Atoi(e.label)
		if numeric = numeric && err == nil; !numeric {
			continue
		}
		if n < 0 || n >= maxClasses {
			return c, fmt.Errorf("line %d: label %d, want 0 to %d", e.line, n, maxClasses-1)
		}
		top = max(top, n)
	}
	if c.numeric = numeric; numeric {
		c.names = numbered(top + 1)
	} else {
		c.names = slices.Sorted(maps.Keys(seen))
	}
	return c, nil
}

// readListClasses reads the names of the classes 0, 1, ..., a line each.
func readListClasses(path string) (c listClasses, err error) {
	b, at, err := readBeside(path)
	if err != nil {
		return c, err
	}
	c = listClasses{numeric: true, from: "classes of " + at}
	for _, line := range lines(b) {
		c.names = append(c.names, strings.TrimSpace(line))
	}
	if len(c.names) == 0 {
		return c, fmt.Errorf("%s: no class names", at)
	}
	if err := distinct(c.names); err != nil {
		return c, fmt.Errorf("%s: %w", at, err)
	}
	return c, nil
}

// images are the images of a list, which lie in f.
func (c listClasses) images(f folder, list []entry, at string) (*fileImages, error) {
	byName := make(map[string]int, len(c.names))
	for i, name := range c.names {
		byName[name] = i
	}
	s := &fileImages{folder: f, labelled: labelled{classes: c.names}}
	for _, e := range list {
		y, ok := byName[e.label]
		if n, err := strconv.Atoi(e.label); c.numeric && err == nil {
			y, ok = n, n >= 0 && n < len(c.names)
		}
		if !ok {
			return nil, fmt.Errorf("%s: line %d: label %q is not one of the %d %s", at, e.line, e.label, len(c.names), c.from)
		}
		s.add(e.path, y)
	}
	return s, nil
}
