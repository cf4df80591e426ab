package nn

import (
	"fmt"
	"iter"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"phase/autograd"
	"phase/kernels"
	"phase/tensor"
)

// A leaf is a parameter or a buffer with its path; the other one is nil.
type leaf struct {
	path   string
	param  *autograd.Var
	buffer **tensor.Tensor // where the module holds it
}

// leaves yields every parameter and buffer of m in declaration order, each
// once, under its first path.
func leaves(m any) iter.Seq[leaf] {
	return func(yield func(leaf) bool) {
		met := map[any]bool{}
		walk(reflect.ValueOf(m), "", func(l leaf) bool {
			var key any = l.param
			if l.buffer != nil {
				key = *l.buffer
			}
			if met[key] {
				return true
			}
			met[key] = true
			return yield(l)
		})
	}
}

var (
	paramType  = reflect.TypeFor[*autograd.Var]()
	bufferType = reflect.TypeFor[*tensor.Tensor]()
)

// walk is false once yield was.
func walk(v reflect.Value, path string, yield func(leaf) bool) bool {
	if !v.IsValid() {
		return true
	}
	switch v.Type() {
	case paramType:
		return v.IsNil() || yield(leaf{path: path, param: v.Interface().(*autograd.Var)})
	case bufferType:
		if !v.CanAddr() {
			panic(tensor.Errorf("nn", "the module that holds buffer %s is passed by value: pass a pointer", path))
		}
		return v.IsNil() || yield(leaf{path: path, buffer: v.Addr().Interface().(**tensor.Tensor)})
	}
	switch v.Kind() {
	case reflect.Pointer, reflect.Interface:
		return v.IsNil() || walk(v.Elem(), path, yield)
	case reflect.Struct:
		for i := range v.NumField() {
			f := v.Type().Field(i)
			at := path
			if !f.Anonymous {
				at = join(path, fieldName(f))
			}
			if f.IsExported() && !walk(v.Field(i), at, yield) {
				return false
			}
		}
	case reflect.Slice, reflect.Array:
		for i := range v.Len() {
			if !walk(v.Index(i), join(path, strconv.Itoa(i)), yield) {
				return false
			}
		}
	}
	return true
}

func join(path, name string) string {
	if path == "" {
		return name
	}
	return path + "." + name
}

// fieldName is the tag `name:"..."`, or the field's name in snake case:
// RunningMean is running_mean and BN1 is bn1.
func fieldName(f reflect.StructField) string {
	if tag, ok := f.Tag.Lookup("name"); ok {
		return tag
	}
	var b strings.Builder
	small := false // the letter before was lower case
	for _, r := range f.Name {
		if small && unicode.IsUpper(r) {
			b.WriteByte('_')
		}
		small = unicode.IsLower(r)
		b.WriteRune(unicode.ToLower(r))
	}
	return b.String()
}

// Params yields every parameter of m with its path (layer1.0.conv1.weight), in
// declaration order. A parameter that m holds twice is yielded once.
func Params(m any) iter.Seq2[string, *autograd.Var] {
	return func(yield func(string, *autograd.Var) bool) {
		for l := range leaves(m) {
			if l.param != nil && !yield(l.path, l.param) {
				return
			}
		}
	}
}

// Buffers yields every buffer of m, a tensor that is saved with the model but
// not trained, with its path, in declaration order.
func Buffers(m any) iter.Seq2[string, *tensor.Tensor] {
	return func(yield func(string, *tensor.Tensor) bool) {
		for l := range leaves(m) {
			if l.buffer != nil && !yield(l.path, *l.buffer) {
				return
			}
		}
	}
}

// Size is the number of trainable numbers in m.
func Size(m any) int {
	n := 0
	for _, v := range Params(m) {
		n += v.Value.Size()
	}
	return n
}

// Replace puts f(t) in the place of every parameter's value and every buffer
// t, as when a model moves to another device or dtype. Gradients are dropped.
func Replace(m any, f func(t *tensor.Tensor) *tensor.Tensor) {
	for _, l := range slices.Collect(leaves(m)) {
		if l.param != nil {
			l.param.Value, l.param.Grad = f(l.param.Value), nil
		} else {
			*l.buffer = f(*l.buffer)
		}
	}
}

// To moves the floats of m to dev, which drops gradients if they are not there yet.
// Counters (I64) stay on the host, where they are counted.
func To(m any, dev tensor.Device) {
	Replace(m, func(t *tensor.Tensor) *tensor.Tensor {
		if t.DType() == tensor.I64 || t.Device() == dev {
			return t
		}
		return t.To(dev)
	})
}

// Cast gives the floats of m, which lie on the host, dtype d. A model is made
// in F32.
func Cast(m any, d tensor.DType) {
	Replace(m, func(t *tensor.Tensor) *tensor.Tensor {
		if t.DType() == tensor.I64 || t.DType() == d {
			return t
		}
		to := tensor.New(t.Device(), d, t.Shape()...)
		fill(to, tensor.Values(t))
		return to
	})
}

// State is every parameter's value and every buffer of m by its path: the
// tensors themselves, not copies.
func State(m any) map[string]*tensor.Tensor {
	s := map[string]*tensor.Tensor{}
	for l := range leaves(m) {
		if l.param != nil {
			s[l.path] = l.param.Value
		} else {
			s[l.path] = *l.buffer
		}
	}
	return s
}

// Load copies from, host tensors by the paths of State, into m; floats are
// converted to m's dtype. Unless every name and shape agrees it changes
// nothing, and the error names what does not. Only a counter (an I64 buffer,
// such as num_batches_tracked, which many old PyTorch files lack) may be
// missing.
func Load(m any, from map[string]*tensor.Tensor) error {
	state := State(m)
	var missing, unknown, wrong []string
	for name, to := range state {
		t, ok := from[name]
		switch {
		case !ok && to.DType() != tensor.I64:
			missing = append(missing, name)
		case ok && !t.Shape().Equal(to.Shape()):
			wrong = append(wrong, fmt.Sprintf("%s is %v, want %v", name, t.Shape(), to.Shape()))
		case ok && (t.DType() == tensor.I64) != (to.DType() == tensor.I64):
			wrong = append(wrong, fmt.Sprintf("%s is %v, want %v", name, t.DType(), to.DType()))
		}
	}
	for name := range from {
		if state[name] == nil {
			unknown = append(unknown, name)
		}
	}
	var parts []string
	for _, p := range []struct {
		what  string
		names []string
	}{{"missing", missing}, {"unknown", unknown}, {"of another shape or kind", wrong}} {
		if len(p.names) > 0 {
			parts = append(parts, fmt.Sprintf("%d %s (%s)", len(p.names), p.what, some(p.names)))
		}
	}
	if len(parts) > 0 {
		return fmt.Errorf("tensors do not fit the model: %s", strings.Join(parts, ", "))
	}
	for name, t := range from {
		write(state[name], t)
	}
	return nil
}

// some lists the first few names in order.
func some(names []string) string {
	const most = 4
	slices.Sort(names)
	if len(names) <= most {
		return strings.Join(names, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(names[:most], ", "), len(names)-most)
}

// write copies t, a host tensor, into to, whatever its device and float dtype.
func write(to, t *tensor.Tensor) {
	if t.DType() != to.DType() {
		same := tensor.New(tensor.CPU, to.DType(), t.Shape()...)
		fill(same, tensor.Values(t))
		t = same
	}
	t = t.To(to.Device())
	kernels.For(to).Copy(to, t)
}

// fill sets the elements of a dense host tensor of floats.
func fill(t *tensor.Tensor, v []float64) {
	switch t.DType() {
	case tensor.F32:
		d := tensor.Data[float32](t)
		for i := range d {
			d[i] = float32(v[i])
		}
	case tensor.F64:
		copy(tensor.Data[float64](t), v)
	}
}
