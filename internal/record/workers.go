package record

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/gofrs/flock"
)

// Worker is the presence of a process that shares a results folder with others on other
// machines. It holds a lock of its own, on which the others try the file system.
type Worker struct{ lock *Lock }

// workerPrefix begins the ids of the locks of workers. No run's id begins with it, because those
// begin with the name of a data set and end in a hash.
const workerPrefix = "worker-"

// forgotten is the age at which the files of a worker that was killed are removed.
const forgotten = 24 * time.Hour

// JoinWorkers announces this process to the other workers of the folder, and tries to take the
// kernel's lock of one of them, if possible of one on another host. It says what it found. A
// run's lease protects it in any case, so the answer changes only how soon the run of a dead
// worker is free.
func (s Store) JoinWorkers(ctx context.Context) (w Worker, found string, err error) {
	l, holder, err := s.Lock(workerPrefix + processName())
	if err != nil {
		return w, "", err
	}
	if l == nil {
		return w, "", fmt.Errorf("record: %v has the lock of this worker in %s: start it again", holder, s.Dir)
	}
	w.lock = l
	found, err = s.probeWorkers(ctx, l.ID, realKernel, 5*time.Second)
	return w, found, err
}

// Leave removes the files of the worker. Nobody else ever takes its lock.
func (w Worker) Leave() error {
	err := w.lock.Release()
	w.lock.Store.removeLock(w.lock.ID)
	return err
}

func (s Store) removeLock(id string) {
	_ = os.RemoveAll(s.leaseDir(id))
	_ = os.Remove(s.lockPath(id))
}

// probeWorkers tries the locks of other workers and removes the files of those long dead. own is
// the id of this one. poll is how often a lease is looked at that nobody may renew any more.
func (s Store) probeWorkers(ctx context.Context, own string, k kernel, poll time.Duration) (found string, err error) {
	dirs, err := filepath.Glob(filepath.Join(globQuote(s.Dir), "state", workerPrefix+"*.lease"))
	if err != nil {
		return "", err
	}
	now, err := s.serverTime()
	if err != nil {
		return "", err
	}
	host := newHolder().Host
	granted := map[string]lease{} // by id
	for _, dir := range dirs {
		id := strings.TrimSuffix(filepath.Base(dir), ".lease")
		l, err := readLease(dir)
		if err != nil || id == own || l.holder.Released || l.number == 0 {
			continue // it has just left, or is about to write its first lease
		}
		if age := now.Sub(l.renewed); age > leaseExpires {
			if age > forgotten {
				s.removeLock(id)
			}
			continue
		}
		here := l.holder.here()
		refused, dead := s.probeWorker(id, here, k)
		switch {
		case refused && (!here || found == ""):
			found = fmt.Sprintf("locks (flock) hold between %s and %s", l.holder.Host, host)
			if !here {
				return found, nil
			}
		case !refused && !dead:
			granted[id] = l
		}
	}
	if l, ok := s.alive(ctx, granted, poll); ok {
		found = fmt.Sprintf("locks (flock) do not hold between %s and %s: leases keep two workers from doing the same run, and the run of a dead worker is free again after a minute",
			l.holder.Host, host)
	}
	return found, nil
}

// probeWorker tries the lock of a worker. If it is granted on the worker's own host, and locks
// have an effect there, the worker is dead.
func (s Store) probeWorker(id string, here bool, k kernel) (refused, dead bool) {
	existing := flock.SetFlag(os.O_RDWR | syscall.O_NOFOLLOW) // the worker may have just left
	first, second := flock.New(s.lockPath(id), existing), flock.New(s.lockPath(id), existing)
	defer first.Close()
	defer second.Close()
	ok, err := k.try(first)
	if err != nil || !ok {
		return err == nil, errors.Is(err, fs.ErrNotExist)
	}
	if here {
		ok, err = k.try(second)
		dead = err == nil && !ok
	}
	return false, dead
}

// alive returns a lease that its holder renews, among those of workers whose lock was granted: a
// worker that has just died has such a lock, too.
func (s Store) alive(ctx context.Context, granted map[string]lease, poll time.Duration) (lease, bool) {
	for waited := time.Duration(0); len(granted) > 0 && waited < 2*Heartbeat; waited += poll {
		select {
		case <-ctx.Done():
			return lease{}, false
		case <-time.After(poll):
		}
		for id, l := range granted {
			if again, err := readLease(s.leaseDir(id)); err == nil && again.number > l.number && !again.holder.Released {
				return l, true
			}
		}
	}
	return lease{}, false
}
