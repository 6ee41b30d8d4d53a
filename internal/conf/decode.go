package conf

import (
	"errors"
	"fmt"
	"math"
	"reflect"
	"slices"
	"strings"
	"time"
)

// Decode stores the values of a table in the struct that dst points to; keys
// that are not given leave their field as it is. Fields are named by their toml
// tag. A nil table changes nothing. All faults are reported, one per line.
func Decode(n *Node, dst any) error {
	if n == nil {
		return nil
	}
	return decodeStruct(n, reflect.ValueOf(dst).Elem())
}

// Names returns the keys that Decode accepts for dst (a pointer to a struct), in
// the order of its fields.
func Names(dst any) []string {
	var names []string
	for _, f := range fields(reflect.ValueOf(dst).Elem()) {
		names = append(names, f.name)
	}
	return names
}

type field struct {
	name  string
	value reflect.Value
}

// fields lists the settable fields of a struct; embedded structs are flattened,
// as encoding/json does.
func fields(v reflect.Value) []field {
	var out []field
	for i := range v.NumField() {
		t := v.Type().Field(i)
		name, _, _ := strings.Cut(t.Tag.Get("toml"), ",")
		switch {
		case t.Anonymous && name == "" && v.Field(i).Kind() == reflect.Struct:
			out = append(out, fields(v.Field(i))...)
		case !t.IsExported() || name == "-":
		case name == "":
			out = append(out, field{strings.ToLower(t.Name), v.Field(i)})
		default:
			out = append(out, field{name, v.Field(i)})
		}
	}
	return out
}

func decodeStruct(n *Node, v reflect.Value) error {
	known := fields(v)
	var errs []error
	faults := 0
	for _, key := range n.Keys() {
		if faults > mostFaults {
			return errors.Join(append(errs, n.Errorf("more faults follow"))...)
		}
		child := n.Table[key]
		i := slices.IndexFunc(known, func(f field) bool { return f.name == key })
		if i < 0 {
			var names []string
			for _, f := range known {
				names = append(names, f.name)
			}
			errs = append(errs, child.Errorf("unknown key%s", Hint(key, names)))
			faults++
			continue
		}
		to := known[i].value
		err := decodeNode(child, to)
		if err == nil && to.CanFloat() && (math.IsNaN(to.Float()) || math.IsInf(to.Float(), 0)) {
			err = child.Errorf("expected a finite number, got %v", to.Float())
		}
		if err != nil {
			errs = append(errs, err)
			faults++
		}
	}
	return errors.Join(errs...)
}

// mostFaults bounds the number of messages about one table, because a document of
// another program has no known key.
const mostFaults = 10

func decodeNode(n *Node, v reflect.Value) error {
	if v.Kind() == reflect.Pointer { // nil: not given
		target := reflect.New(v.Type().Elem())
		if err := decodeNode(n, target.Elem()); err != nil {
			return err
		}
		v.Set(target)
		return nil
	}
	if n.Table == nil {
		if v.Kind() == reflect.Struct || v.Kind() == reflect.Map {
			return n.Errorf("expected a table, got %s", describe(n.Value))
		}
		return assign(n, n.Value, v)
	}
	switch v.Kind() {
	case reflect.Struct:
		return decodeStruct(n, v)
	case reflect.Map: // of scalars, such as column names
		m := reflect.MakeMap(v.Type())
		var errs []error
		for _, key := range n.Keys() {
			item := reflect.New(v.Type().Elem()).Elem()
			errs = append(errs, decodeNode(n.Table[key], item))
			m.SetMapIndex(reflect.ValueOf(key), item)
		}
		v.Set(m)
		return errors.Join(errs...)
	}
	return n.Errorf("expected %s, got a table", expected(v.Type()))
}

// assign stores one TOML value. Integers are accepted as floats; nothing else is
// converted.
func assign(n *Node, value any, v reflect.Value) error {
	switch x := value.(type) {
	case string:
		if v.Kind() == reflect.String {
			v.SetString(x)
			return nil
		}
	case bool:
		if v.Kind() == reflect.Bool {
			v.SetBool(x)
			return nil
		}
	case int64:
		switch {
		case v.Kind() == reflect.Int && (x > mostInt || x < -mostInt):
			return n.Errorf("%d is too large: expected an integer up to %d", x, mostInt)
		case v.CanInt() && !v.OverflowInt(x):
			v.SetInt(x)
			return nil
		case v.CanFloat():
			v.SetFloat(float64(x))
			return nil
		}
	case float64:
		if v.CanFloat() {
			v.SetFloat(x + 0) // turns -0.0, which is the same setting, into 0
			return nil
		}
	case []any:
		if v.Kind() == reflect.Slice {
			if len(x) > MostValues {
				return n.Errorf("expected a list of at most %d values, got %d", MostValues, len(x))
			}
			s := reflect.MakeSlice(v.Type(), len(x), len(x))
			for i := range x {
				if err := assign(n, x[i], s.Index(i)); err != nil {
					return err
				}
			}
			v.Set(s)
			return nil
		}
	}
	return n.Errorf("expected %s, got %s", expected(v.Type()), describe(value))
}

// mostInt bounds sizes and counts, so that sums and products of a few do not overflow.
// Seeds, which only initialise random number generators, have another type and no bound.
const mostInt = 1<<31 - 1

func expected(t reflect.Type) string {
	switch t.Kind() {
	case reflect.String:
		return "a string"
	case reflect.Bool:
		return "true or false"
	case reflect.Float32, reflect.Float64:
		return "a number"
	case reflect.Slice:
		return "a list"
	case reflect.Struct, reflect.Map:
		return "a table"
	}
	return "an integer"
}

func describe(value any) string {
	switch x := value.(type) {
	case string:
		return "the string " + Quote(x)
	case int64:
		return fmt.Sprintf("the integer %d", x)
	case float64:
		return fmt.Sprintf("the number %v", x)
	case bool:
		return fmt.Sprint(x)
	case time.Time:
		return "a date or time"
	}
	if reflect.TypeOf(value).Kind() == reflect.Slice {
		return "a list"
	}
	return "a table"
}
