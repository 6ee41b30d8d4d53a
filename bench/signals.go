package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"sync"
	"time"

	"famebench/internal/atomicfile"
	"famebench/internal/escape"
	"famebench/internal/run"
)

// working is held while child processes work. They keep a checkpoint when they are asked to
// stop, and are waited for. At any other time nothing would be lost, so a signal ends the
// process at once, whatever it does: it may read a pipe that nobody writes to, or compute
// intervals for half a minute.
var working sync.Mutex

// sameRequest is how soon after a signal another one belongs to it: timeout(1) sends its
// signal to the process and to its group.
const sameRequest = 300 * time.Millisecond

// catchSignals makes the first Ctrl-C, SIGTERM or SIGHUP cancel the context, and end the
// process if no child works. The second closes kill, which ends children that do not stop;
// the third ends the process all the same.
func catchSignals(stderr *os.File) (ctx context.Context, kill <-chan struct{}) {
	ctx, cancel := context.WithCancel(context.Background())
	killed := make(chan struct{})
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, run.StopSignals()...)
	go func() {
		<-signals
		cancel() // first: what holds the lock now looks at the context when it lets go
		if working.TryLock() {
			time.AfterFunc(sameRequest, func() { os.Exit(exitInterrupted) }) // stderr or the disk may hang
			atomicfile.Abandon()
			end(errInterrupted, stderr)
		}
		time.Sleep(sameRequest)
		for len(signals) > 0 {
			<-signals
		}
		<-signals
		close(killed)
		<-signals
		os.Exit(exitInterrupted)
	}()
	return ctx, killed
}

var ending sync.Mutex

// end prints an error, if there is one, and ends the process. Only the first call does.
func end(err error, stderr *os.File) {
	ending.Lock()
	if err != nil {
		fmt.Fprintf(&escape.Writer{To: stderr}, "bench: %v\n", err)
	}
	os.Exit(exitCode(err))
}
