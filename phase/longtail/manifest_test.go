package longtail

import (
	"bytes"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func sample() Manifest {
	return Manifest{
		Schema:     ManifestSchema,
		DataSHA256: strings.Repeat("0a", 32),
		Profile:    Exp,
		Imbalance:  100,
		Seed:       42,
		Counts:     []int{3, 0, 2},
		Indices:    []int{9, 0, 4, 7, 5},
	}
}

// sampleHash is sha256sum of sample's JSON line without its newline.
const sampleHash = "35b24cfce0112f91acfac018de95540a649a2d2f765f1493c821c93ee342980a"

func text(t *testing.T, m Manifest) string {
	t.Helper()
	var b bytes.Buffer
	if err := m.Write(&b); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestManifestRoundTrip(t *testing.T) {
	m := sample()
	got, err := ReadManifest(strings.NewReader(text(t, m)))
	if d := cmp.Diff(m, got); d != "" || err != nil {
		t.Error(err, d)
	}
	h, err := m.Hash()
	if err != nil || h != sampleHash {
		t.Errorf("hash %s, %v", h, err)
	}
	spaced := strings.ReplaceAll(text(t, m), ",", " ,\n  ")
	if got, err = ReadManifest(strings.NewReader(spaced)); err != nil {
		t.Fatal(err)
	}
	if h, _ = got.Hash(); h != sampleHash {
		t.Errorf("the hash depends on the file's layout: %s", h)
	}
}

func TestManifestHashSeesEveryField(t *testing.T) {
	seen := map[string]bool{sampleHash: true}
	for i, change := range []func(*Manifest){
		func(m *Manifest) { m.DataSHA256 = strings.Repeat("0b", 32) },
		func(m *Manifest) { m.Profile = Step },
		func(m *Manifest) { m.Imbalance = 10 },
		func(m *Manifest) { m.Seed = 0 },
		func(m *Manifest) { m.Counts = []int{2, 1, 2} },
		func(m *Manifest) { m.Indices = []int{0, 9, 4, 7, 5} },
	} {
		m := sample()
		change(&m)
		h, err := m.Hash()
		if err != nil || seen[h] {
			t.Errorf("change %d: hash %s again, %v", i, h, err)
		}
		seen[h] = true
	}
}

func TestManifestErrors(t *testing.T) {
	whole := text(t, sample())
	for _, c := range []struct{ old, new, words string }{
		{`"schema":1`, `"schema":2`, "schema 2 is newer"},
		{`"schema":1`, `"schema":0`, "schema 0, want 1"},
		{`"schema":1,`, ``, "no schema number"},
		{`"seed":42`, `"seed":42,"colour":1`, "colour"},
		{`"seed":42`, `"seed":-1`, `"seed"`},
		{`"seed":42`, `"seed":"x"`, "string"},
		{`0a0a"`, `0a0"`, "64 hex digits"},
		{`0a0a"`, `0a0g"`, "64 hex digits"},
		{`"exp"`, `"cubic"`, "cubic"},
		{`"imbalance":100`, `"imbalance":0.5`, "0.5"},
		{`[3,0,2]`, `[3,0,3]`, "fewer"},
		{`[3,0,2]`, `[3,0,1]`, "add up to 4"},
		{`[3,0,2]`, `[5,-1,1]`, "class 1"},
		{`[9,0,`, `[9,9,`, "index 9"},
		{`[9,0,`, `[9,-2,`, "index -2"},
		{whole, ``, "byte 0 of 0"},
		{"5]}", "", "byte"},
		{"}\n", "}}\n", "byte"},
	} {
		broken := strings.Replace(whole, c.old, c.new, 1)
		if broken == whole {
			t.Fatalf("%q is not in %s", c.old, whole)
		}
		_, err := ReadManifest(strings.NewReader(broken))
		wantError(t, err, "manifest: ", c.words)
	}
	m := sample()
	m.Counts = nil
	var b bytes.Buffer
	wantError(t, m.Write(&b), "add up to 0")
	if b.Len() != 0 {
		t.Errorf("wrote %q", b.String())
	}
}

func TestManifestMatch(t *testing.T) {
	m := sample()
	labels := []int{0, 1, 2, 1, 0, 2, 1, 2, 0, 0}
	if err := m.Match(labels); err != nil {
		t.Error(err)
	}
	wantError(t, m.Match(labels[:9]), "index 9", "9 images")
	labels[7] = 1
	wantError(t, m.Match(labels), "image 7", "class 2", "says 1")
}

func FuzzReadManifest(f *testing.F) {
	var b bytes.Buffer
	if err := sample().Write(&b); err != nil {
		f.Fatal(err)
	}
	f.Add(b.Bytes())
	f.Add([]byte(`{"schema":1}`))
	f.Add([]byte(`{"schema":1,"counts":[9223372036854775807,1],"indices":[1]}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		m, err := ReadManifest(bytes.NewReader(b))
		if err != nil {
			return
		}
		h, err := m.Hash()
		if err != nil {
			t.Fatalf("read, but has no hash: %v", err)
		}
		var out bytes.Buffer
		if err := m.Write(&out); err != nil {
			t.Fatal(err)
		}
		again, err := ReadManifest(&out)
		if err != nil {
			t.Fatal(err)
		}
		if h2, _ := again.Hash(); h2 != h {
			t.Fatalf("hash %s became %s", h, h2)
		}
	})
}
