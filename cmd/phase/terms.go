package main

import (
	"math"
	"slices"

	"phase/kernels"
)

// A lossTerm is what one class adds to the loss of a row, and its factors:
// Term = -Target·Modulation·log p, or log(1-p) in place of log p if binary.
type lossTerm struct {
	Modulation, Target, Term float64
	binary                   bool
}

// lossTerms takes the loss l of a row apart, class by class, by the definition
// of kernels.SoftmaxLoss. logp is the row's log softmax, y its label.
func lossTerms(l kernels.SoftmaxLoss, logp []float64, y int) []lossTerm {
	terms := make([]lossTerm, len(logp))
	first := slices.Index(logp, slices.Max(logp))
	s := l.Smooth / float64(len(logp))
	for j, log := range logp {
		t := lossTerm{Target: s}
		p, rest := math.Exp(log), -math.Expm1(log)
		logRest := math.Log(rest)
		if j == first { // 1-p as the sum of the others: it may be too small to tell p from 1
			logRest = logSumExp(logp[:j], logp[j+1:])
			rest = math.Exp(logRest)
		}
		switch {
		case l.Form == kernels.Eq1:
			t.Target, t.binary = 1, j != y
			log, t.Modulation = logRest, math.Pow(p, l.GammaNeg)
			if j == y {
				log, t.Modulation = logp[j], math.Pow(rest, l.GammaPos)
			}
		case j == y:
			t.Target += 1 - l.Smooth
			t.Modulation = math.Pow(rest, l.GammaPos)
		case l.Form == kernels.Eq3:
			t.Modulation = math.Pow(rest, l.GammaNeg)
		default:
			t.Modulation = math.Pow(p, l.GammaNeg)
		}
		if f := t.Target * t.Modulation; f != 0 { // a class that weighs nothing adds nothing
			t.Term = -f * log
		}
		terms[j] = t
	}
	return terms
}

// logSumExp is log Σ e^v over all v of both lists.
func logSumExp(a, b []float64) float64 {
	most, sum := math.Inf(-1), 0.0
	for _, v := range slices.Concat(a, b) {
		most = max(most, v)
	}
	for _, v := range slices.Concat(a, b) {
		if !math.IsInf(most, -1) {
			sum += math.Exp(v - most)
		}
	}
	return most + math.Log(sum)
}
