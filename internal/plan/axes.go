package plan

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"famebench/internal/conf"
	"famebench/internal/registry"
	"famebench/internal/train"
)

// Axis is a setting that a suite varies. It is named after a hyper-parameter of
// every model that has it ("heads"), a hyper-parameter of one model, without its
// variants ("fame.heads"), or a training setting ("train.learning_rate").
type Axis struct {
	Name   string `json:"name"`
	Values []any  `json:"values"`
	where  string // in the configuration
	rung   bool   // it ends runs at a rung of a search, and is none of the suite's
}

// mostValues is how many values an axis may have; each is checked for every model.
const mostValues = 100

// point is a place on a suite's axes: values for some of them. The zero point
// changes nothing of what is configured.
type point struct {
	axes   []Axis
	values []any // of axes
}

func (p point) with(a Axis, value any) point {
	return point{append(slices.Clone(p.axes), a), append(slices.Clone(p.values), value)}
}

// configured reports whether a point changes no setting but the epochs of a rung.
func (p point) configured() bool {
	return !slices.ContainsFunc(p.axes, func(a Axis) bool { return !a.rung })
}

func (p point) String() string {
	var s []string
	for i, a := range p.axes {
		s = append(s, fmt.Sprintf("%s = %v", a.Name, p.values[i]))
	}
	return strings.Join(s, ", ")
}

// readAxes reads [suites.S.axes] of every layer. The list of a stronger layer
// replaces that of a weaker one.
func (c *Config) readAxes(s Suite) ([]Axis, error) {
	var axes []Axis
	var errs []error
	for _, layer := range c.layers() {
		n, err := layer.Sub("suites", s.Name, "axes")
		if err != nil {
			return nil, err
		}
		here := map[string]string{} // where this layer gives an axis
		for path, value := range n.Leaves() {
			a := Axis{Name: strings.Join(path, "."), where: value.Where}
			if first, ok := here[a.Name]; ok {
				errs = append(errs, fmt.Errorf("%s: axis %s of suite %s is given twice, with and without quotes, first in %s", a.where, a.Name, s.Name, first))
			}
			here[a.Name] = a.where
			if err := c.readAxis(s, &a, value); err != nil {
				errs = append(errs, err)
			}
			if i := slices.IndexFunc(axes, func(b Axis) bool { return a.Name == b.Name }); i >= 0 {
				axes[i] = a
			} else {
				axes = append(axes, a)
			}
		}
	}
	return axes, errors.Join(append(errs, c.checkGrid(s, axes))...)
}

// checkGrid refuses two axes that set one setting of a model at the same point: only one of them
// would have an effect.
func (c *Config) checkGrid(s Suite, axes []Axis) error {
	for _, model := range s.Models {
		e, _ := registry.Find(c.registry, model)
		set := map[string]Axis{}
		for _, a := range axes {
			path, ok := c.axisPath(s, e, a)
			if !ok || !s.combines(a) {
				continue
			}
			setting := strings.Join(path[2:], ".")
			if other, ok := set[setting]; ok {
				return fmt.Errorf("%s: suites.%s.axes: %s and %s set the same setting of %s, and a grid combines them: leave one out", a.where, s.Name, other.Name, a.Name, model)
			}
			set[setting] = a
		}
	}
	return nil
}

func (c *Config) readAxis(s Suite, a *Axis, n *conf.Node) error {
	list, ok := n.Value.([]any)
	if !ok || len(list) == 0 {
		return n.Errorf("expected a list of one value or more, as in heads = [1, 2, 4]")
	}
	if len(list) > mostValues {
		return n.Errorf("expected an axis of at most %d values, got %d", mostValues, len(list))
	}
	seen := map[string]bool{}
	for _, v := range list {
		text := fmt.Sprint(v)
		if seen[text] {
			return n.Errorf("the value %v is listed twice", v)
		}
		seen[text] = true
	}
	a.Values = list
	for _, key := range localSettings {
		if strings.HasSuffix("."+a.Name, ".train."+key) {
			return n.Errorf("%s makes no difference to a result, so there is nothing to compare: leave it out", key)
		}
	}
	if s.Kind == KindTune && strings.HasSuffix("."+a.Name, ".pretrain.encoder") {
		return n.Errorf("a search cannot choose a folder, which is another one on every machine: compare encoders in a suite of kind %q", KindCompare)
	}
	if s.Kind == KindTune && strings.HasSuffix("."+a.Name, ".train.epochs") && slices.ContainsFunc(s.Rungs, func(epochs int) bool { return epochs > 0 }) {
		return n.Errorf("the rungs of the suite set the number of epochs: leave it out, or search with rungs = [0]")
	}
	if !c.anyHas(s, *a) {
		return n.Errorf("no model of the suite has this setting%s", c.nearest(s, a.Name))
	}
	// The types of the values are checked now. Whether a model accepts them is
	// checked for each combination by the plan.
	for _, model := range s.Models {
		e, _ := registry.Find(c.registry, model)
		if path, ok := c.axisPath(s, e, *a); ok {
			for _, v := range list {
				at, err := c.at(s, e, point{}.with(*a, v))
				if err != nil {
					return err
				}
				var errs []error
				switch {
				case path[0] == "models":
					n, err := at.point.Sub(path[:2]...)
					errs = append(errs, err, at.checkModel(at.point, n, path[1]))
				case path[2] == "pretrain":
					errs = append(errs, at.checkInit(path[:len(path)-1]...))
				default:
					errs = append(errs, at.checkTrain(path[:len(path)-1]...))
				}
				if err := errors.Join(errs...); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// nearest names the setting of a suite's models that an axis may mean, or says where all
// are listed.
func (c *Config) nearest(s Suite, axis string) string {
	var known []string
	for _, model := range s.Models {
		e, _ := registry.Find(c.registry, model)
		known = append(known, e.Settings()...)
	}
	defaults := train.Defaults()
	known = append(known, conf.Names(&defaults)...)
	if hint := conf.Hint(axis[strings.LastIndex(axis, ".")+1:], known); strings.HasPrefix(hint, "; did") {
		return hint
	}
	return "; name one that bench -list shows, as in heads, duorec.temperature or train.learning_rate"
}

// anyHas reports whether a model of the suite has the setting of an axis.
func (c *Config) anyHas(s Suite, a Axis) bool {
	return slices.ContainsFunc(s.Models, func(model string) bool {
		e, _ := registry.Find(c.registry, model)
		_, ok := c.axisPath(s, e, a)
		return ok
	})
}

// axisPath returns the path at which an axis of a suite sets a model's value. ok is
// false if the model does not have the setting, fixes it as a variant, or is a
// variant to which it makes no difference.
func (c *Config) axisPath(s Suite, e registry.Entry, a Axis) (path []string, ok bool) {
	if e.Neural == nil {
		return nil, false
	}
	parts := strings.Split(strings.TrimPrefix(a.Name, "models."), ".")
	key := parts[len(parts)-1]
	switch trained := len(parts) > 1 && (parts[len(parts)-2] == "train" || parts[len(parts)-2] == "pretrain"); {
	case len(parts) == 2 && parts[0] == "pretrain" && !initDependsOn(e, key):
		return nil, false
	case len(parts) == 2 && trained:
		return append([]string{"suites", s.Name}, parts...), true
	case len(parts) == 3 && trained && parts[0] == e.Name:
		return append([]string{"models"}, parts...), true
	case len(parts) == 1, len(parts) == 2 && parts[0] == e.Name: // a hyper-parameter
	default:
		return nil, false
	}
	if !slices.Contains(e.Settings(), key) {
		return nil, false
	}
	if slices.ContainsFunc(a.Values, func(v any) bool {
		n := conf.NewTable(a.where)
		return n.Put([]string{key}, a.where, v) == nil && checkFixed(e, n) != nil
	}) {
		return nil, false
	}
	return []string{"models", e.Name, key}, true
}

// initDependsOn reports whether the model's initialisation from texts depends on a
// setting. A variant without contrast does not depend on the settings of the contrast.
func initDependsOn(e registry.Entry, key string) bool {
	return e.Text && !e.InitDefaults().Ignores(key)
}

// at returns the configuration at a point of a suite's axes.
func (c *Config) at(s Suite, e registry.Entry, p point) (*Config, error) {
	if len(p.axes) == 0 {
		return c, nil
	}
	at := *c
	at.point = conf.NewTable("axes")
	for i, a := range p.axes {
		path, ok := c.axisPath(s, e, a)
		if !ok {
			return nil, fmt.Errorf("%s: %s has no setting %q", a.where, e.Name, a.Name)
		}
		if err := at.point.Put(path, a.where, p.values[i]); err != nil {
			return nil, err
		}
	}
	return &at, nil
}

// combines reports whether the suite tries the values of an axis with those of others, and not
// each on its own.
func (s Suite) combines(a Axis) bool { return s.Grid && !slices.Contains(s.Alone, a.Name) }

// points lists the places on a suite's axes where a model is run on a data set: all
// combinations, or the configured values and each axis on its own. The axes in
// Suite.Alone come after the combinations of the others.
func (c *Config) points(s Suite, e registry.Entry, dataset string) []point {
	points, alone := []point{{}}, []point(nil)
	if slices.Contains(s.Alone, dataset) {
		return points
	}
	for _, a := range s.Axes {
		if _, ok := c.axisPath(s, e, a); !ok {
			continue
		}
		single := !s.combines(a)
		var more []point
		for _, v := range a.Values {
			if single {
				alone = append(alone, point{}.with(a, v))
				continue
			}
			for _, p := range points {
				more = append(more, p.with(a, v))
			}
		}
		if !single {
			points = more
		}
	}
	return append(points, alone...)
}
