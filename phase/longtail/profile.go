// Package longtail says what a long-tailed data set is: how many images each
// class keeps, which ones, and how a classifier fares on frequent and on rare
// classes.
//
// There are only a few types: Profile is the shape of the tail, Manifest pins
// one subset so that anybody can rebuild and check it, and Accuracy is how
// well predictions do, over all images and over many-, medium- and few-shot
// classes. Classes are numbers from 0.
package longtail

import (
	"fmt"
	"math"
	"math/big"
)

// A Profile is the shape in which class sizes fall.
type Profile string

// The profiles of Cui et al., "Class-Balanced Loss Based on Effective Number
// of Samples" (CVPR 2019), and Cao et al., LDAM (NeurIPS 2019).
const (
	// Exp falls exponentially from the first class to the last.
	Exp Profile = "exp"
	// Step keeps the first half of the classes whole and cuts the others to
	// one size.
	Step Profile = "step"
)

// Counts is the number of images of each class under a profile and an
// imbalance factor IF >= 1. With mu = 1/IF and C classes,
//
//	exp:   n_i = ⌊nMax · mu^(i/(C-1))⌋
//	step:  n_i = nMax for i < ⌊C/2⌋, else ⌊nMax · mu⌋
//
// in float64, as the CIFAR-LT of LDAM and its descendants are made: class 0 is
// the largest, and truncation makes the true ratio of largest to smallest a
// little more than IF (CIFAR-100-LT at IF 200 has 500 to 2). A single class
// keeps nMax.
//
// It is an error if the profile is unknown, nMax or classes is below 1, factor
// is below 1 or not finite, or a class would be left without an image.
func Counts(profile Profile, nMax, classes int, factor float64) ([]int, error) {
	switch {
	case nMax < 1:
		return nil, fmt.Errorf("longtail: %d images in the largest class, want at least 1", nMax)
	case classes < 1:
		return nil, fmt.Errorf("longtail: %d classes, want at least 1", classes)
	case !(factor >= 1) || math.IsInf(factor, 0):
		return nil, fmt.Errorf("longtail: imbalance factor %v, want a finite number of at least 1", factor)
	}
	var share func(i int) float64
	switch profile {
	case Exp:
		mu := roots{base: 1 / factor}
		share = func(i int) float64 { return mu.power(float64(i) / float64(max(classes-1, 1))) }
	case Step:
		share = func(i int) float64 {
			if i < classes/2 || classes == 1 {
				return 1
			}
			return 1 / factor
		}
	default:
		return nil, fmt.Errorf("longtail: profile %q, want %q or %q", profile, Exp, Step)
	}
	counts := make([]int, classes)
	for i := range counts {
		counts[i] = int(float64(nMax) * share(i))
		if counts[i] < 1 {
			return nil, fmt.Errorf("longtail: imbalance factor %v leaves class %d none of at most %d images, want a factor of at most %d", factor, i, nMax, nMax)
		}
	}
	return counts, nil
}

// roots raises one base in (0,1] to powers in [0,1]. Truncation makes a class
// size hang on the last bit of the power, and math.Pow's last bit differs from
// machine to machine and from C's; so the power is a product of repeated
// square roots in 128 bits, rounded once.
type roots struct {
	base float64
	at   []*big.Float // at[k] = base^(2^-k)
}

const rootBits = 128

func (r *roots) power(y float64) float64 {
	p := new(big.Float).SetPrec(rootBits).SetInt64(1)
	fraction, exponent := math.Frexp(y)
	bits := uint64(fraction * (1 << 53)) // y = bits · 2^(exponent-53), exactly
	for b := range 53 {
		if bits>>b&1 != 0 {
			p.Mul(p, r.root(53-exponent-b))
		}
	}
	v, _ := p.Float64()
	return v
}

// root is base^(2^-k).
func (r *roots) root(k int) *big.Float {
	if len(r.at) == 0 {
		r.at = append(r.at, new(big.Float).SetPrec(rootBits).SetFloat64(r.base))
	}
	for len(r.at) <= k {
		r.at = append(r.at, new(big.Float).SetPrec(rootBits).Sqrt(r.at[len(r.at)-1]))
	}
	return r.at[k]
}
