package cpu

import (
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
	norm  normKernels
	point pointwiseKernels
}

var portable = variant{name: "go", have: true, gemm: gemmGo, conv: convGo, norm: normGo, point: pointwiseGo}

// Variants lists the variants that this processor can run, best first.
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
	for _, v := range variants {
		if v.have && (name == "" || name == v.name) {
			return v, nil
		}
	}
	return variant{}, fmt.Errorf("cpu variant %q: this machine runs %s", name, strings.Join(Variants(), ", "))
}
