package launch

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"famebench/internal/escape"
	"famebench/internal/plan"
	"famebench/internal/record"
	"famebench/internal/registry"
	"famebench/internal/run"
)

// Remaining is what is left to do of a plan.
type Remaining struct {
	Runs    int
	Unknown int // runs of which no record says how long they take
	Time    time.Duration
	Each    []time.Duration // of every run of the plan; 0: done or unknown
	states  []plan.State    // of every run of the plan
}

// Remaining looks up what is left to do of a plan.
func (r *Runner) Remaining(todo *plan.Plan) (Remaining, error) {
	left := Remaining{Each: make([]time.Duration, len(todo.Runs)), states: make([]plan.State, len(todo.Runs))}
	if todo.Suite.Kind == plan.KindCost {
		err := r.remainingCosts(todo, &left)
		return left, err
	}
	e, err := NewEstimator(r.Store, registry.Models)
	if err != nil {
		return left, err
	}
	seen := map[string]bool{} // sources, whose weights are read once
	for i, one := range todo.Runs {
		st, err := one.State(r.Store)
		if err != nil {
			return left, err
		}
		left.states[i] = st
		if st.Status == plan.StateDone || st.Status == plan.StateTime || st.Status == plan.StateFailed && !r.Retry {
			continue
		}
		left.Runs++
		d, ok := e.Of(todo, one, r.sharesTraining(todo, left.states, one))
		if !ok {
			left.Unknown++
		}
		for from := one.Source; from != nil; from = from.Source {
			if seen[from.ID] {
				continue
			}
			seen[from.ID] = true
			missing, err := r.trainsAgain(*from)
			if err != nil {
				return left, err
			}
			if missing {
				more, _ := e.Of(todo, *from, false)
				d += more
				left.states[i].Comment = "first " + from.ID + " again, whose weights are missing"
			}
		}
		left.Each[i] = d
		left.Time += d / time.Duration(r.Jobs)
	}
	return left, nil
}

// trainsAgain says whether a source has a record but no weights: then a run that begins with them
// trains it again.
func (r *Runner) trainsAgain(source plan.Run) (bool, error) {
	done, err := source.Job.Record(r.Store, source.ID)
	return err == nil && done != nil && !run.HasWeights(r.Store, source.ID), err
}

// sharesTraining says whether a run continues from the end of the training of an earlier run
// of the plan: that run has to be done first, or has left its checkpoint.
func (r *Runner) sharesTraining(todo *plan.Plan, states []plan.State, one plan.Run) bool {
	from := one.Job.ContinueFrom
	i := slices.IndexFunc(todo.Runs, func(o plan.Run) bool { return o.ID == from })
	if from == "" || i < 0 {
		return false
	}
	_, err := os.Stat(r.Store.CheckpointPath(from))
	return states[i].Status != plan.StateDone || err == nil
}

// remainingCosts looks up which measurements of a suite of kind "cost" are left. Without steps,
// everything is measured again each time, and how long that takes is not known. The time of a
// cell is the mean of those that are measured, or else estimated from the records of runs.
func (r *Runner) remainingCosts(todo *plan.Plan, left *Remaining) error {
	for i := range left.states {
		left.states[i].Status = plan.StateToRun
	}
	if todo.Suite.Steps == 0 {
		return nil
	}
	e, err := NewEstimator(r.Store, registry.Models)
	if err != nil {
		return err
	}
	mean := 0.
	for _, seconds := range r.Measured {
		mean += seconds / float64(len(r.Measured))
	}
	for i, one := range todo.Runs {
		if _, ok := r.Measured[one.ID]; ok {
			left.states[i].Status = plan.StateDone
			continue
		}
		left.Runs++
		d, ok := time.Duration(mean*float64(time.Second)), mean > 0
		if !ok {
			d, ok = e.OfSteps(todo, one)
		}
		if !ok {
			left.Unknown++
		}
		left.Each[i] = d
		left.Time += d
	}
	return nil
}

func count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

func (r Remaining) String() string {
	text := count(r.Runs, "run") + " to do"
	if r.Time > 0 {
		about := fmt.Sprintf("about %v", r.Time.Round(time.Minute))
		if r.Time < time.Minute {
			about = "less than a minute"
		}
		text += ", " + about + " by the records of earlier ones"
	}
	if r.Unknown > 0 {
		text += fmt.Sprintf(" (no record says how long: %s)", count(r.Unknown, "run"))
	}
	return text
}

// Preview is a plan and what is left to do of it, as -dry-run shows it.
type Preview struct {
	Suite   string       `json:"suite"`
	Out     string       `json:"out"`
	Runs    []PreviewRun `json:"runs"`
	Skipped []plan.Skip  `json:"skipped,omitempty"`
	left    Remaining
}

// PreviewRun is a run of a preview.
type PreviewRun struct {
	ID      string  `json:"id"`
	At      string  `json:"at,omitempty"`
	Source  string  `json:"source,omitempty"` // id of the run whose trained weights it begins with
	Dataset string  `json:"dataset"`
	Model   string  `json:"model"`
	Seed    int64   `json:"seed"`
	Device  string  `json:"device"`
	Threads int     `json:"threads"`
	State   string  `json:"state"`
	Comment string  `json:"comment,omitempty"`
	Seconds float64 `json:"expected_s,omitempty"` // by the records of earlier runs
}

// Preview says what would be done of a plan.
func (r *Runner) Preview(todo *plan.Plan) (Preview, error) {
	p := Preview{Suite: todo.Suite.Name, Out: r.Store.Dir, Runs: []PreviewRun{}, Skipped: todo.Skipped}
	var err error
	if p.left, err = r.Remaining(todo); err != nil {
		return p, err
	}
	for i, one := range todo.Runs {
		s, st := one.Job.Spec, p.left.states[i]
		source := ""
		if one.Source != nil {
			source = one.Source.ID
		}
		p.Runs = append(p.Runs, PreviewRun{one.ID, one.At, source, s.Dataset.Name, s.Model, s.Seed, s.Device, one.Job.Threads, st.Status, st.Comment, p.left.Each[i].Seconds()})
	}
	return p, nil
}

// Write writes a preview for people.
func (p Preview) Write(to io.Writer, device string, threads int) error {
	var text bytes.Buffer
	w := tabwriter.NewWriter(&text, 0, 0, 2, ' ', 0)
	done := 0
	for _, r := range p.Runs {
		if r.State == plan.StateDone {
			done++
		}
		state, expected := r.State, ""
		if r.Comment != "" {
			state += " (" + r.Comment + ")"
		}
		if r.Seconds > 0 {
			expected = "about " + time.Duration(r.Seconds*float64(time.Second)).Round(time.Second).String()
		}
		at := r.At
		if r.Source != "" {
			at = strings.TrimPrefix(at+", after "+r.Source, ", ")
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\n", r.ID, escape.Line(state), expected, escape.Line(at))
	}
	if err := w.Flush(); err != nil {
		return err
	}
	for line := range strings.Lines(text.String()) {
		fmt.Fprintln(to, strings.TrimRight(line, " \n"))
	}
	fmt.Fprintf(to, "suite %s: %s, %d done already; device %s, threads %d; results in %s\n",
		p.Suite, count(len(p.Runs), "run"), done, device, threads, escape.Line(p.Out))
	if p.left.Runs > 0 {
		fmt.Fprintln(to, p.left)
	}
	return nil
}

// WriteFailures writes which runs were not done and why, with the last lines of standard
// error of those that failed.
func WriteFailures(w io.Writer, store record.Store, outcomes []Outcome) {
	for _, o := range outcomes {
		switch o.Status {
		case OutcomeEnvironment:
			fmt.Fprintf(w, "not done: %s: %s\n", o.Run.ID, o.Reason)
		case OutcomeFailed:
			fmt.Fprintf(w, "failed: %s: %s\n", o.Run.ID, o.Reason)
			if f, err := store.ReadFailure(o.Run.ID); err == nil && f != nil && f.Stderr != "" {
				fmt.Fprintf(w, "  its last lines (all in %s):\n", store.FailurePath(o.Run.ID))
				lines := strings.Split(strings.TrimSpace(f.Stderr), "\n")
				for _, line := range lines[max(0, len(lines)-5):] {
					fmt.Fprintf(w, "  | %s\n", line)
				}
			}
		}
	}
}
