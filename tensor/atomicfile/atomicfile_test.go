package atomicfile

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

// text writes s in small pieces.
func text(s string) func(io.Writer) error {
	return func(w io.Writer) error {
		for len(s) > 0 {
			n := min(len(s), 1000)
			if _, err := io.WriteString(w, s[:n]); err != nil {
				return err
			}
			s = s[n:]
		}
		return nil
	}
}

// holds fails the test unless path reads want and nothing else is in its folder.
func holds(t *testing.T, path, want string) {
	t.Helper()
	got, err := os.ReadFile(path)
	if err != nil || string(got) != want {
		t.Errorf("%.40q, %v, want %.40q", got, err, want)
	}
	if names, _ := os.ReadDir(filepath.Dir(path)); len(names) != 1 {
		t.Errorf("the folder holds %v", names)
	}
}

func TestWrite(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a.bin")
	for _, s := range []string{"first", "", strings.Repeat("long ", 1<<16)} {
		if err := Write(path, text(s)); err != nil {
			t.Fatal(err)
		}
		holds(t, path, s)
	}
	if info, err := os.Stat(path); err != nil || runtime.GOOS == "linux" && info.Mode().Perm()&0o133 != 0 || info.Mode().Perm()&0o600 != 0o600 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
}

func TestWriteRelative(t *testing.T) {
	t.Chdir(t.TempDir())
	if err := Write("a.bin", text("here")); err != nil {
		t.Fatal(err)
	}
	holds(t, "a.bin", "here")
}

func TestWriteLeavesTheOldFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a.bin")
	if err := Write(path, text("old")); err != nil {
		t.Fatal(err)
	}
	broken := errors.New("it broke")
	err := Write(path, func(w io.Writer) error { text("new")(w); return broken })
	if !errors.Is(err, broken) || err.Error() != "write "+path+": it broke" {
		t.Error(err)
	}
	holds(t, path, "old")
	func() {
		defer func() {
			if recover() != "boom" {
				t.Error("the panic is gone")
			}
		}()
		Write(path, func(w io.Writer) error { text("new")(w); panic("boom") })
	}()
	holds(t, path, "old")
}

func TestWriteWhereItCannot(t *testing.T) {
	dir := t.TempDir()
	missing := filepath.Join(dir, "none", "a.bin")
	if err := Write(missing, text("x")); !errors.Is(err, os.ErrNotExist) || !strings.HasPrefix(err.Error(), "write "+missing+": open: ") {
		t.Error(err)
	}
	taken := filepath.Join(dir, "sub")
	if err := os.Mkdir(taken, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := Write(taken, text("x")); err == nil || strings.Contains(err.Error(), ".tmp") {
		t.Error(err)
	}
	if names, _ := os.ReadDir(dir); len(names) != 1 {
		t.Errorf("left behind: %v", names)
	}
}

// A temporary file that a killed process of the same number left is not
// touched and does not stand in the way.
func TestWriteBesideLeftovers(t *testing.T) {
	dir := t.TempDir()
	left := filepath.Join(dir, fmt.Sprintf(".a.bin.%d-0.tmp", os.Getpid()))
	if err := os.WriteFile(left, []byte("half"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := Write(filepath.Join(dir, "a.bin"), text("whole")); err != nil {
		t.Fatal(err)
	}
	if got, _ := os.ReadFile(left); string(got) != "half" {
		t.Errorf("the leftover is %q", got)
	}
}

// faulty is a disk whose n-th call fails; short makes a failing write take half.
type faulty struct {
	disk
	calls, fail int
	short       bool
	log         []string
}

type faultyFile struct {
	file
	d *faulty
}

var errFault = errors.New("planted fault")

func (d *faulty) step(what string) error {
	d.calls++
	d.log = append(d.log, what)
	if d.calls == d.fail {
		return errFault
	}
	return nil
}

func (d *faulty) create(path string) (file, error) {
	if err := d.step("create"); err != nil {
		return nil, err
	}
	f, err := d.disk.create(path)
	return faultyFile{f, d}, err
}

func (d *faulty) rename(from, to string) error {
	if err := d.step("rename"); err != nil {
		return err
	}
	return d.disk.rename(from, to)
}

func (d *faulty) syncDir(dir string) error {
	if err := d.step("syncdir"); err != nil {
		return err
	}
	return d.disk.syncDir(dir)
}

func (f faultyFile) Write(b []byte) (int, error) {
	if err := f.d.step("write"); err != nil {
		if f.d.short {
			n, _ := f.file.Write(b[:len(b)/2])
			return n, err
		}
		return 0, err
	}
	return f.file.Write(b)
}

func (f faultyFile) Sync() error {
	if err := f.d.step("sync"); err != nil {
		return err
	}
	return f.file.Sync()
}

func (f faultyFile) Close() error {
	err := f.file.Close()
	if e := f.d.step("close"); e != nil {
		return e
	}
	return err
}

// Whichever call fails, the error names the path, nothing is left behind, and
// the file is the old one, or the new one if the rename has happened.
func TestEveryCallFails(t *testing.T) {
	content := strings.Repeat("x", 150_000) // three writes
	order := &faulty{}
	path := filepath.Join(t.TempDir(), "a.bin")
	if err := replace(order, path, text(content)); err != nil {
		t.Fatal(err)
	}
	if got, want := strings.Join(order.log, " "), "create write write write sync close rename syncdir"; got != want {
		t.Fatalf("calls %s, want %s", got, want)
	}
	for fail := 1; fail <= len(order.log); fail++ {
		for _, short := range []bool{false, true} {
			path := filepath.Join(t.TempDir(), "a.bin")
			if err := Write(path, text("old")); err != nil {
				t.Fatal(err)
			}
			err := replace(&faulty{fail: fail, short: short}, path, text(content))
			if !errors.Is(err, errFault) || !strings.HasPrefix(err.Error(), "write "+path+": ") {
				t.Errorf("%s fails: %v", order.log[fail-1], err)
			}
			if order.log[fail-1] == "syncdir" {
				holds(t, path, content)
			} else {
				holds(t, path, "old")
			}
		}
	}
}
