//go:build !linux

package main

import (
	"io"
	"os"
)

// standardError is where messages go.
func standardError() *os.File { return os.Stderr }

// standardOutput is where tables go.
func standardOutput() io.Writer { return os.Stdout }
