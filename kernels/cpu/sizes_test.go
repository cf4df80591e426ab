package cpu

import (
	"testing"

	"phase/kernels"
)

// TestEverySize has every height and width from 1 to 35 with few channels, and
// every number of channels from 1 to 40, and beyond 1000, with small images:
// kernels for whole vectors, strips and tiles end somewhere in each of them.
func TestEverySize(t *testing.T) {
	all := append(backends(t), exactBackends(t)...)
	ways := []kernels.Conv2D{{Pad: 1}, {Stride: 2, Pad: 1}}
	for h := 1; h <= 35; h++ {
		for w := 1; w <= 35; w++ {
			if testing.Short() && (h*w)%7 != 1 {
				continue
			}
			convCase{ways[(h+w)%2], 1, 1 + (h+w)%3, h, w, 1 + w%4, 3, 3}.check(t, all)
		}
	}
	for c := 1; c <= 40; c++ {
		for i, o := range []int{1 + c*7%40, 41 - c} {
			convCase{ways[(c+i)%2], 2, c, 5, 4 + c%5, o, 3, 3}.check(t, all)
			convCase{kernels.Conv2D{Stride: 1 + (c+i)%2}, 2, c, 3, 5, o, 1, 1}.check(t, all)
		}
	}
	for _, q := range []convCase{
		{ways[0], 1, 1025, 2, 4, 3, 3, 3}, {ways[0], 1, 3, 4, 2, 1025, 3, 3},
		{ways[1], 1, 1030, 3, 3, 2, 3, 3}, {ways[0], 1, 1040, 4, 4, 16, 3, 3}, {ways[0], 1, 16, 4, 4, 1040, 3, 3},
		{kernels.Conv2D{}, 1, 1025, 2, 2, 1031, 1, 1}, {kernels.Conv2D{Stride: 2}, 1, 2048, 3, 2, 17, 1, 1},
	} {
		q.check(t, all)
	}
}
