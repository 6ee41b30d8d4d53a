package main

import (
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/schollz/progressbar/v3"
	"golang.org/x/term"

	"famebench/internal/experiment"
)

// plainEvery is how often a line is printed where there is no terminal.
const plainEvery = 10 * time.Second

// barSteps is the resolution of the bar.
const barSteps = 1000

// progress tells the user how far the runs are: a bar on a terminal, lines
// elsewhere.
type progress struct {
	w     io.Writer
	total int
	bar   *progressbar.ProgressBar // nil without a terminal

	phase   string // of the run at hand
	began   time.Time
	printed time.Time // of the last plain line
	waiting map[string]bool
	warned  map[string]bool
}

func newProgress(w io.Writer, total int) *progress {
	p := &progress{w: w, total: total, waiting: map[string]bool{}, warned: map[string]bool{}}
	if f, ok := w.(*os.File); ok && term.IsTerminal(int(f.Fd())) {
		p.bar = progressbar.NewOptions(barSteps,
			progressbar.OptionSetWriter(w),
			progressbar.OptionSetWidth(12),
			progressbar.OptionShowDescriptionAtLineEnd(),
			progressbar.OptionSetPredictTime(false), // training knows its own
			progressbar.OptionSetElapsedTime(false),
			progressbar.OptionThrottle(100*time.Millisecond),
			progressbar.OptionSetRenderBlankState(true))
	}
	return p
}

// observe is told every event of every run.
func (p *progress) observe(index int, run experiment.Run, e experiment.Event) {
	name := fmt.Sprintf("[%d/%d] %s", index+1, p.total, run.ID)
	short := name[:strings.LastIndex(name, "-")] // room is dear beside a bar
	switch e.Kind {
	case experiment.EventPhase:
		if e.Phase == "load" {
			p.began = time.Now()
			p.line("%s: started", name)
		}
		p.phase, p.printed = e.Phase, time.Now()
		p.show(0, short+": "+e.Phase)
	case experiment.EventProgress:
		text, share := describe(p.phase, *e.Progress)
		p.show(share, short+": "+text)
		p.plain(name, text, *e.Progress)
	case experiment.EventWarning:
		if !p.warned[e.Message] {
			p.warned[e.Message] = true
			p.line("%s: warning: %s", name, e.Message)
		}
	case experiment.EventBusy:
		if !p.waiting[run.ID] {
			p.waiting[run.ID] = true
			p.line("%s: is being done by %s; its record will be used", name, e.Message)
		}
	case experiment.EventDone, experiment.EventCost:
		p.line("%s: done in %s", name, time.Since(p.began).Round(100*time.Millisecond))
	case experiment.EventFailed:
		p.line("%s: failed: %s", name, e.Message)
	case experiment.EventInterrupted:
		p.line("%s: stopped, checkpoint kept", name)
	}
}

// describe puts progress in words and as a share of the run.
func describe(phase string, p experiment.Progress) (text string, share float64) {
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
func (p *progress) plain(name, text string, now experiment.Progress) {
	if p.bar != nil || !now.EpochDone && time.Since(p.printed) < plainEvery {
		return
	}
	p.printed = time.Now()
	p.line("%s: %s", name, text)
}

func (p *progress) show(share float64, text string) {
	if p.bar == nil {
		return
	}
	// Long lines would wrap and leave a trail of bars.
	if f, ok := p.w.(*os.File); ok {
		if width, _, err := term.GetSize(int(f.Fd())); err == nil {
			if room := width - 24; room > 0 && len(text) > room {
				text = text[:room]
			}
		}
	}
	_ = p.bar.Set(int(share * (barSteps - 1))) // a full bar would end itself
	p.bar.Describe(text)
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
