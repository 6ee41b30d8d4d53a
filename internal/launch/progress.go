package launch

import (
	"fmt"
	"time"

	"famebench/internal/rank"
	"famebench/internal/run"
)

// Progress is how far the runs of a plan are.
type Progress struct {
	Runs []RunProgress
	jobs int // at a time
}

// RunProgress is how far a run is.
type RunProgress struct {
	Began    time.Time
	expected time.Duration // 0: not known
	phase    string
	share    float64 // of the phase at hand
	waiting  bool    // another process does it
	over     bool
}

// NewProgress is the progress of runs that are expected to take some time each.
func NewProgress(expected []time.Duration, jobs int) *Progress {
	p := &Progress{jobs: jobs}
	for _, d := range expected {
		p.Runs = append(p.Runs, RunProgress{expected: d})
	}
	return p
}

// Observe takes in an event of a run. It returns what the event says of the run's
// progress, in words, and false if it only repeats that another process does the run.
func (p *Progress) Observe(index int, e run.Event) (text string, news bool) {
	r := &p.Runs[index]
	switch e.Kind {
	case run.EventPhase:
		if e.Phase == "load" {
			r.Began = time.Now()
		}
		r.phase, r.share = e.Phase, 0
		return e.Phase, true
	case run.EventProgress:
		text, r.share = describe(r.phase, *e.Progress)
		return text, true
	case run.EventBusy:
		news = !r.waiting
		r.waiting = true
		return "", news
	case run.EventDone, run.EventReused, run.EventCost, run.EventFailed:
		r.over = true
	}
	return "", true
}

// Whole is the share of the expected time of all runs that is over.
func (p *Progress) Whole() float64 {
	var done, all float64
	for _, r := range p.Runs {
		d := max(1, r.expected.Seconds()) // what is unknown counts little
		all += d
		switch {
		case r.over:
			done += d
		case r.expected == 0:
			done += d * r.share
		case r.phase == "train":
			done += d * min(1, time.Since(r.Began).Seconds()/d)
		}
	}
	return done / all
}

// Left says how long the other runs will take, by the records of earlier ones.
func (p *Progress) Left() string {
	var d time.Duration
	for _, r := range p.Runs {
		if !r.over && !r.waiting {
			since := time.Duration(0)
			if !r.Began.IsZero() {
				since = time.Since(r.Began)
			}
			d += max(0, r.expected-since)
		}
	}
	if d == 0 {
		return ""
	}
	return fmt.Sprintf("; the rest about %v", (d / time.Duration(p.jobs)).Round(time.Second))
}

// describe puts progress in words and as a share of the run.
func describe(phase string, p run.Progress) (text string, share float64) {
	if p.Steps > 0 {
		share = float64(p.Step) / float64(p.Steps)
	}
	if p.Epochs == 0 {
		return fmt.Sprintf("%s %.0f %%", phase, 100*share), share
	}
	share = (float64(p.Epoch-1) + share) / float64(p.Epochs)
	text = fmt.Sprintf("epoch %d/%d", p.Epoch, p.Epochs)
	if p.Evaluating {
		return text + ", validating", share
	}
	// The most important part comes first: a narrow terminal cuts the end.
	if p.ETA > 0 {
		text += ", at most " + p.ETA.Round(time.Second).String() + " left"
	}
	text += fmt.Sprintf(", loss %.4f", p.Loss)
	if p.EpochDone && p.Valid > 0 {
		text += fmt.Sprintf(", %s %.4f", rank.Deciding, p.Valid)
	}
	if p.Best > 0 {
		text += fmt.Sprintf(", best %.4f", p.Best)
	}
	text += fmt.Sprintf(", %.0f targets/s", p.TargetsPerSecond)
	return text, share
}
