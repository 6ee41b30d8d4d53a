package datasets

import (
	"errors"
	"strings"
	"testing"
)

var mine = Columns{User: "u", Item: "i", Rating: "r", Time: "t"}

var csvLog = Config{Format: "csv", Path: "log.csv", Columns: mine}

const csvHead = "u,i,r,t\n"

var badInputs = []struct {
	name string
	c    Config
	file string // name and text of the interactions
	text string
	line int
	want string
}{
	{"empty csv", csvLog, "log.csv", "", 0, "the file is empty"},
	{"blank csv", csvLog, "log.csv", "\n \n", 0, "the file is empty"},
	{"header only", csvLog, "log.csv", csvHead, -1, "no interactions in the file"},
	{"no such column", csvLog, "log.csv", "u,i,r,when\n1,2,3,4\n", 1, `no column "t" for columns.time; the header has u, i, r, when`},
	{"too few fields", csvLog, "log.csv", csvHead + "a,b,1,1\n\na,b\n", 4, `2 fields, expected 4 separated by ",": "a,b"`},
	{"too many fields", csvLog, "log.csv", csvHead + "a,b,1,1,x\n", 2, `5 fields, expected 4`},
	{"no item", csvLog, "log.csv", csvHead + "a,,1,1\n", 2, "no user or no item id"},
	{"rating", csvLog, "log.csv", csvHead + "a,b,good,1\n", 2, `rating "good" is not a number`},
	{"rating with a decimal comma", Config{Format: "csv", Path: "log.csv", Separator: ";", Columns: mine}, "log.csv", "u;i;r;t\na;b;3,5;1\n", 2, `rating "3,5" is not a number; decimal commas are not read`},
	{"amazon blank id", Config{Format: "amazon"}, "reviews_X.json", `{"reviewerID":" ","asin":"B","overall":1,"unixReviewTime":1}`, 1, "the user or item id is blank"},
	{"rating NaN", csvLog, "log.csv", csvHead + "a,b,NaN,1\n", 2, `rating "NaN" is not a number`},
	{"time", csvLog, "log.csv", csvHead + "a,b,1,30.1.2014\n", 2, `time "30.1.2014" is neither a number nor an ISO 8601 date; expected for example 1600000000.25 or 2020-09-13T12:26:40.25Z`},
	{"time too large", csvLog, "log.csv", csvHead + "a,b,1,1e300\n", 2, `time "1e300" does not fit into the 18 digits that are kept`},
	{"open quote", csvLog, "log.csv", csvHead + "a,\"b,1,1\n", 2, "a quoted field does not end"},
	{"text after a quote", csvLog, "log.csv", csvHead + "a,\"b\"c,1,1\n", 2, `expected "," after a quoted field, got "c,1,1"`},
	{"no such column number", Config{Format: "csv", Path: "log.csv", Header: new(bool), Columns: Columns{User: "1", Item: "3"}}, "log.csv", "a,b\n", 1, "no column 3 for columns.item: the line has 2 fields"},

	{"s3rec empty", Config{Format: "s3rec"}, "sequences.txt", "", -1, "no interactions in the file"},
	{"s3rec item 0", Config{Format: "s3rec"}, "sequences.txt", "1 1 2\n2 4 0 1\n", 2, `item id "0" is not a positive whole number (0 is padding)`},
	{"s3rec item -1", Config{Format: "s3rec"}, "sequences.txt", "1 -1\n", 1, `item id "-1" is not a positive`},
	{"s3rec item too large", Config{Format: "s3rec"}, "sequences.txt", "1 2147483648\n", 1, `item id "2147483648" is not`},
	{"s3rec user 0", Config{Format: "s3rec"}, "sequences.txt", "0 1\n", 1, `user id "0" is not`},
	{"s3rec no items", Config{Format: "s3rec"}, "sequences.txt", "1 1\n2\n", 2, "user 2 has no items"},
	{"s3rec user twice", Config{Format: "s3rec"}, "sequences.txt", "1 1\n2 2\n1 3\n", 3, "user 1 was already on line 1"},

	{"ml-20m user 0", Config{Format: "movielens-20m"}, "ratings.csv", "userId,movieId,rating,timestamp\n0,1,1,1\n", 2, `id "0" is not a positive whole number`},
	{"ml-20m item -3", Config{Format: "movielens-20m"}, "ratings.csv", "userId,movieId,rating,timestamp\n1,-3,1,1\n", 2, `id "-3" is not`},
	{"ml-20m without its header", Config{Format: "movielens-20m"}, "ratings.csv", "1,2,3,4\n", 1, `no column "userId" for columns.user`},
	{"ml-1m wrong separator", Config{Format: "movielens-1m"}, "ratings.dat", "1\t2\t3\t4\n", 1, "the line has 1 fields"},
	{"ml-100k letters", Config{Format: "movielens-100k"}, "u.data", "1\t2\t3\t4\nx\t2\t3\t4\n", 2, `id "x" is not`},

	{"recbole without items", Config{Format: "recbole"}, "a.inter", "user_id:token\tsession:token\n1\t2\n", 1, `no column "item_id" for columns.item; the header has user_id, session`},
	{"recbole split without times", Config{Format: "recbole", Split: "time"}, "a.inter", "user_id:token\titem_id:token\n1\t2\n", 1, "there is no column of times"},
	{"recbole threshold without ratings", Config{Format: "recbole", MinRating: 3}, "a.inter", "user_id:token\titem_id:token\n1\t2\n", 1, "there is no column of ratings"},
	{"recbole ties without times", Config{Format: "recbole", Ties: "hash"}, "a.inter", "user_id:token\titem_id:token\n1\t2\n", 1, "no column of times"},

	{"amazon not an object", Config{Format: "amazon"}, "reviews_X.json", "[1]\n", 1, "expected an object on each line, got a list; put each of its objects on a line of its own"},
	{"amazon list over lines", Config{Format: "amazon"}, "reviews_X.json", "[\n{\"asin\": 1}\n]\n", 1, "expected an object on each line, got a list"},
	{"amazon indented", Config{Format: "amazon"}, "reviews_X.json", "{\r\n \"asin\": \"B\"\r\n}\r\n", 1, "got one that continues on the next line; put each on a line of its own"},
	{"amazon table", Config{Format: "amazon"}, "reviews_X.json", "user,item\n", 1, `got "user,item"; is this the format of the file?`},
	{"amazon cut", Config{Format: "amazon"}, "reviews_X.json", `{"reviewerID": "A", "asin`, 1, "the line ends where the string's closing quote was expected"},
	{"amazon no asin", Config{Format: "amazon"}, "reviews_X.json", `{"reviewerID": "A", "overall": 1, "unixReviewTime": 1}`, 1, "the review has no asin"},
	{"amazon rating in words", Config{Format: "amazon"}, "reviews_X.json", `{"overall": "five"}`, 1, "expected a number"},
	{"amazon two objects", Config{Format: "amazon"}, "reviews_X.json", `{"reviewerID":"A","asin":"B","overall":1,"unixReviewTime":1} {}`, 1, "expected one object on each line, got another at column 62"},
	{"amazon rest", Config{Format: "amazon"}, "reviews_X.json", `{"reviewerID":"A","asin":"B","overall":1,"unixReviewTime":1},`, 1, "expected the end"},

	{"no gzip after all", csvLog, "log.csv", "\x1f\x8bnothing like it", 1, "damaged gzip data"},
	{"gzip of 2 bytes", csvLog, "log.csv", "\x1f\x8b", 1, "the file is truncated; fetch it again"},
}

// Bad input names file, line and reason.
func TestBadInput(t *testing.T) {
	for _, tc := range badInputs {
		t.Run(tc.name, func(t *testing.T) {
			c := tc.c
			c.Name = "test"
			if c.Path == "" {
				c.Path = "."
			}
			d, err := Open(c, writeFiles(t, map[string]string{tc.file: tc.text}))
			if err == nil || d != nil {
				t.Fatal("no error")
			}
			if !strings.Contains(err.Error(), tc.want) || !strings.Contains(err.Error(), tc.file) || !strings.HasPrefix(err.Error(), "datasets: test: ") {
				t.Errorf("got  %v\nwant %s", err, tc.want)
			}
			var p *ParseError
			if isParse := errors.As(err, &p); isParse != (tc.line >= 0) {
				t.Errorf("%T", err)
			} else if isParse && p.Line != tc.line {
				t.Errorf("line %d, want %d: %v", p.Line, tc.line, err)
			}
		})
	}
}

// An interrupted download: every prefix of a compressed file is refused.
func TestTruncatedGzip(t *testing.T) {
	whole := gzipped(strings.Repeat("1 1 2 3\n", 1) + strings.Repeat("2 4 5 6 7 8 9\n", 1))
	for n := 2; n < len(whole); n++ {
		_, err := Open(Config{Name: "test", Format: "s3rec", Path: "."}, writeFiles(t, map[string]string{"sequences.txt.gz": whole[:n]}))
		if err == nil || !strings.Contains(err.Error(), "truncated") {
			t.Fatalf("%d of %d bytes: %v", n, len(whole), err)
		}
	}
	damaged := []byte(whole)
	damaged[len(damaged)-6] ^= 1 // in the checksum
	_, err := Open(Config{Name: "test", Format: "s3rec", Path: "."}, writeFiles(t, map[string]string{"sequences.txt.gz": string(damaged)}))
	if err == nil || !strings.Contains(err.Error(), "damaged gzip data (gzip: invalid checksum)") {
		t.Error(err)
	}
}

func TestBadMetadata(t *testing.T) {
	for _, tc := range []struct {
		name   string
		format string
		files  map[string]string
		line   int
		want   string
	}{
		{"attributes cut", "s3rec", map[string]string{"sequences.txt": "1 1 2\n", "item2attributes.json": `{"1": [1, 2`}, 1, "the line ends where"},
		{"attribute 0", "s3rec", map[string]string{"sequences.txt": "1 1 2\n", "item2attributes.json": "{\"1\": [1],\n \"2\": [0]}"}, 2, `attribute id "0" is not a positive`},
		{"attributes of item 0", "s3rec", map[string]string{"sequences.txt": "1 1 2\n", "item2attributes.json": `{"0": [1]}`}, 1, `item id "0" is not`},
		{"attributes empty", "s3rec", map[string]string{"sequences.txt": "1 1 2\n", "item2attributes.json": ""}, 1, "a dict was expected"},
		{"u.item too narrow", "movielens-100k", map[string]string{"u.data": "1\t1\t1\t1\n", "u.item": "1|a\n"}, 1, "2 fields, expected 24"},
		{"u.item flag", "movielens-100k", map[string]string{"u.data": "1\t1\t1\t1\n", "u.item": "1|a||||2" + strings.Repeat("|0", 18) + "\n"}, 1, `expected a genre flag of 0 or 1, got "2"`},
		{"meta without asin", "amazon", map[string]string{"reviews_X_5.json": `{"reviewerID":"A","asin":"B","overall":1,"unixReviewTime":1}`, "meta_X.json": "{'title': 'x'}\n"}, 1, "the item has no asin"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			d, err := Open(Config{Name: "test", Format: tc.format, Path: "."}, writeFiles(t, tc.files))
			if err != nil {
				t.Fatal(err)
			}
			_, err = d.Metadata()
			var p *ParseError
			if !errors.As(err, &p) || p.Line != tc.line || !strings.Contains(p.Msg, tc.want) {
				t.Errorf("got  %v\nwant line %d: %s", err, tc.line, tc.want)
			}
		})
	}
	for _, tc := range []struct{ items, want string }{
		{"item_id\tasin\n1\tA\n2\tA\n", "items.tsv:3: ASIN A was already on line 2"},
		{"item_id\tasin\n1\tA\n1\tB\n", "items.tsv:3: item 1 was already on line 2"},
		{"item_id\tasin\n0\tA\n", `items.tsv:2: item id "0" is not a positive`},
		{"item_id\tasin\n1\t\n", "items.tsv:2: item 1 has no ASIN"},
		{"item_id\ttitle\n1\tx\n", `items.tsv:1: no column "asin"`},
		{"", "items.tsv: the file is empty"},
	} {
		dir := writeFiles(t, map[string]string{"sequences.txt": "1 1 2\n", "items.tsv": tc.items})
		if _, err := Open(Config{Name: "test", Format: "s3rec", Path: "."}, dir); err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("got  %v\nwant %s", err, tc.want)
		}
	}
}

// Opaque ids may be anything, such as those of pandas, which begin at 0.
func TestOpaqueIDs(t *testing.T) {
	d, err := openCSV(t, Config{}, "0,0,1,1\n0,-1,1,2\n-1,0,1,3\n")
	if err != nil {
		t.Fatal(err)
	}
	if got := original(d); got != "0: 0 -1, -1: 0" {
		t.Error(got)
	}
}

// A line longer than the read buffer is read completely.
func TestLongLines(t *testing.T) {
	text := "1" + strings.Repeat(" 123456", 400_000) + "\n2 7\n"
	d, err := Open(Config{Name: "test", Format: "s3rec", Path: "."}, writeFiles(t, map[string]string{"sequences.txt": text}))
	if err != nil {
		t.Fatal(err)
	}
	if len(d.Seqs[0]) != 400_000 || d.NumItems != 2 || d.Stats().Repeats != 399_999 {
		t.Errorf("%d items, %d interactions", d.NumItems, len(d.Seqs[0]))
	}
}
