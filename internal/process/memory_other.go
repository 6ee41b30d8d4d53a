//go:build !linux

package process

import (
	"io"
	"os"
)

// Stderr is where messages go.
func Stderr() *os.File { return os.Stderr }

// Stdout is where tables go.
func Stdout() io.Writer { return os.Stdout }
