package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/spf13/cobra"

	"phase/kernels/cpu"
)

// every lists all commands with the words that call them.
func every() (paths [][]string, commands []*cobra.Command) {
	var walk func(c *cobra.Command, path []string)
	walk = func(c *cobra.Command, path []string) {
		for _, sub := range c.Commands() {
			p := append(slices.Clone(path), sub.Name())
			if sub.Name() == "help" || sub.Name() == "completion" {
				continue
			}
			paths, commands = append(paths, p), append(commands, sub)
			walk(sub, p)
		}
	}
	p := &program{in: strings.NewReader(""), out: io.Discard, err: io.Discard}
	walk(p.root(), nil)
	return paths, commands
}

func TestCommandsExist(t *testing.T) {
	paths, _ := every()
	var got []string
	for _, p := range paths {
		got = append(got, strings.Join(p, " "))
	}
	for _, want := range []string{"train", "report", "eval", "predict", "explain", "loss", "weights", "gradcheck", "ops", "data", "data list", "data info", "data get", "data export", "info", "bench"} {
		if !slices.Contains(got, want) {
			t.Errorf("no command %q among %q", want, got)
		}
	}
}

// TestHelp: each command's help says what it does, shows an example and every
// flag with its default, and fits 80 columns. Each example parses.
func TestHelp(t *testing.T) {
	paths, commands := every()
	for i, path := range paths {
		c := commands[i]
		for _, flag := range []string{"-h", "--help"} {
			out := succeed(t, append(slices.Clone(path), flag)...)
			for _, want := range []string{"Usage:\n  phase " + strings.Join(path, " "), "\nExample:\n  ", "\nFor every command:\n", "--json"} {
				if !strings.Contains(out, want) {
					t.Errorf("phase %s -h has no %q:\n%s", strings.Join(path, " "), want, out)
				}
			}
			for line := range strings.Lines(out[:strings.Index(out, "\nExample:")]) {
				if n := len([]rune(strings.TrimRight(line, "\n"))); n > 80 {
					t.Errorf("phase %s -h: %d columns: %s", strings.Join(path, " "), n, line)
				}
			}
			for _, name := range []string{"kind", "logits", "epochs", "data"} {
				if f := c.Flags().Lookup(name); f != nil && !f.Hidden && !strings.Contains(out, "--"+name) {
					t.Errorf("phase %s -h does not show --%s", strings.Join(path, " "), name)
				}
			}
		}
		if c.Short == "" || c.Example == "" {
			t.Errorf("%q has no description or example", path)
		}
		for line := range strings.Lines(c.Example) {
			for _, word := range strings.Fields(line) {
				name, ok := strings.CutPrefix(word, "--")
				if !ok {
					continue
				}
				if name, _, _ = strings.Cut(name, "="); strings.Contains(line+" ", "phase "+strings.Join(path, " ")+" ") && !(len(c.Commands()) > 0) && c.Flags().Lookup(name) == nil && c.InheritedFlags().Lookup(name) == nil {
					t.Errorf("the example %q has no flag --%s", line, name)
				}
			}
		}
	}
	words := strings.Join(strings.Fields(succeed(t, "train", "-h")), " ")
	for _, want := range []string{" Stage 1: the loss: ", " Stage 2: the weights: ", " Data: ", "(Eq 13): 0 to 1 (default 0.8)"} {
		if !strings.Contains(words, want) {
			t.Errorf("train -h has no %q", want)
		}
	}
	if loss := succeed(t, "help", "loss"); loss != succeed(t, "loss", "-h") {
		t.Error("help loss is not loss -h")
	}
	if root := succeed(t); root != succeed(t, "-h") || !strings.Contains(root, "Commands:") {
		t.Error("phase alone does not print its help")
	}
	if !strings.HasPrefix(succeed(t, "--version"), "phase ") {
		t.Error("--version")
	}
}

// TestCompletion: scripts for the three shells.
func TestCompletion(t *testing.T) {
	for _, shell := range []string{"bash", "zsh", "fish"} {
		if out := succeed(t, "completion", shell); !strings.Contains(out, "phase") || len(out) < 500 {
			t.Errorf("completion %s: %.100q", shell, out)
		}
	}
}

func TestTypos(t *testing.T) {
	for _, c := range []struct{ args, want string }{
		{"trian", "did you mean train?"},
		{"wieghts", "did you mean weights?"},
		{"los", "did you mean loss?"},
		{"explian", "did you mean explain?"},
		{"data lst", "did you mean list?"},
		{"data get cifar-10", "did you mean cifar10?"},
		{"help nope", `unknown command "nope"`},
		{"help data nope", `unknown command "data nope"`},
		{"completion nope", `unknown shell "nope"`},
		{"zzzzzzzzzz", `unknown command "zzzzzzzzzz"`},
		{"train --epoch 3", "did you mean --epochs?"},
		{"train --imbalence 3", "did you mean --imbalance?"},
		{"loss --logit z.npy", "did you mean --logits?"},
		{"loss --gama-pos 1", "did you mean --gamma-pos?"},
		{"weights --beat 1", "did you mean --beta?"},
		{"explain --sample 1", "did you mean --samples?"},
		{"explain --methd ce", "did you mean --method?"},
		{"data info --dat x", "did you mean --data?"},
		{"gradcheck conv2", "did you mean conv2d?"},
		{"gradcheck one_hot", "has no gradient"},
		{"bench trian", "did you mean train?"},
		{"weights --kind effectiv --counts 1", "did you mean effective?"},
		{"info --jsn", "did you mean --json?"},
	} {
		refuse(t, exitUsage, []string{c.want}, strings.Fields(c.args)...)
	}
}

// TestUsage: wrong calls of every command are one line and exit status 2.
func TestUsage(t *testing.T) {
	t.Chdir(t.TempDir())
	for _, args := range []string{
		"train extra", "train --epochs", "train --epochs x", "train --epochs 0", "train --epochs -1", "train --lr 0", "train --lr nan", "train --lr inf", "train --momentum 1",
		"train --smooth 1.5", "train --alpha 2", "train --method nope", "train --model resnet9", "train --local nope", "train --form eq2", "train --imbalance 0.5",
		"train --milestones 5,3", "train --reduction sum", "train --device cuda", "train --augment spin", "train --resume", "train --resume --force --out x",
		"train --workers -1", "train --config nowhere.toml", "train --seed -1", "train --epochs 99999999999999999999",
		"eval", "eval a b", "eval a --lr 1", "predict", "predict a", "predict a b --top 0",
		"loss", "loss --kind ce", "loss --kind ce --logits z", "loss x", "loss --kind daw --gamma-pos -1 --logits z --labels y", "loss --kind daw --gamma-neg nan --logits z --labels y",
		"loss --kind daw --smooth 2 --logits z --labels y", "loss --kind daw --form eq9 --logits z --labels y", "loss --kind ce --reduction median --logits z --labels y",
		"loss --kind ce --detach --logits z --labels y", "loss --kind focal --gamma-neg 1 --logits z --labels y",
		"loss --kind cb --logits z --labels y", "loss --kind cb --counts= --logits z --labels y", "loss --kind cb --counts 3,0 --logits z --labels y", "loss --kind cb --counts 3,x --logits z --labels y",
		"loss --kind ce --counts 3,1 --logits z --labels y", "loss --kind cb-focal --form asl --counts 3,1 --logits z --labels y", "loss --kind daw --form ldam --logits z --labels y",
		"loss --kind ib --counts 3,1 --logits z --labels y", "loss --kind ib --hidden h --logits z --labels y", "loss --kind cb --hidden h --counts 3,1 --logits z --labels y",
		"loss --kind vs --vs-gamma -1 --counts 3,1 --logits z --labels y", "loss --kind ldam --scale 0 --counts 3,1 --logits z --labels y", "loss --kind logit-adjust --vs-gamma 1 --counts 3,1 --logits z --labels y",
		"weights", "weights --kind inverse", "weights --kind nope --counts 1", "weights --kind inverse --counts 1 --labels y", "weights --kind inverse --counts 1,x",
		"weights --kind inverse --counts -1", "weights --kind inverse --counts 0", "weights --kind inverse --counts=", "weights --kind effective --beta 2 --counts 1", "weights --kind effective --gamma 1 --counts 1",
		"weights --kind adrw --gamma -1 --counts 1", "weights --kind adrw --gamma nan --counts 1", "weights --kind msr --counts 1", "weights --kind area --labels y",
		"weights --kind msr --alpha 1.1 --labels y --features f", "weights --kind msr --local nope --labels y --features f", "weights --kind msr --block 0 --labels y --features f",
		"weights --kind msr --force --labels y --features f", "weights --kind inverse --force --counts 1", "weights --kind area --force --labels y --features f", "weights --kind msr --local-clip 0.5 --labels y --features f", "weights --kind inverse --features f --labels y",
		"weights --kind inverse --labels y --classes -1", "weights --kind inverse --counts 1 --classes 2", "weights --kind area --seed -1 --labels y --features f",
		"explain x", "explain --example --run r", "explain --labels y", "explain --logits z", "explain --samples 0", "explain --samples 101", "explain --example --data fashion",
		"explain --example --class 9", "explain --class -2", "explain --epochs 3", "explain --method nope", "explain --run r --method ce", "explain --form eq9", "explain --alpha 3",
		"gradcheck nope", "gradcheck --tol 0", "gradcheck --tol -1", "gradcheck --tol nan", "ops x", "info x", "data nope", "data list x", "data info --imbalance 0", "data info --profile flat", "data export x",
		"data get", "data get nope", "data get cifar10 cifar100", "data get cifar10 --url nowhere", "data get cifar10 --url ftp://a/", "data get cifar10 --url http://a --from b",
		"bench", "bench nope", "bench train infer", "bench gemm --times 0", "bench train --model nope", "bench train --batch -1",
		"info --threads -1", "info --progress loud", "info --cpu mmx", "info --threads", "info -x", "--nope", "-z", "train -", "loss --=3",
	} {
		refuse(t, exitUsage, nil, strings.Fields(args)...)
	}
	if left, _ := filepath.Glob("*"); left != nil {
		t.Errorf("wrong calls left %q behind", left)
	}
}

// TestStrangeArguments: whatever the words, no panic, a known exit status, and
// on failure one line.
func TestStrangeArguments(t *testing.T) {
	t.Chdir(t.TempDir())
	strange := []string{"", " ", "-", "---", "--=", "=", "\x00", "\n", "\x1b[31mred", "ÿ\xff\xfe", "日本", strings.Repeat("a", 5000), "--" + strings.Repeat("b", 5000), "%s%n", "-1", "1e309", "NaN", "../../..", "*", "$HOME", "--json=maybe", "--threads=x", "-qvz", "--no-such=\x07"}
	commands := []string{"", "eval", "predict", "loss", "weights", "explain", "gradcheck", "ops", "data", "data list", "data info", "data get", "info", "bench"}
	for _, c := range commands {
		for _, s := range strange {
			for _, args := range [][]string{{s}, {"--", s}, {"--kind", s}, {"--data", s}} {
				all := append(strings.Fields(c), args...)
				o := invoke(t, all...)
				switch o.code {
				case exitDone:
				case exitFailed, exitUsage:
					if !oneErrorLine(o.err) {
						t.Errorf("phase %q: exit %d, %q", all, o.code, o.err)
					}
				default:
					t.Errorf("phase %q: exit %d", all, o.code)
				}
				for _, r := range o.err {
					if r < ' ' && r != '\n' || r == 0x7f {
						t.Errorf("phase %q prints the control character %q", all, r)
						break
					}
				}
			}
		}
	}
}

// TestJSON: every command that ends soon prints one object and nothing else.
func TestJSON(t *testing.T) {
	t.Setenv("PHASE_DATA", t.TempDir())
	z, y := put(t, []float32{1, 2, 3, 4}, 2, 2), put(t, []int64{0, 1}, 2)
	for _, args := range []string{
		"info", "ops", "gradcheck relu loss/ce", "data list", "data info", "train --methods", "explain --example", "weights --kind inverse --counts 3,2,1",
		"loss --kind ce --logits " + z + " --labels " + y, "explain --logits " + z + " --labels " + y, "bench gemm --times 1",
		"data export --out " + filepath.Join(t.TempDir(), "m.json"),
	} {
		var got map[string]any
		succeedJSON(t, &got, strings.Fields(args)...)
		if len(got) == 0 {
			t.Errorf("phase %s --json prints an empty object", args)
		}
	}
	var none lossJSON
	succeedJSON(t, &none, "loss", "--kind", "ce", "--logits", z, "--labels", y, "--reduction", "none")
	if none.Loss != nil || len(none.PerSample) != 2 || none.Schema != 1 || none.Kind != "ce" {
		t.Errorf("reduction none: %+v, want a null loss", none)
	}
}

// TestQuiet: -q leaves nothing but results.
// TestExact chooses sums as they are defined, with any variant.
func TestExact(t *testing.T) {
	t.Cleanup(func() { _ = cpu.Select(os.Getenv("PHASE_CPU")) })
	if out := succeed(t, "info", "--cpu", "go", "--exact"); !strings.Contains(out, "go-exact") {
		t.Errorf("info --cpu go --exact does not name go-exact:\n%s", out)
	}
	if out := succeed(t, "info", "--exact"); !strings.Contains(out, cpu.Variants()[0]+"-exact") && os.Getenv("PHASE_CPU") == "" {
		t.Errorf("info --exact does not name %s-exact:\n%s", cpu.Variants()[0], out)
	}
}

func TestQuiet(t *testing.T) {
	if out := succeed(t, "ops", "-q"); strings.Contains(out, "each in f32") {
		t.Errorf("ops -q says more than the table: %.200s", out)
	}
}

// TestNoColor: no escape sequence whatever NO_COLOR says.
func TestNoColor(t *testing.T) {
	for _, v := range []string{"", "1"} {
		t.Setenv("NO_COLOR", v)
		for _, args := range []string{"-h", "ops", "info", "explain --example", "data list"} {
			if out := succeed(t, strings.Fields(args)...); strings.ContainsRune(out, '\x1b') {
				t.Errorf("phase %s prints escape sequences", args)
			}
		}
	}
}

// TestNarrowTerminal: help and tables wrap where the terminal ends.
func TestNarrowTerminal(t *testing.T) {
	for _, width := range []int{20, 40, 60, 80, 100} {
		text := entry("--name", strings.Repeat("some words in a row ", 20), 26, width)
		for line := range strings.Lines(text) {
			if n := len(strings.TrimRight(line, "\n")); n > max(width, 46) {
				t.Errorf("width %d: %d columns: %q", width, n, line)
			}
		}
		if got := strings.Join(strings.Fields(text), " "); got != "--name "+strings.TrimSpace(strings.Repeat("some words in a row ", 20)) {
			t.Errorf("width %d loses words: %q", width, got)
		}
	}
	if got := wrap("日本語 文字 幅", 5, ""); got != "日本語\n文字 幅" {
		t.Errorf("wrap counts bytes, not characters: %q", got)
	}
}

// A closed pipe takes some bytes and then no more.
type closedPipe struct{ left int }

func (c *closedPipe) Write(b []byte) (int, error) {
	if c.left -= len(b); c.left < 0 {
		return 0, fmt.Errorf("write |1: %w", syscall.EPIPE)
	}
	return len(b), nil
}

// TestClosedPipe: head that has seen enough is no failure.
func TestClosedPipe(t *testing.T) {
	for _, args := range []string{"ops", "ops --json", "explain --example", "explain --example --json", "weights --kind inverse --counts 2,1 --json", "-h"} {
		for _, left := range []int{0, 100} {
			var stderr bytes.Buffer
			code := run(t.Context(), strings.Fields(args), strings.NewReader(""), &closedPipe{left}, &stderr)
			if code != exitDone || stderr.Len() > 0 {
				t.Errorf("phase %s into a closed pipe: exit %d, %q", args, code, stderr.String())
			}
		}
	}
}

// A fullDisk refuses every byte.
type fullDisk struct{}

func (fullDisk) Write([]byte) (int, error) { return 0, syscall.ENOSPC }

func TestFullDiskOnOutput(t *testing.T) {
	var stderr bytes.Buffer
	for _, args := range []string{"weights --kind inverse --counts 2,1 --json", "explain --example --json", "explain --example"} {
		stderr.Reset()
		if code := run(t.Context(), strings.Fields(args), strings.NewReader(""), fullDisk{}, &stderr); code != exitFailed || !oneErrorLine(stderr.String()) {
			t.Errorf("phase %s on a full disk: exit %d, %q", args, code, stderr.String())
		}
	}
}

// TestInterrupted: a cancelled command ends with 130.
func TestInterrupted(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for _, args := range []string{"gradcheck", "bench gemm", "explain --limit 60"} {
		code, _, stderr := call(t, ctx, "", strings.Fields(args)...)
		if code != exitInterrupted || !oneErrorLine(stderr) {
			t.Errorf("phase %s: exit %d, %q", args, code, stderr)
		}
	}
}

func TestOneLine(t *testing.T) {
	if got := oneLine(errors.New("a\nb\x1b[31m\u009dc\x7f")); got != "a;b[31mc" {
		t.Errorf("%q", got)
	}
	for typo, want := range map[string]string{"lost": " (did you mean loss?)", "x": "", "": "", "completely-else": ""} {
		if got := didYouMean(typo, []string{"loss", "explain"}); got != want {
			t.Errorf("didYouMean(%q) = %q, want %q", typo, got, want)
		}
	}
}
