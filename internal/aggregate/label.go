package aggregate

import (
	"fmt"
	"maps"
	"slices"

	"famebench/internal/record"
)

// label names the rows of a table: the model and, where it has more than one row,
// what tells them apart: axes first, then other settings, then device and threads,
// each only as far as needed. It gives the settings that stand in each row's label.
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
		add := func(name string, of func(*record.Record) string) {
			values := map[string]bool{}
			for _, g := range members {
				values[of(g.records[0])] = true
			}
			if len(values) < 2 {
				return
			}
			for k, g := range members {
				if text := of(g.records[0]); text != "" {
					g.Label += fmt.Sprintf(" %s=%s", name, text)
					shown[rows[k]] = append(shown[rows[k]], name)
				}
			}
		}
		of := func(name string) func(*record.Record) string {
			return func(r *record.Record) string { return plain(setting(r, name)) }
		}
		var told []string
		for _, axis := range axes {
			if name, ok := settingOf(axis, model); ok && !slices.Contains(told, name) {
				add(name, of(name))
				told = append(told, name)
			}
		}
		for _, name := range settingNames(members) {
			if !slices.Contains(told, name) && !distinct(members) {
				add(name, of(name))
			}
		}
		if !distinct(members) {
			add("device", func(r *record.Record) string { return r.Result.Spec.Device })
			add("threads", func(r *record.Record) string { return fmt.Sprint(r.Result.Spec.Threads) })
		}
		seen := map[string]int{}
		for _, g := range members { // of other versions: Match lets none in
			if seen[g.Label]++; seen[g.Label] > 1 {
				g.Label += fmt.Sprintf(" (%d)", seen[g.Label])
			}
		}
	}
	return shown
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

// ThreadsText is how many threads a run had, in words.
func (r Run) ThreadsText() string {
	if r.Threads == 1 {
		return "1 thread"
	}
	return fmt.Sprintf("%d threads", r.Threads)
}
