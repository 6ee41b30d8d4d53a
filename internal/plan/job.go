package plan

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"

	"famebench/internal/code"
	"famebench/internal/record"
	"famebench/internal/registry"
	"famebench/internal/train"
)

// Job is what a child process reads from its standard input.
type Job struct {
	Kind string `json:"kind"` // KindCompare or KindCost
	// Steps of KindCost: so many training steps are timed one by one, and scoring is measured
	// folded and with each head on its own. 0: a whole epoch is timed.
	Steps int         `json:"steps,omitempty"`
	Spec  record.Spec `json:"spec"`
	// Local are training settings that decide when a run stops or saves, not
	// what it computes; they are not part of the id.
	Local  record.Settings `json:"local,omitempty"`
	Device string          `json:"device"` // as requested, such as "cuda:1"
	// Threads is how many threads the run gets; like Local, it is not part of the id.
	Threads int    `json:"threads"`
	Root    string `json:"root"` // where relative paths of data sets begin
	Out     string `json:"out"`  // results folder
	Source  Source `json:"source"`
	// Code is the hash of the sources that decide the model's results. The child is the
	// same program and computes it itself.
	Code string `json:"-"`
	// Again: a record made by other code, or of a run that began with other weights than its source
	// has now, is replaced. Otherwise it is used.
	Again bool `json:"again,omitempty"`
	// UnpackLimit is that of the data set; like Local it is not part of the id.
	UnpackLimit int `json:"unpack_limit,omitempty"`
	// Moved says how to open the data of a recorded run if Spec's way fails: as the file
	// Config describes the data set of that name.
	Moved  record.Settings `json:"moved,omitempty"`
	Config string          `json:"config,omitempty"`
	// Encoder is the folder of the text encoder, for a run that is initialised
	// from texts; "" is where scripts/fetch-encoder.sh puts it.
	Encoder string `json:"encoder,omitempty"`
	// WeightsIn is the results folder with the weights that the run begins with; "" is Out.
	WeightsIn string `json:"weights_in,omitempty"`

	// KeepCheckpoint: the checkpoint stays at the end, since another run continues from it.
	// ContinueFrom is the id of a run whose checkpoint the run continues from if it is there: a
	// shorter one with the same settings, or one that differs after training only. Neither
	// changes a result.
	KeepCheckpoint bool   `json:"keep_checkpoint,omitempty"`
	ContinueFrom   string `json:"continue_from,omitempty"`

	// While a run is planned:
	items int             // of the data set; 0: not known
	idle  record.Settings // that are not the defaults, and make no difference with the others
}

// localSettings are the training settings in Job.Local. A run that its time
// limit stops is marked. A run that it does not stop equals the run without a
// limit, so both have the same id.
var localSettings = []string{"time_limit", "checkpoint_every"}

// Source is the state of the source tree when the program starts. ("go run"
// stamps no version into the binary, so it is read from git.)
type Source struct {
	Commit string `json:"commit,omitempty"` // empty: not a git checkout, or no git
	Dirty  bool   `json:"dirty,omitempty"`  // uncommitted changes, except in the results folder
	// Changed are the files with uncommitted changes, slash-separated, from the top of the
	// checkout.
	Changed []string `json:"-"`
}

// changedFiles lists the sources of a model that have uncommitted changes.
func (s Source) changedFiles(v code.Version) []string {
	var out []string
	for _, file := range v.Files {
		if slices.ContainsFunc(s.Changed, func(c string) bool { return c == file || strings.HasSuffix(c, "/"+file) }) {
			out = append(out, file)
		}
	}
	return out
}

// Settings returns the hyper-parameters and training settings of a job, with
// every default filled in.
func (j Job) Settings(e registry.Entry) (params any, t train.Config, err error) {
	t = e.TrainDefaults()
	if e.Neural == nil {
		return nil, t, nil
	}
	params = clone(e.Defaults)
	if err := j.Spec.Params.Apply(params); err != nil {
		return nil, t, err
	}
	if err := j.Spec.Train.Apply(&t); err != nil {
		return nil, t, err
	}
	return params, t, j.Local.Apply(&t)
}

// State is the state of a run in a results folder, with the reason.
type State struct {
	Status  string // "done", "to run", "failed", "running", "stopped by its time limit"
	Comment string
}

// States of a run in a results folder.
const (
	StateDone    = "done"
	StateToRun   = "to run"
	StateFailed  = "failed before"
	StateRunning = "running"
	StateTime    = "stopped by its time limit"
)

// State looks up a run in a results folder.
func (r Run) State(s record.Store) (State, error) {
	rec, err := r.Job.Record(s, r.ID)
	if err != nil {
		return State{}, err
	}
	if rec != nil && rec.Result.Status == record.Time {
		return State{StateTime, "raise train.time_limit to continue from its checkpoint"}, nil
	}
	if rec != nil {
		return r.afterSource(s)
	}
	busy, holder, err := s.Busy(r.ID)
	if err != nil || busy {
		return State{StateRunning, fmt.Sprintf("by %v", holder)}, err
	}
	f, err := r.Job.Failure(s, r.ID)
	if err != nil {
		return State{}, err
	}
	if f != nil {
		return State{StateFailed, f.Reason}, nil
	}
	if f, _ := s.ReadFailure(r.ID); f != nil && f.Environment { // an unreadable record is an error above
		return State{StateToRun, "last attempt: " + f.Reason}, nil
	}
	return State{Status: StateToRun}, nil
}

// afterSource is the state of a run that has a record: it may be done again once its source was.
func (r Run) afterSource(s record.Store) (State, error) {
	if r.Source == nil || !r.Job.Again {
		return State{Status: StateDone}, nil
	}
	source, err := r.Source.Job.Record(s, r.Source.ID)
	if err != nil || source != nil {
		return State{Status: StateDone}, err
	}
	return State{StateToRun, "if " + r.Source.ID + " gets other weights"}, nil
}

// Record returns the record of a job if there is no need to do it again, nil
// otherwise. A run that a time limit stopped continues if there is more time. A record
// that other code made does not count if the job says so.
func (j Job) Record(s record.Store, id string) (*record.Record, error) {
	r, err := s.Read(id)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	if same, err := r.Result.Spec.Same(j.Spec); err != nil || !same {
		return nil, cmp.Or(err, fmt.Errorf("%s: the record belongs to another run whose id happens to be the same; write this run to another folder with -out", s.RecordPath(id)))
	}
	if j.Again {
		same, err := registry.CodesOf(registry.Models, j.Spec.Model)
		if err != nil {
			return nil, err
		}
		if r.Measured.Code != j.Code && !slices.Contains(same, r.Measured.Code) {
			return nil, nil
		}
		if other, err := j.otherSource(r); other || err != nil {
			return nil, err
		}
	}
	if r.Result.Status == record.Time {
		if more, err := j.moreTime(r.Measured.TimeLimit); more || err != nil {
			return nil, err
		}
	}
	return r, nil
}

// otherSource reports whether the run whose weights a recorded run began with was recorded again
// since then, with other weights.
func (j Job) otherSource(r *record.Record) (bool, error) {
	from := r.Measured.Source
	if from == nil || from.Differ {
		return false, nil
	}
	source, err := record.Store{Dir: j.Sources()}.Read(from.ID)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	return err == nil && from.DiffersFrom(source), err
}

// Failure returns why a job left no record, nil if there is no failure or if the
// job may succeed now.
func (j Job) Failure(s record.Store, id string) (*record.Failure, error) {
	f, err := s.ReadFailure(id)
	if f == nil || err != nil || f.Environment {
		return nil, err
	}
	if f.TimeLimit > 0 {
		if more, err := j.moreTime(f.TimeLimit); more || err != nil {
			return nil, err
		}
	}
	return f, nil
}

// moreTime reports whether a job has more time than the limit of an earlier
// attempt.
func (j Job) moreTime(than float64) (bool, error) {
	t, err := j.TimeLimit()
	return t == 0 || t > than, err
}

// Sources is the results folder with the weights that the run begins with.
func (j Job) Sources() string { return cmp.Or(j.WeightsIn, j.Out) }

// TimeLimit is the time limit in seconds of training; 0 for none.
func (j Job) TimeLimit() (float64, error) {
	t := train.Defaults()
	err := j.Local.Apply(&t)
	return t.TimeLimit, err
}
