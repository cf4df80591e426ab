package main

import (
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// TestWords says that the bits of every instruction that Go's assembler lacks
// mean the text beside them, as the disassembler reads them.
func TestWords(t *testing.T) {
	tool, err := exec.LookPath("go")
	if err != nil {
		t.Fatal(err)
	}
	source := "TEXT ·words(SB), 4, $0-0\n"
	var want []string
	for _, name := range slices.Sorted(maps.Keys(wordCodes)) {
		for _, regs := range [][]int{{0, 1, 2}, {31, 0, 0}, {0, 31, 0}, {0, 0, 31}, {10, 21, 12}} {
			w := word(name, regs[0], regs[1:1+wordCodes[name].operands]...)
			source += "\t" + w + "\n"
			_, text, _ := strings.Cut(w, " // ")
			want = append(want, text)
		}
	}
	dir := t.TempDir()
	path := filepath.Join(dir, "words_arm64.s")
	if err := os.WriteFile(path, []byte(source+"\tRET\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	run := func(args ...string) string {
		c := exec.Command(tool, args...)
		c.Dir = dir
		c.Env = append(os.Environ(), "GOOS=linux", "GOARCH=arm64")
		out, err := c.CombinedOutput()
		if err != nil {
			t.Fatalf("go %s: %v\n%s", strings.Join(args, " "), err, out)
		}
		return string(out)
	}
	run("tool", "asm", "-p", "words", "-o", "words.o", path)
	lines := regexp.MustCompile(`words_arm64.s:\d+.*// (.*)`).FindAllStringSubmatch(run("tool", "objdump", "-gnu", "words.o"), -1)
	if len(lines) != len(want)+1 {
		t.Fatalf("%d instructions are read, want %d", len(lines), len(want)+1)
	}
	for i, w := range want {
		if got := strings.TrimSpace(lines[i][1]); got != w {
			t.Errorf("%s is read as %s", w, got)
		}
	}
}

// TestWordPanics says that the encoder refuses what it does not know.
func TestWordPanics(t *testing.T) {
	for _, f := range []func(){
		func() { word("fmla", 0, 1, 2) },
		func() { word("fsqrt", 0, 1, 2) },
		func() { word("fadd", 0, 1) },
		func() { word("fadd", 32, 1, 2) },
		func() { word("fadd", 0, 1, -1) },
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Error("no panic")
				}
			}()
			f()
		}()
	}
}
