package data

import (
	"fmt"
	"io/fs"
	"slices"
	"strconv"
	"strings"

	"phase/tensor"
)

// cifar is one of the two binary layouts of Krizhevsky 2009: records of one or
// two label bytes and 3072 bytes of 32x32 planes in the order red, green, blue.
type cifar struct {
	name    string
	labels  []int // how many values each label byte has; the last byte is the class
	names   string
	trainIn string // file name, or its beginning where files are numbered
	testIn  string
}

var (
	cifar10  = cifar{"cifar10", []int{10}, "batches.meta.txt", "data_batch_", "test_batch.bin"}
	cifar100 = cifar{"cifar100", []int{20, 100}, "fine_label_names.txt", "train.bin", "test.bin"}
)

const (
	cifarSide     = 32
	cifarPlane    = cifarSide * cifarSide
	maxCIFARBytes = 1 << 31 // of one file; the official ones have at most 154 MB
)

func (k cifar) record() int { return len(k.labels) + 3*cifarPlane }

// parse appends the records of a file to m.
func (k cifar) parse(b []byte, m *memoryImages) error {
	size := k.record()
	if len(b) == 0 {
		return fmt.Errorf("the file is empty, want records of %d bytes", size)
	}
	if rest := len(b) % size; rest != 0 {
		return fmt.Errorf("record %d (byte %d) has %d bytes, want %d", len(b)/size, len(b)-rest, rest, size)
	}
	m.pixels = slices.Grow(m.pixels, len(b)/size*3*cifarPlane)
	for i := range len(b) / size {
		rec := b[i*size : (i+1)*size]
		for j, n := range k.labels {
			if int(rec[j]) >= n {
				return fmt.Errorf("record %d (byte %d): label %d, want 0 to %d", i, i*size+j, rec[j], n-1)
			}
		}
		m.labels = append(m.labels, int(rec[len(k.labels)-1]))
		planes := rec[len(k.labels):]
		for p := range cifarPlane {
			m.pixels = append(m.pixels, planes[p], planes[p+cifarPlane], planes[p+2*cifarPlane])
		}
	}
	return nil
}

func (k cifar) open(f folder) (train, test *memoryImages, err error) {
	classes, err := k.readNames(f)
	if err != nil {
		return nil, nil, err
	}
	files, err := k.trainFiles(f)
	if err != nil {
		return nil, nil, err
	}
	if train, err = k.read(f, classes, files...); err != nil {
		return nil, nil, err
	}
	test, err = k.read(f, classes, k.testIn)
	return train, test, err
}

func (k cifar) read(f folder, classes []string, files ...string) (*memoryImages, error) {
	m := &memoryImages{labelled{nil, classes}, tensor.Shape{3, cifarSide, cifarSide}, nil}
	for _, name := range files {
		b, err := f.readFile(name, maxCIFARBytes)
		if err != nil {
			return nil, err
		}
		if err := k.parse(b, m); err != nil {
			return nil, fmt.Errorf("%s: %w", f.at(name), err)
		}
	}
	return m, nil
}

// trainFiles lists the training files in the order of their numbers.
func (k cifar) trainFiles(f folder) ([]string, error) {
	if strings.HasSuffix(k.trainIn, ".bin") {
		return []string{k.trainIn}, nil
	}
	entries, err := fs.ReadDir(f.FS, ".")
	if err != nil {
		return nil, reason(f.path, err)
	}
	byNumber := map[int]string{}
	var numbers []int
	for _, e := range entries {
		middle, ok := strings.CutPrefix(e.Name(), k.trainIn)
		digits, isBin := strings.CutSuffix(middle, ".bin")
		if n, err := strconv.Atoi(digits); ok && isBin && err == nil && byNumber[n] == "" {
			byNumber[n] = e.Name()
			numbers = append(numbers, n)
		}
	}
	if len(numbers) == 0 {
		return nil, fmt.Errorf("%s: no file %s1.bin", f.path, k.trainIn)
	}
	slices.Sort(numbers)
	var files []string
	for _, n := range numbers {
		files = append(files, byNumber[n])
	}
	return files, nil
}

func (k cifar) readNames(f folder) ([]string, error) {
	b, err := f.readFile(k.names, 1<<16)
	if err != nil {
		return nil, err
	}
	names := strings.Fields(string(b)) // the official names have no spaces in them
	if want := k.labels[len(k.labels)-1]; len(names) != want {
		return nil, fmt.Errorf("%s: %d class names, want %d", f.at(k.names), len(names), want)
	}
	if err := distinct(names); err != nil {
		return nil, fmt.Errorf("%s: %w", f.at(k.names), err)
	}
	return names, nil
}
