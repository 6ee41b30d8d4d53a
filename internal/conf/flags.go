package conf

import (
	"flag"
	"fmt"
)

// once is the value of a flag that must not be given twice with different values, because
// the first one would be ignored.
type once struct {
	flag.Value
	given bool
	text  string
}

func (v *once) Set(s string) error {
	if v.given && v.text != s {
		return fmt.Errorf("the flag is given twice, first as %q; expected one value (a list has commas)", v.text)
	}
	v.given, v.text = true, s
	if s == "" {
		return fmt.Errorf("the value is empty; leave the flag out, or check the variable that it comes from")
	}
	return v.Value.Set(s)
}

// IsBoolFlag tells package flag that flags such as -yes need no value.
func (v *once) IsBoolFlag() bool {
	b, ok := v.Value.(interface{ IsBoolFlag() bool })
	return ok && b.IsBoolFlag()
}

// ParseFlags parses a command line in which only one flag may be repeated, and returns the
// flags that it gives. A flag that is switched off, as in -json=false, is not given.
func ParseFlags(fs *flag.FlagSet, args []string, repeated string) (map[string]bool, error) {
	plain := map[*flag.Flag]flag.Value{}
	fs.VisitAll(func(f *flag.Flag) {
		if f.Name != repeated {
			plain[f] = f.Value
			f.Value = &once{Value: f.Value}
		}
	})
	err := fs.Parse(args)
	for f, v := range plain { // the help prints defaults by the type of the value
		f.Value = v
	}
	given := map[string]bool{}
	fs.Visit(func(f *flag.Flag) {
		if f.Value.String() != "false" {
			given[f.Name] = true
		}
	})
	return given, err
}
