package train

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
)

// key is a setting's name in JSON.
func key(name string) string { return strings.ReplaceAll(name, "-", "_") }

// MarshalJSON writes the settings in order, under their names with _ for -, and
// those parameters of kinds that are not left open.
func (c Config) MarshalJSON() ([]byte, error) {
	var b bytes.Buffer
	var failed error
	b.WriteByte('{')
	c.Fields(func(name, _, _ string, value any) {
		if p, ok := value.(*param); ok && p.Value() == nil {
			return
		}
		v, err := json.Marshal(value)
		if err != nil {
			failed = err
		}
		if b.Len() > 1 {
			b.WriteByte(',')
		}
		fmt.Fprintf(&b, "%q:%s", key(name), v)
	})
	b.WriteByte('}')
	return b.Bytes(), failed
}

// UnmarshalJSON reads what MarshalJSON wrote. Every setting must be there, each
// parameter of the kinds that are named, and no other: a file of another version
// is an error, not a guess.
func (c *Config) UnmarshalJSON(b []byte) error {
	var raw map[string]json.RawMessage
	if err := json.Unmarshal(b, &raw); err != nil {
		return err
	}
	var failed error
	c.Fields(func(name, _, _ string, value any) {
		v, ok := raw[key(name)]
		delete(raw, key(name))
		if _, open := value.(*param); !ok && open {
			return
		}
		if !ok {
			failed = fmt.Errorf("setting %q is missing", key(name))
		} else if err := json.Unmarshal(v, value); err != nil {
			failed = fmt.Errorf("setting %q: %v", key(name), err)
		}
	})
	for k := range raw {
		failed = fmt.Errorf("setting %q is not known to this version", k)
	}
	if failed != nil {
		return failed
	}
	have := c.Params
	if failed = c.fillParams(); failed != nil {
		return failed
	}
	for name := range c.Params {
		if _, ok := have[name]; !ok {
			return fmt.Errorf("setting %q is missing", key(name))
		}
	}
	return nil
}

// Differences lists the settings in which c and d differ, as name: c's, d's.
func (c Config) Differences(d Config) (s []string) {
	other := map[string]string{}
	d.Fields(func(name, _, _ string, value any) { v, _ := json.Marshal(value); other[name] = string(v) })
	c.Fields(func(name, _, _ string, value any) {
		if v, _ := json.Marshal(value); string(v) != other[name] {
			s = append(s, fmt.Sprintf("--%s: %s, %s", name, v, other[name]))
		}
	})
	return s
}
