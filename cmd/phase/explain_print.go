package main

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
)

// mostClasses is how many classes of a sample, and of stage 2, are printed.
const mostClasses = 12

// finest is the difference of a gradient and a quotient below which nothing is
// told apart: it is rounding.
const finest = 1e-8

// short is a number in few characters: decimals where they say something, an
// exponent elsewhere.
func short(v float64, decimals int) string {
	switch a := math.Abs(v); {
	case a < 1e-99:
		return "0"
	case a >= 1e5 || a < 10*math.Pow(10, -float64(decimals)):
		return fmt.Sprintf("%.*e", max(1, decimals-3), v)
	}
	return fmt.Sprintf("%.*f", decimals, v)
}

func (p *program) printExplained(x explained) error {
	fmt.Fprintf(p.out, "%s; method %s\n\nStage 1: the loss\n\n", x.Source, x.Method)
	p.printSamples(x.Stage1)
	p.printBatch(x.Stage1)
	if x.Stage2 != nil {
		p.printWeighed(*x.Stage2)
	}
	_, err := fmt.Fprintln(p.out)
	return err
}

// printSamples shows the samples' losses class by class, and in which way the
// columns make them.
func (p *program) printSamples(x explainedLoss) {
	rows, about := "logit p gradient quotient", "p is the softmax of the logits. Beside the loss's gradient stands its difference quotient; * marks the label."
	if len(x.Samples) > 0 && x.Samples[0].Classes[0].Adjusted != nil {
		rows, about = "logit adjusted p term gradient quotient", "p is the softmax of the adjusted logits, and the loss -log p of the label. Beside its gradient by the logits stands its difference quotient; * marks the label."
	}
	if x.Loss != nil {
		rows = "logit p A s term gradient quotient"
		p.printSoftmaxFormula(*x.Loss)
	} else {
		fmt.Fprintf(p.out, "%s\n%s\n%s\n", setting(x.Kind, x.Parameters), wrap(x.doc+".", 80, ""), wrap(about, 80, ""))
	}
	for _, s := range x.Samples {
		p.printSample(s, strings.Fields(rows), x.Loss == nil)
	}
	fmt.Fprintln(p.out)
}

// setting is a kind and its parameters in words.
func setting(kind string, parameters map[string]any) string {
	var of []string
	for _, name := range slices.Sorted(maps.Keys(parameters)) {
		of = append(of, fmt.Sprintf("%s %v", name, parameters[name]))
	}
	if of == nil {
		return kind
	}
	return kind + ": " + strings.Join(of, ", ")
}

func (p *program) printSoftmaxFormula(l lossSetting) {
	fmt.Fprintf(p.out, "gamma+ %g, gamma- %g, smoothing eps %g, form %s", l.GammaPos, l.GammaNeg, l.Smooth, l.Form)
	if l.Detach {
		fmt.Fprint(p.out, ", no gradient through A")
	}
	fmt.Fprintln(p.out)
	switch l.Form {
	case "eq1":
		fmt.Fprintln(p.out, "label y:  A = (1-p)^gamma+   term = -A log p\nothers:   A = p^gamma-       term = -A log(1-p)")
	case "eq3":
		fmt.Fprintln(p.out, "label y:  A = (1-p)^gamma+   s = 1-eps+eps/C   term = -s A log p\nothers:   A = (1-p)^gamma-   s = eps/C         term = -s A log p")
	default:
		fmt.Fprintln(p.out, "label y:  A = (1-p)^gamma+   s = 1-eps+eps/C   term = -s A log p\nothers:   A = p^gamma-       s = eps/C         term = -s A log p")
	}
	fmt.Fprintln(p.out, "The loss is the sum of the terms. Beside its gradient stands the difference\nquotient of the loss; * marks the label.")
}

// named is a class's number and name, where it has one.
func named(class int, name string) string {
	number := fmt.Sprint(class)
	if name == number {
		return number
	}
	return number + " " + clean(name, 40)
}

// column is the text of a column of one class.
func (c explainedClass) column(name string) string {
	v, decimals := 0., 4
	switch name {
	case "logit":
		v = c.Logit
	case "adjusted":
		v = *c.Adjusted
	case "p":
		v = c.Probability
	case "A":
		v = *c.Modulation
	case "s":
		v = *c.Target
	case "term":
		v = *c.Term
	case "gradient":
		v, decimals = c.Gradient, 5
	case "quotient":
		v, decimals = c.Quotient, 5
	}
	return short(v, decimals)
}

// width is how wide the column is.
func width(column string) int {
	switch column {
	case "logit", "adjusted", "gradient", "quotient":
		return 9
	}
	return 8
}

func (p *program) printSample(s explainedSample, columns []string, compare bool) {
	fmt.Fprintf(p.out, "\nsample %d: class %s\n\n  %5s", s.Index, named(s.Label, s.Name), "class")
	for _, name := range columns {
		fmt.Fprintf(p.out, "  %*s", width(name), name)
	}
	fmt.Fprintln(p.out)
	shown := slices.Clone(s.Classes)
	var others explainedClass
	if len(shown) > mostClasses { // the label, and the most probable others
		slices.SortStableFunc(shown, func(a, b explainedClass) int {
			switch {
			case a.Class == s.Label || b.Class == s.Label:
				if a.Class == s.Label {
					return -1
				}
				return 1
			case a.Probability > b.Probability:
				return -1
			case a.Probability < b.Probability:
				return 1
			}
			return 0
		})
		others = together(shown[mostClasses:])
		shown = shown[:mostClasses]
	}
	for _, c := range shown {
		mark := " "
		if c.Class == s.Label {
			mark = "*"
		}
		fmt.Fprintf(p.out, "%s %5d", mark, c.Class)
		for _, name := range columns {
			fmt.Fprintf(p.out, "  %*s", width(name), c.column(name))
		}
		fmt.Fprintln(p.out)
	}
	if left := len(s.Classes) - len(shown); left > 0 {
		line := fmt.Sprintf("  %d others", left)
		at := 7
		for _, name := range columns {
			at += 2 + width(name)
			if name == "p" || name == "term" || name == "gradient" {
				line += fmt.Sprintf("%*s", max(0, at-len(line)), others.column(name))
			}
		}
		fmt.Fprintln(p.out, line)
	}
	fmt.Fprintf(p.out, "  loss %.7g", s.Loss)
	if compare {
		fmt.Fprintf(p.out, ", %.6g times cross-entropy's %.7g\n ", s.Loss/s.CrossEntropy, s.CrossEntropy)
	} else {
		fmt.Fprint(p.out, ";")
	}
	fmt.Fprintf(p.out, " gradient and quotient agree to %.0e, relative\n", math.Pow(10, math.Ceil(math.Log10(max(s.Difference, finest)))))
}

// together adds up what can be added up of several classes.
func together(classes []explainedClass) (sum explainedClass) {
	sum.Term = new(float64)
	for _, c := range classes {
		sum.Probability += c.Probability
		sum.Gradient += c.Gradient
		if c.Term != nil {
			*sum.Term += *c.Term
		}
	}
	return sum
}

// printBatch shows how the losses of the samples become one number.
func (p *program) printBatch(x explainedLoss) {
	fmt.Fprintf(p.out, "%8s  %5s  %10s  %10s  %13s\n", "sample", "class", "loss", "weight", "weight x loss")
	sum := 0.0
	for _, w := range x.Weights {
		sum += w
	}
	for i, s := range x.Samples {
		fmt.Fprintf(p.out, "%8d  %5d  %10s  %10s  %13s\n", s.Index, s.Label, short(s.Loss, 5), short(s.Weight, 5), short(x.PerSample[i], 5))
	}
	if left := len(x.PerSample) - len(x.Samples); left > 0 {
		fmt.Fprintf(p.out, "... and %d more\n", left)
	}
	var others []string
	for _, name := range []string{"weighted-mean", "mean", "sum"} {
		if v, ok := x.Others[name]; ok {
			others = append(others, fmt.Sprintf("%s %.7g", name, v))
		}
	}
	per := map[string]string{"weighted-mean": fmt.Sprintf("weight / %.5g", sum), "mean": fmt.Sprintf("weight / %d", len(x.PerSample))}[x.Reduction]
	fmt.Fprintf(p.out, "%s: %.7g (%s)\n", x.Reduction, x.Reduced, strings.Join(others, ", "))
	fmt.Fprintf(p.out, "Each sample's gradient goes into the step times %s.\n", per)
}

func (p *program) printWeighed(x explainedWeights) {
	cell := func(f *figure, decimals int) string {
		if f == nil {
			return "-"
		}
		return short(float64(*f), decimals)
	}
	if x.Kind == "none" {
		fmt.Fprint(p.out, "\nStage 2: the loss\n\n")
		p.printSamples(*x.Batch)
		p.printBatch(*x.Batch)
		return
	}
	fmt.Fprintf(p.out, "\nStage 2: %s weights\n\n", x.Kind)
	if x.Kind != "msr" {
		if len(x.Parameters) > 0 {
			fmt.Fprintln(p.out, setting(x.Kind, x.Parameters))
		}
	} else {
		fmt.Fprintf(p.out, "gamma %v, alpha %v, local weight %v\n", x.Parameters["gamma"], x.Parameters["alpha"], x.Parameters["local"])
		fmt.Fprintln(p.out, "w^n = (N_j/N)^-gamma and w^A = 1/area, each made to add up to C;\nw = alpha w^n + (1-alpha) w^e")
	}
	fmt.Fprintf(p.out, "\n%5s  %-20s  %6s  %9s  %9s  %9s  %9s\n", "class", "name", "N_j", "w^n", "area", "w^A", "mean w")
	shown := x.Classes
	if len(shown) > mostClasses { // the ends, where the weights differ most
		shown = slices.Concat(shown[:mostClasses/2], shown[len(shown)-mostClasses/2:])
	}
	for i, c := range shown {
		if len(shown) < len(x.Classes) && i == mostClasses/2 {
			fmt.Fprintf(p.out, "... %d more\n", len(x.Classes)-len(shown))
		}
		fmt.Fprintf(p.out, "%5d  %-20s  %6d  %9s  %9s  %9s  %9s\n", c.Class, clean(c.Name, 20), c.Count, cell(c.Global, 5), cell(c.Area, 3), cell(c.Of, 5), short(float64(c.Weight), 5))
	}
	if x.Kind == "msr" {
		c := x.Classes[x.Class]
		fmt.Fprintf(p.out, "\nclass %s, N_j = %d: m is a sample's mean correlation with its class\n", named(c.Class, c.Name), c.Count)
		switch x.Parameters["local"] {
		case "area-shift":
			fmt.Fprintln(p.out, "q = 2/(1+m) is large where it is unlike the others; w^e = w^A q / mean q")
		case "area":
			fmt.Fprintln(p.out, "(which this local weight does not look at); w^e = w^A")
		}
		fmt.Fprintf(p.out, "\n%8s  %9s  %9s  %9s  %9s  %9s\n", "sample", "m", "q", "q/mean q", "w^e", "w")
		for _, s := range x.Samples {
			fmt.Fprintf(p.out, "%8d  %9s  %9s  %9s  %9s  %9s\n", s.Index, cell(s.Mean, 5), cell(s.Shift, 5), cell(s.Shape, 5), cell(s.Local, 5), short(float64(s.Weight), 5))
		}
	}
	if x.Batch != nil {
		if x.Batch.Kind == "ce" {
			fmt.Fprint(p.out, "\nThe batch under stage 2's loss, cross-entropy with these weights:\n\n")
		} else {
			fmt.Fprint(p.out, "\nThe batch under stage 2's loss, with these weights:\n\n")
			p.printSamples(*x.Batch)
		}
		p.printBatch(*x.Batch)
	}
}
