package main

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/spf13/pflag"
)

// Whatever stands in a settings file is either a configuration that passes the
// checks or one usage error, never a panic.
func FuzzSettingsFile(f *testing.F) {
	f.Add("method = \"drw\"\nlr = 0.05\nmilestones = [3, 7]\n")
	f.Add("epochs = 1e3\n[table]\nx = 1\n")
	f.Add("lr = [[1], 2]\n")
	file := filepath.Join(f.TempDir(), "settings.toml")
	f.Fuzz(func(t *testing.T, text string) {
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		s := addSettings(pflag.NewFlagSet("train", pflag.ContinueOnError))
		s.config = file
		c, err := s.resolve()
		if err == nil && c.Resolve() != nil {
			t.Errorf("%q: passed, but %v", text, c.Resolve())
		}
		if _, usage := err.(usageError); err != nil && !usage {
			t.Errorf("%q: %v is no usage error", text, err)
		}
	})
}
