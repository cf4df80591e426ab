package main

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"phase/phase/data/download"
)

// smallSets are cifar10, mnist and fashion-mnist with some images each, and the
// server that has them.
func smallSets(t *testing.T) (sets []download.Set, base string) {
	t.Helper()
	files := map[string][]byte{}
	var cifar bytes.Buffer
	z := gzip.NewWriter(&cifar)
	w := tar.NewWriter(z)
	for name, labels := range map[string]string{"data_batch_1.bin": "\x00\x01\x02\x03\x04\x05\x06\x07\x08\x09", "test_batch.bin": "\x00\x01", "batches.meta.txt": ""} {
		body := []byte("airplane\nautomobile\nbird\ncat\ndeer\ndog\nfrog\nhorse\nship\ntruck\n\n")
		if labels != "" {
			body = nil
			for _, l := range []byte(labels) {
				body = append(append(body, l), bytes.Repeat([]byte{20 * l}, 3072)...)
			}
		}
		if err := w.WriteHeader(&tar.Header{Name: "cifar-10-batches-bin/" + name, Mode: 0o644, Size: int64(len(body))}); err != nil {
			t.Fatal(err)
		}
		w.Write(body)
	}
	w.Close()
	z.Close()
	files["cifar-10-binary.tar.gz"] = cifar.Bytes()
	for _, prefix := range []string{"train", "t10k"} {
		images, labels := []byte{0, 0, 8, 3}, []byte{0, 0, 8, 1, 0, 0, 0, 10}
		for _, n := range []uint32{10, 28, 28} {
			images = binary.BigEndian.AppendUint32(images, n)
		}
		for i := range 10 * 28 * 28 {
			images = append(images, byte(i))
		}
		for i := range 10 {
			labels = append(labels, byte(i))
		}
		for name, b := range map[string][]byte{"-images-idx3-ubyte.gz": images, "-labels-idx1-ubyte.gz": labels} {
			var out bytes.Buffer
			z := gzip.NewWriter(&out)
			z.Write(b)
			z.Close()
			files[prefix+name] = out.Bytes()
		}
	}
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b, ok := files[path.Base(r.URL.Path)]
		if !ok {
			w.WriteHeader(http.StatusNotFound)
			return
		}
		if strings.HasPrefix(r.URL.Path, "/slow/") { // long enough for a bar to be drawn
			w.Header().Set("Content-Length", strconv.Itoa(len(b)))
			for range 2 {
				w.Write(b[:len(b)/2])
				w.(http.Flusher).Flush()
				time.Sleep(120 * time.Millisecond)
				b = b[len(b)/2:]
			}
		}
		w.Write(b)
	}))
	t.Cleanup(srv.Close)
	for _, s := range download.Sets() {
		s.Bases = []string{srv.URL}
		s.Files = slices.Clone(s.Files)
		for i, f := range s.Files {
			if b, ok := files[f.Name]; ok {
				sum := sha256.Sum256(b)
				s.Files[i] = download.File{Name: f.Name, Size: int64(len(b)), SHA256: hex.EncodeToString(sum[:])}
			}
		}
		sets = append(sets, s)
	}
	return sets, srv.URL
}

func setNamed(t *testing.T, sets []download.Set, name string) *download.Set {
	t.Helper()
	for i := range sets {
		if sets[i].Name == name {
			return &sets[i]
		}
	}
	t.Fatalf("no set %s", name)
	return nil
}

// callGet calls phase data get with these sets in place of the published ones.
func callGet(ctx context.Context, sets []download.Set, args ...string) (o outcome) {
	var stdout, stderr bytes.Buffer
	p := &program{in: strings.NewReader(""), out: &stdout, err: &stderr}
	root := p.root()
	dataCommand, _, err := root.Find([]string{"data"})
	if err == nil {
		for _, c := range dataCommand.Commands() {
			if c.Name() == "get" {
				dataCommand.RemoveCommand(c)
			}
		}
		dataCommand.AddCommand(p.getCommand(sets))
		root.SetArgs(append([]string{"data", "get"}, args...))
		err = root.ExecuteContext(ctx)
	}
	o.code = p.exit(err)
	o.out, o.err = stdout.String(), stderr.String()
	return o
}

// TestDataGet: what get says to use works, wherever the data folder comes from.
func TestDataGet(t *testing.T) {
	sets, _ := smallSets(t)
	home := t.TempDir()
	t.Setenv("HOME", home)
	t.Setenv("LocalAppData", home)
	t.Setenv("XDG_CACHE_HOME", filepath.Join(home, "cache"))
	cache, err := os.UserCacheDir()
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name, env, flag, dir string
		data, folder         string
	}{
		{"cifar10", "", "--data-dir=" + filepath.Join(home, "one"), filepath.Join(home, "one"), "cifar10", "cifar-10-batches-bin"},
		{"cifar10", filepath.Join(home, "two"), "", filepath.Join(home, "two"), "cifar10", "cifar-10-batches-bin"},
		{"cifar10", "", "", filepath.Join(cache, "phase"), "cifar10", "cifar-10-batches-bin"},
		{"mnist", "", "", filepath.Join(cache, "phase"), "mnist", "mnist"},
		{"mnist", "", "", filepath.Join(cache, "phase"), "idx:" + filepath.Join(cache, "phase", "mnist"), "mnist"},
		{"fashion", "", "", filepath.Join(cache, "phase"), "fashion-mnist", "fashion-mnist"},
	} {
		t.Setenv("PHASE_DATA", c.env)
		args := []string{}
		if c.flag != "" {
			args = append(args, c.flag)
		}
		before := callGet(t.Context(), sets, append(args, c.name)...)
		use := "--data " + c.data
		if before.code != exitDone || before.err != "" || !strings.Contains(before.out, use) {
			t.Fatalf("%+v: exit %d, %s%s, want %q", c, before.code, before.out, before.err, use)
		}
		info := succeed(t, append([]string{"data", "info", "--data", c.data}, args...)...)
		if !strings.Contains(info, "10 classes") {
			t.Errorf("%+v: %s", c, info)
		}
		if list := strings.Join(strings.Fields(succeed(t, append([]string{"data", "list"}, args...)...)), " "); !strings.Contains(list, "; in "+filepath.Join(c.dir, c.folder)) {
			t.Errorf("%+v: %s", c, list)
		}
		again := callGet(t.Context(), sets, append(args, c.name)...)
		if again.code != exitDone || !strings.Contains(again.out, " is there: "+filepath.Join(c.dir, c.folder)) {
			t.Errorf("%+v: exit %d, %s%s", c, again.code, again.out, again.err)
		}
	}
	if info := succeed(t, "data", "info", "--data", "fashion-mnist"); !strings.Contains(info, "Ankle boot") {
		t.Errorf("the classes have no names: %s", info)
	}
}

func TestDataGetJSON(t *testing.T) {
	sets, base := smallSets(t)
	dir := t.TempDir()
	for _, files := range []int{4, 0} {
		o := callGet(t.Context(), sets, "mnist", "--data-dir", dir, "--json")
		var got struct {
			Schema       int
			Name, Folder string
			Files        []download.Fetched
		}
		if err := json.Unmarshal([]byte(o.out), &got); err != nil || o.code != exitDone || strings.Count(o.out, "\n") != 1 {
			t.Fatalf("exit %d: %q %q: %v", o.code, o.out, o.err, err)
		}
		if got.Schema != 1 || got.Name != "mnist" || got.Folder != filepath.Join(dir, "mnist") || len(got.Files) != files {
			t.Errorf("%+v, want %d files", got, files)
		}
		if files > 0 && (got.Files[0].From != base+"/"+got.Files[0].Name || got.Files[0].SHA256 != setNamed(t, sets, "mnist").Files[0].SHA256) {
			t.Errorf("%+v", got.Files[0])
		}
	}
}

// TestDataGetFails: one line that says how else to come by the files.
func TestDataGetFails(t *testing.T) {
	sets, base := smallSets(t)
	for name, words := range map[string][]string{
		"cifar100":     {base + "/cifar-100-binary.tar.gz: answers 404", "fetch cifar-100-binary.tar.gz from " + base, "run phase data get cifar100 --from cifar-100-binary.tar.gz"},
		"tinyimagenet": {"--from tiny-imagenet-200.zip"},
	} {
		dir := t.TempDir()
		for _, progress := range []string{"plain", "bar", "none"} {
			o := callGet(t.Context(), sets, name, "--data-dir", dir, "--progress", progress)
			if o.code != exitFailed || o.out != "" || !oneErrorLine(o.err) {
				t.Errorf("%s: exit %d, %q, %q", name, o.code, o.out, o.err)
			}
			for _, w := range words {
				if !strings.Contains(o.err, w) {
					t.Errorf("%s: %q does not say %q", name, o.err, w)
				}
			}
		}
		if left, _ := os.ReadDir(dir); len(left) > 0 {
			t.Errorf("%s: %v is left behind", name, left)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if o := callGet(ctx, sets, "cifar10", "--data-dir", t.TempDir()); o.code != exitInterrupted || o.err != "phase: cifar10: interrupted\n" {
		t.Errorf("interrupted: exit %d, %q", o.code, o.err)
	}
	// Of files that are here, no advice to fetch them.
	o := callGet(t.Context(), sets, "cifar10", "--data-dir", t.TempDir(), "--from", "nowhere")
	if o.code != exitFailed || !oneErrorLine(o.err) || strings.Contains(o.err, "fetch") {
		t.Errorf("exit %d, %q", o.code, o.err)
	}
}

// TestDataGetProgress: a bar for each step, and notes as lines.
func TestDataGetProgress(t *testing.T) {
	sets, base := smallSets(t)
	o := callGet(t.Context(), sets, "cifar10", "--data-dir", t.TempDir(), "--progress", "bar", "--url", base+"/slow/")
	if o.code != exitDone || !strings.Contains(o.err, "fetch cifar-10-binary.tar.gz") {
		t.Errorf("exit %d, %q", o.code, o.err)
	}
	s := setNamed(t, sets, "cifar10")
	s.Bases = append(s.Bases, s.Bases[0]+"/mirror")
	s.Files[0].SHA256 = strings.Repeat("0", 64)
	o = callGet(t.Context(), sets, "cifar10", "--data-dir", t.TempDir(), "--progress", "plain")
	if o.code != exitFailed || !strings.Contains(o.err, "trying another server") || strings.Count(o.err, "\n") != 2 {
		t.Errorf("exit %d, %q", o.code, o.err)
	}
	if o = callGet(t.Context(), sets, "cifar10", "--data-dir", t.TempDir(), "-q"); !oneErrorLine(o.err) {
		t.Errorf("-q: %q", o.err)
	}
}
