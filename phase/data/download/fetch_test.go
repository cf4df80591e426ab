package download

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

func TestGet(t *testing.T) {
	for name, b := range map[string][]byte{"toy.tar.gz": tarGz(t, entries(toy)), "toy.zip": zipped(t, entries(toy))} {
		srv, dir := serve(t, b), filepath.Join(t.TempDir(), "made")
		s := setOf(name, b, srv.URL)
		var steps []string
		res := mustGet(t, fast(), s, Options{Dir: dir, Report: func(p Progress) {
			if p.File != name || p.Done > p.Total || p.Total != s.Size() {
				t.Errorf("%+v", p)
			}
			if len(steps) == 0 || steps[len(steps)-1] != p.Step {
				steps = append(steps, p.Step)
			}
		}})
		if got := strings.Join(steps, " "); got != "fetch check unpack" {
			t.Errorf("steps %s", got)
		}
		want := Fetched{name, srv.URL + "/" + name, int64(len(b)), 0, s.Files[0].SHA256}
		if res.Folder != filepath.Join(dir, "toy-bin") || len(res.Files) != 1 || res.Files[0] != want {
			t.Errorf("%+v, want %+v", res, want)
		}
		res = mustGet(t, fast(), s, Options{Dir: dir})
		if len(res.Files) != 0 || len(srv.ranges()) != 1 {
			t.Errorf("what is there was fetched again: %+v", res)
		}
	}
}

// TestCutAnywhere cuts the connection after each of a hundred numbers of bytes,
// and again after as many: what is there in the end is the file.
func TestCutAnywhere(t *testing.T) {
	b := tarGz(t, entries(toy))
	for i := range 100 {
		at := 1 + i*(len(b)-2)/99
		srv, dir := serve(t, b, cutAfter(b, at), cutAfter(b, at)), t.TempDir()
		mustGet(t, fast(), setOf("toy.tar.gz", b, srv.URL), Options{Dir: dir})
		want := []string{"", fmt.Sprintf("bytes=%d-", at)}
		if at < len(b)-at {
			want = append(want, fmt.Sprintf("bytes=%d-", 2*at))
		}
		if got := srv.ranges(); strings.Join(got, " ") != strings.Join(want, " ") {
			t.Errorf("cut after %d: ranges %q, want %q", at, got, want)
		}
	}
}

// TestGoesOn: what one call has fetched the next does not fetch again.
func TestGoesOn(t *testing.T) {
	b := tarGz(t, entries(toy))
	ctx, cancel := context.WithCancel(t.Context())
	srv := serve(t, b, func(w http.ResponseWriter, r *http.Request) bool {
		w.Header().Set("ETag", `"1"`)
		w.Header().Set("Content-Length", fmt.Sprint(len(b)))
		w.Write(b[:9000])
		w.(http.Flusher).Flush()
		<-r.Context().Done()
		return true
	})
	dir := t.TempDir()
	s := setOf("toy.tar.gz", b, srv.URL)
	err := mustFail(t, fast(), ctx, s, Options{Dir: dir, Report: func(p Progress) {
		if p.Done == 9000 {
			cancel()
		}
	}}, "interrupted", "0.0 MB of 0.0 MB stay in "+filepath.Join(dir, "toy-bin.part"), "the same call goes on")
	if !errors.Is(err, context.Canceled) {
		t.Errorf("%v does not wrap the cancellation", err)
	}
	if n := kept(t, dir, s.Files[0]); n != 9000 {
		t.Fatalf("%d bytes are kept, want 9000", n)
	}
	// A killed process leaves this behind.
	junk := filepath.Join(dir, "toy-bin.part", "unpacked", "toy-bin")
	if err := os.MkdirAll(junk, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(junk, "train.bin"), []byte("half"), 0o644); err != nil {
		t.Fatal(err)
	}
	res := mustGet(t, fast(), s, Options{Dir: dir})
	if res.Files[0].Resumed != 9000 || srv.seen[1].Header.Get("Range") != "bytes=9000-" || srv.seen[1].Header.Get("If-Range") != `"1"` {
		t.Errorf("%+v, headers %v", res, srv.seen[1].Header)
	}
}

// TestGoesOnWithoutOrigin: a part without a record of where it came from, or a
// torn one, is as good.
func TestGoesOnWithoutOrigin(t *testing.T) {
	b := tarGz(t, entries(toy))
	for _, record := range []string{"", `{"schema":1,"url`} {
		dir := t.TempDir()
		putPart(t, dir, b[:9000], record)
		srv := serve(t, b)
		mustGet(t, fast(), setOf("toy.tar.gz", b, srv.URL), Options{Dir: dir})
		if h := srv.seen[0].Header; h.Get("Range") != "bytes=9000-" || h.Get("If-Range") != "" {
			t.Errorf("record %q: headers %v", record, h)
		}
	}
}

// putPart leaves a part as an earlier call would.
func putPart(t *testing.T, dir string, b []byte, record string) {
	t.Helper()
	stage := filepath.Join(dir, "toy-bin.part")
	if err := os.MkdirAll(stage, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(stage, "toy.tar.gz.part"), b, 0o644); err != nil {
		t.Fatal(err)
	}
	if record != "" {
		if err := os.WriteFile(filepath.Join(stage, "toy.tar.gz.part.json"), []byte(record), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// TestCompletePart: nothing is fetched where all is there; what is too long
// starts anew.
func TestCompletePart(t *testing.T) {
	b := tarGz(t, entries(toy))
	for extra, requests := range map[string]int{"": 0, "x": 1} {
		dir, srv := t.TempDir(), serve(t, b)
		putPart(t, dir, append(b[:len(b):len(b)], extra...), "")
		mustGet(t, fast(), setOf("toy.tar.gz", b, srv.URL), Options{Dir: dir})
		if n := len(srv.ranges()); n != requests {
			t.Errorf("%d bytes too many: %d requests, want %d", len(extra), n, requests)
		}
	}
}

// TestRangeIgnored: a server that always sends all of it.
func TestRangeIgnored(t *testing.T) {
	b := tarGz(t, entries(toy))
	whole := func(w http.ResponseWriter, r *http.Request) bool {
		w.Write(b)
		return true
	}
	dir := t.TempDir()
	srv := serve(t, b, cutAfter(b, 5000), whole)
	mustGet(t, fast(), setOf("toy.tar.gz", b, srv.URL), Options{Dir: dir})
	if got := srv.ranges(); len(got) != 2 || got[1] != "bytes=5000-" {
		t.Errorf("ranges %q", got)
	}

	// It brings nothing new for ever: that ends.
	cut := func(w http.ResponseWriter, r *http.Request) bool {
		r.Header.Del("Range")
		return cutAfter(b, 5000)(w, r)
	}
	srv = serve(t, b, cut, cut, cut, cut, cut, cut, cut, cut)
	dir = t.TempDir()
	mustFail(t, fast(), t.Context(), setOf("toy.tar.gz", b, srv.URL), Options{Dir: dir}, "connection was cut", "(4 times)")
	if n := len(srv.ranges()); n != 4 {
		t.Errorf("%d requests, want 4", n)
	}
}

// TestChanged: the server has another file than the one that was begun; whether
// it says so or not, no mixture comes out.
func TestChanged(t *testing.T) {
	old, now := tarGz(t, []entry{{"toy-bin/deep/er/test.bin", '0', string(noise(9000))}}), tarGz(t, entries(toy))
	rude := func(header, value string) func(w http.ResponseWriter, r *http.Request) bool { // keeps to the range and nothing else
		return func(w http.ResponseWriter, r *http.Request) bool {
			w.Header().Set(header, value)
			r.Header.Del("If-Range")
			http.ServeContent(w, r, "", time.Time{}, strings.NewReader(string(now)))
			return true
		}
	}
	at := len(old) / 2
	for name, c := range map[string]struct {
		record   string // with %s for the URL
		ifRange  string
		fault    func(http.ResponseWriter, *http.Request) bool
		requests int
	}{
		"etag":               {`{"schema":1,"url":"%s","etag":"\"0\""}`, `"0"`, nil, 1},
		"modified":           {`{"schema":1,"url":"%s","last_modified":"Sat, 18 Apr 2009 00:00:00 GMT"}`, "Sat, 18 Apr 2009 00:00:00 GMT", nil, 1},
		"etag, unheeded":     {`{"schema":1,"url":"%s","etag":"\"0\""}`, `"0"`, rude("ETag", `"1"`), 2},
		"weak etag":          {`{"schema":1,"url":"%s","etag":"W/\"0\""}`, "", rude("ETag", `W/"1"`), 2},
		"modified, unheeded": {`{"schema":1,"url":"%s","last_modified":"Sat, 18 Apr 2009 00:00:00 GMT"}`, "Sat, 18 Apr 2009 00:00:00 GMT", rude("Last-Modified", "Sun, 19 Apr 2009 00:00:00 GMT"), 2},
	} {
		dir, srv := t.TempDir(), serve(t, now)
		if c.fault != nil {
			srv.faults = append(srv.faults, c.fault)
		}
		putPart(t, dir, old[:at], fmt.Sprintf(c.record, srv.URL+"/toy.tar.gz"))
		mustGet(t, fast(), setOf("toy.tar.gz", now, srv.URL), Options{Dir: dir})
		got := srv.ranges()
		if len(got) != c.requests || got[0] != fmt.Sprintf("bytes=%d-", at) || srv.seen[0].Header.Get("If-Range") != c.ifRange {
			t.Errorf("%s: ranges %q, If-Range %q", name, got, srv.seen[0].Header.Get("If-Range"))
		}
	}
	// Another server of the same file is not asked about the first one's state.
	dir, srv := t.TempDir(), serve(t, now)
	putPart(t, dir, now[:at], `{"schema":1,"url":"http://elsewhere/toy.tar.gz","etag":"\"0\""}`)
	mustGet(t, fast(), setOf("toy.tar.gz", now, srv.URL), Options{Dir: dir})
	if h := srv.seen[0].Header; h.Get("If-Range") != "" || h.Get("Range") != fmt.Sprintf("bytes=%d-", at) {
		t.Errorf("headers %v", h)
	}
}

// TestRanges: partial answers that do not fit what was asked for.
func TestRanges(t *testing.T) {
	b := tarGz(t, entries(toy))
	answer := func(code int, contentRange string, from int) func(http.ResponseWriter, *http.Request) bool {
		return func(w http.ResponseWriter, r *http.Request) bool {
			w.Header().Set("Content-Range", contentRange)
			w.WriteHeader(code)
			if code == http.StatusPartialContent {
				w.Write(b[from:])
			}
			return true
		}
	}
	n := len(b)
	for name, fault := range map[string]func(http.ResponseWriter, *http.Request) bool{
		"another start":   answer(206, fmt.Sprintf("bytes 10-%d/%d", n-1, n), 10),
		"no range":        answer(206, "", 100),
		"nonsense":        answer(206, "bytes all/none", 100),
		"not satisfiable": answer(416, fmt.Sprintf("bytes */%d", n), 0),
	} {
		dir, srv := t.TempDir(), serve(t, b, fault)
		putPart(t, dir, b[:100], "")
		mustGet(t, fast(), setOf("toy.tar.gz", b, srv.URL), Options{Dir: dir})
		if got := srv.ranges(); len(got) != 2 || got[0] != "bytes=100-" || got[1] != "" {
			t.Errorf("%s: ranges %q", name, got)
		}
	}
	dir, srv := t.TempDir(), serve(t, b, answer(206, fmt.Sprintf("bytes 100-%d/*", n-1), 100))
	putPart(t, dir, b[:100], "")
	mustGet(t, fast(), setOf("toy.tar.gz", b, srv.URL), Options{Dir: dir})
	if len(srv.ranges()) != 1 {
		t.Errorf("a range of an unknown total is refused: %q", srv.ranges())
	}
	dir, srv = t.TempDir(), serve(t, b, answer(206, fmt.Sprintf("bytes 100-%d/%d", n, n+1), 100))
	putPart(t, dir, b[:100], "")
	mustFail(t, fast(), t.Context(), setOf("toy.tar.gz", b, srv.URL), Options{Dir: dir}, fmt.Sprintf("has a file of %d bytes, want %d", n+1, n))
	dir, srv = t.TempDir(), serve(t, b, answer(206, fmt.Sprintf("bytes 0-%d/%d", n-1, n), 0))
	mustFail(t, fast(), t.Context(), setOf("toy.tar.gz", b, srv.URL), Options{Dir: dir}, "answers 206")
}

// TestStall: a server that says nothing more is left, and asked again.
func TestStall(t *testing.T) {
	b := tarGz(t, entries(toy))
	hang := func(n int) func(http.ResponseWriter, *http.Request) bool {
		return func(w http.ResponseWriter, r *http.Request) bool {
			if n > 0 {
				w.Header().Set("Content-Length", fmt.Sprint(len(b)))
				w.Write(b[:n])
				w.(http.Flusher).Flush()
			}
			<-r.Context().Done()
			return true
		}
	}
	t.Run("asked again", func(t *testing.T) {
		t.Parallel()
		g := fast()
		g.stall = 500 * time.Millisecond
		srv := serve(t, b, hang(0), hang(3000))
		var notes []string
		mustGet(t, g, setOf("toy.tar.gz", b, srv.URL), Options{Dir: t.TempDir(), Report: func(p Progress) {
			if p.Note != "" {
				notes = append(notes, p.Note)
			}
		}})
		if got := srv.ranges(); len(got) != 3 || got[2] != "bytes=3000-" {
			t.Errorf("ranges %q", got)
		}
		if len(notes) != 2 || !strings.Contains(notes[0], "no byte for 500ms") {
			t.Errorf("notes %q", notes)
		}
	})
	t.Run("given up", func(t *testing.T) {
		t.Parallel()
		g, dir := fast(), t.TempDir()
		g.stall = 50 * time.Millisecond
		srv := serve(t, b, hang(0), hang(0), hang(0), hang(0), hang(0))
		mustFail(t, g, t.Context(), setOf("toy.tar.gz", b, srv.URL), Options{Dir: dir}, "no byte for 50ms (4 times)")
		wantEmpty(t, dir)
	})
	t.Run("slow is not stalled", func(t *testing.T) {
		t.Parallel()
		g := fast()
		g.stall = time.Second
		srv := serve(t, b, func(w http.ResponseWriter, r *http.Request) bool {
			for i := 0; i < len(b); i += len(b)/9 + 1 {
				w.Write(b[i:min(i+len(b)/9+1, len(b))])
				w.(http.Flusher).Flush()
				time.Sleep(g.stall / 7)
			}
			return true
		})
		mustGet(t, g, setOf("toy.tar.gz", b, srv.URL), Options{Dir: t.TempDir()})
		if len(srv.ranges()) != 1 {
			t.Errorf("a slow server was asked %d times", len(srv.ranges()))
		}
	})
}

// TestStatus: what is tried again, and what is not.
func TestStatus(t *testing.T) {
	b := tarGz(t, entries(toy))
	for code, again := range map[int]bool{404: false, 403: false, 410: false, 400: false, 204: false, 304: false, 500: true, 502: true, 503: true, 429: true, 408: true} {
		dir, srv := t.TempDir(), serve(t, b, status(code))
		s := setOf("toy.tar.gz", b, srv.URL)
		if again {
			mustGet(t, fast(), s, Options{Dir: dir})
			continue
		}
		err := mustFail(t, fast(), t.Context(), s, Options{Dir: dir}, srv.URL+"/toy.tar.gz: answers "+fmt.Sprint(code))
		var server *ServerError
		if !errors.As(err, &server) || len(srv.ranges()) != 1 {
			t.Errorf("%d: %T after %d requests", code, err, len(srv.ranges()))
		}
		wantEmpty(t, dir)
	}
	dir, srv := t.TempDir(), serve(t, b, status(500), status(500), status(500), status(500))
	mustFail(t, fast(), t.Context(), setOf("toy.tar.gz", b, srv.URL), Options{Dir: dir}, "answers 500 Internal Server Error (4 times)")
	wantEmpty(t, dir)
}

// TestMirrors: the next server is asked, and goes on where the first left off.
func TestMirrors(t *testing.T) {
	b := tarGz(t, entries(toy))
	cut := cutAfter(b, 5000)
	none := func(w http.ResponseWriter, r *http.Request) bool { panic(http.ErrAbortHandler) }
	first, second, dir := serve(t, b, cut, none, none, none, none), serve(t, b), t.TempDir()
	res := mustGet(t, fast(), setOf("toy.tar.gz", b, first.URL, second.URL), Options{Dir: dir})
	if got := second.ranges(); len(got) != 1 || got[0] != "bytes=5000-" || res.Files[0].From != second.URL+"/toy.tar.gz" {
		t.Errorf("ranges %q, %+v", got, res)
	}
	first, second = serve(t, b, status(404)), serve(t, b, status(403))
	mustFail(t, fast(), t.Context(), setOf("toy.tar.gz", b, first.URL, second.URL), Options{Dir: t.TempDir()}, first.URL, "404", second.URL, "403")

	// Base is asked in place of both.
	third := serve(t, b)
	mustGet(t, fast(), setOf("toy.tar.gz", b, first.URL, second.URL), Options{Dir: t.TempDir(), Base: third.URL + "/a/b/"})
	if len(first.ranges())+len(second.ranges()) != 2 || third.seen[0].URL.Path != "/a/b/toy.tar.gz" {
		t.Errorf("%d %d %v", len(first.ranges()), len(second.ranges()), third.seen[0].URL)
	}
}

func redirect(to string) func(http.ResponseWriter, *http.Request) bool {
	return func(w http.ResponseWriter, r *http.Request) bool {
		http.Redirect(w, r, to, http.StatusFound)
		return true
	}
}

func TestRedirects(t *testing.T) {
	b := tarGz(t, entries(toy))
	target := serve(t, b, cutAfter(b, 5000))
	srv := serve(t, b, redirect(target.URL+"/x"), redirect(target.URL+"/x"))
	mustGet(t, fast(), setOf("toy.tar.gz", b, srv.URL), Options{Dir: t.TempDir()})
	if got := target.ranges(); len(got) != 2 || got[1] != "bytes=5000-" {
		t.Errorf("the range is lost on the way: %q", got)
	}

	loop := serve(t, b)
	loop.Config.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		loop.mu.Lock()
		loop.seen = append(loop.seen, r)
		loop.mu.Unlock()
		http.Redirect(w, r, "/again", http.StatusFound)
	})
	dir := t.TempDir()
	mustFail(t, fast(), t.Context(), setOf("toy.tar.gz", b, loop.URL), Options{Dir: dir}, "more than 10 redirects", loop.URL+"/again")
	if n := len(loop.ranges()); n != 11 {
		t.Errorf("%d requests, want 11", n)
	}
	wantEmpty(t, dir)

	// From https to http it does not go; between servers with TLS, and from http
	// wherever it leads, it does.
	secure := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/down/toy.tar.gz" {
			http.Redirect(w, r, target.URL+"/x", http.StatusMovedPermanently)
			return
		}
		if r.URL.Path == "/over/toy.tar.gz" {
			http.Redirect(w, r, "/toy.tar.gz", http.StatusMovedPermanently)
			return
		}
		w.Write(b)
	}))
	defer secure.Close()
	g := fast()
	g.client.Transport = secure.Client().Transport
	before := len(target.ranges())
	mustFail(t, g, t.Context(), setOf("toy.tar.gz", b, secure.URL+"/down"), Options{Dir: dir}, "redirects from https to "+target.URL, "want https")
	if len(target.ranges()) != before {
		t.Error("the redirect to http was followed")
	}
	wantEmpty(t, dir)
	mustGet(t, g, setOf("toy.tar.gz", b, secure.URL+"/over"), Options{Dir: t.TempDir()})
	srv = serve(t, b, redirect(secure.URL+"/down/toy.tar.gz"))
	mustGet(t, g, setOf("toy.tar.gz", b, srv.URL), Options{Dir: t.TempDir()})
}

// TestWrongBytes: what is not the set is refused, says what was wanted and what
// came, and is deleted.
func TestWrongBytes(t *testing.T) {
	b := tarGz(t, entries(toy))
	other := append([]byte(nil), b...)
	other[len(b)/2] ^= 1
	s := setOf("toy.tar.gz", b)
	for name, c := range map[string]struct {
		body  []byte
		fault func(http.ResponseWriter, *http.Request) bool
		words []string
	}{
		"flipped bit": {other, nil, []string{s.Files[0].SHA256, fileOf("", other).SHA256, "deleted"}},
		"shorter":     {b[:len(b)-1], nil, []string{fmt.Sprintf("answers with %d bytes (application/x-gzip), want %d", len(b)-1, len(b))}},
		"longer":      {append(b[:len(b):len(b)], 0), nil, []string{fmt.Sprintf("answers with %d bytes (application/x-gzip), want %d", len(b)+1, len(b))}},
		"empty":       {nil, nil, []string{"answers with 0 bytes"}},
		"web page": {nil, func(w http.ResponseWriter, _ *http.Request) bool {
			w.Header().Set("Content-Type", "text/html; charset=utf-8")
			w.(http.Flusher).Flush() // no length
			io.WriteString(w, "<html>please log in</html>")
			return true
		}, []string{"a web page"}},
		"endless": {nil, func(w http.ResponseWriter, _ *http.Request) bool {
			w.(http.Flusher).Flush()
			for {
				if _, err := w.Write(make([]byte, 1<<16)); err != nil {
					return true
				}
			}
		}, []string{fmt.Sprintf("sends more than the %d bytes", len(b))}},
	} {
		t.Run(name, func(t *testing.T) {
			srv, dir := serve(t, c.body), t.TempDir()
			if c.fault != nil {
				srv.faults = append(srv.faults, c.fault)
			}
			s := s
			s.Bases = []string{srv.URL}
			mustFail(t, fast(), t.Context(), s, Options{Dir: dir}, c.words...)
			if name == "endless" { // what came before the end may be good
				return
			}
			wantEmpty(t, dir)
			if n := len(srv.ranges()); n != 1 {
				t.Errorf("%d requests, want 1", n)
			}
			// Another server's bytes are not mixed with them.
			good := serve(t, b)
			s.Bases = append(s.Bases, good.URL)
			srv.faults = append(srv.faults, c.fault)
			mustGet(t, fast(), s, Options{Dir: dir})
			if got := good.ranges(); len(got) != 1 || got[0] != "" {
				t.Errorf("ranges %q", got)
			}
		})
	}
}

// A full disk takes some bytes and then no more.
type fullDisk struct {
	w    io.Writer
	left *int
}

func (d fullDisk) Write(b []byte) (int, error) {
	n, err := d.w.Write(b[:min(len(b), *d.left)])
	if *d.left -= n; err == nil && n < len(b) {
		err = &os.PathError{Op: "write", Path: "x", Err: syscall.ENOSPC}
	}
	return n, err
}

// TestFullDisk: at every point, one line, and what is left is what was fetched.
func TestFullDisk(t *testing.T) {
	b := tarGz(t, entries(toy))
	total := len(b)
	for _, body := range toy {
		total += len(body)
	}
	for _, room := range []int{0, 1, 7000, len(b) - 1, len(b), len(b) + 1, len(b) + 6000, total - 1} {
		srv, other, dir := serve(t, b), serve(t, b), t.TempDir()
		s := setOf("toy.tar.gz", b, srv.URL, other.URL)
		g, left := fast(), room
		g.disk = func(w io.Writer) io.Writer { return fullDisk{w, &left} }
		err := mustFail(t, g, t.Context(), s, Options{Dir: dir}, "no space left on device")
		if !errors.Is(err, syscall.ENOSPC) || len(srv.ranges()) != 1 || len(other.ranges()) != 0 {
			t.Errorf("room for %d: %v after %d and %d requests", room, err, len(srv.ranges()), len(other.ranges()))
		}
		if room == 0 {
			wantEmpty(t, dir)
		} else if n := kept(t, dir, s.Files[0]); n != int64(min(room, len(b))) {
			t.Errorf("room for %d: %d bytes are kept", room, n)
		}
		res := mustGet(t, fast(), s, Options{Dir: dir})
		if res.Files[0].Resumed != int64(min(room, len(b))) {
			t.Errorf("room for %d: %+v", room, res)
		}
	}
}

// TestOffline: nobody answers, or the name is unknown.
func TestOffline(t *testing.T) {
	b := tarGz(t, entries(toy))
	srv, dir := serve(t, b), t.TempDir()
	srv.Close()
	mustFail(t, fast(), t.Context(), setOf("toy.tar.gz", b, srv.URL), Options{Dir: dir}, srv.URL+"/toy.tar.gz: ", "(4 times)")
	wantEmpty(t, dir)
}

// TestInterruptedWhile: at every step the cancellation is what is said.
func TestInterruptedWhile(t *testing.T) {
	for name, b := range map[string][]byte{"toy.tar.gz": tarGz(t, entries(toy)), "toy.zip": zipped(t, entries(toy))} {
		for _, step := range []string{"fetch", "check", "unpack", ""} {
			srv, dir := serve(t, b, status(500)), t.TempDir()
			ctx, cancel := context.WithCancel(t.Context())
			g := fast()
			if step == "" { // while it waits
				g.pause = time.Hour
			}
			err := mustFail(t, g, ctx, setOf(name, b, srv.URL), Options{Dir: dir, Report: func(p Progress) {
				if p.Step == step {
					cancel()
				}
			}}, "interrupted")
			if !errors.Is(err, context.Canceled) {
				t.Errorf("%s: %v", step, err)
			}
			if step == "" {
				wantEmpty(t, dir)
				continue
			}
			kept(t, dir, File{Name: name})
			mustGet(t, fast(), setOf(name, b, srv.URL), Options{Dir: dir})
		}
	}
}

func TestOptionsRefused(t *testing.T) {
	for _, o := range []Options{{Base: "nowhere"}, {Base: "ftp://a/"}, {Base: "http://"}, {Base: "http://a/%zz"}, {Base: "file:///etc"}, {Base: "http://a/", From: "b"}} {
		if o.Check() == nil {
			t.Errorf("%+v is accepted", o)
		}
		o.Dir = t.TempDir()
		mustFail(t, fast(), t.Context(), setOf("toy.tar.gz", nil), o)
		wantEmpty(t, o.Dir)
	}
}

// TestPassword: one in a URL is used, and not shown.
func TestPassword(t *testing.T) {
	b := tarGz(t, entries(toy))
	srv, dir := serve(t, b, status(403)), t.TempDir()
	base := strings.Replace(srv.URL, "http://", "http://me:secret@", 1)
	err := mustFail(t, fast(), t.Context(), setOf("toy.tar.gz", b), Options{Dir: dir, Base: base}, "403")
	if strings.Contains(err.Error(), "secret") {
		t.Error(err)
	}
	res := mustGet(t, fast(), setOf("toy.tar.gz", b), Options{Dir: dir, Base: base})
	if _, word, _ := srv.seen[1].BasicAuth(); word != "secret" || strings.Contains(res.Files[0].From, "secret") {
		t.Errorf("password %q, %+v", word, res)
	}
}
