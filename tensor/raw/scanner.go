package raw

import (
	"fmt"
	"strings"
)

// A Scanner walks through the text of a header. Its errors say where in the
// file it stood.
type Scanner struct {
	Text []byte
	At   int    // position in Text
	Base int    // position of Text in the file
	What string // what the text is called in errors: the header, the JSON
}

// Fail is an error at the place where the scanner stands.
func (p *Scanner) Fail(format string, a ...any) error {
	return fmt.Errorf("byte %d: %s", p.Base+p.At, fmt.Sprintf(format, a...))
}

// Peek is the next byte that is not blank, or 0 at the end.
func (p *Scanner) Peek() byte {
	for p.At < len(p.Text) && strings.IndexByte(" \t\r\n", p.Text[p.At]) >= 0 {
		p.At++
	}
	if p.At == len(p.Text) {
		return 0
	}
	return p.Text[p.At]
}

// Took skips the next byte that is not blank if it is c.
func (p *Scanner) Took(c byte) bool {
	if p.Peek() != c || p.At == len(p.Text) {
		return false
	}
	p.At++
	return true
}

// Want skips the next byte that is not blank, which has to be c.
func (p *Scanner) Want(c byte) error {
	if p.Took(c) {
		return nil
	}
	if p.At == len(p.Text) {
		return p.Fail("%s ends, want %q", p.What, c)
	}
	return p.Fail("%q in %s, want %q", p.Text[p.At], p.What, c)
}
