package aggregate

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"famebench/internal/conf"
	"famebench/internal/record"
)

// Check compares a published number with ours of the same protocol.
type Check struct {
	Dataset   string  `json:"dataset"`
	Model     string  `json:"model"`
	Metric    string  `json:"metric"`
	Rule      string  `json:"rule"` // "kept", "removed" or "unknown": then the nearer of ours is compared
	Loss      string  `json:"loss"`
	ColdItems string  `json:"cold_items"`
	Source    string  `json:"source"`
	Note      string  `json:"note,omitempty"`
	Published float64 `json:"published"`

	Ours       Cell    `json:"ours"`                // N is 0: not run
	OurRule    string  `json:"our_rule,omitempty"`  // under which it was compared
	OurLoss    string  `json:"our_loss,omitempty"`  // that it was trained with
	OurLabel   string  `json:"our_label,omitempty"` // of the row
	Percent    float64 `json:"percent"`             // ours above the published one
	Within     bool    `json:"within"`              // ±5 %
	Comparable bool    `json:"comparable"`          // the number is not known to be about other data than ours
	Same       bool    `json:"same_terms"`          // and data, protocol and loss are known to be ours, and no epoch budget ended our training
}

// Published holds the numbers and claims of others, from results/published.toml.
// They are never ours, and are only rendered next to ours.
type Published struct {
	numbers []number
	claimed []claimed
	// contrasted are without what the records say of them.
	contrasted []Contrast
	sizes      map[string]size // of our versions of the data sets
	sha256     string          // of the file
}

// size distinguishes a data set from others of its name.
type size struct {
	Users int `toml:"users"`
	Items int `toml:"items"`
}

// number is one published value.
type number struct {
	Check
	otherData   bool // it is about other data than ours
	unknownData bool // the source does not say whether it is
}

// source is a table [numbers.NAME] of the file: the numbers of one source for a
// model.
type source struct {
	Model       string                        `toml:"model"`
	Loss        string                        `toml:"loss"`
	SeenItems   string                        `toml:"seen_items"`
	ColdItems   string                        `toml:"cold_items"`
	Source      string                        `toml:"source"`
	Note        string                        `toml:"note"`
	OtherData   []string                      `toml:"other_data"`
	UnknownData []string                      `toml:"unknown_data"`
	On          map[string]map[string]float64 `toml:"on"` // by data set and metric
}

// unknown is written in published.toml if a source does not report a condition.
const unknown = "unknown"

// ReadPublished reads published.toml; nil if there is no such file.
func ReadPublished(path string) (*Published, error) {
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return parsePublished(filepath.Base(path), text)
}

func parsePublished(name string, text []byte) (*Published, error) {
	root, err := conf.Parse(name, text)
	if err != nil {
		return nil, err
	}
	sum := sha256.Sum256(text)
	p := &Published{sizes: map[string]size{}, sha256: hex.EncodeToString(sum[:])}
	var errs []error
	sections := []string{"data", "numbers", "claims", "contrasts"}
	for _, key := range root.Keys() {
		if !slices.Contains(sections, key) {
			errs = append(errs, root.Table[key].Errorf("unknown key%s", conf.Hint(key, sections)))
		}
	}
	// each calls f with the tables of a section, in the order of the file.
	each := func(section string, f func(name string, n *conf.Node) error) {
		n, err := root.Sub(section)
		errs = append(errs, err)
		for _, name := range n.Keys() {
			sub, err := n.Sub(name)
			if err == nil {
				err = f(name, sub)
			}
			errs = append(errs, err)
		}
	}
	each("data", func(name string, n *conf.Node) error {
		var s size
		if err := conf.Decode(n, &s); err != nil {
			return err
		}
		if s.Users < 1 || s.Items < 1 {
			return n.Errorf("expected users and items, both above 0")
		}
		p.sizes[name] = s
		return nil
	})
	each("numbers", func(_ string, n *conf.Node) error { return p.addSource(n) })
	each("claims", func(_ string, n *conf.Node) error { return p.addClaim(n) })
	each("contrasts", func(_ string, n *conf.Node) error { return p.addContrast(n) })
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	return p, nil
}

func (p *Published) addSource(n *conf.Node) error {
	var s source
	if err := conf.Decode(n, &s); err != nil {
		return err
	}
	for _, key := range []struct {
		name, value string
		known       []string // nil: any text
	}{
		{"model", s.Model, nil},
		{"loss", s.Loss, []string{"ce", "bce", "gbce", "sampled-softmax", unknown}},
		{"seen_items", s.SeenItems, []string{"kept", "removed", unknown}},
		{"cold_items", s.ColdItems, []string{"kept", "dropped", unknown}},
		{"source", s.Source, nil},
	} {
		if key.value == "" {
			return n.Errorf("%s is missing", key.name)
		}
		if key.known != nil && !slices.Contains(key.known, key.value) {
			return n.Table[key.name].Errorf("unknown value %q%s", key.value, conf.Hint(key.value, key.known))
		}
	}
	on := n.Table["on"]
	if len(on.Keys()) == 0 {
		return n.Errorf("there are no numbers: expected, for a data set, on.beauty = { \"HR@10\" = 0.0605 }")
	}
	for _, list := range []struct {
		key  string
		data []string
	}{{"other_data", s.OtherData}, {"unknown_data", s.UnknownData}} {
		for _, data := range list.data {
			if s.On[data] == nil {
				return n.Table[list.key].Errorf("there are no numbers on %q", data)
			}
		}
	}
	for _, data := range s.UnknownData {
		if slices.Contains(s.OtherData, data) {
			return n.Table["unknown_data"].Errorf("%q is in other_data too: expected one of the two", data)
		}
	}
	for _, data := range on.Keys() {
		if _, ok := p.sizes[data]; !ok {
			return on.Table[data].Errorf("unknown data set: a table [data.%s] must give its numbers of users and items", data)
		}
		unknownData, note := slices.Contains(s.UnknownData, data), s.Note
		if len(s.OtherData) > 0 && !slices.Contains(s.OtherData, data) {
			note = "" // it is about the other data
		}
		if unknownData {
			note = strings.TrimPrefix(note+"; the version of the data is unknown", "; ")
		}
		for _, metric := range on.Table[data].Keys() {
			at, v := on.Table[data].Table[metric], s.On[data][metric]
			if !slices.Contains(Columns, metric) {
				return at.Errorf("unknown metric%s", conf.Hint(metric, Columns))
			}
			if !(v > 0 && v <= 1) {
				return at.Errorf("expected a share above 0 and at most 1, got %v", v)
			}
			p.numbers = append(p.numbers, number{
				Check: Check{Dataset: data, Model: s.Model, Metric: metric, Rule: s.SeenItems, Loss: s.Loss,
					ColdItems: s.ColdItems, Source: s.Source, Note: note, Published: v},
				otherData: slices.Contains(s.OtherData, data), unknownData: unknownData,
			})
		}
	}
	return nil
}

// tolerance is how far our number may be from a published one, in percent of
// it.
const tolerance = 5

// checks puts published numbers next to ours, for models and data sets of the
// suite. Ours is the row of the model with the published loss, if there is one; of several,
// see rowFor.
func (p *Published) checks(planned []Planned, tables []Table, groups [][]*group) []Check {
	var out []Check
	for _, n := range p.numbers {
		if !slices.ContainsFunc(planned, func(r Planned) bool {
			return r.Spec.Dataset.Name == n.Dataset && r.Spec.Model == n.Model
		}) {
			continue
		}
		c, isSize := n.Check, false
		var row *group
		for i, t := range tables {
			if t.Dataset == n.Dataset && t.Protocol == "leave-one-out" {
				row = rowFor(groups[i], n.Model, n.Loss)
				isSize = t.Users == p.sizes[t.Dataset].Users && t.Items == p.sizes[t.Dataset].Items
			}
		}
		if row == nil {
			out = append(out, c)
			continue
		}
		c.OurLabel, c.OurLoss = row.Label, row.loss()
		c.Comparable = isSize && !n.otherData && !cold(row.records[0].Result.Spec)
		kept, removed := row.Kept.Metrics[n.Metric], row.Removed.Metrics[n.Metric]
		c.Ours, c.OurRule = removed, "removed"
		if n.Rule == "kept" || n.Rule == unknown && math.Abs(kept.Mean-n.Published) < math.Abs(removed.Mean-n.Published) {
			c.Ours, c.OurRule = kept, "kept"
		}
		if c.Comparable {
			c.Percent = 100 * (c.Ours.Mean/c.Published - 1)
			c.Within = math.Abs(c.Percent) <= tolerance
			c.Same = n.Rule != unknown && n.ColdItems == "kept" && n.Loss == c.OurLoss && !n.unknownData && !row.cutShort()
		}
		out = append(out, c)
	}
	return out
}

// standing finds the row that stands for a model, as rowFor does; nil if the model's own row has no
// records, whatever others have.
func standing(groups []*group, model string) *group {
	if g := rowFor(groups, model, ""); g != nil && g.stands {
		return g
	}
	return nil
}

// rowFor finds one row of a model: of those with a loss, if there are any, the one that stands for
// the model. Among several it is one with the most seeds, so that a variant that was lucky once is
// not it, and of these the one that is best on validation.
func rowFor(groups []*group, model, loss string) *group {
	one := func(b bool) int {
		if b {
			return 1
		}
		return 0
	}
	order := func(g, h *group) int {
		return cmp.Or(cmp.Compare(one(g.loss() == loss), one(h.loss() == loss)), cmp.Compare(one(g.stands), one(h.stands)),
			cmp.Compare(len(g.records), len(h.records)), cmp.Compare(g.Valid.Mean, h.Valid.Mean))
	}
	var best *group
	for _, g := range groups {
		if g.Model == model && (best == nil || order(g, best) > 0) {
			best = g
		}
	}
	return best
}

// onDevice are the rows that can be paired with one by seed, since they ran on the same device.
func onDevice(groups []*group, own *group) []*group {
	return slices.DeleteFunc(slices.Clone(groups), func(g *group) bool { return g.imported != nil || g.device() != own.device() })
}

// cold reports whether items are taken out of a run's training, which no published
// numbers do.
func cold(s record.Spec) bool {
	_, ok := s.Dataset.Config["cold_items"]
	return ok
}

// cutShort reports whether the epoch budget ended a run of a row, so more training might have
// led to other numbers.
func (g *group) cutShort() bool {
	return slices.ContainsFunc(g.records, func(r *record.Record) bool { return r.Result.Status == record.Epochs })
}

// loss is the training loss of a row; "" for non-neural baselines.
func (g *group) loss() string { return plain(setting(g.records[0], "train.loss")) }
