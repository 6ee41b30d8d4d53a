package datasets

import (
	"testing"
	"testing/fstest"
)

// checkFuzzed loads a format's files as a fuzzer changed them. Loading must not
// panic, and accepted files must give a valid data set.
func checkFuzzed(t *testing.T, c Config, main string, files map[string]string) {
	c.Name, c.Path = "fuzz", "."
	c, err := c.Resolve()
	if err != nil {
		t.Fatal(err)
	}
	fsys := fstest.MapFS{}
	for name, text := range files {
		fsys[name] = &fstest.MapFile{Data: []byte(text)}
	}
	d, err := load(c, &source{fsys: fsys, main: main})
	if err != nil {
		if d != nil {
			t.Error("a data set with an error")
		}
		return
	}
	if len(d.Seqs) == 0 || len(d.Seqs) != len(d.UserIDs) || len(d.ItemIDs) != d.NumItems+1 || d.ItemIDs[0] != "" {
		t.Fatalf("%d sequences, %d users, %d item ids, %d items", len(d.Seqs), len(d.UserIDs), len(d.ItemIDs), d.NumItems)
	}
	next := int32(1) // ids are assigned in the order of the sequences
	for u, seq := range d.Seqs {
		if len(seq) == 0 || d.Times != nil && len(d.Times[u]) != len(seq) {
			t.Fatalf("user %d has %d items", u, len(seq))
		}
		for i, v := range seq {
			if v < 1 || v > next {
				t.Fatalf("id %d, where at most %d can come", v, next)
			}
			if v == next {
				next++
			}
			if d.Times != nil && i > 0 && d.Times[u][i-1] > d.Times[u][i] {
				t.Fatalf("user %d goes back in time", u)
			}
		}
	}
	if int(next) != d.NumItems+1 {
		t.Fatalf("%d of %d items occur", next-1, d.NumItems)
	}
	d.Stats()
	m, err := d.Metadata()
	if err != nil {
		return
	}
	for _, n := range []int{len(m.Title), len(m.Brand), len(m.Description), len(m.Categories), len(m.Genres), len(m.Year), len(m.Attributes)} {
		if n != 0 && n != d.NumItems+1 {
			t.Fatalf("a field for %d items of %d", n, d.NumItems+1)
		}
	}
	if m.Missing < 0 || m.Missing > d.NumItems {
		t.Fatalf("%d of %d items are missing", m.Missing, d.NumItems)
	}
}

// seed returns the files of a case of formatCases.
func seed(name string) map[string]string {
	for _, fc := range formatCases {
		if fc.name == name {
			return fc.files
		}
	}
	panic("no such case: " + name)
}

func FuzzAmazon(f *testing.F) {
	s := seed("amazon")
	f.Add(s["reviews_Beauty_5.json"], s["meta_Beauty.json"])
	f.Add(gzipped(s["reviews_Beauty_5.json"]), "")
	f.Add(`{"reviewerID":"A","asin":"B","overall":1,"unixReviewTime":1e400}`, `{'asin': u'\ud83d', 'categories': [[], (1, 'x')]}`)
	f.Fuzz(func(t *testing.T, reviews, meta string) {
		checkFuzzed(t, Config{Format: "amazon"}, "reviews_X_5.json", map[string]string{"reviews_X_5.json": reviews, "meta_X.json": meta})
	})
}

func FuzzMovieLens20M(f *testing.F) {
	s := seed("movielens-20m")
	f.Add(s["ratings.csv"], s["movies.csv"])
	f.Add("userId,movieId,rating,timestamp\n1,1,1,-1\n", "movieId,title,genres\n1,\"a\"\"\",|")
	f.Fuzz(func(t *testing.T, ratings, movies string) {
		checkFuzzed(t, Config{Format: "movielens-20m"}, "ratings.csv", map[string]string{"ratings.csv": ratings, "movies.csv": movies})
	})
}

func FuzzMovieLens1M(f *testing.F) {
	s := seed("movielens-1m")
	f.Add(s["ratings.dat"], s["movies.dat"])
	f.Add("1::1::1::1", "1::(1999)::")
	f.Fuzz(func(t *testing.T, ratings, movies string) {
		checkFuzzed(t, Config{Format: "movielens-1m", KCore: 2}, "ratings.dat", map[string]string{"ratings.dat": ratings, "movies.dat": movies})
	})
}

func FuzzMovieLens100K(f *testing.F) {
	s := seed("movielens-100k")
	f.Add(s["u.data"], s["u.item"])
	f.Fuzz(func(t *testing.T, data, items string) {
		checkFuzzed(t, Config{Format: "movielens-100k", Duplicates: "last", MinRating: 2}, "u.data", map[string]string{"u.data": data, "u.item": items})
	})
}

func FuzzRecBole(f *testing.F) {
	s := seed("recbole")
	f.Add(s["set.inter"], s["set.item"])
	f.Add("user_id\titem_id\n\x00\t\xff\n", "item_id:token\tyear:float\n\xff\t1e99\n")
	f.Fuzz(func(t *testing.T, inter, item string) {
		checkFuzzed(t, Config{Format: "recbole"}, "set.inter", map[string]string{"set.inter": inter, "set.item": item})
	})
}

func FuzzS3Rec(f *testing.F) {
	s := seed("s3rec")
	f.Add(s["sequences.txt"], s["item2attributes.json"], s["items.tsv"])
	f.Add("1\t1  2 \n", "{}", "item_id\tasin\n2\t1\n")
	f.Fuzz(func(t *testing.T, sequences, attributes, items string) {
		checkFuzzed(t, Config{Format: "s3rec", Duplicates: "first"}, "sequences.txt", map[string]string{
			"sequences.txt": sequences, "item2attributes.json": attributes, "items.tsv": items})
	})
}

func FuzzCSV(f *testing.F) {
	s := seed("csv")
	f.Add(s["log.csv"], ";", true, "hash")
	f.Add("a::b::1\n\"c\"::\"\"\"\"::2\n", "::", false, "item")
	f.Fuzz(func(t *testing.T, text, separator string, header bool, ties string) {
		c := Config{Name: "fuzz", Format: "csv", Path: "log.csv", Separator: separator, Header: &header, Ties: ties,
			Columns: Columns{User: "1", Item: "2", Time: "3"}}
		if header {
			c.Columns = Columns{User: "who", Item: "what", Time: "when"}
		}
		c, err := c.Resolve()
		if err != nil {
			return
		}
		checkFuzzed(t, c, "log.csv", map[string]string{"log.csv": text})
	})
}

func FuzzLiteral(f *testing.F) {
	f.Add(`{'a': [1, 2L, (None, True)], u"b\xe9": {"c": 'd\'e\u20ac'}}`)
	f.Add(`[[[[`)
	f.Add(`'\ud83d\ude00\777'`)
	f.Fuzz(func(t *testing.T, text string) {
		p := &literal{b: []byte(text)}
		if err := p.skip(); err == nil && (p.i == 0 || p.i > len(text) || p.depth != 0) {
			t.Errorf("%q: at %d of %d, depth %d", text, p.i, len(text), p.depth)
		}
	})
}

func FuzzValues(f *testing.F) {
	f.Add(`['Home', "Pots, Pans"]`, "|", true)
	f.Add(`'Women's', 'Men's'`, ",", false)
	f.Add(`frozenset({'a', nan, [1]})`, "", true)
	f.Add("01-Jan-1980", " ", false)
	f.Fuzz(func(t *testing.T, text, sep string, seq bool) {
		value(text)
		parseYear(text)
		c := &listColumn{what: "categories", sep: sep, seq: seq}
		if c.add(1, 1, text) != nil {
			return
		}
		c.finish(func(_ int32, paths [][]string) {
			for _, path := range paths {
				for _, name := range path {
					if name != known(name) {
						t.Errorf("%q of %q is not tidy", name, text)
					}
				}
			}
		})
	})
}
