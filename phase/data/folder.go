package data

import (
	"context"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"
)

// listFolder lists a folder of images: DIR/train/CLASS/... with DIR/test or
// DIR/val, or DIR/CLASS/... alone, in which case test is nil. Classes are the
// folders sorted by the bytes of their names, as in torchvision's ImageFolder;
// images may lie any number of folders deeper. What begins with a dot, and
// files that do not end in .png, .jpg or .jpeg, are left alone.
func listFolder(ctx context.Context, f folder) (train, test *fileImages, err error) {
	if !f.has("train") {
		train, err = f.listClasses(ctx, ".", nil)
		return train, nil, err
	}
	if train, err = f.listClasses(ctx, "train", nil); err != nil {
		return nil, nil, err
	}
	for _, dir := range []string{"test", "val"} {
		if f.has(dir) {
			test, err = f.listClasses(ctx, dir, train.classes)
			return train, test, err
		}
	}
	return train, nil, nil
}

// listClasses lists the images of the class folders in dir. Classes are
// matched by name with known, where that is given: a test set may lack some
// but has no others.
func (f folder) listClasses(ctx context.Context, dir string, known []string) (*fileImages, error) {
	names, err := f.subfolders(dir)
	if err != nil {
		return nil, err
	}
	s := &fileImages{folder: f, labelled: labelled{classes: known}}
	if known == nil {
		if s.classes = names; len(names) == 0 {
			return nil, fmt.Errorf("%s: no class folders", f.at(dir))
		}
	}
	for _, class := range names {
		label := slices.Index(s.classes, class)
		if label < 0 {
			return nil, fmt.Errorf("%s: class %q is not one of the %d training classes", f.at(path.Join(dir, class)), class, len(s.classes))
		}
		before := len(s.names)
		if err := s.walk(ctx, path.Join(dir, class), label); err != nil {
			return nil, err
		}
		if known == nil && len(s.names) == before {
			return nil, fmt.Errorf("%s: a class without images (.png, .jpg or .jpeg)", f.at(path.Join(dir, class)))
		}
	}
	if len(s.names) == 0 {
		return nil, fmt.Errorf("%s: no images (.png, .jpg or .jpeg)", f.at(dir))
	}
	return s, nil
}

// walk adds the images below dir in the order of their names.
func (s *fileImages) walk(ctx context.Context, dir string, label int) error {
	return fs.WalkDir(s.FS, dir, func(name string, e fs.DirEntry, err error) error {
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case err != nil:
			return reason(s.at(name), err)
		case strings.HasPrefix(e.Name(), "."):
			if e.IsDir() {
				return fs.SkipDir
			}
		case !e.IsDir() && isImageName(name):
			s.add(name, label)
		}
		return nil
	})
}
