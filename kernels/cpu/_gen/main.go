// Command gen writes the assembly of package cpu: go run . in this folder.
// With -check it writes nothing and says where the committed files differ.
package main

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// The kinds of vectors of an architecture.
var amd64, arm64 = []vec{zmm, ymm}, []vec{neon}

// families lists the files, each with its vectors and the function that fills
// it.
var families = []struct {
	file string
	vecs []vec
	emit func(a *asm)
}{
	{"gemm_amd64.s", amd64, gemm},
	{"conv_amd64.s", amd64, conv},
	{"winograd_amd64.s", amd64, winograd},
	{"norm_amd64.s", amd64, norm},
	{"pointwise_amd64.s", amd64, pointwise},
	{"peak_amd64.s", amd64, peak},
	{"loss_amd64.s", amd64, loss},
	{"rows_amd64.s", amd64, sums},
	{"tiles_amd64.s", amd64, tiles},
	{"gemm_arm64.s", arm64, gemmNEON},
	{"conv_arm64.s", arm64, convNEON},
	{"norm_arm64.s", arm64, norm},
	{"pointwise_arm64.s", arm64, pointwise},
}

func main() {
	check := flag.Bool("check", false, "compare with the committed files instead of writing them")
	dir := flag.String("dir", "..", "where the files lie")
	flag.Parse()
	failed := false
	for _, f := range families {
		a := asm{vecs: f.vecs}
		f.emit(&a)
		path := filepath.Join(*dir, f.file)
		if err := deliver(path, a.file(), *check); err != nil {
			fmt.Fprintln(os.Stderr, "gen:", err)
			failed = true
		}
	}
	if failed {
		os.Exit(1)
	}
}

// deliver writes text to path, or with check compares the two.
func deliver(path, text string, check bool) error {
	if !check {
		return os.WriteFile(path, []byte(text), 0o644)
	}
	old, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	have, want := strings.Split(string(old), "\n"), strings.Split(text, "\n")
	for i := range max(len(have), len(want)) {
		line := func(s []string) string {
			if i < len(s) {
				return fmt.Sprintf("%q", s[i])
			}
			return "the end"
		}
		if line(have) != line(want) {
			return fmt.Errorf("%s:%d is stale: has %s, the generator writes %s", path, i+1, line(have), line(want))
		}
	}
	return nil
}
