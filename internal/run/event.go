package run

import (
	"encoding/json"
	"io"
	"sync"
	"time"

	"famebench/internal/record"
)

// Event is one line of JSON that a child writes to its standard output.
type Event struct {
	Kind     string       `json:"kind"`
	Phase    string       `json:"phase,omitempty"`    // of EventPhase: "load", "train", "rank", "latency"
	Message  string       `json:"message,omitempty"`  // of EventWarning, EventFailed, EventBusy
	Progress *Progress    `json:"progress,omitempty"` // of EventProgress
	Cost     *record.Cost `json:"cost,omitempty"`     // of EventCost
	// Environment: EventFailed is not the run's fault, see isEnvironment.
	Environment bool `json:"environment,omitempty"`
}

// Kinds of event. A child's last event is one of the last five; a child that
// ends without one has died.
const (
	EventPhase       = "phase"
	EventProgress    = "progress"
	EventWarning     = "warning"
	EventDone        = "done"        // the record is written
	EventCost        = "cost"        // the measurement of a cost job
	EventBusy        = "busy"        // another process holds the run's lock
	EventFailed      = "failed"      // with a reason
	EventInterrupted = "interrupted" // asked to stop; a checkpoint is kept if training had begun
)

// Progress tells how far a run is. A value that is not known yet is zero.
type Progress struct {
	Epoch            int           `json:"epoch,omitempty"`
	Epochs           int           `json:"epochs,omitempty"`
	Step             int           `json:"step,omitempty"` // of the epoch; when ranking: users done
	Steps            int           `json:"steps,omitempty"`
	Loss             float64       `json:"loss,omitempty"`
	TargetsPerSecond float64       `json:"targets_per_second,omitempty"`
	ETA              time.Duration `json:"eta,omitempty"`
	Valid            float64       `json:"valid,omitempty"` // last validation NDCG@10, seen items removed
	Best             float64       `json:"best,omitempty"`
	Evaluating       bool          `json:"evaluating,omitempty"`
	EpochDone        bool          `json:"epoch_done,omitempty"` // Loss and Valid are this epoch's
}

// emitter writes events as lines of JSON.
type emitter struct {
	mu   sync.Mutex
	json *json.Encoder
	last time.Time // of the last progress event
}

func newEmitter(w io.Writer) *emitter { return &emitter{json: json.NewEncoder(w)} }

// emit writes an event. A parent that is gone cannot read it; the child notices
// that elsewhere.
func (e *emitter) emit(ev Event) {
	e.mu.Lock()
	defer e.mu.Unlock()
	_ = e.json.Encode(ev)
}

func (e *emitter) phase(name string) { e.emit(Event{Kind: EventPhase, Phase: name}) }

// progress passes at most ten events a second on, small steps come faster than
// anybody reads, and the end of every epoch.
func (e *emitter) progress(p Progress) {
	e.mu.Lock()
	due := p.EpochDone || time.Since(e.last) >= 100*time.Millisecond
	if due {
		e.last = time.Now()
	}
	e.mu.Unlock()
	if due {
		e.emit(Event{Kind: EventProgress, Progress: &p})
	}
}
