package record

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/gofrs/flock"
)

// Heartbeat is how often the holder of a lock gives a sign of life.
const Heartbeat = 10 * time.Second

// Holder says which process works on a run, for people, and on which host, for the lock.
type Holder struct {
	Host      string    `json:"host"`
	Boot      string    `json:"boot,omitempty"` // of the host, since machines may share a name; "" where the system has no such id
	PID       int       `json:"pid"`
	Job       string    `json:"job,omitempty"` // of a cluster's scheduler
	Started   time.Time `json:"started"`
	Heartbeat time.Time `json:"heartbeat"`
	Released  bool      `json:"released,omitempty"` // it does not work on the run any more
}

func (h Holder) String() string {
	if h.PID == 0 {
		return "another process"
	}
	job := ""
	if h.Job != "" {
		job = ", job " + h.Job
	}
	return fmt.Sprintf("process %d on %s%s (last sign of life %s)", h.PID, h.Host, job, h.Heartbeat.Format(time.TimeOnly))
}

func newHolder() Holder {
	host, _ := os.Hostname()
	job := os.Getenv("SLURM_JOB_ID")
	if array := os.Getenv("SLURM_ARRAY_JOB_ID"); array != "" {
		job = array + "_" + os.Getenv("SLURM_ARRAY_TASK_ID")
	}
	boot, _ := os.ReadFile("/proc/sys/kernel/random/boot_id") // Linux
	return Holder{Host: host, Boot: strings.TrimSpace(string(boot)), PID: os.Getpid(), Job: job, Started: time.Now(), Heartbeat: time.Now()}
}

// here reports whether a holder is on this machine, whose kernel then knows whether it is alive.
func (h Holder) here() bool {
	own := newHolder()
	return h.Host == own.Host && h.Boot == own.Boot
}

// processName is the name of this process among all that share a results folder. Others may have its
// host name and process number: machines that were copied, and a worker that replaces a dead one.
func processName() string {
	h := newHolder()
	return fmt.Sprintf("%s-%d-%08x", h.Host, h.PID, rand.Uint32())
}

// Lock is the exclusive right to work on a run. It consists of the kernel's lock on the file
// state/ID.lock, which is free as soon as its process dies, however it dies, and of a lease,
// because some file systems keep the kernel's locks to one host or have none.
type Lock struct {
	Store Store
	ID    string
	From  Holder // the process that ended without finishing the run; zero: none did

	file   *flock.Flock
	lost   chan struct{} // closed when another process has taken over
	stop   chan struct{}
	done   chan struct{}
	mu     sync.Mutex // guards the rest
	number int        // of the lease
	holder Holder
	gone   bool // lost is closed
}

// kernel is how the kernel's locks are taken. Tests replace it by those of other file systems.
type kernel struct {
	try, tryShared func(*flock.Flock) (bool, error)
}

var realKernel = kernel{(*flock.Flock).TryLock, (*flock.Flock).TryRLock}

// Lock takes the lock of a run if it is free. Otherwise the lock is nil, and
// Lock returns the holder. The lock's file is never removed, because a process
// that waits on a removed file would hold a lock that nobody else sees.
func (s Store) Lock(id string) (*Lock, Holder, error) { return s.lock(id, realKernel, Heartbeat) }

func (s Store) lock(id string, k kernel, heartbeat time.Duration) (*Lock, Holder, error) {
	path, dir := s.lockPath(id), s.leaseDir(id)
	l := &Lock{Store: s, ID: id, file: lockFile(path), lost: make(chan struct{}), stop: make(chan struct{}), done: make(chan struct{}), holder: newHolder()}
	ok, err := k.try(l.file)
	locked := ok
	if noLocks(err) {
		ok, err = true, nil // the lease decides
	}
	if err != nil {
		return nil, Holder{}, errors.Join(lockError(path, err), l.file.Close())
	}
	if err = makeLeaseDir(dir); err != nil {
		return nil, Holder{}, errors.Join(lockError(path, err), l.file.Close())
	}
	old, err := readLease(dir)
	if err == nil && ok {
		ok, err = s.free(old, path, locked, k)
	}
	if err == nil && ok {
		ok, err = follow(dir, old.number, l.holder)
	}
	if err == nil && ok && old.number > 0 {
		if err = s.lookAgain(); err != nil {
			_, _ = follow(dir, old.number+1, Holder{Released: true})
		}
	}
	if err != nil || !ok {
		if err != nil {
			err = lockError(path, err)
		}
		return nil, old.holder, errors.Join(err, l.file.Close())
	}
	l.number = old.number + 1
	if !old.holder.Released {
		l.From = old.holder
	}
	go l.beat(heartbeat)
	return l, Holder{}, nil
}

// free reports whether nobody holds a lease. locked says whether this process has the kernel's
// lock on the file path.
func (s Store) free(l lease, path string, locked bool, k kernel) (bool, error) {
	if l.number == 0 || l.holder.Released {
		return true, nil
	}
	if locked && l.holder.here() {
		// The kernel frees the lock of a dead process, if its locks have an effect.
		second := lockFile(path)
		twice, err := k.try(second)
		if err = errors.Join(err, second.Close()); err == nil && !twice {
			return true, nil
		}
	}
	return s.expired(l)
}

// lockFile never follows a symbolic link, because others may share the folder.
func lockFile(path string) *flock.Flock {
	return flock.New(path, flock.SetFlag(os.O_CREATE|os.O_RDWR|syscall.O_NOFOLLOW), flock.SetPermissions(0o644))
}

// noLocks reports whether an error says that the file system has no locks.
func noLocks(err error) bool {
	return errors.Is(err, syscall.ENOSYS) || errors.Is(err, syscall.ENOLCK) || errors.Is(err, syscall.EOPNOTSUPP) || errors.Is(err, syscall.EINVAL)
}

func lockError(path string, err error) error {
	if errors.Is(err, syscall.ELOOP) {
		return fmt.Errorf("record: lock %s is a symbolic link, expected a file: remove it", path)
	}
	return fmt.Errorf("record: lock %s: %w", path, err)
}

// leasesDecide is the notice about file systems without locks.
const leasesDecide = "the file system of the results folder has no working locks (flock): leases in its folder state keep two processes from doing the same run, " +
	"and the run of a process that was killed is free again after a minute. Mounting it with locks avoids the wait (Lustre: -o flock; NFS: without nolock)"

// CheckLocks makes sure that two processes cannot do the same run, and gives a notice if only
// leases prevent it. It is called before the first run.
func (s Store) CheckLocks() error { return s.checkLocks(realKernel) }

func (s Store) checkLocks(k kernel) error {
	path := filepath.Join(s.Dir, "state", "probe.lock")
	first, second := lockFile(path), lockFile(path) // flock belongs to an open file, so one process can do both
	defer first.Close()
	defer second.Close()
	twice := false
	ok, err := k.try(first)
	if err == nil && ok { // otherwise another process checks at the same time: locks work
		twice, err = k.try(second)
	}
	if err != nil && !noLocks(err) {
		return lockError(path, err)
	}
	if (twice || err != nil) && s.Notice != nil {
		s.Notice(leasesDecide)
	}
	return s.checkExclusive()
}

// beat gives a sign of life until the lock is released or lost.
func (l *Lock) beat(every time.Duration) {
	defer close(l.done)
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		select {
		case <-l.stop:
			return
		case <-tick.C:
			// What the file server refuses may work the next time: nobody can take
			// over meanwhile without creating a file there.
			if errors.Is(l.Confirm(), ErrLost) {
				return
			}
		}
	}
}

// Confirm makes sure that the run is still this process's. A result is only written after it:
// a process that was paused may have lost the run to another, and then the error is ErrLost.
func (l *Lock) Confirm() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.renew(false)
}

// renew creates the next file of the lease, which may say that the run is free.
func (l *Lock) renew(released bool) error {
	if l.gone {
		return ErrLost
	}
	l.holder.Heartbeat, l.holder.Released = time.Now(), released
	ok, err := follow(l.Store.leaseDir(l.ID), l.number, l.holder)
	switch {
	case err != nil:
		return lockError(l.Store.leaseDir(l.ID), err)
	case !ok:
		l.gone = true
		close(l.lost)
		return ErrLost
	}
	l.number++
	return nil
}

// Lost is closed when another process has taken over the run.
func (l *Lock) Lost() <-chan struct{} { return l.lost }

// Release frees the lock. Nobody needs to wait until the lease expires.
func (l *Lock) Release() error {
	close(l.stop)
	<-l.done
	l.mu.Lock()
	defer l.mu.Unlock()
	err := l.renew(true)
	if errors.Is(err, ErrLost) {
		err = nil
	}
	return errors.Join(err, l.file.Close())
}

// Busy reports whether another process works on a run now, and which.
func (s Store) Busy(id string) (bool, Holder, error) { return s.busy(id, realKernel) }

func (s Store) busy(id string, k kernel) (bool, Holder, error) {
	path := s.lockPath(id)
	if _, err := os.Stat(path); err != nil {
		return false, Holder{}, nil
	}
	probe := flock.New(path, flock.SetFlag(os.O_RDONLY|syscall.O_NOFOLLOW))
	defer probe.Close()
	ok, err := k.tryShared(probe)
	if err != nil && !noLocks(err) {
		return false, Holder{}, lockError(path, err)
	}
	l, err2 := readLease(s.leaseDir(id))
	if err2 != nil {
		return false, Holder{}, lockError(path, err2)
	}
	if !ok && err == nil {
		return true, l.holder, nil
	}
	free, err := s.free(l, path, ok, k)
	if err != nil { // such as a folder that is read-only: nobody here can do the run
		return true, l.holder, nil
	}
	if free {
		return false, Holder{}, nil
	}
	return true, l.holder, nil
}
