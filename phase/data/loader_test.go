package data

import (
	"context"
	"errors"
	"math/rand/v2"
	"runtime"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"phase/tensor"
)

// copied is a Batch that outlives the loop.
type copied struct {
	x     []float32
	shape tensor.Shape
	y     []int64
	index []int
}

func collect(t *testing.T, l *Loader, epoch, start int) (out []copied) {
	t.Helper()
	for b, err := range l.Epoch(t.Context(), epoch, start) {
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, copied{slices.Clone(tensor.Data[float32](b.X)), slices.Clone(b.X.Shape()), slices.Clone(tensor.Data[int64](b.Y)), slices.Clone(b.Index)})
	}
	return out
}

func same(a, b copied) bool {
	return slices.Equal(a.x, b.x) && a.shape.Equal(b.shape) && slices.Equal(a.y, b.y) && slices.Equal(a.index, b.index)
}

func ten(t *testing.T) Images {
	return mustOpen(t, Spec{Data: "cifar10", Dirs: []string{"testdata"}}).Train.(Images)
}

func TestLoaderPlain(t *testing.T) {
	l := &Loader{Data: ten(t), Batch: 4, Normalize: cifarNorm()}
	got := collect(t, l, 0, 0)
	if len(got) != 3 || l.Len() != 3 {
		t.Fatalf("%d batches, Len %d, want 3", len(got), l.Len())
	}
	k := 0
	for b, want := range []tensor.Shape{{4, 3, 32, 32}, {4, 3, 32, 32}, {2, 3, 32, 32}} {
		if !got[b].shape.Equal(want) {
			t.Errorf("batch %d has shape %v, want %v", b, got[b].shape, want)
		}
		for i := range got[b].y {
			if got[b].index[i] != k || got[b].y[i] != int64(k) {
				t.Errorf("batch %d, place %d: sample %d with label %d, want %d twice", b, i, got[b].index[i], got[b].y[i], k)
			}
			// Channels lie side by side, and a value is (v/255 - mean) / std.
			for _, p := range [][3]int{{0, 0, 0}, {31, 31, 2}, {7, 20, 1}} {
				v := got[b].x[((i*32+p[0])*32+p[1])*3+p[2]]
				n := cifarNorm()
				want := float32((float64(px(k, p[0], p[1], p[2]))/255 - float64(n.Mean[p[2]])) / float64(n.Std[p[2]]))
				if v != want {
					t.Errorf("sample %d, pixel %v: %v, want %v", k, p, v, want)
				}
			}
			k++
		}
	}
	for b, err := range l.Epoch(t.Context(), 0, 0) {
		if err != nil || !b.X.IsImages() {
			t.Errorf("not channels-last: strides %v, %v", b.X.Strides(), err)
		}
	}
	l.DropLast = true
	if got := collect(t, l, 0, 0); len(got) != 2 || l.Len() != 2 {
		t.Errorf("%d batches, Len %d without the last, want 2", len(got), l.Len())
	}
	l = &Loader{Data: ten(t)}
	if got := collect(t, l, 0, 0); len(got) != 1 || len(got[0].y) != 10 {
		t.Errorf("default batch: %d batches", len(got))
	}
}

// What is padded is black before it is normalised, as in torchvision.
func TestPaddingIsBlackNotZero(t *testing.T) {
	white, err := NewImages(slices.Repeat([]uint8{255}, 4*4*3), 4, 4, 3, []int{0}, []string{"a"})
	if err != nil {
		t.Fatal(err)
	}
	n := cifarNorm()
	l := &Loader{Data: white, Augment: Augment{Crop: 4}, Normalize: n, Order: func(int) []int { return make([]int, 50) }}
	black := 0
	for _, b := range collect(t, l, 0, 0) {
		for i := 0; i < len(b.x); i += 3 {
			switch b.x[i] {
			case (0 - n.Mean[0]) / n.Std[0]:
				black++
			case (1 - n.Mean[0]) / n.Std[0]:
			default:
				t.Fatalf("value %v is neither black nor white", b.x[i])
			}
		}
	}
	if black == 0 {
		t.Error("no crop reached over the edge")
	}
}

// One seed, one result: bit for bit, whatever the number of workers and
// processors, and wherever in the epoch one starts.
func TestLoaderDoesNotDependOnWorkers(t *testing.T) {
	p := mustOpen(t, Spec{Data: "fashion"})
	part := Subset(p.Train, rand.New(rand.NewPCG(1, 1)).Perm(p.Train.Len())[:250])
	l := Loader{Data: part, Batch: 16, Shuffle: true, Seed: 9, Augment: Augment{Crop: 4, Flip: true, AutoAugment: true, Jitter: Jitter{.4, .4, .4}, Cutout: 14}, Normalize: p.Normalize}
	want := collect(t, &l, 3, 0)
	for _, procs := range []int{1, 2, 4} {
		defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(procs))
		for _, workers := range []int{0, 1, 4, 7} {
			l := l
			l.Workers = workers
			for _, start := range []int{0, 5, len(want) - 1, len(want)} {
				got := collect(t, &l, 3, start)
				if !slices.EqualFunc(got, want[start:], same) {
					t.Errorf("%d processors, %d workers, from batch %d: other batches", procs, workers, start)
				}
			}
		}
	}
	again := collect(t, &l, 3, 0)
	other := collect(t, &l, 4, 0)
	l.Seed = 10
	reseeded := collect(t, &l, 3, 0)
	if !same(again[0], want[0]) || same(other[0], want[0]) || same(reseeded[0], want[0]) {
		t.Error("an epoch is not a function of seed and number, or the same for all")
	}
	seen := make([]int, part.Len())
	for _, b := range other {
		for _, i := range b.index {
			seen[i]++
		}
	}
	if slices.Min(seen) != 1 || slices.Max(seen) != 1 {
		t.Error("an epoch does not have each sample once")
	}
}

// A second view is the same samples in the same order, of which each looks another
// way, and it is no first view of another position or epoch.
func TestSecondView(t *testing.T) {
	augment, err := ParseAugment("crop-flip", 32)
	if err != nil {
		t.Fatal(err)
	}
	l := &Loader{Data: ten(t), Batch: 4, Shuffle: true, Seed: 5, Augment: augment}
	first := collect(t, l, 1, 0)
	l.Again = true
	for k, b := range collect(t, l, 1, 0) {
		a, size := first[k], 3*32*32
		if !slices.Equal(a.y, b.y) || !slices.Equal(a.index, b.index) {
			t.Errorf("batch %d: samples %v, then %v", k, a.index, b.index)
		}
		alike := 0
		for i := range a.y {
			if slices.Equal(a.x[i*size:(i+1)*size], b.x[i*size:(i+1)*size]) {
				alike++ // one in 162 by chance
			}
		}
		if alike > 1 {
			t.Errorf("batch %d: %d of %d images look as before", k, alike, len(a.y))
		}
	}
	l.Augment = Augment{}
	again := collect(t, l, 1, 0)
	l.Again = false
	for k, b := range collect(t, l, 1, 0) {
		if !same(again[k], b) {
			t.Errorf("batch %d: without augmentation two views differ", k)
		}
	}
}

func TestShuffleIsUniform(t *testing.T) {
	l := &Loader{Data: ten(t), Shuffle: true, Seed: 1}
	var count [10][10]float64
	const n = 2000
	for epoch := range n {
		order, err := l.order(epoch)
		if err != nil {
			t.Fatal(err)
		}
		for place, i := range order {
			count[place][i]++
		}
	}
	chi2 := 0.0
	for _, row := range count {
		for _, m := range row {
			chi2 += (m - n/10) * (m - n/10) / (n / 10)
		}
	}
	if chi2 > 81+4*13 || chi2 < 81-4*13 { // 81 degrees of freedom, deviation 12.7
		t.Errorf("chi-square %.1f, want 81 within 52", chi2)
	}
}

// A sampler may repeat a sample; each time it is augmented anew.
func TestOrder(t *testing.T) {
	l := &Loader{Data: ten(t), Batch: 3, Workers: 2, Augment: Augment{Crop: 4, Flip: true}, Order: func(epoch int) []int { return []int{7, 7, 7, 7, epoch} }}
	got := collect(t, l, 2, 0)
	if len(got) != 2 || !slices.Equal(got[0].index, []int{7, 7, 7}) || !slices.Equal(got[1].y, []int64{7, 2}) {
		t.Fatalf("%d batches, %v", len(got), got[0].index)
	}
	size := len(got[0].x) / 3
	if slices.Equal(got[0].x[:size], got[0].x[size:2*size]) && slices.Equal(got[0].x[:size], got[0].x[2*size:]) {
		t.Error("three augmentations of one image are equal")
	}
	l.Order = func(int) []int { return []int{0, 10} }
	for _, err := range l.Epoch(t.Context(), 0, 0) {
		wantError(t, err, "sample 10 at position 1", "0 to 9")
	}
	l.Order = func(int) []int { return nil }
	if got := collect(t, l, 0, 0); len(got) != 0 {
		t.Errorf("%d batches of nothing", len(got))
	}
}

func TestLoaderOfFeatures(t *testing.T) {
	f, err := NewFeatures([]float32{1, 2, 3, 4, 5, 6}, 2, []int{0, 1, 1}, []string{"a", "b"})
	if err != nil {
		t.Fatal(err)
	}
	for _, workers := range []int{0, 2} {
		got := collect(t, &Loader{Data: f, Batch: 2, Workers: workers, Normalize: Normalize{[]float32{1, 2}, []float32{2, 4}}}, 0, 0)
		if len(got) != 2 || !got[0].shape.Equal(tensor.Shape{2, 2}) || !slices.Equal(got[0].x, []float32{0, 0, 1, .5}) || !slices.Equal(got[1].x, []float32{2, 1}) {
			t.Errorf("%+v", got)
		}
	}
	for _, err := range (&Loader{Data: f, Augment: Augment{Flip: true}}).Epoch(t.Context(), 0, 0) {
		wantError(t, err, "feature rows")
	}
}

// slow is a data set that counts reads, and fails or waits where told.
type slow struct {
	Images
	reads  atomic.Int64
	active atomic.Int64
	failAt int
	wait   time.Duration
}

func (s *slow) Pixels(i int, dst []uint8) error {
	s.reads.Add(1)
	s.active.Add(1)
	defer s.active.Add(-1)
	time.Sleep(s.wait)
	if i == s.failAt {
		return errors.New("image is broken")
	}
	return s.Images.Pixels(i, dst)
}

func TestLoaderEndsItsGoroutines(t *testing.T) {
	before := runtime.NumGoroutine()
	for _, workers := range []int{0, 1, 4} {
		for _, stop := range []string{"break", "error", "cancel", "end", "panic"} {
			ds := &slow{Images: ten(t), failAt: -1, wait: 200 * time.Microsecond}
			if stop == "error" {
				ds.failAt = 5
			}
			ctx, cancel := context.WithCancel(t.Context())
			l := &Loader{Data: ds, Batch: 2, Workers: workers}
			n := 0
			var last error
			func() {
				defer func() { recover() }()
				for _, err := range l.Epoch(ctx, 0, 0) {
					if last = err; err != nil {
						continue // the loop must end of itself
					}
					switch n++; {
					case stop == "break" && n == 2:
						return
					case stop == "cancel" && n == 2:
						cancel()
					case stop == "panic" && n == 2:
						panic("in the loop")
					}
				}
			}()
			if m := ds.active.Load(); m != 0 {
				t.Errorf("%d workers, %s: the loop has ended, but %d still read", workers, stop, m)
			}
			cancel()
			switch {
			case stop == "error":
				wantError(t, last, "image is broken")
				if n != 2 {
					t.Errorf("%d workers: %d batches before the error, want 2", workers, n)
				}
			case stop == "cancel" && !(errors.Is(last, context.Canceled) || workers > 0 && n == 5):
				t.Errorf("%d workers: cancelled, but the last error is %v after %d batches", workers, last, n)
			case stop == "end" && n != 5:
				t.Errorf("%d workers: %d batches, want 5", workers, n)
			}
		}
	}
	for wait := 0; runtime.NumGoroutine() > before; wait++ {
		if wait == 100 {
			t.Fatalf("%d goroutines, %d before", runtime.NumGoroutine(), before)
		}
		time.Sleep(time.Millisecond)
	}
}

// A consumer that stands still is not run over: at most Workers+1 batches are
// prepared, and the one in hand does not change.
func TestLoaderIsBounded(t *testing.T) {
	p := mustOpen(t, Spec{Data: "fashion"})
	ds := &slow{Images: p.Train.(Images), failAt: -1}
	const workers, batch = 3, 8
	n := 0
	for b, err := range (&Loader{Data: ds, Batch: batch, Workers: workers}).Epoch(t.Context(), 0, 0) {
		if err != nil {
			t.Fatal(err)
		}
		was := slices.Clone(tensor.Data[float32](b.X))
		time.Sleep(5 * time.Millisecond)
		if !slices.Equal(was, tensor.Data[float32](b.X)) {
			t.Fatal("the batch changed in the consumer's hands")
		}
		if got, most := int(ds.reads.Load()), (n+workers+1)*batch; got > most {
			t.Fatalf("%d samples read at batch %d, want at most %d", got, n, most)
		}
		if n++; n == 20 {
			break
		}
	}
}

func TestLoaderRefuses(t *testing.T) {
	ds := ten(t)
	for say, l := range map[string]*Loader{
		"batches of -1": {Data: ds, Batch: -1},
		"-2 workers":    {Data: ds, Workers: -2},
		"padding -1":    {Data: ds, Augment: Augment{Crop: -1}},
		"hole of -2":    {Data: ds, Augment: Augment{Cutout: -2}},
		"0 to 1":        {Data: ds, Augment: Augment{Jitter: Jitter{Contrast: 2}}},
		"1 means":       {Data: ds, Normalize: Normalize{[]float32{0}, []float32{1}}},
		"neither":       {Data: struct{ Dataset }{ds}},
	} {
		n := 0
		for b, err := range l.Epoch(t.Context(), 0, 0) {
			n++
			if b != nil {
				t.Error("a batch beside the error")
			}
			wantError(t, err, say)
		}
		if n != 1 {
			t.Errorf("%s: %d rounds, want 1", say, n)
		}
	}
	for _, err := range (&Loader{Data: ds}).Epoch(t.Context(), 0, -1) {
		wantError(t, err, "batch -1")
	}
}

// A steady epoch asks for next to no memory a batch.
func TestLoaderAllocatesLittle(t *testing.T) {
	p := mustOpen(t, Spec{Data: "fashion"})
	for _, workers := range []int{0, 2} {
		l := &Loader{Data: p.Train, Batch: 32, Workers: workers, Augment: Augment{Crop: 4, Flip: true}, Normalize: p.Normalize}
		run := func(batches int) uint64 {
			l.Order = func(int) []int { return make([]int, 32*batches) }
			return allocated(func() {
				for _, err := range l.Epoch(t.Context(), 0, 0) {
					if err != nil {
						t.Fatal(err)
					}
				}
			})
		}
		short, long := run(20), run(220)
		order := uint64(8 * 32 * 200)
		if each := (float64(long) - float64(short) - float64(order)) / 200; each > 1024 {
			t.Errorf("%d workers: %.0f bytes a batch, want at most 1024", workers, each)
		}
	}
}

func BenchmarkCropFlip128(b *testing.B) {
	pix := make([]uint8, 128*3072)
	for i := range pix {
		pix[i] = uint8(rand.Uint32())
	}
	ds, err := NewImages(pix, 32, 32, 3, make([]int, 128), []string{"a"})
	if err != nil {
		b.Fatal(err)
	}
	l := &Loader{Data: ds, Augment: Augment{Crop: 4, Flip: true}, Normalize: cifarNorm()}
	fill, s, index := l.filler(0), l.newSlot(128), make([]int, 128)
	for b.Loop() {
		if _, err := fill(context.Background(), s, index, 0); err != nil {
			b.Fatal(err)
		}
	}
}
