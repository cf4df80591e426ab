package phase_test

import (
	"go/parser"
	"go/token"
	"io/fs"
	"path"
	"path/filepath"
	"strings"
	"testing"
)

// The package that may import package net and what stands on it, and the one
// file that may import that package.
const (
	mayDial   = "phase/data/download"
	mayCallIt = "cmd/phase/data_get.go"
)

// Nothing is sent anywhere, and nothing fetched but by phase data get: no other
// file of the program imports package net or what stands on it.
func TestNoSockets(t *testing.T) {
	seen, dials, calls := 0, 0, 0
	err := filepath.WalkDir("..", func(file string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || filepath.Ext(file) != ".go" || strings.HasSuffix(file, "_test.go") {
			return err
		}
		f, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.ImportsOnly)
		if err != nil {
			return err
		}
		seen++
		rel, err := filepath.Rel("..", file)
		rel = filepath.ToSlash(rel)
		for _, i := range f.Imports {
			allowed := true
			switch p := strings.Trim(i.Path.Value, `"`); {
			case p == "net" || strings.HasPrefix(p, "net/"):
				dials++
				allowed = path.Dir(rel) == mayDial
			case p == "phase/"+mayDial:
				calls++
				allowed = rel == mayCallIt
			}
			if !allowed {
				t.Errorf("%s imports %s", file, i.Path.Value)
			}
		}
		return err
	})
	if err != nil || seen < 100 {
		t.Errorf("only %d files were looked at: %v", seen, err)
	}
	if dials == 0 || calls != 1 {
		t.Errorf("%d imports of net were seen, and %d of %s, want some and 1", dials, calls, mayDial)
	}
}
