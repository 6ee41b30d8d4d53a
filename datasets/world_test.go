package datasets

import (
	"cmp"
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"famebench/internal/conf"
)

func number(x float64) *float64 { return &x }

// smallWorld opens a data set of 300 users and 150 items, after changes.
func smallWorld(t *testing.T, change func(*Config)) (*Dataset, *World) {
	t.Helper()
	c := Config{Name: "world", Format: worldFormat, World: WorldConfig{Users: 300, Items: 150, Labels: 10}}
	if change != nil {
		change(&c)
	}
	d, err := Open(c, "")
	if err != nil {
		t.Fatalf("%+v: %v", c.World, err)
	}
	w, err := d.World()
	if err != nil {
		t.Fatalf("%+v: %v", c.World, err)
	}
	return d, w
}

func TestWorldIsSeeded(t *testing.T) {
	d, w := smallWorld(t, nil)
	// Computed on amd64. Any other value, on any processor, means other data.
	if got := d.Fingerprint(); got != "767907f2b979b7c96f3d90dd6d0ebc60698176f16a4ab1b5c1a021fb73626def" {
		t.Errorf("fingerprint %s", got)
	}
	if again, _ := smallWorld(t, nil); again.Fingerprint() != d.Fingerprint() {
		t.Error("the same configuration gives other data")
	}
	other, v := smallWorld(t, func(c *Config) { c.World.Seed = 1 })
	if other.Fingerprint() == d.Fingerprint() || slices.EqualFunc(v.Labels, w.Labels, slices.Equal) {
		t.Error("another seed gives the same data")
	}
	// More users do not change the others.
	_, more := smallWorld(t, func(c *Config) { c.World.Users = 400 })
	for u := range w.Users {
		if !slices.Equal(w.Users[u].Importances, more.Users[u].Importances) || !slices.Equal(w.Users[u].Steps, more.Users[u].Steps) {
			t.Fatalf("user %d differs with more users", u)
		}
	}
}

// A record keeps the configuration as JSON, and a run opens the data from that.
func TestWorldFromConfiguration(t *testing.T) {
	doc, err := conf.Parse("x.toml", []byte("format = \"facets\"\nworld = { users = 300, items = 150, labels = 10, noise = 0, stickiness = 0.0, repeats = true }\n"))
	if err != nil {
		t.Fatal(err)
	}
	c := Config{Name: "world"}
	if err := conf.Decode(doc, &c); err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	var recorded Config
	if err := json.Unmarshal(text, &recorded); err != nil {
		t.Fatal(err)
	}
	a, w := smallWorld(t, func(to *Config) { *to = c })
	b, _ := smallWorld(t, func(to *Config) { *to = recorded })
	if *w.Config.Noise != 0 || *w.Config.Stickiness != 0 || !w.Config.Repeats || a.Fingerprint() != b.Fingerprint() {
		t.Errorf("%s gives %s and %s, with %+v", text, a.Fingerprint(), b.Fingerprint(), w.Config)
	}
	again, err := a.Config.Resolve()
	if err != nil || again != a.Config {
		t.Errorf("resolving twice gives %+v, %v", again, err)
	}
}

func TestWorldDefaults(t *testing.T) {
	c, err := Config{Name: "world", Format: worldFormat}.Resolve()
	if err != nil {
		t.Fatal(err)
	}
	w := c.World
	got := fmt.Sprint(w.Users, w.Items, w.Facets, w.Labels, w.LabelSkew, *w.ItemSkew, w.Concentration, w.Preferred, *w.Stickiness, *w.Noise, w.Length, w.MinLength, w.Repeats, w.Seed)
	if want := "10000 2000 4 20 0 1 1 2 0.5 0.1 20 5 false 0"; got != want {
		t.Errorf("%s, expected %s", got, want)
	}
	// Defaults that depend on other keys.
	c, err = Config{Name: "world", Format: worldFormat, World: WorldConfig{Labels: 1, Length: 3}}.Resolve()
	if err != nil || c.World.Preferred != 1 || c.World.MinLength != 3 {
		t.Errorf("%+v, %v", c.World, err)
	}
}

func TestBadWorlds(t *testing.T) {
	nan := math.NaN()
	for _, tc := range []struct {
		change func(*Config)
		want   string
	}{
		{func(c *Config) { c.World.Users = -1 }, "world.users = -1; expected 1 to 10000000"},
		{func(c *Config) { c.World.Items = 1 }, "world.items = 1; expected 2 to"},
		{func(c *Config) { c.World.Facets = 65 }, "world.facets = 65; expected 1 to 64"},
		{func(c *Config) { c.World.Labels = -2 }, "world.labels = -2; expected 1 to"},
		{func(c *Config) { c.World.Preferred = 21 }, "world.preferred = 21 is more than world.labels = 20"},
		{func(c *Config) { c.World.Preferred = -1 }, "world.preferred = -1; expected 1 to"},
		{func(c *Config) { c.World.Length = 2 }, "world.length = 2; expected 3 to"},
		{func(c *Config) { c.World.Length = -2 }, "world.length = -2; expected 3 to"},
		{func(c *Config) { c.World.MinLength = 21 }, "world.min_length = 21 is more than world.length = 20"},
		{func(c *Config) { c.World.Items = 19 }, "world.length = 20 is more than world.items = 19, and items do not repeat; set world.repeats = true"},
		{func(c *Config) { c.World.LabelSkew = -0.5 }, "world.label_skew = -0.5; expected 0 to 10"},
		{func(c *Config) { c.World.ItemSkew = number(11) }, "world.item_skew = 11; expected 0 to 10"},
		{func(c *Config) { c.World.Concentration = -1 }, "world.concentration = -1; expected 0.001 to"},
		{func(c *Config) { c.World.Stickiness = number(1.1) }, "world.stickiness = 1.1; expected 0 to 1"},
		{func(c *Config) { c.World.Stickiness, c.World.Preferred = number(0.6), 1 }, "world.stickiness = 0.6 makes no difference with world.preferred = 1, since the only label is always taken again; leave it out"},
		{func(c *Config) { c.World.Noise = &nan }, "world.noise = NaN; expected 0 to 1"},
		{func(c *Config) { c.World.Seed = -1 }, "world.seed = -1 is negative"},
		{func(c *Config) { c.World.Users, c.World.Length, c.World.Repeats = 10_000_000, 10_000, true }, "expected at most 500000000"},
		{func(c *Config) { c.World.Items, c.World.Facets = 10_000_000, 64 }, "world.items = 10000000 with world.facets = 64"},
		{func(c *Config) { c.World.Labels, c.World.Preferred = 100_000, 100_000 }, "preferred labels in all"},
		{func(c *Config) { c.KCore = 5 }, "k_core and duplicates are not used by format facets"},
		{func(c *Config) { c.Duplicates = "first" }, "k_core and duplicates are not used by format facets"},
		{func(c *Config) { c.Path = "x" }, "path is not used by format facets; remove it (facets uses world)"},
		{func(c *Config) { c.Split = TimeSplit }, "needs times"},
		{func(c *Config) { c.Format, c.Path, c.World.Seed = "s3rec", "x", 1 }, "world is not used by format s3rec"},
	} {
		c := Config{Name: "world", Format: worldFormat}
		tc.change(&c)
		if _, err := Open(c, ""); err == nil || !strings.Contains(err.Error(), tc.want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%v, expected %q", err, tc.want)
		}
	}
}

// Labels are texts and facets of the items, as in other formats. The names of facets and
// labels are known, so that tables and settings can name them.
func TestWorldMetadata(t *testing.T) {
	d, w := smallWorld(t, func(c *Config) { c.World.Facets = 9 })
	m, err := d.Metadata()
	if err != nil || m.Missing != 0 || m.Warnings != nil {
		t.Fatalf("%d missing, warnings %q, %v", m.Missing, m.Warnings, err)
	}
	facets := m.Facets()
	names := []string{"colour", "shape", "material", "size", "style", "pattern", "origin", "season", "facet 9"}
	if len(facets) != len(names) {
		t.Fatalf("%d facets", len(facets))
	}
	for f, facet := range facets {
		if facet.Name != names[f] || w.FacetName(f) != names[f] || !IsFacetName(names[f]) || !facet.Named() {
			t.Errorf("facet %q, in the world %q, expected %q", facet.Name, w.FacetName(f), names[f])
		}
	}
	if IsFacetName("facet 8") || IsFacetName("facet 65") || !IsFacetName("facet 64") || !IsFacetName("brand") {
		t.Error("IsFacetName is wrong")
	}
	for v := 1; v <= d.NumItems; v++ {
		var texts []string
		for f, l := range w.Labels[v] {
			number := fmt.Sprint(l + 1)
			if got := facets[f].Labels[v]; len(got) != 1 || facets[f].Values[got[0]] != number {
				t.Fatalf("item %d has labels %v of facet %d, expected the one named %s", v, got, f+1, number)
			}
			texts = append(texts, names[f]+" "+number)
		}
		texts[8] = strings.Replace(texts[8], "facet 9 ", "facet 9 label ", 1)
		if want := strings.Join(texts, ", "); m.Title[v] != want {
			t.Fatalf("item %d has the text %q, expected %q", v, m.Title[v], want)
		}
	}
}

// World has the ids and the users of the data set, and notices other data.
func TestWorldOfDataset(t *testing.T) {
	d, w := smallWorld(t, func(c *Config) { c.MaxUsers = 20; c.World.Length = 5 })
	if d.NumItems >= 150 || len(w.Users) != 20 || len(w.Labels) != 151 {
		t.Fatalf("%d items, %d users, %d labels", d.NumItems, len(w.Users), len(w.Labels))
	}
	full, v := smallWorld(t, func(c *Config) { c.World.Length = 5 })
	id := map[string]int{} // in the full data
	for i, name := range full.ItemIDs {
		id[name] = i
	}
	for u, seq := range d.Seqs {
		for i, item := range seq {
			of := id[d.ItemIDs[item]]
			if int(full.Seqs[u][i]) != of || w.Popularity[item] != v.Popularity[of] || !slices.Equal(w.Labels[item], v.Labels[of]) {
				t.Fatalf("user %d, position %d: item %d is not item %d of the full data", u, i, item, of)
			}
		}
		p, q := w.Probabilities(u, len(seq)-1), v.Probabilities(u, len(seq)-1)
		for item := 1; item <= d.NumItems; item++ {
			if of := id[d.ItemIDs[item]]; math.Abs(p[item]-q[of]) > 1e-14 {
				t.Fatalf("user %d: item %d has probability %v, in the full data %v", u, item, p[item], q[of])
			}
		}
	}
	d.Seqs[3][0], d.Seqs[3][1] = d.Seqs[3][1], d.Seqs[3][0]
	if _, err := d.World(); err == nil || !strings.Contains(err.Error(), "the sequence of user 4 differs") {
		t.Errorf("other data: %v", err)
	}
	d.Seqs[3][0], d.Seqs[3][1] = d.Seqs[3][1], d.Seqs[3][0]
	// Users are found by their ids, wherever they are in the data.
	d.Seqs[3], d.Seqs[8], d.UserIDs[3], d.UserIDs[8] = d.Seqs[8], d.Seqs[3], d.UserIDs[8], d.UserIDs[3]
	again, err := d.World()
	if err != nil || !slices.Equal(again.Users[3].Importances, w.Users[8].Importances) || !slices.Equal(again.Users[8].Importances, w.Users[3].Importances) {
		t.Errorf("users in another order: %v", err)
	}
	for _, id := range []string{"0", "301", "u1"} {
		d.UserIDs[3] = id
		if _, err := d.World(); err == nil || !strings.Contains(err.Error(), fmt.Sprintf("user %q, expected 1 to 300", id)) {
			t.Errorf("user %q: %v", id, err)
		}
	}
	other := &Dataset{Name: "shop", Config: Config{Format: "csv"}}
	if _, err := other.World(); err == nil || !strings.Contains(err.Error(), `shop: the true preferences are known only for generated data; expected format "facets", got "csv"`) {
		t.Errorf("data that were not generated: %v", err)
	}
}

// The extremes of every parameter give data, and what happened was possible.
func TestExtremeWorlds(t *testing.T) {
	for name, change := range map[string]func(*WorldConfig){
		"one facet":            func(c *WorldConfig) { c.Facets = 1 },
		"most facets":          func(c *WorldConfig) { c.Facets = maxFacets },
		"one label":            func(c *WorldConfig) { c.Labels = 1 },
		"all preferred":        func(c *WorldConfig) { c.Preferred = 10 },
		"never sticky":         func(c *WorldConfig) { c.Stickiness = number(0) },
		"always sticky":        func(c *WorldConfig) { c.Stickiness = number(1) },
		"no noise":             func(c *WorldConfig) { c.Noise = number(0) },
		"noise only":           func(c *WorldConfig) { c.Noise = number(1) },
		"no item has a label":  func(c *WorldConfig) { c.Labels, c.Items, c.Length = 100_000, 20, 5 },
		"few items":            func(c *WorldConfig) { c.Items, c.Repeats = 2, true },
		"all items seen":       func(c *WorldConfig) { c.Items, c.Length, c.MinLength = 30, 30, 30 },
		"all preferred seen":   func(c *WorldConfig) { c.Items, c.Length, c.Noise, c.Facets, c.Preferred = 30, 20, number(0), 1, 1 },
		"steep":                func(c *WorldConfig) { c.ItemSkew, c.LabelSkew = number(10), 10 },
		"flat":                 func(c *WorldConfig) { c.ItemSkew = number(0) },
		"one important facet":  func(c *WorldConfig) { c.Concentration = 0.001 },
		"equal importances":    func(c *WorldConfig) { c.Concentration = 1_000_000 },
		"one user":             func(c *WorldConfig) { c.Users = 1 },
		"shortest":             func(c *WorldConfig) { c.Length = 3 },
		"sticky without noise": func(c *WorldConfig) { c.Stickiness, c.Noise, c.Preferred = number(1), number(0), 2 },
	} {
		d, w := smallWorld(t, func(c *Config) { c.World.Users = 60; change(&c.World) })
		if _, err := NewSplit(d, ""); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		for u, p := range w.Users {
			seen := map[int32]bool{}
			for i, step := range p.Steps {
				q := w.Probabilities(u, i)
				sum := 0.0
				for _, x := range q {
					sum += x
				}
				if !(math.Abs(sum-1) < 1e-12) || !(q[step.Item] > 0) || q[0] != 0 {
					t.Fatalf("%s: user %d, position %d: sum %v, probability of what happened %v, of padding %v", name, u, i, sum, q[step.Item], q[0])
				}
				if seen[step.Item] && !w.Config.Repeats {
					t.Fatalf("%s: user %d, position %d: item %d repeats", name, u, i, step.Item)
				}
				seen[step.Item] = true
			}
			if n := len(p.Steps); n < w.Config.MinLength || w.Config.MinLength == w.Config.Length && n != w.Config.Length {
				t.Fatalf("%s: user %d has %d interactions", name, u, n)
			}
		}
	}
}

func TestExactFunctions(t *testing.T) {
	for x := 1e-300; x < 1e300; x *= 1.37 {
		if got, want := ln(x), math.Log(x); math.Abs(got-want) > 1e-15*math.Max(1, math.Abs(want)) {
			t.Fatalf("ln(%v) = %v, expected %v", x, got, want)
		}
	}
	for x := -690.0; x < 690; x += 0.173 {
		if got, want := exp(x), math.Exp(x); math.Abs(got-want) > 1e-15*want {
			t.Fatalf("exp(%v) = %v, expected %v", x, got, want)
		}
	}
	if exp(0) != 1 || ln(1) != 0 || exp(-701) != 0 {
		t.Errorf("exp(0) = %v, ln(1) = %v, exp(-701) = %v", exp(0), ln(1), exp(-701))
	}
}

// An item that training lacks is a target, which a model can find out and the oracle does not use.
func TestWorldWithUntrainedItems(t *testing.T) {
	none := 0.
	for _, c := range []struct{ users, items int }{{300, 1500}, {3000, 100}} {
		d, err := Open(Config{Name: "world", Format: "facets", World: WorldConfig{Users: c.users, Items: c.items, ItemSkew: &none}}, "")
		if err != nil {
			t.Fatal(err)
		}
		s, err := NewSplit(d, LeaveOneOut)
		if err != nil {
			t.Fatal(err)
		}
		untrained := 0
		for v := 1; v <= d.NumItems; v++ {
			if !slices.ContainsFunc(s.Train, func(seq []int32) bool { return slices.Contains(seq, int32(v)) }) {
				untrained++
			}
		}
		text := strings.Join(d.Warnings, "; ")
		if want := fmt.Sprintf("%d of %d items have no training data", untrained, d.NumItems); (untrained > 0) != (c.users == 300) || strings.Contains(text, want) != (untrained > 0) {
			t.Errorf("%+v: %d items without training data, warnings %q", c, untrained, text)
		}
	}
}

// Sequences of different items cannot be longer than the catalogue, so their mean may be less than
// world.length says.
func TestCappedWorld(t *testing.T) {
	for _, c := range []struct {
		items, length int
		repeats       bool
		want          float64 // 0: no warning
	}{{100, 100, false, 64.9}, {100, 100, true, 0}, {500, 50, false, 0}} {
		d, err := Open(Config{Name: "world", Format: "facets", World: WorldConfig{Users: 4000, Items: c.items, Length: c.length, Repeats: c.repeats}}, "")
		if err != nil {
			t.Fatal(err)
		}
		text := strings.Join(d.Warnings, "; ")
		if want := fmt.Sprintf("the mean is %.1f", c.want); strings.Contains(text, want) != (c.want > 0) || strings.Contains(text, "the mean is") != (c.want > 0) {
			t.Errorf("%+v: %q", c, text)
		}
		interactions := 0
		for _, seq := range d.Seqs {
			interactions += len(seq)
		}
		want := cmp.Or(c.want, float64(c.length))
		if mean := float64(interactions) / 4000; math.Abs(mean-want) > 2 {
			t.Errorf("%+v: a mean of %.1f, expected %.1f", c, mean, want)
		}
	}
}
