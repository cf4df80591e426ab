package data

import (
	"cmp"
	"context"
	"fmt"
	"iter"
	"math/rand/v2"
	"sync"

	"phase/tensor"
)

// A Loader turns a data set into batches, epoch by epoch. What it yields
// depends on its fields and the epoch alone: never on Workers, on scheduling,
// or on the batches asked for before.
type Loader struct {
	Data      Dataset // Images or Features
	Batch     int     // samples in a batch; 0 means 128
	Shuffle   bool    // a new order each epoch, from Seed
	Seed      uint64
	Workers   int  // goroutines that prepare batches ahead; 0 prepares each when it is asked for
	DropLast  bool // leave out a last batch that is not full
	Augment   Augment
	Again     bool // the same samples in the same order, augmented anew: a second view of them
	Normalize Normalize
	// Picks makes batches say which pixels they are of instead of holding them, for a
	// Resident to make them: Augment may crop and flip, and no more.
	Picks bool
	// Order, if set, lists the samples of an epoch in order and takes the
	// place of Shuffle. Samples may be left out and may repeat.
	Order func(epoch int) []int
}

// A Batch is some samples of a data set. It is valid until the loop over
// Epoch goes on to its next round: then its memory is used again.
type Batch struct {
	X     *tensor.Tensor // F32 (n,c,h,w) channels-last, or (n,d) of features; nil with Picks
	Pick  *tensor.Tensor // with Picks I64 (n,4), as kernels.ImageMaker has it, else nil
	Y     *tensor.Tensor // I64 (n), labels
	Index []int          // which samples of the data set these are
}

// order lists the samples of an epoch, and checks them.
func (l *Loader) order(epoch int) ([]int, error) {
	n := l.Data.Len()
	switch {
	case l.Order != nil:
		order := l.Order(epoch)
		for k, i := range order {
			if i < 0 || i >= n {
				return nil, fmt.Errorf("loader: epoch %d has sample %d at position %d, want 0 to %d", epoch, i, k, n-1)
			}
		}
		return order, nil
	case l.Shuffle:
		var pcg rand.PCG
		seedStream(&pcg, l.Seed, epoch, -1)
		return rand.New(&pcg).Perm(n), nil
	}
	order := make([]int, n)
	for i := range order {
		order[i] = i
	}
	return order, nil
}

// Len is the number of batches in an epoch of Data, for a Loader without
// Order; with it, the number depends on the list that Order returns.
func (l *Loader) Len() int { return l.batches(l.Data.Len()) }

func (l *Loader) batches(samples int) int {
	size := cmp.Or(l.Batch, 128)
	if l.DropLast {
		return samples / size
	}
	return (samples + size - 1) / size
}

// seedStream starts the random numbers of one position in an epoch's order
// (-1: of the order itself; below: of second views). It goes by position because a sampler may give
// one image several times an epoch, and each time is to look different. Each
// of the three numbers is mixed in by a round of SplitMix64 (Steele, Lea and
// Flood 2014), so that neighbours have nothing in common.
func seedStream(pcg *rand.PCG, seed uint64, epoch, position int) {
	h := mix(mix(mix(seed)+uint64(epoch)) + uint64(position))
	pcg.Seed(h, mix(h))
}

func mix(z uint64) uint64 {
	z += 0x9e3779b97f4a7c15
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return z ^ z>>31
}

func (l *Loader) check() error {
	shape := l.Data.Shape()
	switch l.Data.(type) {
	case Images:
	case Features:
		if l.Augment != (Augment{}) {
			return fmt.Errorf("loader: augmentation %+v of feature rows, want none", l.Augment)
		}
	default:
		return fmt.Errorf("loader: %T holds neither images nor features", l.Data)
	}
	if l.Batch < 0 || l.Workers < 0 {
		return fmt.Errorf("loader: batches of %d by %d workers, want at least 0 of both", l.Batch, l.Workers)
	}
	if err := l.Augment.check(); err != nil {
		return err
	}
	if _, images := l.Data.(Images); l.Picks && !(images && l.Augment.Moves()) {
		return fmt.Errorf("loader: picks of %T with augmentation %+v, want images, cropped and flipped at most", l.Data, l.Augment)
	}
	return l.Normalize.check(shape[0])
}

// Epoch iterates over the batches of an epoch, from the start-th on, so that
// training can resume in the middle. It ends after the first error: that of a
// sample, or of ctx. Its goroutines have ended when the loop has, however the
// loop ends; at most Workers+1 batches exist at a time.
func (l *Loader) Epoch(ctx context.Context, epoch, start int) iter.Seq2[*Batch, error] {
	return func(yield func(*Batch, error) bool) {
		if err := l.check(); err != nil {
			yield(nil, err)
			return
		}
		order, err := l.order(epoch)
		if err != nil {
			yield(nil, err)
			return
		}
		if start < 0 {
			yield(nil, fmt.Errorf("loader: start at batch %d, want at least 0", start))
			return
		}
		size, end := cmp.Or(l.Batch, 128), l.batches(len(order))
		part := func(k int) []int { return order[k*size : min((k+1)*size, len(order))] }
		if l.Workers == 0 {
			fill, slot := l.filler(epoch), l.newSlot(min(size, len(order)))
			for k := start; k < end; k++ {
				b, err := fill(ctx, slot, part(k), k*size)
				if !yield(b, err) || err != nil {
					return
				}
			}
			return
		}

		// Batch k is prepared in slot k mod len(slots). A slot gets its next
		// batch when the loop is done with the one before, so nothing is ever
		// overwritten and the sends below never wait.
		ctx, cancel := context.WithCancel(ctx)
		type job struct{ k, slot int }
		type result struct {
			b   *Batch
			err error
		}
		slots := make([]*slot, min(l.Workers+1, max(0, end-start)))
		ready := make([]chan result, len(slots))
		jobs := make(chan job, len(slots))
		for i := range slots {
			slots[i] = l.newSlot(min(size, len(order)))
			ready[i] = make(chan result, 1)
			jobs <- job{start + i, i}
		}
		var wg sync.WaitGroup
		for range min(l.Workers, len(slots)) {
			wg.Go(func() {
				fill := l.filler(epoch)
				for j := range jobs {
					b, err := fill(ctx, slots[j.slot], part(j.k), j.k*size)
					ready[j.slot] <- result{b, err}
				}
			})
		}
		defer func() {
			cancel()
			close(jobs)
			wg.Wait()
		}()
		for k := start; k < end; k++ {
			i := (k - start) % len(slots)
			r := <-ready[i]
			if !yield(r.b, r.err) || r.err != nil {
				return
			}
			if next := k + len(slots); next < end {
				jobs <- job{next, i}
			}
		}
	}
}

// slot is the memory of one batch.
type slot struct {
	x    []float32
	pick []int64
	y    []int64
	full Batch // over all of these; a shorter last batch gets headers of its own
}

func (l *Loader) newSlot(n int) *slot {
	s := &slot{y: make([]int64, n)}
	if l.Picks {
		s.pick = make([]int64, 4*n)
	} else {
		s.x = make([]float32, n*l.Data.Shape().Size())
	}
	s.full = l.batch(s, n)
	return s
}

func (l *Loader) batch(s *slot, n int) Batch {
	shape, y := l.Data.Shape(), tensor.Of(s.y[:n], n)
	if l.Picks {
		return Batch{Pick: tensor.Of(s.pick[:4*n], n, 4), Y: y}
	}
	x := s.x[:n*shape.Size()]
	if _, ok := l.Data.(Images); ok {
		return Batch{X: tensor.OfImages(x, n, shape[0], shape[1], shape[2]), Y: y}
	}
	return Batch{X: tensor.Of(x, n, shape[0]), Y: y}
}

// filler makes a function that prepares batches of an epoch, with scratch
// memory of its own. first is the position in the epoch of index[0].
func (l *Loader) filler(epoch int) func(ctx context.Context, s *slot, index []int, first int) (*Batch, error) {
	size := l.Data.Shape().Size()
	var sample func(dst []float32, i, position int) error
	pick := l.picker(epoch)
	switch ds := l.Data.(type) {
	case Images:
		sample = l.imageFiller(ds, epoch)
	case Features:
		sample = l.rowFiller(ds)
	}
	return func(ctx context.Context, s *slot, index []int, first int) (*Batch, error) {
		b := s.full
		if len(index) < len(s.y) {
			b = l.batch(s, len(index))
		}
		b.Index = index
		for k, i := range index {
			if err := ctx.Err(); err != nil {
				return nil, err
			}
			if l.Picks {
				pick(s.pick[4*k:], i, first+k)
			} else if err := sample(s.x[k*size:(k+1)*size], i, first+k); err != nil {
				return nil, err
			}
			s.y[k] = int64(l.Data.Label(i))
		}
		return &b, nil
	}
}

func (l *Loader) imageFiller(ds Images, epoch int) func([]float32, int, int) error {
	shape := ds.Shape()
	c, h, w := shape[0], shape[1], shape[2]
	norm := l.Normalize.table(c)
	raw, changed := make([]uint8, shape.Size()), make([]uint8, shape.Size())
	var pcg rand.PCG
	r := rand.New(&pcg)
	return func(dst []float32, i, position int) error {
		if err := ds.Pixels(i, raw); err != nil {
			return err
		}
		if l.Augment == (Augment{}) {
			norm.apply(dst, raw)
			return nil
		}
		l.seed(&pcg, epoch, position)
		l.Augment.apply(r, changed, raw, h, w, c)
		norm.apply(dst, changed)
		l.Augment.cut(r, dst, h, w, c)
		return nil
	}
}

// seed starts the random numbers of the image at a position.
func (l *Loader) seed(pcg *rand.PCG, epoch, position int) {
	if l.Again {
		position = -2 - position // -1 is the order's
	}
	seedStream(pcg, l.Seed, epoch, position)
}

// picker makes a function that says which pixels imageFiller's would take.
func (l *Loader) picker(epoch int) func(dst []int64, i, position int) {
	var pcg rand.PCG
	r := rand.New(&pcg)
	return func(dst []int64, i, position int) {
		l.seed(&pcg, epoch, position)
		dy, dx, flip := l.Augment.draw(r)
		dst[0], dst[1], dst[2], dst[3] = int64(i), int64(dy), int64(dx), 0
		if flip {
			dst[3] = 1
		}
	}
}

func (l *Loader) rowFiller(ds Features) func([]float32, int, int) error {
	return func(dst []float32, i, _ int) error {
		if err := ds.Row(i, dst); err != nil {
			return err
		}
		for c := range l.Normalize.Mean {
			dst[c] = (dst[c] - l.Normalize.Mean[c]) / l.Normalize.Std[c]
		}
		return nil
	}
}
