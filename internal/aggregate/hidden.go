package aggregate

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"famebench/internal/record"
)

// Hidden is a dimension in which two rows differ although it is not what is compared. A
// difference between their metrics may come from it.
type Hidden struct {
	What  string   `json:"what"`
	A     string   `json:"a"`
	B     string   `json:"b"`
	Where []string `json:"where"` // the data sets, and for whole suites the rows
}

// Text is the warning.
func (h Hidden) Text() string {
	return fmt.Sprintf("%s: A has %s, B has %s (%s)", h.What, h.A, h.B, list(h.Where))
}

// warn adds the hidden dimensions of a pair of rows.
func (c *Comparison) warn(p pair) {
	for _, h := range p.hidden() {
		i := slices.IndexFunc(c.Warnings, func(w Hidden) bool { return w.What == h.What && w.A == h.A && w.B == h.B })
		if i < 0 {
			i = len(c.Warnings)
			c.Warnings = append(c.Warnings, h)
		}
		c.Warnings[i].Where = append(c.Warnings[i].Where, p.where)
	}
}

// hidden lists the dimensions in which a pair of rows differs.
func (p pair) hidden() (out []Hidden) {
	add := func(what, a, b string) {
		if a != b {
			out = append(out, Hidden{What: what, A: cmp.Or(a, "none"), B: cmp.Or(b, "none")})
		}
	}
	da, db := p.a.dataset(), p.b.dataset()
	add("data fingerprint", short(da.Fingerprint), short(db.Fingerprint))
	add("split", p.a.protocol(), p.b.protocol())
	add("parts of the split", short(da.Split), short(db.Split))
	for _, key := range filters {
		add("data setting "+key, plain(da.Config[key]), plain(db.Config[key]))
	}
	if (p.a.imported == nil) != (p.b.imported == nil) {
		add("training", p.a.origin(), p.b.origin())
	}
	if p.a.imported != nil || p.b.imported != nil {
		return out
	}
	a, b := p.a.records[0], p.b.records[0]
	sa, sb := a.Result.Spec, b.Result.Spec
	trained := !sa.NonNeural && !sb.NonNeural
	same := sa.Model == sb.Model
	number := func(what string, v, w int) { add(what, fmt.Sprint(v), fmt.Sprint(w)) }
	if same {
		number("version of the model's code", sa.Versions.Model, sb.Versions.Model)
	}
	number("version of the ranking code", sa.Versions.Rank, sb.Versions.Rank)
	add("device", sa.Device, sb.Device)
	if trained {
		number("version of the training code", sa.Versions.Train, sb.Versions.Train)
		for _, name := range settingNames([]*group{p.a, p.b}) {
			v, w := setting(a, name), setting(b, name)
			if v != nil && w != nil && !slices.Contains(p.named, name) && !slices.Contains(harmless, name) {
				add(name, plain(v), plain(w))
			}
		}
		out = append(out, hiddenInit(sa.Init, sb.Init, same)...)
		add("trained weights that it begins with", sourceText(sa.Source), sourceText(sb.Source))
		each := func(what string, of func(*record.Record) string) { add(what, p.a.each(of), p.b.each(of)) }
		each("seeds", func(r *record.Record) string { return fmt.Sprint(r.Result.Spec.Seed) })
		each("end of training", func(r *record.Record) string { return string(r.Result.Status) })
	}
	return append(out, p.hiddenMachine(same)...)
}

// harmless are the settings that are in no id: they decide when a run stops or saves.
var harmless = []string{"train.time_limit", "train.checkpoint_every"}

// hiddenInit compares how item tables are initialised from texts. Whether texts are read at
// all is a part of the model.
func hiddenInit(a, b *record.Init, same bool) (out []Hidden) {
	if a == nil || b == nil {
		if same && a != b {
			out = append(out, Hidden{What: "initialisation from texts", A: yesNo(a != nil), B: yesNo(b != nil)})
		}
		return out
	}
	for _, d := range [][3]string{
		{"texts", short(a.Texts), short(b.Texts)}, {"labels", short(a.Facets), short(b.Facets)}, {"text encoder", short(a.Encoder), short(b.Encoder)},
		{"version of the pre-training code", fmt.Sprint(a.Version), fmt.Sprint(b.Version)},
	} {
		if d[1] != d[2] {
			out = append(out, Hidden{What: d[0], A: cmp.Or(d[1], "none"), B: cmp.Or(d[2], "none")})
		}
	}
	return out
}

// hiddenMachine compares what is measured and may change rounding, and for the same model the
// code.
func (p pair) hiddenMachine(same bool) (out []Hidden) {
	type dimension struct {
		what string
		of   func(*record.Record) string
	}
	dimensions := []dimension{
		{"uncommitted changes", func(r *record.Record) string { return yesNo(r.Measured.Dirty) }},
		{"libtorch", func(r *record.Record) string { return r.Measured.Libtorch }},
		{"matrix products", func(r *record.Record) string { return r.Measured.Products }},
		{"processor", func(r *record.Record) string { return r.Measured.Processor() }},
		{"threads", func(r *record.Record) string { return fmt.Sprint(r.Measured.Threads) }},
		{"environment variables", func(r *record.Record) string { return strings.Join(r.Measured.Environment, " ") }},
	}
	if same {
		dimensions = append(dimensions, dimension{"code of the model", func(r *record.Record) string { return short(r.Measured.Code) }})
	}
	for _, d := range dimensions {
		if a, b := p.a.each(d.of), p.b.each(d.of); a != b {
			out = append(out, Hidden{What: d.what, A: cmp.Or(a, "none"), B: cmp.Or(b, "none")})
		}
	}
	return out
}

// each lists the values that a row's records have, sorted.
func (g *group) each(of func(*record.Record) string) string {
	var values []string
	for _, r := range g.records {
		values = appendNew(values, of(r))
	}
	slices.Sort(values)
	return strings.Join(values, ", ")
}

// origin says what is known about the training of a row.
func (g *group) origin() string {
	if g.imported != nil {
		return "unknown settings (imported lists)"
	}
	return "recorded settings"
}

func yesNo(b bool) string {
	if b {
		return "yes"
	}
	return "no"
}
