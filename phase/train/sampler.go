package train

import (
	"math/rand/v2"
	"sort"

	"phase/phase/kind"
)

// A Sampler says how the images of an epoch are drawn.
type Sampler interface {
	// Classes is the probability of each class at progress, 0 at the first epoch
	// of a stage, towards 1 at its last; nil draws every image once, in random
	// order. counts are the training images of each class.
	Classes(counts []int, progress float64) []float64
}

// Samplers is the table of samplers. A method adds its own.
var Samplers = &kind.Table[Sampler]{What: "sampler"}

var _ = Samplers.Add(kind.Kind[Sampler]{Name: "shuffle", Doc: "every image once an epoch, in random order", Of: shuffle{}})

type shuffle struct{}

func (shuffle) Classes([]int, float64) []float64 { return nil }

// Order makes a Loader's Order of a sampler, for a set with these labels; nil
// leaves the loader to shuffle. counts are the training images of each class. An
// epoch has n images. A class is drawn for each, and the class's images come in
// turns, in an order that is drawn anew when they have all been seen; a class
// that the set has no image of is not drawn. first is the stage's first epoch,
// epochs its length.
func Order(s Sampler, labels, counts []int, n int, seed uint64, first, epochs int) func(epoch int) []int {
	if s.Classes(counts, 0) == nil {
		return nil
	}
	byClass := make([][]int, len(counts))
	for i, y := range labels {
		byClass[y] = append(byClass[y], i)
	}
	return func(epoch int) []int {
		p := s.Classes(counts, float64(epoch-first)/float64(epochs))
		up := make([]float64, len(p)) // cumulative
		total := 0.0
		for j, v := range p {
			if len(byClass[j]) > 0 {
				total += v
			}
			up[j] = total
		}
		r := rand.New(rand.NewPCG(seed, 4+uint64(epoch)))
		queue := make([][]int, len(counts))
		out := make([]int, n)
		for k := range out {
			u := r.Float64() * total
			j := min(sort.Search(len(up), func(j int) bool { return up[j] > u }), len(up)-1)
			if len(queue[j]) == 0 {
				for _, at := range r.Perm(len(byClass[j])) {
					queue[j] = append(queue[j], byClass[j][at])
				}
			}
			out[k], queue[j] = queue[j][0], queue[j][1:]
		}
		return out
	}
}
