// Package docs holds the chapters, and the test that every program, command and
// number in them and in the README is what the code does.
package docs

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"go/format"
	"io/fs"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "rewrite the outputs that the pages show")

// A page is a Markdown file, by lines.
type page struct {
	path   string // from the module's root
	lines  []string
	blocks []block
}

// A block is what stands between two fences, the lines from up to to of its
// page. Kinds are
//
//	go       a program, or declarations if it does not begin with package main
//	output   what the program right above it prints
//	console  commands, after "$ ", each with what it prints
//
// In what is shown a line "..." stands for any lines, and a number with a point
// may be off by one in its last digit: float32 sums are rounded in another
// order by another processor's kernels.
type block struct {
	kind     string
	from, to int
}

const root = ".."

func TestPages(t *testing.T) {
	noticeSources(t)
	pages := readPages(t)
	bin := build(t, pages)
	for i := range pages {
		p := &pages[i]
		t.Run(p.path, func(t *testing.T) {
			// Backwards, so that an update does not move the blocks to come.
			for b := len(p.blocks) - 1; b >= 0; b-- {
				p.check(t, bin, b)
			}
			if *update {
				if err := os.WriteFile(filepath.Join(root, p.path), []byte(strings.Join(p.lines, "\n")), 0o666); err != nil {
					t.Fatal(err)
				}
			}
			p.checkLinks(t)
			if p.path == "README.md" {
				p.checkCommands(t, bin)
			}
		})
	}
}

// noticeSources looks at every file of the module, for go test to notice when
// one has changed: it does not see what the go command below reads.
func noticeSources(t *testing.T) {
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if d != nil && d.IsDir() && d.Name() == ".git" {
			return filepath.SkipDir
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

func readPages(t *testing.T) (pages []page) {
	paths, err := filepath.Glob("*.md")
	if err != nil || len(paths) == 0 {
		t.Fatal("no chapters", err)
	}
	for i, name := range paths {
		paths[i] = "docs/" + name
	}
	for _, path := range append(paths, "README.md") {
		text, err := os.ReadFile(filepath.Join(root, path))
		if err != nil {
			t.Fatal(err)
		}
		p := page{path: path, lines: strings.Split(strings.ReplaceAll(string(text), "\r\n", "\n"), "\n")}
		open := -1
		for i, line := range p.lines {
			kind, fence := strings.CutPrefix(line, "```")
			switch {
			case !fence:
			case open < 0:
				open = i + 1
				p.blocks = append(p.blocks, block{kind: kind, from: open})
			default:
				p.blocks[len(p.blocks)-1].to = i
				open = -1
			}
		}
		if open >= 0 {
			t.Fatalf("%s:%d: a fence that is not closed", path, open)
		}
		pages = append(pages, p)
	}
	return pages
}

func (p *page) text(b block) []string { return p.lines[b.from:b.to] }

// isProgram reports whether b is a whole program.
func (p *page) isProgram(b block) bool {
	return b.kind == "go" && b.to > b.from && p.lines[b.from] == "package main"
}

// name is the name of block b's program or package.
func (p *page) name(b block) string {
	return fmt.Sprintf("%s-%d", strings.TrimSuffix(filepath.Base(p.path), ".md"), b.from)
}

// packages are what declarations may use without an import.
var packages = []string{
	"fmt", "math", "math/rand/v2", "phase/tensor", "phase/kernels", "phase/autograd", "phase/autograd/gradcheck",
	"phase/nn", "phase/optim", "phase/phase", "phase/phase/longtail", "phase/phase/data", "phase/phase/train",
}

// source is the Go file of block b, whose compiler errors point into the page.
func (p *page) source(b block) string {
	head := ""
	body := strings.Join(p.text(b), "\n") + "\n"
	if !p.isProgram(b) {
		head = "package main\n"
		for _, path := range packages {
			name := filepath.Base(strings.TrimSuffix(path, "/v2"))
			if regexp.MustCompile(`\b` + name + `\.[A-Z]`).MatchString(body) {
				head += fmt.Sprintf("import %q\n", path)
			}
		}
		head += "func main() {}\n" // go build -o leaves out what is no command
	}
	return fmt.Sprintf("%s//line %s:%d\n%s", head, p.path, b.from+1, body)
}

// build compiles the command and every program in the pages, in one go, and
// returns the folder that they lie in. The sources stand beside the tree, the
// go command sees them in it.
func build(t *testing.T, pages []page) (bin string) {
	t.Helper()
	bin, tmp := t.TempDir(), t.TempDir()
	var overlay struct{ Replace map[string]string }
	overlay.Replace = map[string]string{}
	abs, err := filepath.Abs(".")
	if err != nil {
		t.Fatal(err)
	}
	args := []string{"build", "-buildvcs=false", "-ldflags=-s -w", "-overlay", filepath.Join(tmp, "overlay.json"), "-o", bin + string(filepath.Separator), "./cmd/phase"}
	for _, p := range pages {
		for _, b := range p.blocks {
			if b.kind != "go" {
				continue
			}
			file := filepath.Join(tmp, p.name(b)+".go")
			if err := os.WriteFile(file, []byte(p.source(b)), 0o666); err != nil {
				t.Fatal(err)
			}
			overlay.Replace[filepath.Join(abs, p.name(b), "main.go")] = file
			args = append(args, "./docs/"+p.name(b))
		}
	}
	text, err := json.Marshal(overlay)
	if err == nil {
		err = os.WriteFile(filepath.Join(tmp, "overlay.json"), text, 0o666)
	}
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("go", args...)
	cmd.Dir = root
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	return bin
}

// check runs block number b of the page and compares what it prints.
func (p *page) check(t *testing.T, bin string, b int) {
	at := p.blocks[b]
	where := fmt.Sprintf("%s:%d", p.path, at.from)
	switch at.kind {
	case "go":
		code := strings.Join(p.text(at), "\n") + "\n"
		if tidy, err := format.Source([]byte(code)); err != nil || string(tidy) != code {
			t.Errorf("%s: gofmt would change this code (%v)", where, err)
		}
		if !p.isProgram(at) {
			return // it has been compiled
		}
		if b+1 == len(p.blocks) || p.blocks[b+1].kind != "output" {
			t.Errorf("%s: a program without its output below", where)
		}
	case "output":
		if b == 0 || !p.isProgram(p.blocks[b-1]) {
			t.Errorf("%s: output without its program above", where)
			return
		}
		p.compare(t, at, [][]string{execute(t, where, filepath.Join(bin, p.name(p.blocks[b-1])))})
	case "console":
		var all [][]string
		for _, line := range p.text(at) {
			if args, ok := strings.CutPrefix(line, "$ phase "); ok {
				all = append(all, append([]string{line}, execute(t, where, filepath.Join(bin, "phase"), strings.Fields(args)...)...))
			}
		}
		if len(all) == 0 || !strings.HasPrefix(p.lines[at.from], "$ phase ") {
			t.Errorf("%s: want commands that begin with $ phase", where)
			return
		}
		p.compare(t, at, all)
	default:
		t.Errorf("%s: a block of kind %q, want go, output or console", where, at.kind)
	}
}

// execute is what a program prints, by lines, if it succeeds.
func execute(t *testing.T, where, program string, args ...string) []string {
	t.Helper()
	cmd := exec.Command(program, args...)
	cmd.Dir = t.TempDir()
	out, err := cmd.Output()
	if err != nil {
		var exit *exec.ExitError
		if errors.As(err, &exit) {
			err = fmt.Errorf("%w: %s", err, exit.Stderr)
		}
		t.Errorf("%s: %s %q: %v", where, filepath.Base(program), args, err)
	}
	lines := strings.Split(strings.TrimRight(string(out), "\n"), "\n")
	for i := range lines {
		lines[i] = strings.TrimRight(lines[i], " \r")
	}
	return lines
}

// compare holds block b against what was printed, command by command.
func (p *page) compare(t *testing.T, b block, printed [][]string) {
	t.Helper()
	want := slices.Concat(printed...)
	if matches(p.text(b), want) {
		return
	}
	if *update {
		p.lines = slices.Replace(p.lines, b.from, b.to, want...)
		return
	}
	for i, line := range p.text(b) {
		if line != "..." && !slices.ContainsFunc(want, func(got string) bool { return sameLine(line, got) }) {
			t.Errorf("%s:%d: shown but not printed: %s", p.path, b.from+i+1, line)
		}
	}
	t.Errorf("%s:%d: the page does not show what is printed, line by line; -update rewrites it", p.path, b.from)
}

// matches reports whether got is what is shown.
func matches(shown, got []string) bool {
	for i, line := range shown {
		if line == "..." {
			for j := i; j <= len(got); j++ {
				if matches(shown[i+1:], got[j:]) {
					return true
				}
			}
			return false
		}
		if i >= len(got) || !sameLine(line, got[i]) {
			return false
		}
	}
	return len(shown) == len(got)
}

var number = regexp.MustCompile(`[+-]?\d+\.\d+`)

// sameLine reports whether two lines are equal but for the last digits of their
// numbers, or for what float32 leaves open, which kernels round in ways of their
// own. Spaces count as one: a digit less is padded by a space.
func sameLine(shown, got string) bool {
	words := func(s string) []string { return strings.Fields(number.ReplaceAllString(s, "#")) }
	a, b := number.FindAllString(shown, -1), number.FindAllString(got, -1)
	if !slices.Equal(words(shown), words(got)) || len(a) != len(b) {
		return false
	}
	for i := range a {
		x, _ := strconv.ParseFloat(a[i], 64)
		y, _ := strconv.ParseFloat(b[i], 64)
		decimals := min(len(a[i])-strings.Index(a[i], "."), len(b[i])-strings.Index(b[i], ".")) - 1
		if math.Abs(x-y) > 1.5*math.Pow10(-decimals)+1e-6*math.Abs(x) {
			return false
		}
	}
	return true
}

var (
	link    = regexp.MustCompile(`\]\(([^)#:]+)\)`)
	inQuote = regexp.MustCompile("`((?:tensor|kernels|autograd|nn|optim|phase|cmd|docs|\\.ci)/[\\w./-]*)`")
)

// checkLinks looks for the files that the page, outside its blocks, points to.
func (p *page) checkLinks(t *testing.T) {
	lines := slices.Clone(p.lines)
	for _, b := range p.blocks {
		clear(lines[b.from:b.to])
	}
	text := strings.Join(lines, "\n")
	for _, m := range link.FindAllStringSubmatch(text, -1) {
		if _, err := os.Stat(filepath.Join(root, filepath.Dir(p.path), m[1])); err != nil {
			t.Errorf("%s: link to %s: %v", p.path, m[1], err)
		}
	}
	for _, m := range inQuote.FindAllStringSubmatch(text, -1) {
		if _, err := os.Stat(filepath.Join(root, m[1])); err != nil {
			t.Errorf("%s: speaks of %s: %v", p.path, m[1], err)
		}
	}
}

// checkCommands reads the indented commands: the two of the front page are
// there, and every call of phase is one that it understands. -h at the end of a
// call makes phase read its flags and not act.
func (p *page) checkCommands(t *testing.T, bin string) {
	var commands []string
	for _, line := range p.lines {
		if command, ok := strings.CutPrefix(line, "    "); ok {
			command, _, _ = strings.Cut(command, " #")
			commands = append(commands, strings.TrimRight(command, " "))
		}
	}
	for _, want := range []string{"go run ./cmd/phase train", "go test ./..."} {
		if !slices.Contains(commands, want) {
			t.Errorf("README.md does not show %q", want)
		}
	}
	for _, command := range commands {
		args, ok := strings.CutPrefix(command, "phase ")
		if !ok {
			args, ok = strings.CutPrefix(command, "go run ./cmd/phase ")
		}
		if ok {
			words := strings.Fields(args)
			help := execute(t, "README.md: "+command, filepath.Join(bin, "phase"), append(words, "-h")...)
			if !slices.ContainsFunc(help, func(line string) bool { return strings.HasPrefix(line, "  phase "+words[0]) }) {
				t.Errorf("README.md: %s: no such command", command)
			}
		}
	}
}

func TestMatches(t *testing.T) {
	for _, c := range []struct {
		shown, got string
		want       bool
	}{
		{"a b", "a b", true}, {"a b", "a c", false}, {"a", "a b", false}, {"a b", "a", false}, {"a b", "a  b", false},
		{"0.12", "0.13", true}, {"0.12", "0.14", false}, {"-0.12", "0.12", false}, {"17.18700", "17.187", true}, {"3.50993", "3.509929", true},
		{"3.5 4.5", "3.5 4.7", false}, {"x=1.5", "y=1.5", false}, {"7", "8", false}, {"a 1.5", "1.5 a", false}, {"1.5", "1.5x", false},
		{"a ... c", "a b b c", true}, {"a ... c", "a c", true}, {"a ...", "a b c", true}, {"... c", "a b c", true},
		{"a ... c", "a b", false}, {"a ... c", "a c d", false}, {"a ... b ... c", "a x b b y c", true}, {"...", "a", true},
	} {
		if got := matches(strings.Split(c.shown, " "), strings.Split(c.got, " ")); got != c.want {
			t.Errorf("shown %q, printed %q: %v, want %v", c.shown, c.got, got, c.want)
		}
	}
}
