package record

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
	"time"
)

// A lease says who works on a run. It decides wherever the kernel's lock says nothing: between
// machines whose file system keeps locks to one machine, and where there are no locks at all.
//
// It is the folder state/ID.lease, in which the file with the highest number counts. Whoever
// wants the run creates the next number with O_EXCL, which a file system grants to one process
// only: the holder at every heartbeat and before it writes a result, and another process once
// the lease is released or has expired. So a holder that was paused until its lease was taken
// over cannot renew it, and notices.
//
// The age of a lease is the difference of two modification times, both of the file server. The
// clocks of the machines do not matter.

// leaseExpires is the age at which a lease may be taken over.
const leaseExpires = 6 * Heartbeat

// ErrLost is the error of a holder whose lease another process has taken over.
var ErrLost = errors.New("another process, which took the run over because this one was paused for more than a minute")

// lease is the newest file of a lease.
type lease struct {
	number  int // 0: there is none
	holder  Holder
	renewed time.Time // by the file server's clock
}

func (s Store) leaseDir(id string) string { return filepath.Join(s.Dir, "state", id+".lease") }

func leasePath(dir string, number int) string { return filepath.Join(dir, strconv.Itoa(number)) }

// newestLease returns the highest number in the folder of a lease.
func newestLease(dir string) (newest int, err error) {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return 0, nil
	}
	for _, e := range entries {
		if n, err := strconv.Atoi(e.Name()); err == nil {
			newest = max(newest, n)
		}
	}
	return newest, err
}

// readLease reads the newest file of a lease.
func readLease(dir string) (l lease, err error) {
	for range 3 {
		if l.number, err = newestLease(dir); err != nil || l.number == 0 {
			return l, err
		}
		// Opening a file makes NFS ask the server for its times.
		var f *os.File
		f, err = os.OpenFile(leasePath(dir, l.number), os.O_RDONLY|syscall.O_NOFOLLOW, 0)
		if errors.Is(err, fs.ErrNotExist) { // it was renewed meanwhile
			continue
		}
		if err != nil {
			return l, err
		}
		info, err := f.Stat()
		if err == nil {
			l.renewed = info.ModTime()
			_ = json.NewDecoder(f).Decode(&l.holder) // not written yet: nothing is known about the holder
			if l.holder.Released {
				l.holder = Holder{Released: true}
			}
		}
		return l, errors.Join(err, f.Close())
	}
	return l, err
}

// expired reports whether the holder of a lease has given no sign of life for long.
func (s Store) expired(l lease) (bool, error) {
	now, err := s.serverTime()
	return err == nil && now.Sub(l.renewed) > leaseExpires, err
}

// serverTime is the time of the file server: that of a file which is written now.
func (s Store) serverTime() (time.Time, error) {
	f, err := os.OpenFile(filepath.Join(s.Dir, "state", "clock"), os.O_CREATE|os.O_WRONLY|syscall.O_NOFOLLOW, 0o644)
	if err != nil {
		return time.Time{}, err
	}
	defer f.Close()
	_, err = f.Write([]byte("\n"))
	err = errors.Join(err, f.Sync()) // the server sets the time when the bytes arrive
	info, failed := f.Stat()
	if err = errors.Join(err, failed); err != nil {
		return time.Time{}, err
	}
	return info.ModTime(), nil
}

// follow creates the file after a number. It is not ok if another process has.
func follow(dir string, number int, h Holder) (ok bool, err error) {
	path := leasePath(dir, number+1)
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o644)
	if errors.Is(err, fs.ErrExist) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	b, err := json.Marshal(h)
	if err == nil {
		_, err = f.Write(append(b, '\n'))
	}
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return false, errors.Join(err, os.Remove(path))
	}
	// The file could be created because others have gone on and removed theirs of that number.
	newest, err := newestLease(dir)
	if err != nil || newest != number+1 {
		return false, errors.Join(err, os.Remove(path))
	}
	for _, old := range older(dir, number+1) {
		_ = os.Remove(old) // if it stays, it does not count
	}
	return true, nil
}

// older lists the files of a lease with lower numbers.
func older(dir string, number int) (paths []string) {
	entries, _ := os.ReadDir(dir)
	for _, e := range entries {
		if n, err := strconv.Atoi(e.Name()); err == nil && n < number {
			paths = append(paths, filepath.Join(dir, e.Name()))
		}
	}
	return paths
}

// lookAgain makes NFS forget that records were missing when it last looked, up to a minute ago:
// the run may be done meanwhile. A change of the folder has that effect.
func (s Store) lookAgain() error {
	f, err := os.CreateTemp(filepath.Join(s.Dir, "runs"), ".look.tmp*") // swept if this process is killed here
	if err != nil {
		return err
	}
	return errors.Join(f.Close(), os.Remove(f.Name()))
}

// makeLeaseDir creates the folder of a lease, which must not be a symbolic link.
func makeLeaseDir(dir string) error {
	if err := os.Mkdir(dir, 0o755); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	info, err := os.Lstat(dir)
	if err == nil && !info.IsDir() {
		err = fmt.Errorf("%s is not a folder, expected one: remove it", dir)
	}
	return err
}

// checkExclusive makes sure that the file system creates a file once only.
func (s Store) checkExclusive() error {
	path := filepath.Join(s.Dir, "state", "probe-"+processName())
	defer os.Remove(path)
	for i := range 2 {
		f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o644)
		if err == nil {
			err = f.Close()
		}
		switch {
		case i == 0 && errors.Is(err, fs.ErrExist): // of a killed process with the same number
		case i == 0 && err != nil:
			return fmt.Errorf("record: %w", err)
		case i == 1 && !errors.Is(err, fs.ErrExist):
			return fmt.Errorf("record: %s: expected an error when it was created twice, got %v: the file system of the results folder cannot keep two processes from doing the same run; name another folder with -out", path, err)
		}
	}
	return nil
}
