package download

import (
	"archive/tar"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

// TestHostileArchives: archives with the right checksum that would write
// elsewhere, or without end. Nothing is written outside, nothing stays but the
// archive.
func TestHostileArchives(t *testing.T) {
	good := entries(toy)
	with := func(more ...entry) []entry { return append(good[:len(good):len(good)], more...) }
	outside := filepath.Join(t.TempDir(), "outside")
	for name, c := range map[string]struct {
		list  []entry
		words string
	}{
		"parent":           {with(entry{"../evil", tar.TypeReg, "x"}), `"../evil" does not lie in toy-bin`},
		"parent inside":    {with(entry{"toy-bin/../../evil", tar.TypeReg, "x"}), "does not lie in toy-bin"},
		"back and forth":   {with(entry{"toy-bin/../toy-bin/evil", tar.TypeReg, "x"}), "does not lie in toy-bin"},
		"absolute":         {with(entry{outside, tar.TypeReg, "x"}), "does not lie in toy-bin"},
		"beside":           {with(entry{"evil", tar.TypeReg, "x"}), `"evil" does not lie in toy-bin`},
		"like the name":    {with(entry{"toy-bin2/evil", tar.TypeReg, "x"}), "does not lie in toy-bin"},
		"backslash":        {with(entry{`toy-bin\..\..\evil`, tar.TypeReg, "x"}), "does not lie in toy-bin"},
		"backslash inside": {with(entry{`toy-bin/..\..\evil`, tar.TypeReg, "x"}), "does not lie in toy-bin"},
		"double slash":     {with(entry{"toy-bin//evil", tar.TypeReg, "x"}), "does not lie in toy-bin"},
		"empty name":       {with(entry{"", tar.TypeReg, "x"}), "does not lie in toy-bin"},
		"the folder":       {with(entry{"toy-bin", tar.TypeReg, "x"}), `"toy-bin" is there twice`},
		"symlink":          {with(entry{"toy-bin/link", tar.TypeSymlink, outside}), `"toy-bin/link" is neither a file nor a folder`},
		"through symlink":  {with(entry{"toy-bin/link", tar.TypeSymlink, ".."}, entry{"toy-bin/link/evil", tar.TypeReg, "x"}), "neither a file nor a folder"},
		"twice":            {with(good[1]), "is there twice"},
		"file as folder":   {with(entry{"toy-bin/names.txt/evil", tar.TypeReg, "x"}), "names.txt"},
		"bomb":             {with(entry{"toy-bin/zeros", tar.TypeReg, strings.Repeat("\x00", 1<<20)}), "more than 1048576 bytes in all"},
		"many":             {with(manyEntries(100)...), "more than 100 entries"},
		"nothing expected": {[]entry{{"toy-bin/train.bin", tar.TypeReg, "x"}}, "no deep/er/test.bin"},
		"nothing":          {nil, "no deep/er/test.bin"},
	} {
		t.Run(name, func(t *testing.T) {
			archives := map[string][]byte{"toy.tar.gz": tarGz(t, c.list)}
			if name != "empty name" { // which a zip cannot have
				archives["toy.zip"] = zipped(t, c.list)
			}
			for file, b := range archives {
				srv, dir := serve(t, b), filepath.Join(t.TempDir(), "a", "b")
				s := setOf(file, b, srv.URL)
				mustFail(t, fast(), t.Context(), s, Options{Dir: dir}, c.words)
				kept(t, dir, s.Files[0])
				wantTree(t, filepath.Dir(filepath.Dir(dir)), map[string]string{
					"a/b/toy-bin.part/" + file + ".part":      string(b),
					"a/b/toy-bin.part/" + file + ".part.json": `{"schema":1,"url":"` + srv.URL + "/" + file + `","etag":"\"1\""}`,
				})
				if _, err := os.Lstat(outside); err == nil {
					t.Error("something was written outside")
				}
			}
		})
	}
	for _, e := range []entry{{"toy-bin/odd", tar.TypeLink, "toy-bin/train.bin"}, {"toy-bin/odd", tar.TypeFifo, ""}, {"toy-bin/odd", tar.TypeChar, ""}} {
		b, dir := tarGz(t, with(e)), t.TempDir()
		s := setOf("toy.tar.gz", b, serve(t, b).URL)
		mustFail(t, fast(), t.Context(), s, Options{Dir: dir}, `"toy-bin/odd" is neither a file nor a folder`)
		kept(t, dir, s.Files[0])
	}
}

func manyEntries(n int) (list []entry) {
	for i := range n {
		list = append(list, entry{"toy-bin/" + strings.Repeat("x", i+1), tar.TypeReg, ""})
	}
	return list
}

// TestUnusualArchives: what other programs write and is no harm.
func TestUnusualArchives(t *testing.T) {
	var dotted []entry
	for _, e := range entries(toy) {
		dotted = append(dotted, entry{"./" + e.name, e.kind, e.body})
	}
	for name, list := range map[string][]entry{
		"dot":           dotted,
		"no folder":     entries(toy)[1:],
		"global header": append([]entry{{"", tar.TypeXGlobalHeader, "from git"}}, entries(toy)...),
	} {
		t.Run(name, func(t *testing.T) {
			b := tarGz(t, list)
			mustGet(t, fast(), setOf("toy.tar.gz", b, serve(t, b).URL), Options{Dir: t.TempDir()})
		})
	}
}

// TestBrokenArchives: the checksum is right, but it is no archive, or half of
// one.
func TestBrokenArchives(t *testing.T) {
	for name, b := range map[string][]byte{"toy.tar.gz": tarGz(t, entries(toy)), "toy.zip": zipped(t, entries(toy))} {
		for _, broken := range [][]byte{b[:len(b)/2], []byte("not an archive")} {
			dir := t.TempDir()
			mustFail(t, fast(), t.Context(), setOf(name, broken, serve(t, broken).URL), Options{Dir: dir}, "unpack "+name)
			kept(t, dir, File{Name: name})
		}
	}
}

// TestModes: files can be read by everyone and are no programs, whatever the
// archive says.
func TestModes(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("Windows has no such modes")
	}
	b, dir := zipped(t, entries(toy)), t.TempDir()
	mustGet(t, fast(), setOf("toy.zip", b, serve(t, b).URL), Options{Dir: dir})
	for name, want := range map[string]os.FileMode{"toy-bin/train.bin": 0o644, "toy-bin/deep": os.ModeDir | 0o755} {
		info, err := os.Stat(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		if got := info.Mode() &^ 0o022; got != want&^0o022 {
			t.Errorf("%s has mode %v, want %v", name, got, want)
		}
	}
}
