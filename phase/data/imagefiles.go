package data

import (
	"context"
	"fmt"
	"path"
	"slices"
	"strings"

	"phase/tensor"
)

// fileImages is a data set of image files. The pixels of its first ones are kept
// in memory; the others are decoded each time they are asked for. Where all are
// kept it becomes a memoryImages.
type fileImages struct {
	labelled
	folder
	names   []string
	shape   tensor.Shape
	decoder Decoder
	kept    []uint8
}

func (s *fileImages) Shape() tensor.Shape { return s.shape }

func (s *fileImages) Pixels(i int, dst []uint8) error {
	if n := s.shape.Size(); (i+1)*n <= len(s.kept) {
		copy(dst, s.kept[i*n:(i+1)*n])
		return nil
	}
	return s.decode(i, dst)
}

func (s *fileImages) decode(i int, dst []uint8) error {
	file, err := s.readFile(s.names[i], s.decoder.fileLimit())
	if err != nil {
		return err
	}
	pix, h, w, err := s.decoder.Decode(file)
	if err != nil {
		return fmt.Errorf("%s: %w", s.at(s.names[i]), err)
	}
	if h != s.shape[1] || w != s.shape[2] {
		return &sizeError{fmt.Sprintf("%s: %dx%d pixels, but the first image has %dx%d: say one size for all", s.at(s.names[i]), h, w, s.shape[1], s.shape[2])}
	}
	copy(dst, pix)
	return nil
}

// sizeError is an image of another size than the first: no damage, so not a
// file to skip.
type sizeError struct{ msg string }

func (e *sizeError) Error() string { return e.msg }

func (s *fileImages) add(name string, label int) {
	s.names = append(s.names, name)
	s.labels = append(s.labels, label)
}

// pick is the part of s that index lists, with nothing kept.
func (s *fileImages) pick(index []int) *fileImages {
	p := *s
	p.names, p.labels, p.kept = nil, nil, nil
	for _, i := range index {
		p.add(s.names[i], s.labels[i])
	}
	return &p
}

// isImageName reports whether a file's name ends like that of an image.
func isImageName(name string) bool {
	switch strings.ToLower(path.Ext(name)) {
	case ".png", ".jpg", ".jpeg":
		return true
	}
	return false
}

// load decodes every image once, so that a bad file shows now and not in the
// middle of a training run, and keeps as many first ones as fit in spec's cache.
// size is (3,h,w), or nil to take the first readable image's own. checked is
// called after each image, from several goroutines.
func (s *fileImages) load(ctx context.Context, spec Spec, size tensor.Shape, checked func()) (Images, []BadFile, error) {
	s.decoder = Decoder{H: spec.Size, W: spec.Size, C: 3, MaxPixels: spec.MaxPixels}
	s.shape = size
	if spec.Size > 0 {
		s.shape = tensor.Shape{3, spec.Size, spec.Size}
	}
	for i := 0; s.shape == nil; i++ {
		if i == len(s.names) {
			return nil, nil, fmt.Errorf("%s: none of %d image files can be read", s.path, i)
		}
		file, err := s.readFile(s.names[i], s.decoder.fileLimit())
		h, w := 0, 0
		if err == nil {
			if _, h, w, err = s.decoder.Decode(file); err != nil {
				err = fmt.Errorf("%s: %w", s.at(s.names[i]), err)
			}
		}
		switch {
		case err == nil:
			s.shape = tensor.Shape{3, h, w}
		case !spec.SkipBad:
			return nil, nil, err
		}
	}

	n, each := len(s.names), s.shape.Size()
	keep := int(max(0, min(int64(n), spec.cache()/int64(each))))
	pixels := make([]uint8, keep*each)
	bad := make([]error, n)
	err := parallel(ctx, n, func() func(int) error {
		scratch := make([]uint8, each)
		return func(i int) error {
			dst := scratch
			if i < keep {
				dst = pixels[i*each : (i+1)*each]
			}
			err := s.decode(i, dst)
			checked()
			if _, size := err.(*sizeError); spec.SkipBad && !size {
				bad[i], err = err, nil
			}
			return err
		}
	})
	if err != nil {
		return nil, nil, err
	}

	var skipped []BadFile
	var good []int
	kept := 0
	for i, err := range bad {
		if err != nil {
			skipped = append(skipped, BadFile{s.at(s.names[i]), err})
			continue
		}
		if i < keep {
			copy(pixels[len(good)*each:], pixels[i*each:(i+1)*each])
			kept++
		}
		good = append(good, i)
	}
	s = s.pick(good)
	s.kept = slices.Clip(pixels[:kept*each])
	if kept < len(good) {
		return s, skipped, nil
	}
	return &memoryImages{s.labelled, s.shape, s.kept}, skipped, nil
}
