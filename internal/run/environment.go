package run

import (
	"errors"
	"strings"
	"syscall"

	"famebench/internal/torch"
)

// A run is a function of its spec. A failure is caused either by the run itself, such as
// a loss that is not finite, or by the environment: a full disk, too many open files, no
// memory, missing data, a kill. A failure of the first kind would happen again, so it is
// recorded, and the run is tried again only with -retry-failed. After one of the second
// kind the same command tries the run again.

// environmentError is an error that says nothing about the run.
type environmentError struct{ error }

func (e environmentError) Unwrap() error { return e.error }

// IsEnvironment reports whether an error is caused by the environment: the operating
// system refused something, or there was no memory.
func IsEnvironment(err error) bool {
	if errno := syscall.Errno(0); errors.As(err, &errno) || errors.As(err, &environmentError{}) {
		return true
	}
	var operation *torch.Error
	return errors.As(err, &operation) && OutOfMemory(operation.Reason)
}

// outOfMemory are the messages with which libtorch, the C++ and C libraries and Go's
// runtime report that they got no memory. Go's runtime and an uncaught C++ exception end
// the process with it.
var outOfMemory = []string{
	"out of memory", "cannot allocate memory", "can't allocate memory", "std::bad_alloc", "pthread_create failed",
	"no memory for", "could not create a primitive", "failed to reserve", "failed to create new OS thread", "newosproc", "failed to map segment",
}

// OutOfMemory reports whether a message or the last output of a process says that memory
// could not be allocated.
func OutOfMemory(text string) bool {
	text = strings.ToLower(text)
	for _, words := range outOfMemory {
		if strings.Contains(text, strings.ToLower(words)) {
			return true
		}
	}
	return false
}
