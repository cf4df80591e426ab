package phase

import (
	"fmt"
	"math"
	"slices"
)

// Local is a reading of the local weight w^e of PHASE's Eqs 10 to 12.
//
// The paper sets, with r_ik = u_i·u_k the correlations inside class j (AREA),
//
//	m_i = (1/N_j) Σ_k r_ik,   w^e_i = 1/m_i        (Eq 12)
//
// and that cannot be what was run. The deviations D_i = phi(x_i) - mu_j of a
// class add up to nothing, so Σ_i |D_i| m_i = 0: in every class the m_i are
// all zero, or some are negative, and in a class of two both are zero. Nor
// is 1/m_i on w^n's scale, and it is large where AREA's weight is small. The
// readings below are what can be done about it.
type Local string

// The readings. The first two have AREA's class weight wA and mean wA_j over
// each class j; the others are the bare sample figure, on no common scale with
// w^n. A sample at its class's mean has u_i = 0.
const (
	// AreaShift is wA_j·q_i/mean_j(q) with q_i = 2/(1+m_i): the correlations,
	// shifted from [-1,1] to [0,1], inverted, and made 1 in the mean over the
	// class. It keeps Eq 12's order (the less alike, the heavier) and is
	// positive and bounded: q_i <= N_j. The default.
	AreaShift Local = "area-shift"
	// Area is wA_j, AREA's class weight alone.
	Area Local = "area"
	// Shift is q_i = 2/(1+m_i), in [1, N_j].
	Shift Local = "shift"
	// Clamp is 1/max(m_i, 1/N_j), in [1, N_j].
	Clamp Local = "clamp"
	// Abs is 1/((1/N_j) Σ_k |r_ik|), in [1, N_j], with r_ii = 1. It costs
	// O(N_j² d) and holds the largest class in memory.
	Abs Local = "abs"
	// RMS is 1/sqrt((1/N_j) Σ_k r_ik²), in [1, √N_j], with r_ii = 1: a stand-in
	// for Abs in O(N_j d min(N_j, d)). It holds the largest class in memory.
	RMS Local = "rms"
	// Literal is 1/m_i as printed, refused when some m_i <= 0 unless forced.
	Literal Local = "literal"
)

// Locals lists the readings, the default first.
func Locals() []Local { return []Local{AreaShift, Area, Shift, Clamp, Abs, RMS, Literal} }

// MSR is the setting of multi-scale reweighting, the sample weights of PHASE's
// stage 2 (Eqs 8 to 13, Algorithm 2). Start from DefaultMSR: in Gamma and
// Alpha zero has a meaning of its own. The zero value is a valid setting as
// well, the local weight alone.
type MSR struct {
	// Gamma is the exponent of the global weight (Eq 8), at least 0; not DAW's gammas.
	Gamma float64 `json:"gamma" name:"gamma" range:"0.." help:"exponent of the global weight (Eq 8), also of adrw"`
	// Alpha is the share of the global weight (Eq 13), 0 to 1.
	Alpha float64 `json:"alpha" name:"alpha" range:"0..1" help:"share of the global weight (Eq 13)"`
	// Local is the reading of the local weight (Eq 12); "" means AreaShift.
	Local Local `json:"local" name:"local" of:"area-shift,area,shift,clamp,abs,rms,literal" help:"reading of the local weight (Eq 12)"`
	// Block and Seed are AREA's.
	Block int    `json:"block" name:"block" range:"1.." help:"samples in a block of the effective area"`
	Seed  uint32 `json:"seed" name:"seed" help:"of the order in which blocks are cut"`
	// Clip, with AreaShift only, keeps q_i/mean_j(q) within [1/Clip, Clip]; 0 means no limit.
	Clip float64 `json:"clip,omitempty" name:"local-clip" range:"0.." help:"keeps area-shift's sample factors within 1/clip to clip; 0 does not"`
	// Force, with Literal only, gives its weights even where they are negative or infinite.
	Force bool `json:"force,omitempty"`
}

// DefaultMSR is the setting that this project takes for the paper's: gamma 1,
// which the paper does not print, its alpha 0.8, and AreaShift.
func DefaultMSR() MSR { return MSR{Gamma: 1, Alpha: 0.8, Local: AreaShift} }

// Result is what samples weigh, and what that is made of. The slices of samples
// are in the order of the labels. What a weighting has not is nil; only MSR has
// Global, Local and Means.
type Result struct {
	Class  []float64 // of each class, for MSR the mean of Sample over it
	Sample []float64 // of each sample, for MSR w_i = alpha·w^n + (1-alpha)·w^e (Eq 13); nil without labels
	Global []float64 // w^n of each class (Eq 9)
	Local  []float64 // w^e of each sample (Eq 12, as MSR.Local reads it)
	Areas  []float64 // AREA's area of each class; of MSR where Local is AreaShift or Area
	Means  []float64 // m_i of each sample (Eq 12); nil when Local is Area, Abs or RMS
	// NonPositive counts the m_i that are not positive, each of which makes
	// Eq 12's weight negative or infinite. It is 0 without Means.
	NonPositive int
}

// Weights computes the weights of all samples. labels say which of the classes
// 0..classes-1 each row of the features belongs to; the features are to come
// from the frozen network of stage 1 in evaluation mode and from images
// without random augmentation.
//
//	w^n_j = (N_j/N)^(-gamma) / Σ_c (N_c/N)^(-gamma) · C        (Eqs 8, 9)
//	w_i   = alpha·w^n_j + (1-alpha)·w^e_i,  j the class of i   (Eq 13)
//
// With AreaShift 0 < w_i <= max(max_c w^n_c, N_j max_c wA_c). A class of one
// sample, of two, or of samples that are all alike has no shape: its samples
// weigh alike. A deviation counts as zero up to 1e-8·(1 + max_i |phi(x_i)|).
//
// Except for Abs and RMS, memory is O(C d) and some numbers a sample, time
// O(N d) in four passes over the features, which are read once if they are few.
//
// It is an error if a setting is out of its range, lengths differ, a label is
// no class, a class has no samples, a feature is not finite, or Literal has
// weights that are not positive and is not forced.
func (m MSR) Weights(f Features, labels []int, classes int) (Result, error) {
	if m.Local == "" {
		m.Local = AreaShift
	}
	if err := m.check(); err != nil {
		return Result{}, err
	}
	p, err := newPopulation("msr", f, labels, classes)
	if err != nil {
		return Result{}, err
	}
	var r Result
	if r.Global, err = ADRW(p.counts, m.Gamma); err != nil {
		return Result{}, fmt.Errorf("msr: %w", err)
	}
	if err := m.local(p, &r); err != nil {
		return Result{}, fmt.Errorf("msr: %w", err)
	}
	r.Class, r.Sample = make([]float64, classes), make([]float64, len(labels))
	for i, j := range labels {
		r.Sample[i] = r.Global[j]
		if m.Alpha < 1 { // a forced Literal may be infinite
			r.Sample[i] = m.Alpha*r.Global[j] + (1-m.Alpha)*r.Local[i]
		}
		r.Class[j] += r.Sample[i]
	}
	for j, n := range p.counts {
		r.Class[j] /= float64(n)
	}
	return r, nil
}

// area is the part of the setting that the areas go by.
func (m MSR) area() AREA { return AREA{Block: m.Block, Seed: m.Seed} }

func (m MSR) check() error {
	switch {
	case !(m.Gamma >= 0) || math.IsInf(m.Gamma, 0):
		return fmt.Errorf("msr: gamma %v, want a finite number of at least 0", m.Gamma)
	case !(m.Alpha >= 0 && m.Alpha <= 1):
		return fmt.Errorf("msr: alpha %v, want 0 to 1", m.Alpha)
	case !slices.Contains(Locals(), m.Local):
		return fmt.Errorf("msr: local weight %q, want one of %q", m.Local, Locals())
	case m.Clip != 0 && (!(m.Clip >= 1) || m.Local != AreaShift):
		return fmt.Errorf("msr: clip %v with %s, want at least 1 with %s, or 0", m.Clip, m.Local, AreaShift)
	case m.Force && m.Local != Literal:
		return fmt.Errorf("msr: force with %s, which needs none", m.Local)
	}
	return m.area().check("msr")
}

// local fills in the local weights and what they are made of.
func (m MSR) local(p *population, r *Result) (err error) {
	switch m.Local {
	case Abs:
		r.Local, err = p.abs()
		return err
	case RMS:
		r.Local, err = p.rms()
		return err
	}
	if m.Local == AreaShift || m.Local == Area {
		if r.Areas, err = p.areas(m.area()); err != nil {
			return err
		}
	}
	if m.Local != Area {
		if r.Means, err = p.correlations(); err != nil {
			return err
		}
	}
	first := -1
	for i, v := range r.Means {
		if v <= 0 {
			r.NonPositive++
			if first < 0 {
				first = i
			}
		}
	}
	if m.Local == Literal && first >= 0 && !m.Force {
		return fmt.Errorf("eq 12 read literally gives %d of %d samples, first row %d of class %d, a weight that is negative or infinite: it does so for any features; use %s, or force it",
			r.NonPositive, len(r.Means), first, p.labels[first], AreaShift)
	}
	r.Local = make([]float64, len(p.labels))
	switch m.Local {
	case Area, AreaShift:
		w := areaWeights(r.Areas)
		for i, j := range p.labels {
			r.Local[i] = w[j]
		}
		if m.Local == AreaShift {
			for i, v := range p.shape(r.Means, m.Clip) {
				r.Local[i] *= v
			}
		}
	case Shift:
		for i, v := range r.Means {
			r.Local[i] = shift(v)
		}
	case Clamp:
		for i, v := range r.Means {
			r.Local[i] = 1 / max(v, 1/float64(p.counts[p.labels[i]]))
		}
	case Literal:
		for i, v := range r.Means {
			r.Local[i] = 1 / v
		}
	}
	return nil
}

// shift is 2/(1+m): one over the mean of (1+r)/2.
func shift(m float64) float64 { return 2 / (1 + m) }

// shape is q_i/mean_j(q) of each sample, within [1/clip, clip] if clip is not
// 0.
func (p *population) shape(means []float64, clip float64) []float64 {
	q, sum := make([]float64, len(means)), make([]float64, len(p.counts))
	for i, j := range p.labels {
		q[i] = shift(means[i])
		sum[j] += q[i]
	}
	for i, j := range p.labels {
		q[i] *= float64(p.counts[j]) / sum[j]
		if clip != 0 {
			q[i] = min(max(q[i], 1/clip), clip)
		}
	}
	return q
}
