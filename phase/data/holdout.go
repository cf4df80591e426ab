package data

import (
	"math"
	"math/rand/v2"
	"slices"
)

// holdOut splits samples by class: of a class with n samples round(share*n),
// at least one and at most n-1, are held; a class with one sample keeps it.
// Which ones depends on the seed and the class alone, so that a class's split
// stays when others change. Both index lists are ascending.
func holdOut(labels []int, classes int, share float64, seed uint64) (stay, held []int) {
	members := make([][]int, classes)
	for i, y := range labels {
		members[y] = append(members[y], i)
	}
	for class, m := range members {
		k := max(0, min(len(m)-1, max(1, int(math.Round(share*float64(len(m)))))))
		r := rand.New(rand.NewPCG(seed, uint64(class)))
		for j, at := range r.Perm(len(m)) {
			if j < k {
				held = append(held, m[at])
			} else {
				stay = append(stay, m[at])
			}
		}
	}
	slices.Sort(stay)
	slices.Sort(held)
	return stay, held
}
