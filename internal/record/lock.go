package record

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"github.com/gofrs/flock"
)

// Heartbeat is how often the holder of a lock gives a sign of life.
const Heartbeat = 10 * time.Second

// Holder says which process works on a run. On one host it is only information for
// people: the kernel's lock on the file decides, and the kernel frees it when the process
// dies, however it dies. But some file systems keep such locks to one host. So a holder
// on another host counts as long as its heartbeat is fresh.
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

// elsewhere reports whether a holder on another host gave a recent sign of life.
// Three heartbeats allow for a slow file system, and for clocks that differ a little.
func (h Holder) elsewhere() bool {
	host, _ := os.Hostname()
	return h.PID != 0 && h.Host != host && time.Since(h.Heartbeat).Abs() < 3*Heartbeat
}

// Lock is the exclusive right to work on a run.
type Lock struct {
	file *flock.Flock
	stop chan struct{}
	done chan struct{}
}

// Lock takes the lock of a run if it is free. Otherwise the lock is nil, and
// Lock returns the holder. The lock's file is never removed, because a process
// that waits on a removed file would hold a lock that nobody else sees.
func (s Store) Lock(id string) (*Lock, Holder, error) {
	path := s.lockPath(id)
	l := &Lock{file: lockFile(path), stop: make(chan struct{}), done: make(chan struct{})}
	ok, err := l.file.TryLock()
	if err != nil {
		return nil, Holder{}, lockError(path, err)
	}
	if old := readHolder(path); !ok || old.elsewhere() {
		return nil, old, l.file.Unlock()
	}
	host, _ := os.Hostname()
	h := Holder{Host: host, PID: os.Getpid(), Started: time.Now()}
	go l.beat(path, h)
	return l, Holder{}, nil
}

// lockFile never follows a symbolic link, because heartbeats would overwrite the file
// that it points to.
func lockFile(path string) *flock.Flock {
	return flock.New(path, flock.SetFlag(os.O_CREATE|os.O_RDWR|syscall.O_NOFOLLOW), flock.SetPermissions(0o644))
}

// lockError says what to do if a lock cannot be taken.
func lockError(path string, err error) error {
	switch {
	case errors.Is(err, syscall.ELOOP):
		return fmt.Errorf("record: lock %s is a symbolic link, expected a file: remove it", path)
	case errors.Is(err, syscall.ENOSYS), errors.Is(err, syscall.ENOLCK), errors.Is(err, syscall.EOPNOTSUPP), errors.Is(err, syscall.EINVAL):
		return fmt.Errorf("record: lock %s: %w: %s", path, err, needLocks)
	}
	return fmt.Errorf("record: lock %s: %w", path, err)
}

const needLocks = "the file system of the results folder has no working locks (flock), which keep two processes from doing the same run; " +
	"name a folder on a local disk with -out, or mount the file system with locks (Lustre: -o flock; NFS: without nolock)"

// CheckLocks makes sure that locks in the results folder work: a second attempt to
// take a held lock must be refused. It is called before the first run.
func (s Store) CheckLocks() error {
	return checkLocks(filepath.Join(s.Dir, "state", "probe.lock"), (*flock.Flock).TryLock)
}

func checkLocks(path string, try func(*flock.Flock) (bool, error)) error {
	first, second := lockFile(path), lockFile(path) // flock belongs to an open file, so one process can do both
	defer first.Close()
	defer second.Close()
	ok, err := try(first)
	if err == nil && ok { // otherwise another process checks at the same time: locks work
		if ok, err = try(second); ok {
			return fmt.Errorf("record: lock %s: it was taken twice at the same time: %s", path, needLocks)
		}
	}
	if err != nil {
		return lockError(path, err)
	}
	return nil
}

func (l *Lock) beat(path string, h Holder) {
	defer close(l.done)
	tick := time.NewTicker(Heartbeat)
	defer tick.Stop()
	for {
		h.Heartbeat = time.Now()
		if b, err := json.Marshal(h); err == nil {
			// The file is written in place, because a rename would replace it
			// by a file without a lock. A lost heartbeat does not lose the
			// lock, so the error does not matter.
			_ = writeHolder(path, append(b, '\n'))
		}
		select {
		case <-l.stop:
			_ = writeHolder(path, nil) // nobody needs to wait until the heartbeat is old
			return
		case <-tick.C:
		}
	}
}

func writeHolder(path string, text []byte) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_TRUNC|syscall.O_NOFOLLOW, 0)
	if err != nil {
		return err
	}
	_, err = f.Write(text)
	return errors.Join(err, f.Close())
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
		_ = json.Unmarshal(b, &h) // a half-written heartbeat: nothing is known about the holder
	}
	return h
}

// Busy reports whether another process works on a run now, and which.
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
	holder := readHolder(path)
	if !ok {
		return true, holder, nil
	}
	if err := probe.Unlock(); err != nil || !holder.elsewhere() {
		return false, Holder{}, err
	}
	return true, holder, nil
}
