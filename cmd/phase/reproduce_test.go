package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// A table is planned, trained and printed beside what was published, and
// finished runs are not trained again.
func TestReproduce(t *testing.T) {
	out := filepath.Join(t.TempDir(), "t5")
	args := append([]string{"reproduce", "table5", "--data", "fashion", "--seeds", "2", "--out", out}, quick...)
	var plan struct {
		Runs []struct {
			Run, Stage1 string
			Done        bool
			Seconds     float64
		}
		Seconds float64
	}
	succeedJSON(t, &plan, append(args, "--dry-run")...)
	if len(plan.Runs) != 8 || plan.Seconds <= 0 || plan.Runs[0].Done {
		t.Fatalf("plan %+v", plan)
	}
	if _, err := os.Stat(out); err == nil {
		t.Error("--dry-run made the folder")
	}
	code, table, stderr := call(t, t.Context(), "", append(args, "--progress", "none")...)
	for _, want := range []string{"| DAW and MSR (PHASE) |", "not published", "- data: fashion in place of cifar100", "2 seeds"} {
		if code != 0 || !strings.Contains(table, want) {
			t.Fatalf("exit %d, no %q in\n%s%s", code, want, table, stderr)
		}
	}
	if !strings.Contains(stderr, "8 runs, 0 finished") {
		t.Errorf("the plan is not told: %s", stderr)
	}
	b, err := os.ReadFile(filepath.Join(out, "table5.md"))
	if err != nil || !strings.HasPrefix(table, string(b)) {
		t.Errorf("table5.md is not what was printed: %v", err)
	}
	succeedJSON(t, &plan, append(args, "--dry-run")...)
	if plan.Seconds != 0 || !plan.Runs[7].Done {
		t.Errorf("a finished plan: %+v", plan)
	}
	var again struct {
		Rows []struct {
			Label     string
			Published *float64
			Mean      struct{ Overall float64 }
			Runs      []string
		}
		Differs []string
	}
	succeedJSON(t, &again, args...)
	if len(again.Rows) != 4 || len(again.Rows[3].Runs) != 2 || again.Rows[3].Published != nil || len(again.Differs) < 4 {
		t.Errorf("%+v", again)
	}
}

// Every name runs to its end on the embedded data, with its figures.
func TestReproduceEach(t *testing.T) {
	for _, name := range []string{"fig3", "fig4", "fig5", "fig6", "table6"} {
		out := filepath.Join(t.TempDir(), name)
		args := append([]string{"reproduce", name, "--data", "fashion", "--out", out, "-q", "--progress", "none"}, quick...)
		if name == "table6" || name == "fig5" {
			args = append(args, "--methods", "ce,phase", "--width", "4")
		}
		if code, _, stderr := call(t, t.Context(), "", args...); code != 0 {
			t.Errorf("%s: exit %d, %s", name, code, stderr)
			continue
		}
		figure := name + "-fashion-if1"
		if name == "fig3" {
			figure = "fig3-fashion"
		}
		for _, file := range []string{name + ".md", name + ".json", figure + ".svg", figure + ".png"} {
			if info, err := os.Stat(filepath.Join(out, file)); err != nil || info.Size() < 200 {
				t.Errorf("%s: %v", name, err)
			}
		}
	}
	// The paper's own Figure 3 takes no data.
	out := filepath.Join(t.TempDir(), "fig3")
	succeed(t, "reproduce", "fig3", "--out", out, "--data-dir", t.TempDir())
	if files, _ := filepath.Glob(filepath.Join(out, "fig3-*.svg")); len(files) != 3 {
		t.Errorf("figure 3 in %v", files)
	}
}

func TestReproduceUsage(t *testing.T) {
	for args, want := range map[string]string{
		"reproduce":                        "wants one name: table3, table4",
		"reproduce tabel5":                 "did you mean table5?",
		"reproduce table5 --seeds 0":       "--seeds 0: want at least 1",
		"reproduce table5 --methods phaze": "--methods: \"phaze\": want one of",
		"reproduce table5 --method ce":     "--methods names the methods",
	} {
		refuse(t, exitUsage, []string{want}, strings.Fields(args)...)
	}
}
