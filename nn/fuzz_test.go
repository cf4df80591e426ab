package nn

import (
	"strings"
	"testing"

	"phase/tensor/safetensors"
)

// FuzzAbout: whatever the metadata says, a file of a few numbers is opened or
// refused in one line, and no model much larger than the file is made for it.
func FuzzAbout(f *testing.F) {
	m, err := New("linear", Config{Classes: 2, Channels: 1, Size: 2})
	if err != nil {
		f.Fatal(err)
	}
	const good = `{"schema":1,"name":"linear","config":{"classes":2,"channels":1,"size":2,"width":0,"seed":0},"classes":["a","b"],"input":{"order":"gray","mean":[0],"std":[1]}}`
	f.Add(good)
	f.Add(strings.Replace(good, "linear", "mlp", 1))
	f.Add(strings.Replace(good, "linear", "resnet50", 1))
	f.Add(strings.Replace(good, `"size":2`, `"size":4096`, 1))
	f.Add(strings.Replace(good, `"classes":2`, `"classes":1e3`, 1))
	f.Fuzz(func(t *testing.T, text string) {
		file := &safetensors.File{Tensors: State(m), Meta: map[string]string{aboutKey: text}}
		s, err := open(file)
		switch {
		case err == nil && Size(s.Model) != Size(m):
			t.Errorf("opened a model of %d numbers from %d", Size(s.Model), Size(m))
		case err != nil && strings.ContainsRune(err.Error(), '\n'):
			t.Errorf("an error of several lines: %q", err)
		case text == good && err != nil:
			t.Error(err)
		}
	})
}
