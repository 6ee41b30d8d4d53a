package datasets

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
)

// interactions is the log in the order of the file, with users and items
// numbered by first appearance. Every reader fills one.
type interactions struct {
	users, items interner
	user, item   []int32
	times        timeColumn // empty if the source has no times
	line         int        // of the current interaction, for messages that name two lines; see lineOf
	part         part       // of the current interaction; noPart if the split is not given
	parts        []part     // of each interaction; nil if the split is not given
	timed        bool       // the file at hand has times
	sequences    *sequenceLines

	minRating   float64
	read        int
	belowRating int
	negative    int     // ratings below 0, which often mean "not rated"
	fewestStars float64 // the source's ratings are from this to 5; 0: any
	notStars    int     // of the ratings, if fewestStars is set: the file is not the source's own
}

func newInteractions(minRating float64) *interactions {
	if minRating == 0 {
		minRating = math.Inf(-1) // no threshold, even if ratings are negative
	}
	return &interactions{users: newInterner(), items: newInterner(), minRating: minRating}
}

// add appends an interaction without a time.
func (l *interactions) add(user, item []byte) error {
	user, item = trimBlanks(user), trimBlanks(item) // possible in JSON
	if len(user) == 0 || len(item) == 0 {
		return errors.New("the user or item id is blank")
	}
	u, known := l.users.index(user)
	if !known {
		if err := checkID("user", user); err != nil {
			return err
		}
	}
	v, known := l.items.index(item)
	if !known {
		if err := checkID("item", item); err != nil {
			return err
		}
	}
	l.read++
	l.user = append(l.user, u)
	l.item = append(l.item, v)
	if l.part != noPart {
		l.parts = append(l.parts, l.part)
	}
	return nil
}

// addRated appends an interaction unless it is rated below the threshold.
func (l *interactions) addRated(user, item []byte, rating float64) error {
	if rating < 0 {
		l.negative++
	}
	if l.fewestStars > 0 && !(rating >= l.fewestStars && rating <= 5) {
		l.notStars++
	}
	if rating < l.minRating {
		l.read++
		l.belowRating++
		return nil
	}
	return l.add(user, item)
}

// addAt does the same for an interaction at a time.
func (l *interactions) addAt(user, item []byte, rating float64, at instant) error {
	if rating >= l.minRating {
		if err := l.times.add(at, l.line); err != nil {
			return err
		}
	}
	return l.addRated(user, item, rating)
}

// check checks the log as a whole. It returns an error, with a line if there is
// one, or warnings about probable mistakes.
func (l *interactions) check(show string) (warnings []string, err error) {
	if line, problem := l.times.check(); problem != "" {
		if files := l.times.files; files != nil {
			show = files[line>>fileBits]
		}
		return nil, &ParseError{File: show, Line: line & (1<<fileBits - 1), Msg: problem}
	}
	warnings = l.times.warnings()
	if l.negative > 0 && math.IsInf(l.minRating, -1) {
		warnings = append(warnings, fmt.Sprintf("%d of %d interactions are rated below 0, and min_rating = 0 is no threshold; to leave them out, set min_rating to a small number above 0", l.negative, l.read))
	}
	if err := l.joinedHeader(); err != nil {
		return nil, &ParseError{File: show, Msg: err.Error()}
	}
	for _, ids := range []struct {
		kind string
		in   *interner
		rows []int32
	}{{"user", &l.users, l.user}, {"item", &l.items, l.item}} {
		more, err := checkIDs(ids.kind, ids.in, ids.rows)
		if err != nil {
			return nil, &ParseError{File: show, Msg: err.Error()}
		}
		warnings = append(warnings, more...)
	}
	return warnings, nil
}

// joinedHeader refuses an interaction whose user and item are names of columns. It
// is the header of a file that was appended to another one, which has no header or
// one with other names.
func (l *interactions) joinedHeader() error {
	var users, items []int32
	for _, ids := range []struct {
		in    *interner
		names *[]int32
	}{{&l.users, &users}, {&l.items, &items}} {
		for i, name := range ids.in.names {
			if len(name) > 1 && len(name) <= 16 && (name[0] < '0' || name[0] > '9') && isIDName([]byte(name)) {
				*ids.names = append(*ids.names, int32(i))
			}
		}
	}
	if users == nil || items == nil {
		return nil
	}
	for i, u := range l.user {
		if v := l.item[i]; slices.Contains(users, u) && slices.Contains(items, v) {
			return fmt.Errorf("an interaction has the user id %q and the item id %q, which look like names of columns: were files with headers joined? remove such lines", l.users.names[u], l.items.names[v])
		}
	}
	return nil
}

// interner numbers strings from 0 in the order of their first appearance.
type interner struct {
	ids   map[string]int32
	names []string
	last  int32 // in most files, a user's lines are together
}

func newInterner() interner { return interner{ids: map[string]int32{}, last: -1} }

// index returns the number of a name, and whether it had one already.
func (in *interner) index(name []byte) (id int32, known bool) {
	if in.last >= 0 && in.names[in.last] == string(name) {
		return in.last, true
	}
	id, known = in.ids[string(name)]
	if !known {
		id = int32(len(in.names))
		s := string(name)
		in.ids[s] = id
		in.names = append(in.names, s)
	}
	in.last = id
	return id, known
}

// parseNumber parses a finite decimal number. Short plain ones do not go
// through strconv, which needs a string.
func parseNumber(b []byte) (float64, bool) {
	var mantissa int64
	scale, seenDot := 1.0, false
	if len(b) == 0 {
		return 0, false
	}
	if len(b) <= 15 { // exact in float64
		for i, c := range b {
			switch {
			case c >= '0' && c <= '9':
				mantissa = mantissa*10 + int64(c-'0')
				if seenDot {
					scale *= 10
				}
			case c == '.' && !seenDot && i > 0:
				seenDot = true
			default:
				return parseFloat(b)
			}
		}
		return float64(mantissa) / scale, true
	}
	return parseFloat(b)
}

func parseFloat(b []byte) (float64, bool) {
	if bytes.ContainsAny(b, "xX_") {
		return 0, false // strconv reads hexadecimal and 1_0 as 10, which data files do not use
	}
	v, err := strconv.ParseFloat(string(bytes.TrimSpace(b)), 64)
	return v, err == nil && !math.IsNaN(v) && !math.IsInf(v, 0)
}

// parseID parses a positive id below 2^31.
func parseID(b []byte) (int32, bool) {
	if len(b) == 0 || len(b) > 10 {
		return 0, false
	}
	var v int64
	for _, c := range b {
		if c < '0' || c > '9' {
			return 0, false
		}
		v = v*10 + int64(c-'0')
	}
	return int32(v), v > 0 && v <= math.MaxInt32
}
