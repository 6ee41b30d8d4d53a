package datasets

import (
	"slices"
	"strings"
	"testing"
)

const sequenceHead = "user_id:token\titem_id_list:token_seq\titem_id:token\n"

// openSequences opens files with lines such as "u a b c": a user, a history and a target.
func openSequences(t *testing.T, parts ...string) (*Dataset, error) {
	t.Helper()
	files := map[string]string{}
	for i, part := range parts {
		text := sequenceHead
		for _, line := range strings.Split(part, "; ") {
			f := strings.Fields(line)
			text += f[0] + "\t" + strings.Join(f[1:len(f)-1], " ") + "\t" + f[len(f)-1] + "\n"
		}
		files["s."+[]string{"train", "valid", "test"}[i]+".inter"] = text
	}
	return Open(Config{Name: "test", Format: "recbole", Path: writeFiles(t, files)}, "")
}

func TestSequencesWithTargets(t *testing.T) {
	for _, tc := range []struct{ name, train, valid, test, want, warning string }{
		{"leave-one-out", "u a b; v b c", "u a b c; v b c a", "u a b c d; v b c a d",
			"u:ab v:bc | u:ab>c v:bc>a | u:abc>d v:bca>d", ""},
		{"augmented, short first", "u a b; u a b c; u a b c d", "u a b c d e", "u a b c d e f",
			"u:abcd | u:abcd>e | u:abcde>f", ""},
		{"augmented, long first", "u a b c d; u a b c; u a b", "u a b c d e", "u a b c d e f",
			"u:abcd | u:abcd>e | u:abcde>f", ""},
		{"two test cases", "u a b", "u a b c", "u a b c d; u a b c d e",
			"u:ab | u:ab>c | u:abc>d u:abcd>e", ""},
		{"cut histories", "u a b c d", "u c d e", "u d e f",
			"u:abcd u: u: | u:cd>e | u:de>f", "2 lines do not continue the sequences of their user"},
		// With histories cut to five items, as augmentation writes them, each position is learned once. A
		// second session may begin with some of the items with which the first ends.
		{"cut histories of training", "u a b; u a b c; u a b c d; u a b c d e; u a b c d e f; u b c d e f g; u c d e f g h; v b c d e f g; v c d e f g a",
			"u d e f g h a", "v d e f g a b", "u:abcdefgh v:bcdefga u: v: | u:defgh>a | v:defga>b", "2 lines do not continue the sequences of their user"},
		{"a session that begins like the last one ends", "u a b c d e f; u c d e f a", "w a b", "x b a",
			"u:abcdef u:cdefa w: x: | w:a>b | x:b>a", "1 lines do not continue the sequences of their user"},
		{"sessions of one user", "u a b; u c d; v a c", "w a b", "x b a",
			"u:ab u:cd v:ac w: x: | w:a>b | x:b>a", "1 lines do not continue the sequences of their user"},
		{"the same lines", "u1 a b c d; u2 b c a", "u1 a b c d; u2 b c a", "u1 a b c d; u2 b c a",
			"u1:abcd u2:bca u1: u2: u1: u2: | u1:abc>d u2:bc>a | u1:abc>d u2:bc>a",
			"2 interactions for validation are also in training, 2 interactions for testing are also in training (same user, history and item)"},
		{"no history", "u a b", "u a b c", "u a b c d; v e",
			"u:ab v: | u:ab>c | u:abc>d", "1 interactions for validation or testing have no earlier one"},
		{"users of augmentation", "1 a b c d; 2 a b c; 3 a b; 4 d c", "5 a b", "6 c d",
			"1:abcd 2:abc 3:ab 4:dc 5: 6: | 5:a>b | 6:c>d", "2 of 4 training lines and the line before them begin alike"},
	} {
		d, err := openSequences(t, tc.train, tc.valid, tc.test)
		if err != nil {
			t.Errorf("%s: %v", tc.name, err)
			continue
		}
		if got := splitText(t, d); got != tc.want {
			t.Errorf("%s: got  %s\nwant %s", tc.name, got, tc.want)
		}
		if tc.warning != "" && !slices.ContainsFunc(d.Warnings, func(w string) bool { return strings.Contains(w, tc.warning) }) {
			t.Errorf("%s: %q\nexpected %q", tc.name, d.Warnings, tc.warning)
		}
		if strings.Contains(strings.Join(d.Warnings, " "), "differ from another one only in case") {
			t.Errorf("%s: %q", tc.name, d.Warnings)
		}
	}
}

// Lines with targets and lines of interactions that say the same are the same data.
func TestSequencesAreInteractions(t *testing.T) {
	lines, err := openSequences(t, "u a b; v b c", "u a b c; v b c a", "u a b c d; v b c a d")
	if err != nil {
		t.Fatal(err)
	}
	const head = "user_id:token\titem_id:token\n"
	log, err := Open(Config{Name: "test", Format: "recbole", Path: writeFiles(t, map[string]string{
		"s.train.inter": head + "u\ta\nu\tb\nv\tb\nv\tc\n", "s.valid.inter": head + "u\tc\nv\ta\n", "s.test.inter": head + "u\td\nv\td\n"})}, "")
	if err != nil {
		t.Fatal(err)
	}
	if lines.Fingerprint() != log.Fingerprint() || splitText(t, lines) != splitText(t, log) {
		t.Errorf("%s\n%s", splitText(t, lines), splitText(t, log))
	}
}

func TestBadSequences(t *testing.T) {
	sequences := sequenceHead + "u\ta b\tc\n"
	files := func(train string) map[string]string {
		return map[string]string{"s.train.inter": train, "s.valid.inter": sequences, "s.test.inter": sequences}
	}
	for _, tc := range []struct {
		name, train string
		change      func(*Config)
		want        string
	}{
		{"two kinds", "user_id:token\titem_id:token\nu\ta\n", nil, "s.valid.inter:1: expected the same kind of lines as in"},
		{"no target", sequenceHead + "u\ta b\t\n", nil, "s.train.inter:2: the line has no user or no item id"},
		{"a bad item", sequenceHead + "u\ta caf\ufffd\tb\n", nil, "s.train.inter:2: item id \"caf\ufffd\" holds a character that was lost"},
		{"no user", "item_id_list:token_seq\titem_id:token\na b\tc\n", nil, `no column "user_id" for columns.user`},
		{"a threshold", sequences, func(c *Config) { c.MinRating = 3 }, "min_rating is set, but the lines have sequences"},
		{"first users", sequences, func(c *Config) { c.MaxUsers = 3 }, "max_users is set, but the lines have sequences"},
		{"ties", sequences, func(c *Config) { c.Ties = "hash" }, "ties is set, but the lines have sequences"},
	} {
		c := Config{Name: "test", Format: "recbole", Path: writeFiles(t, files(tc.train))}
		if tc.change != nil {
			tc.change(&c)
		}
		_, err := Open(c, "")
		if err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%s: got  %v\nwant %s", tc.name, err, tc.want)
		}
		oneLine(t, err)
	}
}
