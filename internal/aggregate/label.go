package aggregate

import (
	"fmt"
	"maps"
	"slices"

	"famebench/internal/record"
)

// label names the rows of a table: the model and, if it has several rows, the settings
// that distinguish them: axes first, then other settings, then device and threads, each
// only as far as needed. If all rows differ from a central one on a single axis, the
// central row names all its values, and the others name only what they change. label
// returns the settings that are in each row's label.
func label(groups []*group, axes []string) (shown [][]string) {
	shown = make([][]string, len(groups))
	byModel := map[string][]int{}
	for i, g := range groups {
		model := g.records[0].Result.Spec.Model
		g.Label = model
		byModel[model] = append(byModel[model], i)
	}
	for model, rows := range byModel {
		var members []*group
		for _, i := range rows {
			members = append(members, groups[i])
		}
		add := func(k int, name, text string) {
			if text != "" {
				members[k].Label += fmt.Sprintf(" %s=%s", name, text)
				shown[rows[k]] = append(shown[rows[k]], name)
			}
		}
		values := func(of func(*record.Record) string) []string {
			v := make([]string, len(members))
			for k, g := range members {
				v[k] = of(g.records[0])
			}
			return v
		}
		addVaried := func(name string, of func(*record.Record) string) {
			if v := values(of); varies(v) {
				for k := range members {
					add(k, name, v[k])
				}
			}
		}
		of := func(name string) func(*record.Record) string {
			return func(r *record.Record) string { return plain(setting(r, name)) }
		}
		var named, names []string
		var places [][]string // by axis and row
		for _, axis := range axes {
			if name, ok := settingOf(axis, model); ok && !slices.Contains(named, name) {
				named = append(named, name)
				if v := values(of(name)); varies(v) {
					names, places = append(names, name), append(places, v)
				}
			}
		}
		middle := centre(places, len(members))
		for i, name := range names {
			for k, text := range places[i] {
				if middle < 0 || text != places[i][middle] || distance(places, k, middle) == 0 {
					add(k, name, text)
				}
			}
		}
		for _, name := range settingNames(members) {
			if !slices.Contains(named, name) && !distinct(members) {
				addVaried(name, of(name))
			}
		}
		if !distinct(members) {
			addVaried("device", func(r *record.Record) string { return r.Result.Spec.Device })
			addVaried("threads", func(r *record.Record) string { return fmt.Sprint(r.Result.Spec.Threads) })
		}
		seen := map[string]int{}
		for _, g := range members { // equal labels: other versions, which Match does not let in
			if seen[g.Label]++; seen[g.Label] > 1 {
				g.Label += fmt.Sprintf(" (%d)", seen[g.Label])
			}
		}
	}
	return shown
}

func varies(values []string) bool {
	return slices.ContainsFunc(values, func(v string) bool { return v != values[0] })
}

// centre is the row from which all others differ on at most one axis, among rows on
// several axes (places are by axis and row); -1 if there is none. With two axes or more
// there is at most one such place.
func centre(places [][]string, rows int) int {
	if len(places) < 2 {
		return -1
	}
	for middle := range rows {
		furthest := 0
		for k := range rows {
			furthest = max(furthest, distance(places, k, middle))
		}
		if furthest < 2 {
			return middle
		}
	}
	return -1
}

// distance is the number of axes on which two rows differ.
func distance(places [][]string, k, l int) int {
	n := 0
	for _, v := range places {
		if v[k] != v[l] {
			n++
		}
	}
	return n
}

func distinct(groups []*group) bool {
	labels := map[string]bool{}
	for _, g := range groups {
		labels[g.Label] = true
	}
	return len(labels) == len(groups)
}

// settingNames lists all settings of the rows' records, sorted.
func settingNames(groups []*group) []string {
	names := map[string]bool{}
	for _, g := range groups {
		r := g.records[0]
		for _, p := range append(parts(r.Result.Spec), part{"", r.Resolved["params"]}, part{"train.", r.Resolved["train"]}, part{"pretrain.", r.Resolved["pretrain"]}) {
			for key := range p.settings {
				names[p.prefix+key] = true
			}
		}
	}
	return slices.Sorted(maps.Keys(names))
}

// ThreadsText is the number of threads of a run, in words.
func (r Run) ThreadsText() string {
	if r.Threads == 1 {
		return "1 thread"
	}
	return fmt.Sprintf("%d threads", r.Threads)
}
