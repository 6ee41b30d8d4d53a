package launch

import (
	"bufio"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gofrs/flock"

	"famebench/internal/plan"
	"famebench/internal/record"
	"famebench/internal/run"
	"famebench/internal/tinytest"
)

func TestSameRecordTwice(t *testing.T) {
	for _, suite := range []string{"quick", "neural"} {
		var hashes [2][]string
		for i := range hashes {
			dir := tinytest.Folder(t, tinytest.Config)
			p, r := tinyPlan(t, dir, suite)
			for _, o := range r.Run(context.Background(), p.Runs) {
				if o.Status != OutcomeDone {
					t.Fatalf("%s: %s %s", o.Run.ID, o.Status, o.Reason)
				}
				rec, err := r.Store.Read(o.Run.ID)
				if err != nil {
					t.Fatal(err)
				}
				if rec.Result.Users != 30 || rec.Result.Items != 20 || rec.Measured.PeakRSSMB < 1 {
					t.Errorf("%s: %d users, %d items, %v MB", rec.ID, rec.Result.Users, rec.Result.Items, rec.Measured.PeakRSSMB)
				}
				hashes[i] = append(hashes[i], rec.ResultSHA256)
				if _, err := os.Stat(r.Store.RanksPath(rec.ID)); err != nil {
					t.Error(err)
				}
				_, err = os.Stat(r.Store.WeightsPath(rec.ID))
				if (err == nil) != (suite == "neural") {
					t.Errorf("weights of %s: %v", rec.ID, err)
				}
				if _, err := os.Stat(r.Store.CheckpointPath(rec.ID)); err == nil {
					t.Errorf("%s: its checkpoint is left", rec.ID)
				}
			}
			if got := statuses(r.Run(context.Background(), p.Runs)); strings.Contains(got, OutcomeDone) {
				t.Errorf("second time: %s, want all reused", got)
			}
		}
		if a, b := strings.Join(hashes[0], " "), strings.Join(hashes[1], " "); a != b {
			t.Errorf("%s: results differ:\n%s\n%s", suite, a, b)
		}
	}
}

func TestDeathsAreRecordedAndOthersGoOn(t *testing.T) {
	dir := tinytest.Folder(t, tinytest.Config)
	p, r := tinyPlan(t, dir, "bad")
	outcomes := r.Run(context.Background(), p.Runs)
	if got, want := statuses(outcomes), "panics failed, fails failed, diverges failed, popularity done"; got != want {
		t.Fatalf("got %s, want %s", got, want)
	}
	for i, want := range []struct{ reason, stderr string }{
		{"exit code 2: panic: no such thing", "goroutine"},
		{"cannot count", ""},
		{"the loss became NaN or infinite in epoch 1", ""},
	} {
		if f, err := r.Store.ReadFailure(outcomes[i].Run.ID); err == nil && f != nil && f.Environment {
			t.Errorf("%s: the run's own failure is reported as the environment's", f.ID)
		}
		f, err := r.Store.ReadFailure(outcomes[i].Run.ID)
		if err != nil || f == nil {
			t.Fatalf("no failure record of %s: %v", outcomes[i].Run.ID, err)
		}
		if !strings.Contains(f.Reason, want.reason) || !strings.Contains(f.Stderr, want.stderr) || f.Reason != outcomes[i].Reason {
			t.Errorf("%s: %q, stderr %q; want %q, %q", f.ID, f.Reason, f.Stderr, want.reason, want.stderr)
		}
		st, err := p.Runs[i].State(r.Store)
		if err != nil || st.Status != plan.StateFailed {
			t.Errorf("state of %s: %+v, %v", f.ID, st, err)
		}
	}
	for _, o := range r.Run(context.Background(), p.Runs)[:3] {
		if o.Status != OutcomeFailed || !strings.HasPrefix(o.Reason, "failed before, see -retry-failed: ") {
			t.Errorf("%s is tried again without -retry-failed: %s, %s", o.Run.ID, o.Status, o.Reason)
		}
	}
}

// A failure of the machine is not the run's: the same command tries the run
// again.
func TestFailuresOfTheEnvironment(t *testing.T) {
	dir := tinytest.Folder(t, tinytest.Config)
	p, r := tinyPlan(t, dir, "environment")
	for _, last := range []string{"popularity done", "popularity reused"} {
		outcomes := r.Run(context.Background(), p.Runs)
		if got, want := statuses(outcomes), "full-disk environment, big environment, out-of-memory environment, bad-alloc environment, killed environment, "+last; got != want {
			t.Fatalf("got %s, want %s", got, want)
		}
		for i, want := range []string{
			"no space left on device", "no memory for 51539607552 bytes", "out of memory: runtime: out of memory: cannot allocate 4194304-byte block",
			"out of memory: terminate called after throwing an instance of 'std::bad_alloc'", "killed by signal 9 (killed); it had used up to ",
		} {
			f, err := r.Store.ReadFailure(outcomes[i].Run.ID)
			if err != nil || f == nil || !f.Environment || f.Reason != outcomes[i].Reason || !strings.Contains(f.Reason, want) || strings.Contains(f.Reason, "\n") {
				t.Errorf("%+v, %v; want %q", f, err, want)
			}
			if st, err := p.Runs[i].State(r.Store); err != nil || st.Status != plan.StateToRun || !strings.HasPrefix(st.Comment, "last attempt: ") {
				t.Errorf("state of %s: %+v, %v", p.Runs[i].ID, st, err)
			}
		}
	}
}

// A lock that cannot be taken says nothing about the run, whatever the reason.
func TestLockThatIsALink(t *testing.T) {
	dir := tinytest.Folder(t, tinytest.Config)
	p, r := tinyPlan(t, dir, "quick")
	runs := p.Runs[:1]
	lock := filepath.Join(r.Store.Dir, "state", runs[0].ID+".lock")
	if err := os.MkdirAll(filepath.Dir(lock), 0o755); err != nil {
		t.Fatal(err)
	}
	for _, target := range []string{filepath.Join(dir, "nothing"), dir} { // dangling, and not
		if err := os.Symlink(target, lock); err != nil {
			t.Fatal(err)
		}
		o := r.Run(context.Background(), runs)[0]
		if o.Status != OutcomeEnvironment || !strings.Contains(o.Reason, "symbolic link") {
			t.Errorf("%s: %s, %s", target, o.Status, o.Reason)
		}
		if err := os.Remove(lock); err != nil {
			t.Fatal(err)
		}
	}
	if o := r.Run(context.Background(), runs)[0]; o.Status != OutcomeDone {
		t.Errorf("without the link: %s, %s", o.Status, o.Reason)
	}
}

func TestInterrupt(t *testing.T) {
	dir := tinytest.Folder(t, tinytest.Config)
	// Long enough that the signal always comes before the end.
	p, r := tinyPlan(t, dir, "neural", "suites.neural.train.epochs=1000000", "train.patience=1000000")
	ctx, cancel := context.WithCancel(context.Background())
	var kinds []string
	r.Observe = func(_ int, _ plan.Run, e run.Event) {
		kinds = append(kinds, e.Kind)
		if e.Kind == run.EventProgress {
			cancel()
		}
	}
	outcomes := r.Run(ctx, p.Runs)
	if got, want := statuses(outcomes), "sasrec interrupted, sasrec interrupted"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if kinds[len(kinds)-1] != run.EventInterrupted {
		t.Errorf("events %v, want the child to say that it was interrupted", kinds)
	}
	if f, err := r.Store.ReadFailure(p.Runs[0].ID); f != nil || err != nil {
		t.Errorf("an interruption is recorded as a failure: %+v, %v", f, err)
	}
	if _, err := os.Stat(r.Store.CheckpointPath(p.Runs[0].ID)); err != nil {
		t.Errorf("no checkpoint: %v", err)
	}
}

func TestSecondInterruptKills(t *testing.T) {
	dir := tinytest.Folder(t, tinytest.Config)
	p, r := tinyPlan(t, dir, "stubborn")
	ctx, cancel := context.WithCancel(context.Background())
	kill := make(chan struct{})
	r.Kill = kill
	r.Observe = func(_ int, _ plan.Run, e run.Event) {
		if e.Kind == run.EventWarning {
			cancel()
			close(kill)
		}
	}
	if got, want := statuses(r.Run(ctx, p.Runs)), "stubborn interrupted"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

// waitForLock returns when the lock of a run is free, that is when the child
// that held it is gone.
func waitForLock(t *testing.T, s record.Store, id string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	l := flock.New(filepath.Join(s.Dir, "state", id+".lock"))
	if ok, err := l.TryLockContext(ctx, time.Millisecond); !ok || err != nil {
		t.Fatalf("the child is still there: %v", err)
	}
	_ = l.Unlock()
}

func TestKilledParentLeavesNoChild(t *testing.T) {
	dir := tinytest.Folder(t, tinytest.Config)
	parent := exec.Command(os.Args[0])
	parent.Env = append(os.Environ(), "LAUNCH_TEST_PARENT="+dir)
	stdout, err := parent.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := parent.Start(); err != nil {
		t.Fatal(err)
	}
	id, err := bufio.NewReader(stdout).ReadString('\n')
	id = strings.TrimSpace(id)
	if err != nil || !strings.HasPrefix(id, "tiny-stubborn-s0-") {
		t.Fatalf("the parent said %q, %v", id, err)
	}
	store := record.Store{Dir: filepath.Join(dir, "results")}
	if busy, _, err := store.Busy(id); !busy || err != nil {
		t.Fatalf("its child does not hold the lock: %v", err)
	}
	if err := parent.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = parent.Wait()
	waitForLock(t, store, id)
}

func TestRunThatAnotherProcessHolds(t *testing.T) {
	dir := tinytest.Folder(t, tinytest.Config)
	p, r := tinyPlan(t, dir, "quick")
	lock, _, err := r.Store.Lock(p.Runs[0].ID)
	if lock == nil || err != nil {
		t.Fatal(err)
	}
	var order []string
	r.Observe = func(_ int, one plan.Run, e run.Event) {
		switch e.Kind {
		case run.EventBusy, run.EventDone:
			order = append(order, one.Job.Spec.Model+" "+e.Kind)
		}
		if e.Kind == run.EventDone && one.Job.Spec.Model == "markov" {
			if err := lock.Release(); err != nil {
				t.Error(err)
			}
		}
	}
	if got, want := statuses(r.Run(context.Background(), p.Runs)), "popularity done, markov done"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if got, want := strings.Join(order, ", "), "popularity busy, markov done, popularity done"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestRecordOfAnotherProcessIsUsed(t *testing.T) {
	dir := tinytest.Folder(t, tinytest.Config)
	p, r := tinyPlan(t, dir, "quick")
	if got := statuses(r.Run(context.Background(), p.Runs)); got != "popularity done, markov done" {
		t.Fatal(got)
	}
	// The other process has the lock until its record is there.
	id := p.Runs[0].ID
	path := r.Store.RecordPath(id)
	if err := os.Rename(path, path+".later"); err != nil {
		t.Fatal(err)
	}
	lock, _, err := r.Store.Lock(id)
	if lock == nil || err != nil {
		t.Fatal(err)
	}
	r.Observe = func(_ int, _ plan.Run, e run.Event) {
		if e.Kind == run.EventBusy {
			if err := os.Rename(path+".later", path); err != nil && !os.IsNotExist(err) {
				t.Error(err)
			}
		}
	}
	if got, want := statuses(r.Run(context.Background(), p.Runs)), "popularity reused, markov reused"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if err := lock.Release(); err != nil {
		t.Error(err)
	}
}

// TestKilledRunResumesToTheSameRecord kills a child in the middle of an epoch,
// as kill -9 does, and compares the result of the next attempt with an
// undisturbed run.
func TestKilledRunResumesToTheSameRecord(t *testing.T) {
	var hashes []string
	for _, killed := range []bool{false, true} {
		dir := tinytest.Folder(t, tinytest.Config)
		marker := filepath.Join(dir, "marker")
		t.Setenv(tinytest.FragileMarker, marker)
		p, r := tinyPlan(t, dir, "fragile")
		if killed {
			if got := statuses(r.Run(context.Background(), p.Runs)); got != "fragile environment" {
				t.Fatalf("got %s, want it killed", got)
			}
			if _, err := os.Stat(r.Store.CheckpointPath(p.Runs[0].ID)); err != nil {
				t.Fatalf("no checkpoint: %v", err)
			}
		} else {
			tinytest.Write(t, marker, "")
		}
		if o := r.Run(context.Background(), p.Runs)[0]; o.Status != OutcomeDone {
			t.Fatalf("%s: %s", o.Status, o.Reason)
		}
		rec, err := r.Store.Read(p.Runs[0].ID)
		if err != nil {
			t.Fatal(err)
		}
		if rec.Measured.Resumed != killed {
			t.Errorf("resumed %v, want %v", rec.Measured.Resumed, killed)
		}
		if f, err := r.Store.ReadFailure(rec.ID); f != nil || err != nil {
			t.Errorf("the failure stays after success: %+v, %v", f, err)
		}
		hashes = append(hashes, rec.ResultSHA256)
	}
	if hashes[0] != hashes[1] {
		t.Errorf("undisturbed %s, killed and resumed %s", hashes[0], hashes[1])
	}
}

func TestTimeLimit(t *testing.T) {
	dir := tinytest.Folder(t, tinytest.Config)
	p, r := tinyPlan(t, dir, "neural", "train.time_limit=1e-9", "suites.neural.seeds=[0]")
	o := r.Run(context.Background(), p.Runs)[0]
	// A run that is stopped in its first step has no weights to rank with.
	if o.Status != OutcomeFailed || !strings.Contains(o.Reason, "before any validation") {
		t.Fatalf("%s: %s", o.Status, o.Reason)
	}
	// With enough time it continues, and the limit leaves no trace in the
	// result.
	p, r = tinyPlan(t, dir, "neural", "suites.neural.seeds=[0]", "train.time_limit=1000")
	if o := r.Run(context.Background(), p.Runs)[0]; o.Status != OutcomeDone {
		t.Fatalf("%s: %s", o.Status, o.Reason)
	}
	rec, err := r.Store.Read(p.Runs[0].ID)
	if err != nil || !rec.Measured.Resumed || rec.Result.Status != record.Epochs {
		t.Errorf("%+v, %v", rec, err)
	}
}

// Two runs at a time both begin before either ends, and have the same results as
// one after the other.
func TestJobs(t *testing.T) {
	hashes := map[int][]string{}
	for _, jobs := range []int{1, 2} {
		p, r := tinyPlan(t, tinytest.Folder(t, tinytest.Config), "neural")
		r.Jobs = jobs
		var began, overlapped int
		r.Observe = func(_ int, _ plan.Run, e run.Event) {
			switch {
			case e.Kind == run.EventPhase && e.Phase == "load":
				began++
			case e.Kind == run.EventDone && began == 2:
				overlapped++
			}
		}
		if got := statuses(r.Run(context.Background(), p.Runs)); got != "sasrec done, sasrec done" {
			t.Fatalf("%d jobs: %s", jobs, got)
		}
		if jobs == 1 && overlapped != 1 {
			t.Errorf("one job: both had begun at the end of %d runs, expected 1", overlapped)
		}
		for _, one := range p.Runs {
			rec, err := r.Store.Read(one.ID)
			if err != nil {
				t.Fatal(err)
			}
			hashes[jobs] = append(hashes[jobs], rec.ResultSHA256)
		}
	}
	if !slices.Equal(hashes[1], hashes[2]) {
		t.Errorf("one at a time %q, two %q", hashes[1], hashes[2])
	}

	// Each of these runs ends only while the other is under way.
	t.Setenv("TMPDIR", t.TempDir())
	p, r := tinyPlan(t, tinytest.Folder(t, tinytest.Config), "meeting")
	r.Jobs = 2
	if got := statuses(r.Run(context.Background(), p.Runs)); got != "left done, right done" {
		t.Errorf("two jobs: %s", got)
	}
}
