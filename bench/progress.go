package main

import (
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/schollz/progressbar/v3"
	"golang.org/x/term"

	"famebench/internal/escape"
	"famebench/internal/plan"
	"famebench/internal/rank"
	"famebench/internal/record"
	"famebench/internal/run"
)

// plainEvery is how often a line is printed where there is no terminal.
const plainEvery = 10 * time.Second

// barSteps is the resolution of the bar.
const barSteps = 1000

// progress tells the user how far the plan is: a bar on a terminal, lines
// elsewhere.
type progress struct {
	w      io.Writer
	store  record.Store
	runs   []runProgress
	jobs   int
	bar    *progressbar.ProgressBar // nil without a terminal
	warned map[string]bool
}

// runProgress is how far one run of the plan is.
type runProgress struct {
	expected time.Duration // 0: not known
	phase    string
	share    float64 // of the phase at hand
	began    time.Time
	printed  time.Time // of the last plain line
	waiting  bool      // another process does it
	over     bool
}

// newProgress begins to report on runs of which some are expected to take some
// time.
func newProgress(w io.Writer, store record.Store, expected []time.Duration, jobs int) *progress {
	p := &progress{w: w, store: store, jobs: jobs, warned: map[string]bool{}}
	for _, d := range expected {
		p.runs = append(p.runs, runProgress{expected: d})
	}
	if f := terminal(w); f != nil {
		p.bar = progressbar.NewOptions(barSteps,
			progressbar.OptionSetWriter(f),
			progressbar.OptionSetWidth(12),
			progressbar.OptionShowDescriptionAtLineEnd(),
			progressbar.OptionSetPredictTime(false), // training knows its own
			progressbar.OptionSetElapsedTime(false),
			progressbar.OptionThrottle(100*time.Millisecond),
			progressbar.OptionSetRenderBlankState(true))
	}
	return p
}

// terminal gives the terminal that w writes to; nil if it writes elsewhere.
func terminal(w io.Writer) *os.File {
	if safe, ok := w.(*escape.Writer); ok { // the bar draws with control characters
		w = safe.To
	}
	if f, ok := w.(*os.File); ok && term.IsTerminal(int(f.Fd())) {
		return f
	}
	return nil
}

// observe is told every event of every run.
func (p *progress) observe(index int, one plan.Run, e run.Event) {
	r := &p.runs[index]
	name := fmt.Sprintf("[%d/%d] %s", index+1, len(p.runs), one.ID)
	short := name[:strings.LastIndex(name, "-")] // room is dear beside a bar
	switch e.Kind {
	case run.EventPhase:
		if e.Phase == "load" {
			r.began = time.Now()
			at := ""
			if one.At != "" {
				at = " with " + one.At
			}
			p.line("%s: started%s", name, at)
		}
		r.phase, r.share, r.printed = e.Phase, 0, time.Now()
		p.show(short + ": " + e.Phase)
	case run.EventProgress:
		var text string
		text, r.share = describe(r.phase, *e.Progress)
		p.show(short + ": " + text)
		p.plain(r, name, text, *e.Progress)
	case run.EventWarning:
		if !p.warned[e.Message] {
			p.warned[e.Message] = true
			p.line("%s: warning: %s", name, e.Message)
		}
	case run.EventBusy:
		if !r.waiting {
			r.waiting = true
			p.line("%s: is being done by %s; its record will be used", name, e.Message)
		}
	case run.EventDone, run.EventCost:
		r.over = true
		p.line("%s: done in %s%s%s", name, time.Since(r.began).Round(100*time.Millisecond), p.outcome(one), p.left())
	case run.EventFailed:
		r.over = true
		p.line("%s: failed: %s%s", name, e.Message, p.left())
	case run.EventInterrupted:
		kept := "stopped; it had no checkpoint to keep yet"
		if _, err := os.Stat(p.store.CheckpointPath(one.ID)); err == nil {
			kept = "stopped, checkpoint kept"
		}
		p.line("%s: %s", name, kept)
	}
}

// outcome is what a run's record says, so that the lines of finished runs are the
// table so far.
func (p *progress) outcome(one plan.Run) string {
	r, err := p.store.Read(one.ID)
	if err != nil { // a measurement of cost has none
		return ""
	}
	if one.Job.Spec.Untested {
		return fmt.Sprintf(", validation %s %.4f", rank.Deciding, r.Result.BestValidation()[rank.Deciding])
	}
	return fmt.Sprintf(", %s %.4f removed, %.4f kept", rank.Deciding, r.Result.Test.Removed[rank.Deciding], r.Result.Test.Kept[rank.Deciding])
}

// whole is the share of the expected time of all runs that is over.
func (p *progress) whole() float64 {
	var done, all float64
	for _, r := range p.runs {
		d := max(1, r.expected.Seconds()) // what is unknown counts little
		all += d
		switch {
		case r.over:
			done += d
		case r.expected == 0:
			done += d * r.share
		case r.phase == "train":
			done += d * min(1, time.Since(r.began).Seconds()/d)
		}
	}
	return done / all
}

// left says how long the other runs will take, by the records of earlier ones.
func (p *progress) left() string {
	var d time.Duration
	for _, r := range p.runs {
		if !r.over && !r.waiting {
			since := time.Duration(0)
			if !r.began.IsZero() {
				since = time.Since(r.began)
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
	// What matters most comes first: a narrow terminal cuts the end.
	if p.ETA > 0 {
		text += ", at most " + p.ETA.Round(time.Second).String() + " left"
	}
	text += fmt.Sprintf(", loss %.4f", p.Loss)
	if p.EpochDone && p.Valid > 0 {
		text += fmt.Sprintf(", NDCG@10 %.4f", p.Valid)
	}
	if p.Best > 0 {
		text += fmt.Sprintf(", best %.4f", p.Best)
	}
	text += fmt.Sprintf(", %.0f targets/s", p.TargetsPerSecond)
	return text, share
}

// plain prints a line at the end of each epoch, and every ten seconds in between.
func (p *progress) plain(r *runProgress, name, text string, now run.Progress) {
	if p.bar != nil || !now.EpochDone && time.Since(r.printed) < plainEvery {
		return
	}
	r.printed = time.Now()
	p.line("%s: %s", name, text)
}

// show draws the bar of the whole plan, with a text about one run.
func (p *progress) show(text string) {
	if p.bar == nil {
		return
	}
	// Long lines would wrap and leave a trail of bars.
	if width, _, err := term.GetSize(int(terminal(p.w).Fd())); err == nil {
		if room := width - 24; room > 0 && len(text) > room {
			text = text[:room]
		}
	}
	_ = p.bar.Set(int(p.whole() * (barSteps - 1))) // a full bar would end itself
	p.bar.Describe(escape.Line(text))
}

func (p *progress) line(format string, args ...any) {
	if p.bar != nil {
		_ = p.bar.Clear()
	}
	fmt.Fprintln(p.w, strings.TrimRight(fmt.Sprintf(format, args...), "\n"))
}

func (p *progress) finish() {
	if p.bar != nil {
		_ = p.bar.Clear()
	}
}
