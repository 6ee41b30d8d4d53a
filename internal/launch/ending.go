package launch

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"syscall"

	"famebench/internal/run"
)

// ending is how a child process ended.
type ending struct {
	last        run.Event
	reason      string // why it did not do its job; "" if it did
	environment bool   // the reason is the environment, not the run
	signaled    bool   // a signal ended it, caught or not
	stderr      string // its last lines
	crash       string // the line that says why it crashed, "" if there is none
}

// notStarted is the ending of a child that could not be started.
func notStarted(what string, err error) ending {
	return ending{reason: fmt.Sprintf("%s: %v", what, err), environment: true}
}

// explain says why a child did not do its job.
func (e *ending) explain(state *os.ProcessState, waitErr error) {
	if waitErr == nil {
		switch e.last.Kind {
		case run.EventDone, run.EventReused, run.EventBusy, run.EventCost:
		default:
			e.reason = "the child process ended without a result"
		}
		return
	}
	switch {
	case e.last.Kind == run.EventFailed:
		e.reason, e.environment = e.last.Message, e.last.Environment
		return
	case e.last.Kind == run.EventInterrupted:
		e.reason, e.environment, e.signaled = "the child process was interrupted by a signal", true, true
		return
	case state == nil:
		e.reason, e.environment = waitErr.Error(), true
		return
	}
	peak := ""
	if u, ok := state.SysUsage().(*syscall.Rusage); ok {
		peak = fmt.Sprintf("; it had used up to %d MB of memory", run.MaxRSS(u)>>20)
	}
	ws, _ := state.Sys().(syscall.WaitStatus)
	e.signaled = ws.Signaled()
	crash := e.crash
	switch {
	case run.OutOfMemory(crash):
		e.reason, e.environment = "out of memory: "+crash+peak, true
	case !ws.Signaled():
		e.reason = fmt.Sprintf("the child process ended with exit code %d", state.ExitCode())
		if crash != "" {
			e.reason += ": " + crash
		}
	default:
		e.reason = fmt.Sprintf("the child process was killed by signal %d (%v)%s", ws.Signal(), ws.Signal(), peak)
		if ws.Signal() == syscall.SIGKILL {
			e.reason += "; if nobody killed it, the machine ran out of memory"
		}
		switch ws.Signal() {
		case syscall.SIGABRT, syscall.SIGBUS, syscall.SIGFPE, syscall.SIGILL, syscall.SIGSEGV, syscall.SIGSYS, syscall.SIGTRAP: // caused by the run itself
		default:
			e.environment = true
		}
	}
}

// crashStarts are the beginnings of the lines in which Go's runtime and the C++ library
// say why they end a process. The trace that follows is longer than the tail that is kept.
var crashStarts = []string{"panic: ", "fatal error: ", "runtime: ", "runtime/cgo: ", "terminate called", "what(): "}

// crashLine returns the line that explains a crash better, of one seen before and the next
// one: the first, unless only the next one is about memory.
func crashLine(before, line string) string {
	line = strings.TrimSpace(line)
	starts := slices.ContainsFunc(crashStarts, func(s string) bool { return strings.HasPrefix(line, s) })
	if starts && (before == "" || run.OutOfMemory(line) && !run.OutOfMemory(before)) {
		return line
	}
	return before
}
