package nn_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"phase/nn"
	"phase/tensor"
	"phase/tensor/safetensors"
)

func saved(t testing.TB) *nn.Saved {
	m, err := nn.New("resnet8", nn.Config{Classes: 2, Width: 2, Channels: 1, Size: 8, Seed: 3})
	if err != nil {
		t.Fatal(err)
	}
	return &nn.Saved{Model: m, Meta: map[string]string{"method": "phase"}, About: nn.About{
		Name: "resnet8", Config: nn.Config{Classes: 2, Width: 2, Channels: 1, Size: 8, Seed: 4}, // other weights than were saved
		Classes: []string{"cat", "d\"o\ng"}, Input: nn.Input{Order: "gray", Mean: []float32{.1}, Std: []float32{.3}},
	}}
}

func TestSaveOpen(t *testing.T) {
	path := filepath.Join(t.TempDir(), "m.safetensors")
	s := saved(t)
	if err := nn.Save(path, s); err != nil {
		t.Fatal(err)
	}
	got, err := nn.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	s.About.Schema = 1
	if d := cmp.Diff(s.About, got.About); d != "" {
		t.Error(d)
	}
	if d := cmp.Diff(s.Meta, got.Meta); d != "" {
		t.Error(d)
	}
	for name, v := range nn.State(s.Model) {
		if !slices.Equal(tensor.Values(v), tensor.Values(nn.State(got.Model)[name])) {
			t.Errorf("%s changed", name)
		}
	}
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	b[len(b)-1] ^= 1
	if err := os.WriteFile(path, b, 0o666); err != nil {
		t.Fatal(err)
	}
	if _, err := nn.Open(path); err == nil || !strings.Contains(err.Error(), "sha256") {
		t.Errorf("a flipped bit: %v", err)
	}
}

func TestOpenRefuses(t *testing.T) {
	path := filepath.Join(t.TempDir(), "m.safetensors")
	good := saved(t)
	if err := nn.Save(path, good); err != nil {
		t.Fatal(err)
	}
	f, err := safetensors.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	text := f.Meta["model"]
	for _, c := range []struct{ old, new, want string }{
		{text, "", "unexpected end of JSON"},
		{`"schema":1`, `"schema":2`, "schema 2 of a model's description, want 1"},
		{`"resnet8"`, `"resnet20"`, "missing (layer1.1.bn1.bias"},
		{`"resnet8"`, `"resnet9"`, "is unknown: want one of resnet8"},
		{`["cat",`, `["cat","cow",`, "3 class names for 2 classes"},
		{`[0.1]`, `[]`, "0 means and 1 deviations for 1 channels"},
		{`"gray"`, `"bgr"`, `channel order "bgr", want rgb, gray or none`},
		{`"width":2`, `"width":16000`, "the file has"},
		{`"width":2`, `"width":3`, "of another shape or kind (bn1.bias is (2), want (3)"},
	} {
		f.Meta["model"] = strings.Replace(text, c.old, c.new, 1)
		if err := safetensors.WriteFile(path, f); err != nil {
			t.Fatal(err)
		}
		if _, err := nn.Open(path); err == nil || !strings.Contains(err.Error(), c.want) || !strings.HasPrefix(err.Error(), path) {
			t.Errorf("%q for %q: %v, want %s", c.new, c.old, err, c.want)
		}
	}
	delete(f.Meta, "model")
	if err := safetensors.WriteFile(path, f); err != nil {
		t.Fatal(err)
	}
	if _, err := nn.Open(path); err == nil || !strings.Contains(err.Error(), "these are tensors alone") {
		t.Errorf("without a description: %v", err)
	}
	bad := saved(t)
	bad.About.Classes = nil
	if err := nn.Save(path, bad); err == nil || !strings.Contains(err.Error(), "0 class names for 2 classes") {
		t.Errorf("saving without class names: %v", err)
	}
}
