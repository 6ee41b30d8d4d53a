package aggregate

import (
	"slices"
	"strings"
	"testing"

	"famebench/internal/record"
)

// After the training version was raised from 1 to 2, a table is made from the old records
// until every run that has one has been made again. It never mixes the two.
func TestTableStaysUntilMadeAgain(t *testing.T) {
	f := newFixture(t)
	version := func(train, model int) func(*record.Record) {
		return func(r *record.Record) {
			r.Result.Spec.Versions.Train, r.Result.Spec.Versions.Model = train, model
		}
	}
	oldSASRec := f.add("sasrec", 0, .1, .1, same(1), version(1, 1))
	oldCORE := f.add("core", 0, .1, .1, same(1), version(1, 1))
	newSASRec := f.add("sasrec", 0, .1, .1, same(1), version(2, 1))
	newCORE := f.add("core", 0, .1, .1, same(1), version(2, 1))
	betterCORE := f.add("core", 0, .1, .1, same(1), version(2, 2))
	floor := f.add("popularity", 0, .1, .1, same(1), func(r *record.Record) {
		r.Result.Spec.NonNeural, r.Result.Spec.Versions = true, record.Versions{Model: 1, Rank: 1}
	})
	secondSASRec, thirdSASRec := f.add("sasrec", 1, .1, .1, same(1), version(2, 1)), f.add("sasrec", 2, .1, .1, same(1), version(2, 1))
	newDuoRec := f.add("duorec", 0, .1, .1, same(1), version(2, 1))
	otherData := f.add("core", 0, .1, .1, same(1), func(r *record.Record) {
		r.Result.Spec.Versions, r.Result.Spec.Dataset.Fingerprint = record.Versions{Model: 9, Train: 9, Rank: 9}, "ffeeddccbb"
	})
	pretrained := func(version int) func(*record.Record) {
		return func(r *record.Record) {
			r.Result.Spec.Versions.Train, r.Result.Spec.Init = 2, &record.Init{Version: version}
		}
	}
	oldPlus, oldPlusAgain := f.add("fame-plus", 0, .1, .1, same(1), pretrained(1)), f.add("fame-plus", 1, .1, .1, same(1), pretrained(1))
	newPlus := f.add("fame-plus", 0, .1, .1, same(1), pretrained(2))
	oldPlusSASRec, newPlusSASRec := f.add("sasrec-plus", 0, .1, .1, same(1), pretrained(1)), f.add("sasrec-plus", 0, .1, .1, same(1), pretrained(2))
	planOf := func(records ...*record.Record) (out []Planned) {
		for _, r := range records {
			out = append(out, Planned{Spec: r.Result.Spec})
		}
		return out
	}
	for _, tt := range []struct {
		name    string
		planned []Planned
		stored  []*record.Record
		want    []*record.Record
		note    string
	}{
		{"nothing made again", planOf(newSASRec, newCORE, floor), []*record.Record{oldSASRec, oldCORE, floor},
			[]*record.Record{oldSASRec, oldCORE, floor}, "made by older code (training version 1, now 2); the table stays as it is until its suite has been run again: 1 of 3 runs so far"},
		{"half made again", planOf(newSASRec, newCORE, floor), []*record.Record{oldSASRec, oldCORE, newSASRec, floor},
			[]*record.Record{oldSASRec, oldCORE, floor}, "2 of 3 runs so far"},
		{"all made again", planOf(newSASRec, newCORE, floor), []*record.Record{oldSASRec, oldCORE, newSASRec, newCORE, floor},
			[]*record.Record{newSASRec, newCORE, floor}, ""},
		{"one was never made", planOf(newSASRec, newCORE), []*record.Record{oldSASRec, newSASRec},
			[]*record.Record{newSASRec}, ""},
		{"more than there were, but not all of these", planOf(newSASRec, newDuoRec, newCORE), []*record.Record{oldCORE, newSASRec, newDuoRec},
			[]*record.Record{newSASRec, newDuoRec}, ""},
		{"more runs of fewer models", planOf(newSASRec, secondSASRec, thirdSASRec, newCORE), []*record.Record{oldSASRec, oldCORE, newSASRec, secondSASRec, thirdSASRec},
			[]*record.Record{oldSASRec, oldCORE}, "3 of 4 runs so far"},
		{"one model's version", planOf(newSASRec, betterCORE), []*record.Record{newSASRec, newCORE},
			[]*record.Record{newSASRec, newCORE}, "made by older code (core version 1, now 2)"},
		{"other data is not an older version", planOf(newSASRec, newCORE), []*record.Record{newSASRec, otherData},
			[]*record.Record{newSASRec}, ""},
		{"one has only newer records", planOf(newSASRec, newCORE, newDuoRec), []*record.Record{oldSASRec, oldCORE, newDuoRec},
			[]*record.Record{oldSASRec, oldCORE}, "1 of 3 runs so far"},
		{"one version of pre-training", planOf(newSASRec, newPlus, newPlusSASRec), []*record.Record{newSASRec, oldPlus, oldPlusAgain, newPlus, oldPlusSASRec, newPlusSASRec},
			[]*record.Record{newSASRec, newPlus, newPlusSASRec}, ""},
		{"one version of pre-training that all have", planOf(newSASRec, newPlus, newPlusSASRec), []*record.Record{newSASRec, oldPlus, newPlus, oldPlusSASRec},
			[]*record.Record{newSASRec, oldPlus, oldPlusSASRec}, "pre-training version 1, now 2"},
		{"nothing is trained", planOf(floor), []*record.Record{floor}, []*record.Record{floor}, ""},
	} {
		o, err := OlderVersions(tt.planned, tt.stored)
		if err != nil {
			t.Fatal(err)
		}
		note := o.Notes()["beauty"]
		if (note == "") != (tt.note == "") || !strings.Contains(note, tt.note) {
			t.Errorf("%s: note %q, expected %q", tt.name, note, tt.note)
		}
		for i := range tt.planned {
			tt.planned[i].Spec = o.Show(tt.planned[i].Spec)
		}
		found, _, err := Match(tt.planned, tt.stored)
		if err != nil || !slices.Equal(found, tt.want) {
			t.Errorf("%s: found %v, %v", tt.name, ids(found), err)
		}
	}

	// The ranking version decides where nothing is trained.
	now := floor.Result.Spec
	now.Versions.Rank = 2
	o, err := OlderVersions([]Planned{{Spec: now}}, []*record.Record{floor})
	if err != nil || o.Show(now).Versions != floor.Result.Spec.Versions || !strings.Contains(o.Notes()["beauty"], "ranking version 1, now 2") {
		t.Errorf("%+v, %v", o, err)
	}

	f.Planned, f.Records, f.Older = planOf(newSASRec), []*record.Record{oldSASRec}, map[string]string{"beauty": "made by older code"}
	if s := f.make(); s.Tables[0].Notes[0] != "made by older code" {
		t.Errorf("the table does not say so: %q", s.Tables[0].Notes)
	}
}

func ids(records []*record.Record) (out []string) {
	for _, r := range records {
		out = append(out, r.ID)
	}
	return out
}
