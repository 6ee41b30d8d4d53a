package datasets

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"os"
	"strings"
	"testing"
)

// formatCase is a small data set in one format.
type formatCase struct {
	name  string
	c     Config
	files map[string]string
	want  string // original ids in order
	meta  string // describeMeta of the result
}

// The file is not in the order of time. Titles have characters that break
// parsers: quotes, separators, Latin-1, entities.
var formatCases = []formatCase{
	{
		name: "amazon",
		c:    Config{Format: "amazon", Ties: "file"},
		files: map[string]string{
			"reviews_Beauty_5.json": `{"reviewerID": "A1", "asin": "B01", "reviewerName": "J \"x\" \u00e9", "helpful": [0, 0], "reviewText": "so {good}: [1]", "overall": 5.0, "summary": "ok", "unixReviewTime": 1391040000, "reviewTime": "01 30, 2014"}
{"reviewerID": "A2", "asin": "B01", "overall": 2.0, "unixReviewTime": 1391040000}
{"reviewerID": "A1", "asin": "B02", "overall": 1.0, "unixReviewTime": 1390000000}
{"reviewerID": "A2", "asin": "B03", "overall": 4.0, "unixReviewTime": 1391050000}
`,
			"meta_Beauty.json": `{'asin': 'B01', 'title': "Women's \"Balm\" &amp; more", 'price': 12.5, 'categories': [['Beauty', 'Skin Care', 'Lips'], ['Other']], 'related': {'also_bought': ['X', 'Y']}, 'salesRank': {'Beauty': 7L}, 'brand': 'OPI'}
{'asin': 'B09', 'title': 'not in the log'}
{'asin': 'B02', 'description': u'caf\xe9 \u2013 \'fine\'', 'imUrl': None, 'categories': (('Beauty',),)}
`,
		},
		want: "A1: B02 B01, A2: B01 B03",
		meta: "1 title= brand= desc=café – 'fine' cats=[Beauty]\n2 title=Women's \"Balm\" & more brand=OPI desc= cats=[Beauty Skin Care Lips]\n3 title= brand= desc= cats=[]\nmissing 1",
	},
	{
		name: "movielens-20m",
		c:    Config{Format: "movielens-20m", Ties: "file"},
		files: map[string]string{
			"ratings.csv": "userId,movieId,rating,timestamp\n1,2,3.5,1112486027\n1,29,3.5,1112484676\n2,29,4.0,1112484819\n",
			"movies.csv":  "movieId,title,genres\n2,\"American President, The (1995)\",Comedy|Drama\n29,\"\"\"Great\"\" one (1994)\",(no genres listed)\n31,Babylon 5,Sci-Fi\n",
		},
		want: "1: 29 2, 2: 29",
		meta: "1 title=\"Great\" one genres=[] year=1994\n2 title=American President, The genres=[Comedy Drama] year=1995\nmissing 0",
	},
	{
		name: "movielens-1m",
		c:    Config{Format: "movielens-1m"},
		files: map[string]string{
			"ratings.dat": "1::1193::5::978300760\n1::661::3::978302109\n2::661::3::978301968\n",
			"movies.dat":  "661::Mis\xe9rables, Les (1995)::Drama|Musical\n1193::\"Quoted\" & : (1975)::Drama\n",
		},
		want: "1: 1193 661, 2: 661",
		meta: "1 title=\"Quoted\" & : genres=[Drama] year=1975\n2 title=Misérables, Les genres=[Drama Musical] year=1995\nmissing 0",
	},
	{
		name: "movielens-100k",
		c:    Config{Format: "movielens-100k"},
		files: map[string]string{
			"u.data": "196\t242\t3\t881250949\n186\t302\t3\t891717742\n196\t302\t1\t881250948\n",
			"u.item": "242|Kolya (1996)|24-Jan-1997||http://x|0|0|0|0|0|1|0|0|0|0|0|0|0|0|0|0|0|0|0\n302|Caf\xe9 unknown|||http://y|0|0|0|0|0|0|1|0|1|0|1|0|0|1|0|0|1|0|0\n",
		},
		want: "196: 302 242, 186: 302",
		meta: "1 title=Café unknown genres=[Crime Drama Film-Noir Mystery Thriller] year=0\n2 title=Kolya genres=[Comedy] year=1996\nmissing 0",
	},
	{
		name: "recbole",
		c:    Config{Format: "recbole"},
		files: map[string]string{
			"set.inter": "item_id:token\tuser_id:token\ttimestamp:float\trating:float\nx 1\tu\t2e9\t1\ny\tu\t1000000000.5\t2\nx 1\tv\t3\t5\n",
			"set.item":  "item_id:token\tmovie_title:token_seq\trelease_year:token\tclass:token_seq\tcategories:token_seq\nx 1\tÀ bout\t1960\tCrime Drama\t'Home', 'Life & Art'\n",
		},
		want: "u: y x 1, v: x 1",
		meta: "1 title= cats=[] genres=[] year=0\n2 title=À bout cats=[Home Life & Art] genres=[Crime Drama] year=1960\nmissing 1",
	},
	{
		name: "recbole, columns of its own, no times",
		c:    Config{Format: "recbole", Columns: Columns{User: "session", Item: "sku"}, ItemColumns: ItemColumns{Item: "sku", Brand: "maker"}, MaxUsers: 1},
		files: map[string]string{
			"set.inter": "session:token\tsku:token\ns\tb\ns\ta\nt\ta\n",
			"set.item":  "sku:token\tmaker:token\na\tAcme\nb\t\n",
		},
		want: "s: b a",
		meta: "1 brand=\n2 brand=Acme\nmissing 0",
	},
	{
		name: "s3rec",
		c:    Config{Format: "s3rec"},
		files: map[string]string{
			"sequences.txt":        "1 5 3\n7 3 9 5\n",
			"item2attributes.json": `{"3": [12, 1, 2], "5": [], "9": [7]}`,
			"items.tsv":            "item_id\tasin\ttitle\n3\tB03\tA \"quoted &amp; plain\n5\tB05\t\n",
		},
		want: "1: B05 B03, 7: B03 9 B05",
		meta: "1 title= attrs=[]\n2 title=A \"quoted & plain attrs=[12 1 2]\n3 title= attrs=[7]\nmissing 0",
	},
	{
		name: "s3rec with names of categories",
		c:    Config{Format: "s3rec"},
		files: map[string]string{
			"sequences.txt":        "1 5 3 9\n",
			"item2attributes.json": `{"3": [12, 1, 2], "5": [1]}`,
			"items.tsv":            "item_id\tasin\ttitle\tcategories\n3\tB03\tTrain\tToys & Games > Trains, Cars > Toys >Rails\n5\tB05\t\t\n9\tB09\tBall\tToys &amp; Games\n",
		},
		want: "1: B05 B03 B09",
		meta: "1 title= cats=[] attrs=[1]\n2 title=Train cats=[Toys & Games Trains, Cars Toys >Rails] attrs=[12 1 2]\n3 title=Ball cats=[Toys & Games] attrs=[]\nmissing 0",
	},
	{
		name: "s3rec, named as by its authors, with Amazon metadata",
		c:    Config{Format: "s3rec", Path: "Beauty.txt", Items: "meta_Beauty.json"},
		files: map[string]string{
			"Beauty.txt":                  "1 1 2\n",
			"Beauty_item2attributes.json": `{"2":[1]}`,
			"items.tsv":                   "item_id\tasin\n1\tB01\n2\tB02\n",
			"meta_Beauty.json":            "{'asin': 'B02', 'brand': 'Two'}\n",
		},
		want: "1: B01 B02",
		meta: "1 title= brand= desc= cats=[] attrs=[]\n2 title= brand=Two desc= cats=[] attrs=[1]\nmissing 1",
	},
	{
		name: "csv",
		c: Config{Format: "csv", Path: "log.csv", Separator: ";", Items: "items.csv",
			Columns:     Columns{User: "who", Item: "what", Time: "when"},
			ItemColumns: ItemColumns{Item: "id", Title: "name", Categories: "path", Year: "year"}},
		files: map[string]string{
			"log.csv":   "when;what;who;note\n30;\"a;1\";x;\n20;b;x;\"said \"\"hi\"\"; left\"\n10;b;y;\n",
			"items.csv": "id;name;path;year\n\"a;1\";First;Home|Kitchen;1999\nb;;;n/a\n",
		},
		want: "x: b a;1, y: b",
		meta: "1 title= cats=[] year=0\n2 title=First cats=[Home Kitchen] year=1999\nmissing 0",
	},
	{
		name:  "tsv without a header, quotes are text",
		c:     Config{Format: "csv", Path: "log.tsv", Separator: "\t", Header: new(bool), Columns: Columns{User: "2", Item: "1"}},
		files: map[string]string{"log.tsv": "\"a\tu\nb\tu\n\"a\tv\n"},
		want:  "u: \"a b, v: \"a",
		meta:  "1\n2\nmissing 2",
	},
}

func describeMeta(d *Dataset, m *Metadata) string {
	var out strings.Builder
	for id := 1; id <= d.NumItems; id++ {
		fmt.Fprint(&out, id)
		if m.Title != nil {
			fmt.Fprint(&out, " title=", m.Title[id])
		}
		if m.Brand != nil {
			fmt.Fprint(&out, " brand=", m.Brand[id])
		}
		if m.Description != nil {
			fmt.Fprint(&out, " desc=", m.Description[id])
		}
		if m.Categories != nil {
			fmt.Fprint(&out, " cats=", m.Categories[id])
		}
		if m.Genres != nil {
			fmt.Fprint(&out, " genres=", m.Genres[id])
		}
		if m.Year != nil {
			fmt.Fprint(&out, " year=", m.Year[id])
		}
		if m.Attributes != nil {
			fmt.Fprint(&out, " attrs=", m.Attributes[id])
		}
		fmt.Fprintln(&out)
	}
	fmt.Fprint(&out, "missing ", m.Missing)
	return out.String()
}

func gzipped(s string) string {
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	w.Write([]byte(s))
	w.Close()
	return b.String()
}

// Every format gives the same data set plain, compressed, with CRLF line ends,
// with a byte order mark, with blank lines and without a last line end.
func TestFormats(t *testing.T) {
	for _, fc := range formatCases {
		for _, form := range []struct {
			name string
			file func(name, text string) (string, string)
		}{
			{"plain", func(n, s string) (string, string) { return n, s }},
			{"gzip", func(n, s string) (string, string) { return n + ".gz", gzipped(s) }},
			{"crlf", func(n, s string) (string, string) { return n, strings.ReplaceAll(s, "\n", "\r\n") }},
			{"bom", func(n, s string) (string, string) { return n, "\xef\xbb\xbf" + s }},
			{"blank lines", func(n, s string) (string, string) { return n, "\n" + strings.ReplaceAll(s, "\n", "\n \n") }},
			{"no last line end", func(n, s string) (string, string) { return n, strings.TrimSuffix(s, "\n") }},
		} {
			t.Run(fc.name+"/"+form.name, func(t *testing.T) {
				files := map[string]string{}
				for n, s := range fc.files {
					n, s = form.file(n, s)
					files[n] = s
				}
				c := fc.c
				c.Name = "test"
				if c.Path == "" {
					c.Path = "."
				} else if form.name == "gzip" {
					c.Path += ".gz"
				}
				if c.Items != "" && form.name == "gzip" {
					c.Items += ".gz"
				}
				d, err := Open(c, writeFiles(t, files))
				if err != nil {
					t.Fatal(err)
				}
				if got := original(d); fc.c.MaxUsers == 0 && got != fc.want {
					t.Errorf("got  %s\nwant %s", got, fc.want)
				}
				m, err := d.Metadata()
				if err != nil {
					t.Fatal(err)
				}
				if got := describeMeta(d, m); got != fc.meta {
					t.Errorf("metadata\n%s\nwant\n%s", got, fc.meta)
				}
			})
		}
	}
}

// Times, if there are any, are parallel to the items.
func TestTimes(t *testing.T) {
	dir := writeFiles(t, formatCases[4].files)
	d, err := Open(Config{Name: "test", Format: "recbole", Path: "set.inter"}, dir)
	if err != nil {
		t.Fatal(err)
	}
	if got := fmt.Sprint(d.Times, d.TimeDigits); got != "[[10000000005 20000000000] [30]] 1" {
		t.Error(got)
	}
	d, err = Open(Config{Name: "test", Format: "recbole", Path: "."}, writeFiles(t, formatCases[5].files))
	if err == nil {
		t.Fatal("columns that are not RecBole's were found")
	}
	if d != nil {
		t.Error("a data set with an error")
	}
}

// Metadata are read once, at the first call.
func TestMetadataIsLazy(t *testing.T) {
	dir := writeFiles(t, formatCases[1].files)
	d, err := Open(Config{Name: "test", Format: "movielens-20m", Path: dir}, "")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(dir+"/movies.csv", []byte("movieId,title,genres\n29,Late (2001),War\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	m, err := d.Metadata()
	if err != nil || m.Title[1] != "Late" || m.Missing != 1 {
		t.Errorf("%+v, %v", m, err)
	}
	if again, _ := d.Metadata(); again != m {
		t.Error("read twice")
	}
	if m, err := (&Dataset{NumItems: 2}).Metadata(); err != nil || m.Missing != 2 || m.Title != nil {
		t.Errorf("hand-made: %+v, %v", m, err)
	}
}
