package download

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"io/fs"
	"maps"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"phase/phase/data"
)

// noise is n bytes that do not compress.
func noise(n int) []byte {
	r := rand.NewChaCha8([32]byte{byte(n)})
	b := make([]byte, n)
	r.Read(b)
	return b
}

// toy is what the set of the tests consists of.
var toy = map[string]string{"toy-bin/train.bin": string(noise(20000)), "toy-bin/deep/er/test.bin": string(noise(5000)), "toy-bin/names.txt": "a\nb\n"}

// An entry is one of an archive.
type entry struct {
	name string
	kind byte // of tar
	body string
}

func entries(files map[string]string) (list []entry) {
	list = append(list, entry{"toy-bin/", tar.TypeDir, ""})
	for _, name := range slices.Sorted(maps.Keys(files)) {
		list = append(list, entry{name, tar.TypeReg, files[name]})
	}
	return list
}

func tarGz(t *testing.T, list []entry) []byte {
	t.Helper()
	var out bytes.Buffer
	z := gzip.NewWriter(&out)
	w := tar.NewWriter(z)
	for _, e := range list {
		h := &tar.Header{Name: e.name, Typeflag: e.kind, Mode: 0o644, Size: int64(len(e.body))}
		if e.kind == tar.TypeSymlink || e.kind == tar.TypeLink {
			h.Linkname, h.Size = e.body, 0
		}
		if e.kind == tar.TypeXGlobalHeader {
			h = &tar.Header{Typeflag: e.kind, PAXRecords: map[string]string{"comment": e.body}}
		}
		if err := w.WriteHeader(h); err != nil {
			t.Fatal(err)
		}
		if h.Size > 0 {
			io.WriteString(w, e.body)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	z.Close()
	return out.Bytes()
}

func zipped(t *testing.T, list []entry) []byte {
	t.Helper()
	var out bytes.Buffer
	w := zip.NewWriter(&out)
	for _, e := range list {
		h := &zip.FileHeader{Name: e.name, Method: zip.Deflate}
		switch e.kind {
		case tar.TypeDir:
			h.SetMode(fs.ModeDir | 0o755)
		case tar.TypeSymlink:
			h.SetMode(fs.ModeSymlink | 0o777)
		default:
			h.SetMode(0o600)
		}
		f, err := w.CreateHeader(h)
		if err != nil {
			t.Fatal(err)
		}
		io.WriteString(f, e.body)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func fileOf(name string, b []byte) File {
	sum := sha256.Sum256(b)
	return File{name, int64(len(b)), hex.EncodeToString(sum[:])}
}

// setOf is a set of one archive.
func setOf(name string, b []byte, bases ...string) Set {
	return Set{data.Info{Name: "toy", Folder: "toy-bin", Expects: "deep/er/test.bin"}, bases, []File{fileOf(name, b)}}
}

// A server gives out a file as servers do, but first plays what is in faults,
// one for each request: a fault that returns true has answered.
type server struct {
	*httptest.Server
	mu     sync.Mutex
	body   []byte
	etag   string
	faults []func(http.ResponseWriter, *http.Request) bool
	seen   []*http.Request
}

func serve(t *testing.T, body []byte, faults ...func(http.ResponseWriter, *http.Request) bool) *server {
	s := &server{body: body, etag: `"1"`, faults: faults}
	s.Server = httptest.NewServer(s)
	t.Cleanup(s.Close)
	return s
}

func (s *server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	s.seen = append(s.seen, r.Clone(r.Context())) // faults change headers
	body, etag := s.body, s.etag
	var fault func(http.ResponseWriter, *http.Request) bool
	if len(s.faults) > 0 {
		fault, s.faults = s.faults[0], s.faults[1:]
	}
	s.mu.Unlock()
	if fault != nil && fault(w, r) {
		return
	}
	if etag != "" {
		w.Header().Set("ETag", etag)
	}
	w.Header().Set("Content-Type", "application/x-gzip")
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(body))
}

// ranges are the Range headers of the requests so far.
func (s *server) ranges() (list []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, r := range s.seen {
		list = append(list, r.Header.Get("Range"))
	}
	return list
}

// cutAfter answers with the first n bytes of what was asked for.
func cutAfter(body []byte, n int) func(http.ResponseWriter, *http.Request) bool {
	return func(w http.ResponseWriter, r *http.Request) bool {
		w.Header().Set("ETag", `"1"`)
		http.ServeContent(&cutter{w, n}, r, "", time.Time{}, bytes.NewReader(body))
		return true
	}
}

// A cutter cuts the connection after some bytes.
type cutter struct {
	http.ResponseWriter
	left int
}

func (c *cutter) Write(b []byte) (int, error) {
	if len(b) < c.left {
		c.left -= len(b)
		return c.ResponseWriter.Write(b)
	}
	c.ResponseWriter.Write(b[:c.left])
	c.ResponseWriter.(http.Flusher).Flush()
	panic(http.ErrAbortHandler)
}

func status(code int) func(http.ResponseWriter, *http.Request) bool {
	return func(w http.ResponseWriter, _ *http.Request) bool {
		w.WriteHeader(code)
		return true
	}
}

// fast is a getter that does not wait.
func fast() *getter {
	return &getter{
		client: &http.Client{CheckRedirect: checkRedirect}, stall: 10 * time.Second, pause: time.Microsecond, tries: 4,
		maxBytes: 1 << 20, maxEntries: 100, disk: func(w io.Writer) io.Writer { return w },
	}
}

// mustGet gets the set and compares what is there.
func mustGet(t *testing.T, g *getter, s Set, o Options) *Result {
	t.Helper()
	res, err := g.get(t.Context(), s, o)
	if err != nil {
		t.Fatal(err)
	}
	wantTree(t, o.Dir, toy)
	return res
}

// mustFail wants an error of one line with these words.
func mustFail(t *testing.T, g *getter, ctx context.Context, s Set, o Options, words ...string) error {
	t.Helper()
	_, err := g.get(ctx, s, o)
	if err == nil {
		t.Fatalf("no error, want one with %q", words)
	}
	if strings.Contains(err.Error(), "\n") {
		t.Errorf("error has several lines: %q", err)
	}
	for _, w := range append(words, "toy: ") {
		if !strings.Contains(err.Error(), w) {
			t.Errorf("error %q does not say %q", err, w)
		}
	}
	return err
}

// wantTree fails unless the files below dir are these.
func wantTree(t *testing.T, dir string, want map[string]string) {
	t.Helper()
	got := map[string]string{}
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		rel, err := filepath.Rel(dir, path)
		if err != nil {
			return err
		}
		b, err := os.ReadFile(path)
		got[filepath.ToSlash(rel)] = string(b)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range slices.Sorted(maps.Keys(want)) {
		if g, ok := got[name]; !ok || g != want[name] {
			t.Errorf("%s: there %v, %d bytes, want %d others", name, ok, len(g), len(want[name]))
		}
		delete(got, name)
	}
	for _, name := range slices.Sorted(maps.Keys(got)) {
		t.Errorf("%s (%d bytes) is left behind", name, len(got[name]))
	}
}

// wantEmpty fails if anything is left in dir.
func wantEmpty(t *testing.T, dir string) {
	t.Helper()
	list, err := os.ReadDir(dir)
	if err != nil || len(list) > 0 {
		t.Errorf("%s holds %v, want nothing (%v)", dir, list, err)
	}
}

// kept is how long the part is that an error left.
func kept(t *testing.T, dir string, f File) int64 {
	t.Helper()
	if _, err := os.Stat(filepath.Join(dir, "toy-bin")); err == nil {
		t.Error("the set's folder is there already")
	}
	info, err := os.Stat(filepath.Join(dir, "toy-bin.part", f.Name+".part"))
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range []string{"unpacked", "lock"} {
		if _, err := os.Stat(filepath.Join(dir, "toy-bin.part", e)); err == nil {
			t.Errorf("%s is left behind", e)
		}
	}
	return info.Size()
}
