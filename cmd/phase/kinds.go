package main

import (
	"fmt"
	"slices"
	"strings"

	"phase/phase/kind"

	"github.com/spf13/pflag"
)

// kindFlags choose one kind of a table, by --kind, and set its parameters, each
// by the flag of its name. A flag stands for the parameters of all kinds that
// know the name, which may differ in what they take: its text is read by the kind.
type kindFlags[T any] struct {
	table *kind.Table[T]
	flags *pflag.FlagSet
	name  string
}

// addKinds defines --kind and a flag for every parameter of the table's kinds.
func addKinds[T any](fs *pflag.FlagSet, table *kind.Table[T]) *kindFlags[T] {
	k := &kindFlags[T]{table: table, flags: fs}
	fs.StringVar(&k.name, "kind", "", names(table.Names(), func(s string) string { return s }))
	for _, p := range table.Params() {
		v := &paramText{sort: fmt.Sprintf("%T", p.Usual)}
		f := fs.VarPF(v, p.Name, "", usageOf(table, p.Name))
		f.DefValue = fmt.Sprint(p.Usual)
		if p.Varies {
			f.DefValue = "by kind"
		}
		if v.sort == "bool" {
			f.NoOptDefVal = "true"
		}
	}
	return k
}

// A paramText is the value of a parameter as it was written.
type paramText struct{ text, sort string }

func (p *paramText) String() string     { return p.text }
func (p *paramText) Set(s string) error { p.text = s; return nil }
func (p *paramText) Type() string       { return p.sort }

// usageOf is what a parameter is and for which kinds, meaning by meaning.
func usageOf[T any](table *kind.Table[T], name string) string {
	var what []string
	kinds := map[string][]string{}
	for _, k := range table.All() {
		for _, p := range k.Params() {
			if p.Name != name {
				continue
			}
			text := p.Help
			if p.Of != nil {
				text += " (" + strings.Join(p.Of, ", ") + ")"
			}
			if kinds[text] == nil {
				what = append(what, text)
			}
			kinds[text] = append(kinds[text], k.Name)
		}
	}
	for i, text := range what {
		what[i] = text + ": " + strings.Join(kinds[text], ", ")
	}
	return strings.Join(what, "; ")
}

// chosen is the kind that the flags choose, with its parameters as they set
// them. What is wrong with the flags is wrong usage.
func (k *kindFlags[T]) chosen() (found kind.Kind[T], err error) {
	want := names(k.table.Names(), func(s string) string { return s })
	switch {
	case k.name == "":
		return found, usagef("--kind is missing: want %s", want)
	case !slices.Contains(k.table.Names(), k.name):
		return found, usagef("--kind %q: want %s%s", k.name, want, didYouMean(k.name, k.table.Names()))
	}
	if found, err = k.table.Find(k.name); err != nil {
		return found, usageError{err}
	}
	for _, p := range k.table.Params() {
		known := slices.ContainsFunc(found.Params(), func(q kind.Param) bool { return q.Name == p.Name })
		if !known && k.flags.Changed(p.Name) {
			return found, usagef("--%s has no meaning for --kind %s", p.Name, k.name)
		}
	}
	found.Of, err = found.With(func(name string) (string, bool) {
		f := k.flags.Lookup(name)
		return f.Value.String(), f.Changed
	})
	if err != nil {
		return found, usageError{err}
	}
	return found, nil
}

// parameters are those of a kind, as they are set.
func parameters[T any](k kind.Kind[T]) map[string]any {
	set := map[string]any{}
	for _, p := range k.Params() {
		set[p.Name] = p.Usual
	}
	return set
}

// names joins words as a person would: a, b or c.
func names[T any](list []T, name func(T) string) string {
	var s []string
	for _, v := range list {
		s = append(s, name(v))
	}
	if len(s) < 2 {
		return strings.Join(s, "")
	}
	return strings.Join(s[:len(s)-1], ", ") + " or " + s[len(s)-1]
}
