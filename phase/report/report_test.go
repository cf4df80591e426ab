package report

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"html"
	"io"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"phase/phase/longtail"
	_ "phase/phase/methods"
	"phase/phase/train"
)

// fake is a run directory to be written.
type fake struct {
	config    train.Config
	names     []string
	counts    []int
	data      string // its checksum
	epochs    int    // that were trained
	finished  bool
	lift      float64 // of its accuracies
	judged    bool    // result.json has calibration and margins
	noWeights bool
}

func settled(t *testing.T, method string, change func(c *train.Config)) train.Config {
	t.Helper()
	c, err := train.Defaults(method, "fashion")
	if err != nil {
		t.Fatal(err)
	}
	c.Epochs = 6
	if change != nil {
		change(&c)
	}
	if err := c.Resolve(); err != nil {
		t.Fatal(err)
	}
	return c
}

// whole is a finished run of n classes.
func whole(t *testing.T, method string, seed uint64, n int) fake {
	f := fake{config: settled(t, method, func(c *train.Config) { c.Seed = seed }), data: "d1", epochs: 6, finished: true, judged: true, lift: float64(seed) / 100}
	for i := range n {
		f.names = append(f.names, fmt.Sprintf("name of class %d", i))
		f.counts = append(f.counts, int(600*math.Pow(.005, float64(i)/float64(n))))
	}
	return f
}

func (f fake) accuracy() longtail.Accuracy {
	var predictions, labels []int
	for c := range f.counts {
		right := int(20 * (.5 + f.lift + .4*float64(f.counts[c])/600))
		for k := range 20 {
			labels = append(labels, c)
			p := c
			if k >= right {
				p = (c*k + k) % len(f.counts)
			}
			predictions = append(predictions, p)
		}
	}
	a, err := longtail.Evaluate(predictions, labels, f.counts, f.config.Thresholds())
	if err != nil {
		panic(err)
	}
	return a
}

// write writes the run directory and returns its path.
func (f fake) write(t *testing.T, parent, name string) string {
	t.Helper()
	dir := filepath.Join(parent, name)
	put := func(file string, v any) {
		t.Helper()
		b, ok := v.([]byte)
		if !ok {
			var err error
			if b, err = json.Marshal(v); err != nil {
				t.Fatal(err)
			}
		}
		if err := os.MkdirAll(dir, 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, file), b, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	put(train.ConfigFile, map[string]any{"schema": 1, "version": "test", "data_sha256": f.data, "manifest_sha256": f.data, "config": f.config})
	acc := f.accuracy()
	short := acc
	short.PerClass, short.Confusion = nil, nil
	var metrics bytes.Buffer
	for e := range f.epochs {
		line := train.Epoch{Schema: 1, Stage: "daw", Epoch: e + 1, Loss: 2 / float64(e+1), TrainAccuracy: .5, Seconds: 1.5}
		if e >= 4 {
			line.Stage = "msr"
		}
		if e != 1 {
			test := short
			test.Overall *= float64(e+1) / 6
			line.Test = &test
		}
		if err := json.NewEncoder(&metrics).Encode(line); err != nil {
			t.Fatal(err)
		}
	}
	put(train.MetricsFile, metrics.Bytes())
	if !f.finished {
		return dir
	}
	res := train.Result{Schema: 1, Method: f.config.Method, Data: f.config.Data, Imbalance: f.config.Imbalance, Classes: len(f.counts), Counts: f.counts, Accuracy: acc,
		Stages: []train.StageResult{{Name: "daw", Epochs: 4, Loss: .5, Accuracy: short}, {Name: "msr", Epochs: 2, Loss: .4, Accuracy: acc}},
		Best:   train.Best{Epoch: 5, Overall: acc.Overall}, Seconds: 150}
	b, err := json.Marshal(res)
	if err != nil {
		t.Fatal(err)
	}
	more := map[string]any{}
	if err := json.Unmarshal(b, &more); err != nil {
		t.Fatal(err)
	}
	if f.judged {
		var scores []longtail.Score
		for c := range f.counts {
			for k := range 4 {
				scores = append(scores, longtail.Score{Label: c, Prediction: c / (1 + k/3), Confidence: .99 - .2*float64(k), NLL: .1, Margin: float64(k) - .5})
			}
		}
		calibration, err := longtail.Calibrate(scores)
		if err != nil {
			t.Fatal(err)
		}
		margins, err := longtail.Margins(scores, len(f.counts))
		if err != nil {
			t.Fatal(err)
		}
		more["calibration"], more["margins"] = calibration, margins
	}
	put(train.ResultFile, more)
	if !f.noWeights {
		var w bytes.Buffer
		w.WriteString("schema,class,name,count,group,kind,weight\n")
		for i, n := range f.counts {
			fmt.Fprintf(&w, "1,%d,\"%s\",%d,x,msr,%g\n", i, strings.ReplaceAll(f.names[i], `"`, `""`), n, 100/float64(n))
		}
		put(train.WeightsFile, w.Bytes())
	}
	return dir
}

func openAll(t *testing.T, dirs ...string) *Report {
	t.Helper()
	var runs []*Run
	for _, d := range dirs {
		r, err := Open(d)
		if err != nil {
			t.Fatal(err)
		}
		runs = append(runs, r)
	}
	r, err := New(runs)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func pageOf(t *testing.T, r *Report) string {
	t.Helper()
	var b bytes.Buffer
	if err := r.HTML(&b); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// elements walks the elements of a page, and fails if they do not nest.
func elements(t *testing.T, page string, f func(e xml.StartElement)) {
	t.Helper()
	for _, name := range []string{"style", "script"} { // not markup inside
		page = regexp.MustCompile(`(?s)(<`+name+`>).*?(</`+name+`>)`).ReplaceAllString(page, "$1$2")
	}
	d := xml.NewDecoder(strings.NewReader(strings.TrimPrefix(page, "<!doctype html>")))
	d.Strict, d.AutoClose, d.Entity = false, []string{"meta"}, xml.HTMLEntity
	var path []string
	for {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatalf("after %q: %v", path, err)
		}
		switch e := token.(type) {
		case xml.StartElement:
			f(e)
			path = append(path, e.Name.Local)
		case xml.EndElement:
			if n := len(path); n == 0 || path[n-1] != e.Name.Local {
				t.Fatalf("</%s> ends %q", e.Name.Local, path)
			}
			path = path[:len(path)-1]
		}
	}
	if len(path) > 0 {
		t.Fatalf("not closed: %q", path)
	}
}

func attr(e xml.StartElement, name string) string {
	for _, a := range e.Attr {
		if a.Name.Local == name {
			return a.Value
		}
	}
	return ""
}

// TestPage: the page of three runs has its parts, needs nothing else, and says
// what stands in the runs.
func TestPage(t *testing.T) {
	tmp := t.TempDir()
	dirs := []string{whole(t, "ce", 1, 10).write(t, tmp, "a"), whole(t, "phase", 1, 10).write(t, tmp, "b"), whole(t, "phase", 2, 10).write(t, tmp, "c")}
	r := openAll(t, dirs...)
	page := pageOf(t, r)
	if again := pageOf(t, openAll(t, dirs...)); again != page {
		t.Error("the same runs give another page")
	}
	for _, bad := range []string{"http:", "https:", "src=", "@import", "url(", "ZgotmplZ"} {
		if strings.Contains(page, bad) {
			t.Errorf("the page has %q", bad)
		}
	}
	ids, links, count := map[string]bool{}, []string{}, map[string]int{}
	elements(t, page, func(e xml.StartElement) {
		count[e.Name.Local]++
		if id := attr(e, "id"); id != "" {
			if ids[id] {
				t.Errorf("two elements have id %s", id)
			}
			ids[id] = true
		}
		switch e.Name.Local {
		case "a":
			links = append(links, attr(e, "href"))
		case "svg":
			if attr(e, "role") != "img" || len(attr(e, "aria-label")) < 40 {
				t.Errorf("a figure says %q to those who do not see it", attr(e, "aria-label"))
			}
		case "image":
			if !strings.HasPrefix(attr(e, "href"), "data:image/png;base64,") {
				t.Errorf("an image is from %.30s", attr(e, "href"))
			}
		case "table":
			if attr(e, "aria-label") == "" {
				t.Error("a table has no name")
			}
		}
	})
	for _, l := range links {
		if !ids[strings.TrimPrefix(l, "#")] {
			t.Errorf("link %s leads nowhere", l)
		}
	}
	// runs, settings, seeds, stages, classes, and of each run the most confused and the settings
	if count["table"] != 11 || count["svg"] != len(r.Figures) || count["figure"] != len(r.Figures) || count["script"] != 1 || count["h1"] != 1 || count["main"] != 1 {
		t.Errorf("%v for %d figures", count, len(r.Figures))
	}
	for _, want := range []string{
		`<th scope="row">ce, seed 1</th><td class="n" data-sort="`, `<td>ce</td><td>fashion</td>`, `<td>` + dirs[0] + `</td></tr>`,
		`phase, seed 2`, `ce, seed 1`, `<h2>Settings that differ</h2>`, `<th scope="row">stage2-weights</th><td>none</td><td>msr</td><td>msr</td>`,
		`<h2>Mean over runs</h2>`, ` ± `, `2.5 min`, `<td>2: msr</td>`,
		`prefers-color-scheme:dark`, `@media print`, `name="viewport"`, `default-src 'none'`,
	} {
		if !strings.Contains(page, want) {
			t.Errorf("the page has no %q", want)
		}
	}
	code := regexp.MustCompile(`(?s)<script>(.*)</script>`).FindStringSubmatch(page)
	sum := sha256.Sum256([]byte(code[1]))
	if !strings.Contains(html.UnescapeString(page), "script-src 'sha256-"+base64.StdEncoding.EncodeToString(sum[:])+"'") {
		t.Error("the page does not allow its own script")
	}
	if r.Title != "3 runs on fashion" || len(r.Notes) != 0 {
		t.Error(r.Title, r.Notes)
	}
	var names []string
	for _, f := range r.Figures {
		names = append(names, f.Name)
	}
	want := "groups curves accuracy-by-class weight-by-class accuracy-ce-seed-1 weights-ce-seed-1 confusion-ce-seed-1 reliability-ce-seed-1 margins-ce-seed-1 accuracy-phase-seed-1"
	if got := strings.Join(names, " "); !strings.HasPrefix(got, want) || len(names) != 4+15 {
		t.Errorf("figures %s", got)
	}
}

// TestSorting: a cell that is a number says so, a class says its group, and
// what a cell is sorted by is the number that it shows.
func TestSorting(t *testing.T) {
	page := pageOf(t, openAll(t, whole(t, "ce", 1, 10).write(t, t.TempDir(), "a")))
	section := page[strings.Index(page, `<section id="classes-1">`):]
	section = section[:strings.Index(section, "</section>")]
	rows := regexp.MustCompile(`(?m)^<tr data-group="(many|medium|few)"><th scope="row">name of class (\d)</th><td class="n" data-sort="(\d)">(\d)</td><td class="n" data-sort="(\d+)">(\d+)</td><td data-sort="(\d)">(many|medium|few)</td><td class="n" data-sort="([0-9.]+)">([0-9.]+)</td></tr>$`).FindAllStringSubmatch(section, -1)
	if len(rows) != 10 {
		t.Fatalf("%d rows in\n%s", len(rows), section)
	}
	for _, m := range rows {
		group := map[string]string{"0": "many", "1": "medium", "2": "few"}[m[7]]
		var by, shown float64
		fmt.Sscan(m[9], &by)
		fmt.Sscan(m[10], &shown)
		if m[2] != m[3] || m[3] != m[4] || m[5] != m[6] || m[1] != m[8] || m[1] != group || math.Abs(by-shown) > .05 {
			t.Errorf("%q", m)
		}
	}
	if !strings.Contains(section, `<table aria-label="Classes" class="sortable">`) || strings.Count(section, "<button ") != 4 {
		t.Errorf("neither sorted nor filtered: %s", section)
	}
}

// TestEscaping: names of classes, data and directories are text, whatever they
// look like.
func TestEscaping(t *testing.T) {
	bites := []string{`<script>alert(1)</script>`, `"><img src=x onerror=alert(1)>`, `</svg><b>`, `' onload='x`, `{{.Title}}`, "a\x00b\u202ec", `]]>&amp;`, `javascript:alert(1)`, `=1+1`, `</style>`}
	f := whole(t, "phase", 1, 10)
	f.names, f.config.Data = bites, "folder:<script>\u202e"
	r := openAll(t, f.write(t, t.TempDir(), "a&b"))
	page := pageOf(t, r)
	if n := strings.Count(page, "<script"); n != 1 {
		t.Errorf("%d scripts", n)
	}
	for _, bad := range []string{"<img", "<b>", "</svg><b", "\x00", "\u202e", " onload='x", "onerror=alert(1)>"} {
		if strings.Contains(page, bad) {
			t.Errorf("%q gets through", bad)
		}
	}
	svgs := 0
	elements(t, page, func(e xml.StartElement) {
		if e.Name.Local == "svg" {
			svgs++
		}
		for _, a := range e.Attr {
			if strings.HasPrefix(a.Name.Local, "on") {
				t.Errorf("<%s %s=%q>", e.Name.Local, a.Name.Local, a.Value)
			}
		}
	})
	if svgs != len(r.Figures) {
		t.Errorf("%d of %d figures", svgs, len(r.Figures))
	}
	if !strings.Contains(page, "&lt;script&gt;alert(1)&lt;/script&gt;") {
		t.Error("the name is not shown as it is")
	}
}

// TestSize: ten runs of 100 classes are a page of less than a megabyte.
func TestSize(t *testing.T) {
	tmp := t.TempDir()
	var dirs []string
	for i := range 10 {
		dirs = append(dirs, whole(t, []string{"ce", "daw", "msr", "phase", "drw"}[i/2], uint64(1+i%2), 100).write(t, tmp, fmt.Sprint(i)))
	}
	if n := len(pageOf(t, openAll(t, dirs...))); n > 1_000_000 {
		t.Errorf("%d bytes", n)
	} else {
		t.Logf("%d bytes", n)
	}
}

// TestUnfinished: what is there is shown, what is not is said.
func TestUnfinished(t *testing.T) {
	tmp := t.TempDir()
	half, none := whole(t, "phase", 1, 10), whole(t, "ce", 1, 10)
	half.finished, half.epochs = false, 3
	none.finished, none.epochs = false, 0
	r := openAll(t, half.write(t, tmp, "half"), none.write(t, tmp, "none"))
	page := pageOf(t, r)
	reached := fmt.Sprintf(">%.1f (3)<", 50*half.accuracy().Overall) // of the epoch reached, the best so far
	for _, want := range []string{reached, strings.Replace(reached, " (3)", "", 1), "half is not finished: 3 of 6 epochs", "none is not finished: 0 of 6 epochs", "3 of 6, not finished", `data-sort="4.5">4.5 s`} {
		if !strings.Contains(page, want) {
			t.Errorf("no %q", want)
		}
	}
	if len(r.Figures) != 2 || r.Figures[0].Name != "groups" || r.Figures[1].Name != "curves" {
		t.Errorf("%d figures", len(r.Figures))
	}
	alone := openAll(t, filepath.Join(tmp, "none"))
	if page := pageOf(t, alone); len(alone.Figures) != 0 || strings.Contains(page, "<svg") || !strings.Contains(page, "not finished") {
		t.Error("a run without an epoch has figures")
	}
}

// TestMissingFiles: a run of which a file was deleted, and one of an older
// version without calibration and margins.
func TestMissingFiles(t *testing.T) {
	f := whole(t, "ce", 1, 10)
	f.noWeights, f.judged = true, false
	dir := f.write(t, t.TempDir(), "a")
	if err := os.Remove(filepath.Join(dir, train.MetricsFile)); err != nil {
		t.Fatal(err)
	}
	r := openAll(t, dir)
	notes := strings.Join(r.Notes, "\n")
	for _, want := range []string{"has no metrics.jsonl", "has no weights.csv"} {
		if !strings.Contains(notes, want) {
			t.Errorf("no %q in %q", want, notes)
		}
	}
	if page := pageOf(t, r); !strings.Contains(page, "class 9") || strings.Contains(page, "Reliability") {
		t.Error("the page")
	}
}

// TestOtherData: runs of different data are shown, and it is said that they do
// not compare.
func TestOtherData(t *testing.T) {
	tmp := t.TempDir()
	a, b := whole(t, "phase", 1, 10), whole(t, "phase", 1, 100)
	b.data = "d2" // the same settings: the folder has changed
	r := openAll(t, a.write(t, tmp, "a"), b.write(t, tmp, "b"))
	page := pageOf(t, r)
	if len(r.Notes) != 1 || !strings.Contains(r.Notes[0], "do not compare") || strings.Contains(page, "Mean over runs") || strings.Count(page, `<section id="classes-`) != 2 {
		t.Errorf("%q", r.Notes)
	}
	if len(r.methods) != 2 || r.methods[0].name == r.methods[1].name {
		t.Error("runs on different data are one method")
	}
}

// TestOtherClasses: runs that contradict one another are an error.
func TestOtherClasses(t *testing.T) {
	var runs []*Run
	for _, n := range []int{10, 4} {
		r, err := Open(whole(t, "phase", uint64(n), n).write(t, t.TempDir(), "a"))
		if err != nil {
			t.Fatal(err)
		}
		runs = append(runs, r)
	}
	if _, err := New(runs); err == nil || !strings.Contains(err.Error(), "has 4 classes, and ") {
		t.Error(err)
	}
	if _, err := New(nil); err == nil {
		t.Error("no runs are a report")
	}
}

// TestNames: methods are named after what tells them apart.
func TestNames(t *testing.T) {
	tmp := t.TempDir()
	with := func(name string, alpha float64, seed uint64) string {
		f := whole(t, "phase", seed, 10)
		f.config.Use("alpha", alpha)
		return f.write(t, tmp, name)
	}
	r := openAll(t, with("a", .2, 1), with("b", .8, 1), with("c", .8, 2), with("d", .8, 2), whole(t, "ce", 1, 10).write(t, tmp, "e"))
	var got []string
	for _, m := range r.methods {
		got = append(got, m.name)
	}
	for _, run := range r.runs {
		got = append(got, strings.TrimPrefix(r.label[run], tmp))
	}
	want := "phase, alpha 0.2; phase, alpha 0.8; ce; phase, alpha 0.2, seed 1; phase, alpha 0.8, seed 1; phase, alpha 0.8, seed 2, " + tmp + "/c; phase, alpha 0.8, seed 2, " + tmp + "/d; ce, seed 1"
	if s := strings.Join(got, "; "); filepath.ToSlash(s) != filepath.ToSlash(want) {
		t.Errorf("\n%s\nwant\n%s", s, want)
	}
}

// TestMeans: the mean and the deviation of the table are those of the runs.
func TestMeans(t *testing.T) {
	tmp := t.TempDir()
	a, b := whole(t, "phase", 1, 10), whole(t, "phase", 30, 10)
	x, y := 100*a.accuracy().Overall, 100*b.accuracy().Overall
	page := pageOf(t, openAll(t, a.write(t, tmp, "a"), b.write(t, tmp, "b")))
	by := func(r *Run) []float64 { return []float64{float64(r.Config.Seed), math.NaN()} }
	if m := meanOf([]*Run{{Config: a.config}, {Config: b.config}}, by); m[0] != 15.5 || !math.IsNaN(m[1]) {
		t.Errorf("mean by class %v", m)
	}
	if want := fmt.Sprintf(">%.1f ± %.1f<", (x+y)/2, math.Abs(x-y)/math.Sqrt2); !strings.Contains(page, want) {
		t.Errorf("no %q", want)
	}
}

// TestOpenErrors: what is no run, and files that contradict themselves, are
// errors that name the file and the place.
func TestOpenErrors(t *testing.T) {
	tmp := t.TempDir()
	good := whole(t, "phase", 1, 4).write(t, tmp, "good")
	refused := func(words string, change func(dir string)) {
		t.Helper()
		dir := whole(t, "phase", 1, 4).write(t, t.TempDir(), "bad")
		change(dir)
		_, err := Open(dir)
		if err == nil || !strings.Contains(err.Error(), words) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%v, want %q", err, words)
		}
	}
	replace := func(file, old, new string) func(string) {
		return func(dir string) {
			path := filepath.Join(dir, file)
			b, err := os.ReadFile(path)
			if err != nil || !bytes.Contains(b, []byte(old)) {
				t.Fatalf("%v: no %q in %s", err, old, b)
			}
			if err := os.WriteFile(path, bytes.Replace(b, []byte(old), []byte(new), 1), 0o644); err != nil {
				t.Fatal(err)
			}
		}
	}
	empty := func(file string) func(string) {
		return func(dir string) {
			if err := os.WriteFile(filepath.Join(dir, file), nil, 0o644); err != nil {
				t.Fatal(err)
			}
		}
	}
	_, err := Open(filepath.Join(tmp, "nowhere"))
	if err == nil || !strings.Contains(err.Error(), "nowhere") {
		t.Error(err)
	}
	_, err = Open(tmp)
	if err == nil || !strings.Contains(err.Error(), "is no run directory: it has no config.json; it holds 1, of which "+good+" is one") {
		t.Error(err)
	}
	_, err = Open(t.TempDir())
	if err == nil || !strings.HasSuffix(err.Error(), "is no run directory: it has no config.json") {
		t.Error(err)
	}
	refused("config.json", empty(train.ConfigFile))
	refused("result.json", empty(train.ResultFile))
	refused("schema 2", replace(train.ResultFile, `"schema":1`, `"schema":2`))
	refused("classes 5", replace(train.ResultFile, `"classes":4`, `"classes":5`))
	refused("accuracy of 5 classes, want 4", replace(train.ResultFile, `"per_class":[`, `"per_class":[7,`))
	refused("an accuracy is 7", replace(train.ResultFile, `"balanced":`, `"balanced":7,"x":`))
	refused("confusion of 5 classes", replace(train.ResultFile, `"confusion":[`, `"confusion":[[],`))
	refused("row 0 has 5 numbers", replace(train.ResultFile, `"confusion":[[`, `"confusion":[[1,`))
	refused("margins of 0 classes, want 4", replace(train.ResultFile, `"margins":[`, `"margins":[],"x":[`))
	refused("metrics.jsonl: line 2: epoch 7, want 2", replace(train.MetricsFile, `"epoch":2`, `"epoch":7`))
	refused("metrics.jsonl: line 1: schema 3", replace(train.MetricsFile, `"schema":1`, `"schema":3`))
	refused("metrics.jsonl: line 1: ", replace(train.MetricsFile, `{`, `[`))
	refused("weights.csv: 0 lines", func(dir string) { empty(train.WeightsFile)(dir) })
	refused(`weights.csv: no column "weight"`, replace(train.WeightsFile, "weight", "wait"))
	refused("weights.csv: line 2: weight", replace(train.WeightsFile, "msr,", "msr,-"))
}
