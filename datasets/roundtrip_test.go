package datasets

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"testing/fstest"
)

// A data set that is written in any way is read back unchanged or refused, and
// never becomes another data set. Some rounds must be readable, so refusing
// everything fails.
func TestRandomInteractions(t *testing.T) {
	const rounds = 300
	r := rand.New(rand.NewPCG(1, 2))
	read := map[string]int{}
	check := func(what string, c Config, text, want string) {
		t.Helper()
		c.Name = "t"
		c, err := c.Resolve()
		if err != nil {
			t.Fatal(err)
		}
		d, err := load(c, &source{fsys: fstest.MapFS{"log": {Data: []byte(text)}}, main: "log"})
		if err != nil {
			oneLine(t, err)
			return
		}
		read[what]++
		if got := original(d); got != want {
			t.Fatalf("%s: %+v\n%.2000q\ngot  %s\nwant %s", what, c, text, got, want)
		}
	}
	for range rounds {
		step := r.IntN(len(timeSteps))
		w := timeWriters[r.IntN(len(timeWriters))]
		for w.step > timeSteps[step] {
			w = timeWriters[r.IntN(len(timeWriters))]
		}
		events := randomEvents(r, r.IntN(3) == 0, timeSteps[step])
		c, text, s := randomCSV(r, events, w.write)
		if whole, ok := encoded(text, s.charset); ok {
			if r.IntN(5) == 0 {
				whole = gzipped(whole)
			}
			check(s.charset+", "+s.quoting, c, whole, sequencesOf(events))
			check(w.name, c, whole, sequencesOf(events))
		}
		spoiled, text, kind := spoil(r, c, text, s)
		check("spoiled: "+kind, spoiled, text, sequencesOf(events))

		// Another unit for some lines.
		others := timeWriters[r.IntN(4)]
		mixed, text, _ := randomCSV(r, events, func(at int64) string {
			if r.IntN(3) == 0 && others.step <= timeSteps[step] {
				return others.write(at)
			}
			return w.write(at)
		})
		check("mixed times", mixed, text, sequencesOf(events))

		check("recbole", Config{Format: "recbole", Path: "log"}, recboleLog(r, events, w.write), sequencesOf(events))
		if !strings.ContainsAny(w.write(events[0].at), "T:") {
			check("amazon", Config{Format: "amazon", Path: "log", Ties: "file"}, amazonLog(r, events, w.write), sequencesOf(events))
		}

		numbers := randomEvents(r, true, timeSteps[step])
		for _, f := range []struct{ format, line string }{{"movielens-20m", "%s,%s,%d.5,%s\n"}, {"movielens-1m", "%s::%s::%d::%s\n"}, {"movielens-100k", "%s\t%s\t%d\t%s\n"}} {
			log := map[string]string{"movielens-20m": "userId,movieId,rating,timestamp\n"}[f.format]
			for _, e := range numbers {
				log += fmt.Sprintf(f.line, e.user, e.item, r.IntN(5), w.write(e.at))
			}
			check(f.format, Config{Format: f.format, Path: "log", Ties: "file"}, log, sequencesOf(numbers))
		}

		// S3-Rec: sequences without times, one line per user.
		text = strings.ReplaceAll(strings.ReplaceAll(sequencesOf(numbers), ":", ""), ", ", "\n") + "\n"
		check("s3rec", Config{Format: "s3rec", Path: "log"}, text, sequencesOf(numbers))
	}
	for _, w := range timeWriters {
		if read[w.name] == 0 {
			t.Errorf("nothing was read with times as %s", w.name)
		}
	}
	for _, format := range []string{"movielens-20m", "movielens-1m", "movielens-100k", "s3rec"} {
		if read[format] != rounds {
			t.Errorf("%d of %d rounds of %s were read", read[format], rounds, format)
		}
	}
	t.Log(read)
}

func recboleLog(r *rand.Rand, events []event, write func(int64) string) string {
	log := "timestamp:float\titem_id:token\tuser_id:token\n"
	atomic := tableStyle{sep: "\t", end: "\n", quoting: "least"}
	for _, e := range events {
		log += atomic.row(r, write(e.at), e.item, e.user)
	}
	return log
}

func amazonLog(r *rand.Rand, events []event, write func(int64) string) (log string) {
	for _, e := range events {
		log += fmt.Sprintf("{\"asin\": %+q, \"unixReviewTime\": %s, \"reviewerID\": %q, \"overall\": %d.0}\n", e.item, write(e.at), e.user, r.IntN(5))
	}
	return log
}
