package main

import (
	"context"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"phase/phase/train"

	"github.com/BurntSushi/toml"
	"github.com/spf13/pflag"
)

// settings binds every field of a train.Config to flags, and reads the same
// names from a TOML file.
type settings struct {
	flags   *pflag.FlagSet
	scratch train.Config // what the flags are parsed into; only those set count
	config  string
	print   bool
	dataDir string
	cache   int // MiB
}

func addSettings(fs *pflag.FlagSet) *settings {
	s := &settings{flags: fs, scratch: train.Recipe("fashion")}
	bind(fs, &s.scratch)
	for _, name := range []string{"milestones", "stage2-epochs"} {
		fs.Lookup(name).DefValue = ""
	}
	for _, name := range []string{"model", "augment", "epochs", "batch", "weight-decay", "warmup", "lr-factor", "stage2-lr", "stage2-augment"} {
		fs.Lookup(name).DefValue = "by data"
	}
	for _, name := range []string{"loss", "stage1-weights", "objective", "sampler", "reduction", "freeze", "reinit", "class-scales", "stage2-loss", "stage2-sampler", "stage2-weights", "posthoc", "head", "scale", "lr", "schedule", "sam", "calibration", "stage2-schedule", "stage2-head-rate", "norm-shift"} {
		fs.Lookup(name).DefValue = "by method"
	}
	s.scratch.Fields(func(name, _, _ string, value any) {
		if param, ok := value.(interface{ Default() string }); ok {
			fs.Lookup(name).DefValue = param.Default()
		}
	})
	addTo(fs, "Run", func() {
		fs.StringVar(&s.config, "config", "", "read settings from this TOML file; flags win")
		fs.BoolVar(&s.print, "print-config", false, "print the settings as TOML and stop")
	})
	addDataDir(fs, &s.dataDir)
	addTo(fs, "Data", func() {
		fs.IntVar(&s.cache, "cache", 2048, "MiB of decoded image files to keep in memory, of each set")
	})
	return s
}

// open opens the data that c names, and shows how it goes on.
func (s *settings) open(ctx context.Context, p *program, c train.Config) (*train.Source, error) {
	if s.cache < 0 || s.cache > math.MaxInt>>20 {
		return nil, usagef("--cache %d: want at least 0 MiB", s.cache)
	}
	bytes := int64(s.cache) << 20
	if bytes == 0 {
		bytes = -1
	}
	m := p.meter()
	defer m.close()
	return train.OpenSource(ctx, c, dataDirs(s.dataDir), bytes, m.reading)
}

func addDataDir(fs *pflag.FlagSet, dir *string) {
	addTo(fs, "Data", func() {
		fs.StringVar(dir, "data-dir", "", "folder of the named data sets (else $PHASE_DATA, else the user's cache)")
	})
}

// addTo runs define and puts the flags it defines under a heading.
func addTo(fs *pflag.FlagSet, heading string, define func()) {
	before := map[string]bool{}
	fs.VisitAll(func(f *pflag.Flag) { before[f.Name] = true })
	define()
	fs.VisitAll(func(f *pflag.Flag) {
		if !before[f.Name] {
			_ = fs.SetAnnotation(f.Name, group, []string{heading})
		}
	})
}

// bind defines a flag for every setting of c, writing into c.
func bind(fs *pflag.FlagSet, c *train.Config) {
	c.Fields(func(name, heading, help string, value any) {
		addTo(fs, heading, func() {
			switch v := value.(type) {
			case *string:
				fs.StringVar(v, name, *v, help)
			case *bool:
				fs.BoolVar(v, name, *v, help)
			case *int:
				fs.IntVar(v, name, *v, help)
			case *uint32:
				fs.Uint32Var(v, name, *v, help)
			case *uint64:
				fs.Uint64Var(v, name, *v, help)
			case *float64:
				fs.Float64Var(v, name, *v, help)
			case *[]int:
				fs.IntSliceVar(v, name, *v, help)
			case pflag.Value: // a parameter of kinds
				fs.Var(v, name, help)
				if v.Type() == "bool" {
					fs.Lookup(name).NoOptDefVal = "true"
				}
			default:
				panic(fmt.Sprintf("setting %s has type %T, for which there is no flag", name, value))
			}
		})
	})
}

// resolve is the configuration: the preset's defaults, changed by the settings
// file, changed by the flags. A parameter that none of its kinds has is an error.
func (s *settings) resolve() (train.Config, error) {
	c, unknown, err := s.resolveSome()
	if err == nil && len(unknown) > 0 {
		err = usagef("--%s has no meaning for method %s with these settings", unknown[0], c.Method)
	}
	return c, err
}

// resolveSome is resolve, but names the parameters that none of the kinds has.
func (s *settings) resolveSome() (c train.Config, unknown []string, err error) {
	return s.resolveAs("", "", nil)
}

// given is what the settings file and the flags say, as text by name; flags win.
func (s *settings) given() (map[string]string, error) {
	file, err := s.read()
	if err != nil {
		return nil, err
	}
	given := map[string]string{}
	s.scratch.Fields(func(name, _, _ string, _ any) {
		if v, ok := file[name]; ok {
			given[name] = v
		}
		if f := s.flags.Lookup(name); f.Changed {
			given[name] = strings.Trim(f.Value.String(), "[]")
		}
	})
	return given, nil
}

// change makes c say what is given.
func (s *settings) change(c *train.Config, given map[string]string) error {
	fs := pflag.NewFlagSet("settings", pflag.ContinueOnError)
	bind(fs, c)
	for name, v := range given {
		if err := fs.Set(name, v); err != nil {
			return usagef("%s: %s = %s: %v", s.config, name, v, err)
		}
	}
	return nil
}

// resume is the configuration of the run in dir, changed by what is given: the
// device may be another, of all else the run says that it was started otherwise.
func (s *settings) resume(dir string) (c train.Config, err error) {
	given, err := s.given()
	if err != nil {
		return c, err
	}
	if c, err = train.ReadConfig(dir); err != nil {
		return c, fmt.Errorf("--resume: %w: nothing to go on with", err)
	}
	return c, s.change(&c, given)
}

// resolveAs is the configuration of a method on a data set, "" for those that
// the settings name, which set changes before the settings do.
func (s *settings) resolveAs(method, data string, set func(*train.Config)) (c train.Config, unknown []string, err error) {
	given, err := s.given()
	if err != nil {
		return c, nil, err
	}
	pick := func(name, otherwise string) string {
		if v, ok := given[name]; ok {
			return v
		}
		return otherwise
	}
	if method != "" {
		given["method"] = method
	}
	if data != "" {
		given["data"] = data
	}
	change := func(c *train.Config) error {
		if set != nil {
			set(c)
		}
		return s.change(c, given)
	}
	// The preset goes by what is given, and what is given wins.
	c = train.Recipe(pick("data", "fashion"))
	if err := change(&c); err != nil {
		return c, nil, err
	}
	if c, err = c.For(pick("method", "phase")); err != nil {
		return c, nil, usageError{err}
	}
	method = c.Method
	if err := change(&c); err != nil {
		return c, nil, err
	}
	c.Method = method
	for name := range c.Params {
		if _, ok := given[name]; ok && !c.Knows(name) {
			unknown = append(unknown, name)
		}
	}
	slices.Sort(unknown)
	if err := c.Resolve(); err != nil {
		return c, nil, usageError{err}
	}
	return c, unknown, nil
}

// read is the settings file as text by name, or nothing without one.
func (s *settings) read() (map[string]string, error) {
	if s.config == "" {
		return nil, nil
	}
	var raw map[string]any
	if _, err := toml.DecodeFile(s.config, &raw); err != nil {
		return nil, usagef("--config %s: %v", s.config, err)
	}
	var names []string
	s.scratch.Fields(func(name, _, _ string, _ any) { names = append(names, name) })
	out := map[string]string{}
	for k, v := range raw {
		if !contains(names, k) {
			return nil, usagef("--config %s: unknown setting %q%s", s.config, k, didYouMean(k, names))
		}
		if list, ok := v.([]any); ok {
			text := fmt.Sprint(list)
			v = strings.ReplaceAll(strings.Trim(text, "[]"), " ", ",")
		}
		out[k] = fmt.Sprint(v)
	}
	return out, nil
}

func contains(list []string, s string) bool {
	for _, l := range list {
		if l == s {
			return true
		}
	}
	return false
}

// writeTOML prints c so that --config reads it back.
func (p *program) writeTOML(c train.Config) error {
	e := toml.NewEncoder(p.out)
	var failed error
	c.Fields(func(name, _, _ string, value any) {
		if param, ok := value.(interface{ Value() any }); ok {
			if value = param.Value(); value == nil {
				return
			}
		}
		if err := e.Encode(map[string]any{name: value}); err != nil {
			failed = err
		}
	})
	return failed
}

// dataDirs lists the folders in which named data sets are looked for.
func dataDirs(flag string) []string {
	if flag != "" {
		return []string{flag}
	}
	if env := os.Getenv("PHASE_DATA"); env != "" {
		return []string{env}
	}
	if cache, err := os.UserCacheDir(); err == nil {
		return []string{filepath.Join(cache, "phase")}
	}
	return nil
}
