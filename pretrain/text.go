package pretrain

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"famebench/datasets"
)

// TextConfig says how an item's metadata becomes a text.
type TextConfig struct {
	Template string `toml:"template" json:"template"`   // see ParseTemplate; default "{title}. {brand}. {categories}"
	MaxWords int    `toml:"max_words" json:"max_words"` // number of words, between blanks, that are kept of a text; default 0: all
}

// TextDefaults are the settings of a data set that sets none.
func TextDefaults() TextConfig {
	return TextConfig{Template: "{title}. {brand}. {categories}"}
}

// Validate reports the first invalid value.
func (c TextConfig) Validate() error {
	if _, err := ParseTemplate(c.Template); err != nil {
		return err
	}
	if c.MaxWords < 0 {
		return fmt.Errorf("max_words = %d: expected 0 (all) or more", c.MaxWords)
	}
	return nil
}

// Texts returns the texts of the items by item id, "" for padding and for items
// without any of the template's fields. It is an error if no item has a text.
func (c TextConfig) Texts(m *datasets.Metadata, items int) ([]string, error) {
	if err := c.Validate(); err != nil {
		return nil, fmt.Errorf("pretrain: %w", err)
	}
	template, _ := ParseTemplate(c.Template) // valid
	out, some := make([]string, items+1), false
	for v := 1; v <= items; v++ {
		text := template.Text(m, v)
		if words := strings.Fields(text); c.MaxWords > 0 && len(words) > c.MaxWords {
			text = strings.Join(words[:c.MaxWords], " ")
		}
		out[v] = text
		some = some || text != ""
	}
	if !some {
		return nil, fmt.Errorf("pretrain: no item has a text: the metadata has no %s (template %q)",
			strings.Join(template.fields(), ", "), c.Template)
	}
	return out, nil
}

// Template is the pattern of an item's text.
type Template struct {
	parts []part
	end   string // literal text after the last field
}

// part is a field with the literal text before it and, if it is in brackets, the
// closing one.
type part struct{ before, field, after string }

// ownBracket splits the literal text after p at the bracket that closes p's
// own, if there is one.
func (p part) ownBracket(literal string) (after, rest string) {
	for _, b := range []string{"()", "[]"} {
		if strings.HasSuffix(p.before, b[:1]) && strings.HasPrefix(literal, b[1:]) {
			return b[1:], literal[1:]
		}
	}
	return "", literal
}

// fields of a template, in the order in which errors list them.
var templateFields = []struct {
	name  string
	value func(m *datasets.Metadata, v int) string
}{
	{"title", func(m *datasets.Metadata, v int) string { return at(m.Title, v) }},
	{"brand", func(m *datasets.Metadata, v int) string { return at(m.Brand, v) }},
	{"categories", func(m *datasets.Metadata, v int) string { return joined(at(m.Categories, v)) }},
	{"description", func(m *datasets.Metadata, v int) string { return at(m.Description, v) }},
	{"genres", func(m *datasets.Metadata, v int) string { return joined(at(m.Genres, v)) }},
	{"year", func(m *datasets.Metadata, v int) string {
		if y := at(m.Year, v); y > 0 {
			return strconv.Itoa(int(y))
		}
		return ""
	}},
}

// at is list[v], or the zero value if the source has no such field.
func at[T any](list []T, v int) (none T) {
	if v < len(list) {
		return list[v]
	}
	return none
}

func joined(names []string) string {
	return strings.Join(slices.DeleteFunc(slices.Clone(names), func(s string) bool { return strings.TrimSpace(s) == "" }), ", ")
}

// ParseTemplate reads a pattern such as "{title}. By {brand}": literal text with
// fields in braces, which are title, brand, categories (the path, broad to narrow),
// description, genres and year. A field without a value is left out, with the literal
// text before it and the brackets around it. The text that then comes first loses its
// leading punctuation, so no separator is left on its own. Runs of blanks in values
// become one.
func ParseTemplate(s string) (Template, error) {
	var t Template
	bad := func(format string, args ...any) (Template, error) {
		return Template{}, fmt.Errorf("template %q: "+format, append([]any{s}, args...)...)
	}
	rest := s
	literal := func(text string) string { // removes the last field's bracket from it
		if n := len(t.parts); n > 0 {
			t.parts[n-1].after, text = t.parts[n-1].ownBracket(text)
		}
		return text
	}
	for {
		open := strings.IndexAny(rest, "{}")
		if open < 0 {
			break
		}
		if rest[open] == '}' {
			return bad("a } without a { before it")
		}
		end := strings.IndexAny(rest[open+1:], "{}")
		if end < 0 || rest[open+1+end] == '{' {
			return bad("a { without its }")
		}
		name := rest[open+1 : open+1+end]
		if !slices.Contains(fieldNames(), name) {
			return bad("unknown field {%s}; known: %s", name, strings.Join(fieldNames(), ", "))
		}
		t.parts = append(t.parts, part{before: literal(rest[:open]), field: name})
		rest = rest[open+1+end+1:]
	}
	t.end = literal(rest)
	if len(t.parts) == 0 {
		return bad("no field; expected at least one of {%s}", strings.Join(fieldNames(), "}, {"))
	}
	return t, nil
}

func fieldNames() []string {
	var names []string
	for _, f := range templateFields {
		names = append(names, f.name)
	}
	return names
}

func (t Template) fields() []string {
	var names []string
	for _, p := range t.parts {
		if !slices.Contains(names, p.field) {
			names = append(names, p.field)
		}
	}
	return names
}

// Text fills the template for item v; "" if no field has a value.
func (t Template) Text(m *datasets.Metadata, v int) string {
	var b strings.Builder
	missing := false // a field before
	for _, p := range t.parts {
		value := strings.Join(strings.Fields(fieldValue(m, v, p.field)), " ")
		if value == "" {
			missing = true
			continue
		}
		before := p.before
		if b.Len() == 0 && missing {
			before = strings.TrimLeft(before, " \t\n.,;:|/–—-")
		}
		b.WriteString(before + value + p.after)
	}
	if b.Len() == 0 {
		return ""
	}
	b.WriteString(t.end)
	return strings.TrimSpace(b.String())
}

func fieldValue(m *datasets.Metadata, v int, field string) string {
	for _, f := range templateFields {
		if f.name == field {
			return f.value(m, v)
		}
	}
	return "" // ParseTemplate refuses unknown fields
}
