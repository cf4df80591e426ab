package ptxsim

import (
	"fmt"
	"strings"
)

// A token is a word (names, registers, opcodes with their modifiers and
// directives, dots included), a number, a string in quotes, or one character of
// punctuation; kind 0 is the end of the text.
type token struct {
	kind byte // 'w', 'n', '"', 0, or the character itself
	text string
	line int
}

// A syntaxError is what is wrong with a line of PTX. The parser panics with it;
// Load recovers.
type syntaxError struct {
	line int
	text string // of the line
	msg  string
}

func (e *syntaxError) Error() string {
	return fmt.Sprintf("ptxsim: line %d %q: %s", e.line, e.text, e.msg)
}

// A source is PTX text by lines, numbered from 1.
type source []string

func newSource(text string) source { return strings.Split(text, "\n") }

// text is a line without the space around it.
func (s source) text(line int) string {
	if line < 1 || line > len(s) {
		return ""
	}
	return strings.TrimSpace(s[line-1])
}

// fail ends the parse with an error about a line.
func (s source) fail(line int, format string, args ...any) {
	panic(&syntaxError{line, s.text(line), fmt.Sprintf(format, args...)})
}

func isDigit(c byte) bool  { return '0' <= c && c <= '9' }
func isLetter(c byte) bool { return 'a' <= c|0x20 && c|0x20 <= 'z' || c == '_' || c == '$' || c == '%' }

// scan cuts the text into tokens and ends them with one of kind 0.
func (s source) scan() []token {
	var tokens []token
	comment := 0 // line on which a comment of several lines began
	for number, text := range s {
		line := number + 1
		for i := 0; i < len(text); {
			rest := text[i:]
			if comment > 0 {
				end := strings.Index(rest, "*/")
				if end < 0 {
					break
				}
				comment = 0
				i += end + 2
				continue
			}
			c := rest[0]
			switch {
			case strings.HasPrefix(rest, "//"):
				i = len(text)
			case strings.HasPrefix(rest, "/*"):
				comment = line
				i += 2
			case c == ' ' || c == '\t' || c == '\r' || c == '\f':
				i++
			case isLetter(c) || c == '.':
				n := word(rest)
				tokens = append(tokens, token{'w', rest[:n], line})
				i += n
			case isDigit(c):
				n := 1
				for n < len(rest) && (isDigit(rest[n]) || isLetter(rest[n]) || rest[n] == '.') {
					n++
				}
				tokens = append(tokens, token{'n', rest[:n], line})
				i += n
			case c == '"':
				n := strings.IndexByte(rest[1:], '"')
				if n < 0 {
					s.fail(line, "a string without its closing quote")
				}
				tokens = append(tokens, token{'"', rest[1 : n+1], line})
				i += n + 2
			case strings.IndexByte(",;[]{}():+-!|<>=@", c) >= 0:
				tokens = append(tokens, token{c, rest[:1], line})
				i++
			default:
				s.fail(line, "character %q has no place in PTX", c)
			}
		}
	}
	if comment > 0 {
		s.fail(comment, "a comment without its end")
	}
	return append(tokens, token{line: len(s)})
}

// word is the length of the word that text begins with. A double colon belongs
// to it, as in .L2::128B; a single one ends a label.
func word(text string) int {
	n := 1
	for n < len(text) {
		switch c := text[n]; {
		case isLetter(c) || isDigit(c) || c == '.':
			n++
		case strings.HasPrefix(text[n:], "::"):
			n += 2
		default:
			return n
		}
	}
	return n
}
