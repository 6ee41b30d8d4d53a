package plan

import (
	"path/filepath"
	"testing"

	"famebench/internal/record"
	"famebench/internal/tinytest"
)

// planTiny plans a suite of the tiny configuration, with one thread.
func planTiny(t *testing.T, dir, suite string, sets ...string) (*Plan, record.Store) {
	t.Helper()
	p, store, err := tryTiny(dir, suite, sets...)
	if err != nil {
		t.Fatal(err)
	}
	return p, store
}

func tryTiny(dir, suite string, sets ...string) (*Plan, record.Store, error) {
	store := record.Store{Dir: filepath.Join(dir, "results")}
	c, err := Load(filepath.Join(dir, FileName), sets, tinytest.Entries)
	if err != nil {
		return nil, store, err
	}
	s, err := c.Suite(suite)
	if err != nil {
		return nil, store, err
	}
	if err := store.Make(); err != nil {
		return nil, store, err
	}
	p, err := c.Plan(s, Options{Threads: 1, Out: store.Dir})
	return p, store, err
}
