package record

import (
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"slices"
)

// chosenBy is the validation metric by which training chooses its best epoch; the first
// of equal epochs is chosen.
const chosenBy = "NDCG@10"

// check refuses content that no run writes even if the hash of the result is right: a
// hash is not a signature, and anybody who edits a record can compute it. raw is the
// result as it is in the file.
func (r *Record) check(raw json.RawMessage) error {
	res, spec := r.Result, r.Result.Spec
	for _, name := range []struct{ kind, name string }{
		{"data set", spec.Dataset.Name}, {"model", spec.Model}, {"fingerprint", spec.Dataset.Fingerprint},
	} {
		if err := CheckName(name.kind, name.name); err != nil {
			return err
		}
	}
	id, err := rawID(spec, raw)
	if err != nil {
		return err
	}
	if id != r.ID {
		return fmt.Errorf("its spec is that of another run: expected the id %s, got %s", r.ID, id)
	}
	settings := map[string]Settings{"params": spec.Params, "train": spec.Train}
	if spec.Init != nil {
		settings["pretrain"] = spec.Init.Settings
	}
	for _, section := range slices.Sorted(maps.Keys(settings)) {
		for _, key := range slices.Sorted(maps.Keys(settings[section])) {
			own := Settings{key: settings[section][key]}
			if resolved, ok := r.Resolved[section][key]; ok && !own.Equal(Settings{key: resolved}) {
				return fmt.Errorf("resolved.%s.%s is %.40s, and in the spec it is %.40s: expected the same", section, key, resolved, own[key])
			}
		}
	}
	if !slices.Contains([]Status{Done, Patience, Epochs, Time}, res.Status) {
		return fmt.Errorf("status: expected one of %q, got %.40q", []Status{Done, Patience, Epochs, Time}, res.Status)
	}
	if res.Users < 0 || res.Items < 0 || res.Targets < 0 {
		return fmt.Errorf("users = %d, items = %d, targets = %d: expected none negative", res.Users, res.Items, res.Targets)
	}
	shares := []struct {
		what string
		of   Metrics
	}{{"test, seen items kept", res.Test.Kept}, {"test, seen items removed", res.Test.Removed}}
	if c := res.ColdValidation; c != nil {
		for _, part := range []struct {
			what string
			of   Metrics
		}{{"cold validation", c.Cold}, {"usual validation", c.Usual}} {
			if _, ok := part.of[chosenBy]; !ok || c.Cases < 1 {
				return fmt.Errorf("cold_validation: expected %s of %s of 1 case or more, got %d cases", chosenBy, part.what, c.Cases)
			}
			shares = append(shares, part)
		}
	}
	best, valid, steps := 0, -1., int64(0)
	for i, p := range res.Curve {
		if p.Epoch != i+1 || p.Steps <= steps || math.IsNaN(p.Loss) || math.IsInf(p.Loss, 0) {
			return fmt.Errorf("point %d of the curve is epoch %d after %d steps with loss %v", i+1, p.Epoch, p.Steps, p.Loss)
		}
		steps = p.Steps
		if v, ok := p.Valid[chosenBy]; ok && v > valid {
			best, valid = p.Epoch, v
		}
		shares = append(shares, struct {
			what string
			of   Metrics
		}{fmt.Sprintf("validation of epoch %d", p.Epoch), p.Valid})
	}
	if res.Epochs != len(res.Curve) || res.BestEpoch != best {
		return fmt.Errorf("epochs = %d, best_epoch = %d: expected %d and %d, as the curve says", res.Epochs, res.BestEpoch, len(res.Curve), best)
	}
	for _, s := range shares {
		for _, name := range slices.Sorted(maps.Keys(s.of)) {
			if v := s.of[name]; !(v >= 0 && v <= 1) {
				return fmt.Errorf("%s: %.40q is %v, expected a value in [0, 1]", s.what, name, v)
			}
		}
	}
	return nil
}

// rawID computes the id of a spec from the JSON of its result, as Spec.ID does for
// the struct. A field that only a newer build knows counts too.
func rawID(s Spec, result json.RawMessage) (string, error) {
	var raw struct {
		Spec map[string]json.RawMessage `json:"spec"`
	}
	if err := json.Unmarshal(result, &raw); err != nil {
		return "", err
	}
	var dataset map[string]json.RawMessage
	if err := json.Unmarshal(raw.Spec["dataset"], &dataset); err != nil || dataset == nil {
		return "", fmt.Errorf("its spec names no data set")
	}
	dataset["name"] = json.RawMessage(`""`)
	delete(dataset, "config")
	b, err := json.Marshal(dataset)
	if err != nil {
		return "", err
	}
	raw.Spec["dataset"] = b
	sum, err := hash(raw.Spec)
	return s.name(sum), err
}
