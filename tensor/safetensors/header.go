package safetensors

import (
	"encoding/json"
	"fmt"
	"math"
	"strings"
	"unicode"
	"unicode/utf8"

	"phase/tensor"
	"phase/tensor/raw"
)

// parser reads the JSON of a safetensors file: a strict reader of this one
// form, because a general one takes keys that stand twice, numbers with
// fractions and any depth, and cannot say where a value stood.
type parser struct{ raw.Scanner }

func (p *parser) pos() int64 { return int64(8 + p.At) }

// each reads the members of an object or the elements of an array: open,
// items that f reads, separated by commas, close.
func (p *parser) each(open, close byte, f func() error) error {
	if err := p.Want(open); err != nil {
		return err
	}
	if p.Took(close) {
		return nil
	}
	for {
		p.Peek()
		if err := f(); err != nil {
			return err
		}
		if p.Took(close) {
			return nil
		}
		if err := p.Want(','); err != nil {
			return err
		}
	}
}

// key reads the name of a member and the colon, refusing what seen says stood
// there before; at is where it stands.
func (p *parser) key(seen func(string) bool) (key string, at int64, err error) {
	start := p.At
	if key, err = p.quoted(); err != nil {
		return "", 0, err
	}
	if seen(key) {
		p.At = start
		return "", 0, p.Fail("key %.80q stands there twice", key)
	}
	return key, int64(8 + start), p.Want(':')
}

// quoted reads a JSON string. Escapes are decoded by the standard library; what
// it would replace by U+FFFD (halves of surrogate pairs) is refused, so that
// no two texts become one.
func (p *parser) quoted() (string, error) {
	if p.Peek() != '"' {
		return "", p.Want('"')
	}
	start := p.At
	escaped := false
	for p.At++; p.At < len(p.Text); p.At++ {
		switch p.Text[p.At] {
		case '\\':
			escaped = true
			p.At++
		case '"':
			p.At++
			raw := p.Text[start:p.At]
			if !utf8.Valid(raw) {
				p.At = start
				return "", p.Fail("a text that is not UTF-8")
			}
			if !escaped {
				return string(raw[1 : len(raw)-1]), nil
			}
			var s string
			lost := string(utf8.RuneError)
			if err := json.Unmarshal(raw, &s); err != nil || strings.Count(s, lost) > strings.Count(string(raw), lost) {
				p.At = start
				return "", p.Fail("a text with a wrong escape: %.80q", raw)
			}
			return s, nil
		}
		if c := p.Text[min(p.At, len(p.Text)-1)]; c < ' ' {
			return "", p.Fail("%q inside a text", c)
		}
	}
	p.At = start
	return "", p.Fail("a text without end")
}

// natural reads an integer of at least 0, plain digits.
func (p *parser) natural() (int64, error) {
	if p.Peek() == '-' {
		return 0, p.Fail("a negative number")
	}
	start, n := p.At, int64(0)
	for ; p.At < len(p.Text) && p.Text[p.At] >= '0' && p.Text[p.At] <= '9'; p.At++ {
		d := int64(p.Text[p.At] - '0')
		if n > (math.MaxInt64-d)/10 {
			p.At = start
			return 0, p.Fail("a number beyond %d", int64(math.MaxInt64))
		}
		n = 10*n + d
	}
	if p.At == start || p.At > start+1 && p.Text[start] == '0' {
		p.At = start
		return 0, p.Fail("want an integer in plain digits")
	}
	return n, nil
}

// header reads the whole JSON.
func (p *parser) header() (entries []*entry, meta map[string]string, err error) {
	if len(p.Text) == 0 || p.Text[0] != '{' {
		return nil, nil, p.Fail("the JSON does not start with '{'")
	}
	meta = map[string]string{}
	seen := map[string]bool{}
	err = p.each('{', '}', func() error {
		key, at, err := p.key(func(k string) bool { return seen[k] })
		if err != nil {
			return err
		}
		seen[key] = true
		if key == metaKey {
			return p.metadata(meta)
		}
		if err := checkName(key); err != nil {
			return fmt.Errorf("byte %d: %w", at, err)
		}
		e := &entry{name: key, at: at}
		if err := p.entry(e); err != nil {
			return fmt.Errorf("tensor %.80q: %w", key, err)
		}
		entries = append(entries, e)
		return nil
	})
	if err != nil {
		return nil, nil, err
	}
	if p.Peek(); p.At < len(p.Text) {
		return nil, nil, p.Fail("%q after the JSON", p.Text[p.At])
	}
	return entries, meta, nil
}

// checkName refuses names that would not survive a terminal, a C string or
// another reader.
func checkName(name string) error {
	if !utf8.ValidString(name) || strings.ContainsFunc(name, unicode.IsControl) {
		return fmt.Errorf("tensor name %.80q is not printable text", name)
	}
	return nil
}

func (p *parser) metadata(meta map[string]string) error {
	return p.each('{', '}', func() error {
		key, _, err := p.key(func(k string) bool { _, ok := meta[k]; return ok })
		if err != nil {
			return fmt.Errorf("metadata: %w", err)
		}
		p.Peek()
		value, err := p.quoted()
		if err != nil {
			return fmt.Errorf("metadata %.80q: %w", key, err)
		}
		meta[key] = value
		return nil
	})
}

func (p *parser) entry(e *entry) error {
	var seen [3]bool
	fields := [3]string{"dtype", "shape", "data_offsets"}
	index := func(key string) int {
		for i, f := range fields {
			if f == key {
				return i
			}
		}
		return -1
	}
	err := p.each('{', '}', func() error {
		key, at, err := p.key(func(k string) bool { i := index(k); return i >= 0 && seen[i] })
		if err != nil {
			return err
		}
		i := index(key)
		if i < 0 {
			return fmt.Errorf("byte %d: unknown key %.80q, want dtype, shape and data_offsets", at, key)
		}
		seen[i] = true
		p.Peek()
		switch i {
		case 0:
			at := p.pos()
			if e.dtype, err = p.quoted(); err == nil {
				if _, ok := kinds[e.dtype]; !ok {
					err = fmt.Errorf("byte %d: dtype %.40q, want one of %s", at, e.dtype, kindNames())
				}
			}
			return err
		case 1:
			return p.shape(e)
		}
		return p.offsets(e)
	})
	if err != nil {
		return err
	}
	for i, f := range fields {
		if !seen[i] {
			return fmt.Errorf("byte %d: no %s", e.at, f)
		}
	}
	// A Valid shape has a size in bytes that does not overflow.
	if need := int64(e.shape.Size()) * int64(kinds[e.dtype].Size()); need != e.end-e.begin {
		return fmt.Errorf("byte %d: %s %v takes %d bytes, data_offsets hold %d", e.at, e.dtype, e.shape, need, e.end-e.begin)
	}
	return nil
}

func (p *parser) shape(e *entry) error {
	start := p.pos()
	err := p.each('[', ']', func() error {
		n, err := p.natural()
		if err == nil && n > math.MaxInt {
			err = p.Fail("an extent beyond %d", math.MaxInt)
		}
		if len(e.shape) <= tensor.MaxDims { // one too many is enough to be refused
			e.shape = append(e.shape, int(n))
		}
		return err
	})
	if err != nil {
		return err
	}
	if err := e.shape.Valid(); err != nil {
		return fmt.Errorf("byte %d: %s", start, strings.TrimPrefix(err.Error(), "tensor: "))
	}
	return nil
}

func (p *parser) offsets(e *entry) error {
	start := p.pos()
	var at []int64
	err := p.each('[', ']', func() error {
		if len(at) == 2 {
			return p.Fail("more than two data_offsets")
		}
		n, err := p.natural()
		at = append(at, n)
		return err
	})
	if err != nil {
		return err
	}
	if len(at) != 2 || at[1] < at[0] {
		return fmt.Errorf("byte %d: data_offsets %v, want a begin and an end that is not before it", start, at)
	}
	e.begin, e.end = at[0], at[1]
	return nil
}
