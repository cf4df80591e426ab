package safetensors

import (
	"encoding/json"
	"fmt"
	"math"
	"strings"
	"unicode"
	"unicode/utf8"

	"phase/tensor"
)

// parser reads the JSON of a safetensors file: a strict reader of this one
// form, because a general one takes keys that stand twice, numbers with
// fractions and any depth, and cannot say where a value stood.
type parser struct {
	text []byte
	at   int // position in text, which starts at byte 8 of the file
}

func (p *parser) pos() int64 { return int64(8 + p.at) }

func (p *parser) fail(format string, a ...any) error {
	return fmt.Errorf("byte %d: %s", p.pos(), fmt.Sprintf(format, a...))
}

// peek is the next byte that is not blank, or 0 at the end.
func (p *parser) peek() byte {
	for p.at < len(p.text) && strings.IndexByte(" \t\r\n", p.text[p.at]) >= 0 {
		p.at++
	}
	if p.at == len(p.text) {
		return 0
	}
	return p.text[p.at]
}

// took skips the next byte that is not blank if it is c.
func (p *parser) took(c byte) bool {
	if p.peek() != c || p.at == len(p.text) {
		return false
	}
	p.at++
	return true
}

func (p *parser) want(c byte) error {
	if p.took(c) {
		return nil
	}
	if p.at == len(p.text) {
		return p.fail("the JSON ends, want %q", c)
	}
	return p.fail("%q in the JSON, want %q", p.text[p.at], c)
}

// each reads the members of an object or the elements of an array: open,
// items that f reads, separated by commas, close.
func (p *parser) each(open, close byte, f func() error) error {
	if err := p.want(open); err != nil {
		return err
	}
	if p.took(close) {
		return nil
	}
	for {
		p.peek()
		if err := f(); err != nil {
			return err
		}
		if p.took(close) {
			return nil
		}
		if err := p.want(','); err != nil {
			return err
		}
	}
}

// key reads the name of a member and the colon, refusing what seen says stood
// there before; at is where it stands.
func (p *parser) key(seen func(string) bool) (key string, at int64, err error) {
	start := p.at
	if key, err = p.quoted(); err != nil {
		return "", 0, err
	}
	if seen(key) {
		p.at = start
		return "", 0, p.fail("key %.80q stands there twice", key)
	}
	return key, int64(8 + start), p.want(':')
}

// quoted reads a JSON string. Escapes are decoded by the standard library; what
// it would replace by U+FFFD (halves of surrogate pairs) is refused, so that
// no two texts become one.
func (p *parser) quoted() (string, error) {
	if p.peek() != '"' {
		return "", p.want('"')
	}
	start := p.at
	escaped := false
	for p.at++; p.at < len(p.text); p.at++ {
		switch p.text[p.at] {
		case '\\':
			escaped = true
			p.at++
		case '"':
			p.at++
			raw := p.text[start:p.at]
			if !utf8.Valid(raw) {
				p.at = start
				return "", p.fail("a text that is not UTF-8")
			}
			if !escaped {
				return string(raw[1 : len(raw)-1]), nil
			}
			var s string
			lost := string(utf8.RuneError)
			if err := json.Unmarshal(raw, &s); err != nil || strings.Count(s, lost) > strings.Count(string(raw), lost) {
				p.at = start
				return "", p.fail("a text with a wrong escape: %.80q", raw)
			}
			return s, nil
		}
		if c := p.text[min(p.at, len(p.text)-1)]; c < ' ' {
			return "", p.fail("%q inside a text", c)
		}
	}
	p.at = start
	return "", p.fail("a text without end")
}

// natural reads an integer of at least 0, plain digits.
func (p *parser) natural() (int64, error) {
	if p.peek() == '-' {
		return 0, p.fail("a negative number")
	}
	start, n := p.at, int64(0)
	for ; p.at < len(p.text) && p.text[p.at] >= '0' && p.text[p.at] <= '9'; p.at++ {
		d := int64(p.text[p.at] - '0')
		if n > (math.MaxInt64-d)/10 {
			p.at = start
			return 0, p.fail("a number beyond %d", int64(math.MaxInt64))
		}
		n = 10*n + d
	}
	if p.at == start || p.at > start+1 && p.text[start] == '0' {
		p.at = start
		return 0, p.fail("want an integer in plain digits")
	}
	return n, nil
}

// header reads the whole JSON.
func (p *parser) header() (entries []*entry, meta map[string]string, err error) {
	if len(p.text) == 0 || p.text[0] != '{' {
		return nil, nil, p.fail("the JSON does not start with '{'")
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
	if p.peek(); p.at < len(p.text) {
		return nil, nil, p.fail("%q after the JSON", p.text[p.at])
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
		p.peek()
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
		p.peek()
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
			err = p.fail("an extent beyond %d", math.MaxInt)
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
			return p.fail("more than two data_offsets")
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
