package cluster

import (
	"bytes"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"famebench/internal/escape"
	"famebench/internal/plan"
	"famebench/internal/record"
)

// Status is how far a suite is on a cluster.
type Status struct {
	Suite   string         `json:"suite"`
	Out     string         `json:"out"`
	Runs    []RunStatus    `json:"runs"`
	Count   map[string]int `json:"count"` // of runs, by state
	Jobs    []Job          `json:"jobs"`  // queued or running
	Problem string         `json:"problem,omitempty"`
}

// RunStatus is how far a run is.
type RunStatus struct {
	ID      string `json:"id"`
	State   string `json:"state"`
	Comment string `json:"comment,omitempty"` // who works on it, or why it failed
}

// The states of a run, in the order in which they are counted.
const (
	Queued  = "queued"
	Running = "running"
	Done    = "done"
	Failed  = "failed"
	Stopped = "stopped by train.time_limit"
)

var states = map[string]string{
	plan.StateToRun: Queued, plan.StateRunning: Running, plan.StateDone: Done, plan.StateFailed: Failed, plan.StateTime: Stopped,
}

// NewStatus reads the state of runs from their records and leases.
func NewStatus(suite string, store record.Store, runs []plan.Run) (Status, error) {
	s := Status{Suite: suite, Out: store.Dir, Runs: []RunStatus{}, Count: map[string]int{}, Jobs: []Job{}}
	for _, r := range runs {
		st, err := r.State(store)
		if err != nil {
			return s, err
		}
		state := states[st.Status]
		s.Runs = append(s.Runs, RunStatus{r.ID, state, st.Comment})
		s.Count[state]++
	}
	return s, nil
}

// Write writes a status for people. Runs that are done are only counted.
func (s Status) Write(to io.Writer) error {
	var text bytes.Buffer
	w := tabwriter.NewWriter(&text, 0, 0, 2, ' ', 0)
	for _, r := range s.Runs {
		if r.State != Done {
			fmt.Fprintf(w, "%s\t%s\t%s\n", r.ID, r.State, escape.Line(r.Comment))
		}
	}
	for _, j := range s.Jobs {
		kind := "worker"
		if j.IsReport() {
			kind = "report"
		}
		fmt.Fprintf(w, "%s %s\t%s\t%s, for %s\n", kind, j.ID, strings.ToLower(j.State), escape.Line(j.Reason), j.Time)
	}
	if err := w.Flush(); err != nil {
		return err
	}
	for line := range strings.Lines(text.String()) {
		fmt.Fprintln(to, strings.TrimRight(line, " \n"))
	}
	var counts []string
	for _, state := range []string{Queued, Running, Done, Failed, Stopped} {
		if n := s.Count[state]; n > 0 || state != Stopped {
			counts = append(counts, fmt.Sprintf("%d %s", n, state))
		}
	}
	_, err := fmt.Fprintf(to, "suite %s: %d runs: %s; results in %s\n", s.Suite, len(s.Runs), strings.Join(counts, ", "), escape.Line(s.Out))
	if workers := s.Workers(); err == nil && s.Problem == "" && workers == 0 && s.Count[Queued] > 0 {
		_, err = fmt.Fprintln(to, "no worker is queued or running: the command that submitted the suite adds what is missing")
	}
	return err
}

// Workers is how many workers are queued or running.
func (s Status) Workers() (n int) {
	for _, j := range s.Jobs {
		if !j.IsReport() {
			n++
		}
	}
	return n
}
