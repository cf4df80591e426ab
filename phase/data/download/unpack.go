package download

import (
	"archive/tar"
	"archive/zip"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
)

// syncFrom is the size from which on a file is synced before it gets its name:
// to sync a hundred thousand images takes minutes, and one that a power cut
// empties is noticed by whoever reads it.
const syncFrom = 1 << 20

// An unpacker writes the entries of archives into a folder.
type unpacker struct {
	*getter
	root    *os.Root // nothing is written outside
	top     string   // the folder in which every entry lies
	bytes   int64    // written so far
	entries int
}

// unpackAll makes the folder of s below the stage out of its files.
func (g *getter) unpackAll(ctx context.Context, st *stage, s Set, files []*os.File) error {
	if err := st.root.Mkdir(unpacked, 0o755); err != nil {
		return plain(filepath.Join(st.path, unpacked), err)
	}
	root, err := st.root.OpenRoot(unpacked)
	if err != nil {
		return plain(filepath.Join(st.path, unpacked), err)
	}
	defer root.Close()
	u := &unpacker{getter: g, root: root, top: s.Folder}
	for i, f := range s.Files {
		if err := u.unpack(ctx, f, files[i]); err != nil {
			return fmt.Errorf("unpack %s: %w", f.Name, err)
		}
	}
	return nil
}

func (u *unpacker) unpack(ctx context.Context, f File, file *os.File) error {
	if _, err := file.Seek(0, io.SeekStart); err != nil {
		return err
	}
	r := u.watch(ctx, "unpack", f, file)
	switch {
	case strings.HasSuffix(f.Name, ".tar.gz"):
		return u.tar(r)
	case strings.HasSuffix(f.Name, ".zip"):
		return u.zip(ctx, f, file)
	}
	return u.add(path.Join(u.top, f.Name), 0, r)
}

func (u *unpacker) tar(r io.Reader) error {
	z, err := gzip.NewReader(r)
	if err != nil {
		return err
	}
	t := tar.NewReader(z)
	for {
		h, err := t.Next()
		switch {
		case err == io.EOF:
			return nil
		case err != nil:
			return err
		case h.Typeflag == tar.TypeXGlobalHeader: // of the archive, not an entry
			continue
		}
		mode := h.FileInfo().Mode()
		if h.Typeflag == tar.TypeLink { // its mode is that of a file
			mode = fs.ModeSymlink
		}
		if err := u.add(h.Name, mode, t); err != nil {
			return err
		}
	}
}

func (u *unpacker) zip(ctx context.Context, f File, file *os.File) error {
	z, err := zip.NewReader(file, f.Size)
	if err != nil {
		return err
	}
	done := int64(0)
	for _, e := range z.File {
		if err := ctx.Err(); err != nil {
			return err
		}
		r, err := e.Open()
		if err != nil {
			return fmt.Errorf("%s: %w", e.Name, err)
		}
		err = u.add(e.Name, e.Mode(), r)
		r.Close()
		if err != nil {
			return err
		}
		done += int64(e.CompressedSize64)
		u.report(Progress{Step: "unpack", File: f.Name, Done: done, Total: f.Size})
	}
	return nil
}

// add writes one entry: a folder, or a file that r holds.
func (u *unpacker) add(name string, mode fs.FileMode, r io.Reader) error {
	if u.entries++; u.entries > u.maxEntries {
		return fmt.Errorf("more than %d entries", u.maxEntries)
	}
	clean := strings.TrimSuffix(strings.TrimPrefix(name, "./"), "/")
	switch {
	case !fs.ValidPath(clean) || strings.Contains(clean, `\`) || clean != u.top && !strings.HasPrefix(clean, u.top+"/"):
		return fmt.Errorf("entry %q does not lie in %s", name, u.top)
	case mode.IsDir():
		return u.failed(clean, u.root.MkdirAll(clean, 0o755))
	case !mode.IsRegular():
		return fmt.Errorf("entry %q is neither a file nor a folder", name)
	}
	if err := u.root.MkdirAll(path.Dir(clean), 0o755); err != nil {
		return u.failed(clean, err)
	}
	file, err := u.root.OpenFile(clean, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("entry %q is there twice", name)
	}
	if err != nil {
		return u.failed(clean, err)
	}
	n, err := io.Copy(u.disk(file), io.LimitReader(r, u.maxBytes-u.bytes+1))
	if u.bytes += n; err == nil && u.bytes > u.maxBytes {
		err = fmt.Errorf("entry %q: more than %d bytes in all", name, u.maxBytes)
	}
	if err == nil && n >= syncFrom {
		err = file.Sync()
	}
	if closed := file.Close(); err == nil {
		err = closed
	}
	return u.failed(clean, err)
}

// failed is err, with the name of what was written where a system call has
// another.
func (u *unpacker) failed(name string, err error) error {
	var p *fs.PathError
	if errors.As(err, &p) {
		return plain(name, err)
	}
	return err
}
