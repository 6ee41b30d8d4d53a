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
	"famebench/internal/launch"
	"famebench/internal/plan"
	"famebench/internal/rank"
	"famebench/internal/record"
	"famebench/internal/run"
)

// plainEvery is how often a line is printed where there is no terminal.
const plainEvery = 10 * time.Second

// barSteps is the resolution of the bar.
const barSteps = 1000

// progress shows how far the plan is: a bar on a terminal, lines elsewhere.
type progress struct {
	w       io.Writer
	store   record.Store
	state   *launch.Progress
	printed []time.Time              // of the last plain line of each run
	bar     *progressbar.ProgressBar // nil without a terminal
	warned  map[string]bool
}

// newProgress begins to report on runs that are expected to take some time each.
func newProgress(w io.Writer, store record.Store, expected []time.Duration, jobs int) *progress {
	p := &progress{w: w, store: store, state: launch.NewProgress(expected, jobs), printed: make([]time.Time, len(expected)), warned: map[string]bool{}}
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

// observe gets every event of every run.
func (p *progress) observe(index int, one plan.Run, e run.Event) {
	name := fmt.Sprintf("[%d/%d] %s", index+1, len(p.printed), one.ID)
	short := name[:strings.LastIndex(name, "-")] // a bar leaves little room
	text, news := p.state.Observe(index, e)
	switch e.Kind {
	case run.EventPhase:
		if e.Phase == "load" {
			at := ""
			if one.At != "" {
				at = " with " + one.At
			}
			p.line("%s: started%s", name, at)
		}
		p.printed[index] = time.Now()
		p.show(short + ": " + text)
	case run.EventProgress:
		p.show(short + ": " + text)
		if p.bar == nil && (e.Progress.EpochDone || time.Since(p.printed[index]) >= plainEvery) {
			p.printed[index] = time.Now()
			p.line("%s: %s", name, text)
		}
	case run.EventWarning:
		if !p.warned[e.Message] {
			p.warned[e.Message] = true
			p.line("%s: warning: %s", name, e.Message)
		}
	case run.EventBusy:
		if news {
			p.line("%s: is being done by %s; its record will be used", name, e.Message)
		}
	case run.EventDone, run.EventCost:
		p.line("%s: done in %s%s%s", name, time.Since(p.state.Runs[index].Began).Round(100*time.Millisecond), p.outcome(one), p.state.Left())
	case run.EventFailed:
		p.line("%s: failed: %s%s", name, e.Message, p.state.Left())
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
	if one.Job.Spec.ValidationOnly {
		return fmt.Sprintf(", validation %s %.4f", rank.Deciding, r.Result.BestValidation()[rank.Deciding])
	}
	return fmt.Sprintf(", %s %.4f removed, %.4f kept", rank.Deciding, r.Result.Test.Removed[rank.Deciding], r.Result.Test.Kept[rank.Deciding])
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
	_ = p.bar.Set(int(p.state.Whole() * (barSteps - 1))) // a full bar would end itself
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
