package main

import (
	"fmt"
	"os"
	"strings"
)

// The table stands between these lines of the page.
const (
	begin = "<!-- compare: begin -->"
	end   = "<!-- compare: end -->"
)

// write puts the table into the page.
func write(r report) error {
	text, err := os.ReadFile(page)
	if err != nil {
		return err
	}
	before, rest, ok := strings.Cut(string(text), begin)
	_, after, ok2 := strings.Cut(rest, end)
	if !ok || !ok2 {
		return fmt.Errorf("%s has no lines %q and %q", page, begin, end)
	}
	return os.WriteFile(page, []byte(before+begin+"\n"+table(r.Results)+end+after), 0o666)
}

// table is the results in Markdown: what was measured where, then a row for each.
func table(results []result) string {
	var b strings.Builder
	var places []where
	mark := map[where]string{}
	for _, r := range results {
		if mark[r.where] == "" {
			places = append(places, r.where)
			mark[r.where] = string(rune('a' + len(places) - 1))
		}
	}
	b.WriteString("\n")
	for _, w := range places {
		fmt.Fprintf(&b, "(%s) %s, %d cores, %s, commit %s, %s, %d rounds.\n", mark[w], w.CPU, w.Cores, w.Go, w.Commit, w.Date, w.Rounds)
	}
	b.WriteString("\n| what | phase | against | ratio: median (least to greatest) | target | met |  |\n|---|---|---|---|---|---|---|\n")
	for _, r := range results {
		met := ""
		if r.Met != nil {
			met = map[bool]string{true: "yes", false: "no"}[*r.Met]
		}
		figures := [3]string{number(r.A, r.Unit), number(r.B, r.Unit), fmt.Sprintf("%.2f (%.2f to %.2f)", r.Ratio, r.Min, r.Max)}
		if r.B == 0 { // the figure stands alone
			figures[1] = ""
			figures[0], figures[2] = "", fmt.Sprintf("%s (%s to %s)", number(r.Ratio, r.Unit), number(r.Min, ""), number(r.Max, ""))
		}
		if r.Missing != "" {
			figures = [3]string{"", "", strings.ReplaceAll(r.Missing, "|", "/")}
		}
		if r.Against != "" {
			figures[1] = strings.TrimSpace(figures[1] + " (" + r.Against + ")")
		}
		fmt.Fprintf(&b, "| %s | %s | %s | %s | %s | %s | %s |\n", r.What, figures[0], figures[1], figures[2], r.Target, met, mark[r.where])
	}
	b.WriteString("\n")
	return b.String()
}

// number is v in four digits with its unit.
func number(v float64, unit string) string {
	switch {
	case v >= 1000:
		return strings.TrimSpace(fmt.Sprintf("%.0f %s", v, unit))
	case v < .1:
		return strings.TrimSpace(fmt.Sprintf("%.4f %s", v, unit))
	}
	return strings.TrimSpace(fmt.Sprintf("%.4g %s", v, unit))
}
