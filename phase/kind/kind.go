// Package kind is tables of named things: losses, weightings, samplers and
// whatever else a training chooses by name.
//
// There are only a few types: a Table lists the Kinds of one thing, a Kind is a
// name, a sentence and a value with its usual parameters, and a Param is one
// parameter: a field of that value, which says in its tag what a flag is called
// and what it may be:
//
//	type Focal struct {
//		Gamma float64 `name:"gamma-pos" range:"0.." help:"exponent of the true class"`
//	}
//
// Flags, keys of settings files, checks of range and help texts are made from
// these tags, so that a new kind is one value added to a table.
package kind

import (
	"fmt"
	"math"
	"reflect"
	"slices"
	"strconv"
	"strings"
)

// A Kind is one thing by its name.
type Kind[T any] struct {
	Name string
	Doc  string // one sentence: what it is and who published it
	Of   T      // with its parameters as they usually are
}

// A Table is the kinds of one thing, in the order in which they were added.
type Table[T any] struct {
	What  string // what they are, in the singular: "loss"
	kinds []Kind[T]
}

// Add adds a kind and returns it. A name that is taken or empty, or a parameter
// whose tags make no sense, panics: that is a mistake in the program.
func (t *Table[T]) Add(k Kind[T]) Kind[T] {
	if k.Name == "" || slices.Contains(t.Names(), k.Name) {
		panic(fmt.Sprintf("kind: %s %q has no name of its own", t.What, k.Name))
	}
	k.Params()
	t.kinds = append(t.kinds, k)
	return k
}

// All lists the kinds.
func (t *Table[T]) All() []Kind[T] { return slices.Clone(t.kinds) }

// Names lists their names.
func (t *Table[T]) Names() []string {
	names := make([]string, len(t.kinds))
	for i, k := range t.kinds {
		names[i] = k.Name
	}
	return names
}

// Find is the kind with that name; the error of an unknown one lists the names.
func (t *Table[T]) Find(name string) (Kind[T], error) {
	for _, k := range t.kinds {
		if k.Name == name {
			return k, nil
		}
	}
	return Kind[T]{}, fmt.Errorf("%s %q: want one of %s", t.What, name, strings.Join(t.Names(), ", "))
}

// Params lists the parameters of all kinds, each name once, as the first kind
// that knows it has it; Varies says where another has it otherwise.
func (t *Table[T]) Params() (all []Param) {
	for _, k := range t.kinds {
		for _, p := range k.Params() {
			at := slices.IndexFunc(all, func(q Param) bool { return q.Name == p.Name })
			if at < 0 {
				all = append(all, p)
			} else if q := &all[at]; q.Usual != p.Usual || !slices.Equal(q.Of, p.Of) {
				q.Varies = true
			}
		}
	}
	return all
}

// Params lists the parameters of the kind.
func (k Kind[T]) Params() []Param { return params(reflect.ValueOf(k.Of)) }

// With is the kind's value with the parameters that lookup has a text for. A
// text that is no such value, or out of its range, is an error that says so.
func (k Kind[T]) With(lookup func(name string) (text string, ok bool)) (T, error) {
	v := reflect.ValueOf(k.Of)
	if v.Kind() != reflect.Struct {
		return k.Of, nil
	}
	to := reflect.New(v.Type()).Elem()
	to.Set(v)
	for i, p := range params(v) {
		text, ok := lookup(p.Name)
		if !ok {
			continue
		}
		x, err := p.Parse(text)
		if err != nil {
			return k.Of, err
		}
		f := to.Field(fields(v.Type())[i])
		f.Set(reflect.ValueOf(x).Convert(f.Type()))
	}
	return to.Interface().(T), nil
}

// A Param is one parameter of a kind.
type Param struct {
	Name, Help string
	Usual      any      // a float64, int, uint32, bool or string
	Of         []string // what a string may be; any if there are none
	Varies     bool     // between the kinds of a table: Usual and Of are those of the first

	lo, hi         float64 // range of a number
	loOpen, hiOpen bool    // the ends are not in it
}

// fields is the positions of the fields of a struct that are parameters.
func fields(t reflect.Type) (at []int) {
	for i := range t.NumField() {
		if t.Field(i).Tag.Get("name") != "" {
			at = append(at, i)
		}
	}
	return at
}

func params(v reflect.Value) (all []Param) {
	if v.Kind() != reflect.Struct {
		return nil
	}
	for _, i := range fields(v.Type()) {
		tag := v.Type().Field(i).Tag
		p := Param{Name: tag.Get("name"), Help: tag.Get("help"), lo: math.Inf(-1), hi: math.Inf(1)}
		if of := tag.Get("of"); of != "" {
			p.Of = strings.Split(of, ",")
		}
		if r := tag.Get("range"); r != "" {
			p.within(r)
		}
		switch f := v.Field(i); f.Kind() {
		case reflect.Float64:
			p.Usual = f.Float()
		case reflect.Int:
			p.Usual = int(f.Int())
		case reflect.Uint32:
			p.Usual = uint32(f.Uint())
		case reflect.Bool:
			p.Usual = f.Bool()
		case reflect.String:
			p.Usual = f.String()
		default:
			panic(fmt.Sprintf("kind: parameter %s of %v is a %v", p.Name, v.Type(), f.Type()))
		}
		all = append(all, p)
	}
	return all
}

// within reads a range: "0..1" with its ends, "(0..1)" without, "0.." without
// an upper one.
func (p *Param) within(text string) {
	p.loOpen, p.hiOpen = strings.HasPrefix(text, "("), strings.HasSuffix(text, ")")
	lo, hi, ok := strings.Cut(strings.Trim(text, "()"), "..")
	var err error
	for _, end := range []struct {
		text string
		to   *float64
	}{{lo, &p.lo}, {hi, &p.hi}} {
		if end.text != "" && err == nil {
			*end.to, err = strconv.ParseFloat(end.text, 64)
		}
	}
	if !ok || err != nil {
		panic(fmt.Sprintf("kind: range %q of parameter %s", text, p.Name))
	}
}

// Range says in words what the parameter may be.
func (p Param) Range() string {
	switch p.Usual.(type) {
	case bool:
		return "true or false"
	case string:
		if p.Of == nil {
			return "a word"
		}
		return "one of " + strings.Join(p.Of, ", ")
	}
	text := "a finite number"
	switch p.Usual.(type) {
	case int, uint32:
		text = "a whole number"
	}
	least, most := "of at least", "of at most"
	if p.loOpen {
		least = "above"
	}
	if p.hiOpen {
		most = "below"
	}
	switch lo, hi := !math.IsInf(p.lo, -1), !math.IsInf(p.hi, 1); {
	case lo && hi && !p.loOpen && !p.hiOpen:
		return fmt.Sprintf("%g to %g", p.lo, p.hi)
	case lo && hi:
		return fmt.Sprintf("%s %s %g and %s %g", text, least, p.lo, strings.TrimPrefix(most, "of "), p.hi)
	case lo:
		return fmt.Sprintf("%s %s %g", text, least, p.lo)
	case hi:
		return fmt.Sprintf("%s %s %g", text, most, p.hi)
	}
	return text
}

// Parse is the value that text stands for, of the type of Usual. The error
// begins with the parameter's name, as a flag.
func (p Param) Parse(text string) (v any, err error) {
	number := math.NaN()
	switch p.Usual.(type) {
	case float64:
		number, err = strconv.ParseFloat(text, 64)
		v = number
	case int:
		var n int
		n, err = strconv.Atoi(text)
		number, v = float64(n), n
	case uint32:
		var n uint64
		n, err = strconv.ParseUint(text, 10, 32)
		number, v = float64(n), uint32(n)
	case bool:
		v, err = strconv.ParseBool(text)
		number = 0
	case string:
		v, number = text, 0
		if p.Of != nil && !slices.Contains(p.Of, text) {
			return nil, fmt.Errorf("--%s %q: want %s", p.Name, text, p.Range())
		}
	}
	if err != nil || !p.holds(number) {
		return nil, fmt.Errorf("--%s %s: want %s", p.Name, text, p.Range())
	}
	return v, nil
}

func (p Param) holds(v float64) bool {
	switch {
	case math.IsNaN(v) || math.IsInf(v, 0):
		return false
	case v < p.lo || p.loOpen && v == p.lo:
		return false
	}
	return !(v > p.hi || p.hiOpen && v == p.hi)
}
