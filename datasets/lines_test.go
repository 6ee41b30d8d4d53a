package datasets

import (
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"testing/fstest"
	"testing/iotest"
	"time"
	"unicode/utf8"

	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/encoding/simplifiedchinese"
	"golang.org/x/text/encoding/unicode"
)

func csvConfig() Config {
	return Config{Name: "test", Format: "csv", Path: "log.csv", Columns: Columns{User: "user", Item: "item", Time: "time"}}
}

// oneLine fails unless an error is short, of one line and without raw bytes.
func oneLine(t *testing.T, err error) {
	t.Helper()
	if err == nil {
		return
	}
	s := err.Error()
	if len(s) > 600 || !utf8.ValidString(s) || strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r == 0x7f }) {
		t.Errorf("not a short line of text: %q", s[:min(len(s), 1000)])
	}
}

func TestNotText(t *testing.T) {
	const rows = "user,item,time\na,b,1\na,c,2\na,d,3\n"
	tar := rows + strings.Repeat("\x00", 257-len(rows)) + "ustar\x0000" + strings.Repeat("\x00", 248)
	for _, tc := range []struct{ name, text, want string }{
		{"zip", "PK\x03\x04\x14\x00\x00\x00\x08\x00\xffabc\n", "a zip archive or a spreadsheet; unpack it"},
		{"zip in gzip", gzipped("PK\x03\x04\x14\x00\x00\x00\x08\x00\xffabc\n"), "a zip archive"},
		{"gzip in gzip", gzipped(gzipped(rows)), "gzip inside gzip"},
		{"xz", "\xfd7zXZ\x00\x00\x04\xe6", "xz data"},
		{"bzip2", "BZh91AY&SY\x01\x02", "bzip2 data"},
		{"7z", "7z\xbc\xaf\x27\x1c\x00\x04", "a 7z archive"},
		{"zstd", "\x28\xb5\x2f\xfd\x04\x00", "zstd data"},
		{"lz4", "\x04\x22\x4d\x18\x64", "lz4 data"},
		{"rar", "Rar!\x1a\x07\x00", "a rar archive"},
		{"compress", "\x1f\x9d\x90", "compress data"},
		{"tar", tar, "a tar archive"},
		{"tar in gzip", gzipped(tar), "a tar archive"},
		{"Parquet", "PAR1\x15\x04\x15", "a Parquet file"},
		{"Feather", "ARROW1\x00\x00", "an Arrow file"},
		{"SQLite", "SQLite format 3\x00\x10", "an SQLite database"},
		{"HDF5", "\x89HDF\r\n\x1a\n\x00", "an HDF5 file"},
		{"NumPy", "\x93NUMPY\x01\x00v", "a NumPy array"},
		{"pickle", "\x80\x04\x95\x00", "a Python pickle"},
		{"xls", "\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1\x00", "an old spreadsheet"},
		{"UTF-32", "\xff\xfe\x00\x00u\x00\x00\x00", "UTF-32; convert it to UTF-8"},
		{"HTML", "\n<!DOCTYPE html>\n<html><body>404</body></html>\n", "an HTML page"},
		{"HTML with a mark", "\xef\xbb\xbf<HTML>", "an HTML page"},
		{"XML", "<?xml version=\"1.0\"?>\n", "an XML file"},
		{"Git LFS", "version https://git-lfs.github.com/spec/v1\noid sha256:00\n", "a Git LFS pointer"},
		{"JSON in a line", strings.Repeat(`{"user": "a", "item": "b", "time": 1},`, 10000), "got JSON"},
		{"a JSON list", `[{"user": "a", "item": "b"}]`, "got JSON"},
		{"JSON over lines", "{\n  \"user\": 1\n}\n", "got JSON"},
		{"NUL bytes", "user,item,time\na,b\x00,1\n", "NUL bytes"},
		{"random bytes", "\x07\x13\xfa\xce\x01,\xf0\n\x02,\xff", "not UTF-8, and not certainly"},
		{"CR line ends", strings.ReplaceAll(strings.Repeat(rows, 100), "\n", "\r"), "line ends are CR"},
		{"CR line ends here and there", "user,item,time\na,b,1\ra,c,2\n", "carriage return within the line"},
		{"tab", strings.ReplaceAll(rows, ",", "\t"), `one field, without ",", but with "\t"; set separator = "\t"`},
		{"semicolon", strings.ReplaceAll(rows, ",", ";"), `set separator = ";"`},
		{"empty gzip", gzipped(""), "the file is empty"},
		{"a mark only", "\xef\xbb\xbf", "the file is empty"},
		{"an endless line", strings.Repeat("user", 17<<20), "line longer than 64 MiB"},
		{"millions of columns", strings.Repeat("user,", 3_000_000) + "\n", "more than 10000 columns"},
		{"many columns", strings.Repeat("c,", 5000) + "c\n", "… (5001 columns)"},
	} {
		d, err := Open(csvConfig(), writeFiles(t, map[string]string{"log.csv": tc.text}))
		if d != nil || err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%s: got  %.300v\nwant %s", tc.name, err, tc.want)
		}
		oneLine(t, err)
		// No reader of another format accepts it or prints it either.
		for _, c := range []Config{{Format: "recbole"}, {Format: "s3rec"}, {Format: "amazon"}, {Format: "movielens-1m"},
			{Format: "csv", Header: new(bool), Columns: Columns{User: "1", Item: "2"}}} {
			if len(tc.text) > 1<<20 || c.Format == "csv" && (tc.name == "many columns" || tc.name == "tab") {
				continue
			}
			c.Name, c.Path = "test", "log.csv"
			d, err := Open(c, writeFiles(t, map[string]string{"log.csv": tc.text}))
			if d != nil || err == nil {
				t.Errorf("%s as %s: %v", tc.name, c.Format, d.Seqs)
			}
			oneLine(t, err)
		}
	}
	// Words that begin like a magic number.
	for _, first := range []string{"ORC", "BZh"} {
		c := csvConfig()
		c.Columns.User = first
		if _, err := Open(c, writeFiles(t, map[string]string{"log.csv": first + strings.TrimPrefix(rows, "user")})); err != nil {
			t.Error(err)
		}
	}
}

// The content of a file distinguishes UTF-8, UTF-16 and Windows-1252.
func TestEncodings(t *testing.T) {
	rows := "user,item,time\n" + strings.Repeat("anna,apple,1\n", 30) + "zoë,café,2\nmüller,naïve’s,3\n"
	utf16 := func(e unicode.Endianness, bom unicode.BOMPolicy) string {
		s, err := unicode.UTF16(e, bom).NewEncoder().String(rows)
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	latin, err := charmap.Windows1252.NewEncoder().String(rows)
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{
		"UTF-8": rows, "UTF-8 with a mark": "\xef\xbb\xbf" + rows, "Windows-1252": latin,
		"UTF-16LE": utf16(unicode.LittleEndian, unicode.UseBOM), "UTF-16BE": utf16(unicode.BigEndian, unicode.UseBOM),
		"UTF-16LE without a mark": utf16(unicode.LittleEndian, unicode.IgnoreBOM), "UTF-16BE without a mark": utf16(unicode.BigEndian, unicode.IgnoreBOM),
		"UTF-16 in gzip": gzipped(utf16(unicode.LittleEndian, unicode.UseBOM)),
	} {
		d, err := Open(csvConfig(), writeFiles(t, map[string]string{"log.csv": text}))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if got := strings.Join(append(d.UserIDs, d.ItemIDs[1:]...), " "); got != "anna zoë müller apple café naïve’s" {
			t.Errorf("%s: %s", name, got)
		}
		warned := strings.Contains(strings.Join(d.Warnings, "\n"), "log.csv is not UTF-8 and is read as Windows-1252 (Latin-1), see line 32")
		if warned != (name == "Windows-1252") {
			t.Errorf("%s: warnings %q", name, d.Warnings)
		}
	}
	chinese, _ := simplifiedchinese.GBK.NewEncoder().String("user,item,time\n张三,红苹果,1\n")
	russian, _ := charmap.Windows1251.NewEncoder().String("user,item,time\nиван,яблоко,1\n")
	polish, _ := charmap.Windows1250.NewEncoder().String("user,item,time\nmały,ząb,1\n")
	turkish, _ := charmap.Windows1254.NewEncoder().String("user,item,time\nçalış,ağaç,1\n")
	whole := utf16(unicode.LittleEndian, unicode.UseBOM)
	for _, tc := range []struct{ name, text, want string }{
		{"Chinese", chinese, "log.csv:2: the line is not UTF-8, and not certainly Windows-1252"},
		{"Russian", russian, "not UTF-8, and not certainly"},
		{"Polish", polish, "not UTF-8, and not certainly"},
		{"Turkish", turkish, "not UTF-8, and not certainly"},
		{"two encodings", rows + latin[len("user,item,time\n"):], "log.csv:64: the line is not UTF-8, but line 32 is"},
		{"two encodings the other way round", latin + rows[len("user,item,time\n"):], "log.csv:64: the line is UTF-8, but line 32 is not"},
		{"UTF-8 cut within a character", rows + "zoë,caf\xc3", "log.csv:34: the line is not UTF-8, but line 32 is"},
		{"UTF-16 cut within a character", whole[:len(whole)-3], "not UTF-16: it is cut or damaged"},
		{"a lone surrogate", whole + "a\x00,\x00\x00\xd8,\x001\x00\n\x00", "not UTF-16: it is cut or damaged"},
	} {
		_, err := Open(csvConfig(), writeFiles(t, map[string]string{"log.csv": tc.text}))
		if err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%s: got  %v\nwant %s", tc.name, err, tc.want)
		}
		oneLine(t, err)
	}
}

// MovieLens 1M is Latin-1, and copies of it are UTF-8.
func TestLatin1ByDefinition(t *testing.T) {
	for _, title := range []string{"Mis\xe9rables, Les", "Misérables, Les"} {
		d, err := Open(Config{Name: "test", Format: "movielens-1m", Path: "."}, writeFiles(t, map[string]string{
			"ratings.dat": "1::1::5::978300760\n", "movies.dat": "1::" + title + " (1995)::Drama\n"}))
		if err != nil {
			t.Fatal(err)
		}
		if m, err := d.Metadata(); err != nil || m.Title[1] != "Misérables, Les" {
			t.Errorf("%q, %v", m.Title, err)
		}
	}
}

// Anything but a regular file is refused at once, wherever a file is expected.
func TestNotAFile(t *testing.T) {
	dir := writeFiles(t, map[string]string{"log.csv": "user,item,time\na,b,1\n", "sequences.txt": "1 1 2\n"})
	if err := syscall.Mkfifo(filepath.Join(dir, "pipe"), 0o644); err != nil {
		t.Skip(err)
	}
	if err := os.Symlink("pipe", filepath.Join(dir, "x.inter")); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(filepath.Join(dir, "ratings.csv"), 0o755); err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		items := csvConfig()
		items.Items, items.ItemColumns = "pipe", ItemColumns{Item: "item", Title: "title"}
		pipe, device := csvConfig(), csvConfig()
		pipe.Path, device.Path = "pipe", os.DevNull
		for want, c := range map[string]Config{
			"pipe is a named pipe; expected a regular file":    pipe,
			os.DevNull + " is a device":                        device,
			"x.inter is a named pipe":                          {Name: "test", Format: "recbole", Path: "."},
			"ratings.csv is a folder; expected a regular file": {Name: "test", Format: "movielens-20m", Path: "."},
			"pipe is a named pipe; expected a regular":         items,
			"pipe is a named pipe; expected a":                 {Name: "test", Format: "s3rec", Path: ".", Attributes: "pipe"},
		} {
			if d, err := Open(c, dir); d != nil || err == nil || !strings.Contains(strings.ReplaceAll(err.Error(), ": is", " is"), want) {
				t.Errorf("got  %v\nwant %s", err, want)
			}
		}
	}()
	select {
	case <-done:
	case <-time.After(time.Minute):
		t.Fatal("waits for a writer")
	}
}

// A small file that unpacks to far more than text would.
func TestUnpackLimit(t *testing.T) {
	l := &limited{r: strings.NewReader("1234567890"), left: 5, limit: 4, show: "x.gz"}
	got, err := io.ReadAll(iotest.OneByteReader(l))
	if string(got) != "12345" || err == nil || !strings.Contains(err.Error(), "x.gz: unpacks to more than 0 MiB") || !strings.Contains(err.Error(), "raise unpack_limit") {
		t.Errorf("%q, %v", got, err)
	}
	// A limit of 1 GiB accepts smaller files.
	text := "user,item,time\n" + strings.Repeat("a,b,1\n", 1<<20)
	fsys := fstest.MapFS{"log.csv": {Data: []byte(gzipped(text))}}
	for _, gib := range []int{0, 1} {
		f, err := openLines(file{fsys, "log.csv", "log.csv", &source{unpackLimit: gib}})
		if err != nil {
			t.Fatal(err)
		}
		if all, err := f.all(); err != nil || len(all) != len(text) {
			t.Errorf("%d bytes, %v", len(all), err)
		}
	}
}

// Quoted fields as in RFC 4180, which pandas writes.
func TestQuotedFields(t *testing.T) {
	const head = "user,item,time,note\n"
	for _, tc := range []struct{ name, log, want string }{
		{"a line break", head + "a,x,1,\"line one\nline \"\"two\"\"\"\na,y,2,z\n", "a: x y"},
		{"CRLF and blank lines", strings.ReplaceAll(head+"a,x,1,\"one\n\n\n  two\n\"\n\na,y,2,z\n", "\n", "\r\n"), "a: x y"},
		{"records within a note", head + "a,x,1,\"1,2,3\nb,z,9,\"\na,y,2,z\n", "a: x y"},
		{"in the header", "user,item,time,\"the\nnote\"\na,x,1,n\n", "a: x"},
		{"quoted ids", "\"user\",\"item\",\"time\",\"note\"\n\"a\",\"x,\"\"1\"\"\",1,\n", `a: x,"1"`},
		{"blanks around quotes", head + "a , \"x\" ,1, n\na, \" y \",2,\n", "a: x y"},
		{"quotes within a field", head + "a\"b,x 5\",1,n\n", `a"b: x 5"`},
	} {
		d, err := Open(csvConfig(), writeFiles(t, map[string]string{"log.csv": tc.log}))
		if err != nil {
			t.Errorf("%s: %v", tc.name, err)
		} else if got := original(d); got != tc.want {
			t.Errorf("%s: got %s, want %s", tc.name, got, tc.want)
		}
	}
	for _, tc := range []struct{ name, log, want string }{
		{"never closed", head + "a,x,1,\"n\na,y,2,n\n", "log.csv:2: a quoted field does not end"},
		{"missing quotes far apart", head + "a,x,1,\"n\nn\na,z,3,\"n\n", `log.csv:2: expected "," after a quoted field`},
		{"swallowed lines", head + "a,x,1,\"n\na,y,2,n\na,z,3,n\"\n", "log.csv:2: a quoted field continues up to line 4, and each of these lines has 4 fields"},
		{"a break in an id", head + "a,\"x\ny\",1,n\n", `log.csv:2: item id "x\ny" holds a line break`},
		{"a long field", head + "a,x,1,\"" + strings.Repeat("word\n", 300_000) + "\"\n", "log.csv:2: a quoted field does not end within 1024 KiB"},
		{"after several lines", head + "a,x,1,\"n\nn\"\na,y\n", "log.csv:4: 2 fields, expected 4"},
	} {
		_, err := Open(csvConfig(), writeFiles(t, map[string]string{"log.csv": tc.log}))
		if err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%s: got  %v\nwant %s", tc.name, err, tc.want)
		}
		oneLine(t, err)
	}
}

func TestHeaders(t *testing.T) {
	none := Config{Header: new(bool), Columns: Columns{User: "1", Item: "2"}}
	named := Config{Columns: Columns{User: "user", Item: "item"}}
	number := Config{Columns: Columns{User: "1", Item: "2"}}
	for _, tc := range []struct {
		name string
		c    Config
		log  string
		want string // of the error; "" for none
	}{
		{"repeated", named, "user,item\na,x\nuser,item\nb,y\n", "log.csv:3: the line repeats the header"},
		{"repeated with a mark, quotes and blanks", named, "user,item\na,x\n\xef\xbb\xbfuser,\"item\" \nb,y\n", "log.csv:3: the line repeats the header"},
		{"repeated in another order", named, "user,item\na,x\nitem,user\nb,y\n", "log.csv:3: the line repeats the header"},
		{"all numbers", number, "1,2,1600000000\n1,3,1600000001\n", "log.csv:1: expected names of columns, got numbers: 1, 2, 1600000000; if the first line is data, set header = false"},
		{"numbers of pandas", Config{Columns: Columns{User: "0", Item: "1"}}, "0,1\n7,8\n", "got numbers: 0, 1"},
		{"some numbers", number, "1,2,abc\n1,3,x\n", "got the number 1 for columns.user"},
		{"data", number, "a,x,1600000000\nb,y,1600000001\n", `no column "1" for columns.user; the header has a, x, 1600000000; if the first line is data, set header = false`},
		{"two of one name", named, "user,item,user\na,x,b\n", "the header has two columns user, so columns.user may mean either"},
		{"two of a name that nobody needs", named, "user,item,note,note\na,x,b,c\n", ""},
		{"names as data", none, "user_id,item_id\na,x\n", "log.csv:1: expected data, since header = false is set, got what looks like names of columns: user \"user_id\", item \"item_id\"; set header = true"},
		{"unusual names as data", none, "kunde,ware\n1,2\n2,3\n", "got what looks like names of columns"},
		{"words as data", none, "kunde,ware\nb,2\n2,3\n", ""},
		{"decimal commas", none, "1;5;3,5\n1;6;4,0\n2;5;1,5\n", `";" divides every line into 3 fields, the separator "," into 2: set separator = ";"`},
		{"tabs", none, "1\t5\t3,5\n1\t6\t4,0\n", `"\t" divides every line into 3 fields, the separator "," into 2: set separator = "\t"`},
		{"one column for two", Config{Header: none.Header, Columns: Columns{User: "1", Item: "01"}}, "a,x\nb,y\n", "columns.user and columns.item both name column 01"},
		{"paths as ids", none, "a|1,x|1\nb|2,y\n", ""},
		{"escape in single quotes", Config{Separator: `\t`, Columns: named.Columns}, "user\titem\na\tx\n", `separator is \t, 2 characters; for an escape such as a tab, use double quotes`},
		{"name of a character", Config{Separator: "tab", Columns: named.Columns}, "user\titem\na\tx\n", `separator = "tab" has letters`},
		{"blanks", named, "user , item\n a ,\u00a0x\n", ""},
	} {
		tc.c.Name, tc.c.Format, tc.c.Path = "test", "csv", "log.csv"
		_, err := Open(tc.c, writeFiles(t, map[string]string{"log.csv": tc.log}))
		if tc.want == "" && err != nil || tc.want != "" && (err == nil || !strings.Contains(err.Error(), tc.want)) {
			t.Errorf("%s: got  %v\nwant %s", tc.name, err, tc.want)
		}
		oneLine(t, err)
	}
}

// Ids that are the result of an accident.
func TestIDs(t *testing.T) {
	for _, tc := range []struct{ name, log, want string }{
		{"an empty user", "a,x\n,x\n", "log.csv:2: the line has no user or no item id"},
		{"a blank item", "a,x\na, \n", "log.csv:2: the line has no user or no item id"},
		{"a lost character", "a,caf\ufffd\n", "holds a character that was lost"},
		{"a mark within", "a,x\n\ufeffa,x\n", "log.csv:2: user id \"\\ufeffa\" holds a byte order mark: were files joined?"},
		{"no-break spaces", "a,\u00a0\n", "the line has no user or no item id"},
		{"a missing user", "7,1\nnan,2\n", `log.csv: an interaction has the user id "nan", which stands for a missing value`},
		{"a missing item", "5,None\n7,1\n", `log.csv: an interaction has the item id "None"`},
		{"scientific notation", "1,1.23457E+12\n2,9E+05\n", "log.csv: the item id 1.23457E+12 is a number in scientific notation"},
		{"floats and whole numbers", "1,7\n2,7.0\n", "log.csv: item ids 7 and 7.0 are both in the file and probably mean one item"},
	} {
		c := Config{Name: "test", Format: "csv", Path: "log.csv", Header: new(bool), Columns: Columns{User: "1", Item: "2"}}
		_, err := Open(c, writeFiles(t, map[string]string{"log.csv": tc.log}))
		if err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%s: got  %v\nwant %s", tc.name, err, tc.want)
		}
		oneLine(t, err)
	}
	for _, tc := range []struct{ name, log, want string }{
		{"perhaps missing users", "null,1\nnull,2\n-,2\n7,1\n", `the user id of 3 of 4 interactions is "null" or "-": if the id is missing there`},
		{"perhaps a missing item", "5,none\n7,1\n", `the item id of 1 of 2 interactions is "none"`},
		{"an exponent without a sign", "1,1e5\n2,1e6\n", ""},
		{"case", "a,B01\na,b01\n", "1 item ids differ from another one only in case, blanks, leading zeros or Unicode form (B01 and b01)"},
		{"leading zeros", "a,007\na,7\na,0\n", "1 item ids differ from another one only in"},
		{"Unicode forms", "a,caf\u00e9\na,cafe\u0301\n", "1 item ids differ"},
		{"blanks within", "a,x y\na,x  y\n", "1 item ids differ"},
		{"floats alone", "1,7.0\n2,8.0\n", ""},
		{"all different", "a,b\nc,d\n0,10\n", ""},
	} {
		c := Config{Name: "test", Format: "csv", Path: "log.csv", Header: new(bool), Columns: Columns{User: "1", Item: "2"}}
		d, err := Open(c, writeFiles(t, map[string]string{"log.csv": tc.log}))
		if err != nil {
			t.Errorf("%s: %v", tc.name, err)
			continue
		}
		if got := strings.Join(d.Warnings, "\n"); got == "" != (tc.want == "") || !strings.Contains(got, tc.want) {
			t.Errorf("%s: %q, want %q", tc.name, got, tc.want)
		}
	}
	d, err := openCSV(t, Config{}, strings.Repeat("a,x,1,1\na,y,1,2\n", 2))
	if err != nil || len(d.Warnings) != 1 || !strings.Contains(d.Warnings[0], "2 of 4 interactions repeat another one: same user, item and time") {
		t.Errorf("copies: %v", err)
	}
	d, err = openCSV(t, Config{Duplicates: "first"}, strings.Repeat("a,x,1,1\na,y,1,2\n", 2))
	if err != nil || len(d.Warnings) > 0 || original(d) != "a: x y" {
		t.Errorf("copies that are left out: %v", err)
	}
	const rated = "a,x,-1,1\na,y,4,2\na,z,-1,3\n"
	if d, err = openCSV(t, Config{}, rated); err != nil || len(d.Warnings) != 1 || !strings.Contains(d.Warnings[0], "2 of 3 interactions are rated below 0, and min_rating = 0 is no threshold") {
		t.Errorf("negative ratings: %v", err)
	}
	if d, err = openCSV(t, Config{MinRating: .5}, rated); err != nil || len(d.Warnings) > 0 || original(d) != "a: y" {
		t.Errorf("negative ratings below a threshold: %v", err)
	}
	const untimed = "user,item,timestamp\na,x,1\n"
	d, err = Open(Config{Name: "test", Format: "csv", Path: "log.csv", Columns: Columns{User: "user", Item: "item"}}, writeFiles(t, map[string]string{"log.csv": untimed}))
	if err != nil || len(d.Warnings) != 1 || !strings.Contains(d.Warnings[0], `the file has a column "timestamp", but columns.time is not set`) {
		t.Errorf("times that nobody uses: %v", err)
	}
}
