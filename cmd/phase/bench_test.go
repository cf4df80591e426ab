package main

import (
	"os"
	"strings"
	"testing"

	"phase/kernels/cpu"
)

func init() { streamFloats, pairSamples = 1<<18, 50 }

// sane reports what is wrong with a timing.
func (t timing) wrong() string {
	switch {
	case !(t.MinMS > 0 && t.MinMS <= t.MedianMS && t.MedianMS <= t.MaxMS):
		return "the spread is no spread"
	case t.GFLOPS < 0 || t.MB < 0 || t.GBs < 0 || t.Share < 0 || t.Share > 100: // of a peak that was measured while others were at work
		return "no such work is possible"
	}
	return ""
}

func (m machine) wrong() string {
	switch {
	case !(m.PeakOne > .01 && m.PeakGFLOPS > .01 && m.PeakGFLOPS < 1e5): // others may be at work, too
		return "no such peak"
	case !(m.ReadOne > .01 && m.ReadGBs > .01 && m.ReadGBs < 1e5):
		return "no such memory"
	case m.Backend == "" || m.Threads < 1:
		return "nameless"
	}
	return ""
}

// rowsJSON is what the subjects print that measure one thing after another.
type rowsJSON struct {
	Machine machine
	Rows    []timing
}

func TestBenchKernels(t *testing.T) {
	t.Cleanup(func() { _ = cpu.Select(os.Getenv("PHASE_CPU")) })
	for _, c := range []struct {
		args string
		rows int
	}{{"conv --batch 1 --times 1", 18}, {"gemm --times 1", 5}, {"conv --batch 1 --width 4 --times 1 --cpu go", 18}} {
		var got rowsJSON
		succeedJSON(t, &got, strings.Fields("bench "+c.args)...)
		if w := got.Machine.wrong(); w != "" {
			t.Errorf("bench %s: %+v: %s", c.args, got.Machine, w)
		}
		if len(got.Rows) != c.rows {
			t.Errorf("bench %s has %d rows, want %d", c.args, len(got.Rows), c.rows)
		}
		for _, r := range got.Rows {
			if w := r.wrong(); w != "" || r.GFLOPS == 0 || r.GBs == 0 || r.Share == 0 || r.Kernel == "" {
				t.Errorf("bench %s: %+v %s", c.args, r, w)
			}
		}
	}
	if out := succeed(t, strings.Fields("bench conv --batch 1 --width 4 --times 1")...); !strings.Contains(out, "peak") || strings.Count(out, "\n") != 20 {
		t.Errorf("bench conv prints\n%s", out)
	}
}

// stepJSON is what train, infer and step-profile print.
type stepJSON struct {
	Machine   machine
	Model     string
	Batch     int
	StepMS    float64 `json:"step_ms"`
	MinMS     float64 `json:"min_ms"`
	MaxMS     float64 `json:"max_ms"`
	Rate      float64 `json:"images_per_second"`
	GFLOPS    float64
	Share     float64 `json:"share_of_peak"`
	Allocated *uint64 `json:"allocated_bytes"`
	Stops     stops   `json:"collector_stops"`
	Control   stops   `json:"control_stops"`
	Step      *timing
	Ops       []profileLine
}

const tiny = " --model resnet8 --width 4 --size 8 --batch 2 --classes 3 --times 2"

func TestBenchStep(t *testing.T) {
	for _, args := range []string{"train", "train --sam .05", "infer", "train -v", "infer -v"} {
		var got stepJSON
		succeedJSON(t, &got, strings.Fields("bench "+args+tiny)...)
		whole := timing{MedianMS: got.StepMS, MinMS: got.MinMS, MaxMS: got.MaxMS, work: work{GFLOPS: got.GFLOPS, Share: got.Share}}
		if w := whole.wrong() + got.Machine.wrong(); w != "" || got.Batch != 2 || got.Model != "resnet8" || got.Allocated == nil ||
			!near(got.Rate, 2e3/got.StepMS, 1e-9, 0) || got.GFLOPS == 0 || got.Share == 0 {
			t.Errorf("bench %s: %+v %s", args, got, w)
		}
		if verbose := strings.HasSuffix(args, "-v"); (got.Step != nil) != verbose || (len(got.Ops) > 0) != verbose {
			t.Errorf("bench %s: profile %+v", args, got.Step)
		}
	}
	// A ResNet-8 of width 4 on 8x8 pixels: the stem has 2·4·3·9·64 operations an
	// image, a stage 2·2·4·4·9·64, but for the second and third a first convolution
	// of half as many channels; backwards twice as many, but for the images.
	stem, pair := 2.*4*3*9*64, 2.*4*4*9*64
	head := 2. * 16 * 3
	forward := stem + 2*pair + 2*(pair/2+pair) + head
	var plainStep stepJSON
	succeedJSON(t, &plainStep, strings.Fields("bench train"+tiny)...)
	if got, want := plainStep.GFLOPS*plainStep.StepMS*1e6, 2*(3*forward-stem); !near(got, want, 1e-6, 0) {
		t.Errorf("a step counts %.8g operations, want %.8g", got, want)
	}
	// Two passes take twice the work.
	var plain, sam stepJSON
	succeedJSON(t, &plain, strings.Fields("bench train"+tiny)...)
	succeedJSON(t, &sam, strings.Fields("bench train --sam 1"+tiny)...)
	if p, s := plain.GFLOPS*plain.StepMS, sam.GFLOPS*sam.StepMS; !near(s, 2*p, 1e-6, 0) {
		t.Errorf("a step of SAM counts %.6g operations, a plain one %.6g", s, p)
	}
}

// TestStepProfile: all of a step is told of, each convolution in its directions
// and with its kernels, and the parts add up to the whole.
func TestStepProfile(t *testing.T) {
	var got stepJSON
	succeedJSON(t, &got, strings.Fields("bench step-profile"+tiny)...)
	if w := got.Machine.wrong(); w != "" || got.Step == nil {
		t.Fatalf("%+v %s", got, w)
	}
	convolves := map[string]bool{"conv2d": true, "branch": true, "residual": true}
	calls, sum := map[string]int{}, 0.
	for i, l := range got.Ops {
		if i > 0 && l.MedianMS > got.Ops[i-1].MedianMS {
			t.Errorf("line %d takes longer than the one before", i)
		}
		if l.Of < 0 || l.Of > 3 || l.Share < 0 || l.Share > 100 || convolves[l.Op] != (l.Kernel != "") || convolves[l.Op] != (l.GFLOPS > 0 && l.Op != "linear") {
			t.Errorf("%+v", l)
		}
		calls[l.Op+" "+l.Part] += l.Calls
		sum += l.Of
	}
	if sum < .2 || sum > 3 { // medians do not add up exactly
		t.Errorf("the lines add up to %.2f of the step", sum)
	}
	for what, want := range map[string]int{"branch forward": 1, "branch backward": 1, "residual forward": 3, "residual backward": 3, "linear backward": 1, "softmax_loss forward": 1} {
		if calls[what] != want {
			t.Errorf("%d calls of %s, want %d", calls[what], what, want)
		}
	}
	if s, c := got.Stops, got.Control; s.Number < 1 || c.Number < 1 || s.MedianUS <= 0 || s.MedianUS > s.MaxUS || c.MedianUS > c.MaxUS {
		t.Errorf("stops %+v, control %+v", s, c)
	}
	out := succeed(t, strings.Fields("bench step-profile"+tiny)...)
	for _, want := range []string{"the collector waited", "peak", "calls", lineOptimizer, lineRest, "residual", "backward"} {
		if !strings.Contains(out, want) {
			t.Errorf("bench step-profile has no %q:\n%s", want, out)
		}
	}
}

// TestBenchGrow: every size of every axis has its row, and what they are told to
// differ by is what differs.
func TestBenchGrow(t *testing.T) {
	var got struct {
		Machine machine
		Rows    []grown
	}
	succeedJSON(t, &got, strings.Fields("bench grow --model resnet8 --width 4 --size 8 --batch 2 --times 1 --threads 2")...)
	work := map[string]float64{}
	for _, r := range got.Rows {
		if w := r.wrong(); w != "" || r.NS <= 0 || r.Best <= 0 {
			t.Errorf("%+v %s", r, w)
		}
		work[r.What] = r.GFLOPS * r.MedianMS
	}
	want := 2 // threads
	for _, a := range axes {
		want += len(a.at)
	}
	if w := got.Machine.wrong(); w != "" || len(got.Rows) != want || got.Machine.Threads != 2 {
		t.Errorf("%d rows, want %d; %+v %s", len(got.Rows), want, got.Machine, w)
	}
	for _, c := range []struct {
		large, small string
		times        float64
	}{{"batch 512", "batch 8", 64}, {"batch 64", "batch 32", 2}, {"threads 2", "threads 1", 1}} {
		if !near(work[c.large], c.times*work[c.small], 1e-6, 0) {
			t.Errorf("%s has %g operations, %s %g, want %v times as many", c.large, work[c.large], c.small, work[c.small], c.times)
		}
	}
	if !(work["width 128"] > 100*work["width 8"] && work["depth 110"] > 10*work["depth 8"]) {
		t.Errorf("neither width nor depth grows: %v", work)
	}
	var some struct{ Rows []grown }
	succeedJSON(t, &some, strings.Fields("bench grow --axes depth --width 4 --size 8 --batch 2 --times 1")...)
	if len(some.Rows) != len(axes[2].at) || some.Rows[0].What != "depth 8" {
		t.Errorf("--axes depth gives %+v", some.Rows)
	}
}

func TestBenchLossMSR(t *testing.T) {
	features := put(t, []float32{1, 2, 3, 5, 4, 4, 0, 1}, 4, 2)
	for _, c := range []struct {
		args string
		want []string
	}{
		{"loss --times 1", []string{"128x100 daw", "128x100 gradient", "128x100 daw and gradient", "128x100 copy, one thread", "1024x1000 copy, all threads"}},
		{"loss --batch 3 --classes 5 --times 1", []string{"3x5 daw and gradient", "3x5 copy, all threads"}},
		{"msr --samples 40 --dim 3 --classes 4 --times 1", []string{"40x3 msr", "40x3 plain sum", "40x3 in memory msr", "one class of 50 msr", "one class of 50 pairwise"}},
		{"msr --classes 2 --times 1 --features " + features, []string{"4x2 msr", "4x2 in memory plain sum"}},
	} {
		var got rowsJSON
		succeedJSON(t, &got, strings.Fields("bench "+c.args)...)
		rows := map[string]timing{}
		for _, r := range got.Rows {
			if w := r.wrong(); w != "" || r.MB == 0 || r.GBs == 0 {
				t.Errorf("bench %s: %+v %s", c.args, r, w)
			}
			rows[r.What] = r
		}
		if w := got.Machine.wrong(); w != "" {
			t.Errorf("bench %s: %s", c.args, w)
		}
		for _, w := range c.want {
			if _, ok := rows[w]; !ok {
				t.Errorf("bench %s has no row %q: %+v", c.args, w, got.Rows)
			}
		}
	}
	var got struct{ Rows []weighing }
	succeedJSON(t, &got, strings.Fields("bench msr --samples 40 --dim 3 --classes 4 --times 1")...)
	for _, r := range got.Rows {
		if !near(r.PassMS*float64(r.Passes), r.MedianMS, 1e-9, 0) {
			t.Errorf("%+v", r)
		}
	}
	if sum, msr := got.Rows[0], got.Rows[1]; sum.OfSum != 1 || msr.Passes != 3 || !near(msr.OfSum, sum.PassMS/msr.PassMS, 1e-9, 0) {
		t.Errorf("%+v beside %+v", msr, sum)
	}
	if out := succeed(t, strings.Fields("bench msr --samples 40 --dim 3 --times 1")...); strings.Count(out, "\n") != 8 || !strings.Contains(out, "of a sum") {
		t.Errorf("bench msr prints\n%s", out)
	}
	refuse(t, exitFailed, []string{"want float32 features (n,d)"}, "bench", "msr", "--features", put(t, []float64{1, 2}, 1, 2))
	refuse(t, exitFailed, []string{"nowhere.npy"}, "bench", "msr", "--features", "nowhere.npy")
}

func TestBenchLoad(t *testing.T) {
	var got struct {
		Machine machine
		Rows    []loaded
	}
	succeedJSON(t, &got, strings.Fields("bench load --samples 3 --batch 2 --times 1 --threads 2")...)
	if len(got.Rows) != 5 || got.Machine.wrong() != "" {
		t.Errorf("%+v", got)
	}
	for _, r := range got.Rows {
		if w := r.wrong(); w != "" || r.Images != 3 || !near(r.Rate, 3e3/r.MedianMS, 1e-9, 0) || !near(r.PerCore, r.Rate/2, 1e-9, 0) {
			t.Errorf("%+v %s", r, w)
		}
	}
	if out := succeed(t, strings.Fields("bench load --samples 1 --times 1")...); strings.Count(out, "\n") != 7 || !strings.Contains(out, "first epoch") {
		t.Errorf("bench load prints\n%s", out)
	}
}

// TestBenchFlags: a flag that means nothing to the subject is refused, and so is
// what is out of its range.
func TestBenchFlags(t *testing.T) {
	for args, want := range map[string]string{
		"gemm --batch 3":             "bench gemm has no use for --batch",
		"infer --sam 1":              "bench infer has no use for --sam",
		"load --features x":          "bench load has no use for --features",
		"train --axes batch":         "bench train has no use for --axes",
		"grow --axes dept":           "did you mean depth?",
		"msr --samples 0":            "--samples 0: want 1 to",
		"msr --dim 70000":            "--dim 70000: want 1 to",
		"train --width -1":           "--width -1: want 1 to",
		"train --sam -1":             "--sam -1: want 0 to",
		"step-profil":                "did you mean step-profile?",
		"train --model resnet33":     "--model: ",
		"step-profile --model resnt": "--model: ",
	} {
		refuse(t, exitUsage, []string{want}, strings.Fields("bench "+args)...)
	}
}

// TestInfoKernels: info says which kernels are chosen, and a variant by hand
// changes them.
func TestInfoKernels(t *testing.T) {
	t.Cleanup(func() { _ = cpu.Select(os.Getenv("PHASE_CPU")) })
	var best, plain struct {
		Gemm         string
		Convolutions []chosen
	}
	succeedJSON(t, &best, "info")
	succeedJSON(t, &plain, "info", "--cpu", "go")
	if len(best.Convolutions) != 6 || len(plain.Convolutions) != 6 || plain.Gemm != "gemm 2x16" || best.Gemm == "" {
		t.Errorf("%+v\n%+v", best, plain)
	}
	for i, c := range plain.Convolutions {
		b := best.Convolutions[i]
		if !strings.HasSuffix(c.Forward, ", gemm 2x16") || c.WeightGrad == "" || b.Forward == "" || b.InputGrad == "" || b.WeightGrad == "" || b.Shape != c.Shape {
			t.Errorf("%+v\n%+v", b, c)
		}
	}
	if out := succeed(t, "info"); !strings.Contains(out, "convolved") || !strings.Contains(out, "gemm 2x16") {
		t.Errorf("info prints\n%s", out)
	}
}
