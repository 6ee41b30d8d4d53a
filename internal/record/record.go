// Package record stores the outcome of runs: the specification, from which the
// id is hashed, the immutable record, and the folder that keeps the records of
// many runs together with their ranks, curves, weights and checkpoints.
//
// A record has two parts. The result is a function of the specification, up to rounding:
// on one kind of machine, with one number of threads, it has the same bytes every time,
// so "the same record" means the same SHA-256 of the canonical JSON of the result. Values
// that differ from one execution to the next (times, memory, host, threads, commit) are
// in the measured part, which is not compared.
//
// Tables and plots are rendered from records and from nothing else.
package record

import (
	"cmp"
	"time"
)

// Record is the file runs/ID.json.
type Record struct {
	ID           string   `json:"id"`
	ResultSHA256 string   `json:"result_sha256"` // of the canonical JSON of Result
	Result       Result   `json:"result"`
	Measured     Measured `json:"measured"`
	// Resolved lists every setting with its value for the reader, because the
	// spec leaves out defaults. Keys: "params", "train", "pretrain".
	Resolved map[string]Settings `json:"resolved,omitempty"`
	// MeasuredSHA256 is the hash of the canonical JSON of Measured and Resolved
	// together; records of older versions have none.
	MeasuredSHA256 string `json:"measured_sha256,omitempty"`
}

// Result is the reproducible part of a record.
type Result struct {
	Spec      Spec    `json:"spec"`
	Status    Status  `json:"status"`
	Epochs    int     `json:"epochs,omitempty"`
	BestEpoch int     `json:"best_epoch,omitempty"` // the epoch whose weights were ranked
	Targets   int64   `json:"targets,omitempty"`    // trained on, over all epochs
	Curve     []Point `json:"curve,omitempty"`
	// Still lists the unmoved parameters: trainable parameters that training did
	// not change. They get no gradient, so the model is not the one that it
	// claims to be.
	Still []string `json:"still,omitempty"`
	// Pretrain is the outcome of pre-training, for runs that are initialised
	// from texts.
	Pretrain *Pretrain `json:"pretrain,omitempty"`
	// ColdValidation is there if the data have cold_validation, but for the oracle and labels-known,
	// which need complete histories.
	ColdValidation *ColdValidation `json:"cold_validation,omitempty"`
	Users          int             `json:"users"` // ranked test cases; where a user has several, more than users
	Items          int             `json:"items"` // candidates, before seen ones are removed
	Test           Rules           `json:"test"`
	RanksSHA256    string          `json:"ranks_sha256"` // of the file of per-user test ranks
}

// ColdValidation has the metrics, with seen items removed, of validation cases after training
// and after pretrain.untrained_items. Cold are the cases whose target no model was trained on;
// rules are chosen by them. Usual are the cases that stop training: a rule that puts untrained
// items above all others is noticed there.
type ColdValidation struct {
	Cases   int     `json:"cases"` // of Cold
	Cold    Metrics `json:"cold"`
	Usual   Metrics `json:"usual"`
	Penalty float64 `json:"penalty,omitempty"` // chosen for "ridge"
}

// BestValidation returns the validation metrics of the epoch whose weights were ranked;
// nil if nothing was trained or evaluated.
func (r Result) BestValidation() Metrics {
	for _, p := range r.Curve {
		if p.Epoch == r.BestEpoch {
			return p.Valid
		}
	}
	return nil
}

// BestUpTo returns the best value of a validation metric in the first epochs; false if none of
// them was evaluated.
func (r Result) BestUpTo(epochs int, metric string) (best float64, ok bool) {
	for _, p := range r.Curve {
		if v, evaluated := p.Valid[metric]; evaluated && p.Epoch <= epochs && (!ok || v > best) {
			best, ok = v, true
		}
	}
	return best, ok
}

// Rules holds metrics under both seen-item rules: items of the user's history
// kept among the candidates, and removed from them.
type Rules struct {
	Kept    Metrics `json:"kept"`
	Removed Metrics `json:"removed"`
}

// Metrics maps names such as "NDCG@10" to values in [0, 1], never rounded.
type Metrics map[string]float64

// Point is one epoch of training.
type Point struct {
	Epoch int     `json:"epoch"`
	Steps int64   `json:"steps"` // of the optimiser, so far
	Loss  float64 `json:"loss"`  // mean over the epoch's targets
	Valid Metrics `json:"valid,omitempty"`
	// Of the user vectors of fixed validation users (train.Geometry); set if Valid
	// is.
	Alignment  float64 `json:"alignment,omitempty"`
	Uniformity float64 `json:"uniformity,omitempty"`
}

// Status says why a run's training ended.
type Status string

// The ways a run can end with a record. (An interrupted or failed run leaves
// none.)
const (
	Done     Status = "done"     // a non-neural baseline: nothing is trained
	Patience Status = "patience" // validation stopped improving
	Epochs   Status = "epochs"   // the epoch budget was used up
	Time     Status = "time"     // the time limit was reached: this depends on the machine, so the run enters no table
)

// Measured is the part of a record that differs from one execution to the next.
type Measured struct {
	Started          time.Time `json:"started"`
	Seconds          float64   `json:"seconds"` // of the child process; for a resumed run, of the last one
	LoadSeconds      float64   `json:"load_seconds"`
	PretrainSeconds  float64   `json:"pretrain_seconds,omitempty"` // of pre-training, encoding of texts included
	TrainSeconds     float64   `json:"train_seconds,omitempty"`    // validation included
	RankSeconds      float64   `json:"rank_seconds"`
	TargetsPerSecond float64   `json:"targets_per_second,omitempty"` // of training, without validation
	EvalUsersPerSec  float64   `json:"eval_users_per_second"`
	PeakRSSMB        float64   `json:"peak_rss_mb"`
	Parameters       int64     `json:"parameters,omitempty"`
	TimeLimit        float64   `json:"time_limit,omitempty"` // in force, seconds of training
	Resumed          bool      `json:"resumed,omitempty"`    // from a checkpoint
	Host             string    `json:"host"`
	CPU              string    `json:"cpu"`
	GPU              string    `json:"gpu,omitempty"`         // that the run computed on
	Environment      []string  `json:"environment,omitempty"` // variables that change how libraries round, as NAME=VALUE
	Threads          int       `json:"threads"`
	ThreadsBefore    []int     `json:"threads_before,omitempty"` // other numbers of threads before the run was resumed: it rounds like neither
	OS               string    `json:"os"`
	Go               string    `json:"go"`
	Libtorch         string    `json:"libtorch,omitempty"`
	Products         string    `json:"products,omitempty"` // what multiplied matrices on the CPU (torch.Products); older records: libtorch
	Code             string    `json:"code,omitempty"`     // SHA-256 of the sources that decide the model's results (package code)
	Commit           string    `json:"commit,omitempty"`   // of the source tree; empty: not a git checkout
	Dirty            bool      `json:"dirty,omitempty"`    // uncommitted changes outside results
	Warnings         []string  `json:"warnings,omitempty"` // about the data
	// Weights is the SHA-256 of the best weights, by which a run that begins with them notices
	// that they were trained again and differ. Older records have none.
	Weights string `json:"weights_sha256,omitempty"`
	// Source says which weights the run began with, if they were trained by another run.
	Source *Inherited `json:"source,omitempty"`
}

// Processor is what did most of the arithmetic: the GPU if there was one, else the CPU.
func (m Measured) Processor() string { return cmp.Or(m.GPU, m.CPU) }

// Inherited says what a run took over from the run that Spec.Source describes.
type Inherited struct {
	ID      string   `json:"id"`             // of the source's run
	Weights string   `json:"weights_sha256"` // that the run began with
	New     []string `json:"new,omitempty"`  // parameters that the source does not have, which were newly initialised
	Unused  []string `json:"unused,omitempty"`
	// Differ: the weights had been trained again and are not those of the source's record, as
	// on another processor.
	Differ bool `json:"differ,omitempty"`
}

// DiffersFrom reports whether the weights are not those of its source's record. Older records do
// not say which theirs are.
func (in *Inherited) DiffersFrom(source *Record) bool {
	return source.Measured.Weights != "" && source.Measured.Weights != in.Weights
}

// Failure is the file runs/ID.failed.json, which says why a run left no record. The run
// is tried again only with -retry-failed, unless the environment was the reason. Success
// removes the file.
type Failure struct {
	ID     string    `json:"id"`
	Spec   Spec      `json:"spec"`
	Reason string    `json:"reason"`
	Stderr string    `json:"stderr,omitempty"` // its last lines
	Host   string    `json:"host"`
	Time   time.Time `json:"time"`
	// TimeLimit is the time limit of the attempt, in seconds of training: with
	// more time the run is tried again.
	TimeLimit float64 `json:"time_limit,omitempty"`
	// Environment: the machine was the reason (a full disk, no memory, a kill), not the
	// run. The same command tries the run again.
	Environment bool `json:"environment,omitempty"`
}
