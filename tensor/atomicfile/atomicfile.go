// Package atomicfile replaces a file as a whole or not at all, whatever
// interrupts the writing: an error, a kill, a power cut.
package atomicfile

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
)

// Write puts what write writes into the file path. The bytes go to a temporary
// file in the same folder, which is synced and renamed to path, and then the
// folder is synced: whoever opens path sees the old file or the whole new one,
// and after Write has returned nil the new one survives a power cut. The file
// may be read by everyone and written by its owner (0644 less the umask).
//
// On an error, which names path, the temporary file is gone. The old file is
// then untouched, unless the last step alone, the sync of the folder, failed.
func Write(path string, write func(io.Writer) error) error {
	return replace(disk{}, path, write)
}

// files is what replace needs of a disk: a seam at which tests make each call
// fail.
type files interface {
	create(path string) (file, error) // a new file beside path
	rename(from, to string) error
	remove(path string) error
	syncDir(dir string) error // folders cannot be synced everywhere; then it is nil
}

type file interface {
	io.WriteCloser
	Name() string
	Sync() error
}

func replace(d files, path string, write func(io.Writer) error) (err error) {
	f, err := d.create(path)
	if err != nil {
		return wrote(path, err)
	}
	open, done := true, false
	defer func() { // also when write panics
		if open {
			f.Close()
		}
		if !done {
			d.remove(f.Name())
		}
	}()

	b := bufio.NewWriterSize(f, 1<<16)
	if err := write(b); err != nil {
		return wrote(path, err)
	}
	if err := b.Flush(); err != nil {
		return wrote(path, err)
	}
	if err := f.Sync(); err != nil {
		return wrote(path, err)
	}
	open = false
	if err := f.Close(); err != nil {
		return wrote(path, err)
	}
	if err := d.rename(f.Name(), path); err != nil {
		return wrote(path, err)
	}
	done = true
	if err := d.syncDir(filepath.Dir(path)); err != nil {
		return wrote(path, err)
	}
	return nil
}

// wrote is err with path in front. The name of the temporary file, which is
// nobody's business, is left out.
func wrote(path string, err error) error {
	var p *os.PathError
	var l *os.LinkError
	switch {
	case errors.As(err, &p):
		err = fmt.Errorf("%s: %w", p.Op, p.Err)
	case errors.As(err, &l):
		err = fmt.Errorf("%s: %w", l.Op, l.Err)
	}
	return fmt.Errorf("write %s: %w", path, err)
}

type disk struct{}

func (disk) rename(from, to string) error { return os.Rename(from, to) }
func (disk) remove(path string) error     { return os.Remove(path) }
func (disk) syncDir(dir string) error     { return syncDir(dir) }

// create opens a file that did not exist. Its name starts with a dot and ends
// in .tmp, so that what a kill leaves behind is recognised.
func (disk) create(path string) (file, error) {
	dir, base := filepath.Split(path)
	for n := 0; ; n++ {
		name := fmt.Sprintf("%s.%s.%d-%d.tmp", dir, base, os.Getpid(), n)
		f, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
		if errors.Is(err, os.ErrExist) && n < 10000 {
			continue
		}
		if err != nil {
			return nil, err
		}
		return f, nil
	}
}
