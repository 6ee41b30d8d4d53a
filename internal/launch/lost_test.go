package launch

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"famebench/internal/plan"
	"famebench/internal/record"
	"famebench/internal/run"
	"famebench/internal/tinytest"
)

// A process whose run another one took over, because it was paused for long, discards its work:
// it writes neither ranks nor a record, and the run counts as the other's. It notices before it
// writes, and at its next heartbeat.
func TestLostRunIsDiscarded(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	for suite, begun := range map[string]string{
		"meeting":  run.EventPhase,   // it works until there is a marker of the other run
		"stubborn": run.EventWarning, // it never ends by itself
	} {
		p, r := tinyPlan(t, tinytest.Folder(t, tinytest.Config), suite)
		ctx, cancel := context.WithCancel(context.Background())
		busy, taken := 0, false
		r.Observe = func(_ int, one plan.Run, e run.Event) {
			switch {
			case e.Kind == begun && !taken:
				taken = true
				takeOver(t, r.Store, one.ID)
			case e.Kind == run.EventBusy:
				if busy++; busy == 3 { // the first is of the child, then it is the other's
					cancel()
				}
			}
		}
		o := r.Run(ctx, p.Runs[:1])[0]
		if o.Status != OutcomeInterrupted || busy != 3 {
			t.Errorf("%s: %s (%s), busy %d times", suite, o.Status, o.Reason, busy)
		}
		if files, err := os.ReadDir(filepath.Join(r.Store.Dir, "runs")); len(files) > 0 || err != nil {
			t.Errorf("%s: it wrote %v, %v", suite, files, err)
		}
	}
}

// takeOver does what a process on another host does with an expired lease. Then it lets the run
// "left" end.
func takeOver(t *testing.T, s record.Store, id string) {
	b, err := json.Marshal(record.Holder{Host: "other", PID: 17, Heartbeat: time.Now()})
	if err == nil {
		err = os.WriteFile(filepath.Join(s.Dir, "state", id+".lease", "99"), b, 0o644)
	}
	if err == nil {
		err = os.WriteFile(filepath.Join(os.TempDir(), fmt.Sprintf("famebench-meets-%d-right", os.Getpid())), nil, 0o600)
	}
	if err != nil {
		t.Error(err)
	}
}
