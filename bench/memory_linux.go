package main

// extern int bench_stderr;
import "C"

import "os"

// standardError is where messages go. A process that is watched for running out of memory,
// see memory_linux.c, has another descriptor for them than Go's runtime.
func standardError() *os.File {
	if C.bench_stderr == 2 {
		return os.Stderr
	}
	return os.NewFile(uintptr(C.bench_stderr), os.Stderr.Name())
}
