package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"phase/phase/train"
)

// call runs the command and returns its exit status and streams.
func call(t *testing.T, ctx context.Context, stdin string, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, err bytes.Buffer
	code = run(ctx, args, strings.NewReader(stdin), &out, &err)
	return code, out.String(), err.String()
}

// quick are the flags of a training of some tenths of a second.
var quick = []string{"--limit", "60", "--epochs", "3", "--batch", "20", "--width", "4"}

func trainQuick(t *testing.T, dir string, more ...string) {
	t.Helper()
	args := append(append([]string{"train", "--out", dir, "-q"}, quick...), more...)
	if code, _, stderr := call(t, t.Context(), "", args...); code != 0 {
		t.Fatalf("exit status %d: %s", code, stderr)
	}
}

func TestTrainPrintsStagesAndChange(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "run")
	code, out, stderr := call(t, t.Context(), "", append([]string{"train", "--out", dir}, quick...)...)
	if code != 0 {
		t.Fatalf("exit status %d: %s", code, stderr)
	}
	for _, want := range []string{"overall  balanced    many  medium     few", "after stage 1: daw", "after stage 2: msr", "change", "run directory: " + dir} {
		if !strings.Contains(out, want) {
			t.Errorf("no %q in\n%s", want, out)
		}
	}
	if !strings.Contains(stderr, "epoch 3 of 3") || strings.Contains(stderr, "\r") {
		t.Errorf("off a terminal progress is plain lines, got %q", stderr)
	}
	for _, line := range strings.Split(out, "\n") {
		if n := len([]rune(line)); n > 100 && !strings.Contains(line, dir) {
			t.Errorf("%d columns: %s", n, line)
		}
	}
}

// One epoch is stage 1's, and that there is no other stage is said.
func TestTrainOneEpoch(t *testing.T) {
	code, out, stderr := call(t, t.Context(), "", "train", "--epochs", "1", "--limit", "64", "--model", "resnet8", "--width", "4", "--out", filepath.Join(t.TempDir(), "run"))
	if code != exitDone || !strings.HasPrefix(out, "phase, stage 1 alone on fashion") || strings.Contains(out, "stage 2") {
		t.Errorf("exit status %d: %s%s", code, out, stderr)
	}
}

// While images are read, a terminal shows a bar and everything else gets a
// line now and then.
func TestProgressOfReading(t *testing.T) {
	for mode, want := range map[string]string{"plain": "7 of 900 images read\n", "none": "", "bar": "reading images"} {
		var b bytes.Buffer
		m := (&program{err: &b, progress: mode}).meter()
		m.last = time.Now().Add(-between)
		m.reading(7, 900)
		m.reading(8, 900)
		if got := b.String(); mode == "bar" && !strings.Contains(got, want) || mode != "bar" && got != want {
			t.Errorf("%s: %q, want %q", mode, got, want)
		}
		m.close()
	}
}

func TestTrainJSON(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "run")
	code, out, stderr := call(t, t.Context(), "", append([]string{"train", "--json", "--progress", "none", "--out", dir}, quick...)...)
	if code != 0 || stderr != "" {
		t.Fatalf("exit status %d: %s", code, stderr)
	}
	var r struct {
		Schema   int
		Method   string
		Run      string
		Stages   []struct{ Name string }
		Accuracy struct {
			Overall  *float64
			PerClass []*float64 `json:"per_class"`
		}
	}
	if err := json.Unmarshal([]byte(out), &r); err != nil || strings.Count(out, "\n") != 1 {
		t.Fatalf("not one object: %v\n%s", err, out)
	}
	if r.Schema != 1 || r.Method != "phase" || r.Run != dir || len(r.Stages) != 2 || r.Accuracy.Overall == nil || len(r.Accuracy.PerClass) != 10 {
		t.Errorf("%+v", r)
	}
}

// Settings come from the preset, then the file, then the flags; what is
// printed reads back as the same settings.
func TestPrintConfig(t *testing.T) {
	file := filepath.Join(t.TempDir(), "s.toml")
	if err := os.WriteFile(file, []byte("method = \"drw\"\nlr = 0.05\nmilestones = [3, 7]\nepochs = 9\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	code, out, stderr := call(t, t.Context(), "", "train", "--config", file, "--lr", "0.025", "--print-config")
	if code != 0 {
		t.Fatal(stderr)
	}
	for _, want := range []string{`method = "drw"`, "lr = 0.025", "milestones = [3, 7]", "epochs = 9", `stage2-weights = "effective"`, "stage2-epochs = 6", "freeze = false"} {
		if !strings.Contains(out, want) {
			t.Errorf("no %q in\n%s", want, out)
		}
	}
	again := filepath.Join(t.TempDir(), "again.toml")
	if err := os.WriteFile(again, []byte(out), 0o644); err != nil {
		t.Fatal(err)
	}
	if code, twice, stderr := call(t, t.Context(), "", "train", "--config", again, "--print-config"); code != 0 || twice != out {
		t.Errorf("read back as another: %d %s\n%s", code, stderr, twice)
	}
}

// A preset goes by what is given: a stage 2 that fits the epochs, at a rate that
// fits the batch. What is given wins over it.
func TestPresetGoesByWhatIsGiven(t *testing.T) {
	for _, c := range []struct{ args, want string }{
		{"--method crt --epochs 8 --batch 128", "stage2-epochs = 2\nstage2-lr = 0.05\n"},
		{"--method crt --stage2-lr 1", "stage2-epochs = 10\nstage2-lr = 1.0\n"},
		{"--method phase --epochs 1", "stage2-epochs = 0\nstage2-lr = 0.0\n"},
		{"--method crt --epochs 1", "stage2-epochs = 0\nstage2-lr = 0.0\n"},
		{"--method ib --epochs 10", "milestones = [5, 8, 9]\n"},
		{"--method drw --loss vs", "stage2-loss = \"vs\"\n"},
		{"--method msr --loss ldam", "head = \"cosine\"\n"},
		{"--method tau-norm", "choose = \"posthoc-tau=0:2:0.1\"\n"},
		{"--method tau-norm --posthoc-tau 0.7", "calibration = 0.0\nchoose = \"\"\n"},
	} {
		code, out, stderr := call(t, t.Context(), "", append([]string{"train", "--print-config"}, strings.Fields(c.args)...)...)
		if code != exitDone || !strings.Contains(out, c.want) {
			t.Errorf("%s: exit status %d, %s no %q in\n%s", c.args, code, stderr, c.want, out)
		}
	}
}

// A classifier that is changed after training says so: in the table and in
// what was chosen, and eval finds the accuracy that train ended with.
func TestPosthoc(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "run")
	code, out, stderr := call(t, t.Context(), "", append([]string{"train", "--out", dir, "-q", "--method", "tau-norm"}, quick...)...)
	if code != exitDone {
		t.Fatal(stderr)
	}
	if !regexp.MustCompile(`(?m)^after tau-norm [0-9.]+ `).MatchString(out) {
		t.Errorf("no line of tau-norm in\n%s", out)
	}
	r, err := train.ReadResult(dir)
	if err != nil || len(r.Chosen) != 1 || len(r.Chosen[0].Among) != 21 {
		t.Fatalf("%v, chosen %+v", err, r.Chosen)
	}
	code, out, stderr = call(t, t.Context(), "", "eval", dir, "--json")
	if want := fmt.Sprintf(`"overall":%v,`, r.Accuracy.Overall); code != exitDone || !strings.Contains(out, want) {
		t.Errorf("exit status %d, %s no %s in %s", code, stderr, want, out)
	}
}

// An interrupt saves, says so and exits with 130; --resume ends with the bits
// of a run that was not interrupted.
func TestInterruptAndResume(t *testing.T) {
	whole, dir := filepath.Join(t.TempDir(), "whole"), filepath.Join(t.TempDir(), "run")
	trainQuick(t, whole, "--epochs", "12")
	args := append([]string{"train", "--out", dir, "-q"}, append(quick, "--epochs", "12")...)
	interrupts := 0
	for wait := 20 * time.Millisecond; ; wait += 30 * time.Millisecond {
		ctx, cancel := context.WithTimeout(t.Context(), wait)
		code, _, stderr := call(t, ctx, "", args...)
		cancel()
		if code == exitDone {
			break
		}
		if _, err := os.Stat(filepath.Join(dir, "checkpoint.safetensors")); err != nil {
			continue // too early for a run directory
		}
		if code != exitInterrupted || strings.Count(stderr, "\n") != 1 {
			t.Fatalf("exit status %d: %s", code, stderr)
		}
		if stderr == "phase: interrupted\n" {
			continue // while the data were being opened
		}
		if !strings.Contains(stderr, "phase train --resume --out "+dir+" goes on") {
			t.Fatal(stderr)
		}
		interrupts++
		args = []string{"train", "--resume", "--out", dir, "-q"} // with the settings of the run
	}
	if interrupts == 0 {
		t.Error("no interrupt came in time")
	}
	a, err := os.ReadFile(filepath.Join(whole, "model.safetensors"))
	if err != nil {
		t.Fatal(err)
	}
	if b, err := os.ReadFile(filepath.Join(dir, "model.safetensors")); err != nil || !bytes.Equal(a, b) {
		t.Errorf("after %d interrupts the model is another (%v)", interrupts, err)
	}
}

// eval --posthoc finds what a run ends with that does it after training, and what
// has no meaning is refused.
func TestEvalPosthoc(t *testing.T) {
	tmp := t.TempDir()
	plain, adjusted, cosine := filepath.Join(tmp, "ce"), filepath.Join(tmp, "adjusted"), filepath.Join(tmp, "cosine")
	trainQuick(t, plain, "--method", "ce")
	trainQuick(t, adjusted, "--method", "logit-adjust-posthoc", "--posthoc-tau", "2")
	trainQuick(t, cosine, "--method", "ldam")
	accuracy := func(args ...string) string {
		t.Helper()
		code, out, stderr := call(t, t.Context(), "", append([]string{"eval", "--json"}, args...)...)
		var r struct{ Accuracy, Posthoc json.RawMessage }
		if err := json.Unmarshal([]byte(out), &r); code != exitDone || err != nil {
			t.Fatalf("exit status %d, %s%v", code, stderr, err)
		}
		return string(r.Posthoc) + string(r.Accuracy)
	}
	want := strings.Replace(accuracy(adjusted), `"none"`, `"logit-adjust 2"`, 1)
	if got := accuracy(plain, "--posthoc", "logit-adjust", "--posthoc-tau", "2"); got != want {
		t.Errorf("eval finds %s, the run %s", got, want)
	}
	if got := accuracy(plain); got == want || got != accuracy(plain, "--posthoc", "none") {
		t.Errorf("without it: %s", got)
	}
	for args, want := range map[string]string{
		plain + " --posthoc tau-norm":                     "want --posthoc-tau too",
		plain + " --posthoc-tau 1":                        "say which",
		plain + " --posthoc taunorm":                      "want one of tau-norm, logit-adjust",
		plain + " --posthoc logit-adjust --temperature 2": "--temperature has no meaning for --posthoc logit-adjust",
		plain + " --posthoc logit-adjust --posthoc-tau x": "posthoc-tau",
		cosine + " --posthoc logit-adjust":                "linear classifier",
	} {
		refuse(t, exitUsage, []string{want}, strings.Fields("eval "+args)...)
	}
}

func picture(t *testing.T, path string, w, h int) {
	t.Helper()
	m := image.NewRGBA(image.Rect(0, 0, w, h))
	for y := range h {
		for x := range w {
			m.Set(x, y, color.RGBA{uint8(3 * x), uint8(5 * y), 90, 255})
		}
	}
	var b bytes.Buffer
	if err := png.Encode(&b, m); err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, b.Bytes(), 0o644); err != nil {
		t.Fatal(err)
	}
}

func TestEvalAndPredict(t *testing.T) {
	tmp := t.TempDir()
	dir := filepath.Join(tmp, "run")
	trainQuick(t, dir)
	code, out, stderr := call(t, t.Context(), "", "eval", dir)
	if code != 0 || !strings.Contains(out, "Ankle boot") {
		t.Fatalf("eval: %d %s%s", code, out, stderr)
	}
	var fromEval, fromTrain struct {
		Accuracy struct{ Overall float64 }
	}
	_, out, _ = call(t, t.Context(), "", "eval", dir, "--json")
	b, err := os.ReadFile(filepath.Join(dir, "result.json"))
	if err != nil {
		t.Fatal(err)
	}
	if json.Unmarshal([]byte(out), &fromEval) != nil || json.Unmarshal(b, &fromTrain) != nil || fromEval != fromTrain {
		t.Errorf("eval says %+v, training said %+v", fromEval, fromTrain)
	}

	pics := filepath.Join(tmp, "pics")
	picture(t, filepath.Join(pics, "a.png"), 40, 30)
	picture(t, filepath.Join(pics, "deep", "b.PNG"), 28, 28)
	if err := os.WriteFile(filepath.Join(pics, "note.txt"), []byte("no picture"), 0o644); err != nil {
		t.Fatal(err)
	}
	code, out, stderr = call(t, t.Context(), "", "predict", dir, pics, "--json")
	if lines := strings.Split(strings.TrimSpace(out), "\n"); code != 0 || len(lines) != 2 || !strings.Contains(lines[1], "b.PNG") {
		t.Fatalf("predict: %d %s%s", code, out, stderr)
	}
	var first prediction
	if err := json.Unmarshal([]byte(strings.SplitN(out, "\n", 2)[0]), &first); err != nil || len(first.Top) != 5 || first.Top[0].Probability < first.Top[4].Probability {
		t.Errorf("%v %+v", err, first)
	}
	file, err := os.ReadFile(filepath.Join(pics, "a.png"))
	if err != nil {
		t.Fatal(err)
	}
	var piped prediction
	_, out, _ = call(t, t.Context(), string(file), "predict", dir, "-", "--json")
	if err := json.Unmarshal([]byte(out), &piped); err != nil || piped.Top[0] != first.Top[0] {
		t.Errorf("on standard input: %v %+v, want %+v", err, piped, first)
	}

	if err := os.WriteFile(filepath.Join(pics, "bad.png"), file[:len(file)/2], 0o644); err != nil {
		t.Fatal(err)
	}
	code, _, stderr = call(t, t.Context(), "", "predict", dir, pics)
	if code != exitFailed || !strings.Contains(stderr, "bad.png") || strings.Count(stderr, "\n") != 1 {
		t.Errorf("a corrupt image: %d %s", code, stderr)
	}
	code, out, stderr = call(t, t.Context(), "", "predict", dir, pics, "--skip-bad")
	if code != exitDone || strings.Count(out, "\n") != 2 || !strings.Contains(stderr, "1 of 3 images left out") {
		t.Errorf("--skip-bad: %d %s%s", code, out, stderr)
	}
}

// Classes are matched by name: a folder with two of the model's classes, in
// another order than the model has them, is scored on those two.
func TestEvalMatchesClassesByName(t *testing.T) {
	tmp := t.TempDir()
	dir := filepath.Join(tmp, "run")
	trainQuick(t, dir)
	photos := filepath.Join(tmp, "photos")
	for _, name := range []string{"Bag", "Ankle boot"} {
		picture(t, filepath.Join(photos, "train", name, "1.png"), 28, 28)
		picture(t, filepath.Join(photos, "test", name, "1.png"), 28, 28)
		picture(t, filepath.Join(photos, "test", name, "2.png"), 28, 28)
	}
	// The model takes gray images and the folder holds coloured ones, so this
	// one is told apart by its channels; a model of the folder's own follows.
	if code, _, stderr := call(t, t.Context(), "", "eval", dir, "--data", "folder:"+photos); code != exitFailed || !strings.Contains(stderr, "shape (3,28,28)") {
		t.Errorf("coloured images for a gray model: %d %s", code, stderr)
	}
	own := filepath.Join(tmp, "own")
	args := []string{"train", "-q", "--out", own, "--data", "folder:" + photos, "--epochs", "2", "--width", "4", "--method", "ce"}
	if code, _, stderr := call(t, t.Context(), "", args...); code != 0 {
		t.Fatal(stderr)
	}
	one := filepath.Join(tmp, "one")
	picture(t, filepath.Join(one, "train", "Bag", "1.png"), 28, 28)
	picture(t, filepath.Join(one, "test", "Bag", "1.png"), 28, 28)
	code, out, stderr := call(t, t.Context(), "", "eval", own, "--data", "folder:"+one, "--json")
	var r struct {
		Classes  []string
		Accuracy struct {
			PerClass []*float64 `json:"per_class"`
		}
	}
	if err := json.Unmarshal([]byte(out), &r); code != 0 || err != nil {
		t.Fatalf("%d %s%s", code, out, stderr)
	}
	if r.Classes[0] != "Ankle boot" || r.Accuracy.PerClass[0] != nil || r.Accuracy.PerClass[1] == nil {
		t.Errorf("want Ankle boot absent and Bag scored, got %s", out)
	}
	picture(t, filepath.Join(one, "train", "Hat", "1.png"), 28, 28)
	picture(t, filepath.Join(one, "test", "Hat", "1.png"), 28, 28)
	if code, _, stderr := call(t, t.Context(), "", "eval", own, "--data", "folder:"+one); code != exitFailed || !strings.Contains(stderr, `class "Hat"`) {
		t.Errorf("a class that the model does not know: %d %s", code, stderr)
	}
}

func TestRunDirectoryRefusals(t *testing.T) {
	tmp := t.TempDir()
	dir := filepath.Join(tmp, "run")
	trainQuick(t, dir)
	long := append([]string{"train", "--out", dir}, quick...)
	for _, f := range []struct {
		args []string
		code int
		want string
	}{
		{long, exitFailed, "--resume goes on with it, --force starts it anew"},
		{append(long, "--resume", "--lr", "0.3"), exitFailed, "--lr: 0.1, 0.3"},
		{append(long, "--resume", "--force"), exitUsage, "choose one"},
		{[]string{"train", "--resume", "--out", dir, "--method", "ce"}, exitFailed, `--method: "phase", "ce"`},
		{[]string{"train", "--resume", "--out", tmp}, exitFailed, "nothing to go on with"},
		{[]string{"train", "--resume", "--out", dir, "--stage1", dir}, exitUsage, "leave --stage1 out"},
		{[]string{"train", "--resume"}, exitUsage, "--resume wants --out"},
		{[]string{"train", "--lr", "-1"}, exitUsage, "--lr -1: want more than 0"},
		{[]string{"train", "--lr", "fast"}, exitUsage, "fast"},
		{[]string{"train", "--epocs", "3"}, exitUsage, "did you mean --epochs?"},
		{[]string{"train", "--method", "phaze"}, exitUsage, "want one of adrw, area"},
		{[]string{"train", "--data", "cifar100", "--data-dir", tmp}, exitFailed, "cifar-100-binary"},
		{[]string{"train", "--data", "folder:" + tmp + "/none"}, exitFailed, "none"},
		{[]string{"train", "--imbalance", "1000000"}, exitFailed, "imbalance"},
		{[]string{"train", "extra"}, exitUsage, "takes no arguments"},
		{[]string{"eval", tmp}, exitFailed, "is no run directory"},
		{[]string{"eval"}, exitUsage, "wants one run directory"},
		{[]string{"eval", dir, "--lr", "1"}, exitUsage, "no meaning for eval"},
		{[]string{"predict", dir}, exitUsage, "at least one image"},
		{[]string{"predict", dir, tmp + "/none.png"}, exitFailed, "none.png"},
		{[]string{"compare"}, exitUsage, "at least one method"},
		{[]string{"trian"}, exitUsage, "did you mean train?"},
	} {
		code, out, stderr := call(t, t.Context(), "", f.args...)
		if code != f.code || !strings.Contains(stderr, f.want) || strings.Count(stderr, "\n") != 1 || out != "" && code == exitUsage {
			t.Errorf("phase %s: exit status %d, %q; want %d, %q", strings.Join(f.args, " "), code, stderr, f.code, f.want)
		}
	}
}

func TestCompare(t *testing.T) {
	out := filepath.Join(t.TempDir(), "runs")
	args := append([]string{"compare", "ce", "phase", "--seeds", "2", "--out", out, "-q"}, quick...)
	code, table, stderr := call(t, t.Context(), "", args...)
	if code != 0 || !strings.Contains(table, "| phase | ") || !strings.Contains(table, "±") {
		t.Fatalf("%d %s%s", code, table, stderr)
	}
	model := filepath.Join(out, "phase-seed2", "model.safetensors")
	before, err := os.Stat(model)
	if err != nil {
		t.Fatal(err)
	}
	code, again, stderr := call(t, t.Context(), "", args...)
	if after, err := os.Stat(model); code != 0 || again != table || err != nil || !after.ModTime().Equal(before.ModTime()) {
		t.Errorf("finished runs are not taken as they are: %d %s%s%v", code, again, stderr, err)
	}
	if code, _, stderr := call(t, t.Context(), "", append(args, "--lr", "0.3")...); code != exitFailed || !strings.Contains(stderr, "other settings") {
		t.Errorf("runs of other settings: %d %s", code, stderr)
	}
}
