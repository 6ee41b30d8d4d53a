package run

import (
	"errors"
	"strings"
	"syscall"

	"famebench/internal/torch"
)

// A run is a function of its spec. What keeps it from a record is either the run
// itself, such as a loss that is not finite, or the environment: a full disk, too many
// open files, no memory, data that are not there, a kill. The first happens again each
// time, so it is remembered and tried again only with -retry-failed. The second is tried
// again by the same command.

// environmentError is an error that says nothing about the run.
type environmentError struct{ error }

func (e environmentError) Unwrap() error { return e.error }

// IsEnvironment tells whether an error is the environment's: the operating system refused
// something, or there was no memory.
func IsEnvironment(err error) bool {
	if errno := syscall.Errno(0); errors.As(err, &errno) || errors.As(err, &environmentError{}) {
		return true
	}
	var operation *torch.Error
	return errors.As(err, &operation) && OutOfMemory(operation.Reason)
}

// outOfMemory is how libtorch, the C++ and C libraries and Go's runtime say that they got
// no memory. Go's runtime and an uncaught C++ exception end the process with it.
var outOfMemory = []string{
	"out of memory", "cannot allocate memory", "can't allocate memory", "std::bad_alloc", "pthread_create failed",
	"no memory for", "could not create a primitive", "failed to reserve", "failed to create new OS thread", "newosproc", "failed to map segment",
}

// OutOfMemory tells whether a message or the last words of a process speak of memory that
// could not be had.
func OutOfMemory(text string) bool {
	text = strings.ToLower(text)
	for _, words := range outOfMemory {
		if strings.Contains(text, strings.ToLower(words)) {
			return true
		}
	}
	return false
}
