package record

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"syscall"
	"time"

	"github.com/gofrs/flock"
)

// Heartbeat is how often the holder of a lock says that it is alive.
const Heartbeat = 10 * time.Second

// Holder tells who works on a run. It is information for people: the kernel's
// lock on the file decides, and frees itself when its process dies however it
// dies. The heartbeat tells a live holder on another host of a shared folder.
type Holder struct {
	Host      string    `json:"host"`
	PID       int       `json:"pid"`
	Started   time.Time `json:"started"`
	Heartbeat time.Time `json:"heartbeat"`
}

func (h Holder) String() string {
	if h.PID == 0 {
		return "another process"
	}
	return fmt.Sprintf("process %d on %s (last sign of life %s)", h.PID, h.Host, h.Heartbeat.Format(time.TimeOnly))
}

// ownFile keeps a lock from being a symbolic link, through which the heartbeat would
// overwrite another file.
var ownFile = flock.SetFlag(os.O_CREATE | os.O_RDONLY | syscall.O_NOFOLLOW)

// Lock is the exclusive right to work on a run.
type Lock struct {
	file *flock.Flock
	stop chan struct{}
	done chan struct{}
}

// Lock takes the lock of a run if it is free. Otherwise the lock is nil and the
// holder tells whose it is. The lock's file is never removed: a process that
// waits on a removed file would hold a lock that nobody else sees.
func (s Store) Lock(id string) (*Lock, Holder, error) {
	path := s.lockPath(id)
	l := &Lock{file: flock.New(path, flock.SetPermissions(0o644), ownFile), stop: make(chan struct{}), done: make(chan struct{})}
	ok, err := l.file.TryLock()
	if err != nil {
		return nil, Holder{}, lockError(path, err)
	}
	if !ok {
		return nil, readHolder(path), nil
	}
	host, _ := os.Hostname()
	h := Holder{Host: host, PID: os.Getpid(), Started: time.Now()}
	go l.beat(path, h)
	return l, Holder{}, nil
}

func lockError(path string, err error) error {
	if errors.Is(err, syscall.ELOOP) {
		return fmt.Errorf("record: lock %s is a symbolic link, expected a file: remove it", path)
	}
	return fmt.Errorf("record: lock %s: %w", path, err)
}

func (l *Lock) beat(path string, h Holder) {
	defer close(l.done)
	tick := time.NewTicker(Heartbeat)
	defer tick.Stop()
	for {
		h.Heartbeat = time.Now()
		if b, err := json.Marshal(h); err == nil {
			// In place: a rename would put a file without a lock there. A lost
			// heartbeat loses no lock, so the error does not matter.
			if f, err := os.OpenFile(path, os.O_WRONLY|os.O_TRUNC|syscall.O_NOFOLLOW, 0); err == nil {
				_, _ = f.Write(append(b, '\n'))
				_ = f.Close()
			}
		}
		select {
		case <-l.stop:
			return
		case <-tick.C:
		}
	}
}

// Release frees the lock.
func (l *Lock) Release() error {
	close(l.stop)
	<-l.done
	return l.file.Unlock()
}

func readHolder(path string) Holder {
	var h Holder
	if b, err := os.ReadFile(path); err == nil {
		_ = json.Unmarshal(b, &h) // half a heartbeat: nothing known of the holder
	}
	return h
}

// Busy says whether another process works on a run now, and which.
func (s Store) Busy(id string) (bool, Holder, error) {
	path := s.lockPath(id)
	if _, err := os.Stat(path); err != nil {
		return false, Holder{}, nil
	}
	probe := flock.New(path, flock.SetFlag(os.O_RDONLY|syscall.O_NOFOLLOW))
	ok, err := probe.TryRLock()
	if err != nil {
		return false, Holder{}, lockError(path, err)
	}
	if ok {
		return false, Holder{}, probe.Unlock()
	}
	return true, readHolder(path), nil
}
