package phase_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// height is the floor on which each family of packages stands. Imports only
// point down, or to the same family; nn and optim share a floor and do not know
// each other.
var height = map[string]int{"tensor": 0, "kernels": 1, "autograd": 2, "nn": 3, "optim": 3, "phase": 4, "cmd": 5, "docs": 5}

// within says what a family's own packages may import of each other, where that
// is not left to the compiler: a root that describes does not know those that
// do the work.
var within = map[string][]string{
	"tensor":      {},
	"kernels":     {},
	"autograd":    {},
	"phase":       {"phase/longtail", "phase/kind"},
	"kernels/ref": {"kernels"},
	"kernels/cpu": {"kernels", "kernels/ref"},
}

// A backend is registered by the program, so that a library user chooses; only
// commands and tests import one.
func backend(pkg string) bool {
	return strings.HasPrefix(pkg, "kernels/") && pkg != "kernels/kerneltest"
}

func family(pkg string) string {
	f, _, _ := strings.Cut(pkg, "/")
	return f
}

// objection says why package from may not import package to, or "".
func objection(from, to string) string {
	f, t := family(from), family(to)
	hf, ok := height[f]
	ht, ok2 := height[t]
	switch {
	case !ok || !ok2:
		return "a package that stands on no floor"
	case f == t:
		list, held := within[from]
		for _, l := range list {
			held = held && l != to
		}
		if held {
			return "its family's other packages are not its business"
		}
	case hf <= ht:
		return "imports only point down"
	case backend(to) && f != "cmd":
		return "only commands choose a backend"
	}
	return ""
}

// source is one Go file that is built, not a test.
type source struct {
	path, pkg string
	file      *ast.File
}

func sources(t *testing.T) (all []source) {
	root := ".."
	if _, err := os.Stat(filepath.Join(root, "go.mod")); err != nil {
		t.Fatal(err)
	}
	fset := token.NewFileSet()
	err := filepath.WalkDir(root, func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name := d.Name()
		if d.IsDir() && p != root && (name[0] == '_' || name[0] == '.' || name == "testdata") {
			return filepath.SkipDir
		}
		if d.IsDir() || !strings.HasSuffix(name, ".go") || strings.HasSuffix(name, "_test.go") {
			return nil
		}
		f, err := parser.ParseFile(fset, p, nil, parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(root, filepath.Dir(p))
		all = append(all, source{filepath.ToSlash(p), filepath.ToSlash(rel), f})
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func TestImportsPointDown(t *testing.T) {
	seen := map[string]bool{}
	for _, s := range sources(t) {
		seen[family(s.pkg)] = true
		for _, i := range s.file.Imports {
			to, err := strconv.Unquote(i.Path.Value)
			if err != nil {
				t.Fatal(err)
			}
			to, ours := strings.CutPrefix(to, "phase/")
			if !ours {
				continue
			}
			if why := objection(s.pkg, to); why != "" {
				t.Errorf("%s: %s imports %s: %s", s.path, s.pkg, to, why)
			}
		}
	}
	for f := range height {
		if !seen[f] {
			t.Errorf("no source of %s was looked at", f)
		}
	}
}

// The rule is itself tried, so that it cannot grow lax unseen.
func TestObjections(t *testing.T) {
	for edge, allowed := range map[[2]string]bool{
		{"kernels", "tensor"}:              true,
		{"autograd", "kernels"}:            true,
		{"autograd/optest", "autograd"}:    true,
		{"nn", "tensor/npy"}:               true,
		{"phase/train", "phase"}:           true,
		{"phase/train", "optim"}:           true,
		{"cmd/phase", "kernels/cpu"}:       true,
		{"kernels/cpu", "kernels/ref"}:     true,
		{"tensor", "tensor/raw"}:           false,
		{"tensor/npy", "kernels"}:          false,
		{"kernels", "kernels/ref"}:         false,
		{"kernels/ref", "kernels/cpu"}:     false,
		{"autograd", "kernels/ref"}:        false,
		{"autograd", "autograd/gradcheck"}: false,
		{"nn", "optim"}:                    false,
		{"optim", "nn"}:                    false,
		{"optim", "phase"}:                 false,
		{"phase", "phase/train"}:           false,
		{"phase", "cmd/phase"}:             false,
		{"phase/train", "kernels/cpu"}:     false,
		{"helpers", "tensor"}:              false,
	} {
		if got := objection(edge[0], edge[1]) == ""; got != allowed {
			t.Errorf("%s imports %s: allowed %v, want %v", edge[0], edge[1], got, allowed)
		}
	}
}

// Nothing below cmd prints: a library returns what it has to say.
func TestNothingBelowCmdPrints(t *testing.T) {
	for _, s := range sources(t) {
		if family(s.pkg) == "cmd" {
			continue
		}
		for _, what := range prints(s.file) {
			t.Errorf("%s: uses %s", s.path, what)
		}
	}
}

// prints lists the ways in which f writes to the standard streams.
func prints(f *ast.File) (found []string) {
	for _, i := range f.Imports {
		if p, _ := strconv.Unquote(i.Path.Value); path.Base(p) == "log" || p == "log/slog" {
			found = append(found, p)
		}
	}
	ast.Inspect(f, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.SelectorExpr:
			x, ok := n.X.(*ast.Ident)
			if !ok {
				return true
			}
			name := x.Name + "." + n.Sel.Name
			switch name {
			case "fmt.Print", "fmt.Printf", "fmt.Println", "os.Stdout", "os.Stderr":
				found = append(found, name)
			}
		case *ast.CallExpr:
			if x, ok := n.Fun.(*ast.Ident); ok && (x.Name == "print" || x.Name == "println") {
				found = append(found, x.Name)
			}
		}
		return true
	})
	return found
}

func TestPrintsAreFound(t *testing.T) {
	f, err := parser.ParseFile(token.NewFileSet(), "x.go", `package x
import ("fmt"; "log"; "os")
func f() { fmt.Println(1); println(2); fmt.Fprintln(os.Stderr, 3); log.Print(4); fmt.Sprint(5) }`, parser.SkipObjectResolution)
	if err != nil {
		t.Fatal(err)
	}
	if got := strings.Join(prints(f), " "); got != "log fmt.Println println os.Stderr" {
		t.Errorf("found %q", got)
	}
}
