package main

import (
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Every flag is of use in some mode, and every name in the table is a flag.
func TestEveryFlagHasAMode(t *testing.T) {
	var help strings.Builder
	if _, err := parseFlags([]string{"-help"}, &help); err != nil {
		t.Fatal(err)
	}
	var all []string
	for _, flags := range uses {
		all = append(all, strings.Fields(flags)...)
	}
	for m := range uses {
		all = append(all, string(m))
	}
	all = append(all, "config", "set", "json")
	for line := range strings.Lines(help.String()) {
		if name, ok := strings.CutPrefix(line, "  -"); ok {
			name = strings.Fields(name)[0]
			if !strings.Contains(" "+strings.Join(all, " ")+" ", " "+name+" ") {
				t.Errorf("no mode uses -%s", name)
			}
		}
	}
	for _, name := range all {
		if name != "" && !strings.Contains(help.String(), "\n  -"+name+" ") && !strings.Contains(help.String(), "\n  -"+name+"\n") {
			t.Errorf("-%s is no flag", name)
		}
	}
}

func TestFlagsThatAModeDoesNotUse(t *testing.T) {
	for args, want := range map[string]string{
		// What the user believes to have verified was not.
		"-verify ID -threads 1 -models fame":    "-verify does not use -models, -threads: leave it out",
		"-verify ID -suite quick":               "-verify does not use -suite",
		"-verify ID -seeds 1":                   "-verify does not use -seeds",
		"-verify ID -device cuda":               "-verify does not use -device",
		"-verify ID -jobs 2":                    "-verify does not use -jobs",
		"-verify ID -set train.epochs=2":        "-verify does not use -set train.epochs=2",
		"-verify ID -run X":                     "-verify does not use -run (it goes with -explain or -recommend)",
		"-trec ID -threads 2":                   "-trec does not use -threads",
		"-trec ID -set sasrec.dropout=0":        "-trec does not use -set sasrec.dropout=0",
		"-explain U -run ID -top 3":             "-explain does not use -top (it goes with -recommend or -trec)",
		"-explain U":                            "-explain USER and -run ID go together",
		"-run ID":                               "running a suite does not use -run (it goes with -explain or -recommend)",
		"-report -retry-failed":                 "-report does not use -retry-failed",
		"-report -jobs 2 -yes":                  "-report does not use -jobs, -yes",
		"-report -expect":                       "-report does not use -expect",
		"-cancel -json":                         "-cancel prints no JSON",
		"-list -suite quick":                    "-list does not use -suite",
		"-list -out x":                          "-list does not use -out",
		"-dry-run -top 3":                       "-dry-run does not use -top",
		"-dry-run -analyse":                     "-dry-run does not use -analyse",
		"-report -list":                         "-list and -report exclude each other",
		"-models fame -models sasrec":           `-models: the flag is given twice, first as "fame"`,
		"-threads 1 -threads 2":                 `-threads: the flag is given twice, first as "1"`,
		"-verify=":                              "-verify: the value is empty",
		"-models=":                              "-models: the value is empty",
		"-out=":                                 "-out: the value is empty",
		"-jobs 0":                               "-jobs: expected 1 to 1024",
		"-jobs -2":                              "-jobs: expected 1 to 1024",
		"-jobs 100000":                          "-jobs: expected 1 to 1024",
		"-threads 1000000":                      "-threads: expected 1 to 1024",
		"-seeds 99999999999999999999":           "-seeds: ",
		"-json -verify ID -analyse":             "-verify does not use -analyse",
		"-trec ID -set datasets.a.path -strict": "-trec does not use -strict",
		"-compare a":                            `-compare: expected two values, as in -compare main/duorec main/fame, got "a" only`,
		"-compare a b c":                        `unexpected argument "c"`,
		"-compare a -json":                      "-compare: expected two values",
		"-compare a b -suite quick":             "-compare does not use -suite",
		"-compare a b -check c":                 "-compare and -check exclude each other",
		"-import a":                             "-import: expected a name and a file",
		"-import a b":                           "-import: expected the data set of the lists, as in -datasets beauty, got 0",
		"-import a b -datasets c,d":             "-import: expected the data set of the lists, as in -datasets beauty, got 2",
		"-import a b -datasets c":               "-import: expected the rule for items of the user's history",
		"-import a b -datasets c -seen both":    `-seen removed or -seen kept, got "both"`,
		"-import a b -datasets c -seen kept -seeds 1,2": "-import: expected the seed of the training behind the lists",
		"-seen kept":              "running a suite does not use -seen (it goes with -import)",
		"-check a -out b -report": "-report and -check exclude each other",
	} {
		if _, err := parseFlags(strings.Fields(args), io.Discard); exitCode(err) != exitUsage || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", args, err, want)
		}
	}
	for _, args := range []string{
		"-threads 1 -threads 1", "-set a.b=1 -set a.c=2", "-yes -yes", "-analyse=false -list", "-report -threads 7 -device cuda -strict",
		"-dry-run -jobs 4 -yes -retry-failed -expect", "-verify ID -out x -json -config c -set datasets.mine.path=there", "-trec ID -top 5",
		"-explain U -run ID -set pretrain.encoder=there", "-list -set train.epochs=2", "-compare a b -json -out c", "-json -compare=a b",
		"-import a b -datasets c -seen kept -seeds 1 -json", "-check a -json",
	} {
		if _, err := parseFlags(strings.Fields(args), io.Discard); err != nil {
			t.Errorf("%s: %v", args, err)
		}
	}
}

func TestFlagsThatAKindDoesNotUse(t *testing.T) {
	dir := tiny(t)
	path := filepath.Join(dir, "experiments.toml")
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	write(t, path, string(text)+`
[suites.cost]
kind = "cost"
models = ["popularity"]
datasets = ["tiny"]
[suites.tune]
kind = "tune"
models = ["sasrec"]
datasets = ["tiny"]
[suites.tune.axes]
"sasrec.dropout" = [0.1, 0.2]
`)
	for args, want := range map[string]string{
		"-suite cost -jobs 2":                     `kind "cost", which does not use -jobs`,
		"-suite cost -retry-failed -yes":          `does not use -retry-failed, -yes`,
		"-suite cost -analyse":                    `does not use -analyse`,
		"-suite cost -report":                     `does not use -report`,
		"-suite cost -seeds 0,1":                  `measures with one seed, got 2`,
		"-suite tune -analyse":                    `kind "tune", which does not use -analyse`,
		"-suite tune -expect":                     `does not use -expect`,
		"-suite quick -expect":                    `kind "compare", which does not use -expect`,
		"-models sasrec,sasrec":                   `"sasrec"`,
		"-seeds 0,0":                              `seed 0`,
		"-seeds -1":                               `expected seeds of 0 or more, got -1`,
		"-datasets tiny,tiny":                     `"tiny"`,
		"-set train.epochs=2 -set train.epochs=3": "train.epochs is given twice",
		"-set sasrec.dropout=0.3 -set models.sasrec.dropout=0.4": "models.sasrec.dropout is given twice, first in -set sasrec.dropout=0.3",
		"-out tiny.csv": "expected a folder for results",
	} {
		words := strings.Fields(args)
		for i, w := range words {
			if w == "tiny.csv" {
				words[i] = filepath.Join(dir, w)
			}
		}
		if _, _, err := runBench(t, dir, words...); exitCode(err) != exitUsage || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", args, err, want)
		}
	}
	if _, err := os.Stat(filepath.Join(dir, "results")); err == nil {
		t.Error("something ran: there is a results folder")
	}
}

// A flag is not taken for the value of the one before it, whose own was forgotten. Options of sbatch begin
// with dashes, and names may.
func TestForgottenValues(t *testing.T) {
	for args, want := range map[string]string{
		"-models popularity -out -dry-run":                     "-out: expected a value, got the flag -dry-run",
		"-suite --report":                                      "-suite: expected a value, got the flag --report",
		"-set train.epochs=2 -set quick.seeds=[1]":             "",
		"-engine slurm -workers 2 -slurm --threads=2 -dry-run": "",
		"-recommend -run a -history -x":                        "",
	} {
		_, err := parseFlags(strings.Fields(args), io.Discard)
		if (err != nil) != (want != "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, expected %q", args, err, want)
		}
	}
}
