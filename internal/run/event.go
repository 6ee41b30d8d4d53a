package run

import (
	"encoding/json"
	"io"
	"sync"
	"time"

	"famebench/internal/record"
	"famebench/internal/train"
)

// Event is one line of JSON that a child writes to its standard output.
type Event struct {
	Kind     string       `json:"kind"`
	Phase    string       `json:"phase,omitempty"`    // of EventPhase: "load", "train", "rank", "latency"
	Message  string       `json:"message,omitempty"`  // of EventWarning, EventFailed, EventBusy
	Progress *Progress    `json:"progress,omitempty"` // of EventProgress
	Cost     *record.Cost `json:"cost,omitempty"`     // of EventCost, if a whole epoch was timed
	Cell     *record.Cell `json:"cell,omitempty"`     // of EventCost, if single steps were timed
	// Environment: EventFailed is not the run's fault, see IsEnvironment.
	Environment bool `json:"environment,omitempty"`
}

// Kinds of event. A child's last event is one of the last six; a child that
// ends without one has died.
const (
	EventPhase       = "phase"
	EventProgress    = "progress"
	EventWarning     = "warning"
	EventDone        = "done"        // the record is written
	EventReused      = "reused"      // another process has just written the record
	EventCost        = "cost"        // the measurement of a cost job
	EventBusy        = "busy"        // another process holds the run's lock
	EventFailed      = "failed"      // with a reason
	EventInterrupted = "interrupted" // asked to stop; a checkpoint is kept if training had begun
)

// Progress says how far a run is.
type Progress = train.Progress

// emitter writes events as lines of JSON.
type emitter struct {
	mu   sync.Mutex
	json *json.Encoder
	last time.Time // of the last progress event
}

func newEmitter(w io.Writer) *emitter { return &emitter{json: json.NewEncoder(w)} }

// emit writes an event. Errors are ignored: if the parent is gone, the child
// notices it elsewhere.
func (e *emitter) emit(ev Event) {
	e.mu.Lock()
	defer e.mu.Unlock()
	_ = e.json.Encode(ev)
}

func (e *emitter) phase(name string) { e.emit(Event{Kind: EventPhase, Phase: name}) }

// progress passes on at most ten events per second, because small steps come
// faster than anybody can read, and the end of every epoch.
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
