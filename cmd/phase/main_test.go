package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"phase/tensor"
	"phase/tensor/npy"
)

var update = flag.Bool("update", false, "write what the commands print into testdata/*.txt")

// outcome is what a call of the command left.
type outcome struct {
	code     int
	out, err string
}

// invoke runs the command with these arguments, in this process.
func invoke(t *testing.T, args ...string) (o outcome) {
	t.Helper()
	threads := runtime.GOMAXPROCS(0)
	defer runtime.GOMAXPROCS(threads)
	o.code, o.out, o.err = call(t, t.Context(), "", args...)
	return o
}

// refuse calls the command, and wants an exit status, one line on standard
// error with these words in it, and nothing on standard output.
func refuse(t *testing.T, code int, words []string, args ...string) {
	t.Helper()
	o := invoke(t, args...)
	if o.code != code || o.out != "" || !oneErrorLine(o.err) {
		t.Errorf("phase %s:\nexit %d, want %d\nstdout %q\nstderr %q", strings.Join(args, " "), o.code, code, o.out, o.err)
	}
	for _, w := range words {
		if !strings.Contains(o.err, w) {
			t.Errorf("phase %s says\n%swithout %q", strings.Join(args, " "), o.err, w)
		}
	}
}

func oneErrorLine(s string) bool {
	return strings.HasPrefix(s, "phase: ") && strings.HasSuffix(s, "\n") && strings.Count(s, "\n") == 1 && !strings.Contains(s, "goroutine")
}

// succeed calls the command and wants exit status 0 and a quiet standard error.
func succeed(t *testing.T, args ...string) string {
	t.Helper()
	o := invoke(t, args...)
	if o.code != exitDone || o.err != "" {
		t.Fatalf("phase %s: exit %d, %s", strings.Join(args, " "), o.code, o.err)
	}
	return o.out
}

// succeedJSON calls the command and decodes the one object it prints.
func succeedJSON(t *testing.T, into any, args ...string) {
	t.Helper()
	out := succeed(t, append(args, "--json")...)
	if strings.Count(out, "\n") != 1 || !strings.HasPrefix(out, "{") {
		t.Fatalf("phase %s --json prints not one object on one line: %.200q", strings.Join(args, " "), out)
	}
	d := json.NewDecoder(strings.NewReader(out))
	if err := d.Decode(into); err != nil {
		t.Fatalf("phase %s: %v in %.200q", strings.Join(args, " "), err, out)
	}
	if _, err := d.Token(); err != io.EOF {
		t.Fatalf("phase %s --json prints more than one object", strings.Join(args, " "))
	}
}

// near reports whether a and b agree to tol, relative; numbers below floor
// count as that large.
func near(a, b, tol, floor float64) bool {
	return math.Abs(a-b) <= tol*max(math.Abs(a), math.Abs(b), floor)
}

func wantNear(t *testing.T, what string, got, want []float64, tol, floor float64) {
	t.Helper()
	if len(got) != len(want) {
		t.Errorf("%s: %d numbers, want %d", what, len(got), len(want))
		return
	}
	for i := range want {
		if !near(got[i], want[i], tol, floor) {
			t.Errorf("%s: number %d is %.12g, want %.12g", what, i, got[i], want[i])
			return
		}
	}
}

// put writes an array to an .npy file of a new folder and returns its path.
func put[T tensor.Elem](t *testing.T, v []T, shape ...int) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "a.npy")
	if err := npy.WriteFile(path, tensor.Of(v, shape...)); err != nil {
		t.Fatal(err)
	}
	return path
}

// putBytes writes a file into a new folder and returns its path.
func putBytes(t *testing.T, name string, b []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, b, 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

// TestScripts plays testdata/*.txt: a line "$ phase ..." is a call, what follows
// is what it prints, standard error after "! " and an exit status that is not 0
// as "? N". Calls run in testdata/oracle; lines that begin with # are comments.
func TestScripts(t *testing.T) {
	scripts, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(scripts) == 0 {
		t.Fatal("no scripts", err)
	}
	for _, s := range scripts {
		text, err := os.ReadFile(s)
		if err != nil {
			t.Fatal(err)
		}
		absolute, err := filepath.Abs(s)
		if err != nil {
			t.Fatal(err)
		}
		t.Run(strings.TrimSuffix(filepath.Base(s), ".txt"), func(t *testing.T) {
			t.Chdir("testdata/oracle")
			t.Setenv("PHASE_DATA", "nowhere")
			got := play(t, strings.ReplaceAll(string(text), "\r\n", "\n"))
			if *update {
				if err := os.WriteFile(absolute, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
				return
			}
			sameText(t, got, string(text))
		})
	}
}

// play runs the calls of a script and returns the script with what they printed.
func play(t *testing.T, script string) string {
	var b strings.Builder
	for line := range strings.Lines(script) {
		if strings.HasPrefix(line, "#") {
			b.WriteString(line)
		}
		command, ok := strings.CutPrefix(line, "$ phase ")
		if !ok {
			continue
		}
		o := invoke(t, strings.Fields(command)...)
		fmt.Fprintf(&b, "%s%s", line, o.out)
		for e := range strings.Lines(o.err) {
			b.WriteString("! " + e)
		}
		if o.code != 0 {
			fmt.Fprintf(&b, "? %d\n", o.code)
		}
	}
	return b.String()
}

func sameText(t *testing.T, got, want string) {
	t.Helper()
	g, w := strings.Split(got, "\n"), strings.Split(strings.ReplaceAll(want, "\r\n", "\n"), "\n")
	for i := range max(len(g), len(w)) {
		a, b := "(nothing)", "(nothing)"
		if i < len(g) {
			a = g[i]
		}
		if i < len(w) {
			b = w[i]
		}
		if a != b {
			t.Fatalf("line %d:\ngot  %s\nwant %s\n(-update writes what is printed)", i+1, a, b)
		}
	}
}
