//go:build !linux

package main

import "os"

// standardError is where messages go.
func standardError() *os.File { return os.Stderr }
