package download

import (
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"phase/phase/data"
)

// several is a set of files that are no archives.
func several(bases ...string) (Set, map[string][]byte) {
	bodies := map[string][]byte{"a.gz": noise(3000), "b.gz": noise(200), "c.gz": noise(4000)}
	s := Set{data.Info{Name: "toy", Folder: "toy-bin", Expects: "a.gz"}, bases, nil}
	for _, name := range []string{"a.gz", "b.gz", "c.gz"} {
		s.Files = append(s.Files, fileOf(name, bodies[name]))
	}
	return s, bodies
}

// TestSeveralFiles: all are there, or none; those that came are kept.
func TestSeveralFiles(t *testing.T) {
	s, bodies := several()
	refuse := true
	srv := serve(t, nil)
	srv.Config.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		name := strings.TrimPrefix(r.URL.Path, "/")
		srv.mu.Lock()
		srv.seen = append(srv.seen, r)
		srv.mu.Unlock()
		if name == "c.gz" && refuse {
			w.WriteHeader(404)
			return
		}
		w.Write(bodies[name])
	})
	s.Bases = []string{srv.URL}
	dir := t.TempDir()
	mustFail(t, fast(), t.Context(), s, Options{Dir: dir}, "c.gz: answers 404")
	if kept(t, dir, s.Files[0]) != 3000 || kept(t, dir, s.Files[1]) != 200 {
		t.Error("what came is not kept")
	}
	refuse = false
	res, err := fast().get(t.Context(), s, Options{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	if len(srv.ranges()) != 4 || res.Files[0].Resumed != 3000 || res.Files[2].Resumed != 0 {
		t.Errorf("%d requests, want 4: %+v", len(srv.ranges()), res)
	}
	want := map[string]string{}
	for name, b := range bodies {
		want["toy-bin/"+name] = string(b)
	}
	wantTree(t, dir, want)
}

// TestFrom takes files that are here, and leaves them as they are.
func TestFrom(t *testing.T) {
	b := tarGz(t, entries(toy))
	s := setOf("toy.tar.gz", b, "http://127.0.0.1:1")
	here := t.TempDir()
	put := func(name string, b []byte) string {
		path := filepath.Join(here, name)
		if err := os.WriteFile(path, b, 0o644); err != nil {
			t.Fatal(err)
		}
		return path
	}
	renamed := put("renamed", b)
	put("toy.tar.gz", b)
	for _, from := range []string{renamed, here} {
		dir := t.TempDir()
		res := mustGet(t, fast(), s, Options{Dir: dir, From: from})
		if got := res.Files[0]; got.From != from && got.From != filepath.Join(from, "toy.tar.gz") {
			t.Errorf("%+v", got)
		}
	}
	flipped := append([]byte(nil), b...)
	flipped[100] ^= 1
	for name, c := range map[string]struct {
		from  string
		words []string
	}{
		"nowhere": {filepath.Join(here, "nowhere"), []string{"nowhere", "no such file"}},
		"folder":  {t.TempDir(), []string{"toy.tar.gz", "no such file"}},
		"short":   {put("short", b[1:]), []string{"short: ", fmt.Sprintf("%d bytes, want %d", len(b)-1, len(b))}},
		"flipped": {put("flipped", flipped), []string{"flipped: ", fileOf("", flipped).SHA256, s.Files[0].SHA256}},
		"device":  {os.DevNull, []string{"not a regular file"}},
	} {
		dir := t.TempDir()
		mustFail(t, fast(), t.Context(), s, Options{Dir: dir, From: c.from}, c.words...)
		wantEmpty(t, dir)
		if _, err := os.Stat(c.from); name != "nowhere" && err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	many, bodies := several("http://127.0.0.1:1")
	mustFail(t, fast(), t.Context(), many, Options{Dir: t.TempDir(), From: renamed}, "has 3 files, want the folder")
	for name, b := range bodies {
		put(name, b)
	}
	if _, err := fast().get(t.Context(), many, Options{Dir: t.TempDir(), From: here}); err != nil {
		t.Error(err)
	}
}

// TestOccupied: a folder that is not the set stays as it is; so does what is in
// the way of the work.
func TestOccupied(t *testing.T) {
	b := tarGz(t, entries(toy))
	s, dir := setOf("toy.tar.gz", b, serve(t, b).URL), t.TempDir()
	mine := filepath.Join(dir, "toy-bin", "mine.txt")
	if err := os.Mkdir(filepath.Dir(mine), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(mine, []byte("mine"), 0o644); err != nil {
		t.Fatal(err)
	}
	mustFail(t, fast(), t.Context(), s, Options{Dir: dir}, "toy-bin is there, but has no deep/er/test.bin")
	wantTree(t, dir, map[string]string{"toy-bin/mine.txt": "mine"})

	dir = t.TempDir()
	if err := os.MkdirAll(filepath.Join(dir, "toy-bin.part", "toy.tar.gz.part"), 0o755); err != nil {
		t.Fatal(err)
	}
	mustFail(t, fast(), t.Context(), s, Options{Dir: dir}, "toy.tar.gz.part: not a regular file")

	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	mustFail(t, fast(), t.Context(), s, Options{Dir: file}, "file")
}

// TestLinkInTheWay: a link in place of a part is not followed.
func TestLinkInTheWay(t *testing.T) {
	b := tarGz(t, entries(toy))
	s, dir := setOf("toy.tar.gz", b, serve(t, b).URL), t.TempDir()
	victim := filepath.Join(t.TempDir(), "victim")
	if err := os.WriteFile(victim, []byte("precious"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(filepath.Join(dir, "toy-bin.part"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(victim, filepath.Join(dir, "toy-bin.part", "toy.tar.gz.part")); err != nil {
		t.Skipf("links cannot be made here: %v", err)
	}
	mustFail(t, fast(), t.Context(), s, Options{Dir: dir}, "not a regular file")
	if got, err := os.ReadFile(victim); err != nil || string(got) != "precious" {
		t.Errorf("%q, %v", got, err)
	}
}

// TestOneAtATime: a second call for the same folder is refused while the first
// is at work, which it does not disturb.
func TestOneAtATime(t *testing.T) {
	b := tarGz(t, entries(toy))
	s, dir := setOf("toy.tar.gz", b, serve(t, b, cutAfter(b, 5000)).URL), t.TempDir()
	tried := 0
	mustGet(t, fast(), s, Options{Dir: dir, Report: func(p Progress) {
		if tried++; tried > 1 {
			return
		}
		mustFail(t, fast(), t.Context(), s, Options{Dir: dir}, "is being written by another process")
	}})
	if tried < 2 {
		t.Errorf("%d reports", tried)
	}
}

func TestErrorWithoutReport(t *testing.T) {
	b := tarGz(t, entries(toy))
	s := setOf("toy.tar.gz", b, serve(t, b, status(500)).URL)
	mustGet(t, fast(), s, Options{Dir: t.TempDir()})
}

// TestSets: each set that has a folder can be fetched, with figures that are
// well formed, from servers that say what they are.
func TestSets(t *testing.T) {
	sets := Sets()
	n := 0
	for _, k := range data.Known() {
		if k.Folder == "" {
			continue
		}
		if n == len(sets) || sets[n].Name != k.Name {
			t.Fatalf("%s cannot be fetched: %d sets", k.Name, len(sets))
		}
		n++
	}
	if n != len(sets) || n != len(published) || n < 5 {
		t.Errorf("%d sets of %d, %d published", n, len(sets), len(published))
	}
	sums := map[string]string{}
	for _, s := range sets {
		if len(s.Bases) == 0 || len(s.Files) == 0 {
			t.Errorf("%s has no servers or no files", s.Name)
		}
		for i, base := range s.Bases {
			u, err := url.Parse(base)
			if err != nil || u.Host == "" || !strings.HasSuffix(base, "/") || i == 0 && u.Scheme != "https" {
				t.Errorf("%s: %s, want https first, and a folder", s.Name, base)
			}
		}
		for _, f := range s.Files {
			if len(f.SHA256) != 64 || strings.Trim(f.SHA256, "0123456789abcdef") != "" || f.Size < 1000 {
				t.Errorf("%s: %+v", s.Name, f)
			}
			if other := sums[f.SHA256]; other != "" {
				t.Errorf("%s has the checksum of %s", f.Name, other)
			}
			sums[f.SHA256] = s.Name + " " + f.Name
		}
		if len(s.Files) > 1 { // no archive: what is expected is one of them
			if f := s.Files[0].Name; f != s.Expects {
				t.Errorf("%s expects %s, but the first file is %s", s.Name, s.Expects, f)
			}
		}
	}
}

// TestLimitsFit: the largest sets are well below the limits of Get.
func TestLimitsFit(t *testing.T) {
	g := newGetter()
	for _, s := range Sets() {
		images := s.Train + s.Test
		if s.Name == "tinyimagenet" { // one file an image, and as many test images without labels
			if images += s.Test; g.maxEntries < 2*images || g.maxBytes < 2*s.Size() {
				t.Errorf("%s: %d images in %d bytes, but the limits are %d and %d", s.Name, images, s.Size(), g.maxEntries, g.maxBytes)
			}
			continue
		}
		if n := int64(images * s.H * s.W * s.C); g.maxBytes < 2*n {
			t.Errorf("%s: %d bytes of pixels, but the limit is %d", s.Name, n, g.maxBytes)
		}
	}
}
