// Package imported reads the lists that another program recommends to the test users of a data
// set, checks them against the data, and keeps the rank of every test user's item.
package imported

import (
	"bufio"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"math"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"famebench/datasets"
	"famebench/internal/aggregate"
	"famebench/internal/record"
)

// Lists says which lists are read.
type Lists struct {
	Path  string // a TREC run: "user Q0 item rank score tag", the best item of a user first
	Split *datasets.Split
	Spec  record.ImportSpec // but for the hash of the file
}

// Problems are what is wrong with the lists of a file. Nothing is imported then.
type Problems struct {
	Path  string
	Found []string
}

// mostShown is how many problems a message names.
const mostShown = 10

func (p Problems) Error() string {
	text := fmt.Sprintf("%s was not imported: 1 problem", p.Path)
	if n := len(p.Found); n > 1 {
		text = fmt.Sprintf("%s was not imported: %d problems", p.Path, n)
	}
	for _, f := range p.Found[:min(len(p.Found), mostShown)] {
		text += "\n" + f
	}
	if n := len(p.Found) - mostShown; n > 0 {
		text += fmt.Sprintf("\nand %d more", n)
	}
	return text
}

// Read reads and checks a file of lists. It returns a record that is not stored yet, and notices
// about ties and about test items that users had seen. What is wrong with the lists is a Problems.
func (l Lists) Read() (*record.Imported, []string, error) {
	f, err := os.Open(l.Path)
	if err != nil {
		return nil, nil, err
	}
	defer f.Close()
	r := newReader(l)
	sum := sha256.New()
	lines := bufio.NewScanner(io.TeeReader(f, sum))
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		r.line++
		text := lines.Text()
		if r.line == 1 {
			text = strings.TrimPrefix(text, "\ufeff") // a byte order mark
		}
		if strings.TrimSpace(text) != "" {
			r.add(text)
		}
	}
	if err := lines.Err(); err != nil {
		if errors.Is(err, bufio.ErrTooLong) {
			err = fmt.Errorf("line %d: expected fewer than %d bytes in a line", r.line+1, 1<<20)
		}
		return nil, nil, fmt.Errorf("%s: %w", l.Path, err)
	}
	r.endOfUser()
	r.endOfFile()
	if r.longest < fewestShown {
		r.notice(r.line, "end of the file: lists have %d items at most, and the tables' metrics begin at %d: the row has none of them", r.longest, fewestShown)
	}
	if r.problems != nil {
		return nil, nil, Problems{l.Path, r.problems}
	}
	m := &record.Imported{
		Spec: l.Spec, File: filepath.Base(l.Path), Users: len(l.Split.Test), Items: l.Split.Data.NumItems, Length: r.longest,
		Ranks: r.ranks, Test: aggregate.ListMetrics(r.ranks, r.longest),
	}
	m.Spec.SHA256 = hex.EncodeToString(sum.Sum(nil))
	return m, r.notices, nil
}

// reader reads the lists of a file, one user after another.
type reader struct {
	Lists
	users    map[string]bool  // the ids of the data's source
	caseOf   map[string]int   // by id of the user, who may have several sequences
	items    map[string]int32 // by id
	line     int
	problems []string
	notices  []string

	// of the user whose lines are read
	user   string // as in the file
	at     int    // its case; -1: it has none, which is a problem already
	first  int    // its first line
	list   []int32
	scores []float64
	ranked int // of its last line

	ranks   []int32
	lengths []int // of the lists, by case; 0: none yet
	lines   []int // where they begin
	longest int
	seen    bool // a list has an item of its user's history
	earlier bool // and one that is not the history's last item
}

func newReader(l Lists) *reader {
	d := l.Split.Data
	r := &reader{Lists: l, users: map[string]bool{}, items: map[string]int32{}, caseOf: map[string]int{}}
	for _, id := range d.UserIDs {
		r.users[id] = true
	}
	for v, id := range d.ItemIDs {
		if v > 0 {
			r.items[id] = int32(v)
		}
	}
	for i, c := range l.Split.Test {
		id := d.UserIDs[c.User]
		if _, ok := r.caseOf[id]; ok {
			r.problems = []string{fmt.Sprintf("the split has several test items of user %s: expected one of each user, because a run file has one list of each", id)}
		}
		r.caseOf[id] = i
	}
	n := len(l.Split.Test)
	r.ranks, r.lengths, r.lines = make([]int32, n), make([]int, n), make([]int, n)
	return r
}

func (r *reader) problem(line int, format string, args ...any) {
	r.problems = append(r.problems, fmt.Sprintf("line %d: ", line)+fmt.Sprintf(format, args...))
}

func (r *reader) notice(line int, format string, args ...any) {
	r.notices = append(r.notices, fmt.Sprintf("line %d: ", line)+fmt.Sprintf(format, args...))
}

// add reads a line.
func (r *reader) add(text string) {
	fields := strings.Fields(text)
	if len(fields) != 6 {
		r.problem(r.line, "expected 6 fields, user Q0 item rank score tag, got %d: %.80q", len(fields), text)
		return
	}
	if r.first == 0 || fields[0] != r.user {
		r.endOfUser()
		r.begin(fields[0])
	}
	rank, err1 := strconv.Atoi(fields[3])
	score, err2 := strconv.ParseFloat(fields[4], 64)
	if err1 != nil || err2 != nil || math.IsNaN(score) || math.IsInf(score, 0) {
		r.problem(r.line, "expected a whole number as rank and a finite one as score, got %.40q and %.40q", fields[3], fields[4])
		return
	}
	if n := len(r.scores); n > 0 {
		if rank != r.ranked+1 {
			r.problem(r.line, "user %.40q: expected rank %d after rank %d, got %d", r.user, r.ranked+1, r.ranked, rank)
		}
		if score > r.scores[n-1] {
			r.problem(r.line, "user %.40q: expected a score of at most %v, that of the item before, got %v", r.user, r.scores[n-1], score)
		}
	} else if rank != 0 && rank != 1 {
		r.problem(r.line, "user %.40q: expected the first rank to be 0 or 1, got %d", r.user, rank)
	}
	r.ranked = rank
	id, err := url.PathUnescape(fields[2])
	item, ok := r.items[id]
	if err != nil || !ok {
		r.problem(r.line, "unknown item %.40q: expected the ids of the data set%s", fields[2], escapeHint(err))
	} else if i := slices.Index(r.list, item); i >= 0 {
		r.problem(r.line, "user %.40q: item %.40q is in the list already, at place %d", r.user, fields[2], i+1)
	}
	r.list, r.scores = append(r.list, item), append(r.scores, score) // an unknown item keeps its place
}

func escapeHint(err error) string {
	if err == nil {
		return ""
	}
	return `, with "%" written as %25`
}

// begin begins the list of a user.
func (r *reader) begin(user string) {
	r.user, r.first, r.at = user, r.line, -1
	r.list, r.scores = r.list[:0], r.scores[:0]
	id, err := url.PathUnescape(user)
	if err != nil || !r.users[id] {
		r.problem(r.line, "unknown user %.40q: expected the ids of the data set%s", user, escapeHint(err))
		return
	}
	i, ok := r.caseOf[id]
	switch {
	case !ok:
		r.problem(r.line, "user %.40q has no test item", user)
	case r.lines[i] > 0:
		r.problem(r.line, "user %.40q again, whose lines begin at line %d: expected all lines of a user together", user, r.lines[i])
	default:
		r.at, r.lines[i] = i, r.line
	}
}

// endOfUser ranks the item of the user whose list ends. As in every other ranking, ties count
// against it. If they reach the end of the list, the items after it may be tied, too.
func (r *reader) endOfUser() {
	if r.first == 0 || r.at < 0 {
		return
	}
	c := r.Split.Test[r.at]
	r.ranks[r.at], r.lengths[r.at] = record.Unlisted, len(r.list)
	r.longest = max(r.longest, len(r.list))
	for i, item := range r.list {
		if item == c.Target {
			last := i
			for last+1 < len(r.list) && r.scores[last+1] == r.scores[i] {
				last++
			}
			tied := last > i || i > 0 && r.scores[i-1] == r.scores[i]
			if tied && last == len(r.list)-1 && len(r.list) < r.candidates(c) {
				r.notice(r.first+i, "the item of user %s is tied with others to the end of the list, so items that are not in it may be tied, too: it counts as not in the list", r.user)
				continue
			}
			if tied {
				r.notice(r.first+i, "the item of user %s is tied with others: it counts as the last of them, rank %d", r.user, last+1)
			}
			r.ranks[r.at] = int32(last + 1)
			continue
		}
		if item == 0 || !slices.Contains(c.History, item) {
			continue
		}
		r.seen = true
		r.earlier = r.earlier || item != c.History[len(c.History)-1]
		if r.Spec.Rule == "removed" {
			r.problem(r.first+i, "user %.40q: item %.40q is in the user's history: expected none of these with -seen removed", r.user, r.Split.Data.ItemIDs[item])
		}
	}
}

// fewestShown is the length of lists from which tables have a metric, HR@5.
const fewestShown = 5

// enough is the number of lists of which one has an item of the user's history, if these items
// are candidates. certain is the number of things expected by chance of which there is one: none
// has a probability of e⁻¹⁰.
const (
	enough  = 100
	certain = 10
)

// endOfFile checks what only all lists together show.
func (r *reader) endOfFile() {
	missing, first := 0, ""
	for i, n := range r.lengths {
		c := r.Split.Test[i]
		if r.lines[i] == 0 {
			if missing++; missing == 1 {
				first = r.Split.Data.UserIDs[c.User]
			}
		} else if want := min(r.longest, r.candidates(c)); n < want {
			r.problem(r.lines[i], "the list of user %.40q has %d items: expected %d, as in the longest list", r.Split.Data.UserIDs[c.User], n, want)
		}
	}
	if missing > 0 {
		r.problem(r.line, "end of the file: %d of %d test users have no list, such as %.40q: expected one for each", missing, len(r.lengths), first)
	}
	switch {
	case r.Spec.Rule == "removed":
		r.checkRepeats()
	case !r.seen && len(r.lengths) >= enough:
		r.problem(r.line, "end of the file: no list has an item of its user's history, so these items were no candidates: expected -seen removed")
	case r.seen && !r.earlier && r.earlierByChance() >= certain:
		r.problem(r.line, "end of the file: lists have the last item of their user's history, but no earlier one, so the items of training were no candidates: expected all items of the history to be candidates, or none, with -seen removed")
	}
}

// earlierByChance is how many items of their users' histories, but for the last ones, lists would
// have that were drawn at random.
func (r *reader) earlierByChance() (n float64) {
	for i, c := range r.Split.Test {
		if len(c.History) > 0 {
			others := r.seenItems(c, c.History[len(c.History)-1])
			n += float64(others*r.lengths[i]) / float64(r.Split.Data.NumItems)
		}
	}
	return n
}

// checkRepeats notices that test items were left out of lists because users had seen them. With
// seen items removed, the test item remains a candidate.
func (r *reader) checkRepeats() {
	var cases, listed [2]int // of test items that are new to their user, and of others
	for i, c := range r.Split.Test {
		k := 0
		if slices.Contains(c.History, c.Target) {
			k = 1
		}
		cases[k]++
		if r.ranks[i] != record.Unlisted {
			listed[k]++
		}
	}
	if cases[1] == 0 || listed[1] > 0 {
		return
	}
	const text = "end of the file: %d test items are in their user's history, and no list has one of these"
	if expected := float64(listed[0]*cases[1]) / float64(max(cases[0], 1)); expected >= certain {
		r.problem(r.line, text+", where as many as of the other test items would be %.0f: expected the test item to be a candidate, even if the user has seen it", cases[1], expected)
		return
	}
	r.notice(r.line, text+": with seen items removed, the test item must remain a candidate", cases[1])
}

// candidates is the number of items that a list of a case may have.
func (r *reader) candidates(c datasets.Case) int {
	n := r.Split.Data.NumItems
	if r.Spec.Rule == "kept" {
		return n
	}
	return n - r.seenItems(c, c.Target)
}

// seenItems is the number of different items in a case's history, but for one of them.
func (r *reader) seenItems(c datasets.Case, but int32) int {
	history := slices.DeleteFunc(slices.Clone(c.History), func(v int32) bool { return v == 0 || v == but })
	slices.Sort(history)
	return len(slices.Compact(history))
}

// Store keeps an imported record. Lists of the same row, data, rule and seed are not replaced,
// and lists count once, whatever their file says besides: as those of a second seed they would
// make differences look certain.
func Store(s record.Store, m *record.Imported) error {
	all, err := s.AllImported()
	if err != nil {
		return err
	}
	for _, other := range all {
		a, b := other.Spec, m.Spec
		if a.Name != b.Name || a.Protocol != b.Protocol || a.Dataset.Fingerprint != b.Dataset.Fingerprint || a.Dataset.Split != b.Dataset.Split {
			continue
		}
		path, same := s.ImportedPath(other.ID), a.Seed == b.Seed && a.Rule == b.Rule
		if same && a.SHA256 != b.SHA256 {
			return fmt.Errorf("%s has other lists of %s with seed %d and seen items %s: choose another name or -seeds, or delete it to replace them", path, b.Name, b.Seed, b.Rule)
		}
		if !same && (a.SHA256 == b.SHA256 || a.Rule == b.Rule && slices.Equal(other.Ranks, m.Ranks)) {
			return fmt.Errorf("%s has the same lists, with seed %d and seen items %s: expected a file for each seed and rule; delete it if it is the wrong one", path, a.Seed, a.Rule)
		}
	}
	return s.WriteImported(m)
}
