//go:build ignore

// Mutants plants bugs in a copy of the tree, one at a time, and demands that
// some test fails for each. A bug that no test sees ends in exit status 1; so
// does one that can no longer be planted, or that does not compile.
//
//	go run .ci/mutants.go             all of them
//	go run .ci/mutants.go NAME...     these alone
//	go run .ci/mutants.go -list       their names
package main

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"
)

// A mutant is one bug: edits that belong together, and the tests of which one
// is to fail.
type mutant struct {
	name  string
	tests string // package, or package and pattern of -run; before " -device" those of the simulated GPU
	edits []edit
}

// An edit replaces a text that stands in the file exactly once.
type edit struct{ file, old, new string }

func main() {
	list := flag.Bool("list", false, "print the names and exit")
	limit := flag.Duration("timeout", 2*time.Minute, "of the tests of one mutant")
	flag.Parse()
	chosen := mutants
	if flag.NArg() > 0 {
		chosen = slices.DeleteFunc(slices.Clone(mutants), func(m mutant) bool { return !slices.Contains(flag.Args(), m.name) })
		if len(chosen) != flag.NArg() {
			fail(fmt.Errorf("%d mutants are named, %d of them exist: -list shows them", flag.NArg(), len(chosen)))
		}
	}
	if *list {
		for _, m := range chosen {
			fmt.Printf("%-40s %s\n", m.name, m.tests)
		}
		return
	}
	tree, err := os.MkdirTemp("", "mutants")
	if err == nil {
		err = run(tree, chosen, *limit)
		os.RemoveAll(tree)
	}
	if err != nil {
		fail(err)
	}
}

func fail(err error) {
	fmt.Fprintln(os.Stderr, "mutants:", err)
	os.Exit(1)
}

func run(tree string, chosen []mutant, limit time.Duration) error {
	began := time.Now()
	if err := copyTree(tree); err != nil {
		return err
	}
	for _, m := range chosen { // those that have gone stale first: it takes no time
		files, err := m.plant(tree)
		if err == nil {
			err = restore(tree, files)
		}
		if err != nil {
			return err
		}
	}
	if err := healthy(tree, chosen, limit); err != nil {
		return err
	}
	fmt.Printf("without a bug all tests pass (%.0f s)\n", time.Since(began).Seconds())
	var missed []string
	for _, m := range chosen {
		start := time.Now()
		files, err := m.plant(tree)
		if err != nil {
			return err
		}
		pkg, pattern, _ := strings.Cut(m.tests, " ")
		by, err := test(tree, pkg, pattern, limit)
		if err != nil {
			return fmt.Errorf("%s: %w", m.name, err)
		}
		if err := restore(tree, files); err != nil {
			return err
		}
		// A failed property test leaves its example, which the next run would try first.
		os.RemoveAll(filepath.Join(tree, pkg, "testdata", "rapid"))
		if by == "" {
			by, missed = "NO TEST of "+m.tests, append(missed, m.name)
		}
		fmt.Printf("%-40s caught by %s (%.0f s)\n", m.name, by, time.Since(start).Seconds())
	}
	if len(missed) > 0 {
		return fmt.Errorf("%d of %d bugs pass every test: %s", len(missed), len(chosen), strings.Join(missed, ", "))
	}
	fmt.Printf("each of %d bugs makes a test fail (%.0f s)\n", len(chosen), time.Since(began).Seconds())
	return nil
}

// copyTree copies the files that git knows to tree.
func copyTree(tree string) error {
	names, err := exec.Command("git", "ls-files", "-z").Output()
	if err != nil {
		return fmt.Errorf("git ls-files: %w", err)
	}
	for name := range strings.SplitSeq(strings.TrimSuffix(string(names), "\x00"), "\x00") {
		info, err := os.Lstat(name)
		if err != nil {
			return err
		}
		if !info.Mode().IsRegular() {
			return fmt.Errorf("%s is not a regular file", name)
		}
		b, err := os.ReadFile(name)
		if err == nil {
			err = os.MkdirAll(filepath.Join(tree, filepath.Dir(name)), 0o755)
		}
		if err == nil {
			err = os.WriteFile(filepath.Join(tree, name), b, info.Mode().Perm()|0o200)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// plant writes the bug and returns the files as they were.
func (m mutant) plant(tree string) (before map[string][]byte, err error) {
	before = map[string][]byte{}
	for _, e := range m.edits {
		path := filepath.Join(tree, e.file)
		b, err := os.ReadFile(path)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", m.name, err)
		}
		if n := bytes.Count(b, []byte(e.old)); n != 1 {
			return nil, fmt.Errorf("%s has gone stale: %s holds its text %d times, want once:\n%s", m.name, e.file, n, e.old)
		}
		if before[e.file] == nil {
			before[e.file] = b
		}
		if err := os.WriteFile(path, bytes.Replace(b, []byte(e.old), []byte(e.new), 1), 0o644); err != nil {
			return nil, err
		}
	}
	return before, nil
}

func restore(tree string, files map[string][]byte) error {
	for name, b := range files {
		if err := os.WriteFile(filepath.Join(tree, name), b, 0o644); err != nil {
			return err
		}
	}
	return nil
}

// healthy is an error unless all tests pass while no bug is planted: what fails
// anyway catches nothing.
func healthy(tree string, chosen []mutant, limit time.Duration) error {
	patterns := map[string][]string{}
	for _, m := range chosen {
		pkg, pattern, _ := strings.Cut(m.tests, " ")
		pattern, device := strings.CutSuffix(pattern, " -device")
		if device {
			pkg += " -device"
		}
		if !slices.Contains(patterns[pkg], pattern) {
			patterns[pkg] = append(patterns[pkg], pattern)
		}
	}
	for _, of := range slices.Sorted(maps.Keys(patterns)) {
		pattern := ""
		if !slices.Contains(patterns[of], "") {
			pattern = strings.Join(patterns[of], "|")
		}
		pkg, device := strings.CutSuffix(of, " -device")
		if device {
			pattern += " -device"
		}
		by, err := test(tree, pkg, pattern, limit)
		if err == nil && by != "" {
			err = fmt.Errorf("%s fails without a bug: %s", of, by)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

var (
	failure = regexp.MustCompile(`(?m)^\s*--- FAIL: (\S+)`)
	crash   = regexp.MustCompile(`(?m)^(?:panic|fatal error): .*`)
)

// test runs the tests of a package and returns the first failure, "" if all
// pass. That the package does not compile is an error, and so is a pattern
// that no test has.
func test(tree, pkg, pattern string, limit time.Duration) (failed string, err error) {
	ctx, cancel := context.WithTimeout(context.Background(), limit+5*time.Minute) // for the compiler
	defer cancel()
	pattern, device := strings.CutSuffix(pattern, " -device")
	args := []string{"test", "-vet=off", "-count=1", "-failfast", "-timeout=" + limit.String(), "-run=" + pattern, "./" + pkg}
	env := []string{"CGO_ENABLED=0"}
	if device {
		args = append(args, "-tags=cuda,cudasim", "-device")
		env = []string{"CGO_ENABLED=1", "CGO_CFLAGS=-I" + os.Getenv("HOME") + "/.cache/phase-cuda/usr/include", "PHASE_CUDASIM_FAST=1"}
	}
	cmd := exec.CommandContext(ctx, "go", args...)
	cmd.Dir = tree
	cmd.Env = append(os.Environ(), env...)
	out, err := cmd.CombinedOutput()
	text := string(out)
	switch {
	case strings.Contains(text, "no tests to run"):
		return "", fmt.Errorf("go %s: no test has that name", strings.Join(args, " "))
	case err == nil:
		return "", nil
	case strings.Contains(text, "[build failed]"), strings.Contains(text, "[setup failed]"), ctx.Err() != nil:
		return "", fmt.Errorf("go %s: %w\n%s", strings.Join(args, " "), err, out)
	}
	for _, m := range failure.FindAllStringSubmatch(text, -1) { // a test, then the part of it that failed
		if failed != "" && !strings.HasPrefix(m[1], failed+"/") {
			break
		}
		failed = m[1]
	}
	if failed != "" {
		return failed, nil
	}
	if m := crash.FindString(text); m != "" {
		return pkg + " (" + m + ")", nil
	}
	return "", fmt.Errorf("go %s: %w\n%s", strings.Join(args, " "), err, out)
}

var mutants = []mutant{
	{"a-copy-begins-before-the-last-has-ended", "kernels/cuda TestCopies -device", []edit{
		{"kernels/cuda/memory.go", "		s.busy = true\n", ""},
	}},
	{"a-download-that-does-not-wait", "kernels/cuda TestCopies -device", []edit{
		{"kernels/cuda/memory.go", "			if err := d.synchronize(); err != nil {\n				return err\n			}\n			copy(dst", "			copy(dst"},
	}},
	{"the-table-of-other-parameters", "kernels/cuda TestTogether -device", []edit{
		{"kernels/cuda/tables.go", "slices.Equal(known.Rows, t.Rows)", "len(known.Rows) == len(t.Rows)"},
	}},
	{"copies-that-nobody-makes", "kernels/cuda TestTogether -device", []edit{
		{"kernels/cuda/tables.go", "	b.together(to, nil, from, func(t table) { b.CopyTable(&t.Table, t.rows) })\n", ""},
	}},
	{"no-garbage-is-collected", "kernels/cuda TestGarbage -device", []edit{
		{"kernels/cuda/memory.go", "	runtime.AddCleanup(m, d.give, m.at)\n	m.Zero()\n", "	d.give(m.at)\n	m.Zero()\n"},
	}},
	{"memory-that-is-not-zeroed", "autograd OnCUDA -device", []edit{
		{"kernels/cuda/memory.go", "	runtime.AddCleanup(m, d.give, m.at)\n	m.Zero()\n", "	runtime.AddCleanup(m, d.give, m.at)\n"},
	}},
	{"scratch-of-all-calls-at-one-place", "kernels/cuda TestConformance -device", []edit{
		{"kernels/cuda/device.go", "a.Bits+d.scratch, false", "d.scratch, false"},
	}},
	{"the-picks-of-the-last-batch", "phase/train OnCUDA -device", []edit{
		{"phase/data/resident.go", "	tensor.Move(m.pick, pick)\n", "	if !ok {\n\t\ttensor.Move(m.pick, pick)\n\t}\n"},
	}},
	{"images-of-a-device-are-never-flipped", "phase/data TestResident", []edit{
		{"phase/data/loader.go", "			dst[3] = 1\n", "			dst[3] = 0\n"},
	}},
	{"picks-of-pixels-that-are-none", "phase/data TestResident", []edit{
		{"phase/data/loader.go", "!(images && l.Augment.Moves())", "!images"},
	}},
	{"conv-gradient-overwrites", "kernels/cpu TestConv2D$", []edit{
		{"kernels/cpu/conv.go", "tensor.Data[float32](dx.T), !dx.Fresh", "tensor.Data[float32](dx.T), false"},
	}},
	{"batch-norm-gradient-overwrites", "kernels/cpu TestConformance/.*/BatchNorm", []edit{
		{"kernels/cpu/norm_grad.go", "if !a.Fresh {", "if false {"},
	}},
	{"ops-overwrite-gradients", "autograd TestGradients|TestOpsOnRef", []edit{
		{"autograd/var.go", "Acc{T: v.Grad, Fresh: fresh}", "Acc{T: v.Grad, Fresh: fresh || v.tape != nil}"},
	}},
	{"parameters-are-used-once", "autograd TestGradients|TestOpsOnRef", []edit{
		{"autograd/var.go", "Acc{T: v.Grad, Fresh: fresh}", "Acc{T: v.Grad, Fresh: fresh || v.tape == nil}"},
	}},
	{"filter-mirrored-everywhere", "autograd TestGolden", []edit{
		{"kernels/ref/conv.go", "at(w, o, c, r, t))", "at(w, o, c, w[2]-1-r, w[3]-1-t))"},
		{"kernels/cpu/conv.go", "w := g.weights[group*g.groupStep+p*panel*g.outStep+tap:]", "w := g.weights[group*g.groupStep+p*panel*g.outStep+min(g.inStep, g.outStep)-1-tap:]"},
		{"kernels/cpu/gradw.go", "p*panel*g.outStep+t:]", "p*panel*g.outStep+area-1-t:]"},
	}},
	{"tiles-skip-no-rows", "kernels/cpu TestTiles", []edit{
		{"kernels/cpu/tiles.go", "at/g.w*g.y.stride*pitch", "at/g.w*pitch"},
	}},
	{"tiles-without-zeros-on-the-right", "kernels/cpu TestTiles", []edit{
		{"kernels/cpu/tiles.go", "			clear(image[(y+1)*pitch-g.in:][:g.in])\n", ""},
	}},
	{"tiles-of-the-turned-filter", "kernels/cpu TestTiles", []edit{
		{"kernels/cpu/tiles.go", "(tap/taps-pad)*pitch + tap%taps - pad", "(tap%taps-pad)*pitch + tap/taps - pad"},
	}},
	{"tiles-begin-their-sums-anew", "kernels/cpu TestTiles", []edit{
		{"kernels/cpu/tiles.go", "add || at > 0", "add"},
	}},
	{"tiles-of-fewer-images-keep-the-others", "kernels/cpu TestTiles", []edit{
		{"kernels/cpu/tiles.go", "if m := min(images, end-n); n == first || m < images {\n			images = m\n			clear(x)\n			clear(dy)\n", "if m := min(images, end-n); n == first || m < images {\n			images = m\n			clear(x)\n"},
	}},
	{"bottom-padding-one-row-early", "kernels/cpu TestConv2D$", []edit{
		{"kernels/cpu/direct.go", "max(0, 1-y), min(2, g.h-y)", "max(0, 1-y), min(2, g.h-1-y)"},
	}},
	{"right-padding-one-pixel-late", "kernels/cpu TestConv2D$", []edit{
		{"kernels/cpu/lowered.go", "at >= 0 && at < g.srcW", "at >= 0 && at <= g.srcW"},
	}},
	{"padding-off-by-one", "autograd TestGolden", []edit{
		{"kernels/ref/conv.go", "h, v := i*p.S()-p.Pad+r*p.D(), j*p.S()-p.Pad+t*p.D()", "h, v := i*p.S()-max(0, p.Pad-1)+r*p.D(), j*p.S()-max(0, p.Pad-1)+t*p.D()"},
	}},
	{"groups-interleaved", "autograd TestGolden", []edit{
		{"kernels/ref/conv.go", "o/perGroup*w[1]+c", "o%p.G()*w[1]+c"},
		{"kernels/ref/conv.go", "\tperGroup := y[1] / p.G() // output channels of a group\n", ""},
	}},
	{"groups-written-in-reverse", "kernels/cpu TestConv2D$", []edit{
		{"kernels/cpu/lowered.go", "c: g.dst[at+group*g.out:]", "c: g.dst[at+(g.groups-1-group)*g.out:]"},
	}},
	{"tile-reaches-beyond-the-last-column", "kernels/cpu TestGemm", []edit{
		{"kernels/cpu/gemm_go.go", "[:min(4, t.cols-q)]", "[:min(4, t.cols-q+1)]"},
	}},
	{"edge-tile-overwrites", "kernels/cpu TestGemm", []edit{
		{"kernels/cpu/gemm_go.go", "c[j] = sums[j] + c[j]", "c[j] = sums[j]"},
	}},
	{"later-depths-overwrite", "kernels/cpu TestGemm", []edit{
		{"kernels/cpu/gemm.go", "add: w.Add || w.k0 > 0}", "add: w.Add}"},
	}},
	{"shortcut-of-a-branch-forgotten", "kernels/cpu TestConformance/.*/BranchGrad", []edit{
		{"kernels/cpu/branch_grad.go", "if i == each-1 && dshortcut.T != dx.T {", "if i > last {"},
	}},
	{"shortcut-between-blocks-forgotten", "kernels/cpu TestConformance/.*/BranchGrad", []edit{
		{"kernels/cpu/branch_grad.go", "\t\t\tif first {\n\t\t\t\tl.late = end\n\t\t\t} else {\n", "\t\t\tif !first {\n"},
	}},
	{"block-reads-the-shortcut-of-the-first", "kernels/cpu TestConformance/.*/Branch$", []edit{
		{"kernels/cpu/branch.go", "\t\t\tshortcut = end\n", ""},
	}},
	{"gradient-between-blocks-lent-to-others", "kernels/cpu TestConformance/.*/BranchGrad", []edit{
		{"kernels/cpu/branch_grad.go", "if g != nil && g != gy {", "if g != nil {"},
	}},
	{"first-block-by-itself-in-a-sequence", "nn TestSeqOfBlocks", []edit{
		{"nn/module.go", "\t\t\tx, n = forwardBlocks(p, x, b, s[1:])\n", "\t\t\tx, n = forwardBlocks(p, x, b, nil)\n"},
	}},
	{"scratch-of-blocks-adds-up", "kernels/cuda/launch TestScratchOfBlocks", []edit{
		{"kernels/cuda/launch/launch.go", "\tw.taken = taken\n", "\t_ = taken\n"},
	}},
	{"items-left-by-others-forgotten", "kernels/cpu TestParNested", []edit{
		{"kernels/cpu/par.go", "\tfor range c.shares {\n", "\tfor range 1 {\n"},
	}},
	{"branch-sums-before-relus-mask", "kernels/cpu TestConformance/.*/BranchGrad", []edit{
		{"kernels/cpu/branch_grad.go", "\t\t\tl.point.reluGrad(d, seen[lo-start:hi-start], d)\n", ""},
	}},
	{"plans-outlive-the-size-of-images", "nn TestPlans", []edit{
		{"kernels/cpu/branch_eval.go", "&& plan.image.Equal(x.Shape()[1:])", ""},
	}},
	{"workers-are-not-awaited", "kernels/cpu TestPar", []edit{
		{"kernels/cpu/par.go", "\tc.wait(helpers.close(c))\n", "\thelpers.close(c)\n"},
	}},
	{"lent-memory-is-lent-again", "kernels/cpu TestPool|TestConv2D", []edit{
		{"kernels/cpu/par.go", "\t\tp.free[class] = list[:len(list)-1]\n", ""},
	}},
	{"chunks-go-by-processors", "kernels/cpu TestConv2DThreads", []edit{
		{"kernels/cpu/gradw.go", "min(maxChunks, g.images)", "min(2*runtime.GOMAXPROCS(0), g.images)"},
		{"kernels/cpu/gradw.go", "import (\n", "import (\n\t\"runtime\"\n\n"},
	}},
	{"a-graph-for-other-arguments", "kernels/cuda/replay", []edit{
		{"kernels/cuda/replay/replay.go", "slices.EqualFunc(a.Args, b.Args, func(a, b launch.Arg) bool { return a.Bits == b.Bits })", "len(a.Args) == len(b.Args)"},
	}},
	{"gaps-of-two-slabs-become-one", "kernels/cuda/pool", []edit{
		{"kernels/cuda/pool/pool.go", "s.end() == p.gaps[i].at && !p.isSlab(s.end())", "s.end() == p.gaps[i].at"},
	}},
	{"labels-of-the-host-not-looked-through", "autograd TestOpsOnRef", []edit{
		{"autograd/index.go", "\tt := c.given[i]\n\tif t.Device() != tensor.CPU {", "\tt := c.given[i]\n\tif true {"},
	}},
	{"gradient-memory-given-back-too-early", "autograd TestOpsOnRef", []edit{
		{"autograd/rule.go", "\tn.rule.Backward(&n.Ctx, n.p)\n", "\tn.tape.mem.giveBack(n.out.Grad)\n\tn.rule.Backward(&n.Ctx, n.p)\n"},
	}},
	{"arena-lends-what-is-in-use", "autograd TestOpsOnRef|TestSteady", []edit{
		{"autograd/arena.go", "t, a.free[f] = l[len(l)-1], l[:len(l)-1]", "t = l[len(l)-1]"},
	}},
	{"permute-goes-back-by-the-same-order", "autograd TestOpsOnRef", []edit{
		{"autograd/rule.go", "if r.View != nil {\n\t\tr.Backward", "if r.View != nil && r.Backward == nil {\n\t\tr.Backward"},
		{"autograd/shape.go", "View:   func(p []int, x *tensor.Tensor) *tensor.Tensor { return x.Permute(p...) },", "View:   func(p []int, x *tensor.Tensor) *tensor.Tensor { return x.Permute(p...) },\n\tBackward: func(c *Ctx, p []int) { c.K.CopyGrad(c.DIn(0).Zeroed(), c.DOut.Permute(p...)) },"},
	}},
	{"batch-norm-holds-its-statistics", "kernels/cpu TestConformance/.*/BatchNorm", []edit{
		{"kernels/cpu/norm_grad.go", "k3 = -k1 * r * r * gx / float64(j.pixels)", "k3 = 0"},
	}},
	{"softmax-without-its-maximum", "kernels/cpu TestConformance/.*/(LogSoftmax|SoftmaxLoss)", []edit{
		{"kernels/cpu/softmax.go", "rest := r.exps(most)", "rest := r.exps(0) / math.Exp(most)"},
	}},
	{"smoothing-shared-by-the-wrong-classes", "kernels/ref TestSoftmaxLoss", []edit{
		{"kernels/ref/loss.go", "s := p.Smooth / float64(k)", "s := p.Smooth / float64(k-1)"},
	}},
	{"smoothing-shared-by-the-wrong-classes-cpu", "kernels/cpu TestConformance/.*/SoftmaxLoss", []edit{
		{"kernels/cpu/loss.go", "s, γ, others := p.Smooth/float64(k)", "s, γ, others := p.Smooth/float64(k-1)"},
	}},
	{"detach-flipped", "kernels/ref TestSoftmaxLoss", []edit{
		{"kernels/ref/loss.go", "\tif detach {\n\t\tγ = 0", "\tif !detach {\n\t\tγ = 0"},
	}},
	{"detach-flipped-cpu", "kernels/cpu TestConformance/.*/SoftmaxLoss", []edit{
		{"kernels/cpu/loss.go", "\tif p.Detach {", "\tif !p.Detach {"},
	}},
	{"exponents-swapped", "kernels/ref TestSoftmaxLoss", []edit{
		{"kernels/ref/loss.go", "positive(1-p.Smooth+s, p.GammaPos", "positive(1-p.Smooth+s, p.GammaNeg"},
		{"kernels/ref/loss.go", "negative(s, p.GammaNeg", "negative(s, p.GammaPos"},
	}},
	{"momentum-before-weight-decay", "optim", []edit{
		{"kernels/ref/update.go", "\tfor i := range step {\n\t\tstep[i] += p.Decay * ws[i]\n\t}\n", ""},
		{"kernels/ref/update.go", "ws[i] -= p.LR * step[i]", "ws[i] -= p.LR * (step[i] + p.Decay*ws[i])"},
	}},
	{"momentum-before-weight-decay-cpu", "kernels/cpu TestConformance/.*/SGD", []edit{
		{"kernels/cpu/update.go", "b.point.sgdMomentum(ws, vs, gs, lr, mom, decay)", "b.point.sgdMomentum(ws, vs, gs, lr, mom, 0)\n\t\tfor i := range ws {\n\t\t\tws[i] -= lr * decay * ws[i]\n\t\t}"},
	}},
	{"nesterov-without-the-gradient", "optim", []edit{
		{"kernels/ref/update.go", "step[i] += p.Momentum * vs[i]", "step[i] = p.Momentum * vs[i]"},
	}},
	{"adamw-without-bias-correction", "optim", []edit{
		{"kernels/ref/update.go", "math.Sqrt(vs[i]/bias2)", "math.Sqrt(vs[i])"},
		{"kernels/ref/update.go", "\tbias2 := 1 - math.Pow(p.Beta2, float64(p.Step))\n", ""},
	}},
	{"sam-stays-away", "optim TestSAM", []edit{
		{"optim/sam.go", "\t\to.comeHome(ps) // bit for bit: subtracting what was added would round\n", ""},
	}},
	{"sam-takes-a-norm-for-each-tensor", "optim TestSAM", []edit{
		{"optim/sam.go", "			moves.add(uphill,", "			uphill.squares = Params{p}.squares()\n			moves.add(uphill,"},
	}},
	{"sam-shows-the-batch-norms-every-batch-twice", "phase/train TestSAMShowsEachBatchOnce", []edit{
		{"phase/train/step.go", "true, pass > 0, s.Seed", "true, false, s.Seed"},
	}},
	{"nesterov-forgotten-cpu", "kernels/cpu TestConformance/.*/SGD", []edit{
		{"kernels/cpu/update.go", "if p.Nesterov {", "if p.Nesterov && p.First {"},
	}},
	{"warm-up-begins-at-nothing", "optim TestSchedules", []edit{
		{"optim/schedule.go", "float64(t+1)", "float64(t)"},
	}},
	{"running-variance-biased", "nn TestBatchNorm", []edit{
		{"nn/norm.go", "l.Momentum*float64(n)/float64(n-1)", "l.Momentum"},
	}},
	{"a-frozen-pass-moves-the-statistics", "nn TestBatchNorm", []edit{
		{"nn/norm.go", "\tif !p.Frozen {\n\t\tl.track", "\tif l.like != nil {\n\t\tl.track"},
	}},
	{"dropout-layers-share-a-mask", "nn TestDropout", []edit{
		{"nn/pool.go", "seed ^ n*0xd6e8feb86659fd93", "seed ^ 0*n"},
	}},
	{"shortcut-padded-on-one-side", "nn TestOutputsOfPyTorch", []edit{
		{"nn/resnet_cifar.go", "autograd.Subsample(x, stride, more/2, more-more/2)", "autograd.Subsample(x, stride, 0, more)"},
	}},
	{"global-weights-not-normalised-eq-9", "phase TestEq9", []edit{
		{"phase/weights.go", "nu)\n\t}\n\treturn normalize(w), nil", "nu)\n\t}\n\treturn w, nil"},
	}},
	{"correlations-without-the-mean-eq-10", "phase TestMSR|TestTheorem", []edit{
		{"phase/buffer.go", "p0 += (float64(x[at]) - mu[at]) * v[at]", "p0 += float64(x[at]) * v[at]"},
	}},
	{"effective-area-not-clipped", "phase TestDegenerate|TestMSR", []edit{
		{"phase/area.go", "min(max(float64(n)*float64(n)/square, 1), 4*float64(n))", "float64(n) * float64(n) / square"},
	}},
	{"shares-of-eq-13-swapped", "phase TestMSR|TestEq13", []edit{
		{"phase/msr.go", "m.Alpha*r.Global[j] + (1-m.Alpha)*r.Local[i]", "(1-m.Alpha)*r.Global[j] + m.Alpha*r.Local[i]"},
	}},
	{"class-sizes-rounded", "phase/longtail TestCounts", []edit{
		{"phase/longtail/profile.go", "int(float64(nMax) * share(i))", "int(math.Round(float64(nMax) * share(i)))"},
	}},
	{"shuffle-masks-one-bit-more", "phase/longtail TestShuffle|TestSubset|TestPermutation", []edit{
		{"phase/longtail/numpy.go", "bits.Len32(last) - 1", "(bits.Len32(last)+1) - 1"},
	}},
	{"a-hundred-images-are-many", "phase/longtail TestGroups", []edit{
		{"phase/longtail/accuracy.go", "case n > t.Many:", "case n >= t.Many:"},
	}},
	{"twenty-images-are-few", "phase/longtail TestGroups", []edit{
		{"phase/longtail/accuracy.go", "case n < t.Few:", "case n <= t.Few:"},
	}},
	{"balanced-accuracy-counts-absent-classes", "phase/longtail TestEvaluate", []edit{
		{"phase/longtail/accuracy.go", "if images == 0 {\n", "if images == 0 {\n\t\t\tall.n++\n"},
	}},
	{"augmentation-drawn-for-a-batch", "phase/data", []edit{
		{"phase/data/loader.go", "size], i, first+k)", "size], i, first)"},
	}},
	{"augmentation-drawn-for-a-worker", "phase/data", []edit{
		{"phase/data/loader.go", "\t\tl.seed(&pcg, epoch, position)\n\t\tl.Augment.apply", "\t\tl.Augment.apply"},
		{"phase/data/loader.go", "\tr := rand.New(&pcg)\n\treturn func(dst []float32", "\tr := rand.New(&pcg)\n\tl.seed(&pcg, epoch, 0)\n\treturn func(dst []float32"},
	}},
	{"padding-after-normalisation", "phase/data", []edit{
		{"phase/data/loader.go", "\t\tnorm.apply(dst, changed)\n", "\t\tnorm.apply(dst, changed)\n\t\tfor k, v := range changed {\n\t\t\tif v == 0 {\n\t\t\t\tdst[k] = 0\n\t\t\t}\n\t\t}\n"},
	}},
	{"superclasses-of-cifar-100", "phase/data TestCIFAR", []edit{
		{"phase/data/cifar.go", "int(rec[len(k.labels)-1])", "int(rec[0])"},
	}},
	{"planes-of-cifar-taken-for-pixels", "phase/data TestCIFAR", []edit{
		{"phase/data/cifar.go", "planes[p], planes[p+cifarPlane], planes[p+2*cifarPlane]", "planes[3*p], planes[3*p+1], planes[3*p+2]"},
	}},
	{"resuming-forgets-the-momentum", "phase/train TestResumeIsBitEqual/frozen", []edit{
		{"phase/train/checkpoint.go", "r.opt.Load(s.under(\"optim.\"))", "r.opt.Load(nil)"},
	}},
	{"resuming-repeats-a-batch", "phase/train TestResumeIsBitEqual/frozen", []edit{
		{"phase/train/run.go", "loader.Epoch(ctx, r.at.Epoch, r.at.Step)", "loader.Epoch(ctx, r.at.Epoch, max(0, r.at.Step-1))"},
	}},
	{"resuming-computes-the-weights-from-another-model", "phase/train TestResumeIsBitEqual", []edit{
		{"phase/train/run.go", "\tif r.at.Step == 0 {\n", "\tif r.at.Step == 0 || r.second() {\n"},
	}},
	{"altered-files-are-read", "tensor/safetensors", []edit{
		{"tensor/safetensors/read.go", "is != have {", "is == \"\" {"},
	}},
	{"checkpoints-without-a-checksum-are-read", "phase/train TestUnsealedCheckpoint", []edit{
		{"phase/train/checkpoint.go", "if f.SHA256 == \"\" {", "if false {"},
	}},
	{"classes-matched-by-position", "phase/train TestClassesMatchedByName", []edit{
		{"phase/train/model.go", "class[i] = slices.Index(m.About.Classes, name)", "class[i] = min(i, len(m.About.Classes)-1)"},
	}},
	{"frozen-extractor-in-training-mode", "phase/train TestFrozenExtractor", []edit{
		{"phase/train/step.go", "f := r.model.Features(&eval, r", "eval.Train = true\n\t\tf := r.model.Features(&eval, r"},
	}},
	{"stage-2-trains-the-extractor", "phase/train TestFrozenExtractor", []edit{
		{"phase/train/stage.go", "return !ofHead[p.Var]", "return false"},
	}},
	{"stage-2-keeps-the-loss-of-stage-1", "phase/train TestStage2IsCrossEntropy", []edit{
		{"phase/train/stage.go", "r.loss, err = r.c.Loss2()", "r.loss, err = r.c.Loss1()"},
	}},
	{"weights-by-place-in-the-batch", "phase/train TestWeightsGoWithTheirSamples", []edit{
		{"phase/train/features.go", "w.sample[at]", "w.sample[i+0*at]"},
	}},
	{"weights-from-augmented-images", "phase/train TestRunIsThisLoop", []edit{
		{"phase/train/features.go", "r.c.FeaturesAugment, r.at.Epoch)", "true, r.at.Epoch)"},
	}},
	{"features-in-training-mode", "phase/train TestRunIsThisLoop", []edit{
		{"phase/train/features.go", "f := r.model.Features(&p, r", "p.Train, p.Frozen = true, true\n\t\tf := r.model.Features(&p, r"},
	}},
	{"weighted-mean-over-the-images", "phase/train TestRunIsThisLoop", []edit{
		{"phase/train/objective.go", "by = sum(weights)", "by = float64(len(weights))"},
	}},
	{"gradient-not-clipped", "phase/train TestRunIsThisLoop", []edit{
		{"phase/train/step.go", "if r.c.Clip > 0 {", "if r.c.Clip < 0 {"},
	}},
	{"head-not-drawn-anew", "phase/train TestRunIsThisLoop", []edit{
		{"phase/train/stage.go", "\tif r.c.Reinit {\n", "\tif false {\n"},
	}},
	{"stage-1-without-augmentation", "phase/train TestRunIsThisLoop", []edit{
		{"phase/train/features.go", "\treturn data.ParseAugment(r.c.Augment, shape[1])", "\treturn data.ParseAugment(\"none\", shape[1])"},
	}},
	{"download-resume-one-late", "phase/data/download", []edit{
		{"phase/data/download/fetch.go", "fmt.Sprintf(\"bytes=%d-\", p.size))", "fmt.Sprintf(\"bytes=%d-\", p.size+1))"},
	}},
	{"download-no-checksum", "phase/data/download", []edit{
		{"phase/data/download/download.go", "sum != f.SHA256", "len(sum) != len(f.SHA256)"},
	}},
	{"download-bad-bytes-kept", "phase/data/download", []edit{
		{"phase/data/download/fetch.go", "if lost := p.reset(); lost != nil {", "if lost := error(nil); lost != nil {"},
	}},
	{"download-changed-unheeded", "phase/data/download", []edit{
		{"phase/data/download/fetch.go", "case p.from.changed(now):", "case false:"},
	}},
	{"download-weak-etag", "phase/data/download", []edit{
		{"phase/data/download/stage.go", "\"W/\")", "\"w/\")"},
	}},
	{"download-from-https-to-http", "phase/data/download", []edit{
		{"phase/data/download/fetch.go", "before[0].URL.Scheme == \"https\"", "before[0].URL.Scheme == \"http\""},
	}},
	{"download-never-ends", "phase/data/download", []edit{
		{"phase/data/download/fetch.go", "if p.size > most {", "if p.size != most+1 {"},
	}},
	{"download-stall-not-reset", "phase/data/download", []edit{
		{"phase/data/download/fetch.go", "watchdog.Reset(g.stall)", ""},
	}},
	{"download-hard-link", "phase/data/download", []edit{
		{"phase/data/download/unpack.go", "h.Typeflag == tar.TypeLink", "false"},
	}},
	{"download-beside-the-folder", "phase/data/download", []edit{
		{"phase/data/download/unpack.go", "strings.HasPrefix(clean, u.top+\"/\")", "strings.HasPrefix(clean, u.top)"},
	}},
	{"download-bomb", "phase/data/download", []edit{
		{"phase/data/download/unpack.go", "u.bytes > u.maxBytes", "false"},
	}},
	{"download-kill-leftovers", "phase/data/download", []edit{
		{"phase/data/download/stage.go", "err = st.root.RemoveAll(unpacked) // what a kill left", "_ = unpacked"},
	}},
	{"influence-without-the-true-class", "phase/methods", []edit{
		{"phase/methods/ib.go", "autograd.Scale(wrong, 2)", "autograd.Scale(wrong, 1)"},
	}},
	{"influence-is-a-constant", "phase/methods", []edit{
		{"phase/methods/ib.go", "autograd.LogSoftmax(b.Logits)", "autograd.LogSoftmax(b.Logits.Detach())"},
	}},
	{"ldam-margins-by-the-square-root", "phase/methods", []edit{
		{"phase/methods/ldam.go", "rarest/n, .25)", "rarest/n, .5)"},
	}},
	{"vector-scaling-upside-down", "phase/methods", []edit{
		{"phase/methods/vs.go", "math.Pow(n/most, l.Gamma)", "math.Pow(most/n, l.Gamma)"},
	}},
	{"cosines-are-not-scaled", "cmd/phase TestEveryKind", []edit{
		{"cmd/phase/loss.go", "ofCosines{k.Of, c.CosineScale()}", "ofCosines{k.Of, 1 + 0*c.CosineScale()}"},
	}},
	{"strange-parameters-are-taken", "cmd/phase TestUsage", []edit{
		{"cmd/phase/kinds.go", "if !known && k.flags.Changed(p.Name)", "if false && !known"},
	}},
	{"gradcheck-without-features", "cmd/phase TestGradcheckCovers", []edit{
		{"cmd/phase/subjects.go", "p.Features = in[1]", "_ = in[1]"},
	}},
	{"margins-are-not-explained", "cmd/phase TestExplainEveryLoss", []edit{
		{"cmd/phase/explain_loss.go", "l.Adjust(alone.as(seen))", "seen"},
	}},
	{"stage-2-explained-by-the-loss-of-stage-1", "cmd/phase TestExplainStage2", []edit{
		{"cmd/phase/explain_weights.go", "second.explainLoss(how.loss2", "second.explainLoss(how.loss1"},
	}},
	{"cutout-before-the-border", "phase/data Cutout", []edit{
		{"phase/data/augment.go", "r.IntN(h)-a.Cutout/2", "r.IntN(h-a.Cutout/2)"},
	}},
	{"autoaugment-never-by-its-chance", "phase/data AutoAugment", []edit{
		{"phase/data/autoaugment.go", "if u < k.p {", "if u >= k.p {"},
	}},
	{"equalize-counts-the-last-level", "phase/data AutoAugment", []edit{
		{"phase/data/autoaugment.go", "step := (v.h*v.w - n[hi]) / 255", "step := v.h * v.w / 255"},
	}},
	{"photographs-lie-on-their-side", "phase/data Orientation", []edit{
		{"phase/data/image.go", "o := orientation(file)", "o := min(1, orientation(file))"},
	}},
	{"an-interrupt-does-not-stop-reading", "phase/data Open", []edit{
		{"phase/data/parallel.go", "err := ctx.Err()", "var err error"},
	}},
	{"calibration-bins-open-at-the-top", "phase/longtail", []edit{
		{"phase/longtail/calibration.go", "s.Confidence > float64(k+1)/CalibrationBins", "s.Confidence >= float64(k+1)/CalibrationBins"},
	}},
	{"margins-to-the-prediction", "phase/longtail", []edit{
		{"phase/longtail/calibration.go", "if j != y {", "if j != s.Prediction {"},
	}},
	{"confusion-transposed", "phase/figures", []edit{
		{"phase/figures/confusion.go", "float64(matrix[y][p])", "float64(matrix[p][y])"},
	}},
	{"unfinished-epochs-upside-down", "phase/report", []edit{
		{"phase/report/run.go", "slices.Backward(r.Epochs)", "slices.All(r.Epochs)"},
	}},
	{"pages-without-their-scripts-hash", "phase/report", []edit{
		{"phase/report/page.go", "sha256.Sum256([]byte(script))", "sha256.Sum256([]byte(style))"},
	}},
	{"plans-share-what-differs", "phase/train Plan", []edit{
		{"phase/train/plan.go", "maps.Equal(donor.Stage1(n), c.Stage1(n))", "!maps.Equal(donor.Stage1(n), c.Stage1(n))"},
	}},
	{"a-parameters-own-rate-is-ignored", "optim TestStepsOfPyTorch", []edit{
		{"optim/sgd.go", "LR: p.rate(lr)", "LR: lr"},
	}},
	{"adamw-ignores-a-parameters-own-rate", "optim TestStepsOfPyTorch", []edit{
		{"optim/adamw.go", "k.LR = p.rate(lr)", "k.LR = lr"},
	}},
	{"the-head-beside-scales-has-their-rate", "phase/train TestClassScalesFold", []edit{
		{"phase/train/stage.go", "params[i].Rate = r.c.Stage2HeadRate", "params[i].Rate = 1"},
	}},
	{"the-last-candidate-is-chosen", "phase/train TestChooseStage2", []edit{
		{"phase/train/choose.go", "len(d.Among) == 1 || s > d.Score", "true"},
	}},
	{"chosen-on-the-test-set", "phase/train TestChooseStage2", []edit{
		{"phase/train/choose.go", "r.frozenSet(ctx, r.s.Calibration, false, 0)", "r.frozenSet(ctx, r.s.Test, false, 0)"},
	}},
	{"a-candidate-begins-where-the-last-ended", "phase/train TestChooseStage2", []edit{
		{"phase/train/choose.go", "\t\tdefer back()\n\t\tc.Stage2Augment", "\t\t_ = back\n\t\tc.Stage2Augment"},
	}},
	{"what-was-chosen-is-not-used", "phase/train TestChooseStage2", []edit{
		{"phase/train/choose.go", "\t\tr.c.Use(name, v)\n", "\t\t_, _ = name, v\n"},
	}},
	{"resuming-forgets-what-was-chosen", "phase/train TestResumeIsBitEqual/chosen", []edit{
		{"phase/train/checkpoint.go", "\t\t\tr.decide(d)\n", "\t\t\t_ = d\n"},
	}},
	{"tau-norm-keeps-the-bias", "phase/methods TestTauNorm", []edit{
		{"phase/methods/posthoc.go", "clear(tensor.Data[float32](h.Bias.Value))", "_ = h.Bias"},
	}},
	{"tau-norm-of-squared-lengths", "phase/methods TestTauNorm", []edit{
		{"phase/methods/posthoc.go", "math.Pow(squares, -p.Tau/2)", "math.Pow(squares, -p.Tau)"},
	}},
	{"posthoc-adjustment-has-the-wrong-sign", "phase/methods TestPosthocAdjust", []edit{
		{"phase/methods/posthoc.go", "float64(b[j]) - p.Tau", "float64(b[j]) + p.Tau"},
	}},
	{"temperature-multiplies", "phase/methods TestTemperature", []edit{
		{"phase/methods/posthoc.go", "float64(v) / p.T", "float64(v) * p.T"},
	}},
	{"crt-keeps-the-old-classifier", "phase/methods TestSettings", []edit{
		{"phase/methods/decoupled.go", "\t\tc.Reinit = true\n", ""},
	}},
	{"drw-forgets-the-loss", "phase/methods TestDeferred", []edit{
		{"phase/methods/deferred.go", "c.Stage2Loss, c.Stage2Weights = c.Loss, weights", "c.Stage2Loss, c.Stage2Weights = \"ce\", weights"},
	}},
	{"presets-know-nothing-of-flags", "cmd/phase TestPresetGoesByWhatIsGiven", []edit{
		{"cmd/phase/settings.go", "\tif err := change(&c); err != nil {\n\t\treturn c, nil, err\n\t}\n\tif c, err", "\tif c, err"},
	}},
	{"an-interrupt-between-stages", "phase/train TestInterruptedBetweenStages", []edit{
		{"phase/train/run.go", "if r.at.Step > 0 || r.saved != r.at.Epoch {", "if true {"},
	}},
	{"the-second-branch-weighs-as-the-first", "phase/methods Objectives", []edit{
		{"phase/methods/bbn.go", "2*(1-lambda)", "2*lambda"},
	}},
	{"cutmix-labels-the-other-way-round", "phase/methods Objectives", []edit{
		{"phase/methods/mixup.go", "1-b.share(", "b.share("},
	}},
	{"mixup-takes-the-weight-of-the-first", "phase/methods Objectives", []edit{
		{"phase/methods/mixup.go", "tensor.Data[int64](s.Y)[at], s.Weights[at]", "tensor.Data[int64](s.Y)[at], s.Weights[i]"},
	}},
	{"mixup-of-another-beta", "phase/methods Mixtures", []edit{
		{"phase/methods/mixup.go", "distuv.Beta{Alpha: alpha, Beta: alpha, Src: r}", "distuv.Beta{Alpha: alpha, Beta: 1, Src: r}"},
	}},
	{"l2rw-weighs-what-harms", "phase/methods L2RW", []edit{
		{"phase/methods/l2rw.go", "max(0, up[i]-down[i])", "max(0, down[i]-up[i])"},
	}},
	{"l2rw-leaves-the-parameters-away", "phase/methods L2RW", []edit{
		{"phase/methods/l2rw.go", "\tat(0)\n", ""},
	}},
	{"glmc-without-its-stop-gradient", "phase/methods Objectives", []edit{
		{"phase/methods/glmc.go", "cosine(global.p, watch(local.z.Value))", "cosine(global.p, local.z)"},
	}},
	{"progressive-sampling-backwards", "phase/methods Sampler", []edit{
		{"phase/methods/samplers.go", "(1-progress)*p[j] + progress*every", "progress*p[j] + (1-progress)*every"},
	}},
	{"samplers-repeat-an-image", "phase/methods Sampler", []edit{
		{"phase/train/sampler.go", "queue[j][0], queue[j][1:]", "queue[j][0], queue[j][:0]"},
	}},
	{"a-refused-objective-leaves-a-run", "phase/methods Refuse", []edit{
		{"phase/train/run.go", "\tif err := r.enter(); err != nil { // an objective", "\tWriteJSON(r.dir.file(ConfigFile), h)\n\tif err := r.enter(); err != nil { // an objective"},
	}},
	{"both-branches-are-one", "nn Branched", []edit{
		{"nn/resnet_bbn.go", "branchFeatures(p, m.RB, planes))", "branchFeatures(p, m.CB, planes))"},
	}},
	{"hits-in-memory-that-the-second-pass-takes", "phase/train HitsWithSAM", []edit{
		{"phase/train/step.go", "if r.c.SAM > 0 {", "if r.c.SAM < 0 {"},
	}},
	{"hits-are-counted-uphill", "phase/train HitsWithSAM", []edit{
		{"phase/train/step.go", "if pass == 0 {", "if true {"},
	}},
	{"a-refused-run-leaves-its-directory", "phase/train Stage1", []edit{
		{"phase/train/rundir.go", "d.made && errors.Is", "!d.made && errors.Is"},
	}},
	{"a-loss-of-sams-second-pass", "optim SAMOnAParabola", []edit{
		{"optim/sam.go", "		grad(pass + 1)\n", "		o.loss = grad(pass + 1).Value\n"},
	}},
	{"sams-loss-in-memory-that-the-second-pass-takes", "optim SAM", []edit{
		{"optim/sam.go", "	kernels.For(loss).Copy(o.loss, loss) // the second", "	o.loss = loss // the second"},
		{"optim/sam.go", "	\"phase/kernels\"\n", ""},
		{"optim/sam.go", "	\"phase/tensor\"\n", "	\"phase/kernels\"\n	\"phase/tensor\"\n"},
	}},
	{"clipping-makes-longer", "optim ClipNorm", []edit{
		{"kernels/kernels.go", "a = min(a, 1)", "a = max(a, 1)"},
	}},
	{"a-step-that-waits-for-a-norm", "kernels/cuda OneWait -device", []edit{
		{"optim/optim.go", "	clips.run()\n", "	clips.run()\n	ps.GradNorm()\n"},
	}},
	{"gpu-squares-without-the-last-block", "kernels/cuda/launch RescaleTable", []edit{
		{"kernels/cuda/launch/update.go", "whole(t.blocks), whole(ceil", "whole(t.blocks - 1), whole(ceil"},
	}},
	{"second-views-are-the-first", "phase/data SecondView", []edit{
		{"phase/data/loader.go", "position = -2 - position", "position += 0"},
	}},
	{"gpu-axes-merge-across-gaps", "kernels/cuda/launch Conformance/Binary", []edit{
		{"kernels/cuda/launch/axes.go", "even = even && outer.s[k] == s*inner.n", "even = outer.s[k] == s*inner.n"},
	}},
	{"gpu-phases-of-a-stride-mirrored", "kernels/cuda/launch Phases", []edit{
		{"kernels/cuda/launch/conv.go", "(first+p.Pad-t*p.D())%p.S() == 0", "(first+p.Pad+t*p.D())%p.S() == 0"},
	}},
	{"gpu-norms-count-one-slice", "kernels/cuda/launch Slices", []edit{
		{"kernels/cuda/launch/norm.go", "count := s.grid[1]", "count := 1"},
	}},
	{"lab-ignores-eq-14s-mean", "docs TestWeightsInBatches", []edit{
		{"docs/lab/lab.go", "if recipe.Mean {", "if false {"},
	}},
	{"lab-trains-without-sam", "docs TestFlatGround", []edit{
		{"docs/lab/lab.go", "if recipe.SAM > 0 {", "if recipe.SAM > 1 {"},
	}},
	{"lab-shifts-the-wrong-way", "docs TestFiveRemedies", []edit{
		{"docs/lab/lab.go", "times * math.Log", "-times * math.Log"},
	}},
	{"ptx-highest-pc-first", "kernels/cuda/ptxsim", []edit{
		{"kernels/cuda/ptxsim/warp.go", "(!ok || h.pc < g.pc)", "(!ok || h.pc > g.pc)"},
	}},
	{"ptx-copies-arrive-early", "kernels/cuda/ptxsim", []edit{
		{"kernels/cuda/ptxsim/async.go", "c.group < w.committed[c.lane]-o.n", "c.group <= w.committed[c.lane]-o.n"},
	}},
	{"ptx-fma-rounds-twice", "kernels/cuda/ptxsim", []edit{
		{"kernels/cuda/ptxsim/float.go", "v&(1<<29-1) != 1<<28 &&", "true &&"},
	}},
	{"ptx-mma-fragments-of-another-layout", "kernels/cuda/ptxsim", []edit{
		{"kernels/cuda/ptxsim/tensor.go", "a[g+8*(r&1)]", "a[g+8*(r>>1)]"},
	}},
	{"ptx-shuffles-to-the-edge", "kernels/cuda/ptxsim", []edit{
		{"kernels/cuda/ptxsim/lanes.go", "ok = j >= last", "ok = j > last"},
	}},
	{"ptx-misaligned-access", "kernels/cuda/ptxsim", []edit{
		{"kernels/cuda/ptxsim/access.go", "r.size-off >= n && addr&(n-1) == 0", "r.size-off >= n"},
	}},
	{"ptx-halves-round-up", "kernels/cuda/ptxsim", []edit{
		{"kernels/cuda/ptxsim/convert.go", "rest == tie && kept&1 != 0", "rest == tie"},
	}},
	{"forks-forget-the-momentum", "phase/train TestStage1OfAnotherRun/whole", []edit{
		{"phase/train/checkpoint.go", "r.opt.Load(s.under(\"optim.\"))", "r.opt.Load(nil)"},
	}},
	{"forks-of-another-stage-1", "phase/train TestStage1Refusals", []edit{
		{"phase/train/stage1.go", "if theirs[name] != ours[name] && name != \"seed\" {", "if theirs[name] == \"\" {"},
	}},
	{"calibration-images-are-trained-on", "phase/train TestCalibrationIsApart", []edit{
		{"phase/train/source.go", "\t\t\tapart = append(apart, i)\n", "\t\t\tapart, keep = append(apart, i), append(keep, i)\n"},
	}},
	{"scales-are-not-folded-into-the-bias", "phase/train TestClassScalesFold", []edit{
		{"phase/train/finish.go", "\t\tb[j] *= f\n", "\t\tb[j] *= 1\n"},
	}},
	{"stage-2-goes-on-with-the-optimizer-of-stage-1", "phase/train TestRunIsThisLoop", []edit{
		{"phase/train/stage.go", "\tif r.c.Freeze || r.c.Reinit || len(r.parts) > 0 {\n", "\tif false {\n"},
	}},
	{"evaluation-in-training-mode", "phase/train TestModelRoundTrip", []edit{
		{"phase/train/features.go", "logits := tensor.Fetch[float32](r.scaled(forward(&p, r", "p.Train, p.Frozen = true, true\n\t\tlogits := tensor.Fetch[float32](r.scaled(forward(&p, r"},
	}},
	{"evaluation-without-normalisation", "phase/train TestModelRoundTrip", []edit{
		{"phase/train/model.go", "Workers: workers, Normalize: m.normalize()}", "Workers: workers}"},
	}},
	{"training-goes-on-after-nan", "phase/train TestNotFinite", []edit{
		{"phase/train/step.go", "if math.IsNaN(loss) || math.IsInf(loss, 0) {", "if math.IsNaN(loss) && loss < 0 {"},
	}},
	{"a-second-writer-is-let-in", "phase/train TestOneWriter", []edit{
		{"phase/train/rundir.go", "if !got {", "if !got && d == nil {"},
	}},
	{"files-renamed-before-they-are-synced", "tensor/atomicfile", []edit{
		{"tensor/atomicfile/atomicfile.go", "\tif err := f.Sync(); err != nil {\n\t\treturn wrote(path, err)\n\t}\n", ""},
	}},
	{"folder-not-synced", "tensor/atomicfile", []edit{
		{"tensor/atomicfile/atomicfile.go", "if err := d.syncDir(filepath.Dir(path)); err != nil {", "if err := d.syncDir(filepath.Dir(path)); err == errors.ErrUnsupported {"},
	}},
}
