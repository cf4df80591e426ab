package data

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"path/filepath"
	"slices"
	"strings"
	"sync"
)

// Spec says which data set Open reads and how. Only Data is needed.
type Spec struct {
	// Data is a name of Known, or has one of the forms of Kinds.
	Data string
	// Dirs are the folders in which named data sets are looked for, the first
	// that has one wins.
	Dirs []string
	// Holdout is the share of each class that becomes the test set where a
	// folder, list or feature file has none of its own; 0 means 0.2.
	Holdout float64
	// Seed chooses which samples are held out.
	Seed uint64
	// Size is the height and width that images are resized to; 0 keeps their
	// own, which must then be the same for all.
	Size int
	// MaxPixels is the largest image file accepted, in pixels, before
	// resizing; 0 means the constant MaxPixels.
	MaxPixels int
	// SkipBad leaves out image files that cannot be read instead of failing.
	SkipBad bool
	// CacheBytes is how much memory the decoded image files of a training or
	// test set may take; of a larger set the first images are kept and the
	// others decoded again each time, to the same pixels. 0 means 2 GiB, a
	// negative number no cache.
	CacheBytes int64
	// Progress, if set, is called while image files are read, one call at a
	// time: done of them have been, training and test set together.
	Progress func(done, of int)
}

func (s Spec) cache() int64 {
	if s.CacheBytes == 0 {
		return min(2<<30, math.MaxInt)
	}
	return min(s.CacheBytes, math.MaxInt)
}

const maxSize = 1 << 14

func (s Spec) check() error {
	switch {
	case s.Size < 0 || s.Size > maxSize:
		return fmt.Errorf("image size %d, want 1 to %d, or 0 for the images' own", s.Size, maxSize)
	case !(s.Holdout >= 0 && s.Holdout < 1):
		return fmt.Errorf("holdout %v, want a share of at least 0 and less than 1", s.Holdout)
	case s.MaxPixels < 0:
		return fmt.Errorf("image limit of %d pixels, want at least 1, or 0 for %d", s.MaxPixels, MaxPixels)
	}
	return nil
}

// A Pair is a training set and the test set that belongs to it. Both have the
// same classes and shape, and every class has training samples.
type Pair struct {
	Train, Test Dataset
	Normalize   Normalize // what is usual for this data
	Skipped     []BadFile // what SkipBad left out, training files first
}

// A BadFile is a file that was left out, and why; the reason names the file.
type BadFile struct {
	Path string
	Err  error
}

// Info describes a data set that has a name.
type Info struct {
	Name, About string
	Folder      string // the folder looked for; "" if the set is embedded
	Expects     string // a file in Folder that says that it is there
	Train, Test int    // images of the complete set
	Classes     int
	H, W, C     int
	open        opener
}

// An opener opens a data set that lies in a folder.
type opener func(context.Context, folder, Spec) (*Pair, error)

// Known lists the data sets that have names.
func Known() []Info {
	return []Info{
		{"fashion", "Fashion-MNIST, long-tailed (imbalance 100), embedded in the program", "", "", 1485, 1000, 10, 28, 28, 1, nil},
		{"cifar10", "CIFAR-10, binary version: small colour images of 10 classes", "cifar-10-batches-bin", "test_batch.bin", 50000, 10000, 10, 32, 32, 3, inMemory(cifar10.open, cifarNorm)},
		{"cifar100", "CIFAR-100, binary version: small colour images of 100 classes", "cifar-100-binary", "train.bin", 50000, 10000, 100, 32, 32, 3, inMemory(cifar100.open, cifarNorm)},
		{"tinyimagenet", "Tiny-ImageNet-200: 64x64 photographs of 200 classes", "tiny-imagenet-200", "val/val_annotations.txt", 100000, 10000, 200, 64, 64, 3, inFiles(listTinyImageNet)},
		{"fashion-mnist", "Fashion-MNIST, complete: articles of clothing in grey", "fashion-mnist", "train-images-idx3-ubyte.gz", 60000, 10000, 10, 28, 28, 1, inMemory(openFashionMNIST, nil)},
		{"mnist", "MNIST: handwritten digits", "mnist", "train-images-idx3-ubyte.gz", 60000, 10000, 10, 28, 28, 1, inMemory(openIDX, nil)},
	}
}

// A Kind is a layout of data that anybody may bring.
type Kind struct {
	Form, About string
}

// Kinds lists the forms of a Spec's Data that are a kind, a colon and paths.
func Kinds() []Kind {
	return []Kind{
		{"folder:DIR", "images in DIR/train/CLASS/ with DIR/test/CLASS/ or DIR/val/CLASS/, or in DIR/CLASS/ alone, of which a share is held out"},
		{"list:TRAIN[,TEST[,ROOT[,NAMES]]]", "files of lines `path label`, as ImageNet-LT's: paths are below ROOT, or below each list's own folder; labels are names, or numbers from 0, then NAMES has a line for each class; without TEST a share is held out"},
		{"idx:DIR", "the four files of MNIST, gzipped or not"},
		{"features:FILE.npz", "arrays x (n,d) and y (n) of embeddings made elsewhere; x_test and y_test, or a share is held out"},
	}
}

// Open reads the data set that spec names. Everything is checked before it
// returns: every file has been read once, labels are in range, every class has
// training samples. The error says which file, and where in it; it is ctx's if
// that is done before.
func Open(ctx context.Context, spec Spec) (*Pair, error) {
	if err := spec.check(); err != nil {
		return nil, err
	}
	pair, err := open(ctx, spec)
	if err != nil {
		return nil, err
	}
	for class, n := range Counts(pair.Train) {
		if n == 0 {
			return nil, fmt.Errorf("%s: class %d (%s) has no training samples", spec.Data, class, pair.Train.Classes()[class])
		}
	}
	return pair, nil
}

func open(ctx context.Context, spec Spec) (*Pair, error) {
	kind, path, isPath := strings.Cut(spec.Data, ":")
	if !isPath {
		return openKnown(ctx, spec)
	}
	if path == "" {
		return nil, fmt.Errorf("data %q: no path after the colon", spec.Data)
	}
	switch kind {
	case "idx":
		return openIn(ctx, path, inMemory(openIDX, nil), spec)
	case "features":
		return openFeatures(path, spec)
	case "folder":
		return openIn(ctx, path, inFiles(listFolder), spec)
	case "list":
		files, err := parseListFiles(path)
		if err != nil {
			return nil, err
		}
		return openIn(ctx, files.folder(), inFiles(files.list), spec)
	}
	return nil, fmt.Errorf("data %q: kind %q, want folder, list, idx or features", spec.Data, kind)
}

func openIn(ctx context.Context, dir string, open opener, spec Spec) (*Pair, error) {
	f, err := openFolder(dir)
	if err != nil {
		return nil, err
	}
	return open(ctx, f, spec)
}

func openKnown(ctx context.Context, spec Spec) (*Pair, error) {
	var names []string
	for _, k := range Known() {
		names = append(names, k.Name)
		if k.Name != spec.Data {
			continue
		}
		if k.Folder == "" {
			return inMemory(func(folder) (train, test *memoryImages, err error) { return openFashion() }, fashionNorm)(ctx, folder{}, spec)
		}
		dir, err := k.Find(spec.Dirs)
		if err != nil {
			return nil, err
		}
		return openIn(ctx, dir, k.open, spec)
	}
	return nil, fmt.Errorf("data %q: no such data set, want one of %s, or a kind and a path (folder:, list:, idx:, features:)",
		spec.Data, strings.Join(names, ", "))
}

// Find is the folder of a data set that is not embedded: the first DIR/Folder,
// or DIR itself if that is its name, that has the expected file. The error
// lists where it was looked for.
func (k Info) Find(dirs []string) (string, error) {
	var tried []string
	for _, dir := range dirs {
		try := []string{filepath.Join(dir, k.Folder)}
		if filepath.Base(dir) == k.Folder {
			try = append(try, dir)
		}
		for _, at := range try {
			f, err := openFolder(at)
			if err == nil && f.has(k.Expects) {
				return at, nil
			}
			if err != nil && !errors.Is(err, fs.ErrNotExist) {
				return "", err
			}
			tried = append(tried, filepath.Join(at, filepath.FromSlash(k.Expects)))
		}
	}
	if len(tried) == 0 {
		return "", fmt.Errorf("data %s: no folder to look for %s in", k.Name, k.Folder)
	}
	return "", fmt.Errorf("data %s: not found, looked for %s", k.Name, strings.Join(tried, " and "))
}

// inMemory opens a data set whose readers return all pixels.
func inMemory(read func(folder) (train, test *memoryImages, err error), norm func() Normalize) opener {
	return func(ctx context.Context, f folder, spec Spec) (*Pair, error) {
		train, test, err := read(f)
		if err != nil {
			return nil, err
		}
		if !slices.Equal(train.shape, test.shape) && spec.Size == 0 {
			return nil, fmt.Errorf("%s: training images %v, test images %v: say one size for both", f.path, train.shape, test.shape)
		}
		if spec.Size > 0 {
			if train, err = train.resized(ctx, spec.Size, spec.Size); err != nil {
				return nil, err
			}
			if test, err = test.resized(ctx, spec.Size, spec.Size); err != nil {
				return nil, err
			}
		}
		pair := &Pair{Train: train, Test: test}
		if norm != nil {
			pair.Normalize = norm()
			return pair, nil
		}
		pair.Normalize, err = Statistics(train)
		return pair, err
	}
}

// inFiles opens a data set of image files that list lists; without a test list
// some of the training files are held out.
func inFiles(list func(context.Context, folder) (train, test *fileImages, err error)) opener {
	return func(ctx context.Context, f folder, spec Spec) (*Pair, error) {
		train, test, err := list(ctx, f)
		if err != nil {
			return nil, err
		}
		if test == nil {
			stay, held := holdOut(train.labels, len(train.classes), cmp.Or(spec.Holdout, 0.2), spec.Seed)
			train, test = train.pick(stay), train.pick(held)
			if len(held) == 0 {
				return nil, fmt.Errorf("%s: no class has two images, so none can be held out for testing", f.path)
			}
		}
		var mu sync.Mutex
		done, of := 0, train.Len()+test.Len()
		checked := func() {
			if spec.Progress != nil {
				mu.Lock()
				defer mu.Unlock()
				done++
				spec.Progress(done, of)
			}
		}
		trainSet, badTrain, err := train.load(ctx, spec, nil, checked)
		if err != nil {
			return nil, err
		}
		testSet, badTest, err := test.load(ctx, spec, trainSet.Shape(), checked)
		if err != nil {
			return nil, err
		}
		return &Pair{trainSet, testSet, imageNetNorm(), append(badTrain, badTest...)}, nil
	}
}
