package datasets

import (
	"strings"
	"testing"
)

// What data frames, spreadsheets and careless concatenation make of ids and headers is
// refused, with file and line.
func TestSpoiledIDs(t *testing.T) {
	const head = "u,i,t\n"
	csv := Config{Format: "csv", Path: "log.csv", Columns: Columns{User: "u", Item: "i", Time: "t"}}
	tsv := csv
	tsv.Separator = "\t"
	for _, tc := range []struct {
		name string
		c    Config
		text string
		want string // "" is no error
	}{
		{"missing user", csv, head + "a,x,1\nnan,x,2\n", `log.csv:3: user id "nan" is a missing value`},
		{"missing user of a database", csv, head + "NULL,x,2\n", `log.csv:2: user id "NULL" is a missing value`},
		{"missing item of R", csv, head + "a,NA,2\n", `log.csv:2: item id "NA" is a missing value`},
		{"missing item of pandas", csv, head + "a,<NA>,2\n", `log.csv:2: item id "<NA>" is a missing value`},
		{"words that begin like one", csv, head + "nancy,Nonette,1\nnull-1,NAN-bread,2\n", ""},
		{"rounded by a spreadsheet", csv, head + "a,9.78830E+12,1\n", `log.csv:2: item id 9.78830E+12 is a rounded number`},
		{"rounded user", csv, head + "1e+15,x,1\n", `log.csv:2: user id 1e+15 is a rounded number`},
		{"hexadecimal digits", csv, head + "12e4,5E07,1\n", ""},
		{"float after whole", csv, head + "a,7,1\na,8,2\nb,7.0,3\n", `log.csv:4: item ids 7 and 7.0 are both in the file`},
		{"whole after float", csv, head + "1.0,x,1\n1,x,2\n", `log.csv:3: user ids 1.0 and 1 are both in the file`},
		{"floats alone", csv, head + "1.0,7.0,1\n2.0,7.0,1\n", ""},
		{"versions", csv, head + "a,v1.0,1\na,v1,1\n", ""},
		{"lost zeros", csv, head + "a,0108775002,1\nb,108775002,2\n", `log.csv:3: item ids 0108775002 and 108775002 are both in the file: a part of it lost leading zeros`},
		{"lost zeros, other order", csv, head + "a,108775002,1\nb,0108775002,2\n", `log.csv:3: item ids 108775002 and 0108775002 are both in the file: a part of it lost leading zeros`},
		{"names", csv, head + "007,x,1\n7,x,1\n", ""},
		{"blank before a quote", csv, head + `"a", "x",1` + "\n", `log.csv:2: item id " \"x\"" has quotes in it`},
		{"quotes mean nothing beside tabs", tsv, "u\ti\tt\n\"a\"\t\"x\"\t1\n", ""},
		{"a column twice", csv, "u,i,i,t\na,x,y,1\n", `log.csv:1: two columns are called "i", expected one for columns.item`},
		{"another column twice", csv, "u,i,z,z,t\na,x,y,y,1\n", ""},
		{"histories", Config{Format: "recbole", Path: "log.csv"}, "user_id:token\titem_id_list:token_seq\titem_id:token\n1\t1 2\t3\n", "log.csv:1: the file has a history in each line (item_id_list)"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			c := tc.c
			c.Name = "test"
			_, err := Open(c, writeFiles(t, map[string]string{"log.csv": tc.text}))
			switch {
			case tc.want == "" && err != nil:
				t.Errorf("%v; expected no error", err)
			case tc.want != "" && (err == nil || !strings.Contains(err.Error(), tc.want)):
				t.Errorf("got  %v\nwant %s", err, tc.want)
			}
		})
	}
}

func TestColumnOfTwo(t *testing.T) {
	for _, c := range []Config{
		{Format: "csv", Columns: Columns{User: "id", Item: "id"}},
		{Format: "csv", Columns: Columns{User: "u", Item: "i", Rating: "x", Time: "x"}},
		{Format: "recbole", Columns: Columns{User: "item_id", Item: "item_id"}},
	} {
		c.Name, c.Path = "test", "log.csv"
		if _, err := c.Resolve(); err == nil || !strings.Contains(err.Error(), "expected a column for each") {
			t.Errorf("%+v: error %v, expected one about two keys for a column", c.Columns, err)
		}
	}
}

// cat a.csv b.csv, both with a byte order mark.
func TestMarkInTheMiddle(t *testing.T) {
	const mark = "\ufeff"
	d, err := openCSV(t, Config{}, mark+"ann,x,5,1\nann,y,5,2\n"+mark+"ann,z,5,3\nbob,x,5,4\n")
	if err != nil {
		t.Fatal(err)
	}
	if got, want := original(d), "ann: x y z, bob: x"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
}

// A log whose times nobody asked for is read in the order of its lines, which is
// said.
func TestUnusedTimes(t *testing.T) {
	for _, tc := range []struct {
		name string
		c    Config
		text string
		want string
	}{
		{"csv", Config{Format: "csv", Columns: Columns{User: "u", Item: "i"}}, "u,i,timestamp\na,x,2\na,y,1\n", `the file has the column "timestamp"`},
		{"csv, in camel case", Config{Format: "csv", Columns: Columns{User: "u", Item: "i"}}, "u,i,unixReviewTime\na,x,2\na,y,1\n", `"unixReviewTime"`},
		{"recbole", Config{Format: "recbole"}, "user_id:token\titem_id:token\tdate:float\n1\t2\t5\n1\t3\t4\n", `"date"`},
		{"used", Config{Format: "csv", Columns: Columns{User: "u", Item: "i", Time: "timestamp"}}, "u,i,timestamp\na,x,2\na,y,1\n", ""},
		{"no times", Config{Format: "csv", Columns: Columns{User: "u", Item: "i"}}, "u,i,candidate,sentiment\na,x,2,1\na,y,1,1\n", ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			tc.c.Name, tc.c.Path = "test", "log.csv"
			d, err := Open(tc.c, writeFiles(t, map[string]string{"log.csv": tc.text}))
			if err != nil {
				t.Fatal(err)
			}
			got := strings.Join(d.Warnings, "\n")
			if tc.want == "" && got != "" || !strings.Contains(got, tc.want) {
				t.Errorf("warnings %q, want one with %q", got, tc.want)
			}
		})
	}
}
