package download

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/gofrs/flock"
)

// A stage is where a set is made: the folder FOLDER.part beside the target, for
// this process alone.
//
//	FILE.part       what has been fetched of a file
//	FILE.part.json  from where
//	unpacked/       what becomes the set's folder
//	lock
type stage struct {
	path   string
	target string // the set's folder
	root   *os.Root
	lock   *flock.Flock
	parts  []*part
	set    Set
}

const (
	partEnd   = ".part"
	originEnd = ".part.json"
	unpacked  = "unpacked"
	lockFile  = "lock"
)

func openStage(dir string, s Set) (*stage, error) {
	target := filepath.Join(dir, s.Folder)
	st := &stage{path: target + ".part", target: target, set: s}
	if err := os.MkdirAll(st.path, 0o755); err != nil {
		return nil, plain(st.path, err)
	}
	// The lock is the operating system's, so that the death of a process
	// releases it. Who locked a file that is no longer there came too late.
	st.lock = flock.New(filepath.Join(st.path, lockFile))
	got, err := st.lock.TryLock()
	if err != nil {
		return nil, fmt.Errorf("%s: cannot lock: %w", st.path, err)
	}
	if got {
		mine, err1 := st.lock.Stat()
		there, err2 := os.Stat(st.lock.Path())
		got = err1 == nil && err2 == nil && os.SameFile(mine, there)
	}
	if !got {
		st.lock.Close()
		return nil, fmt.Errorf("%s is being written by another process", st.path)
	}
	if st.root, err = os.OpenRoot(st.path); err == nil {
		err = st.root.RemoveAll(unpacked) // what a kill left
	}
	if err != nil {
		st.close()
		return nil, plain(st.path, err)
	}
	return st, nil
}

// finish gives what is unpacked its final name, and removes the rest.
func (st *stage) finish() error {
	made := filepath.Join(st.path, unpacked, st.set.Folder)
	if _, err := os.Stat(filepath.Join(made, filepath.FromSlash(st.set.Expects))); err != nil {
		return fmt.Errorf("what was fetched has no %s", st.set.Expects)
	}
	if err := os.Rename(made, st.target); err != nil {
		return plain(st.target, err)
	}
	for _, p := range st.parts {
		p.discard()
	}
	return nil
}

// kept is how many bytes of files lie here.
func (st *stage) kept() (n int64) {
	for _, f := range st.set.Files {
		if info, err := st.root.Stat(f.Name + partEnd); err == nil {
			n += info.Size()
		}
	}
	return n
}

// close ends the work. What is not worth to be kept is removed, and the folder
// too if nothing is.
func (st *stage) close() {
	if st.root != nil {
		st.root.RemoveAll(unpacked)
		st.root.Close()
	}
	// While it is locked, so that it is nobody else's; Windows wants the opposite.
	removed := os.Remove(st.lock.Path()) == nil
	st.lock.Close()
	if !removed {
		os.Remove(st.lock.Path())
	}
	os.Remove(st.path)
}

// A part is a file on its way.
type part struct {
	File
	stage *stage
	file  *os.File  // nil once it is closed
	to    io.Writer // file, at its end
	size  int64     // of file
	from  origin
}

// An origin is where the bytes of a part came from, and what the server called
// the file's state.
type origin struct {
	Schema   int    `json:"schema"`
	URL      string `json:"url"`
	ETag     string `json:"etag,omitempty"`
	Modified string `json:"last_modified,omitempty"`
}

// validator is what a server can compare with the state of its file (RFC 9110,
// section 13.1.5: a weak ETag will not do).
func (o origin) validator() string {
	if o.ETag != "" && !strings.HasPrefix(o.ETag, "W/") {
		return o.ETag
	}
	return o.Modified
}

// changed reports whether now is another state of the same file.
func (o origin) changed(now origin) bool {
	differ := func(a, b string) bool { return a != "" && b != "" && a != b }
	return o.URL == now.URL && (differ(o.ETag, now.ETag) || differ(o.Modified, now.Modified))
}

// openPart opens what there is of f.
func (st *stage) openPart(f File, through func(io.Writer) io.Writer) (*part, error) {
	p := &part{File: f, stage: st}
	name := f.Name + partEnd
	if info, err := st.root.Lstat(name); err == nil && !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%s: not a regular file: remove it", p.path())
	}
	var err error
	if p.file, err = st.root.OpenFile(name, os.O_RDWR|os.O_CREATE, 0o644); err != nil {
		return nil, plain(p.path(), err)
	}
	p.to = through(p.file)
	if p.size, err = p.file.Seek(0, io.SeekEnd); err == nil && p.size > f.Size {
		err = p.reset()
	}
	if err != nil {
		p.close()
		return nil, plain(p.path(), err)
	}
	if b, err := st.root.ReadFile(f.Name + originEnd); err == nil && json.Unmarshal(b, &p.from) != nil {
		p.from = origin{}
	}
	st.parts = append(st.parts, p)
	return p, nil
}

func (p *part) path() string { return filepath.Join(p.stage.path, p.Name+partEnd) }

// begin empties p for bytes from o.
func (p *part) begin(o origin) error {
	if err := p.reset(); err != nil {
		return p.failed(err)
	}
	o.Schema = 1
	p.from = o
	b, err := json.Marshal(o)
	if err != nil {
		return err
	}
	return p.failed(p.stage.root.WriteFile(p.Name+originEnd, b, 0o644))
}

func (p *part) reset() error {
	if err := p.file.Truncate(0); err != nil {
		return err
	}
	p.size = 0
	_, err := p.file.Seek(0, io.SeekStart)
	return err
}

// write appends b.
func (p *part) write(b []byte) error {
	n, err := p.to.Write(b)
	p.size += int64(n)
	return p.failed(err)
}

// failed is err, as one that no other server would mend.
func (p *part) failed(err error) error {
	if err == nil {
		return nil
	}
	return local{plain("write "+p.path(), err)}
}

// close keeps p for another call, if there is anything to keep.
func (p *part) close() {
	if p.file == nil {
		return
	}
	p.file.Close()
	p.file = nil
	if p.size == 0 {
		p.stage.root.Remove(p.Name + partEnd)
		p.stage.root.Remove(p.Name + originEnd)
	}
}

// discard removes p.
func (p *part) discard() {
	p.size = 0
	p.close()
}
