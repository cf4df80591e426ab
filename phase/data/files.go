package data

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// folder is a place that data files are read from: a directory behind os.Root,
// or files embedded in the program.
type folder struct {
	fs.FS
	path string // as the user knows it, for errors
}

// openFolder confines all later access to what lies below dir.
func openFolder(dir string) (folder, error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return folder{}, reason(dir, err)
	}
	return folder{root.FS(), dir}, nil
}

// at is how an error names the file called name. A name that would break the
// line or steer the terminal is quoted.
func (f folder) at(name string) string {
	p := filepath.Join(f.path, filepath.FromSlash(name))
	if strings.ContainsFunc(p, func(r rune) bool { return !strconv.IsPrint(r) }) {
		return strconv.Quote(p)
	}
	return p
}

// openFile opens a regular file and says how long it is. Pipes and devices are
// refused before they are opened, because opening one may wait for ever.
func (f folder) openFile(name string) (fs.File, int64, error) {
	if !fs.ValidPath(name) {
		return nil, 0, fmt.Errorf("%s: the path leads out of %s", name, f.path)
	}
	info, err := fs.Stat(f.FS, name)
	if err != nil {
		return nil, 0, reason(f.at(name), err)
	}
	if !info.Mode().IsRegular() {
		return nil, 0, fmt.Errorf("%s: is a %s, want a regular file", f.at(name), kindOf(info.Mode()))
	}
	file, err := f.Open(name)
	if err != nil {
		return nil, 0, reason(f.at(name), err)
	}
	return file, info.Size(), nil
}

// readFile is the content of a regular file of at most limit bytes.
func (f folder) readFile(name string, limit int64) ([]byte, error) {
	file, size, err := f.openFile(name)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	if size > limit {
		return nil, fmt.Errorf("%s: %d bytes, want at most %d", f.at(name), size, limit)
	}
	b, err := readN(file, size)
	if err != nil {
		return nil, reason(f.at(name), err)
	}
	return b, nil
}

// has reports whether there is something called name.
func (f folder) has(name string) bool {
	_, err := fs.Stat(f.FS, name)
	return err == nil
}

// subfolders lists the folders in dir that are not hidden, sorted by the bytes
// of their names; a link counts if it stays below the root.
func (f folder) subfolders(dir string) ([]string, error) {
	entries, err := fs.ReadDir(f.FS, dir)
	if err != nil {
		return nil, reason(f.at(dir), err)
	}
	var names []string
	for _, e := range entries {
		if e.Name()[0] == '.' {
			continue
		}
		isDir := e.IsDir()
		if e.Type()&fs.ModeSymlink != 0 {
			info, err := fs.Stat(f.FS, path.Join(dir, e.Name()))
			if err != nil {
				return nil, reason(f.at(path.Join(dir, e.Name())), err)
			}
			isDir = info.IsDir()
		}
		if isDir {
			names = append(names, e.Name())
		}
	}
	slices.Sort(names)
	return names, nil
}

// readN reads exactly n bytes. Memory grows with what really arrives, so that
// a header that lies about n costs nothing.
func readN(r io.Reader, n int64) ([]byte, error) {
	if n > math.MaxInt {
		return nil, fmt.Errorf("%d bytes do not fit this machine's memory", n)
	}
	b := make([]byte, 0, min(n, 1<<20))
	for int64(len(b)) < n {
		if len(b) == cap(b) {
			b = slices.Grow(b, int(min(n-int64(len(b)), int64(len(b)))))
		}
		have := len(b)
		k, err := io.ReadFull(r, b[have:min(int64(cap(b)), n)])
		b = b[:have+k]
		switch {
		case err == nil:
		case errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF):
			return nil, fmt.Errorf("ends after %d bytes, want %d", len(b), n)
		default:
			return nil, fmt.Errorf("byte %d: %w", len(b), err)
		}
	}
	return b, nil
}

// reason puts the path in front of an error and drops the names of system
// calls, which help nobody.
func reason(at string, err error) error {
	var pe *fs.PathError
	if errors.As(err, &pe) {
		err = pe.Err
	}
	return fmt.Errorf("%s: %w", at, err)
}

func kindOf(m fs.FileMode) string {
	switch {
	case m.IsDir():
		return "folder"
	case m&fs.ModeNamedPipe != 0:
		return "named pipe"
	case m&fs.ModeSocket != 0:
		return "socket"
	case m&fs.ModeDevice != 0:
		return "device"
	}
	return "special file"
}
