package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestReport: a run just trained, its page beside it; two runs, their figures.
func TestReport(t *testing.T) {
	t.Chdir(t.TempDir())
	trainQuick(t, "a")
	trainQuick(t, "b", "--method", "ce")
	if out := succeed(t, "report", "a"); !strings.HasPrefix(out, filepath.Join("a", "report.html")+", ") {
		t.Errorf("it says %q", out)
	}
	page, err := os.ReadFile(filepath.Join("a", "report.html"))
	if err != nil || !strings.Contains(string(page), "Ankle boot") || !strings.Contains(string(page), "<svg ") {
		t.Fatalf("%v: %.100q", err, page)
	}
	var said struct {
		Schema  int
		Report  string
		Bytes   int64
		Figures []string
		Runs    []string
		Notes   []string
	}
	succeedJSON(t, &said, "report", "a", "b", "--out", "both.html", "--figures", "figures")
	info, err := os.Stat("both.html")
	if err != nil || said.Schema != 1 || said.Report != "both.html" || said.Bytes != info.Size() || len(said.Runs) != 2 || said.Notes == nil {
		t.Errorf("%v: %+v", err, said)
	}
	there, err := os.ReadDir("figures")
	if err != nil || len(there) != len(said.Figures) || len(there) < 16 {
		t.Errorf("%v: %d files, %d named", err, len(there), len(said.Figures))
	}
	for _, path := range said.Figures {
		if b, err := os.ReadFile(path); err != nil || len(b) < 1000 {
			t.Errorf("%s: %v, %d bytes", path, err, len(b))
		}
	}
}

// TestReportRefuses: wrong calls and bad runs are one line, and nothing is
// written.
func TestReportRefuses(t *testing.T) {
	t.Chdir(t.TempDir())
	trainQuick(t, filepath.Join("runs", "a"))
	a := filepath.Join("runs", "a")
	refuse(t, exitUsage, []string{"at least one run directory"}, "report")
	refuse(t, exitUsage, []string{"given twice"}, "report", a, a+"/")
	refuse(t, exitFailed, []string{"nowhere"}, "report", "nowhere")
	refuse(t, exitFailed, []string{"no run directory", "of which " + a + " is one"}, "report", "runs")
	refuse(t, exitFailed, []string{filepath.Join("no", "such.html")}, "report", a, "--out", filepath.Join("no", "such.html"))
	if err := os.WriteFile(filepath.Join(a, "result.json"), []byte(`{"schema":1`), 0o644); err != nil {
		t.Fatal(err)
	}
	refuse(t, exitFailed, []string{filepath.Join(a, "result.json")}, "report", a, "--figures", "figures")
	left, _ := filepath.Glob("*")
	if inside, _ := filepath.Glob(filepath.Join(a, "report.html")); len(left) != 1 || len(inside) != 0 {
		t.Errorf("refused calls left %q and %q", left, inside)
	}
	if err := os.Remove(filepath.Join(a, "result.json")); err != nil {
		t.Fatal(err)
	}
	if out := succeed(t, "report", a); !strings.Contains(out, "note: "+a+" is not finished: 3 of 3 epochs") {
		t.Errorf("it says %q", out)
	}
}
