// Package paper is the tables and figures of the paper as runs: which methods on
// which data with which settings, and what was published.
//
// There are only a few types: a Target is a table or a figure, a Setup the data
// of one of its columns, a Row a method in it, and a Number what somebody
// published, with where. What nobody published is not there: the bodies of the
// paper's tables were not to be had, so most of its accuracies are not.
package paper

import (
	"fmt"
	"strings"

	"phase/phase/train"
)

// A Target is a table or a figure.
type Target struct {
	Name, Title string
	Setups      []Setup
	Rows        []Row
	Set         func(c *train.Config) // what all its runs have besides the recipe; may be nil
	Differs     []string              // from the paper's set-up, whatever the flags; a line each
}

// A Setup is the data of a column.
type Setup struct {
	Data      string
	Imbalance float64
}

// A Row is a method of a Target.
type Row struct {
	Label     string // "DAW + AREA"
	Name      string // of its runs: the method's, or one with its setting
	Method    string // the preset
	Set       func(c *train.Config)
	Published map[Setup]Number
}

// A Number is a published top-1 accuracy.
type Number struct {
	Percent float64
	Source  string
}

// Targets lists the tables and figures.
func Targets() []Target {
	return []Target{table3(), table4(), table5(), table6(), fig3(), fig4(), fig5(), fig6()}
}

// Find is the target of that name; the error of an unknown one lists the names.
func Find(name string) (Target, error) {
	var names []string
	for _, t := range Targets() {
		if t.Name == name {
			return t, nil
		}
		names = append(names, t.Name)
	}
	return Target{}, fmt.Errorf("%q: want one of %s", name, strings.Join(names, ", "))
}

// Where the numbers stand. Errors in percent are given as 100 minus the error.
const (
	text  = "the paper's text"
	sure  = "SURE, Table 2 (many rows of which are others' numbers)"
	ddc   = "DDC's README (mean of its runs, weight decay 2e-4)"
	bag   = "BagofTricks-LT's trick gallery (100 - error)"
	glmc  = "GLMC's README, before its fix of the subset"
	notLT = "the paper's text; on ImageNet-LT, which is another data set"
)

// Size is how many images the largest class of one of the paper's data sets has,
// and how many classes there are; ok is false for other data.
func Size(data string) (most, classes int, ok bool) {
	switch data {
	case "cifar10":
		return 5000, 10, true
	case "cifar100":
		return 500, 100, true
	case "tinyimagenet":
		return 500, 200, true
	}
	return 0, 0, false
}

// numbers are the published accuracies of one method from one source: pairs of
// a setup and a percentage.
func numbers(source string, data string, pairs ...float64) map[Setup]Number {
	m := map[Setup]Number{}
	for i := 0; i < len(pairs); i += 2 {
		m[Setup{data, pairs[i]}] = Number{pairs[i+1], source}
	}
	return m
}

// merge is all of them; the first to know a setup has it.
func merge(list ...map[Setup]Number) map[Setup]Number {
	all := map[Setup]Number{}
	for _, m := range list {
		for k, v := range m {
			if _, ok := all[k]; !ok {
				all[k] = v
			}
		}
	}
	return all
}

// both are a source's accuracies on CIFAR-10 and CIFAR-100 at imbalance 100, 50
// and 10.
func both(source string, c10, c100 [3]float64) map[Setup]Number {
	return merge(numbers(source, "cifar10", 100, c10[0], 50, c10[1], 10, c10[2]), numbers(source, "cifar100", 100, c100[0], 50, c100[1], 10, c100[2]))
}

// tricks are BagofTricks' errors: CIFAR-10 at 100 and 50, CIFAR-100 at 100 and 50.
func tricks(e10, e10at50, e100, e100at50 float64) map[Setup]Number {
	return merge(numbers(bag, "cifar10", 100, 100-e10, 50, 100-e10at50), numbers(bag, "cifar100", 100, 100-e100, 50, 100-e100at50))
}

// cifar are the ten settings of Table 3.
func cifar() (s []Setup) {
	for _, data := range []string{"cifar10", "cifar100"} {
		for _, f := range []float64{200, 100, 50, 20, 10} {
			s = append(s, Setup{data, f})
		}
	}
	return s
}

const subset = "which images of a class stay is NumPy's shuffle of --subset-seed; the paper does not name its subset"

func table3() Target {
	return Target{Name: "table3", Title: "Table 3: methods on long-tailed CIFAR", Setups: cifar(), Rows: []Row{
		{Label: "CE", Method: "ce", Published: both(sure, [3]float64{70.40, 74.80, 86.40}, [3]float64{38.30, 43.90, 55.70})},
		{Label: "Focal", Method: "focal", Published: tricks(28.44, 22.09, 62.78, 58.21)},
		{Label: "CB", Method: "cb", Published: tricks(29.52, 22.52, 61.03, 56.22)},
		{Label: "CB-Focal", Method: "cb-focal", Published: both(sure, [3]float64{74.57, 79.27, 87.10}, [3]float64{39.60, 45.17, 57.99})},
		{Label: "LDAM-DRW", Method: "ldam-drw", Published: both(sure, [3]float64{77.03, 81.03, 88.16}, [3]float64{42.04, 46.62, 58.71})},
		{Label: "IB", Method: "ib", Published: tricks(23.34, 19.08, 59.21, 54.54)},
		{Label: "Balanced softmax", Method: "balanced-softmax", Published: tricks(22.46, 18.89, 57.01, 53.45)},
		{Label: "VS", Method: "vs", Published: merge(numbers(ddc, "cifar10", 100, 80.29, 10, 88.74), numbers(ddc, "cifar100", 100, 42.67, 10, 58.50))},
		{Label: "VS + TLA + ADRW", Method: "vs-adrw-tla", Published: merge(numbers(ddc, "cifar10", 100, 80.81, 10, 88.86), numbers(ddc, "cifar100", 100, 43.20, 10, 58.90))},
		{Label: "DRW", Method: "drw", Published: tricks(25.36, 20.65, 60.79, 56.63)},
		{Label: "AREA", Method: "area", Published: numbers(text, "cifar100", 200, 43.85)},
		{Label: "DAW + DRW", Method: "daw-drw"},
		{Label: "DAW + AREA", Method: "daw-area"},
		{Label: "PHASE", Method: "phase", Published: numbers(text, "cifar100", 200, 44.84)},
	}, Differs: []string{subset, "the paper prints neither DAW's exponents nor MSR's gamma nor a batch size nor seeds: 1, 4, smoothing 0.1, gamma 1 and batches of 128 are this project's"}}
}

func table4() Target {
	imagenet := Setup{"tinyimagenet", 256}
	return Target{Name: "table4", Title: "Table 4: methods on larger images", Setups: []Setup{imagenet}, Rows: []Row{
		{Label: "CE", Method: "ce", Published: map[Setup]Number{imagenet: {38.88, notLT + "; inherited from 1000 classes"}}},
		{Label: "LDAM-DRW", Method: "ldam-drw"},
		{Label: "VS + TLA + ADRW", Method: "vs-adrw-tla"},
		{Label: "AREA", Method: "area"},
		{Label: "PHASE", Method: "phase", Published: map[Setup]Number{imagenet: {49.96, notLT}}},
	}, Differs: []string{tiny, subset}}
}

const tiny = "the paper's ImageNet-LT has Tiny-ImageNet's size and ImageNet-LT's imbalance; this is Tiny-ImageNet at that imbalance, and its numbers are not to be compared with the paper's"

func table5() Target {
	s := Setup{"cifar100", 200}
	return Target{Name: "table5", Title: "Table 5: what DAW and MSR are worth", Setups: []Setup{s}, Rows: []Row{
		{Label: "neither (CE)", Method: "ce"},
		{Label: "DAW", Method: "daw"},
		{Label: "MSR", Method: "msr"},
		{Label: "DAW and MSR (PHASE)", Method: "phase", Published: map[Setup]Number{s: {44.84, text}}},
	}, Differs: []string{subset}}
}

func table6() Target {
	var setups []Setup
	for _, f := range []float64{100, 50, 10} {
		setups = append(setups, Setup{"cifar100", f})
	}
	wide := func(c *train.Config) {
		if c.Width = 64; c.Data == "fashion" {
			c.Width = 32
		}
	}
	strong := func(c *train.Config) {
		wide(c)
		c.SAM, c.Augment = .05, "crop-flip,jitter"
	}
	return Target{Name: "table6", Title: "Table 6: 64 filters, SAM and colour jitter", Setups: setups, Rows: []Row{
		{Label: "CE", Method: "ce", Set: strong},
		{Label: "GLMC", Method: "glmc", Set: wide, Published: numbers(glmc, "cifar100", 100, 55.88, 50, 61.08, 10, 70.74)},
		{Label: "SURE", Method: "sure", Set: wide, Published: numbers(sure, "cifar100", 100, 51.60, 50, 58.57, 10, 71.13)},
		{Label: "PHASE", Method: "phase", Set: strong},
	}, Differs: []string{subset, "the paper prints no rho, no epochs and no strength of its augmentation: rho 0.05, the same epochs, jitter 0.4 are this project's",
		"with --data fashion 32 filters, twice the usual, so that it takes minutes"}}
}

func fig3() Target {
	return Target{Name: "fig3", Title: "Figure 3: images of each class", Setups: append(cifar(), Setup{"tinyimagenet", 256}), Differs: []string{tiny}}
}

func fig4() Target {
	return Target{Name: "fig4", Title: "Figure 4: accuracy and images of each class", Setups: []Setup{{"cifar100", 200}}, Rows: []Row{
		{Label: "CE", Method: "ce"},
		{Label: "AREA", Method: "area"},
		{Label: "PHASE", Method: "phase"},
	}, Differs: []string{subset, "the paper does not name the methods beside PHASE"}}
}

func fig5() Target {
	return Target{Name: "fig5", Title: "Figure 5: many, medium and few", Setups: []Setup{{"tinyimagenet", 256}}, Rows: []Row{
		{Label: "CE", Method: "ce"},
		{Label: "VS + TLA + ADRW", Method: "vs-adrw-tla"},
		{Label: "PHASE", Method: "phase"},
	}, Differs: []string{tiny, subset}}
}

func fig6() Target {
	t := Target{Name: "fig6", Title: "Figure 6: accuracy over alpha", Setups: []Setup{{"cifar100", 200}},
		Differs: []string{subset, "published: +0.15 from alpha 1 to 0.8, and +0.32 from alpha 0 to 0.8, one run each"}}
	for i := range 11 {
		alpha := float64(i) / 10
		r := Row{Label: fmt.Sprintf("alpha %.1f", alpha), Name: fmt.Sprintf("phase-alpha%.1f", alpha), Method: "phase", Set: func(c *train.Config) { c.Use("alpha", alpha) }}
		if i == 8 {
			r.Published = map[Setup]Number{{"cifar100", 200}: {44.84, text}}
		}
		t.Rows = append(t.Rows, r)
	}
	return t
}
