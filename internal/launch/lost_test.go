package launch

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"famebench/internal/plan"
	"famebench/internal/record"
	"famebench/internal/run"
	"famebench/internal/tinytest"
)

// A process whose run another one took over, because it was paused for long, discards its work:
// it writes neither ranks nor a record, and the run counts as the other's.
func TestLostRunIsDiscarded(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	dir := tinytest.Folder(t, tinytest.Config)
	p, r := tinyPlan(t, dir, "meeting")
	runs := p.Runs[:1] // it works until there is a marker of the other
	ctx, cancel := context.WithCancel(context.Background())
	busy := 0
	r.Observe = func(_ int, one plan.Run, e run.Event) {
		switch e.Kind {
		case run.EventPhase:
			if e.Phase != "load" {
				return
			}
			b, err := json.Marshal(record.Holder{Host: "other", PID: 17, Heartbeat: time.Now()})
			if err == nil {
				err = os.WriteFile(filepath.Join(r.Store.Dir, "state", one.ID+".lease", strconv.Itoa(2)), b, 0o644)
			}
			if err == nil {
				err = os.WriteFile(filepath.Join(os.TempDir(), fmt.Sprintf("famebench-meets-%d-right", os.Getpid())), nil, 0o600)
			}
			if err != nil {
				t.Error(err)
			}
		case run.EventBusy:
			if busy++; busy == 3 { // then it is the other's
				cancel()
			}
		}
	}
	o := r.Run(ctx, runs)[0]
	if o.Status != OutcomeInterrupted || busy != 3 {
		t.Errorf("%s (%s), busy %d times", o.Status, o.Reason, busy)
	}
	if files, err := os.ReadDir(filepath.Join(r.Store.Dir, "runs")); len(files) > 0 || err != nil {
		t.Errorf("it wrote %v, %v", files, err)
	}
}
