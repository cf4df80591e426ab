package methods_test

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"phase/phase/data"
	"phase/phase/train"
)

// sampler is the sampler of that name, with these parameters.
func sampler(t *testing.T, name string, params map[string]string) train.Sampler {
	t.Helper()
	k, err := train.Samplers.Find(name)
	if err != nil {
		t.Fatal(err)
	}
	s, err := k.With(func(name string) (string, bool) { v, ok := params[name]; return v, ok })
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// drawn is what samplers make of 100, 50, 10 and 5 images.
var drawn = []struct {
	name     string
	params   map[string]string
	progress float64
	want     []float64
}{
	{"balanced", nil, 0, []float64{.25, .25, .25, .25}},
	{"sqrt", nil, 0, []float64{.4450494457, .314697481, .140736992, .09951608138}},
	{"progressive", nil, 0, []float64{100. / 165, 50. / 165, 10. / 165, 5. / 165}},
	{"progressive", nil, .25, []float64{.5170454545, .2897727273, .1079545455, .08522727273}},
	{"reversed", nil, 0, []float64{.0303030303, .06060606061, .303030303, .6060606061}},
	{"effective", nil, 0, []float64{.2507343211, .2501090186, .2496095251, .2495471352}},
	{"effective", map[string]string{"beta": "0.9"}, 0, []float64{.5623662165, .2826322628, .08634003753, .06866148315}},
	{"effective", map[string]string{"beta": "1"}, 0, []float64{.25, .25, .25, .25}},
	{"effective", map[string]string{"beta": "0"}, 0, []float64{100. / 165, 50. / 165, 10. / 165, 5. / 165}},
}

// Probabilities are those of the formulas, and a class without images has none.
func TestSamplerFormulas(t *testing.T) {
	for _, d := range drawn {
		s := sampler(t, d.name, d.params)
		for counts, want := range map[*[]int][]float64{
			{100, 50, 10, 5}:    d.want,
			{100, 50, 0, 10, 5}: slices.Insert(slices.Clone(d.want), 2, 0),
		} {
			if d.name == "progressive" && len(*counts) == 5 {
				continue // a share of 1/C of five classes is another
			}
			for j, p := range s.Classes(*counts, d.progress) {
				if math.Abs(p-want[j]) > 1e-9 {
					t.Errorf("%s %v at %g of %v: class %d has %.10g, want %.10g", d.name, d.params, d.progress, *counts, j, p, want[j])
				}
			}
		}
	}
	for _, k := range train.Samplers.All() {
		for _, p := range k.Of.Classes([]int{7, 7}, .5) { // nil of the plain one
			if p != .5 {
				t.Errorf("%s: a probability of %g in two classes alike", k.Name, p)
			}
		}
	}
}

// Many draws have the sampler's frequencies, and within a class no image is
// drawn twice before every other has been drawn once.
func TestSamplerFrequencies(t *testing.T) {
	counts := []int{100, 50, 10, 5}
	var labels []int
	for j, n := range counts {
		labels = append(labels, slices.Repeat([]int{j}, n)...)
	}
	r := rand.New(rand.NewPCG(1, 1))
	r.Shuffle(len(labels), func(i, j int) { labels[i], labels[j] = labels[j], labels[i] })
	for _, d := range drawn {
		const n = 20000
		const first, epochs = 8, 4
		epoch := first + int(d.progress*epochs)
		order := train.Order(sampler(t, d.name, d.params), labels, counts, n, 3, first, epochs)(epoch)
		class, image := make([]float64, len(counts)), make([]int, len(labels))
		for _, i := range order {
			class[labels[i]]++
			image[i]++
		}
		chi := 0.
		for j, p := range d.want {
			chi += (class[j] - n*p) * (class[j] - n*p) / (n * p)
		}
		if len(order) != n || chi > 16.3 { // exceeded by one in a thousand, of 3 degrees of freedom
			t.Errorf("%s %v: %d draws of %v, want %v of each: chi-square %g", d.name, d.params, len(order), class, d.want, chi)
		}
		for j := range counts {
			least, most := math.MaxInt, 0
			for i, y := range labels {
				if y == j {
					least, most = min(least, image[i]), max(most, image[i])
				}
			}
			if most > least+1 {
				t.Errorf("%s: images of class %d are drawn %d to %d times", d.name, j, least, most)
			}
		}
	}
}

// The order of an epoch depends on neither workers nor where one begins, and
// another epoch or seed has another.
func TestSamplerOrder(t *testing.T) {
	labels := []int{0, 0, 0, 0, 0, 0, 1, 1, 2, 0, 1}
	rows, err := data.NewFeatures(make([]float32, len(labels)), 1, labels, []string{"a", "b", "c"})
	if err != nil {
		t.Fatal(err)
	}
	index := func(seed uint64, epoch, start, workers int) (all []int) {
		l := data.Loader{Data: rows, Batch: 2, Seed: seed, Workers: workers,
			Order: train.Order(sampler(t, "balanced", nil), labels, data.Counts(rows), len(labels), seed, 0, 5)}
		for b, err := range l.Epoch(t.Context(), epoch, start) {
			if err != nil {
				t.Fatal(err)
			}
			all = append(all, b.Index...)
		}
		return all
	}
	want := index(1, 2, 0, 0)
	if got := index(1, 2, 0, 3); !slices.Equal(got, want) {
		t.Errorf("three workers draw %v, none %v", got, want)
	}
	if got := index(1, 2, 3, 1); !slices.Equal(got, want[6:]) {
		t.Errorf("from the fourth batch on %v, want %v", got, want[6:])
	}
	if slices.Equal(index(1, 3, 0, 0), want) || slices.Equal(index(2, 2, 0, 0), want) {
		t.Error("another epoch or another seed draws the same")
	}
}
