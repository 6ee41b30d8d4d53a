package record

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"strings"
)

// Spec is everything that decides a run's result, and nothing else. Settings at
// their default are left out, so that a setting added later changes no old id.
// A changed default must therefore raise a version.
type Spec struct {
	Dataset        Dataset  `json:"dataset"`
	Protocol       string   `json:"protocol"` // split: "leave-one-out", "ratio", "time" or "given"
	Model          string   `json:"model"`
	Params         Settings `json:"params,omitempty"`
	Train          Settings `json:"train,omitempty"`
	NonNeural      bool     `json:"floor,omitempty"`    // a non-neural baseline: nothing is trained, no training settings apply
	ValidationOnly bool     `json:"untested,omitempty"` // validation-only, as in the trials of a search: the test items are not ranked
	Init           *Init    `json:"start,omitempty"`
	Source         *Source  `json:"source,omitempty"`
	Seed           int64    `json:"seed"`
	Device         string   `json:"device"` // class: "cpu" or "cuda"
	// Threads is how many threads a run of an older version had, when each thread drew random
	// numbers of its own. It is 0 since the number of threads changes rounding only.
	Threads  int      `json:"threads,omitempty"`
	Versions Versions `json:"versions"`
}

// Dataset describes the data of a run. Only the fingerprint of the processed
// sequences and the hash of the split are part of the id: the same data under
// another name or path are the same.
type Dataset struct {
	Name        string `json:"name"`
	Fingerprint string `json:"fingerprint"`
	// Split is datasets.Split.Fingerprint if Fingerprint alone does not decide the
	// split: it depends on times or shares. Empty for leave-one-out and given splits.
	Split  string   `json:"split,omitempty"`
	Config Settings `json:"config,omitempty"` // how to open it again
}

// Versions are raised by hand when a change of the code changes numbers.
type Versions struct {
	Model int `json:"model"`
	Train int `json:"train,omitempty"`
	Rank  int `json:"rank"`
}

// String names the versions.
func (v Versions) String() string {
	return fmt.Sprintf("model %d, train %d, rank %d", v.Model, v.Train, v.Rank)
}

// Init says how the item table is initialised from the items' texts; nil: at
// random.
type Init struct {
	Settings Settings `json:"settings,omitempty"` // of pre-training
	Texts    string   `json:"texts,omitempty"`    // SHA-256 of the items' texts; "" if they are not read
	Facets   string   `json:"facets,omitempty"`   // SHA-256 of the facets that are learned and of the items' labels; "" if there are none
	Encoder  string   `json:"encoder,omitempty"`  // fingerprint of the text encoder; "" if texts are not read
	Version  int      `json:"version"`            // of the pre-training code
}

// Source is the experiment whose trained weights a run begins with; nil: with random ones.
// It holds what the spec of the source's run has of its own. Its data, protocol, seed and
// device are those of the run that begins with it.
type Source struct {
	Model    string   `json:"model"`
	Params   Settings `json:"params,omitempty"`
	Train    Settings `json:"train,omitempty"`
	Init     *Init    `json:"start,omitempty"`
	Source   *Source  `json:"source,omitempty"`
	Versions Versions `json:"versions"`
}

// AsSource describes the spec to runs that begin with its weights.
func (s Spec) AsSource() *Source {
	return &Source{s.Model, s.Params, s.Train, s.Init, s.Source, s.Versions}
}

// OfSource is the spec of the run whose weights a run with this spec begins with. It is not
// ok if there is none.
func (s Spec) OfSource() (source Spec, ok bool) {
	from := s.Source
	if from == nil {
		return Spec{}, false
	}
	source = Spec{Dataset: s.Dataset, Protocol: s.Protocol, ValidationOnly: s.ValidationOnly, Seed: s.Seed, Device: s.Device}
	source.Model, source.Params, source.Train, source.Init, source.Source, source.Versions =
		from.Model, from.Params, from.Train, from.Init, from.Source, from.Versions
	return source, true
}

// UntrainedItems is the key, among the settings of an initialisation from texts, of the rule for
// items that never occur in training. It replaces their rows after training.
const UntrainedItems = "untrained_items"

// AsTrained is the spec without that rule: runs with the same one share their training.
func (s Spec) AsTrained() Spec {
	if s.Init != nil {
		initial := *s.Init
		initial.Settings = maps.Clone(initial.Settings)
		delete(initial.Settings, UntrainedItems)
		s.Init = &initial
	}
	return s
}

// Settings maps keys to JSON values; keys at their default are absent.
type Settings map[string]json.RawMessage

// World is the key of the parameters of generated data among the settings of models that know
// them.
const World = "world"

// Equal compares by value; none and empty are equal.
func (s Settings) Equal(t Settings) bool {
	return maps.EqualFunc(s, t, func(x, y json.RawMessage) bool {
		p, err1 := Canonical(x)
		q, err2 := Canonical(y)
		return err1 == nil && err2 == nil && bytes.Equal(p, q)
	})
}

// hashed is the part of a spec that the id is hashed from.
func (s Spec) hashed() Spec {
	s.Dataset = Dataset{Fingerprint: s.Dataset.Fingerprint, Split: s.Dataset.Split}
	return s
}

// ID names a run: data set, model and seed for people, then eight hexadecimal
// digits of the hash of the canonical spec. Example: beauty-sasrec-s0-1a2b3c4d.
func (s Spec) ID() (string, error) {
	sum, err := hash(s.hashed())
	if err != nil {
		return "", fmt.Errorf("record: id of %s on %s: %w", s.Model, s.Dataset.Name, err)
	}
	return s.name(sum), nil
}

// name is the id of a spec with a hash.
func (s Spec) name(sum string) string {
	return fmt.Sprintf("%s-%s-s%d-%.8s", s.Dataset.Name, s.Model, s.Seed, sum)
}

// Same reports whether two specs are of the same run. Equal ids are not enough, because
// a part of a hash can be equal by chance.
func (s Spec) Same(other Spec) (bool, error) {
	a, err1 := Canonical(s.hashed())
	b, err2 := Canonical(other.hashed())
	return bytes.Equal(a, b), errors.Join(err1, err2)
}

// ExperimentKey returns a key that specs share if they differ only in seed, device and, in
// older versions, thread count: the same experiment.
func (s Spec) ExperimentKey() (string, error) {
	s = s.hashed()
	s.Seed, s.Device = 0, ""
	return hash(struct { // files of expected results have keys from when every spec had a thread count
		Spec
		Threads int `json:"threads"`
	}{Spec: s})
}

// RunKey returns the run key: specs share it if they differ only in device and
// thread count, as the same run on two machines does.
func (s Spec) RunKey() (string, error) {
	key, err := s.ExperimentKey()
	return fmt.Sprintf("%s\x00%s\x00%d", key, s.Dataset.Name, s.Seed), err
}

// Diff returns the settings of a struct, by their JSON names, whose values are
// not the defaults. Both must be pointers to the same struct type.
func Diff(defaults, value any) (Settings, error) {
	base, err := All(defaults)
	if err != nil {
		return nil, err
	}
	all, err := All(value)
	if err != nil {
		return nil, err
	}
	diff := Settings{}
	for key, v := range all {
		if !bytes.Equal(v, base[key]) {
			diff[key] = v
		}
	}
	for key := range base {
		if _, ok := all[key]; !ok { // omitempty would hide a zero that is not the default
			return nil, fmt.Errorf("record: setting %q of %T has omitempty in its json tag", key, value)
		}
	}
	return diff, nil
}

// Apply sets the settings in the struct that dst points to; it should hold the
// defaults. An unknown key is an error, because the spec was made by other
// code.
func (s Settings) Apply(dst any) error {
	b, err := json.Marshal(s)
	if err != nil {
		return err
	}
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	if err := d.Decode(dst); err != nil {
		return fmt.Errorf("record: settings do not fit this build: %w", err)
	}
	return nil
}

// All returns every setting of a struct by its JSON name.
func All(v any) (Settings, error) {
	b, err := json.Marshal(v)
	if err != nil {
		return nil, err
	}
	var s Settings
	return s, json.Unmarshal(b, &s)
}

// Canonical returns the canonical JSON of v: no white space, keys sorted, HTML
// characters unescaped, numbers as encoding/json prints them.
func Canonical(v any) ([]byte, error) {
	var b bytes.Buffer
	if err := encode(&b, v); err != nil {
		return nil, err
	}
	d := json.NewDecoder(&b)
	d.UseNumber()
	var tree any
	if err := d.Decode(&tree); err != nil {
		return nil, err
	}
	b.Reset()
	if err := encode(&b, tree); err != nil { // maps are written with sorted keys
		return nil, err
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), nil
}

func encode(b *bytes.Buffer, v any) error {
	e := json.NewEncoder(b)
	e.SetEscapeHTML(false)
	return e.Encode(v)
}

// hash returns the SHA-256 of the canonical JSON of v in hexadecimal digits.
func hash(v any) (string, error) {
	b, err := Canonical(v)
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:]), nil
}

// Hash returns the hash that decides whether two records are the same.
func (r Result) Hash() (string, error) { return hash(r) }

// pretty breaks compact JSON into lines down to a depth of three, so that a
// record reads and diffs well: one line for each epoch of the curve, not for
// each metric of each epoch.
func pretty(compact []byte) []byte {
	const depthLimit = 3
	var out bytes.Buffer
	depth, inString, escaped := 0, false, false
	newline := func() { out.WriteString("\n" + strings.Repeat(" ", depth)) }
	for i, c := range compact {
		if inString {
			out.WriteByte(c)
			switch {
			case escaped:
				escaped = false
			case c == '\\':
				escaped = true
			case c == '"':
				inString = false
			}
			continue
		}
		switch c {
		case '{', '[':
			out.WriteByte(c)
			depth++
			if depth <= depthLimit && compact[i+1] != c+2 { // '}' is '{'+2, ']' is '['+2
				newline()
			}
		case '}', ']':
			depth--
			if depth < depthLimit && compact[i-1] != c-2 {
				newline()
			}
			out.WriteByte(c)
		case ',':
			out.WriteByte(c)
			if depth <= depthLimit {
				newline()
			} else {
				out.WriteByte(' ')
			}
		case ':':
			out.WriteString(": ")
		default:
			inString = c == '"'
			out.WriteByte(c)
		}
	}
	out.WriteByte('\n')
	return out.Bytes()
}
