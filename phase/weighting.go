package phase

import (
	"fmt"

	"phase/phase/kind"
)

// A Weighting says what samples weigh. Its parameters are fields with the tags
// of package kind, as a Loss's are.
type Weighting interface {
	Weigh(s Samples) (Result, error)
}

// Weightings is the table of weightings. A method adds its own.
var Weightings = &kind.Table[Weighting]{What: "weighting"}

// Samples is what a weighting sees.
type Samples struct {
	Counts   []int    // N_j, the training images of each class
	Labels   []int    // of each image; nil where only counts are known
	Features Features // of each image, in the order of Labels; nil unless the weighting is a FeatureUser
}

// ByClass makes the weights of classes those of samples. It is how a weighting
// by counts ends.
func (s Samples) ByClass(class []float64, err error) (Result, error) {
	if err != nil {
		return Result{}, err
	}
	r := Result{Class: class}
	for i, y := range s.Labels {
		if y < 0 || y >= len(class) {
			return Result{}, fmt.Errorf("label %d is %d, want 0 to %d", i, y, len(class)-1)
		}
		r.Sample = append(r.Sample, class[y])
	}
	return r, nil
}

type inverse struct{}

func (inverse) Weigh(s Samples) (Result, error) { return s.ByClass(Inverse(s.Counts)) }

type effective struct {
	Beta float64 `name:"beta" range:"0..1" help:"of the effective number of samples"`
}

func (e effective) Weigh(s Samples) (Result, error) { return s.ByClass(Effective(s.Counts, e.Beta)) }

type adrw struct {
	Gamma float64 `name:"gamma" range:"0.." help:"exponent of the global weight (Eq 8), also of adrw"`
}

func (a adrw) Weigh(s Samples) (Result, error) { return s.ByClass(ADRW(s.Counts, a.Gamma)) }

// Weigh is the weight of each sample's class.
func (a AREA) Weigh(s Samples) (Result, error) {
	class, areas, err := a.Weights(s.Features, s.Labels, len(s.Counts))
	if err != nil {
		return Result{}, err
	}
	r, err := s.ByClass(class, nil)
	r.Areas = areas
	return r, err
}

// UsesFeatures says that areas are those of features.
func (AREA) UsesFeatures() {}

// Weigh is Weights.
func (m MSR) Weigh(s Samples) (Result, error) { return m.Weights(s.Features, s.Labels, len(s.Counts)) }

// UsesFeatures says that the local weight is one of features.
func (MSR) UsesFeatures() {}

func init() {
	usual := DefaultMSR()
	usual.Block = defaultBlock
	for _, k := range []kind.Kind[Weighting]{
		{Name: "inverse", Doc: "inverse frequency, 1/N_j", Of: inverse{}},
		{Name: "effective", Doc: "effective numbers of samples (Cui et al., CVPR 2019)", Of: effective{.9999}},
		{Name: "adrw", Doc: "(N_j/N)^-gamma (Wang et al., NeurIPS 2023)", Of: adrw{1}},
		{Name: "area", Doc: "inverse effective area of each class in feature space (Chen et al., ICCV 2023)", Of: AREA{Block: defaultBlock}},
		{Name: "msr", Doc: "multi-scale reweighting, stage 2 of PHASE: counts and areas and each sample's place in its class", Of: usual},
	} {
		Weightings.Add(k)
	}
}
