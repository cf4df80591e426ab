package cpu

import (
	"cmp"
	"fmt"
	"strings"
)

// A variant is a set of kernels for one kind of processor, one field a family.
// The list variants ranks them, best first, and ends with portable.
type variant struct {
	name  string
	have  bool // this processor can run it
	gemm  gemmKernels
	conv  convKernels
	wino  winogradKernels
	norm  normKernels
	point pointwiseKernels
	peak  peakKernels
	loss  lossKernels
	rows  rowKernels
	tiles tileKernels
}

var portable = variant{name: "go", have: true, gemm: gemmGo, conv: convGo, norm: normGo, point: pointwiseGo, peak: peakGo, loss: lossGo, rows: rowsGo}

// exact, behind a variant's name and a hyphen or alone, chooses the backend that
// computes convolutions as the sums that define them, without Winograd's
// shortcut.
const exact = "exact"

// Exact is the name of the exact form of the variant with the given name, which
// may be empty, for the best one, or that of an exact form already.
func Exact(name string) string {
	if name == "" || name == exact || strings.HasSuffix(name, "-"+exact) {
		return cmp.Or(name, exact)
	}
	return name + "-" + exact
}

// Variants lists the variants that this processor can run, best first. Each of
// them has an exact form, see New.
func Variants() []string {
	var names []string
	for _, v := range variants {
		if v.have {
			names = append(names, v.name)
		}
	}
	return names
}

func lookup(name string) (variant, error) {
	kind, plain := strings.CutSuffix("-"+name, "-"+exact)
	kind = strings.TrimPrefix(kind, "-")
	for _, v := range variants {
		if v.have && (kind == "" || kind == v.name) {
			if plain {
				v.name, v.wino = v.name+"-"+exact, winogradKernels{}
			}
			return v, nil
		}
	}
	return variant{}, fmt.Errorf("cpu variant %q: this machine runs %s, each also as NAME-%s", name, strings.Join(Variants(), ", "), exact)
}
