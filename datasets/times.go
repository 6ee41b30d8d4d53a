package datasets

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

// instant is a time as a file gives it, exactly: value × 10^-digits, in the unit
// of the file for a number and in Unix seconds for a date.
type instant struct {
	value  int64
	digits int // the smallest number that keeps the value; 0 for whole numbers
	kind   timeKind
	sci    bool // a number in scientific notation
}

// timeKind says how a time is written. A column has one kind only, because
// comparing times of two kinds would need a guess.
type timeKind string

const (
	numberTime timeKind = "a number"
	dayTime    timeKind = "a date without a time of day"
	localTime  timeKind = "a date and time without a zone"
	zonedTime  timeKind = "a date and time with a zone"
)

// maxDigits bounds the decimal places of a time: an int64 holds 18 digits.
const maxDigits = 18

var pow10 = func() (p [maxDigits + 1]int64) {
	p[0] = 1
	for i := 1; i < len(p); i++ {
		p[i] = 10 * p[i-1]
	}
	return p
}()

// scaled multiplies by 10^n; ok is false if the product does not fit.
func scaled(v int64, n int) (int64, bool) {
	if v == 0 {
		return 0, true
	}
	if n > maxDigits || v > math.MaxInt64/pow10[n] || v < -math.MaxInt64/pow10[n] {
		return 0, false
	}
	return v * pow10[n], true
}

// parseInstant parses a number in any notation or an ISO 8601 date. The error
// completes "time X ".
func parseInstant(b []byte) (instant, error) {
	if len(b) > 0 && len(b) <= maxDigits {
		var v int64
		for i, c := range b {
			if c < '0' || c > '9' {
				break
			}
			v = v*10 + int64(c-'0')
			if i == len(b)-1 {
				return instant{value: v, kind: numberTime}, nil
			}
		}
	}
	if len(b) > 10 && b[4] == '-' || len(b) == 10 && b[4] == '-' && b[7] == '-' {
		return parseDate(string(b))
	}
	return parseDecimal(b)
}

var errTooLarge = errors.New("does not fit into the 18 digits that are kept")

// parseDecimal parses a decimal number such as -12, 1600000000.25 or 1.6e9.
func parseDecimal(b []byte) (instant, error) {
	t := instant{kind: numberTime}
	rest := b
	negative := false
	if len(rest) > 0 && (rest[0] == '-' || rest[0] == '+') {
		negative, rest = rest[0] == '-', rest[1:]
	}
	var digits []byte // without the point and leading zeros
	exponent, seen, dot := 0, false, false
	i := 0
	for ; i < len(rest); i++ {
		c := rest[i]
		if c == '.' && !dot {
			dot = true
			continue
		}
		if c < '0' || c > '9' {
			break
		}
		seen = true
		if dot {
			exponent--
		}
		if c != '0' || len(digits) > 0 {
			digits = append(digits, c)
		}
	}
	if seen && i < len(rest) && (rest[i] == 'e' || rest[i] == 'E') {
		e, err := strconv.Atoi(string(rest[i+1:]))
		if err != nil {
			if errors.Is(err, strconv.ErrRange) {
				return t, errTooLarge
			}
			return t, notATime(b)
		}
		t.sci, i = true, len(rest)
		exponent += max(-1<<20, min(e, 1<<20))
	}
	if !seen || i < len(rest) {
		return t, notATime(b)
	}
	whole := bytes.TrimRight(digits, "0")
	exponent += len(digits) - len(whole)
	if len(whole) == 0 {
		return t, nil // zero
	}
	if len(whole) > maxDigits+1 || exponent < -maxDigits {
		return t, errTooLarge
	}
	v, err := strconv.ParseInt(string(whole), 10, 64)
	if err != nil {
		return t, errTooLarge
	}
	if negative {
		v = -v
	}
	if exponent < 0 {
		t.value, t.digits = v, -exponent
		return t, nil
	}
	var ok bool
	if t.value, ok = scaled(v, exponent); !ok {
		return t, errTooLarge
	}
	return t, nil
}

// notATime says what was expected.
func notATime(b []byte) error {
	hint := ""
	if i := bytes.IndexByte(b, ','); i >= 0 {
		if _, err := parseDecimal(bytes.Replace(b, []byte{','}, []byte{'.'}, 1)); err == nil {
			hint = "; decimal commas are not read, use a point"
		}
	}
	return fmt.Errorf("is neither a number nor an ISO 8601 date; expected for example 1600000000.25 or 2020-09-13T12:26:40.25Z%s", hint)
}

// zones are the time zones that may follow the time of day, in Go's notation.
var zones = []string{"", "Z07:00", "Z0700", "Z07", " Z07:00", " Z0700", " Z07"}

// parseDate parses YYYY-MM-DD, optionally followed by T or a blank and hh,
// hh:mm, hh:mm:ss or a fraction of the second, and then optionally by a zone.
func parseDate(s string) (instant, error) {
	if t, err := time.Parse(time.DateOnly, s); err == nil {
		return instant{value: t.Unix(), kind: dayTime}, nil
	}
	bad := notATime([]byte(s))
	if len(s) < 13 || s[10] != 'T' && s[10] != 't' && s[10] != ' ' {
		return instant{}, bad
	}
	s = s[:10] + "T" + s[11:]
	for _, name := range []string{"z", " UTC", " GMT"} {
		if utc, ok := strings.CutSuffix(s, name); ok {
			s = utc + "Z"
			break
		}
	}
	// The fraction is cut out, because package time would drop digits below a
	// nanosecond.
	fraction, layout := "", "2006-01-02T15:04"
	if len(s) == 13 || s[13] != ':' {
		layout = "2006-01-02T15"
	} else if len(s) > 18 && s[16] == ':' {
		layout += ":05"
		if len(s) > 19 && (s[19] == '.' || s[19] == ',') {
			end := 20
			for end < len(s) && s[end] >= '0' && s[end] <= '9' {
				end++
			}
			if end == 20 || end < len(s) && (s[end] == '.' || s[end] == ',') {
				return instant{}, bad
			}
			fraction, s = s[20:end], s[:19]+s[end:]
		}
	}
	for _, zone := range zones {
		t, err := time.Parse(layout+zone, s)
		if err != nil {
			continue
		}
		at := instant{value: t.Unix(), kind: localTime}
		if zone != "" {
			at.kind = zonedTime
		}
		fraction = strings.TrimRight(fraction, "0")
		if fraction == "" {
			return at, nil
		}
		v, ok := scaled(at.value, len(fraction))
		if !ok {
			return at, errTooLarge
		}
		f, err := strconv.ParseInt(fraction, 10, 64)
		if err != nil || v > math.MaxInt64-f {
			return at, errTooLarge
		}
		at.value, at.digits = v+f, len(fraction)
		return at, nil
	}
	return instant{}, bad
}

// timeColumn collects the times of a log in one unit: 10^-digits of the file's,
// where digits is the largest number of decimal places of any of them. So times
// are equal exactly if they are equal in the file.
type timeColumn struct {
	values []int64
	digits int
	files  []string // names of the files that the times are from; nil: one file, which messages name

	first      instant
	firstLine  int
	largest    int64 // absolute value, in the unit so far
	largeLine  int
	lengths    [20]int // number of digits before the point → line of the first such time
	counts     [20]int // the same → number of such times
	sentinels  int     // number of times that are 0 or -1
	sentinelAt int     // line of the first
	sci        int     // number of times in scientific notation
	sciAt      int     // line of the first
	sciWhole   bool    // some of these have a last digit that is not 0
}

// add appends a time that was read on a line.
func (c *timeColumn) add(at instant, line int) error {
	if len(c.values) == 0 {
		c.first, c.firstLine = at, line
	}
	if at.kind != c.first.kind {
		return fmt.Errorf("the time is %s, that of %s is %s; expected one kind of time in a column", at.kind, c.place(c.firstLine), c.first.kind)
	}
	if at.digits > c.digits {
		if _, ok := scaled(c.largest, at.digits-c.digits); !ok {
			return c.overflow(c.largeLine)
		}
		for i := range c.values {
			c.values[i] *= pow10[at.digits-c.digits]
		}
		c.largest *= pow10[at.digits-c.digits]
		c.digits = at.digits
	}
	v, ok := scaled(at.value, c.digits-at.digits)
	if !ok {
		return c.overflow(c.firstLine)
	}
	c.note(at, line)
	if size := max(v, -v); size > c.largest || c.largeLine == 0 {
		c.largest, c.largeLine = size, line
	}
	c.values = append(c.values, v)
	return nil
}

func (c *timeColumn) overflow(other int) error {
	return fmt.Errorf("the time does not fit into 18 digits together with that of %s; expected times of one unit and fewer decimal places", c.place(other))
}

// fileBits is the number of bits of a line number; those above it number the file.
const fileBits = 40

// place names a line, and its file if there are several.
func (c *timeColumn) place(line int) string {
	text := fmt.Sprintf("line %d", line&(1<<fileBits-1))
	if c.files != nil {
		text += " of " + shortName(c.files, line>>fileBits)
	}
	return text
}

// shortName is the end of a path that no other path has: its last part, if that is enough.
// Records have it, and must not have the folders of a machine.
func shortName(paths []string, at int) string {
	parts := strings.Split(filepath.ToSlash(paths[at]), "/")
	for n := 1; n < len(parts); n++ {
		name := strings.Join(parts[len(parts)-n:], "/")
		if !slices.ContainsFunc(paths, func(p string) bool { return p != paths[at] && strings.HasSuffix("/"+filepath.ToSlash(p), "/"+name) }) {
			return name
		}
	}
	return strings.Join(parts, "/")
}

// note records what check and warnings need.
func (c *timeColumn) note(at instant, line int) {
	if at.sci {
		if c.sci++; c.sci == 1 {
			c.sciAt = line
		}
		c.sciWhole = c.sciWhole || at.digits > 0 || at.value%10 != 0
	}
	if at.digits == 0 && (at.value == 0 || at.value == -1) {
		if c.sentinels++; c.sentinels == 1 {
			c.sentinelAt = line
		}
		return
	}
	n := 0
	for v := at.value / pow10[at.digits]; v != 0; v /= 10 {
		n++
	}
	if c.lengths[n] == 0 {
		c.lengths[n] = line
	}
	c.counts[n]++
}

// unixUnits are the numbers of digits that Unix times between 1973 and 2286
// have in each unit. Times with other numbers of digits lie between two units.
var unixUnits = []struct {
	name     string
	from, to int
}{{"seconds", 9, 10}, {"milliseconds", 12, 13}, {"microseconds", 15, 16}, {"nanoseconds", 18, 19}}

// check refuses a column of two units: Unix times in seconds and in
// milliseconds, for example, and hardly anything in between, where a steady count would
// have values. It returns the line of the second unit and the reason, or "".
func (c *timeColumn) check() (line int, problem string) {
	if c.first.kind != numberTime {
		return 0, ""
	}
	last := -1
	for i, u := range unixUnits {
		at := c.lineOf(u.from, u.to)
		if at == 0 {
			continue
		}
		if last >= 0 && 100*c.count(unixUnits[last].to+1, u.from-1) < min(c.count(unixUnits[last].from, unixUnits[last].to), c.count(u.from, u.to)) {
			a, b := unixUnits[last].name, u.name
			other := c.lineOf(unixUnits[last].from, unixUnits[last].to)
			if other > at {
				a, b, at, other = b, a, other, at
			}
			return at, fmt.Sprintf("the time looks like Unix %s, that of %s like %s; expected one unit in a column", b, c.place(other), a)
		}
		last = i
	}
	return 0, ""
}

// lineOf returns the first line of a time of that many digits, 0 for none.
func (c *timeColumn) lineOf(from, to int) int {
	line := 0
	for _, l := range c.lengths[from : to+1] {
		if l > 0 && (line == 0 || l < line) {
			line = l
		}
	}
	return line
}

// count returns the number of times of that many digits.
func (c *timeColumn) count(from, to int) (n int) {
	for _, of := range c.counts[from : to+1] {
		n += of
	}
	return n
}

// warnings are about times that are readable but probably wrong.
func (c *timeColumn) warnings() []string {
	var out []string
	if c.sentinels > 0 && c.sentinels < len(c.values) && c.lineOf(0, 8) == 0 {
		out = append(out, fmt.Sprintf("%d of %d times are 0 or -1 (the first on %s) and none of the others is near: if the time is missing there, leave these lines out; they count as the oldest", c.sentinels, len(c.values), c.place(c.sentinelAt)))
	}
	short, long := c.count(0, unixUnits[0].from-1), c.count(unixUnits[0].from, len(c.counts)-1)
	if c.first.kind == numberTime && short > 0 && 10*short < long {
		out = append(out, fmt.Sprintf("%d of %d times have fewer than %d digits (the first on %s), and most look like Unix times: if they are of another unit, such as days or compact dates, convert them; they count as older than the others", short, len(c.values), unixUnits[0].from, c.place(c.lineOf(0, unixUnits[0].from-1))))
	}
	if c.sci > 0 && !c.sciWhole && len(c.values) > 1 {
		out = append(out, fmt.Sprintf("%d times are in scientific notation and end in 0 (the first on %s): if a spreadsheet has cut their last digits, export the file again", c.sci, c.place(c.sciAt)))
	}
	return out
}

// TimeText writes a time of Times as the file does, and also as a date if a
// number looks like a Unix time.
func (d *Dataset) TimeText(t int64) string {
	unit := pow10[d.TimeDigits]
	whole, part := t/unit, t%unit
	number := strconv.FormatInt(whole, 10)
	if part != 0 {
		text := fmt.Sprintf("%0*d", d.TimeDigits, max(part, -part))
		if number += "." + strings.TrimRight(text, "0"); t < 0 && whole == 0 {
			number = "-" + number
		}
	}
	if part < 0 { // the second before
		whole, part = whole-1, part+unit
	}
	if d.timeKind != "" && d.timeKind != numberTime {
		text := time.Unix(whole, 0).UTC().Format("2006-01-02T15:04:05")
		if part != 0 {
			text += "." + strings.TrimRight(fmt.Sprintf("%0*d", d.TimeDigits, part), "0")
		}
		switch d.timeKind {
		case dayTime:
			return text[:len(time.DateOnly)]
		case zonedTime:
			return text + "Z"
		}
		return text
	}
	n := len(strconv.FormatInt(max(whole, -whole), 10))
	for i, u := range unixUnits {
		if n >= u.from && n <= u.to {
			for range i {
				whole /= 1000
			}
			return number + time.Unix(whole, 0).UTC().Format(" (2006-01-02 15:04:05 UTC)")
		}
	}
	return number
}
