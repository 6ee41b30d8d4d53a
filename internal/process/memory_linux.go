// Package process gives the command its standard streams, and on Linux watches it for
// running out of memory.
package process

// extern int bench_stderr, bench_stdout_closed;
import "C"

import (
	"io"
	"os"
	"syscall"
)

// Stderr is where messages go. A process that is watched for running out of memory,
// see memory_linux.c, has another descriptor for them than Go's runtime.
func Stderr() *os.File {
	if C.bench_stderr == 2 {
		return os.Stderr
	}
	return os.NewFile(uintptr(C.bench_stderr), os.Stderr.Name())
}

// Stdout is where tables go. Every write to one that was closed before the process
// began fails.
func Stdout() io.Writer {
	if C.bench_stdout_closed == 0 {
		return os.Stdout
	}
	return closedOutput{}
}

type closedOutput struct{}

func (closedOutput) Write([]byte) (int, error) {
	return 0, &os.PathError{Op: "write", Path: os.Stdout.Name(), Err: syscall.EBADF}
}
