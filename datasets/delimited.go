package datasets

import (
	"bytes"
	"fmt"
	"path"
	"slices"
	"strconv"
	"strings"
)

// delimited describes the two files of a delimited format: the interactions
// and the metadata of the items.
type delimited struct {
	log     tableFormat
	columns Columns
	ids     bool // user and item ids are positive numbers

	items       tableFormat
	itemFile    func(main string) string // usual name, given that of the interactions
	itemColumns ItemColumns
	genres      string // separates genres
	categories  string // separates categories
	yearInTitle bool   // titles end in " (1995)"
	flags       int    // number from 1 of the first of the genre flag columns; 0: there are none
}

// describe returns the description of a resolved configuration's format.
func describe(c Config) delimited {
	switch c.Format {
	case "movielens-20m":
		csv := tableFormat{sep: ",", header: true, quoted: true}
		return delimited{
			log: csv, columns: Columns{User: "userId", Item: "movieId", Rating: "rating", Time: "timestamp"}, ids: true,
			items: csv, itemFile: fixed("movies.csv"), itemColumns: ItemColumns{Item: "movieId", Title: "title", Genres: "genres"},
			genres: "|", yearInTitle: true,
		}
	case "movielens-1m":
		dat := tableFormat{sep: "::", latin1: true}
		return delimited{
			log: dat, columns: Columns{User: "1", Item: "2", Rating: "3", Time: "4"}, ids: true,
			items: dat, itemFile: fixed("movies.dat"), itemColumns: ItemColumns{Item: "1", Title: "2", Genres: "3"},
			genres: "|", yearInTitle: true,
		}
	case "movielens-100k":
		return delimited{
			log: tableFormat{sep: "\t"}, columns: Columns{User: "1", Item: "2", Rating: "3", Time: "4"}, ids: true,
			items: tableFormat{sep: "|", latin1: true}, itemFile: fixed("u.item"), itemColumns: ItemColumns{Item: "1", Title: "2"},
			yearInTitle: true, flags: 6,
		}
	case "recbole":
		atomic := tableFormat{sep: "\t", header: true, typed: true, wraps: true}
		return delimited{
			log: atomic, columns: c.Columns, items: atomic, itemColumns: c.ItemColumns,
			itemFile: func(main string) string {
				name := stem(main, ".inter")
				if c.Split == GivenSplit && partOfFile(path.Ext(name)) != noPart { // NAME.train.inter
					name = strings.TrimSuffix(name, path.Ext(name))
				}
				return name + ".item"
			},
		}
	}
	csv := tableFormat{sep: c.Separator, header: c.header(), quoted: c.Separator != "\t", wraps: c.Separator == "\t", free: true}
	return delimited{log: csv, columns: c.Columns, items: csv, itemColumns: c.ItemColumns, genres: "|", categories: "|"}
}

func fixed(name string) func(string) string { return func(string) string { return name } }

// readDelimited reads a file with one interaction per line, or the three files of a given
// split.
func readDelimited(c Config, src *source, lg *interactions) error {
	if src.parts == nil {
		return readTable(c, src, lg, src.file(src.main))
	}
	for i, f := range src.parts {
		lg.part = trainPart + part(i)
		lg.times.files = append(lg.times.files, f.show)
		if err := readTable(c, src, lg, f); err != nil {
			return err
		}
	}
	if lg.sequences != nil {
		lg.sequences.finish()
	}
	return nil
}

// readTable reads one file.
func readTable(c Config, src *source, lg *interactions, f file) error {
	d := describe(c)
	t, err := openTable(f, d.log)
	if err != nil {
		return err
	}
	defer t.Close()
	later := len(lg.times.files) > 1 // the file of a part that is not the first
	if c.Format == "recbole" {
		d.columns = recboleColumns(d.columns, t)
		has := t.place(d.columns.Item+"_list") >= 0
		switch {
		case later && has != (lg.sequences != nil):
			return t.errorf("expected the same kind of lines as in %s: in one of the files each line has a sequence and a target (%s_list), in the other an interaction", src.display(src.main), d.columns.Item)
		case has && src.parts == nil:
			return t.errorf("each line has a sequence and a target (%s_list), as in the files of a given split; expected one interaction per line, or three such files: set train, valid and test", d.columns.Item)
		case has:
			return readSequences(t, c, lg)
		}
	}
	return d.readLog(t, c, src, lg)
}

// readLog reads a table with one interaction per line.
func (d delimited) readLog(t *table, c Config, src *source, lg *interactions) (err error) {
	later := len(lg.times.files) > 1
	// The columns that the configuration names must exist.
	if err := t.require(d.columns.list()); err != nil {
		return err
	}
	user, item := t.place(d.columns.User), t.place(d.columns.Item)
	rated, timed, parted := t.place(d.columns.Rating), t.place(d.columns.Time), t.place(d.columns.Part)
	places := []int{user, item, rated, timed, parted}
	for i, a := range places {
		if j := slices.Index(places[:i], a); a >= 0 && j >= 0 { // such as "1" and "01", or a name that the format has by itself
			keys := d.columns.list()
			return t.errorf("%s and %s both name column %s", keys[j].key, keys[i].key, printable([]byte(keys[i].column)))
		}
	}
	switch {
	case later && (timed >= 0) != lg.timed:
		return t.errorf("expected times in all files of the split or in none: either this file or %s has no column of times", src.display(src.main))
	case rated < 0 && c.MinRating != 0:
		return t.errorf("min_rating is set, but there is no column of ratings; the header has %s", t.nameList())
	case timed < 0 && c.Ties != "" && c.Ties != formats[c.Format].ties:
		return t.errorf("ties is set, but there is no column of times; the header has %s", t.nameList())
	case timed < 0 && c.Split == TimeSplit:
		return t.errorf("split = %q needs times, but there is no column of times; the header has %s", TimeSplit, t.nameList())
	}
	lg.timed = timed >= 0
	if timed < 0 && !later {
		src.warnings = append(src.warnings, unusedTimes(t)...)
	}
	first := firstRow{t: t, user: user, item: item}
	err = t.each(func(f [][]byte) error {
		for _, place := range [2]int{user, item} {
			if d.ids {
				if _, ok := parseID(f[place]); !ok {
					return t.errorf("id %s is not a positive whole number", excerpt(f[place]))
				}
			} else if len(f[place]) == 0 {
				return t.errorf("the line has no user or no item id")
			}
		}
		if t.free && !t.header {
			if err := first.check(f); err != nil {
				return err
			}
		}
		rating, ok := 0.0, true
		// Without a threshold a missing rating changes nothing.
		if rated >= 0 && (len(f[rated]) > 0 || c.MinRating != 0) {
			if rating, ok = parseNumber(f[rated]); !ok {
				hint := ""
				if bytes.IndexByte(f[rated], ',') >= 0 {
					hint = "; decimal commas are not read, use a point"
				}
				return t.errorf("rating %s is not a number%s", excerpt(f[rated]), hint)
			}
		}
		if parted >= 0 {
			if lg.part = parsePart(string(f[parted])); lg.part == noPart {
				return t.errorf("part %s is unknown; expected train, valid or test", excerpt(f[parted]))
			}
		}
		lg.line = t.n
		if later {
			lg.line += (len(lg.times.files) - 1) << fileBits
		}
		if timed < 0 {
			err = lg.addRated(f[user], f[item], rating)
		} else {
			at, problem := parseInstant(f[timed])
			if problem != nil {
				return t.errorf("time %s %v", excerpt(f[timed]), problem)
			}
			err = lg.addAt(f[user], f[item], rating, at)
		}
		if err != nil {
			return t.errorf("%v", err)
		}
		return nil
	})
	if err != nil {
		return err
	}
	return first.end()
}

// unusedTimes warns of a column that has the name of times if none is
// configured.
func unusedTimes(t *table) []string {
	for _, name := range t.names {
		low := strings.ToLower(name)
		if low == "ts" || low == "date" || strings.HasPrefix(low, "time") || strings.HasPrefix(low, "datetime") ||
			strings.HasSuffix(low, "time") || strings.HasSuffix(low, "timestamp") || strings.HasSuffix(low, "_date") ||
			strings.HasSuffix(low, "_at") || strings.HasSuffix(low, "_ts") {
			return []string{fmt.Sprintf("the file has a column %q, but columns.time is not set: interactions are taken in the order of the file", name)}
		}
	}
	return nil
}

// firstRow checks a file that has no header according to the configuration. Its
// first line may be a header all the same, and without names a wrong separator
// would go unnoticed.
type firstRow struct {
	t          *table
	user, item int
	rows       int
	words      bool // the first user and item are not numbers
	numbers    bool // all later ones are
	line       int
	text       string
	other      string // separator that divides every line so far into otherFields
	fields     int
}

// check looks at the fields of the next row.
func (r *firstRow) check(f [][]byte) error {
	r.rows++
	digits := isDecimal(string(f[r.user])) && isDecimal(string(f[r.item]))
	if r.rows == 1 {
		r.line, r.text = r.t.n, fmt.Sprintf("user %s, item %s", excerpt(f[r.user]), excerpt(f[r.item]))
		r.words, r.numbers = !isDecimal(string(f[r.user])) && !isDecimal(string(f[r.item])), true
		if isIDName(f[r.user]) && isIDName(f[r.item]) {
			return r.isHeader()
		}
	} else {
		r.numbers = r.numbers && digits
	}
	const enough = 100
	if r.rows > enough {
		return nil
	}
	joined := bytes.Join(f, r.t.sepBytes)
	if r.rows == 1 {
		for _, sep := range []string{"\t", ";", "|", "::", ","} {
			if n := bytes.Count(joined, []byte(sep)) + 1; sep != r.t.sep && n > r.t.width && n > r.fields {
				r.other, r.fields = sep, n
			}
		}
	} else if r.other != "" && bytes.Count(joined, []byte(r.other))+1 != r.fields {
		r.other = ""
	}
	return nil
}

// end judges by all rows.
func (r *firstRow) end() error {
	switch {
	case r.rows > 1 && r.words && r.numbers:
		return r.isHeader()
	case r.other != "":
		return &ParseError{File: r.t.show, Msg: fmt.Sprintf("%q divides every line into %d fields, the separator %q into %d: set separator = %q, or give the file a header with names of columns", r.other, r.fields, r.t.sep, r.t.width, r.other)}
	}
	return nil
}

func (r *firstRow) isHeader() error {
	return &ParseError{File: r.t.show, Line: r.line, Msg: "expected data, since header = false is set, got what looks like names of columns: " + r.text + "; set header = true"}
}

var idNamePunctuation = strings.NewReplacer("_", "", "-", "", " ", "", ":token", "")

// isIDName reports whether a name is usual for the column of users or items.
func isIDName(field []byte) bool {
	name := idNamePunctuation.Replace(strings.ToLower(string(field)))
	switch strings.TrimSuffix(strings.TrimSuffix(name, "id"), "s") {
	case "user", "customer", "session", "visitor", "reviewer", "member", "item", "product", "movie", "article", "book", "song", "track", "game", "sku", "asin", "u", "i":
		return true
	}
	return false
}

// recboleColumns fills in the names that RecBole's own data sets have.
func recboleColumns(c Columns, t *table) Columns {
	setDefault(&c.User, "user_id")
	setDefault(&c.Item, "item_id")
	if c.Rating == "" && t.place("rating") >= 0 {
		c.Rating = "rating"
	}
	if c.Time == "" && t.place("timestamp") >= 0 {
		c.Time = "timestamp"
	}
	return c
}

// delimitedItems reads the metadata file, if there is one.
func delimitedItems(c Config, src *source, m *metadataBuilder) error {
	d := describe(c)
	f := src.items
	if f == nil {
		if d.itemFile == nil {
			return nil
		}
		found, ok, err := src.find(glob(d.itemFile(src.main)))
		if err != nil || !ok {
			return err
		}
		f = &found
	}
	t, err := openTable(*f, d.items)
	if err != nil {
		return err
	}
	defer t.Close()
	if c.Format == "recbole" {
		d.itemColumns = recboleItemColumns(d.itemColumns, t)
	}
	if err := t.require(d.itemColumns.list()); err != nil {
		return err
	}
	if need := d.flags - 1 + len(movieGenres); d.flags > 0 && t.width < need {
		return t.errorf("%d fields, expected %d: id, title, dates, URL and %d genre flags", t.width, need, len(movieGenres))
	}
	m.open(f.show)
	r := newItemReader(d, t, m)
	if err := t.each(r.read); err != nil {
		return err
	}
	m.warn(r.categories.finish(m.categories)...)
	m.warn(r.genres.finish(m.genres)...)
	return m.close()
}

// itemReader reads the lines of a metadata file.
type itemReader struct {
	d delimited
	t *table
	m *metadataBuilder
	// Places of the columns; negative: the file has none.
	item, title, year, brand, description int
	categories, genres                    placedList
}

// placedList is a column of lists and its place.
type placedList struct {
	place int
	*listColumn
}

func newItemReader(d delimited, t *table, m *metadataBuilder) *itemReader {
	c := d.itemColumns
	list := func(what, column string) placedList {
		place := t.place(column)
		return placedList{place, d.listColumn(what, t, place)}
	}
	return &itemReader{
		d: d, t: t, m: m,
		item: t.place(c.Item), title: t.place(c.Title), year: t.place(c.Year), brand: t.place(c.Brand), description: t.place(c.Description),
		categories: list("categories", c.Categories), genres: list("genres", c.Genres),
	}
}

// read adds the item of one line to the metadata, unless the log does not have it.
func (r *itemReader) read(f [][]byte) error {
	name := bytes.TrimSpace(f[r.item])
	if len(name) == 0 {
		return r.t.errorf("the line has no item id")
	}
	id, ok := r.m.find(name)
	if !ok {
		return nil
	}
	r.m.known[id] = true
	if r.title >= 0 {
		text := r.t.text(f[r.title])
		if r.d.yearInTitle {
			var published int32
			text, published = cutYear(text)
			r.m.year(id, published)
		}
		r.m.title(id, text)
	}
	if r.brand >= 0 {
		r.m.brand(id, r.t.text(f[r.brand]))
	}
	if r.description >= 0 {
		r.m.description(id, r.t.text(f[r.description]))
	}
	if r.year >= 0 {
		r.m.date(id, r.t.text(f[r.year]))
	}
	if r.d.flags > 0 {
		names, err := flagged(r.t, f[r.d.flags-1:])
		if err != nil {
			return err
		}
		r.m.genres(id, [][]string{names})
	}
	for _, list := range []placedList{r.categories, r.genres} {
		if list.place >= 0 {
			if err := list.add(id, r.t.n, r.t.text(f[list.place])); err != nil {
				return r.t.errorf("%v", err)
			}
		}
	}
	return nil
}

// listColumn prepares to read categories or genres from a column.
func (d delimited) listColumn(what string, t *table, place int) *listColumn {
	c := &listColumn{what: what, sep: d.genres}
	if what == "categories" {
		c.sep = d.categories
	}
	if t.typed && place >= 0 {
		if c.seq = t.types[place] != "token"; !c.seq {
			c.sep = ""
		}
	}
	return c
}

// recboleItemColumns finds columns by the names that RecBole's data sets use.
func recboleItemColumns(c ItemColumns, t *table) ItemColumns {
	pick := func(s *string, names ...string) {
		for _, name := range names {
			if *s == "" && t.place(name) >= 0 {
				*s = name
			}
		}
	}
	setDefault(&c.Item, "item_id")
	pick(&c.Title, "title", "movie_title", "item_name", "name")
	pick(&c.Brand, "brand")
	pick(&c.Categories, "categories", "category")
	pick(&c.Description, "description")
	pick(&c.Genres, "genre", "genres", "class")
	pick(&c.Year, "release_year", "year")
	return c
}

// cutYear splits the year off a title such as "Toy Story (1995)".
func cutYear(title string) (string, int32) {
	t := strings.TrimSpace(title)
	if n := len(t); n >= 6 && t[n-6] == '(' && t[n-1] == ')' {
		if year, err := strconv.ParseUint(t[n-5:n-1], 10, 32); err == nil {
			return strings.TrimSpace(t[:n-6]), int32(year)
		}
	}
	return t, 0
}

// movieGenres are the flag columns of u.item, in the order of u.genre.
var movieGenres = []string{"unknown", "Action", "Adventure", "Animation", "Children's", "Comedy", "Crime",
	"Documentary", "Drama", "Fantasy", "Film-Noir", "Horror", "Musical", "Mystery", "Romance", "Sci-Fi",
	"Thriller", "War", "Western"}

func flagged(t *table, flags [][]byte) ([]string, error) {
	var genres []string
	for i, name := range movieGenres {
		switch string(flags[i]) {
		case "0":
		case "1":
			genres = append(genres, name)
		default:
			return nil, t.errorf("expected a genre flag of 0 or 1, got %s", excerpt(flags[i]))
		}
	}
	return genres, nil
}
