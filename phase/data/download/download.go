package download

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"time"
)

// Options say where a set goes and where it comes from. Only Dir is needed.
type Options struct {
	// Dir is the folder of data sets, made if it is missing: the set becomes
	// the folder of its name below it.
	Dir string
	// Base is the URL of a folder that holds the set's files, in place of those
	// that are known.
	Base string
	// From is a set's file that is here already, or a folder with all of them,
	// in place of a server. It is read, and left where it is.
	From string
	// Report is told how far it is; nil is allowed.
	Report func(Progress)
}

// Check says what is wrong with the options, if anything is.
func (o Options) Check() error {
	if o.Base != "" && o.From != "" {
		return errors.New("a URL and local files: choose one")
	}
	if o.Base == "" {
		return nil
	}
	u, err := url.Parse(o.Base)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return fmt.Errorf("URL %q: want http:// or https:// and the folder of the files on a server", o.Base)
	}
	return nil
}

// Progress is how far the work on a file is.
type Progress struct {
	Step        string // fetch, check or unpack
	File        string
	Done, Total int64  // in bytes of the file
	Note        string // what is worth a line of its own, and then nothing else
}

// A Fetched is a file that was made part of a set.
type Fetched struct {
	Name    string `json:"name"`
	From    string `json:"from"`    // its URL, or path
	Bytes   int64  `json:"bytes"`   // its size
	Resumed int64  `json:"resumed"` // bytes of it that an earlier call had left
	SHA256  string `json:"sha256"`
}

// A Result is where a set lies. Files is empty if it lay there before.
type Result struct {
	Folder string    `json:"folder"`
	Files  []Fetched `json:"files"`
}

// A ServerError is a file that no server gave.
type ServerError struct {
	File File
	URLs []string
	Errs []error // of each URL
}

// Error says what the servers answered, in a line.
func (e *ServerError) Error() string {
	text := ""
	for i, u := range e.URLs {
		if i > 0 {
			text += "; "
		}
		text += u + ": " + e.Errs[i].Error()
	}
	return text
}

// Unwrap is the error of each server.
func (e *ServerError) Unwrap() []error { return e.Errs }

// Get puts the set s where package data looks for it, unless it is there. What
// it is made of must have the size and the checksum that s says. The folder
// appears when it is complete: until then the work is done beside it, in
// FOLDER.part, of which an error or a kill leaves what was fetched, FILE.part,
// and the next call goes on with that. Errors are one line, say what was wanted
// and what was found, and wrap that of ctx if it was cancelled.
func Get(ctx context.Context, s Set, o Options) (*Result, error) {
	return newGetter().get(ctx, s, o)
}

// A getter is what Get works with, for tests to change.
type getter struct {
	client     *http.Client
	stall      time.Duration             // without a byte before a connection counts as dead
	pause      time.Duration             // before the second try; twice as long before each that follows
	tries      int                       // in a row that get no further
	maxBytes   int64                     // that archives may unpack to: four times what the largest set has
	maxEntries int                       // of archives: twice what the largest set has
	disk       func(io.Writer) io.Writer // what every file is written through
	report     func(Progress)
}

func newGetter() *getter {
	return &getter{
		client: &http.Client{CheckRedirect: checkRedirect},
		stall:  30 * time.Second, pause: time.Second, tries: 5,
		maxBytes: 1 << 30, maxEntries: 1 << 18,
		disk: func(w io.Writer) io.Writer { return w },
	}
}

func (g *getter) get(ctx context.Context, s Set, o Options) (*Result, error) {
	res, err := g.put(ctx, s, o)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", s.Name, err)
	}
	return res, nil
}

func (g *getter) put(ctx context.Context, s Set, o Options) (*Result, error) {
	if err := o.Check(); err != nil {
		return nil, err
	}
	if g.report = o.Report; g.report == nil {
		g.report = func(Progress) {}
	}
	if at, err := s.Find([]string{o.Dir}); err == nil {
		return &Result{Folder: at}, nil
	}
	local, err := g.openLocal(ctx, s, o.From)
	if err != nil {
		return nil, stopped(ctx, err)
	}
	defer closeAll(local)
	st, err := openStage(o.Dir, s)
	if err != nil {
		return nil, err
	}
	defer st.close()

	res := &Result{Folder: st.target}
	if _, err := os.Lstat(st.target); err == nil { // another process may have been faster
		if at, err := s.Find([]string{o.Dir}); err == nil {
			return &Result{Folder: at}, nil
		}
		return nil, fmt.Errorf("%s is there, but has no %s: remove it or give it another name", st.target, s.Expects)
	}
	err = g.fill(ctx, st, s, o, local, res)
	if err == nil {
		return res, nil
	}
	err = stopped(ctx, err)
	if kept := st.kept(); kept > 0 {
		err = fmt.Errorf("%w; %s of %s stay in %s: the same call goes on from there", err, Megabytes(kept), Megabytes(s.Size()), st.path)
	}
	return nil, err
}

// fill fetches the files of s that are not local, and makes the folder of all.
func (g *getter) fill(ctx context.Context, st *stage, s Set, o Options, local []*os.File, res *Result) error {
	files := local
	for i, f := range s.Files {
		if local != nil {
			res.Files = append(res.Files, Fetched{f.Name, local[i].Name(), f.Size, 0, f.SHA256})
			continue
		}
		p, err := st.openPart(f, g.disk)
		if err != nil {
			return err
		}
		defer p.close()
		got := Fetched{Name: f.Name, Bytes: f.Size, Resumed: p.size, SHA256: f.SHA256}
		if got.From, err = g.fetch(ctx, p, bases(s, o)); err != nil {
			return err
		}
		files, res.Files = append(files, p.file), append(res.Files, got)
	}
	if err := g.unpackAll(ctx, st, s, files); err != nil {
		return err
	}
	return st.finish()
}

func bases(s Set, o Options) []string {
	if o.Base != "" {
		return []string{o.Base}
	}
	return s.Bases
}

// stopped is err, or that ctx was cancelled, if it was.
func stopped(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return &interrupted{ctx.Err()}
	}
	return err
}

type interrupted struct{ cause error }

func (*interrupted) Error() string   { return "interrupted" }
func (e *interrupted) Unwrap() error { return e.cause }

// openLocal opens the files of s that lie at path, and checks them; path may be
// the only file of s, or a folder that holds them. No path, no files.
func (g *getter) openLocal(ctx context.Context, s Set, path string) (files []*os.File, err error) {
	if path == "" {
		return nil, nil
	}
	defer func() {
		if err != nil {
			closeAll(files)
		}
	}()
	info, err := os.Stat(path)
	if err != nil {
		return nil, plain(path, err)
	}
	if !info.IsDir() && len(s.Files) > 1 {
		return nil, fmt.Errorf("%s: the set has %d files, want the folder that holds them", path, len(s.Files))
	}
	for _, f := range s.Files {
		at := path
		if info.IsDir() {
			at = filepath.Join(path, f.Name)
		}
		// Looked at before it is opened: to open a pipe may wait for ever.
		if info, err := os.Stat(at); err != nil {
			return files, plain(at, err)
		} else if !info.Mode().IsRegular() {
			return files, fmt.Errorf("%s: not a regular file, want %s", at, f.Name)
		} else if info.Size() != f.Size {
			return files, fmt.Errorf("%s: %d bytes, want %d", at, info.Size(), f.Size)
		}
		file, err := os.Open(at)
		if err != nil {
			return files, plain(at, err)
		}
		files = append(files, file)
		if err := g.check(ctx, f, file); err != nil {
			return files, fmt.Errorf("%s: %w", at, err)
		}
	}
	return files, nil
}

func closeAll(files []*os.File) {
	for _, f := range files {
		f.Close()
	}
}

// check compares what is in r with what f ought to be.
func (g *getter) check(ctx context.Context, f File, r io.ReadSeeker) error {
	if _, err := r.Seek(0, io.SeekStart); err != nil {
		return err
	}
	h := sha256.New()
	n, err := io.Copy(h, g.watch(ctx, "check", f, r))
	if err != nil {
		return err
	}
	if sum := hex.EncodeToString(h.Sum(nil)); sum != f.SHA256 {
		return fmt.Errorf("%d bytes with SHA-256 %s, want %d with %s", n, sum, f.Size, f.SHA256)
	}
	return nil
}

// watch reads r, until ctx is done, and reports how far it is.
func (g *getter) watch(ctx context.Context, step string, f File, r io.Reader) io.Reader {
	done := int64(0)
	return readerFunc(func(b []byte) (int, error) {
		if err := ctx.Err(); err != nil {
			return 0, err
		}
		n, err := r.Read(b)
		done += int64(n)
		g.report(Progress{Step: step, File: f.Name, Done: done, Total: f.Size})
		return n, err
	})
}

type readerFunc func([]byte) (int, error)

func (f readerFunc) Read(b []byte) (int, error) { return f(b) }

// plain puts path in front of an error, in place of what a system call was
// given.
func plain(path string, err error) error {
	var p *fs.PathError
	var l *os.LinkError
	switch {
	case errors.As(err, &p):
		err = p.Err
	case errors.As(err, &l):
		err = l.Err
	}
	return fmt.Errorf("%s: %w", path, err)
}

// Megabytes is n bytes in words.
func Megabytes(n int64) string { return fmt.Sprintf("%.1f MB", float64(n)/1e6) }
