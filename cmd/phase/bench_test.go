package main

import (
	"strings"
	"testing"
)

func init() { streamFloats = 1 << 18 }

// sane reports what is wrong with a timing.
func (t timing) wrong() string {
	switch {
	case !(t.MinMS > 0 && t.MinMS <= t.MedianMS && t.MedianMS <= t.MaxMS):
		return "the spread is no spread"
	case t.GFLOPS < 0 || t.MB < 0 || t.GBs < 0 || t.Share < 0 || t.Share > 4.1: // Winograd has a quarter of the products
		return "no such work is possible"
	}
	return ""
}

func (m machine) wrong() string {
	switch {
	case !(m.PeakOne > .01 && m.PeakGFLOPS > .5*m.PeakOne && m.PeakGFLOPS < 1.5*float64(m.Threads)*m.PeakOne):
		return "no such peak"
	case !(m.ReadOne > .01 && m.ReadGBs > .3*m.ReadOne):
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
	for _, c := range []struct {
		args string
		rows int
	}{{"conv --batch 1 --times 1", 18}, {"conv --batch 1 --width 4 --times 1 --cpu go", 18}, {"gemm --times 1", 5}} {
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
	if out := succeed(t, "bench", "gemm", "--times", "1"); !strings.Contains(out, "peak") || strings.Count(out, "\n") != 7 {
		t.Errorf("bench gemm prints\n%s", out)
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
	calls, sum := map[string]int{}, 0.
	for i, l := range got.Ops {
		if i > 0 && l.MedianMS > got.Ops[i-1].MedianMS {
			t.Errorf("line %d takes longer than the one before", i)
		}
		if l.Of < 0 || l.Of > 1.1 || l.Share < 0 || l.Share > 4.1 || (l.Op == "conv2d") != (l.Kernel != "") {
			t.Errorf("%+v", l)
		}
		calls[l.Op+" "+l.Part] += l.Calls
		sum += l.Of
	}
	if sum < .5 || sum > 1.5 { // medians do not add up exactly
		t.Errorf("the lines add up to %.2f of the step", sum)
	}
	// A ResNet-8 has seven convolutions; nobody wants the images' gradient.
	for what, want := range map[string]int{"conv2d forward": 7, "conv2d weight gradient": 7, "conv2d input gradient": 6, "linear backward": 1, "softmax_loss forward": 1} {
		if calls[what] != want {
			t.Errorf("%d calls of %s, want %d", calls[what], what, want)
		}
	}
	out := succeed(t, strings.Fields("bench step-profile"+tiny)...)
	for _, want := range []string{"peak", "calls", lineOptimizer, lineRest, "conv2d", "weight gradient"} {
		if !strings.Contains(out, want) {
			t.Errorf("bench step-profile has no %q:\n%s", want, out)
		}
	}
}
